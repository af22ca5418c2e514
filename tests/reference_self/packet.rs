//! Frames written down byte by byte, and what each of them is.

use crate::reference::packet::{
    Classified, Detail, FragmentTable, Gso, Link, Packet, Piece, Verdict, classify,
};

const PLAIN: Gso = Gso { segs: 0, size: 0 };

/// The words that stand for bytes in `frames.txt`.
const WORDS: [(&str, &str); 8] = [
    ("<e4>", "020000000002 020000000001 0800"),
    ("<e6>", "020000000002 020000000001 86dd"),
    ("<macs>", "020000000002 020000000001"),
    ("<a4>", "0a000001 0a000002"),
    (
        "<a6>",
        "fd000000000000000000000000000001 fd000000000000000000000000000002",
    ),
    // From port 1000 to port 2000: 3 bytes by UDP, or number 5 without options by TCP.
    ("<udp>", "03e8 07d0 000b 0000 616263"),
    ("<tcp>", "03e8 07d0 00000005 00000000 5010 ffff 0000 0000"),
    // Destination options, then destination options.
    ("<opt>", "3c00 010400000000"),
];
/// An authentication header of 16 bytes in front of UDP.
const AH: &str = "1102 0000 00000001 00000002 00000000";

fn bytes(hex: &str) -> Vec<u8> {
    let spelled = hex.replace("<ah>", AH);
    let spelled = WORDS
        .iter()
        .fold(spelled, |text, (word, hex)| text.replace(word, hex));
    let digits: Vec<u32> = spelled.chars().filter_map(|c| c.to_digit(16)).collect();
    assert_eq!(digits.len() % 2, 0, "whole bytes: {hex}");
    digits.chunks(2).map(|d| (d[0] * 16 + d[1]) as u8).collect()
}

/// One line for a judgement.
fn line(judged: &Classified) -> String {
    let size = format!("{}/{}", judged.volume.packets, judged.volume.bytes);
    match judged.verdict {
        Verdict::Other => format!("other {size}"),
        Verdict::Malformed(reason) => format!("{} {size}", reason.name()),
        Verdict::Flow(packet) => format!("{} {size}", flow_line(&packet)),
    }
}

fn flow_line(p: &Packet) -> String {
    let vlan = p.vlan.map_or(String::new(), |id| format!("vlan{id} "));
    let piece = match p.piece {
        Piece::Whole => "",
        Piece::First => " first",
        Piece::Later => " later",
    };
    let detail = match p.detail {
        Detail::Tcp { seq, syn, fin, rst } => {
            let flags = [(syn, "S"), (fin, "F"), (rst, "R")];
            let flags = flags.map(|(on, letter)| if on { letter } else { "" });
            format!(" seq{seq}{}", flags.concat())
        }
        Detail::Echo(number) => format!(" echo{number}"),
        Detail::None => String::new(),
    };
    let source = format!("{}.{}", p.source, p.source_port);
    let destination = format!("{}.{}", p.destination, p.destination_port);
    let payload = format!("{}+{}", p.payload_offset, p.payload_bytes);
    format!(
        "{vlan}{} {source}>{destination} {payload}{detail}{piece}",
        p.protocol
    )
}

#[test]
fn each_frame_of_the_list_is_what_the_list_says() {
    let mut fragments = FragmentTable::new();
    let mut cases = 0;
    for text in include_str!("frames.txt").lines() {
        if text.starts_with('#') {
            continue;
        }
        let fields: Vec<&str> = text.split('|').map(str::trim).collect();
        match fields[..] {
            [""] => fragments.clear(),
            [name, hex, expected] => {
                let judged = classify(&bytes(hex), Link::Ethernet, PLAIN, &mut fragments);
                assert_eq!(line(&judged), expected, "{name}");
                cases += 1;
            }
            _ => panic!("neither case nor comment: {text}"),
        }
    }
    assert!(cases > 60, "{cases} cases");
}

#[test]
fn every_truncation_of_a_plain_frame_is_malformed() {
    let whole = bytes("<e4> 4500002a 00000000 40060000 <a4> <tcp> 4141");
    for length in 0..whole.len() {
        let frame = &whole[..length];
        let judged = classify(frame, Link::Ethernet, PLAIN, &mut FragmentTable::new());
        let reason = match length {
            0..14 => "frame",
            14..34 => "ip_truncated",
            _ => "ip_length",
        };
        assert_eq!(line(&judged), format!("{reason} 1/{length}"));
    }
}

#[test]
fn an_aggregate_weighs_what_its_packets_did() {
    let start = "<e4> 4500008c 00000000 40060000 <a4> <tcp>";
    let frame = bytes(&format!("{start} {}", "41".repeat(100)));
    let weigh = |segs, size| {
        let gso = Gso { segs, size };
        let judged = classify(&frame, Link::Ethernet, gso, &mut FragmentTable::new());
        (judged.volume.packets, judged.volume.bytes)
    };
    assert_eq!(weigh(0, 0), (1, 154));
    assert_eq!(weigh(1, 100), (1, 154));
    assert_eq!(weigh(3, 40), (3, 154 + 2 * 54));
    assert_eq!(weigh(0, 40), (3, 154 + 2 * 54), "3 = ceil(100 / 40)");
    assert_eq!(weigh(0, 50), (2, 154 + 54));
}

#[test]
fn a_device_without_ethernet_starts_with_ip() {
    let frame = bytes("4500001f 00000000 40110000 <a4> <udp>");
    let judged = classify(&frame, Link::Ip, PLAIN, &mut FragmentTable::new());
    assert_eq!(line(&judged), "udp 10.0.0.1.1000>10.0.0.2.2000 28+3 1/31");
}
