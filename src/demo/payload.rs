//! The bytes that the demo's packets carry, with their sequence number in its place.

use super::plan::{PATTERN, Place};

/// An ICMP header of a query: type, code, checksum, identifier, sequence number.
const ECHO_HEADER_BYTES: usize = 8;
/// The data of an echo request, as ping sends it.
const ECHO_DATA_BYTES: usize = 56;

/// ICMP type of an echo request.
pub(super) const ECHO_V4: u8 = 8;
/// ICMPv6 type of an echo request.
pub(super) const ECHO_V6: u8 = 128;

#[derive(Debug)]
enum Layout {
    Udp(Place),
    Echo,
}

/// What is handed to the kernel for each packet of a flow.
#[derive(Debug)]
pub(super) struct Payload {
    layout: Layout,
    bytes: Vec<u8>,
}

impl Payload {
    /// A UDP payload of `length` bytes.
    pub fn udp(place: Place, length: usize) -> Payload {
        Payload {
            layout: Layout::Udp(place),
            bytes: vec![0; length],
        }
    }

    /// An echo request with its ICMP header.
    pub fn echo(kind: u8, identifier: u16) -> Payload {
        let mut bytes = vec![0; ECHO_HEADER_BYTES + ECHO_DATA_BYTES];
        bytes[0] = kind;
        bytes[4..6].copy_from_slice(&identifier.to_be_bytes());
        Payload {
            layout: Layout::Echo,
            bytes,
        }
    }

    /// The bytes that count as payload in metrics.md: without an ICMP header.
    pub fn counted_bytes(&self) -> u64 {
        let headers = match self.layout {
            Layout::Udp(_) => 0,
            Layout::Echo => ECHO_HEADER_BYTES,
        };
        (self.bytes.len() - headers) as u64
    }

    /// The bytes to send for this number; an echo request has its low 16 bits.
    pub fn with_number(&mut self, number: u32) -> &[u8] {
        match self.layout {
            Layout::Udp(Place::Start) => self.put(0, &number.to_be_bytes()),
            Layout::Udp(Place::BehindPattern) => {
                self.bytes.fill(0);
                // As many odd positions leave room for the pattern and the number.
                let positions = (self.bytes.len() - 7) / 2;
                let position = (number as usize).wrapping_mul(37) % positions * 2 + 1;
                self.put(position, &PATTERN.to_be_bytes());
                self.put(position + 4, &number.to_be_bytes());
            }
            Layout::Echo => {
                self.put(2, &[0, 0]);
                self.put(6, &(number as u16).to_be_bytes());
                // For ICMPv6 the kernel puts its own checksum here.
                let checksum = internet_checksum(&self.bytes);
                self.put(2, &checksum.to_be_bytes());
            }
        }
        &self.bytes
    }

    fn put(&mut self, position: usize, bytes: &[u8]) {
        self.bytes[position..position + bytes.len()].copy_from_slice(bytes);
    }
}

/// RFC 1071: the ones' complement of the ones' complement sum of the 16-bit words.
fn internet_checksum(bytes: &[u8]) -> u16 {
    let word = |pair: &[u8]| u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0));
    let mut sum: u32 = bytes.chunks(2).map(word).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_follows_the_pattern_at_an_odd_position_that_moves() {
        let mut payload = Payload::udp(Place::BehindPattern, 1200);
        let mut positions = std::collections::HashSet::new();
        for number in (0..3000).chain([u32::MAX, PATTERN]) {
            let bytes = payload.with_number(number).to_vec();
            let found: Vec<_> = (0..bytes.len() - 7)
                .filter(|p| bytes[*p..].starts_with(&PATTERN.to_be_bytes()))
                .collect();
            let first = found[0];
            assert_eq!(first % 2, 1);
            assert_eq!(bytes[first + 4..first + 8], number.to_be_bytes());
            positions.insert(first);
        }
        assert!(positions.len() > 100, "{} positions", positions.len());
        assert!(positions.iter().max() > Some(&1000));
    }

    #[test]
    fn an_echo_request_has_a_right_checksum() {
        let mut payload = Payload::echo(ECHO_V4, 0x4601);
        for number in [0, 1, 65535, 65536 + 7] {
            let bytes = payload.with_number(number);
            assert_eq!(internet_checksum(bytes), 0);
            assert_eq!(bytes[6..8], (number as u16).to_be_bytes());
        }
        assert_eq!(payload.counted_bytes(), 56);
    }
}
