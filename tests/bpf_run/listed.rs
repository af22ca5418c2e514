//! Single frames and short series that are worth a test of their own.

use flowtop::model::rule::SequenceProfile;
use flowtop::probe::Probe;

use crate::duel::Duel;
use crate::reference::build::frame;
use crate::reference::packet::{Gso, Link};
use crate::reference::spec::{Cut, Damage, FrameSpec, Network, Place, Transport, UdpLength};
use crate::support;

/// Shows frames with their numbers, comparing after each.
fn show(duel: &mut Duel<Probe>, profile: SequenceProfile, frames: &[(FrameSpec, u32)]) {
    show_by(1, duel, profile, frames);
}

/// Shows frames with their numbers, comparing after each so many and at the end.
fn show_by(
    step: usize,
    duel: &mut Duel<Probe>,
    profile: SequenceProfile,
    frames: &[(FrameSpec, u32)],
) {
    let place = Place(duel.frames as u16);
    duel.configure(vec![], profile).expect("no rules");
    for (index, (spec, number)) in frames.iter().enumerate() {
        let bytes = frame(spec, place, Link::Ethernet, &profile, *number);
        let shown = duel.show(0, Link::Ethernet, &bytes, spec.gso);
        shown.expect("a run").expect("a frame that can be tried");
        if !(index + 1).is_multiple_of(step) && index + 1 < frames.len() {
            continue;
        }
        duel.compare()
            .unwrap_or_else(|error| panic!("frame {index}, {spec:?}: {error:#}"));
    }
}

const SYN: u8 = 1;
const RST: u8 = 4;

fn tcp(flags: u8, seq: u32, length: u16) -> (FrameSpec, u32) {
    (FrameSpec::plain(Transport::Tcp(flags, 0), length), seq)
}

#[test]
fn what_arrived_behind_a_restart_fills_no_hole_of_the_series_before() {
    if !support::root() {
        return;
    }
    let mut duel = Duel::begin(1000);
    let off = SequenceProfile::OFF;
    let begin = [tcp(0, 0, 10), tcp(0, 100, 10)];
    let restarts = [
        vec![tcp(RST, 110, 0), tcp(0, 500, 100)],
        vec![tcp(SYN, 499, 0), tcp(0, 500, 100)],
    ];
    for restart in restarts {
        // Received: 500 to 599. Missing: 600 to 699. The last one brings nothing that was missing.
        let end = [tcp(0, 700, 10), tcp(0, 550, 50), tcp(0, 600, 100)];
        let frames = [&begin[..], &restart, &end].concat();
        show(&mut duel, off, &frames);
    }
}

#[test]
fn a_jump_of_half_the_number_space_is_taken_either_way() {
    if !support::root() {
        return;
    }
    let mut duel = Duel::begin(1000);
    let half = 1 << 31;
    for jump in [half - 1, half, half + 1, 1 << 24, (1 << 24) + 1] {
        for flags in [0, SYN] {
            for seq in [10_u32.wrapping_add(jump), 10_u32.wrapping_sub(jump)] {
                show(
                    &mut duel,
                    SequenceProfile::OFF,
                    &[tcp(0, 0, 10), tcp(flags, seq, 5)],
                );
            }
        }
    }
}

#[test]
fn no_segment_is_larger_than_the_buffer_it_came_in() {
    if !support::root() {
        return;
    }
    let mut duel = Duel::begin(1000);
    let mut aggregate = tcp(0, 0, 40);
    aggregate.0.gso = Gso {
        segs: 2,
        size: 1400,
    };
    show(
        &mut duel,
        SequenceProfile::OFF,
        &[aggregate, tcp(0, 1000, 40)],
    );
}

#[test]
fn what_an_aggregate_cannot_be_is_still_judged_as_the_definitions_say() {
    if !support::root() {
        return;
    }
    let mut duel = Duel::begin(1000);
    let cut = Cut {
        offset: 1,
        more: false,
        id: 9,
    };
    let aggregate = |mut spec: FrameSpec| {
        spec.gso = Gso { segs: 3, size: 20 };
        (spec, 0)
    };
    let mut later = FrameSpec::plain(Transport::Raw(51), 60);
    later.network = Network::V4(0, Some(cut), vec![]);
    let mut short = FrameSpec::plain(Transport::Udp(UdpLength::Says(7)), 60);
    short.damage = vec![Damage::Pad(90)];
    let gre = FrameSpec::plain(Transport::Raw(47), 60);
    let frames = [later, short, gre].map(aggregate);
    show(&mut duel, SequenceProfile::OFF, &frames);
}

#[test]
fn a_pattern_is_found_at_every_position_of_payloads_of_any_length() {
    if !support::root() {
        return;
    }
    let mut duel = Duel::begin(1000);
    let profile = SequenceProfile {
        pattern: Some(0x4711_0815),
        offset: Some(4),
        ..SequenceProfile::OFF
    };
    // Up, down, and hither and thither: what came with the last packet must not matter. Short payloads end within the
    // first block that is searched, or just behind it; the pattern may have no room in them.
    let within = |length: u16| (0..length).map(move |at| (length, at));
    let long = 1600_u16;
    let down = within(long).rev().step_by(11);
    let mixed = (0..300).map(|n: u16| (long, n.wrapping_mul(40503) % long));
    let short = (4..140).step_by(3).chain([66, 67, 68, 131, 132]);
    let places = within(long).chain(down).chain(mixed);
    let places = places.chain(short.flat_map(within)).enumerate();
    let frames = places.map(|(number, (length, at))| {
        let mut spec = FrameSpec::plain(Transport::Udp(UdpLength::Right), length);
        spec.payload.filler = if at % 2 == 0 { 1 } else { 200 };
        spec.payload.pattern_at = Some(at);
        spec.payload.again_at = Some(at.wrapping_mul(31) % (length + 500));
        (spec, number as u32)
    });
    show_by(40, &mut duel, profile, &frames.collect::<Vec<_>>());
}

#[test]
fn a_first_fragment_on_another_link_names_no_later_one() {
    if !support::root() {
        return;
    }
    let mut duel = Duel::begin(1000);
    duel.configure(vec![], SequenceProfile::OFF)
        .expect("no rules");
    let fragment = |offset, more| {
        let mut spec = FrameSpec::plain(Transport::Udp(UdpLength::Right), 64);
        let cut = Cut {
            offset,
            more,
            id: 9,
        };
        spec.network = Network::V4(0, Some(cut), vec![]);
        frame(&spec, Place(1), Link::Ethernet, &SequenceProfile::OFF, 0)
    };
    let [ours, theirs] = duel.interfaces;
    for (interface, bytes) in [
        (1, fragment(0, true)),
        (0, fragment(8, false)),
        (0, fragment(0, true)),
        (0, fragment(8, true)),
        (1, fragment(8, false)),
    ] {
        let shown = duel.show(interface, Link::Ethernet, &bytes, Gso::default());
        shown.expect("a run").expect("a frame that can be tried");
    }
    duel.compare().expect("the same");
    let unmatched = |ifindex| duel.world.interfaces[&ifindex].fragments_unmatched;
    assert_eq!((unmatched(ours), unmatched(theirs)), (1, 0));
    let without_ports = duel.samples().find(|flow| flow.key.source_port == 0);
    let without_ports = without_ports.expect("the unmatched one's flow");
    assert_eq!(without_ports.key.ifindex, ours);
    assert_eq!(without_ports.counts.packets, 1);
}
