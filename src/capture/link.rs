//! Link types: what a packet of a capture starts with, once what a capturer put in front of it is passed over.
//!
//! Bytes count as they do on a hook: with the Ethernet header of a device that has one, without any of other devices.

/// What a packet starts with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// An Ethernet header.
    Ethernet,
    /// An IP header.
    Ip,
    /// Nothing that is read.
    Unknown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Ethernet,
    Ip,
    /// An address family in the byte order of the machine that captured, or of the network.
    Family,
    /// Linux's cooked headers, version 1 and 2.
    Cooked,
    Cooked2,
    Unsupported,
}

/// A packet without what a capturer put around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Inside {
    /// What it starts with.
    pub start: Start,
    /// Where it begins and ends among the bytes that were kept.
    pub begin: usize,
    /// See `begin`.
    pub end: usize,
    /// Bytes that it had.
    pub length: u32,
}

/// How the packets of an interface are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Framing {
    kind: Kind,
    /// Bytes of a checksum behind each frame.
    checksum: u32,
}

/// Link types that are read.
const SUPPORTED: [(u16, Kind); 10] = [
    (0, Kind::Family),
    (1, Kind::Ethernet),
    (12, Kind::Ip),
    (14, Kind::Ip),
    (101, Kind::Ip),
    (108, Kind::Family),
    (113, Kind::Cooked),
    (228, Kind::Ip),
    (229, Kind::Ip),
    (276, Kind::Cooked2),
];

/// Those that people meet, and that are not read.
const NAMES: [(u16, &str); 13] = [
    (6, "Token Ring"),
    (9, "PPP"),
    (50, "PPP in HDLC framing"),
    (51, "PPPoE"),
    (105, "IEEE 802.11"),
    (119, "IEEE 802.11 with a Prism header"),
    (127, "IEEE 802.11 with radiotap"),
    (189, "USB"),
    (195, "IEEE 802.15.4"),
    (201, "Bluetooth HCI"),
    (220, "USB"),
    (227, "CAN"),
    (239, "NFLOG"),
];

fn kind_of(link_type: u16) -> Kind {
    let found = SUPPORTED.iter().find(|(number, _)| *number == link_type);
    found.map_or(Kind::Unsupported, |(_, kind)| *kind)
}

/// Whether packets of this link type are read; all others are counted, and nothing more.
pub fn is_supported(link_type: u16) -> bool {
    kind_of(link_type) != Kind::Unsupported
}

/// The number, and the name if it is a known one.
pub fn describe(link_type: u16) -> String {
    let known = NAMES.iter().find(|(number, _)| *number == link_type);
    known.map_or_else(
        || link_type.to_string(),
        |(_, name)| format!("{link_type} ({name})"),
    )
}

impl Framing {
    /// For packets of this link type, behind each of which are so many bytes of a checksum.
    pub fn new(link_type: u16, checksum: u32) -> Framing {
        Framing {
            kind: kind_of(link_type),
            checksum,
        }
    }

    /// The same where so many bytes of a checksum are behind a packet.
    pub fn with_checksum(self, checksum: u32) -> Framing {
        Framing { checksum, ..self }
    }

    /// What a packet of `length` bytes is, of which these were kept.
    #[inline]
    pub fn look(self, bytes: &mut [u8], length: u32) -> Inside {
        let kept = bytes.len() as u32;
        let mut length = length.max(kept);
        let mut bytes = bytes;
        if self.checksum > 0 {
            length = length.saturating_sub(self.checksum);
            bytes = &mut bytes[..kept.min(length) as usize];
        }
        let (start, begin) = match self.kind {
            Kind::Ethernet => (Start::Ethernet, 0),
            Kind::Ip => (Start::Ip, 0),
            Kind::Unsupported => (Start::Unknown, 0),
            Kind::Family => behind_family(bytes),
            Kind::Cooked => behind_cooked(bytes),
            Kind::Cooked2 => behind_cooked2(bytes),
        };
        Inside {
            start,
            begin,
            end: bytes.len(),
            length: length - begin as u32,
        }
    }
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn behind_family(bytes: &[u8]) -> (Start, usize) {
    let Some(word) = bytes.first_chunk() else {
        return (Start::Unknown, 0);
    };
    // In any machine's byte order: no family has a number of more than 16 bits.
    match u32::from_le_bytes(*word).min(u32::from_be_bytes(*word)) {
        // AF_INET, and AF_INET6 of Linux and of the BSDs.
        2 | 10 | 24 | 28 | 30 => (Start::Ip, 4),
        _ => (Start::Unknown, 0),
    }
}

const ETHERTYPE_IPV4: u16 = 0x0800;
const ETHERTYPE_IPV6: u16 = 0x86dd;
const ARPHRD_ETHER: u16 = 1;
const ARPHRD_LOOPBACK: u16 = 772;

/// How a packet of a device of this hardware type goes on behind a cooked header of `size` bytes. Where the device has Ethernet
/// headers, the end of the cooked one stands for that which was taken off, as it has its type in the same place.
fn behind_header(hardware: u16, ethertype: u16, size: usize) -> (Start, usize) {
    const ETHERNET: usize = 14;
    match (hardware, ethertype) {
        (ARPHRD_ETHER | ARPHRD_LOOPBACK, _) => (Start::Ethernet, size - ETHERNET),
        (_, ETHERTYPE_IPV4 | ETHERTYPE_IPV6) => (Start::Ip, size),
        _ => (Start::Unknown, 0),
    }
}

/// Type of the packet, hardware type, length of the address, the address in 8 bytes, ethertype: 16 bytes.
fn behind_cooked(bytes: &[u8]) -> (Start, usize) {
    match (u16_at(bytes, 2), u16_at(bytes, 14)) {
        (Some(hardware), Some(ethertype)) => behind_header(hardware, ethertype, 16),
        _ => (Start::Unknown, 0),
    }
}

/// Ethertype, two bytes that are not used, index of the interface, hardware type, type of the packet, length of the address, the
/// address in 8 bytes: 20 bytes.
fn behind_cooked2(bytes: &mut [u8]) -> (Start, usize) {
    const SIZE: usize = 20;
    let (Some(ethertype), Some(hardware)) = (u16_at(bytes, 0), u16_at(bytes, 8)) else {
        return (Start::Unknown, 0);
    };
    if bytes.len() < SIZE {
        return (Start::Unknown, 0);
    }
    // To where the other version has it.
    bytes.copy_within(..2, SIZE - 2);
    behind_header(hardware, ethertype, SIZE)
}
