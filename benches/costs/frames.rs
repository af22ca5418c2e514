//! Frames to measure with, and where in them flows and sequence numbers are told apart.

use etherparse::PacketBuilder;
use etherparse::TcpOptionElement::{Noop, Timestamp};

const MACS: ([u8; 6], [u8; 6]) = ([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]);
const V4: ([u8; 4], [u8; 4]) = ([10, 0, 0, 0], [10, 255, 0, 1]);
const V6: ([u8; 16], [u8; 16]) = (address_v6(0), address_v6(1));

/// The pattern that profiles look for, as it stands in memory.
pub const PATTERN: [u8; 4] = *b"FLOW";

const fn address_v6(last: u8) -> [u8; 16] {
    [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, last, 0, 0, 0, 0]
}

/// A frame, with the offsets that a course changes.
#[derive(Debug, Clone)]
pub struct Shape {
    pub frame: Vec<u8>,
    /// The last four bytes of the source address.
    pub flow_at: usize,
    /// TCP: the sequence number.
    pub number_at: usize,
    pub payload: usize,
}

impl Shape {
    /// UDP in a frame of `length` bytes.
    pub fn udp(v6: bool, length: usize) -> Shape {
        Shape::of(v6, false, length)
    }

    /// TCP in a frame of `length` bytes.
    pub fn tcp(v6: bool, length: usize) -> Shape {
        Shape::of(v6, true, length)
    }

    /// TCP over IPv4 with a timestamp option, in a frame of `length` bytes.
    pub fn tcp_with_timestamps(length: usize) -> Shape {
        let payload = 34 + 32;
        let bytes = random_bytes(length - payload);
        let mut frame = Vec::new();
        let options = [Noop, Noop, Timestamp(1, 1)];
        PacketBuilder::ethernet2(MACS.0, MACS.1)
            .ipv4(V4.0, V4.1, 64)
            .tcp(40000, 443, 0, 65535)
            .ack(1)
            .options(&options)
            .expect("options of twelve bytes")
            .write(&mut frame, &bytes)
            .expect("a frame in memory");
        Shape {
            frame,
            flow_at: 26,
            number_at: 38,
            payload,
        }
    }

    fn of(v6: bool, tcp: bool, length: usize) -> Shape {
        let headers = if v6 { 54 } else { 34 };
        let payload = length - headers - if tcp { 20 } else { 8 };
        let ethernet = PacketBuilder::ethernet2(MACS.0, MACS.1);
        let ip = match v6 {
            true => ethernet.ipv6(V6.0, V6.1, 64),
            false => ethernet.ipv4(V4.0, V4.1, 64),
        };
        let bytes = random_bytes(payload);
        let mut frame = Vec::new();
        let written = match tcp {
            true => ip
                .tcp(40000, 443, 0, 65535)
                .ack(1)
                .write(&mut frame, &bytes),
            false => ip.udp(40000, 5201).write(&mut frame, &bytes),
        };
        written.expect("a frame in memory");
        Shape {
            frame,
            flow_at: if v6 { 34 } else { 26 },
            number_at: if tcp { headers + 4 } else { 0 },
            payload: headers + if tcp { 20 } else { 8 },
        }
    }

    /// The same with the pattern at this place in the payload.
    pub fn with_pattern(mut self, place: usize) -> Shape {
        let at = self.payload + place;
        self.frame[at..at + 4].copy_from_slice(&PATTERN);
        self
    }

    /// Bytes of payload.
    pub fn payload_bytes(&self) -> usize {
        self.frame.len() - self.payload
    }
}

/// Bytes without order, the same in each run, and without the pattern.
pub fn random_bytes(length: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    let bytes: Vec<u8> = (0..length).map(|_| next()).collect();
    assert!(!bytes.windows(4).any(|window| window == PATTERN));
    bytes
}
