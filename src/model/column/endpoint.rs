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
            Suffix::Icmp(133, 0) => " rtr-sol".to_owned(),
            Suffix::Icmp(134, 0) => " rtr-adv".to_owned(),
            Suffix::Icmp(135, 0) => " nbr-sol".to_owned(),
            Suffix::Icmp(136, 0) => " nbr-adv".to_owned(),
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
