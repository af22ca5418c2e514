//! The tracker on hand-made snapshots.

use std::net::Ipv4Addr;

use super::*;
use crate::model::snapshot::LinkState::{self, Gone, Up};
use crate::model::snapshot::{Counts, GapSums, InterfaceSample, Sequence, Volume};

pub const SECOND: u64 = 1_000_000_000;

fn key(port: u16) -> FlowKey {
    FlowKey::incoming(
        7,
        Protocol::Udp,
        (Ipv4Addr::LOCALHOST, port),
        (Ipv4Addr::LOCALHOST, 9),
    )
}

pub fn sample(slot: u32, generation: u32, port: u16, packets: u64) -> FlowSample {
    FlowSample {
        generation,
        counts: Counts {
            packets,
            bytes: packets * 100,
            payload_bytes: packets * 58,
            ..Counts::default()
        },
        rules_version: 1,
        first_seen_ns: 1,
        last_seen_ns: 2,
        ..FlowSample::new(slot, key(port))
    }
}

/// The sample with these numbers.
pub fn with_numbers(sample: FlowSample, sequence: Option<Sequence>) -> FlowSample {
    let counts = Counts {
        sequence,
        ..sample.counts
    };
    FlowSample { counts, ..sample }
}

pub fn snapshot(at: u64, flows: &[FlowSample], freed: &[u32]) -> Snapshot {
    Snapshot {
        taken_ns: at * SECOND,
        flows: flows.to_vec(),
        freed: freed.to_vec(),
        interfaces: vec![InterfaceSample {
            ifindex: 7,
            name: "veth1".into(),
            state: Up,
            ..Default::default()
        }],
        ..Snapshot::default()
    }
}

pub fn tracker() -> FlowTracker {
    FlowTracker::new(
        Intervals {
            refresh_ns: SECOND,
            jitter_ns: SECOND,
        },
        0,
    )
}

#[test]
fn rates_are_over_the_true_time_since_the_last_interval() {
    let mut tracker = tracker();
    tracker.advance(&snapshot(2, &[sample(0, 1, 1, 10)], &[]));
    tracker.close_interval();
    let rates = tracker.report().flows[0].rates.unwrap();
    assert_eq!(
        (rates.throughput, rates.goodput, rates.packet_rate),
        (500.0, 290.0, 5.0)
    );
    tracker.advance(&snapshot(3, &[], &[]));
    tracker.close_interval();
    assert_eq!(tracker.report().flows[0].rates.unwrap().throughput, 0.0);
}

#[test]
fn two_slots_of_one_flow_are_one_flow() {
    let mut tracker = tracker();
    tracker.advance(&snapshot(
        1,
        &[sample(0, 1, 1, 10), sample(5, 1, 1, 1)],
        &[],
    ));
    assert_eq!(tracker.report().flows.len(), 1);
    assert_eq!(tracker.report().flows[0].counts.packets, 11);
    tracker.advance(&snapshot(2, &[sample(0, 1, 1, 12)], &[5]));
    assert_eq!(tracker.report().flows[0].counts.packets, 13);
}

#[test]
fn a_replaced_flow_ends_with_what_was_read_last_and_the_sum_stays() {
    let mut tracker = tracker();
    tracker.advance(&snapshot(
        1,
        &[sample(0, 1, 1, 10), sample(1, 1, 2, 1)],
        &[],
    ));
    tracker.advance(&snapshot(2, &[sample(0, 2, 3, 4)], &[]));
    let report = tracker.report();
    let ports: Vec<u16> = report
        .flows
        .iter()
        .map(|flow| flow.key.source_port)
        .collect();
    assert_eq!(ports.len(), 2);
    assert!(ports.contains(&2) && ports.contains(&3));
    assert_eq!(report.interfaces[0].ended.packets, 10);
    assert_eq!(report.interfaces[0].counts.packets, 15);
}

#[test]
fn a_flow_that_comes_back_into_its_own_slot_stays_listed() {
    let mut tracker = tracker();
    tracker.advance(&snapshot(1, &[sample(0, 1, 1, 10)], &[]));
    tracker.advance(&snapshot(2, &[sample(0, 2, 1, 5)], &[]));
    assert_eq!(tracker.report().flows[0].counts.packets, 15);
    assert_eq!(tracker.report().interfaces[0].ended.packets, 0);
}

#[test]
fn places_of_other_flows_survive_a_removal() {
    let mut tracker = tracker();
    tracker.advance(&snapshot(
        1,
        &[sample(0, 1, 1, 1), sample(1, 1, 2, 2), sample(2, 1, 3, 3)],
        &[],
    ));
    tracker.advance(&snapshot(2, &[], &[0]));
    tracker.advance(&snapshot(
        3,
        &[sample(2, 1, 3, 30), sample(1, 1, 2, 20)],
        &[],
    ));
    let mut found: Vec<_> = tracker
        .report()
        .flows
        .iter()
        .map(|f| (f.key.source_port, f.counts.packets))
        .collect();
    found.sort_unstable();
    assert_eq!(found, [(2, 20), (3, 30)]);
}

