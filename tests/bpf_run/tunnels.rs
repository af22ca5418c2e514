//! Aggregates of tunnels: the frames of which they are made are put together one by one, and are what is to be counted.

use flowtop::model::rule::SequenceProfile;
use flowtop::model::snapshot::Volume;

use crate::duel::Duel;
use crate::reference::packet::{Gso, Link, Verdict};
use crate::support;
use crate::support::craft::{IPV4, IPV6, V4, authentication, ethernet, extension, tag, tcp, udp};

const ETHERNET: u16 = 0x6558;

/// Puts a payload behind the headers of a tunnel and those inside.
type Wrap = fn(&[u8]) -> Vec<u8>;

/// A whole packet of IPv4 or IPv6, as the receiver's stack would have it.
fn v4(protocol: u8, payload: &[u8]) -> Vec<u8> {
    V4::default().packet(protocol, payload)
}

fn v6(next: u8, payload: &[u8]) -> Vec<u8> {
    support::craft::v6(next, payload)
}

fn tcp4(payload: &[u8]) -> Vec<u8> {
    v4(6, &tcp((7, 80), 1, 0x10, &[1; 12], payload))
}

fn tcp6(payload: &[u8]) -> Vec<u8> {
    v6(6, &tcp((7, 80), 1, 0x10, &[], payload))
}

fn over_udp4(port: u16, header: &[u8], inside: &[u8]) -> Vec<u8> {
    ethernet(
        IPV4,
        &v4(17, &udp((50_000, port), &[header, inside].concat())),
    )
}

fn over_udp6(port: u16, header: &[u8], inside: &[u8]) -> Vec<u8> {
    ethernet(
        IPV6,
        &v6(17, &udp((50_000, port), &[header, inside].concat())),
    )
}

const VXLAN: [u8; 8] = [8, 0, 0, 0, 0, 0, 5, 0];

fn gre(flags: u16, options: usize, inside: u16, payload: &[u8]) -> Vec<u8> {
    let mut bytes = [flags.to_be_bytes(), inside.to_be_bytes()].concat();
    bytes.resize(4 + options, 0x77);
    bytes.extend(payload);
    bytes
}

fn geneve(options: u8, inside: u16, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![options, 0];
    bytes.extend(inside.to_be_bytes());
    bytes.extend([0, 0, 5, 0]);
    bytes.resize(8 + 4 * usize::from(options), 0x33);
    bytes.extend(payload);
    bytes
}

const TUNNELS: [(&str, Wrap); 22] = [
    ("VXLAN", |p| {
        over_udp4(4789, &VXLAN, &ethernet(IPV4, &tcp4(p)))
    }),
    ("VXLAN at another port", |p| {
        over_udp4(9, &VXLAN, &ethernet(IPV4, &tcp4(p)))
    }),
    ("VXLAN over IPv6, of IPv6", |p| {
        over_udp6(4789, &VXLAN, &ethernet(IPV6, &tcp6(p)))
    }),
    ("VXLAN with a group policy", |p| {
        let header = [0x88, 0, 0x12, 0x34, 0, 0, 5, 0];
        over_udp4(4789, &header, &ethernet(IPV6, &tcp6(p)))
    }),
    ("VXLAN-GPE", |p| {
        over_udp4(4790, &[0x0c, 0, 0, 1, 0, 0, 5, 0], &tcp4(p))
    }),
    ("VXLAN of a VLAN", |p| {
        let inside = ethernet(0x8100, &tag(7, IPV4, &tcp4(p)));
        over_udp4(4789, &VXLAN, &inside)
    }),
    ("VXLAN of UDP", |p| {
        let inside = v4(17, &udp((5, 6), p));
        over_udp4(4789, &VXLAN, &ethernet(IPV4, &inside))
    }),
    ("VXLAN in a VLAN", |p| {
        let whole = over_udp4(4789, &VXLAN, &ethernet(IPV4, &tcp4(p)));
        ethernet(0x8100, &tag(9, IPV4, &whole[14..]))
    }),
    ("VXLAN in VXLAN", |p| {
        let inner = over_udp4(4789, &VXLAN, &ethernet(IPV4, &tcp4(p)));
        over_udp4(4789, &VXLAN, &inner)
    }),
    ("Geneve", |p| {
        over_udp4(6081, &[], &geneve(0, ETHERNET, &ethernet(IPV4, &tcp4(p))))
    }),
    ("Geneve with options", |p| {
        over_udp6(6081, &[], &geneve(3, ETHERNET, &ethernet(IPV4, &tcp4(p))))
    }),
    ("Geneve of IPv6 alone", |p| {
        over_udp4(6081, &[], &geneve(1, IPV6, &tcp6(p)))
    }),
    ("IP in UDP", |p| over_udp4(5555, &[], &tcp4(p))),
    ("IPv6 in UDP", |p| over_udp4(5555, &[], &tcp6(p))),
    ("GRE", |p| {
        ethernet(IPV4, &v4(47, &gre(0, 0, IPV4, &tcp4(p))))
    }),
    ("GRE with checksum, key and number", |p| {
        ethernet(IPV6, &v6(47, &gre(0xb000, 12, IPV6, &tcp6(p))))
    }),
    ("GRE of Ethernet", |p| {
        let inside = ethernet(IPV4, &tcp4(p));
        ethernet(IPV4, &v4(47, &gre(0x2000, 4, ETHERNET, &inside)))
    }),
    ("GRE behind options", |p| {
        let inside = gre(0, 0, IPV4, &tcp4(p));
        ethernet(IPV6, &v6(0, &extension(47, 0, &inside)))
    }),
    ("IP in IP", |p| ethernet(IPV4, &v4(4, &tcp4(p)))),
    ("IPv6 in IP", |p| ethernet(IPV4, &v4(41, &tcp6(p)))),
    ("IP in IPv6", |p| ethernet(IPV6, &v6(4, &tcp4(p)))),
    ("IPv6 in IPv6, with AH", |p| {
        ethernet(IPV6, &v6(41, &v6(51, &authentication(17, &udp((5, 6), p)))))
    }),
];

