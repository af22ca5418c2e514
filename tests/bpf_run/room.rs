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

fn show_each_flow_twice(flows: u32, least_cpus: usize) {
    let mut probe = Probe::load(&Options {
        max_flows: flows,
        least_cpus,
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
        show_each_flow_twice(flows, 0);
    }
    show_each_flow_twice(1000, 256);
}

/// On a machine of so many possible CPUs, or as if it were one.
fn memory_with(cpus: usize) -> u64 {
    let mut probe = Probe::load(&Options {
        least_cpus: cpus,
        ..Options::default()
    })
    .expect("load the program");
    let memory = probe.snapshot().table.memory_bytes;
    // What is the kernel's own for each CPU is there for this machine's only: a payload's room.
    memory.expect("memory by /proc") + 2048 * cpus as u64
}

#[test]
fn memory_does_not_grow_with_the_cpus_by_more_than_128_kib_each() {
    if !support::root() {
        return;
    }
    let [some, more, most] = [64, 128, 256].map(memory_with);
    assert!(most <= 76_000_000, "{most} bytes with 256 CPUs");
    for (cpus, grown) in [(64, more - some), (128, most - more)] {
        assert!(grown <= cpus << 17, "{grown} bytes for {cpus} CPUs more");
    }
}