#[test]
fn a_new_epoch_drops_the_gaps_of_the_one_before() {
    let mut tracker = tracker();
    let gaps = |count, gap: u64| GapSums {
        count,
        sum: count * gap,
        squares: u128::from(count) * u128::from(gap).pow(2),
    };
    let with = |epoch, gaps| FlowSample {
        epoch,
        gaps,
        ..sample(0, 1, 1, 10)
    };
    tracker.advance(&snapshot(1, &[with(1, gaps(9, 1_000_000))], &[]));
    tracker.advance(&snapshot(1, &[with(2, gaps(3, 2_000_000))], &[]));
    tracker.close_interval();
    let flow = &tracker.report().flows[0];
    assert_eq!(
        (
            flow.interarrival.samples,
            flow.interarrival.mean_ms(),
            flow.jitter_epochs
        ),
        (3, Some(2.0), 2)
    );
}

#[test]
fn a_reset_starts_totals_at_zero_and_loses_nothing_after_it() {
    let mut tracker = tracker();
    let lossy = |packets, lost| {
        let sequence = Sequence {
            received: packets,
            lost,
            duplicates: Some(0),
            ..Sequence::default()
        };
        with_numbers(sample(0, 1, 1, packets), Some(sequence))
    };
    tracker.advance(&snapshot(1, &[lossy(10, 4)], &[]));
    tracker.reset();
    tracker.advance(&snapshot(2, &[lossy(13, 3)], &[]));
    let flow = &tracker.report().flows[0];
    assert_eq!(
        (
            flow.counts.packets,
            flow.counts.sequence.unwrap().received,
            flow.counts.sequence.unwrap().lost
        ),
        (3, 3, 0)
    );
    assert_eq!(tracker.report().interfaces[0].counts.packets, 3);
}

#[test]
fn totals_go_on_where_a_counter_of_32_bits_begins_anew() {
    const LAST: u64 = u32::MAX as u64;
    // Of one slot, of one after a reset, of two slots, and where a flow comes back into another slot.
    let late = |slot, count: u64| {
        let sequence = Sequence {
            received: count,
            reverse_errors: count & LAST,
            duplicates: Some(0),
            ..Sequence::default()
        };
        with_numbers(sample(slot, 1, 1, count), Some(sequence))
    };
    let total = |tracker: &FlowTracker| {
        let sequence = tracker.report().flows[0].counts.sequence.unwrap();
        (sequence.received, sequence.reverse_errors)
    };
    let mut tracker = tracker();
    tracker.advance(&snapshot(1, &[late(0, LAST)], &[]));
    tracker.advance(&snapshot(2, &[late(0, LAST + 5)], &[]));
    assert_eq!(total(&tracker), (LAST + 5, LAST + 5));
    tracker.advance(&snapshot(3, &[late(0, LAST + 7)], &[]));
    assert_eq!(total(&tracker), (LAST + 7, LAST + 7));
    tracker.advance(&snapshot(4, &[late(0, 2 * LAST)], &[]));
    tracker.reset();
    tracker.advance(&snapshot(5, &[late(0, 2 * LAST + 3)], &[]));
    assert_eq!(total(&tracker), (3, 3));
    tracker.advance(&snapshot(6, &[late(1, LAST)], &[]));
    tracker.advance(&snapshot(7, &[late(1, LAST + 2)], &[0]));
    assert_eq!(total(&tracker), (LAST + 5, LAST + 5));
}

/// What the hook of an interface had seen, which is gone or up, with one flow of `packets` packets.
fn of_interface(ifindex: u32, packets: u64, state: LinkState) -> InterfaceSample {
    let volume = Volume {
        packets,
        bytes: packets * 100,
    };
    InterfaceSample {
        ifindex,
        name: format!("veth{ifindex}"),
        state,
        seen: volume,
        other: volume,
        ..InterfaceSample::default()
    }
}

fn of_interfaces(at: u64, interfaces: Vec<InterfaceSample>, forgotten: &[u32]) -> Snapshot {
    Snapshot {
        taken_ns: at * SECOND,
        interfaces,
        forgotten: forgotten.to_vec(),
        ..Snapshot::default()
    }
}

#[test]
fn an_interface_that_was_forgotten_and_comes_again_goes_on_from_what_it_had() {
    let mut tracker = tracker();
    tracker.advance(&of_interfaces(1, vec![of_interface(7, 10, Up)], &[]));
    tracker.reset();
    tracker.advance(&of_interfaces(2, vec![of_interface(7, 30, Gone)], &[7]));
    tracker.advance(&of_interfaces(3, vec![], &[]));
    let seen = |tracker: &FlowTracker| {
        let interface = &tracker.report().interfaces[0];
        let counted = interface.counted.seen.packets;
        (counted, interface.counts.packets, interface.state)
    };
    assert_eq!(seen(&tracker), (20, 20, Gone));
    tracker.advance(&of_interfaces(4, vec![of_interface(7, 5, Up)], &[]));
    assert_eq!(seen(&tracker), (25, 25, Up));
    tracker.reset();
    tracker.advance(&of_interfaces(5, vec![of_interface(7, 6, Up)], &[]));
    assert_eq!(seen(&tracker), (1, 1, Up));
}

