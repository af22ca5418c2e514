//! The frames of the script, each with the place where it is to be counted.

use super::beside;
use super::support::craft::{
    self, CUSTOMER_TAG, IPV4, IPV6, SERVICE_TAG, V4, ethernet, extension, fragment, icmp, tag, tcp,
    udp, udp_saying, v4, v6,
};

/// Where a frame is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// In this flow, from the sender to the receiver.
    Flow {
        /// IP protocol number.
        protocol: u8,
        /// Over IPv6.
        v6: bool,
        /// Outer VLAN id.
        vlan: Option<u16>,
        /// Source and destination.
        ports: (u16, u16),
    },
    /// Beside the flows.
    Other,
    /// As malformed, for this reason.
    Malformed(&'static str),
}

/// One frame and what it is.
pub struct Step {
    /// As it is on the wire.
    pub frame: Vec<u8>,
    /// Where it is counted.
    pub place: Place,
    /// Effective data in it.
    pub payload_bytes: u64,
}

/// IP protocol number of TCP.
pub const TCP: u8 = 6;
/// IP protocol number of UDP.
pub const UDP: u8 = 17;
/// IP protocol number of ICMP.
pub const ICMP: u8 = 1;
/// IP protocol number of ICMPv6.
pub const ICMPV6: u8 = 58;

/// The number of a protocol, by the name that records use.
pub fn protocol(name: &str) -> u8 {
    match name {
        "tcp" => TCP,
        "udp" => UDP,
        "icmp" => ICMP,
        "icmpv6" => ICMPV6,
        other => panic!("no protocol {other}"),
    }
}

/// A frame with a plain IPv4 packet.
pub fn over_v4(protocol: u8, payload: &[u8]) -> Vec<u8> {
    ethernet(IPV4, &v4(protocol, payload))
}

/// A frame with an IPv6 packet.
pub fn over_v6(next: u8, payload: &[u8]) -> Vec<u8> {
    ethernet(IPV6, &v6(next, payload))
}

fn flow(frame: Vec<u8>, protocol: u8, ports: (u16, u16), payload_bytes: u64) -> Step {
    let v6 = frame[12..14] == IPV6.to_be_bytes();
    let place = Place::Flow {
        protocol,
        v6,
        vlan: None,
        ports,
    };
    Step {
        frame,
        place,
        payload_bytes,
    }
}

fn tagged(frame: Vec<u8>, id: u16, carries_v6: bool, ports: (u16, u16), payload: u64) -> Step {
    let place = Place::Flow {
        protocol: UDP,
        v6: carries_v6,
        vlan: Some(id),
        ports,
    };
    Step {
        frame,
        place,
        payload_bytes: payload,
    }
}

/// A frame that is no flow's.
pub fn beside(frame: Vec<u8>, place: Place) -> Step {
    Step {
        frame,
        place,
        payload_bytes: 0,
    }
}

/// The whole script.
pub fn steps() -> Vec<Step> {
    let parts = [
        datagrams(),
        segments_and_messages(),
        options_and_extensions(),
        fragments(),
        tags(),
        padded(),
        beside::others(),
        beside::malformed(),
    ];
    parts.into_iter().flatten().collect()
}

fn datagrams() -> Vec<Step> {
    vec![
        flow(over_v4(UDP, &udp((9, 100), &[7; 100])), UDP, (9, 100), 100),
        flow(over_v6(UDP, &udp((9, 100), &[7; 99])), UDP, (9, 100), 99),
        flow(over_v4(UDP, &udp((9, 101), &[])), UDP, (9, 101), 0),
        // A length of 0 means up to the end; one that is too long ends there.
        flow(
            over_v4(UDP, &udp_saying(0, (9, 102), &[7; 31])),
            UDP,
            (9, 102),
            31,
        ),
        flow(
            over_v4(UDP, &udp_saying(900, (9, 103), &[7; 31])),
            UDP,
            (9, 103),
            31,
        ),
        flow(
            over_v4(UDP, &udp_saying(18, (9, 104), &[7; 31])),
            UDP,
            (9, 104),
            10,
        ),
    ]
}

fn segments_and_messages() -> Vec<Step> {
    let options = [1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2]; // timestamps
    vec![
        flow(
            over_v4(TCP, &tcp((9, 200), 1, 0x02, &[2, 4, 5, 180], &[])),
            TCP,
            (9, 200),
            0,
        ),
        flow(
            over_v4(TCP, &tcp((9, 200), 2, 0x18, &options, &[7; 1400])),
            TCP,
            (9, 200),
            1400,
        ),
        flow(
            over_v4(TCP, &tcp((9, 200), 1402, 0x10, &[], &[])),
            TCP,
            (9, 200),
            0,
        ),
        flow(
            over_v6(TCP, &tcp((9, 200), 2, 0x18, &options, &[7; 1300])),
            TCP,
            (9, 200),
            1300,
        ),
        flow(
            over_v4(ICMP, &icmp(8, 0, 77, 1, &[7; 56])),
            ICMP,
            (77, 0x800),
            56,
        ),
        flow(
            over_v4(ICMP, &icmp(0, 0, 77, 1, &[7; 20])),
            ICMP,
            (77, 0),
            20,
        ),
        flow(
            over_v4(ICMP, &icmp(3, 3, 0, 0, &[7; 28])),
            ICMP,
            (0, 0x303),
            28,
        ),
        flow(
            over_v6(ICMPV6, &icmp(128, 0, 78, 1, &[7; 56])),
            ICMPV6,
            (78, 0x8000),
            56,
        ),
        flow(
            over_v6(ICMPV6, &icmp(135, 0, 0, 0, &[7; 24])),
            ICMPV6,
            (0, 0x8700),
            24,
        ),
    ]
}

