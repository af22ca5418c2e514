//! The text of an endpoint: an address or a host name, and what stands behind it.

use std::net::IpAddr;

/// What stands behind an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Suffix {
    /// Nothing.
    None,
    /// The length of a prefix.
    Prefix(u8),
    /// A TCP or UDP port.
    Port(u16),
    /// The identifier of an ICMP query.
    Identifier(u16),
    /// ICMP type and code.
    Icmp(u8, u8),
}

impl Suffix {
    pub(super) fn text(self) -> String {
        match self {
            Suffix::None => String::new(),
            Suffix::Prefix(bits) => format!("/{bits}"),
            Suffix::Port(port) => format!(":{port}"),
            Suffix::Identifier(id) => format!(" #{id}"),
            Suffix::Icmp(8 | 128, 0) => " echo".to_owned(),
            Suffix::Icmp(0 | 129, 0) => " reply".to_owned(),
            Suffix::Icmp(130, 0) => " mld-query".to_owned(),
            Suffix::Icmp(131, 0) => " mld-report".to_owned(),
            Suffix::Icmp(132, 0) => " mld-done".to_owned(),
            Suffix::Icmp(133, 0) => " rtr-sol".to_owned(),
            Suffix::Icmp(134, 0) => " rtr-adv".to_owned(),
            Suffix::Icmp(135, 0) => " nbr-sol".to_owned(),
            Suffix::Icmp(136, 0) => " nbr-adv".to_owned(),
            Suffix::Icmp(137, 0) => " redirect".to_owned(),
            Suffix::Icmp(143, 0) => " mldv2-report".to_owned(),
            Suffix::Icmp(kind, code) => format!(" {kind}/{code}"),
        }
    }
}

/// The endpoint in full; an IPv6 address with a port is in brackets.
pub(super) fn endpoint(address: IpAddr, suffix: Suffix, name: Option<&str>) -> String {
    match (name, address, suffix) {
        (Some(name), _, _) => format!("{name}{}", suffix.text()),
        (None, IpAddr::V6(v6), Suffix::Port(port)) => format!("[{v6}]:{port}"),
        (None, address, _) => format!("{address}{}", suffix.text()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Types of RFC 792, 4443, 2710, 4861 and 3810.
    #[test]
    fn messages_of_icmp_that_every_link_has_are_named() {
        for (kind, expected) in [
            (8, " echo"),
            (129, " reply"),
            (130, " mld-query"),
            (131, " mld-report"),
            (132, " mld-done"),
            (135, " nbr-sol"),
            (137, " redirect"),
            (143, " mldv2-report"),
            (3, " 3/0"),
        ] {
            assert_eq!(Suffix::Icmp(kind, 0).text(), expected);
        }
        assert_eq!(Suffix::Icmp(143, 1).text(), " 143/1");
    }
}
