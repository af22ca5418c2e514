//! Nothing is dropped without being counted: a table that is much too small, and rules that change all the time.

use std::collections::HashMap;
use std::time::Duration;

use flowtop::model::snapshot::{FlowSample, Volume};
use flowtop::probe::{Options, Probe, TestContext};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;

use crate::duel::SHORTEST;
use crate::generated::rules_at;
use crate::reference::generate::{Case, case};
use crate::reference::packet::Link;
use crate::reference::sender::Sender;
use crate::reference::spec::Place;
use crate::support;

const LOOPBACK: u32 = 1;

/// The last volume of each life of each slot.
type Lives = HashMap<(u32, u32), Volume>;

fn read(probe: &mut Probe, lives: &mut Lives) {
    let snapshot = probe.snapshot();
    let life = |sample: &FlowSample| (sample.slot, sample.generation);
    let all = snapshot.flows.iter().map(life);
    let new: Vec<_> = all.filter(|life| !lives.contains_key(life)).collect();
    let since_ns = snapshot.newcomers.as_ref().map(|its| its.since_ns);
    let said = snapshot.newcomers_since(since_ns.expect("the reading knows"));
    assert_eq!(said.map(life).collect::<Vec<_>>(), new, "newcomers");
    for sample in &snapshot.flows {
        lives.insert(life(sample), sample.counts.volume());
    }
}

fn show_all(probe: &mut Probe, lives: &mut Lives, case: &Case, place: Place, reads: bool) {
    let rules = rules_at(&case.rules, place);
    probe.apply_rules(&rules, &case.profile).expect("rules");
    let mut sender = Sender::new(case.start);
    for (index, spec) in case.frames.iter().enumerate() {
        let frame = sender.build(spec, place, Link::Ethernet, &case.profile);
        if !(SHORTEST + 40..3500).contains(&frame.len()) {
            continue;
        }
        let context = TestContext {
            ifindex: 0,
            gso_segs: spec.gso.segs,
            gso_size: spec.gso.size,
            is_bare: false,
        };
        probe.test_frame(&frame, context, 1).expect("a run");
        if reads && index % 16 == 0 {
            read(probe, lives);
        }
    }
    if reads {
        read(probe, lives);
    }
}

#[test]
fn flows_that_leave_and_packets_without_room_add_up_to_what_was_seen() {
    if !support::root() {
        return;
    }
    let mut probe = Probe::load(&Options {
        max_flows: 16,
        flow_timeout: Duration::from_millis(20),
        refresh: Duration::from_millis(1),
        ..Options::default()
    })
    .expect("load the program");
    probe.prepare_interface(LOOPBACK).expect("make totals");
    let mut runner = TestRunner::deterministic();
    let mut lives = Lives::new();
    for number in 0..60 {
        let case = case(300).new_tree(&mut runner).expect("a case").current();
        // By turns flows leave as soon as they are idle, and none leaves, as none is read: then there is no room soon.
        let reads = number / 10 % 2 == 0;
        show_all(&mut probe, &mut lives, &case, Place(number % 3), reads);
    }
    read(&mut probe, &mut lives);
    let totals = probe.interface_totals(LOOPBACK);
    let flows = lives.values().fold(Volume::default(), |sum, v| sum + *v);
    let rest = totals.other + totals.filtered + totals.untracked + totals.malformed_total();
    assert_eq!(flows + rest, totals.seen);
    let table = probe.snapshot().table;
    let busy = totals.untracked.packets > 0 && lives.len() > 200 && totals.filtered.packets > 100;
    assert!(busy, "{} lives, {table:?}, {totals:?}", lives.len());
}
