//! The same packets in each format, byte order and compression.

use std::io::Cursor;

use flowtop::capture::Fault;

use crate::samples::{ETHERNET, ORDERS, files, newer, packets};
use crate::write::{
    Drops, Order, Whole, block, enhanced, gzip, interface, read, read_from, section, udp, zstd,
};

fn expect(name: &str, whole: Result<Whole, Fault>) {
    let whole = whole.unwrap_or_else(|fault| panic!("{name}: {fault}"));
    assert!(whole.fault.is_none(), "{name}: {:?}", whole.fault);
    assert_eq!(whole.packets, packets(), "{name}");
}

#[test]
fn each_format_in_each_byte_order_has_the_same_packets() {
    for (name, file) in files() {
        expect(&name, read(&file));
    }
}

#[test]
fn it_does_not_matter_in_which_pieces_a_capture_comes() {
    for (name, file) in files() {
        for piece in [1, 3, 17] {
            let reader = Drops(Cursor::new(file.clone()), piece);
            expect(&format!("{name} by {piece}"), read_from(reader));
        }
    }
}

#[test]
fn what_is_compressed_is_told_by_its_first_bytes() {
    for (name, file) in files() {
        let (first, second) = file.split_at(file.len() / 2);
        let skippable = [0x5a, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3];
        let halves = [zstd(first), skippable.to_vec(), zstd(second)].concat();
        expect(&format!("{name} gzip"), read(&gzip(&file)));
        expect(&format!("{name} zstd"), read(&zstd(&file)));
        expect(
            &format!("{name} in two members"),
            read(&[gzip(first), gzip(second)].concat()),
        );
        expect(&format!("{name} in two frames"), read(&halves));
        let behind = [&skippable[..], &halves].concat();
        expect(&format!("{name} behind a frame of nothing"), read(&behind));
        let reader = Drops(Cursor::new(halves), 5);
        expect(&format!("{name} in frames and pieces"), read_from(reader));
    }
}

#[test]
fn a_capture_cut_at_any_byte_has_the_packets_before_it() {
    let all = packets();
    for (name, file) in files() {
        let mut faults = 0;
        for end in 0..file.len() {
            let Ok(whole) = read(&file[..end]) else {
                assert!(end < 28, "{name} refused at {end}");
                continue;
            };
            assert_eq!(whole.packets, all[..whole.packets.len()], "{name} {end}");
            assert!(whole.packets.len() < all.len(), "{name} {end}");
            assert!(
                matches!(whole.fault, None | Some(Fault::CutOff)),
                "{name} {end}: {:?}",
                whole.fault
            );
            faults += usize::from(whole.fault.is_some());
        }
        assert!(faults > file.len() - 50, "{name}: {faults}");
    }
}

#[test]
fn a_compressed_capture_cut_at_any_byte_says_so() {
    let file = newer(Order::Little);
    for compressed in [gzip(&file), zstd(&file)] {
        for end in (4..compressed.len()).step_by(3) {
            let Ok(whole) = read(&compressed[..end]) else {
                continue;
            };
            let all = packets();
            assert_eq!(whole.packets, all[..whole.packets.len()]);
            // A checksum may be all that is missing.
            assert!(
                whole.fault.is_some() || whole.packets.len() == all.len(),
                "{end}"
            );
        }
    }
}

#[test]
fn sections_have_their_own_byte_order_and_interfaces() {
    let frame = udp((1, 2), b"payload");
    let length = frame.len() as u32;
    let mut file = Vec::new();
    for (order, name) in [
        (Order::Little, b"eth0"),
        (Order::Big, b"eth1"),
        (Order::Little, b"eth0"),
    ] {
        file.extend(section(order));
        file.extend(interface(order, ETHERNET, 0, &[(2, name), (9, &[9])]));
        file.extend(interface(order, 101, 0, &[(2, b"tun0")]));
        file.extend(enhanced(order, 0, 5_000_000_001, length, &frame));
        file.extend(enhanced(order, 1, 5_000_001, length - 14, &frame[14..]));
    }
    let whole = read(&file).unwrap();
    let names = [("eth0", 1), ("tun0", 101), ("eth1", 1)];
    let names = names.map(|(name, kind)| (name.to_owned(), kind));
    assert_eq!(whole.names, names);
    let placed: Vec<_> = whole.packets.iter().map(|it| it.interface).collect();
    assert_eq!(placed, [0, 1, 2, 1, 0, 1]);
    let times: Vec<_> = whole.packets.iter().filter_map(|it| it.time_ns).collect();
    assert_eq!(times[..2], [5_000_000_001, 5_000_001_000]);
    assert!(whole.fault.is_none());
}

