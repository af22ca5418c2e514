//! Packets put together byte by byte, right or wrong as a test wants them. Lengths are right unless said otherwise;
//! checksums are zero: what reads at the hook does not look at them.

use super::pair::{RECEIVER_MAC, RECEIVER_V4, RECEIVER_V6, SENDER_MAC, SENDER_V4, SENDER_V6};

/// Ethertypes.
pub const IPV4: u16 = 0x0800;
/// Of IPv6.
pub const IPV6: u16 = 0x86dd;
/// Of a VLAN tag.
pub const CUSTOMER_TAG: u16 = 0x8100;
/// Of the outer one of two tags.
pub const SERVICE_TAG: u16 = 0x88a8;

/// A frame from the sender to the receiver.
pub fn ethernet(ethertype: u16, payload: &[u8]) -> Vec<u8> {
    let mut frame = [RECEIVER_MAC, SENDER_MAC].concat();
    frame.extend(ethertype.to_be_bytes());
    frame.extend(payload);
    frame
}

/// What follows an ethertype of a tag: its control information, the ethertype behind it, the rest.
pub fn tag(control: u16, ethertype: u16, payload: &[u8]) -> Vec<u8> {
    let mut bytes = control.to_be_bytes().to_vec();
    bytes.extend(ethertype.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// An IPv4 header's variable parts.
#[derive(Debug, Clone, Copy, Default)]
pub struct V4<'a> {
    /// Options, a multiple of four bytes.
    pub options: &'a [u8],
    /// Identification.
    pub identification: u16,
    /// Flags and fragment offset.
    pub fragment: u16,
}

impl V4<'_> {
    /// The packet.
    pub fn packet(&self, protocol: u8, payload: &[u8]) -> Vec<u8> {
        let header = 20 + self.options.len();
        let mut packet = vec![0x40 | (header / 4) as u8, 0];
        packet.extend(((header + payload.len()) as u16).to_be_bytes());
        packet.extend(self.identification.to_be_bytes());
        packet.extend(self.fragment.to_be_bytes());
        packet.extend([64, protocol, 0, 0]);
        packet.extend(SENDER_V4);
        packet.extend(RECEIVER_V4);
        packet.extend(self.options);
        packet.extend(payload);
        packet
    }
}

/// A plain IPv4 packet.
pub fn v4(protocol: u8, payload: &[u8]) -> Vec<u8> {
    V4::default().packet(protocol, payload)
}

/// An IPv6 packet; `next` names what the payload begins with.
pub fn v6(next: u8, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x60, 0, 0, 0];
    packet.extend((payload.len() as u16).to_be_bytes());
    packet.extend([next, 64]);
    packet.extend(SENDER_V6);
    packet.extend(RECEIVER_V6);
    packet.extend(payload);
    packet
}

/// An extension header of 8 * (1 + `more`) bytes, and what follows it.
pub fn extension(next: u8, more: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![next, more];
    bytes.resize(8 + 8 * usize::from(more), 0);
    bytes.extend(payload);
    bytes
}

/// An IPv6 fragment header: offset in bytes, whether more follow.
pub fn fragment(next: u8, offset: u16, more: bool, identification: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![next, 0];
    bytes.extend((offset | u16::from(more)).to_be_bytes());
    bytes.extend(identification.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// An authentication header with a value of 12 bytes (24 in all), and what follows it.
pub fn authentication(next: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![next, 4];
    bytes.resize(24, 0);
    bytes.extend(payload);
    bytes
}

/// A UDP datagram; `length` is what its header says.
pub fn udp_saying(length: usize, ports: (u16, u16), payload: &[u8]) -> Vec<u8> {
    let mut bytes = [ports.0.to_be_bytes(), ports.1.to_be_bytes()].concat();
    bytes.extend((length as u16).to_be_bytes());
    bytes.extend([0, 0]);
    bytes.extend(payload);
    bytes
}

/// A UDP datagram.
pub fn udp(ports: (u16, u16), payload: &[u8]) -> Vec<u8> {
    udp_saying(8 + payload.len(), ports, payload)
}

/// A TCP segment with `options` (a multiple of four bytes).
pub fn tcp(ports: (u16, u16), number: u32, flags: u8, options: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut bytes = [ports.0.to_be_bytes(), ports.1.to_be_bytes()].concat();
    bytes.extend(number.to_be_bytes());
    bytes.extend([0; 4]);
    bytes.extend([((20 + options.len()) as u8 / 4) << 4, flags]);
    bytes.extend([0xff, 0xff, 0, 0, 0, 0]);
    bytes.extend(options);
    bytes.extend(payload);
    bytes
}

/// An ICMP or ICMPv6 message.
pub fn icmp(kind: u8, code: u8, identifier: u16, number: u16, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![kind, code, 0, 0];
    bytes.extend(identifier.to_be_bytes());
    bytes.extend(number.to_be_bytes());
    bytes.extend(payload);
    bytes
}
