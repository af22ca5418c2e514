//! Flows and totals: every frame is counted once, where it belongs.

use flowtop::model::flow::Protocol;
use flowtop::model::rule::{Rule, SequenceProfile};
use flowtop::model::snapshot::Volume;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use crate::reference::account::World;
use crate::reference::generate::case;
use crate::reference::packet::{Gso, Link};
use crate::reference::sender::Sender;
use crate::reference::spec::Place;

const PROFILE: SequenceProfile = SequenceProfile {
    offset: Some(0),
    ..SequenceProfile::OFF
};

/// UDP from 10.0.0.1:1000 to 10.0.0.2:`port` with these bytes.
fn udp(port: u16, payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    etherparse::PacketBuilder::ethernet2([2; 6], [4; 6])
        .ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64)
        .udp(1000, port)
        .write(&mut frame, payload)
        .expect("fits");
    frame
}

fn rule(port: u16, profile: Option<SequenceProfile>) -> Rule {
    Rule {
        name: port.to_string(),
        sources: vec![],
        destinations: vec![],
        source_ports: vec![],
        destination_ports: std::iter::once(port..=port).collect(),
        protocols: vec![Protocol::Udp],
        profile,
        histogram: false,
        export: 0,
    }
}

#[test]
fn what_no_rule_matches_is_filtered() {
    let mut world = World::new(
        vec![rule(5, None), rule(6, Some(PROFILE))],
        SequenceProfile::OFF,
    );
    for port in [5, 6, 7, 7] {
        world.observe(3, Link::Ethernet, &udp(port, &[0, 0, 0, 9]), Gso::default());
    }
    let flows: Vec<_> = world
        .flows
        .iter()
        .map(|(k, f)| (k.destination_port, f.rule))
        .collect();
    assert_eq!(flows, [(5, Some(0)), (6, Some(1))]);
    let totals = &world.interfaces[&3];
    assert_eq!(
        totals.filtered,
        Volume {
            packets: 2,
            bytes: 92
        }
    );
    assert_eq!(
        totals.seen,
        Volume {
            packets: 4,
            bytes: 184
        }
    );
    let sequences: Vec<_> = world
        .flows
        .values()
        .map(|f| f.sequence().and_then(|s| s.current))
        .collect();
    assert_eq!(
        sequences,
        [None, Some(9)],
        "the second rule says where the number is"
    );
}

#[test]
fn each_segment_of_a_udp_aggregate_carries_a_number() {
    let mut world = World::new(vec![], PROFILE);
    let payload: Vec<u8> = [7_u32, 8, 10]
        .iter()
        .flat_map(|n| n.to_be_bytes())
        .collect();
    let gso = Gso { segs: 3, size: 4 };
    world.observe(3, Link::Ethernet, &udp(5, &payload), gso);
    let flow = world.flows.values().next().expect("one flow");
    let sequence = flow.sequence().expect("tracked");
    assert_eq!(
        (sequence.received, sequence.lost, sequence.current),
        (3, 1, Some(10))
    );
    assert_eq!((flow.arrivals, flow.volume.packets), (1, 3));
    assert_eq!(flow.volume.bytes, 42 + 12 + 2 * 42);
}

#[test]
fn the_parts_add_up_to_what_was_seen() {
    let config = ProptestConfig::with_cases(8);
    let strategy = (case(200), any::<u16>());
    TestRunner::new(config)
        .run(&strategy, |(case, place)| {
            let place = Place(place);
            let rules = case
                .rules
                .iter()
                .enumerate()
                .map(|(i, rule)| rule.at(place, i))
                .collect();
            let mut world = World::new(rules, case.profile);
            let mut sender = Sender::new(case.start);
            for spec in &case.frames {
                let frame = sender.build(spec, place, Link::Ethernet, &case.profile);
                world.observe(spec.interface.into(), Link::Ethernet, &frame, spec.gso);
            }
            let flows = world.flows.values().map(|flow| flow.volume);
            let parts = world.interfaces.values().flat_map(|totals| {
                [totals.other, totals.filtered]
                    .into_iter()
                    .chain(totals.malformed)
            });
            let sum = flows.chain(parts).fold(Volume::default(), |a, b| a + b);
            let seen = world
                .interfaces
                .values()
                .fold(Volume::default(), |a, b| a + b.seen);
            prop_assert_eq!(sum, seen);
            Ok(())
        })
        .expect("nothing is lost");
}
