//! What is said of one flow and of one interface.

use super::advance::tests::{sample, snapshot, tracker, with_numbers};
use super::*;
use crate::model::snapshot::{FlowSample, Sequence, Snapshot};

const SECOND: u64 = 1_000_000_000;

/// The flow of such a sample.
fn flow(sample: FlowSample) -> Flow {
    let mut tracker = tracker();
    tracker.advance(&snapshot(1, &[sample], &[]));
    tracker.report().flows[0].clone()
}

fn numbers(received: u64, lost: u64, duplicates: Option<u64>) -> Option<Sequence> {
    Some(Sequence {
        received,
        lost,
        duplicates,
        ..Sequence::default()
    })
}

#[test]
fn loss_is_the_share_of_what_was_sent() {
    let of = |packets, sequence| {
        let sample = with_numbers(sample(0, 1, 1, packets), sequence);
        flow(sample).loss_percent()
    };
    // A duplicate was not sent twice.
    assert_eq!(of(100, numbers(95, 10, Some(5))), Some(10.0));
    assert_eq!(of(100, numbers(1, 3, Some(0))), Some(75.0));
    // Bytes of a stream: 5800 of payload.
    assert_eq!(of(100, numbers(100, 5800, None)), Some(50.0));
    assert_eq!(of(100, numbers(1, 0, Some(0))), Some(0.0));
    // Nothing came whose number could be read, or nothing is tracked.
    assert_eq!(of(100, numbers(0, 0, Some(0))), None);
    assert_eq!(of(0, numbers(0, 0, None)), None);
    assert_eq!(of(100, None), None);
}

#[test]
fn statistics_are_the_same_where_the_same_is_unknown() {
    let of = |mean, jitter, samples| Interarrival::new(mean, jitter, samples);
    assert_eq!(of(None, None, 0), Interarrival::default());
    assert_eq!(of(Some(1.0), None, 1), of(Some(1.0), None, 1));
    for other in [
        of(Some(2.0), Some(0.5), 3),
        of(Some(1.0), Some(0.25), 3),
        of(Some(1.0), Some(0.5), 4),
        of(None, Some(0.5), 3),
        of(Some(1.0), None, 3),
    ] {
        assert_ne!(other, of(Some(1.0), Some(0.5), 3));
    }
}

#[test]
fn an_interface_is_waited_for_until_one_of_its_name_is_back() {
    let of = |ifindex, name: &str, state| InterfaceSample {
        ifindex,
        name: name.into(),
        state,
        ..InterfaceSample::default()
    };
    use LinkState::{Down, Gone, Up};
    let mut tracker = tracker();
    let mut conditions = |interfaces: Vec<InterfaceSample>| {
        tracker.advance(&Snapshot {
            taken_ns: SECOND,
            interfaces,
            ..Snapshot::default()
        });
        let report = tracker.report();
        let rows = report.interfaces.iter();
        rows.map(|row| (row.ifindex, row.condition(report)))
            .collect::<Vec<_>>()
    };
    let found = conditions(vec![
        of(1, "one", Up),
        of(2, "two", Down),
        of(3, "three", Gone),
    ]);
    assert_eq!(found, [(1, "up"), (2, "down"), (3, "gone, waiting")]);
    // Another one that went before is none that came back.
    let found = conditions(vec![of(4, "three", Gone)]);
    assert_eq!(found[2..], [(4, "gone, waiting"), (3, "gone, waiting")]);
    let found = conditions(vec![of(5, "three", Down)]);
    assert_eq!(found[2..], [(5, "down"), (4, "gone"), (3, "gone")]);
}

#[test]
fn nobody_waits_for_the_row_of_former_interfaces() {
    let mut tracker = tracker();
    for ifindex in 1..=101 {
        tracker.advance(&Snapshot {
            taken_ns: SECOND,
            interfaces: vec![InterfaceSample {
                ifindex,
                name: format!("veth{ifindex}"),
                ..InterfaceSample::default()
            }],
            forgotten: vec![ifindex],
            ..Snapshot::default()
        });
    }
    let report = tracker.report();
    let former = report.interfaces.last().expect("a row");
    assert_eq!((former.ifindex, former.condition(report)), (0, "gone"));
    assert_eq!(report.interfaces[99].condition(report), "gone, waiting");
}