#[test]
fn of_thousands_of_interfaces_that_are_gone_the_oldest_share_a_row_and_no_packet_is_lost() {
    let mut tracker = tracker();
    for ifindex in 1..=3000 {
        let gone = of_interface(ifindex, 2, Gone);
        let at = u64::from(ifindex);
        tracker.advance(&of_interfaces(at, vec![gone], &[ifindex]));
        tracker.close_interval();
    }
    let total = |tracker: &FlowTracker| {
        let interfaces = tracker.report().interfaces.iter();
        let sum = interfaces.fold((0, 0), |sum: (u64, u64), i| {
            (sum.0 + i.counts.packets, sum.1 + i.counted.seen.packets)
        });
        (sum, tracker.report().interfaces.len())
    };
    assert_eq!(total(&tracker), ((6000, 6000), 101));
    let rows = &tracker.report().interfaces;
    assert_eq!((rows[0].ifindex, rows[99].ifindex), (3000, 2901));
    let former = &rows[100];
    assert_eq!((former.ifindex, former.name.as_str()), (0, "former ones"));
    assert_eq!((former.counts.packets, former.state), (2 * 2900, Gone));
    assert_eq!(former.rates.map(|rates| rates.packet_rate), Some(0.0));
    tracker.reset();
    assert_eq!(total(&tracker), ((0, 0), 101));
    // One of those without a row of its own.
    tracker.advance(&of_interfaces(4000, vec![of_interface(1, 5, Up)], &[]));
    assert_eq!(total(&tracker), ((5, 5), 102));
    assert_eq!(tracker.report().interfaces[0].ifindex, 1);
}

#[test]
fn an_interface_that_is_gone_keeps_its_row_while_it_has_flows() {
    let mut tracker = tracker();
    let mut first = snapshot(1, &[sample(0, 1, 1, 10)], &[]);
    first.interfaces[0].state = Gone;
    first.forgotten = vec![7];
    tracker.advance(&first);
    for ifindex in 100..300 {
        let gone = of_interface(ifindex, 2, Gone);
        tracker.advance(&of_interfaces(2, vec![gone], &[ifindex]));
    }
    let row = |tracker: &FlowTracker| {
        let rows = &tracker.report().interfaces;
        rows.iter()
            .find(|i| i.ifindex == 7)
            .map(|i| i.counts.packets)
    };
    assert_eq!(row(&tracker), Some(10));
    let mut last = of_interfaces(3, vec![], &[]);
    last.freed = vec![0];
    tracker.advance(&last);
    assert_eq!(row(&tracker), None);
    let former = tracker.report().interfaces.last().unwrap();
    assert_eq!((former.ifindex, former.ended.packets), (0, 10));
}

#[test]
fn the_numbers_of_a_stream_go_on_under_another_profile() {
    let mut tracker = tracker();
    for (second, profile, lost, total) in [(1, 1, 5, 5), (2, 2, 2, 7), (3, 3, 3, 10)] {
        let numbers = Sequence {
            lost,
            ..Sequence::default()
        };
        let mut stream = with_numbers(sample(second, 1, 1, 10), Some(numbers));
        (stream.key.protocol, stream.profile) = (Protocol::Tcp, profile);
        tracker.advance_and_close(&snapshot(second.into(), &[stream], &[]));
        let sequence = tracker.report().flows[0].counts.sequence;
        assert_eq!(sequence.map(|sequence| sequence.lost), Some(total));
    }
}

#[path = "intervals_tests.rs"]
mod intervals;

#[test]
fn what_a_device_dropped_is_since_the_reset_and_goes_on_where_it_comes_again() {
    let mut tracker = tracker();
    let with = |drops| InterfaceSample {
        device_drops: drops,
        ..of_interface(7, 10, Up)
    };
    let mut said = |at, drops, forgotten: &[u32]| {
        tracker.advance(&of_interfaces(at, vec![with(drops)], forgotten));
        let found = tracker.report().interfaces[0].counted.device_drops;
        if at == 2 {
            tracker.reset();
        }
        found
    };
    assert_eq!(said(1, Some(5), &[]), Some(5));
    assert_eq!(said(2, Some(8), &[]), Some(8));
    assert_eq!(said(3, Some(9), &[7]), Some(1));
    // It was forgotten, and is watched anew.
    assert_eq!(said(4, Some(0), &[]), Some(1));
    assert_eq!(said(5, Some(4), &[]), Some(5));
    assert_eq!(said(6, None, &[]), None);
}
