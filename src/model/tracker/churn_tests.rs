//! The tracker on flows that come, share slots, change slots and go, against sums made the long way round.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::tests::{SECOND, sample, snapshot, tracker, with_numbers};
use super::*;
use crate::model::random::Random;
use crate::model::snapshot::{Newcomers, Sequence};

/// What the tracker should say, by port.
#[derive(Default)]
struct Expected {
    /// Generation, port and packets of each slot that is live.
    slots: BTreeMap<u32, (u32, u16, u64)>,
    packets: BTreeMap<u16, u64>,
    ended: u64,
}

impl Expected {
    fn take(&mut self, slot: u32, generation: u32, port: u16, packets: u64) {
        self.packets.entry(port).or_default();
        let before = match self.slots.insert(slot, (generation, port, packets)) {
            Some((same, _, before)) if same == generation => before,
            Some((_, former, _)) => {
                self.leave(former);
                0
            }
            None => 0,
        };
        *self.packets.entry(port).or_default() += packets - before;
    }

    fn free(&mut self, slot: u32) {
        if let Some((_, port, _)) = self.slots.remove(&slot) {
            self.leave(port);
        }
    }

    fn leave(&mut self, port: u16) {
        if self.slots.values().all(|(_, other, _)| *other != port) {
            self.ended += self.packets.remove(&port).unwrap_or(0);
        }
    }

    fn check(&self, tracker: &FlowTracker) {
        let report = tracker.report();
        let flows = report.flows.iter();
        let found: BTreeMap<u16, u64> = flows
            .map(|f| (f.key.source_port, f.counts.packets))
            .collect();
        assert_eq!(found, self.packets);
        let interface = &report.interfaces[0];
        let sum: u64 = self.packets.values().sum();
        assert_eq!(
            (interface.flows, interface.ended.packets),
            (found.len(), self.ended)
        );
        assert_eq!(interface.counts.packets, sum + self.ended);
        for rule in &report.rules {
            let is_its = |flow: &&Flow| {
                flow.rule
                    .as_ref()
                    .is_some_and(|r| Arc::ptr_eq(r, &rule.name))
            };
            assert_eq!(rule.flows, report.flows.iter().filter(is_its).count());
        }
    }
}

#[test]
fn sums_are_right_whatever_comes_shares_slots_and_goes() {
    let mut tracker = tracker();
    tracker.set_rules(1, ["even", "odd"].map(|name| (name.into(), false)));
    let mut expected = Expected::default();
    let (mut generations, mut state) = ([0_u32; 12], Random(1));
    let mut random = |most| state.below(most);
    for second in 1..2000 {
        let (mut samples, mut freed) = (Vec::new(), Vec::new());
        for slot in 0..12 {
            let (mut port, mut packets) = (random(6) as u16, 0);
            match (expected.slots.get(&slot), random(8)) {
                (Some((_, same, before)), 0..=4) => (port, packets) = (*same, *before),
                (_, 5) => generations[slot as usize] += 1,
                (Some(_), 6) => {
                    freed.push(slot);
                    continue;
                }
                _ => continue,
            }
            packets += random(100);
            let rule = Some((port % 2) as u8);
            let (generation, flow) = (generations[slot as usize], sample(slot, 0, port, packets));
            expected.take(slot, generation, port, packets);
            samples.push(FlowSample {
                generation,
                rule,
                ..flow
            });
        }
        tracker.advance(&snapshot(second, &samples, &freed));
        freed.iter().for_each(|slot| expected.free(*slot));
        expected.check(&tracker);
        if random(40) == 0 {
            tracker.reset();
            expected
                .packets
                .values_mut()
                .for_each(|packets| *packets = 0);
            expected.ended = 0;
            expected.check(&tracker);
        }
        if random(60) == 0 {
            tracker.set_rules(
                1,
                ["even", if second % 2 == 0 { "odd" } else { "other" }]
                    .map(|name| (name.into(), false)),
            );
        }
    }
}

/// A report, whatever its number.
fn unnumbered(tracker: &FlowTracker) -> Report {
    Report {
        revision: 0,
        ..tracker.report().clone()
    }
}

