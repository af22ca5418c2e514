//! Descriptions of frames: plain data, so that proptest can shrink them. [`super::build`] makes bytes of them.

use super::packet::Gso;

/// Who talks to whom, in small numbers, so that flows are met again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Conversation {
    /// Source host, 0 to 3.
    pub source: u8,
    /// Destination host, 0 to 3.
    pub destination: u8,
    /// Source port or identifier: this one above 40000.
    pub source_port: u8,
    /// Destination port: this one above 5000.
    pub destination_port: u8,
}

/// A fragment of a datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cut {
    /// In units of 8 bytes; 0 for the first fragment.
    pub offset: u16,
    /// More fragments follow.
    pub more: bool,
    /// Identification.
    pub id: u8,
}

/// An extension header, its length in units beyond the shortest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extension {
    /// Hop-by-hop, routing, destination options and mobility, by protocol number.
    Plain(u8, u8),
    /// Authentication header.
    Authentication(u8),
    /// Fragment header.
    Fragment(Cut),
}

/// The network layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Network {
    /// IPv4 with 4-byte words of options, perhaps a fragment, and authentication headers.
    V4(u8, Option<Cut>, Vec<Extension>),
    /// IPv6 with extension headers.
    V6(Vec<Extension>),
    /// Not IP: this Ethernet type.
    Type(u16),
}

/// The transport layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// TCP: flags SYN 1, FIN 2, RST 4, and 4-byte words of options.
    Tcp(u8, u8),
    /// UDP and what its length field says.
    Udp(UdpLength),
    /// ICMP for IPv4: type and code.
    Icmp(u8, u8),
    /// ICMPv6: type and code.
    Icmpv6(u8, u8),
    /// Another protocol, without a header.
    Raw(u8),
}

/// What the length field of a UDP header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UdpLength {
    /// The truth.
    Right,
    /// This, whatever is there.
    Says(u16),
}

/// The payload and the number in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PayloadSpec {
    /// Bytes.
    pub length: u16,
    /// Where the pattern is put, if the profile has one, in each segment of an aggregate.
    pub pattern_at: Option<u16>,
    /// Where the pattern is put a second time, perhaps in front of the first one.
    pub again_at: Option<u16>,
    /// What fills the rest.
    pub filler: u8,
}

/// How the sequence number goes on from the last one of the conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Step {
    /// Distance from the number that is in order.
    pub distance: i32,
    /// The distance counts in payloads, for TCP.
    pub scaled: bool,
    /// The conversation goes on from here, rather than from where it was.
    pub follow: bool,
}

/// A frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FrameSpec {
    /// Which of the interfaces.
    pub interface: u8,
    /// VLAN tags, outermost first: provider tag or not, and id.
    pub tags: Vec<(bool, u16)>,
    /// Network layer.
    pub network: Network,
    /// DSCP and ECN.
    pub traffic_class: u8,
    /// Hops left; time to live.
    pub hop_limit: u8,
    /// Transport layer.
    pub transport: Transport,
    /// Who.
    pub conversation: Conversation,
    /// Payload.
    pub payload: PayloadSpec,
    /// Sequence number.
    pub step: Step,
    /// The buffer's claim to be an aggregate.
    pub gso: Gso,
    /// Damage done at the end.
    pub damage: Vec<Damage>,
}

impl FrameSpec {
    /// A plain frame of IPv4 with a payload of so many zeros.
    pub fn plain(transport: Transport, length: u16) -> FrameSpec {
        FrameSpec {
            interface: 0,
            tags: vec![],
            network: Network::V4(0, None, vec![]),
            traffic_class: 0,
            hop_limit: 64,
            transport,
            conversation: Conversation::default(),
            payload: PayloadSpec {
                length,
                ..PayloadSpec::default()
            },
            step: Step::default(),
            gso: Gso::default(),
            damage: vec![],
        }
    }
}

/// A change of the finished frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Damage {
    /// Zeros behind the packet, up to this length.
    Pad(u16),
    /// Cut off at this share of 65536 of the length; the IP length is made to fit or not.
    Truncate(u16, bool),
    /// Flip these bits of the byte at this share of the first so many bytes.
    Flip(u16, u8),
    /// This first byte of the IP header: version and header length.
    FirstByte(u8),
    /// This IP length (total length, or payload length of IPv6).
    IpLength(u16),
    /// This much more or less IP length.
    IpLengthBy(i8),
}

/// The addresses of a case, so that no other case has the same flows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place(pub u16);

impl Place {
    /// An IPv4 address of the place.
    pub fn v4(self, host: u8) -> [u8; 4] {
        let [high, low] = self.0.to_be_bytes();
        [10, high, low, host]
    }

    /// An IPv6 address of the place.
    pub fn v6(self, host: u8) -> [u8; 16] {
        let [high, low] = self.0.to_be_bytes();
        [
            0x20, 1, 0xd, 0xb8, high, low, 0, 0, 0, 0, 0, 0, 0, 0, 0, host,
        ]
    }
}
