//! Link types: where a packet begins, and how long it is as a hook counts it.

use flowtop::capture::link::{Framing, Inside, Start, describe, is_supported};

use crate::runs::{File, Run};
use crate::write::{Order, pcap, record, udp};

/// What is left of a packet of this link type: what it starts with, its bytes, and its length.
fn look(link_type: u16, bytes: &[u8], length: u32) -> (Start, Vec<u8>, u32) {
    let mut bytes = bytes.to_vec();
    let inside = Framing::new(link_type, 0).look(&mut bytes, length);
    let left = bytes[inside.begin..inside.end].to_vec();
    (inside.start, left, inside.length)
}

fn ip_packet() -> Vec<u8> {
    udp((1, 2), b"payload")[14..].to_vec()
}

#[test]
fn frames_and_bare_packets_are_as_they_are() {
    let frame = udp((1, 2), b"payload");
    let (start, bytes, length) = look(1, &frame, 99);
    assert_eq!((start, bytes, length), (Start::Ethernet, frame, 99));
    for link_type in [12, 14, 101, 228, 229] {
        let (start, bytes, length) = look(link_type, &ip_packet(), 99);
        assert_eq!((start, bytes, length), (Start::Ip, ip_packet(), 99));
    }
}

#[test]
fn a_family_in_front_of_a_packet_is_passed_over_in_either_byte_order() {
    for link_type in [0, 108] {
        for family in [2u32, 10, 24, 28, 30] {
            for family in [family.to_le_bytes(), family.to_be_bytes()] {
                let packet = [&family[..], &ip_packet()].concat();
                let (start, bytes, length) = look(link_type, &packet, 100);
                assert_eq!((start, bytes, length), (Start::Ip, ip_packet(), 96));
            }
        }
        let packet = [&7u32.to_le_bytes()[..], &ip_packet()].concat();
        assert_eq!(look(link_type, &packet, 100), (Start::Unknown, packet, 100));
    }
}

/// Version 1 and 2 of a cooked header.
fn cooked(hardware: u16, ethertype: u16) -> [(u16, Vec<u8>); 2] {
    let (hardware, ethertype) = (hardware.to_be_bytes(), ethertype.to_be_bytes());
    let first = [&[0, 4][..], &hardware, &[0, 6], &[9; 8], &ethertype].concat();
    let second = [
        &ethertype[..],
        &[0; 2],
        &[0, 0, 0, 7],
        &hardware,
        &[4, 6],
        &[9; 8],
    ]
    .concat();
    [(113, first), (276, second)]
}

#[test]
fn a_cooked_packet_of_an_ethernet_device_has_an_ethernet_header_again() {
    for hardware in [1, 772] {
        for ethertype in [0x0800, 0x86dd, 0x0806, 0x8100] {
            for (link_type, header) in cooked(hardware, ethertype) {
                let packet = [&header[..], &ip_packet()].concat();
                let (start, bytes, length) = look(link_type, &packet, packet.len() as u32 + 500);
                assert_eq!((start, length), (Start::Ethernet, bytes.len() as u32 + 500));
                assert_eq!(bytes.len(), 14 + ip_packet().len());
                assert_eq!(bytes[12..14], ethertype.to_be_bytes());
                assert_eq!(bytes[14..], ip_packet());
            }
        }
    }
}

#[test]
fn a_cooked_packet_of_another_device_starts_with_its_ip_header() {
    for (link_type, header) in cooked(0xfffe, 0x0800) {
        let packet = [&header[..], &ip_packet()].concat();
        let (start, bytes, length) = look(link_type, &packet, packet.len() as u32);
        assert_eq!((start, bytes), (Start::Ip, ip_packet()));
        assert_eq!(length, ip_packet().len() as u32);
    }
    for (link_type, header) in cooked(0xfffe, 0x0806) {
        let (start, ..) = look(link_type, &header, 60);
        assert_eq!(start, Start::Unknown);
    }
}

#[test]
fn what_is_shorter_than_its_header_and_what_is_not_known_is_counted_as_it_is() {
    for link_type in [0, 108, 113, 276, 105, 127, u16::MAX] {
        for size in 0..4 {
            let bytes = vec![2; size];
            let found = look(link_type, &bytes, 60);
            assert_eq!(found, (Start::Unknown, bytes, 60), "{link_type}");
        }
    }
    for size in 4..20 {
        let (start, bytes, length) = look(276, &vec![0; size], 60);
        assert_eq!((start, bytes.len(), length), (Start::Unknown, size, 60));
    }
    assert!(is_supported(1) && is_supported(276) && !is_supported(105));
    assert_eq!(describe(105), "105 (IEEE 802.11)");
    assert_eq!(describe(60_000), "60000");
}

#[test]
fn a_checksum_behind_a_frame_is_no_part_of_it() {
    let mut frame = [udp((1, 2), b"payload"), vec![1, 2, 3, 4]].concat();
    let length = frame.len() as u32;
    let framing = Framing::new(1, 4);
    let kept = |inside: Inside| (inside.begin, inside.end as u32, inside.length);
    let inside = framing.look(&mut frame, length);
    assert_eq!(kept(inside), (0, length - 4, length - 4));
    // Cut before it.
    let inside = framing.look(&mut frame[..20], length);
    assert_eq!(kept(inside), (0, 20, length - 4));
    assert_eq!(kept(framing.look(&mut [0; 3], 3)), (0, 0, 0));
}

#[test]
fn a_length_below_what_was_kept_is_that() {
    assert_eq!(look(1, &[0; 60], 0).2, 60);
}

/// What stands in front of an IPv4 packet in a capture of this link type, and how many bytes of that count.
fn in_front() -> Vec<(u16, Vec<u8>, u64)> {
    let frame = udp((1, 2), b"payload");
    let mut all = vec![(1, frame[..14].to_vec(), 14)];
    all.extend([12, 14, 101, 228, 229].map(|link_type| (link_type, vec![], 0)));
    all.push((0, 2u32.to_le_bytes().to_vec(), 0));
    all.push((108, 2u32.to_be_bytes().to_vec(), 0));
    for (hardware, counts) in [(1, 14), (0xfffe, 0)] {
        let headers = cooked(hardware, 0x0800);
        all.extend(headers.map(|(link_type, header)| (link_type, header, counts)));
    }
    all
}

#[test]
fn a_packet_is_the_same_flow_on_every_link_type() {
    let order = Order::Little;
    for (link_type, header, counts) in in_front() {
        let bytes = [&header[..], &ip_packet()].concat();
        let mut file = pcap(order, 0xa1b2_c3d4, link_type.into());
        for second in 0..3 {
            file.extend(record(order, (second, 0), bytes.len() as u32, &bytes, 0));
        }
        let run = Run::of(&["-r", File::of(&file).path(), "--json", "-t", "60"]);
        assert_eq!((run.code, &*run.errors), (Some(0), ""), "{link_type}");
        let flow = &run.records[0]["flows"][0];
        assert_eq!(flow["source"], "10.0.0.2", "{link_type}");
        assert_eq!(flow["destination_port"], 2, "{link_type}");
        let length = ip_packet().len() as u64 + counts;
        assert_eq!(
            (&flow["packets"], &flow["bytes"]),
            (&3.into(), &(3 * length).into())
        );
    }
}
