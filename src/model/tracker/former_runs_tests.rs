//! What is kept of flows of several runs: who is who, for how many there is room, and what of their gaps is known.

use super::*;
use crate::model::counts::GapSums;
use crate::model::histogram::{Histogram, bucket_of};
use crate::model::snapshot::{
    FlowSample, HistogramSample, Hook, InterfaceSample, LinkState, Snapshot,
};
use crate::model::tracker::Flow;
use crate::model::tracker::advance::tests::{sample, snapshot, tracker};

const GAP: u64 = 1_000_000;

/// A run of one reading, with room for so many flows.
fn run_of(room: usize, interface: &str, reading: Snapshot) -> FormerRuns {
    let mut tracker = tracker();
    tracker.keep_flows(room, Box::new(|_| true));
    let mut reading = reading;
    reading.interfaces[0].name = interface.into();
    tracker.advance_and_close(&reading);
    tracker.end_run(0).expect("flows are kept")
}

/// A reading of flows from these ports, each of 10 packets.
fn of_ports(ports: &[u16]) -> Snapshot {
    let of_port = |(slot, port): (usize, &u16)| sample(slot as u32, 1, *port, 10);
    let flows: Vec<FlowSample> = ports.iter().enumerate().map(of_port).collect();
    snapshot(1, &flows, &[])
}

/// The same, with gaps; those of flows `with` have a histogram.
fn with_gaps(ports: &[u16], with: &[u16]) -> Snapshot {
    let mut reading = of_ports(ports);
    for flow in &mut reading.flows {
        flow.gaps = GapSums {
            count: 9,
            sum: 9 * GAP,
            squares: 9 * u128::from(GAP).pow(2),
        };
        if with.contains(&flow.key.source_port) {
            let mut histogram = Histogram::default();
            histogram.counts[bucket_of(GAP)] = 9;
            histogram.longest = GAP;
            reading.histograms.push(HistogramSample {
                key: flow.key,
                is_last: false,
                histogram,
            });
        }
    }
    reading
}

fn packets(runs: &FormerRuns) -> Vec<(String, u16, u64)> {
    let of_flow = |flow: Flow| {
        let name = flow.interface.to_string();
        (name, flow.key.source_port, flow.counts.packets)
    };
    runs.whole(&[]).flows().map(of_flow).collect()
}

#[test]
fn a_flow_is_known_again_by_its_interface_and_others_are_kept_as_far_as_there_is_room() {
    let veth1 = |port, packets| ("veth1".to_owned(), port, packets);
    let mut runs = run_of(2, "veth1", of_ports(&[1, 2, 3]));
    assert_eq!(runs.whole(&[]).unkept(), 1);
    // Of the second run 5 and 6 found no room in itself, and 4 beside the first one.
    runs.add(run_of(2, "veth1", of_ports(&[2, 4, 5, 6])));
    assert_eq!(packets(&runs), [veth1(1, 10), veth1(2, 20)]);
    assert_eq!(runs.whole(&[]).unkept(), 4);
    // A run with more room; the same addresses on another interface are another flow, also the second time.
    runs.add(run_of(3, "veth2", of_ports(&[1])));
    runs.add(run_of(1, "veth2", of_ports(&[1])));
    let veth2 = ("veth2".to_owned(), 1, 20);
    assert_eq!(packets(&runs), [veth1(1, 10), veth1(2, 20), veth2]);
    assert_eq!(runs.whole(&[]).unkept(), 4);
}

#[test]
fn it_does_not_matter_in_which_of_the_runs_an_interface_came_twice() {
    let twice = || {
        let mut reading = of_ports(&[1, 1]);
        reading.flows[1].key.ifindex += 1;
        let mut again = reading.interfaces[0].clone();
        again.ifindex += 1;
        again.name = "veth1".into();
        reading.interfaces.push(again);
        run_of(9, "veth1", reading)
    };
    let once = || run_of(9, "veth1", of_ports(&[1]));
    for [mut first, second] in [[twice(), once()], [once(), twice()]] {
        first.add(second);
        assert_eq!(packets(&first), [("veth1".to_owned(), 1, 30)]);
        let names: Vec<&str> = first.interfaces.iter().map(|it| &*it.name).collect();
        assert_eq!(names, ["veth1"]);
        assert_eq!(first.interfaces[0].counts.packets, 30);
    }
}