#[test]
fn an_interval_that_ends_with_a_snapshot_is_the_same_in_one_go() {
    let mut trackers = [tracker(), tracker()];
    let (mut packets, mut lives, mut state) = ([0_u64; 40], [None; 40], Random(5));
    let mut random = |most| state.below(most);
    for second in 1..1500 {
        let mut samples = Vec::new();
        for slot in 0..40 {
            if random(3) == 0 {
                continue;
            }
            let more = random(9);
            packets[slot as usize] += more;
            // Flows have two slots, change slots, and lose numbers of which some come late.
            let (generation, port) = match random(50) {
                0 => (second as u32, random(25) as u16),
                _ => (0, slot as u16 / 2),
            };
            let mut of = sample(slot, generation, port, packets[slot as usize]);
            (of.gaps.count, of.gaps.sum) = (packets[slot as usize], second * 1_000_000);
            of.epoch = 1 + second as u32 / 100;
            let numbers = Sequence {
                received: packets[slot as usize],
                lost: packets[slot as usize] / 7 + random(3),
                duplicates: Some(packets[slot as usize] / 9),
                ..Sequence::default()
            };
            samples.push(with_numbers(of, (port % 3 > 0).then_some(numbers)));
        }
        let freed: Vec<u32> = (0..random(3)).map(|_| random(40) as u32).collect();
        let snapshot = snapshot(second, &samples, &freed);
        // Whether it says which lives are new must not matter either.
        let mut is_new =
            |of: &FlowSample| lives[of.slot as usize].replace(of.generation) != Some(of.generation);
        let places = (0..).zip(&samples).filter(|(_, of)| is_new(of));
        let newcomers = Newcomers {
            since_ns: (second - 1) * SECOND,
            places: places.map(|(place, _)| place).collect(),
        };
        freed.iter().for_each(|slot| lives[*slot as usize] = None);
        let saying_so = Snapshot {
            newcomers: Some(newcomers),
            ..snapshot.clone()
        };
        let [apart, at_once] = &mut trackers;
        apart.advance(&snapshot);
        match random(4) {
            0 => at_once.advance(&saying_so),
            _ => {
                apart.close_interval();
                at_once.advance_and_close(&saying_so);
            }
        }
        assert_eq!(unnumbered(apart), unnumbered(at_once), "second {second}");
        if random(200) == 0 {
            trackers.iter_mut().for_each(FlowTracker::reset);
        }
    }
}

#[test]
fn the_history_of_a_flow_that_pauses_goes_on_meanwhile() {
    let mut tracker = tracker();
    let mut packets = 0;
    let mut expected = Vec::new();
    for (second, more) in (1..).zip([10, 5, 0, 0, 0, 7, 0, 0, 3]) {
        packets += more;
        let flow = [sample(0, 1, 1, packets)];
        let changed = if more > 0 { &flow[..] } else { &[] };
        tracker.advance(&snapshot(second, changed, &[]));
        tracker.close_interval();
        expected.push(Some(more as f32 * 100.0));
        let history = &tracker.report().flows[0].history;
        let found: Vec<_> = history.throughput().iter().collect();
        // All of these are whole in 11 binary digits.
        assert_eq!(found, expected);
        assert_eq!(history.jitter().iter().flatten().count(), 0);
        assert_eq!(history.lost.iter().len(), found.len());
    }
}

#[test]
fn flows_that_are_listed_out_of_order_are_put_in_the_order_of_their_slots_with_all_that_is_theirs()
{
    let mut tracker = tracker();
    let at = |slot: u32, packets| {
        let mut sample = sample(slot, 1, slot as u16, packets);
        (sample.gaps.count, sample.gaps.sum) = (packets, packets * 1_000_000 * u64::from(slot));
        sample
    };
    let backwards: Vec<_> = (1..=40).rev().map(|slot| at(slot, 1)).collect();
    tracker.advance(&snapshot(1, &backwards, &[]));
    tracker.close_interval();
    // Two slots have the same flow from here on, another one leaves.
    let mut forwards: Vec<_> = (1..=40).map(|slot| at(slot, 1 + u64::from(slot))).collect();
    forwards.push(sample(41, 1, 20, 7));
    tracker.advance(&snapshot(2, &forwards, &[30]));
    tracker.close_interval();
    let ports = |tracker: &FlowTracker| {
        let flows = tracker.report().flows.iter();
        flows.map(|flow| flow.key.source_port).collect::<Vec<_>>()
    };
    let mut expected: Vec<u16> = (1..=40).collect();
    expected.swap_remove(29);
    assert_eq!(ports(&tracker), expected);
    // What comes now finds its flow, and so does what leaves.
    let forwards: Vec<_> = (1..=29)
        .map(|slot| at(slot, 2 + 2 * u64::from(slot)))
        .collect();
    tracker.advance(&snapshot(3, &forwards, &[31, 20]));
    tracker.close_interval();
    let flows = &tracker.report().flows;
    let listed = |port: u16| flows.iter().find(|flow| flow.key.source_port == port);
    assert!(listed(31).is_none());
    assert_eq!(listed(20).map(|flow| flow.counts.packets), Some(42 + 7));
    for port in (1..=29).filter(|port| *port != 20) {
        let flow = listed(port).expect("a flow");
        assert_eq!(flow.counts.packets, 2 + 2 * u64::from(port));
        assert_eq!(flow.interarrival.mean_ms(), Some(f64::from(port)));
        assert_eq!(flow.history.throughput().iter().len(), 3);
    }
}

