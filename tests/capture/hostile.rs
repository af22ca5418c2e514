//! Files that somebody made to do harm: lengths, loops, and chance. Reading ends, in memory of one size.

use std::io::{self, Read};

use flowtop::capture::{Capture, Fault};

use crate::dice::Dice;
use crate::samples::{ETHERNET, ORDERS, files};
use crate::write::{
    Order, block, enhanced, gzip, interface, pcap, read, read_from, section, udp, zstd,
};

/// Files that are tried; `FLOWTOP_FUZZ_FILES` says how many.
fn trials() -> usize {
    let told = std::env::var("FLOWTOP_FUZZ_FILES");
    told.map_or(20_000, |text| text.parse().expect("a number"))
}

/// A file whose bytes do not matter: the numbers that a reader would like to believe.
const NUMBERS: [u32; 10] = [
    0,
    1,
    4,
    12,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_fff0,
    0xffff_fffc,
    u32::MAX,
    262_145,
];

#[test]
fn any_word_of_a_file_may_be_any_number() {
    for (name, file) in files() {
        for at in 0..file.len() - 4 {
            for number in NUMBERS {
                for order in [Order::Little, Order::Big] {
                    let mut file = file.clone();
                    file[at..at + 4].copy_from_slice(&order.u32(number));
                    // That it comes to an end is what is tried.
                    if let Ok(whole) = read(&file) {
                        assert!(whole.packets.len() < 10, "{name} {at}");
                    }
                }
            }
        }
    }
}

#[test]
fn files_like_captures_are_read_to_some_end() {
    let files = files();
    let mut dice = Dice(7);
    let mut packets = 0;
    for _ in 0..trials() {
        let mut file = files[dice.below(files.len())].1.clone();
        for _ in 0..=dice.below(6) {
            let at = dice.below(file.len());
            let kind = dice.one_of(&[0, 1, 2, 3, 4]);
            match kind {
                0 => file[at] = dice.roll() as u8,
                1 => file[at] ^= 1 << dice.below(8),
                2 => file.truncate(at.max(4)),
                3 => drop(file.drain(at..(at + dice.below(40)).min(file.len()))),
                _ => {
                    let piece = file[at..(at + dice.below(200)).min(file.len())].to_vec();
                    let to = dice.below(file.len());
                    file.splice(to..to, piece);
                }
            }
            if file.is_empty() {
                break;
            }
        }
        let file = match dice.below(8) {
            0 => gzip(&file),
            1 => zstd(&file),
            _ => file,
        };
        if let Ok(whole) = read(&file) {
            packets += whole.packets.len();
        }
    }
    assert!(packets > trials(), "{packets} packets");
}

/// The beginning of a file, and then one piece again and again, a quarter of a gigabyte in all.
fn endless(head: Vec<u8>, piece: &[u8]) -> impl Read + use<> {
    const ALL: u64 = 256 << 20;
    let pieces = piece.repeat((1 << 16) / piece.len());
    struct Again(Vec<u8>, usize);
    impl Read for Again {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let rest = &self.0[self.1..];
            let read = into.len().min(rest.len());
            into[..read].copy_from_slice(&rest[..read]);
            self.1 = (self.1 + read) % self.0.len();
            Ok(read)
        }
    }
    io::Cursor::new(head).chain(Again(pieces, 0)).take(ALL)
}