#[test]
fn interfaces_without_names_are_numbered_and_packets_without_an_interface_are_counted() {
    let order = Order::Little;
    let frame = udp((1, 2), b"payload");
    let file = [
        section(order),
        interface(order, ETHERNET, 0, &[]),
        interface(order, ETHERNET, 0, &[(2, b"")]),
        interface(order, ETHERNET, 0, &[(2, b"\0eth0")]),
        enhanced(order, 1, 7, 60, &frame),
        enhanced(order, 3, 7, 60, &frame),
        enhanced(order, u32::MAX, 7, 60, &frame),
    ]
    .concat();
    let whole = read(&file).unwrap();
    let names = ["if0", "if1", "if2"].map(|name| (name.to_owned(), 1));
    assert_eq!(whole.names, names);
    assert_eq!((whole.packets.len(), whole.unplaced), (1, 2));
}

#[test]
fn of_a_long_name_255_bytes_are_taken_and_no_half_of_a_character() {
    let order = Order::Little;
    for (name, taken) in [
        ("e".repeat(255), "e".repeat(255)),
        ("e".repeat(60_000), "e".repeat(255)),
        ("\u{e9}".repeat(200), "\u{e9}".repeat(127)),
        ("\u{1f980}".repeat(64), "\u{1f980}".repeat(63)),
    ] {
        let described = interface(order, ETHERNET, 0, &[(2, name.as_bytes())]);
        let whole = read(&[section(order), described].concat()).unwrap();
        assert_eq!(whole.names, [(taken, ETHERNET)]);
    }
}

#[test]
fn simple_packets_have_no_time_and_obsolete_ones_have_one() {
    for order in ORDERS {
        let frame = udp((1, 2), &[7; 100]);
        let simple = |kept: usize| {
            let body = [&order.u32(frame.len() as u32)[..], &frame[..kept]].concat();
            block(order, 3, &body)
        };
        let numbers = [0, 3, frame.len() as u32, frame.len() as u32];
        let numbers = numbers.map(|number| order.u32(number)).concat();
        let obsolete = [&order.u16(0)[..], &order.u16(9), &numbers, &frame].concat();
        // How much is kept of a packet at most; 0: all.
        for (most, kept) in [(64, 64), (0, frame.len())] {
            let file = [
                section(order),
                interface(order, ETHERNET, most, &[]),
                simple(kept),
                block(order, 2, &obsolete),
            ]
            .concat();
            let whole = read(&file).unwrap();
            assert!(whole.fault.is_none(), "{:?}", whole.fault);
            let [first, second] = &whole.packets[..] else {
                panic!("{} packets", whole.packets.len());
            };
            assert_eq!((first.time_ns, first.bytes.len()), (None, kept));
            assert_eq!(first.length, frame.len() as u32);
            assert_eq!((second.time_ns, &second.bytes), (Some(3000), &frame));
        }
    }
}

/// The statistics of an interface of the section.
fn statistics(order: Order, interface: u32, counts: &[(u16, u64)]) -> Vec<u8> {
    let mut body = [interface, 0, 0].map(|number| order.u32(number)).concat();
    for (code, count) in counts {
        body.extend([order.u16(*code), order.u16(8)].concat());
        body.extend(order.u64(*count));
    }
    block(order, 5, &body)
}

#[test]
fn what_the_capturer_dropped_is_told_by_interface() {
    for order in ORDERS {
        let file = [
            section(order),
            interface(order, ETHERNET, 0, &[]),
            interface(order, ETHERNET, 0, &[]),
            statistics(order, 1, &[(4, 100), (5, 3), (7, 4)]),
            statistics(order, 0, &[(4, 100)]),
            statistics(order, 9, &[(5, 3)]),
        ]
        .concat();
        let whole = read(&file).unwrap();
        assert_eq!(whole.drops, [(1, 7)]);
    }
}

#[test]
fn drops_of_several_sections_and_of_interfaces_of_one_name_add_up() {
    let order = Order::Little;
    let named = |name: &[u8]| interface(order, ETHERNET, 0, &[(2, name)]);
    let file = [
        section(order),
        named(b"eth0"),
        named(b"eth1"),
        named(b"eth0"),
        statistics(order, 0, &[(5, 3)]),
        statistics(order, 1, &[(5, 1)]),
        statistics(order, 2, &[(5, 10)]),
        // It had three before, and then no more than these.
        statistics(order, 0, &[(5, 4)]),
        statistics(order, 0, &[(5, 4)]),
        section(order),
        named(b"eth0"),
        statistics(order, 0, &[(5, 100)]),
    ]
    .concat();
    let told = [(0, 3), (1, 1), (0, 13), (0, 14), (0, 14), (0, 114)];
    assert_eq!(read(&file).unwrap().drops, told);
}
