//! `--max-flows N` means N flows: so many find room, whatever their hash, and each packet of theirs finds them again.

use flowtop::model::rule::SequenceProfile;
use flowtop::model::snapshot::Volume;
use flowtop::probe::{Options, Probe, TestContext};

use crate::reference::build::frame;
use crate::reference::packet::Link;
use crate::reference::spec::{FrameSpec, Place, Transport, UdpLength};
use crate::support;

const LOOPBACK: u32 = 1;
const SOURCE: std::ops::Range<usize> = 26..30;

fn show_each_flow_twice(flows: u32) {
    let mut probe = Probe::load(&Options {
        max_flows: flows,
        ..Options::default()
    })
    .expect("load the program");
    probe.prepare_interface(LOOPBACK).expect("make totals");
    let spec = FrameSpec::plain(Transport::Udp(UdpLength::Right), 10);
    let mut frame = frame(&spec, Place(0), Link::Ethernet, &SequenceProfile::OFF, 0);
    for flow in (0..flows).chain(0..flows) {
        frame[SOURCE].copy_from_slice(&(0x0a00_0000 + flow).to_be_bytes());
        probe
            .test_frame(&frame, TestContext::default(), 1)
            .expect("a run");
    }
    let untracked = probe.interface_totals(LOOPBACK).untracked;
    assert_eq!(untracked, Volume::default(), "of {flows} flows");
    let seen = probe.snapshot().flows;
    assert_eq!(seen.len(), flows as usize);
    assert!(seen.iter().all(|flow| flow.counts.packets == 2));
}

#[test]
fn a_table_has_room_for_as_many_flows_as_it_is_made_for() {
    if !support::root() {
        return;
    }
    for flows in [1, 9, 1000, 16_384, 20_000, 65_536] {
        show_each_flow_twice(flows);
    }
}