#[test]
fn blocks_and_interfaces_without_end_take_no_more_memory() {
    let order = Order::Little;
    let head = || section(order);
    let before = resident();
    // Blocks of nothing, and interfaces that are all the same.
    let whole = read_from(endless(head(), &block(order, 77, &[]))).unwrap();
    assert!(whole.packets.is_empty());
    let one = interface(order, 1, 0, &[(2, b"eth0")]);
    let whole = read_from(endless(head(), &one)).unwrap();
    assert!(
        matches!(whole.fault, Some(Fault::Damaged(_))),
        "{:?}",
        whole.fault
    );
    assert_eq!(whole.names.len(), 1);
    // A section for each, with an interface of another name.
    let mut sections = head();
    for number in 0..5000u32 {
        sections.extend(head());
        let name = format!("eth{number}");
        sections.extend(interface(order, 1, 0, &[(2, name.as_bytes())]));
        sections.extend(enhanced(order, 0, 1, 60, &[0; 60]));
    }
    let whole = read(&sections).unwrap();
    assert_eq!(whole.packets.len(), 5000);
    assert_eq!(whole.names.len(), 1001);
    assert_eq!(whole.packets[4999].interface, 1000);
    // A block that says it is 4 GB long, of which there is less.
    let long = [&order.u32(77)[..], &order.u32(0xffff_fffc), &[0; 20]].concat();
    let whole = read_from(endless([head(), long].concat(), &[0])).unwrap();
    assert!(
        matches!(whole.fault, Some(Fault::CutOff)),
        "{:?}",
        whole.fault
    );
    let grown = resident().saturating_sub(before);
    assert!(grown < 64 << 20, "{grown} bytes more");
}

/// Bytes of memory that this process has in use.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/statm").expect("/proc");
    let pages = status.split(' ').nth(1).expect("pages");
    pages.parse::<usize>().expect("a number") * 4096
}

#[test]
fn a_packet_that_is_too_long_to_be_believed_ends_the_file() {
    for kept in [262_145, u32::MAX] {
        let mut file = pcap(Order::Little, 0xa1b2_c3d4, 1);
        for number in [0, 0, kept, kept] {
            file.extend(Order::Little.u32(number));
        }
        let reader = endless(file, &[0]);
        let whole = read_from(reader).unwrap();
        assert!(matches!(whole.fault, Some(Fault::Damaged(_))));
        assert!(whole.packets.is_empty());
    }
}

#[test]
fn a_block_that_would_hide_the_one_behind_it_ends_the_file() {
    for order in ORDERS {
        let packet = enhanced(order, 0, 7, 60, &udp((1, 2), b"payload"));
        for mut longer in [packet.clone(), block(order, 77, b"what nobody knows")] {
            let length = longer.len() + packet.len();
            longer[4..8].copy_from_slice(&order.u32(length as u32));
            let file = [
                section(order),
                interface(order, ETHERNET, 0, &[]),
                packet.clone(),
                longer,
                packet.clone(),
                packet.clone(),
            ]
            .concat();
            let whole = read(&file).unwrap();
            assert_eq!(whole.packets.len(), 1);
            assert!(
                matches!(whole.fault, Some(Fault::Damaged(_))),
                "{:?}",
                whole.fault
            );
        }
    }
}

#[test]
fn what_is_no_capture_is_refused() {
    let text = |bytes: &[u8]| match Capture::open(io::Cursor::new(bytes.to_vec())) {
        Err(fault) => fault.to_string(),
        Ok(_) => panic!("{bytes:?}"),
    };
    assert!(text(b"").contains("too short"));
    assert!(text(b"abc").contains("too short"));
    assert!(text(b"# a text\n").contains("neither pcap nor pcapng"));
    assert!(text(&gzip(b"# a text\n")).contains("neither pcap nor pcapng"));
    assert!(text(&pcap(Order::Big, 0xa1b2_c3d4, 1)[..20]).contains("within its header"));
}

#[test]
fn an_error_of_the_reader_is_told() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::from_raw_os_error(5))
        }
    }
    for head in [
        pcap(Order::Little, 0xa1b2_c3d4, 1),
        section(Order::Little),
        zstd(&files()[0].1)[..20].to_vec(),
    ] {
        let reader = io::Cursor::new(head).chain(Broken);
        let fault = match read_from(reader) {
            Ok(whole) => whole.fault,
            Err(fault) => Some(fault),
        };
        let Some(Fault::Read(error)) = fault else {
            panic!("{fault:?}");
        };
        assert_eq!(error.kind(), io::Error::from_raw_os_error(5).kind());
    }
}
