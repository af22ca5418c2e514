//! The identity of a flow: one direction of one conversation seen on one interface.
//!
//! Owns [`FlowKey`] and [`Protocol`]. Knows nothing of how a key is stored in the kernel's table.

use std::fmt;
use std::net::IpAddr;
use std::num::NonZeroU32;

/// The protocols whose packets are flows. Everything else is counted in its interface's `other`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Protocol {
    /// Transmission Control Protocol, IP protocol 6.
    Tcp,
    /// User Datagram Protocol, IP protocol 17.
    Udp,
    /// Internet Control Message Protocol for IPv4, IP protocol 1.
    Icmp,
    /// Internet Control Message Protocol for IPv6, IP protocol 58.
    Icmpv6,
}

impl Protocol {
    /// All protocols, in the order in which they are listed to people.
    pub const ALL: [Protocol; 4] = [
        Protocol::Tcp,
        Protocol::Udp,
        Protocol::Icmp,
        Protocol::Icmpv6,
    ];

    /// The number of the protocol in an IP header (IANA "Assigned Internet Protocol Numbers").
    pub const fn number(self) -> u8 {
        match self {
            Protocol::Tcp => 6,
            Protocol::Udp => 17,
            Protocol::Icmp => 1,
            Protocol::Icmpv6 => 58,
        }
    }

    /// The protocol with this number in an IP header, if its packets are flows.
    pub fn from_number(number: u8) -> Option<Protocol> {
        Protocol::ALL.into_iter().find(|p| p.number() == number)
    }

    /// The lower-case name used in JSON, in the filter and on the screen.
    pub const fn name(self) -> &'static str {
        match self {
            Protocol::Tcp => "tcp",
            Protocol::Udp => "udp",
            Protocol::Icmp => "icmp",
            Protocol::Icmpv6 => "icmpv6",
        }
    }

    /// What stands behind a count of what is missing: TCP's is one of bytes.
    pub fn unit_of_loss(self) -> &'static str {
        match self {
            Protocol::Tcp => " bytes",
            _ => "",
        }
    }

    /// Whether the two port fields of a key hold ports, rather than ICMP identifier and type.
    pub const fn has_ports(self) -> bool {
        matches!(self, Protocol::Tcp | Protocol::Udp)
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Which way the packets of a flow went past the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Direction {
    /// They came in.
    In,
    /// They went out. No program looks at these so far.
    Out,
}

/// What tells one flow from another. Ordered, so that it can break ties when rows are sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FlowKey {
    /// Index of the device whose hook saw the packets.
    pub ifindex: u32,
    /// Which way they went past it.
    pub direction: Direction,
    /// Outer VLAN id (0 to 4095), or none for untagged packets.
    pub vlan: Option<u16>,
    /// Identifier of the tunnel that they were in. No program looks into tunnels so far.
    pub tunnel: Option<NonZeroU32>,
    /// Layer-4 protocol.
    pub protocol: Protocol,
    /// Source address.
    pub source: IpAddr,
    /// Destination address; of the same family as the source.
    pub destination: IpAddr,
    /// TCP and UDP: source port. ICMP and ICMPv6: identifier of a query message, else 0.
    pub source_port: u16,
    /// TCP and UDP: destination port. ICMP and ICMPv6: type * 256 + code, as in NetFlow and IPFIX.
    pub destination_port: u16,
}

impl FlowKey {
    /// That of untagged packets, outside of any tunnel, that came in from an address and a port and went to another one.
    pub fn incoming(
        ifindex: u32,
        protocol: Protocol,
        from: (impl Into<IpAddr>, u16),
        to: (impl Into<IpAddr>, u16),
    ) -> FlowKey {
        FlowKey {
            ifindex,
            direction: Direction::In,
            vlan: None,
            tunnel: None,
            protocol,
            source: from.0.into(),
            destination: to.0.into(),
            source_port: from.1,
            destination_port: to.1,
        }
    }

    /// The end of the source address and both ports: equal keys have equal ones, and few others do. Quick to compare.
    pub fn brief(&self) -> u64 {
        let source = match self.source {
            IpAddr::V4(v4) => v4.to_bits(),
            IpAddr::V6(v6) => v6.to_bits() as u32,
        };
        u64::from(source) << 32
            | u64::from(self.source_port) << 16
            | u64::from(self.destination_port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn protocols_have_the_numbers_of_ip_headers() {
        let numbers = [(6, "tcp"), (17, "udp"), (1, "icmp"), (58, "icmpv6")];
        for (number, name) in numbers {
            let protocol = Protocol::from_number(number);
            assert_eq!(protocol.map(Protocol::name), Some(name));
            assert_eq!(protocol.map(Protocol::number), Some(number));
        }
        assert_eq!(Protocol::from_number(47), None);
    }
}