#[test]
fn an_interface_counts_what_came_in_all_runs_and_is_what_it_was_in_the_last() {
    let run = |ifindex, state, hook, device_drops| {
        let mut reading = of_ports(&[1]);
        reading.flows[0].key.ifindex = ifindex;
        reading.interfaces[0] = InterfaceSample {
            ifindex,
            name: "veth1".into(),
            state,
            hook,
            device_drops,
            ..InterfaceSample::default()
        };
        let mut tracker = tracker();
        tracker.keep_flows(9, Box::new(|_| true));
        tracker.advance_and_close(&reading);
        // Its flow leaves the table.
        (reading.taken_ns, reading.freed) = (2 * reading.taken_ns, vec![0]);
        tracker.advance_and_close(&reading);
        tracker.end_run(0).expect("flows are kept")
    };
    for (drops, together) in [
        ([Some(3), Some(4)], Some(7)),
        ([None, Some(4)], None),
        ([Some(3), None], None),
    ] {
        let mut runs = run(7, LinkState::Up, Some(Hook::Tcx), drops[0]);
        runs.add(run(8, LinkState::Down, None, drops[1]));
        let [interface] = &runs.interfaces[..] else {
            panic!("it has one name: {:?}", runs.interfaces);
        };
        assert_eq!(interface.counted.device_drops, together);
        let packets = [interface.counts, interface.ended].map(|counts| counts.packets);
        assert_eq!(packets, [20, 20]);
        let last = (interface.ifindex, interface.state, interface.hook);
        assert_eq!(last, (8, LinkState::Down, None));
    }
}

#[test]
fn jitter_epochs_of_all_runs_add_up() {
    let mut runs = run_of(9, "veth1", of_ports(&[1]));
    (0..3).for_each(|_| runs.add(run_of(9, "veth1", of_ports(&[1]))));
    let epochs: Vec<u32> = runs.whole(&[]).flows().map(|it| it.jitter_epochs).collect();
    assert_eq!(epochs, [4]);
}

/// How many gaps there are in the histogram of each flow, where it has all.
fn in_histograms(runs: &FormerRuns) -> Vec<Option<u64>> {
    let flows = runs.whole(&[]).flows();
    flows
        .map(|flow| Some(flow.histogram.as_ref()?.total()))
        .collect()
}

#[test]
fn a_histogram_is_that_of_all_runs_or_is_not_known() {
    let mut runs = run_of(9, "veth1", with_gaps(&[1, 2, 3], &[1, 2]));
    assert_eq!(in_histograms(&runs), [Some(9), Some(9), None]);
    // Of the first flow again, not of the second, now of the third, and of new ones.
    runs.add(run_of(9, "veth1", with_gaps(&[1, 2, 3, 4, 5], &[1, 3, 4])));
    let expected = [Some(18), None, None, Some(9), None];
    assert_eq!(in_histograms(&runs), expected);
    // A flow of single packets has no gaps.
    let mut single = of_ports(&[4]);
    single.flows[0].counts.packets = 1;
    runs.add(run_of(9, "veth1", single));
    assert_eq!(in_histograms(&runs), expected);
}

#[test]
fn a_slot_without_a_histogram_leaves_that_of_the_other_one_half_known() {
    let both = with_gaps(&[1, 1], &[1]);
    let mut last = snapshot(2, &[], &[0]);
    last.histograms.push(HistogramSample {
        is_last: true,
        ..both.histograms[0].clone()
    });
    let mut tracker = tracker();
    tracker.keep_flows(9, Box::new(|_| true));
    tracker.advance_and_close(&Snapshot {
        histograms: Vec::new(),
        ..both
    });
    tracker.advance_and_close(&last);
    let runs = tracker.end_run(0).expect("flows are kept");
    assert_eq!(in_histograms(&runs), [None]);
}

#[test]
fn what_was_in_a_histogram_before_the_run_is_not_in_one_that_has_begun_anew() {
    let mut tracker = tracker();
    tracker.advance_and_close(&with_gaps(&[1, 2], &[1, 2]));
    tracker.keep_flows(9, Box::new(|_| true));
    let mut next = with_gaps(&[1, 2], &[1, 2]);
    next.taken_ns *= 2;
    next.flows.iter_mut().for_each(|it| it.counts.packets += 9);
    for (flow, gaps) in next.histograms.iter_mut().zip([4, 20]) {
        flow.histogram.counts[bucket_of(GAP)] = gaps;
    }
    tracker.advance_and_close(&next);
    let runs = tracker.end_run(0).expect("flows are kept");
    assert_eq!(in_histograms(&runs), [Some(4), Some(11)]);
}

#[test]
fn as_many_histograms_are_kept_as_the_documents_say_and_beyond_that_none_is_half_known() {
    let ports: Vec<u16> = (1..=4100).collect();
    let mut runs = run_of(5000, "veth1", with_gaps(&ports, &ports));
    let known = |runs: &FormerRuns| in_histograms(runs).into_iter().flatten().count();
    assert_eq!(known(&runs), 4096);
    runs.add(run_of(5000, "veth1", with_gaps(&ports, &ports)));
    assert_eq!(known(&runs), 4096);
}