fn options_and_extensions() -> Vec<Step> {
    let datagram = udp((9, 110), &[7; 40]);
    let with_options = |options: &[u8]| {
        let header = V4 {
            options,
            ..V4::default()
        };
        ethernet(IPV4, &header.packet(UDP, &datagram))
    };
    let destination = extension(UDP, 0, &datagram);
    let routing = extension(60, 2, &destination);
    let hop_by_hop = extension(43, 0, &routing);
    let eight = (0..7).fold(extension(UDP, 0, &datagram), |inner, _| {
        extension(60, 0, &inner)
    });
    let atomic = fragment(UDP, 0, false, 9, &datagram);
    vec![
        flow(with_options(&[1; 4]), UDP, (9, 110), 40),
        flow(with_options(&[0; 40]), UDP, (9, 110), 40),
        flow(
            over_v4(51, &craft::authentication(UDP, &datagram)),
            UDP,
            (9, 110),
            40,
        ),
        flow(
            over_v6(51, &craft::authentication(UDP, &datagram)),
            UDP,
            (9, 110),
            40,
        ),
        flow(over_v6(0, &hop_by_hop), UDP, (9, 110), 40),
        flow(over_v6(60, &eight), UDP, (9, 110), 40),
        flow(
            over_v6(135, &extension(UDP, 1, &datagram)),
            UDP,
            (9, 110),
            40,
        ),
        flow(over_v6(44, &atomic), UDP, (9, 110), 40),
    ]
}

fn fragments() -> Vec<Step> {
    const MORE: u16 = 0x2000;
    let datagram = udp((9, 120), &[7; 1992]);
    let v4_part = |identification, at: usize, end: usize, more| {
        let header = V4 {
            identification,
            fragment: (at / 8) as u16 | if more { MORE } else { 0 },
            ..V4::default()
        };
        ethernet(IPV4, &header.packet(UDP, &datagram[at..end]))
    };
    let v6_part = |identification, at: usize, end: usize, more| {
        let part = fragment(UDP, at as u16, more, identification, &datagram[at..end]);
        ethernet(IPV6, &v6(44, &part))
    };
    vec![
        flow(v4_part(1, 0, 1200, true), UDP, (9, 120), 1192),
        flow(v4_part(1, 1200, 1600, true), UDP, (9, 120), 400),
        flow(v4_part(1, 1600, 2000, false), UDP, (9, 120), 400),
        flow(v6_part(1, 0, 1200, true), UDP, (9, 120), 1192),
        flow(v6_part(1, 1200, 2000, false), UDP, (9, 120), 800),
        // Nobody has seen the first one of these.
        flow(v4_part(2, 1600, 2000, false), UDP, (0, 0), 400),
        flow(v6_part(2, 1200, 2000, false), UDP, (0, 0), 800),
    ]
}

fn tags() -> Vec<Step> {
    let ipv4 = v4(UDP, &udp((9, 130), &[7; 50]));
    let ipv6 = v6(UDP, &udp((9, 130), &[7; 50]));
    let inner = tag(20, IPV4, &ipv4);
    let innermost = tag(30, IPV6, &ipv6);
    let three = tag(21, CUSTOMER_TAG, &innermost);
    let flow = |id, v6, frame| tagged(frame, id, v6, (9, 130), 50);
    vec![
        flow(10, false, ethernet(CUSTOMER_TAG, &tag(10, IPV4, &ipv4))),
        flow(10, true, ethernet(CUSTOMER_TAG, &tag(10, IPV6, &ipv6))),
        // Priority 7 and drop eligible: the id is the same.
        flow(10, false, ethernet(CUSTOMER_TAG, &tag(0xf00a, IPV4, &ipv4))),
        flow(0, false, ethernet(CUSTOMER_TAG, &tag(0x6000, IPV4, &ipv4))),
        flow(4095, false, ethernet(CUSTOMER_TAG, &tag(4095, IPV4, &ipv4))),
        flow(
            40,
            false,
            ethernet(SERVICE_TAG, &tag(40, CUSTOMER_TAG, &inner)),
        ),
        flow(
            41,
            false,
            ethernet(CUSTOMER_TAG, &tag(41, CUSTOMER_TAG, &inner)),
        ),
        flow(
            42,
            true,
            ethernet(SERVICE_TAG, &tag(42, SERVICE_TAG, &three)),
        ),
    ]
}

/// Frames that an Ethernet card fills up to 60 bytes.
fn padded() -> Vec<Step> {
    let pad = |mut frame: Vec<u8>| {
        frame.resize(60, 0);
        frame
    };
    vec![
        flow(pad(over_v4(UDP, &udp((9, 140), &[7; 3]))), UDP, (9, 140), 3),
        flow(
            pad(over_v4(TCP, &tcp((9, 141), 1, 0x10, &[], &[]))),
            TCP,
            (9, 141),
            0,
        ),
        flow(
            pad(over_v4(ICMP, &icmp(8, 0, 79, 1, &[]))),
            ICMP,
            (79, 0x800),
            0,
        ),
        tagged(
            pad(ethernet(
                CUSTOMER_TAG,
                &tag(10, IPV4, &v4(UDP, &udp((9, 140), &[7; 2]))),
            )),
            10,
            false,
            (9, 140),
            2,
        ),
        beside(pad(ethernet(0x0806, &[0; 28])), Place::Other),
    ]
}
