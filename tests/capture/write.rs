//! Captures as other programs write them, byte by byte.

use std::io::{Cursor, Read, Write};

use flowtop::capture::link::Start;
use flowtop::capture::{Capture, Fault, Item};

/// The byte order of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    Little,
    Big,
}

impl Order {
    pub fn u16(self, number: u16) -> [u8; 2] {
        match self {
            Order::Little => number.to_le_bytes(),
            Order::Big => number.to_be_bytes(),
        }
    }

    pub fn u32(self, number: u32) -> [u8; 4] {
        match self {
            Order::Little => number.to_le_bytes(),
            Order::Big => number.to_be_bytes(),
        }
    }

    pub fn u64(self, number: u64) -> [u8; 8] {
        match self {
            Order::Little => number.to_le_bytes(),
            Order::Big => number.to_be_bytes(),
        }
    }
}

/// A packet as a capture has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    pub interface: usize,
    pub time_ns: Option<u64>,
    pub length: u32,
    pub bytes: Vec<u8>,
    pub start: Start,
}

/// The header of the older format.
pub fn pcap(order: Order, magic: u32, link_type: u32) -> Vec<u8> {
    let version = [order.u16(2), order.u16(4)].concat();
    let numbers = [0, 0, 262_144, link_type].map(|number| order.u32(number));
    [&order.u32(magic)[..], &version, &numbers.concat()].concat()
}

/// A packet of it, with so many further bytes in its header.
pub fn record(order: Order, time: (u32, u32), length: u32, bytes: &[u8], more: usize) -> Vec<u8> {
    let numbers = [time.0, time.1, bytes.len() as u32, length].map(|number| order.u32(number));
    [&numbers.concat(), &vec![0; more], bytes].concat()
}

/// A block of the newer format around this body.
pub fn block(order: Order, kind: u32, body: &[u8]) -> Vec<u8> {
    let mut padded = body.to_vec();
    padded.resize(body.len().next_multiple_of(4), 0);
    let length = order.u32(12 + padded.len() as u32);
    [&order.u32(kind)[..], &length, &padded, &length].concat()
}

/// The head of a section.
pub fn section(order: Order) -> Vec<u8> {
    let versions = [order.u16(1), order.u16(0)].concat();
    let body = [&order.u32(0x1a2b_3c4d)[..], &versions, &[0xff; 8]].concat();
    block(order, 0x0a0d_0d0a, &body)
}

/// Options, and the end of them.
pub fn options(order: Order, options: &[(u16, &[u8])]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (code, value) in options {
        bytes.extend(order.u16(*code));
        bytes.extend(order.u16(value.len() as u16));
        bytes.extend_from_slice(value);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
    }
    bytes.extend([0; 4]);
    bytes
}

/// An interface.
pub fn interface(order: Order, link_type: u16, snap: u32, named: &[(u16, &[u8])]) -> Vec<u8> {
    let head = [&order.u16(link_type)[..], &[0; 2], &order.u32(snap)].concat();
    block(order, 1, &[head, options(order, named)].concat())
}

/// An enhanced packet.
pub fn enhanced(order: Order, interface: u32, stamp: u64, length: u32, bytes: &[u8]) -> Vec<u8> {
    let place = [interface, (stamp >> 32) as u32, stamp as u32];
    of_packet(order, place, length, bytes, &[(1, b"a comment")])
}

/// One of the first interface of which more is told.
pub fn told_of(order: Order, stamp: u64, bytes: &[u8], told: &[(u16, &[u8])]) -> Vec<u8> {
    let place = [0, (stamp >> 32) as u32, stamp as u32];
    of_packet(order, place, bytes.len() as u32, bytes, told)
}

fn of_packet(
    order: Order,
    place: [u32; 3],
    length: u32,
    bytes: &[u8],
    told: &[(u16, &[u8])],
) -> Vec<u8> {
    let mut body = place.map(|number| order.u32(number)).concat();
    body.extend(
        [bytes.len() as u32, length]
            .map(|number| order.u32(number))
            .concat(),
    );
    body.extend_from_slice(bytes);
    body.resize(body.len().next_multiple_of(4), 0);
    body.extend(options(order, told));
    block(order, 6, &body)
}

/// An Ethernet frame of a UDP packet with this payload.
pub fn udp(ports: (u16, u16), payload: &[u8]) -> Vec<u8> {
    let length = 28 + payload.len() as u16;
    let mut frame = [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, 0x45, 0].to_vec();
    frame.extend(length.to_be_bytes());
    frame.extend([0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 2, 10, 0, 0, 1]);
    for number in [ports.0, ports.1, length - 20, 0] {
        frame.extend(number.to_be_bytes());
    }
    frame.extend_from_slice(payload);
    frame
}

/// gzip's.
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).expect("compress");
    encoder.finish().expect("compress")
}

/// zstd's.
pub fn zstd(bytes: &[u8]) -> Vec<u8> {
    let level = ruzstd::encoding::CompressionLevel::Fastest;
    ruzstd::encoding::compress_to_vec(bytes, level)
}

/// A reader that gives a few bytes at a time.
pub struct Drops<R>(pub R, pub usize);

impl<R: Read> Read for Drops<R> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let most = into.len().min(self.1);
        self.0.read(&mut into[..most])
    }
}

/// What is read of a capture: packets, drops by interface, packets without one, and how it ends.
#[derive(Debug, Default)]
pub struct Whole {
    pub packets: Vec<Seen>,
    pub drops: Vec<(usize, u64)>,
    pub unplaced: usize,
    pub names: Vec<(String, u16)>,
    pub fault: Option<Fault>,
}

/// Reads all of it.
pub fn read_from(reader: impl Read + 'static) -> Result<Whole, Fault> {
    let mut capture = Capture::open(reader)?;
    let mut whole = Whole::default();
    let mut described = 0;
    loop {
        match capture.next_item() {
            Ok(Some(Item::Packet(packet))) => whole.packets.push(Seen {
                interface: packet.interface,
                time_ns: packet.time_ns,
                length: packet.length,
                bytes: capture.bytes(&packet).to_vec(),
                start: packet.start,
            }),
            Ok(Some(Item::Dropped { interface, packets })) => {
                whole.drops.push((interface, packets));
            }
            Ok(Some(Item::Unplaced)) => whole.unplaced += 1,
            Ok(Some(Item::Described(index))) => {
                assert_eq!(index, described);
                described += 1;
                assert_eq!(capture.interfaces().len(), described);
            }
            Ok(None) => break,
            Err(fault) => {
                whole.fault = Some(fault);
                break;
            }
        }
    }
    let named = capture.interfaces().iter();
    whole.names = named.map(|it| (it.name.clone(), it.link_type)).collect();
    Ok(whole)
}

/// The same of bytes.
pub fn read(bytes: &[u8]) -> Result<Whole, Fault> {
    read_from(Cursor::new(bytes.to_vec()))
}