/// An aggregate, and what its packets weigh one by one.
fn aggregate(wrap: Wrap, payload: usize, size: usize) -> (Vec<u8>, Gso, Volume) {
    let bytes = vec![0x5a; payload];
    let packets: Vec<usize> = bytes.chunks(size).map(|part| wrap(part).len()).collect();
    let gso = Gso {
        segs: packets.len() as u32,
        size: size as u32,
    };
    let volume = Volume {
        packets: packets.len() as u64,
        bytes: packets.iter().sum::<usize>() as u64,
    };
    (wrap(&bytes), gso, volume)
}

#[test]
fn an_aggregate_of_a_tunnel_counts_as_the_packets_that_it_is_cut_into() {
    if !support::root() {
        return;
    }
    let mut duel = Duel::begin(1000);
    duel.configure(vec![], SequenceProfile::OFF)
        .expect("no rules");
    for (name, wrap) in TUNNELS {
        for (payload, size) in [(2800, 1400), (2001, 500), (2500, 500), (1399, 1398), (9, 8)] {
            let (frame, gso, volume) = aggregate(wrap, payload, size);
            for gso in [gso, Gso { segs: 0, ..gso }] {
                let judged = duel.show(0, Link::Ethernet, &frame, gso);
                let judged = judged.expect("a run").expect("a frame that can be tried");
                assert_eq!(judged.volume, volume, "{name}: {payload} by {size}");
                assert!(!judged.is_estimated, "{name}: {payload} by {size}");
                if let Verdict::Flow(packet) = judged.verdict {
                    let headers = volume.packets as usize * packet.payload_offset;
                    let rest = volume.bytes as usize - headers;
                    assert_eq!(packet.wire_payload_bytes, rest, "{name}");
                }
            }
        }
        duel.compare()
            .unwrap_or_else(|error| panic!("{name}: {error:#}"));
    }
}

#[test]
fn datagrams_of_tunnels_that_a_program_sends_together_are_cut_at_their_own_header() {
    if !support::root() {
        return;
    }
    let mut duel = Duel::begin(1000);
    duel.configure(vec![], SequenceProfile::OFF)
        .expect("no rules");
    // UDP_SEGMENT: datagrams of 200 bytes, each of them VXLAN's, one behind the other.
    let datagram = [&VXLAN[..], &ethernet(IPV4, &tcp4(&[1; 126]))].concat();
    assert_eq!(datagram.len(), 200);
    for datagrams in 2..10 {
        let frame = over_udp4(4789, &[], &datagram.repeat(datagrams));
        let gso = Gso {
            segs: datagrams as u32,
            size: 200,
        };
        let judged = duel.show(0, Link::Ethernet, &frame, gso);
        let judged = judged.expect("a run").expect("a frame that can be tried");
        let bytes = (datagrams * (42 + 200)) as u64;
        assert_eq!(judged.volume.bytes, bytes, "{datagrams}");
    }
    duel.compare().expect("the same");
}

#[test]
fn numbers_in_a_tunnel_are_not_read_and_what_comes_behind_is_no_loss() {
    if !support::root() {
        return;
    }
    let mut duel = Duel::begin(1000);
    let profile = SequenceProfile {
        offset: Some(0),
        ..SequenceProfile::OFF
    };
    duel.configure(vec![], profile).expect("a place");
    let number = |n: u32| over_udp4(4789, &n.to_be_bytes(), &[0; 20]);
    let (frame, gso, _) = aggregate(TUNNELS[0].1, 2500, 500);
    let plain = Gso::default();
    for (frame, gso) in [
        (number(1), plain),
        (number(2), plain),
        (frame, gso),
        (number(8), plain),
        (number(9), plain),
    ] {
        duel.show(0, Link::Ethernet, &frame, gso).expect("a run");
    }
    duel.compare().expect("the same");
    let flow = duel.world.flows.values().next().expect("one flow");
    let sequence = flow.sequence().expect("tracked");
    assert_eq!(
        (sequence.received, sequence.absent, sequence.lost),
        (4, 5, 0)
    );
}

#[test]
fn what_cannot_be_read_to_the_end_is_estimated_and_said_to_be() {
    if !support::root() {
        return;
    }
    let mut duel = Duel::begin(1000);
    duel.configure(vec![], SequenceProfile::OFF)
        .expect("no rules");
    let esp: Wrap = |p| ethernet(IPV4, &v4(50, &[&[0x11; 24], p].concat()));
    let (frame, gso, volume) = aggregate(esp, 2500, 500);
    let judged = duel.show(0, Link::Ethernet, &frame, gso);
    let judged = judged.expect("a run").expect("a frame that can be tried");
    // With full packets the estimate is right.
    assert!(judged.is_estimated && judged.volume == volume, "{judged:?}");
    duel.compare().expect("the same");
    let interface = duel.interfaces[0];
    assert_eq!(duel.world.interfaces[&interface].estimated, 5);
}