#[test]
fn the_rates_of_interfaces_are_what_came_also_where_flows_end_and_rows_are_put_together() {
    let mut tracker = tracker();
    for second in 1..=300_u64 {
        // A flow and an interface of each second, which are gone in the next one.
        let (ifindex, before) = (second as u32, second as u32 - 1);
        let mut flow = sample(ifindex, 1, ifindex as u16, second);
        flow.key.ifindex = ifindex;
        let stays = sample(0, 1, 0, 3 * second);
        let of = |ifindex, state| InterfaceSample {
            ifindex,
            name: format!("veth{ifindex}"),
            state,
            ..InterfaceSample::default()
        };
        let gone = (before > 0).then(|| of(before, LinkState::Gone));
        let freed: Vec<u32> = gone.iter().map(|gone| gone.ifindex).collect();
        let mut snapshot = snapshot(second, &[flow, stays], &freed);
        snapshot.forgotten = freed;
        snapshot.interfaces = [of(1007, LinkState::Up), of(ifindex, LinkState::Up)].into();
        snapshot.interfaces.extend(gone);
        snapshot.flows[1].key.ifindex = 1007;
        tracker.advance(&snapshot);
        tracker.close_interval();
        let rows = || tracker.report().interfaces.iter();
        let rates = |of: fn(Rates) -> f64| rows().filter_map(|row| row.rates).map(of).sum::<f64>();
        let came = second as f64 + 3.0;
        assert_eq!(rates(|r| r.packet_rate), came, "packets of second {second}");
        assert_eq!(rates(|r| r.throughput), 100.0 * came);
        assert_eq!(rates(|r| r.goodput), 58.0 * came);
        let ended: u64 = rows().map(|row| row.ended.packets).sum();
        assert_eq!(ended, second * (second - 1) / 2);
    }
    assert_eq!(tracker.report().interfaces.len(), 2 + 100 + 1);
}

#[test]
fn the_goodput_of_an_interface_is_what_came_also_where_flows_end() {
    let mut tracker = tracker();
    for second in 1..=20_u64 {
        let slot = second as u32;
        let flow = sample(slot, 1, slot as u16, second);
        tracker.advance(&snapshot(second, &[flow], &[slot - 1]));
        tracker.close_interval();
        let rates = tracker.report().interfaces[0].rates.expect("rates");
        let came = second as f64;
        let found = (rates.packet_rate, rates.throughput, rates.goodput);
        assert_eq!(found, (came, 100.0 * came, 58.0 * came));
    }
}

#[test]
fn rates_add_up() {
    let rates = |throughput, goodput, packet_rate| Rates {
        throughput,
        goodput,
        packet_rate,
    };
    let mut sum = rates(100.0, 50.0, 2.0);
    sum += rates(7000.0, 6000.0, 5.0);
    assert_eq!(sum, rates(7100.0, 6050.0, 7.0));
}

#[test]
fn a_sample_without_numbers_leaves_those_that_are_known() {
    let mut tracker = tracker();
    let mut received_after = |at, sequence| {
        let sample = with_numbers(sample(0, 1, 1, at), sequence);
        tracker.advance(&snapshot(at, &[sample], &[]));
        if at == 1 {
            tracker.reset();
        }
        let sequence = tracker.report().flows[0].counts.sequence;
        sequence.map(|sequence| sequence.received)
    };
    let found = [
        received_after(1, numbers(5, 0, Some(0))),
        received_after(2, numbers(6, 0, Some(0))),
        received_after(3, None),
        received_after(4, numbers(8, 0, Some(0))),
    ];
    assert_eq!(found, [Some(0), Some(1), Some(1), Some(3)]);
}

#[test]
fn a_flow_loses_where_numbers_went_missing_in_the_latest_interval() {
    let losing = |lost: &[u64]| {
        let mut tracker = tracker();
        for (at, lost) in (1..).zip(lost) {
            let sequence = numbers(10 * at, *lost, Some(0));
            let sample = with_numbers(sample(0, 1, 1, at), sequence);
            tracker.advance_and_close(&snapshot(at, &[sample], &[]));
        }
        tracker.report().flows[0].is_losing()
    };
    assert!(!losing(&[0]) && !losing(&[0, 0]) && !losing(&[1, 1]));
    assert!(losing(&[1]) && losing(&[0, 1]) && losing(&[1, 3]));
}

#[test]
fn what_ended_on_an_interface_without_a_row_is_set_to_zero_with_all_else() {
    let unnamed = |second, flows: &[_], freed: &[u32]| Snapshot {
        interfaces: Vec::new(),
        ..snapshot(second, flows, freed)
    };
    let mut tracker = tracker();
    tracker.advance_and_close(&unnamed(1, &[sample(0, 1, 5, 10)], &[]));
    tracker.advance_and_close(&unnamed(2, &[], &[0]));
    tracker.reset();
    tracker.advance_and_close(&snapshot(3, &[], &[]));
    assert_eq!(tracker.report().interfaces[0].ended, Counts::default());
}