#[test]
fn whatever_changes_the_report_gives_it_another_revision() {
    let mut tracker = tracker();
    let mut former = tracker.report().clone();
    type Change<'a> = &'a dyn Fn(&mut FlowTracker);
    let changes: [(&str, Change); 6] = [
        ("a reading", &|t| {
            t.advance(&snapshot(2, &[sample(0, 1, 1, 10)], &[]))
        }),
        ("an interval", &FlowTracker::close_interval),
        ("other rules", &|t| t.set_rules(2, [("voice".into(), true)])),
        ("a reading of nothing new", &|t| {
            t.advance(&snapshot(3, &[], &[]))
        }),
        ("totals at zero", &FlowTracker::reset),
        ("a flow that leaves", &|t| {
            t.advance(&snapshot(4, &[], &[0]))
        }),
    ];
    for (what, change) in changes {
        change(&mut tracker);
        let report = tracker.report();
        assert!(report.revision > former.revision, "{what}");
        let revision = former.revision;
        let like_before = Report {
            revision,
            ..report.clone()
        };
        assert_ne!(like_before, former, "{what} changes something");
        former = report.clone();
    }
    tracker.set_intervals(Intervals {
        refresh_ns: 1,
        jitter_ns: 1,
    });
    assert_eq!(
        *tracker.report(),
        former,
        "other intervals change nothing that is shown"
    );
}

#[test]
fn numbers_found_in_another_place_begin_anew() {
    let mut tracker = tracker();
    let of = |slot, generation, profile, lost| {
        let sequence = Sequence {
            lost,
            ..Sequence::default()
        };
        FlowSample {
            profile,
            ..with_numbers(sample(slot, generation, 1, 10), Some(sequence))
        }
    };
    let mut lost_by = |sample: FlowSample| {
        let second = tracker.report().taken_ns / 1_000_000_000 + 1;
        tracker.advance(&snapshot(second, &[sample], &[]));
        tracker.close_interval();
        let flow = &tracker.report().flows[0];
        let lost = flow.counts.sequence.map(|s| s.lost);
        (lost, flow.history.lost.latest())
    };
    assert_eq!(lost_by(of(0, 1, 1, 5)), (Some(5), Some(5.0)));
    // Another slot of the flow whose numbers are in the same place goes on.
    assert_eq!(lost_by(of(1, 1, 1, 2)), (Some(7), Some(2.0)));
    assert_eq!(lost_by(of(1, 2, 2, 3)), (Some(3), Some(3.0)));
    assert_eq!(lost_by(of(1, 3, 2, 4)), (Some(7), Some(4.0)));
    let untracked = with_numbers(of(1, 4, 2, 0), None);
    assert_eq!(lost_by(untracked), (None, None));
    assert_eq!(lost_by(of(1, 5, 2, 6)), (Some(6), Some(6.0)));
}

#[test]
fn a_flow_is_called_after_the_present_name_of_its_interface() {
    let mut tracker = tracker();
    let with_name = |second, flows: &[FlowSample], name: Option<&str>| {
        let mut snapshot = snapshot(second, flows, &[]);
        match name {
            Some(name) => snapshot.interfaces[0].name = name.into(),
            None => snapshot.interfaces.clear(),
        }
        snapshot
    };
    let mut names = |snapshot: Snapshot| {
        tracker.advance(&snapshot);
        let flows = tracker.report().flows.iter();
        let names: Vec<String> = flows.map(|flow| flow.interface.to_string()).collect();
        names
    };
    let flow = |slot| sample(slot, 1, slot as u16, 1);
    assert_eq!(names(with_name(1, &[flow(0)], None)), ["#7"]);
    assert_eq!(names(with_name(2, &[flow(1)], Some("eth0"))), ["eth0"; 2]);
    assert_eq!(names(with_name(3, &[], Some("eth0"))), ["eth0"; 2]);
    assert_eq!(names(with_name(4, &[flow(2)], Some("wan"))), ["wan"; 3]);
}

#[test]
fn a_snapshot_that_comes_early_still_ends_a_step() {
    let mut tracker = tracker();
    for reading in 1..20 {
        let mut sample = sample(0, 1, 1, reading);
        sample.gaps.count = reading;
        let mut snapshot = snapshot(0, &[sample], &[]);
        snapshot.taken_ns = reading * 600_000_000;
        tracker.advance(&snapshot);
        tracker.close_interval();
        assert_eq!(tracker.report().flows[0].interarrival.samples, 1);
    }
}
