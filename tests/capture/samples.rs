//! A few packets, in every format and byte order.

use flowtop::capture::link::Start;

use crate::write::{Order, Seen, block, enhanced, interface, pcap, record, section, udp};

pub const ORDERS: [Order; 2] = [Order::Little, Order::Big];
pub const ETHERNET: u16 = 1;

/// A few packets, of which one is cut.
pub fn packets() -> Vec<Seen> {
    let seen = |n: u64, bytes: Vec<u8>, length| Seen {
        interface: 0,
        time_ns: Some(1_700_000_000_000_000_000 + n * 1_000_001_000),
        length,
        bytes,
        start: Start::Ethernet,
    };
    let frame = |size| udp((4000, 5000), &vec![7; size]);
    vec![
        seen(0, frame(10), 52),
        seen(1, frame(1001), 1043),
        seen(2, frame(20), 1500),
        seen(3, vec![], 60),
    ]
}

fn classic(order: Order, magic: u32, unit_ns: u64, more: usize) -> Vec<u8> {
    let mut file = pcap(order, magic, ETHERNET.into());
    for packet in packets() {
        let ns = packet.time_ns.expect("a time");
        let time = (
            (ns / 1_000_000_000) as u32,
            (ns % 1_000_000_000 / unit_ns) as u32,
        );
        file.extend(record(order, time, packet.length, &packet.bytes, more));
    }
    file
}

/// In microseconds.
pub fn newer(order: Order) -> Vec<u8> {
    let mut file = [
        section(order),
        block(order, 0x0bad, b"what nobody knows"),
        interface(order, ETHERNET, 0, &[(2, b"eth0")]),
    ]
    .concat();
    for packet in packets() {
        let stamp = packet.time_ns.expect("a time") / 1000;
        file.extend(enhanced(order, 0, stamp, packet.length, &packet.bytes));
    }
    file
}

/// All formats, with their names.
pub fn files() -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    for order in ORDERS {
        for (magic, unit_ns, more) in [
            (0xa1b2_c3d4, 1000, 0),
            (0xa1b2_3c4d, 1, 0),
            (0xa1b2_cd34, 1000, 8),
        ] {
            let name = format!("{magic:x} {order:?}");
            files.push((name, classic(order, magic, unit_ns, more)));
        }
        files.push((format!("pcapng {order:?}"), newer(order)));
    }
    files
}
