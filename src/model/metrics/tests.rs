//! Which flows are shown, and how figures are spread, on hand-made readings.

use super::world::{RULES, SECOND, World, bounds, choose, exposition, key, set, tracker};
use super::*;
use crate::model::alert::{AlertRule, Alerts, Side};
use crate::model::column::by_id;
use crate::model::snapshot::{FlowSample, GapSums, Sequence, Snapshot};
use crate::model::tracker::FlowTracker;

/// A reading with so many packets of each of these flows, a second after the one before.
fn reading(second: u64, packets: &[u64]) -> Snapshot {
    let mut world = World::new(0);
    let flows = packets.iter().enumerate().map(|(slot, packets)| {
        let mut sample = world.newcomer(slot as u32, 1);
        sample.key = key(2 * slot as u16);
        sample.rule = Some(0);
        sample.first_seen_ns = SECOND;
        sample.last_seen_ns = second * SECOND;
        sample.counts.packets = *packets;
        sample.counts.bytes = *packets * 100;
        sample
    });
    Snapshot {
        taken_ns: second * SECOND,
        flows: flows.collect(),
        interfaces: vec![world.hook(0)],
        ..Snapshot::default()
    }
}

/// The ports of the flows whose series grew with this reading.
fn growing(tracker: &mut FlowTracker, snapshot: &Snapshot) -> Vec<u16> {
    let before = exposition(tracker).flows;
    tracker.advance_and_close(snapshot);
    let grew = |flow: &FlowSeries| {
        let then = before.iter().find(|then| then.identity == flow.identity);
        then.is_some_and(|then| then.growth != flow.growth)
    };
    let now = exposition(tracker).flows;
    // It is named, and another one of its name is the same to whoever reads.
    assert!(now.iter().all(|flow| flow.identity.key.ifindex == 0));
    let ports = ports(now.iter().filter(|flow| grew(flow)));
    choose(tracker);
    ports
}

/// The same where so many packets more of each flow have come.
fn grow<const FLOWS: usize>(
    tracker: &mut FlowTracker,
    second: u64,
    totals: &mut [u64; FLOWS],
    packets: [u64; FLOWS],
) -> Vec<u16> {
    for (total, more) in totals.iter_mut().zip(packets) {
        *total += more;
    }
    growing(tracker, &reading(second, totals))
}

/// By which the flows of a reading are told apart, in order.
fn ports<'a>(flows: impl Iterator<Item = &'a FlowSeries>) -> Vec<u16> {
    let mut ports: Vec<u16> = flows
        .map(|flow| flow.identity.key.source_port / 2)
        .collect();
    ports.sort_unstable();
    ports
}

#[test]
fn the_largest_flows_are_shown_until_another_one_is_more_than_twice_as_large() {
    let mut tracker = tracker();
    set(&mut tracker, Some(bounds(2, 100)));
    let mut totals = [0; 4];
    let mut step =
        |tracker: &mut FlowTracker, second, packets| grow(tracker, second, &mut totals, packets);
    // In the first second nothing has lasted for one.
    assert!(step(&mut tracker, 1, [10, 20, 30, 40]).is_empty());
    assert!(step(&mut tracker, 2, [10, 20, 30, 40]).is_empty());
    assert_eq!(step(&mut tracker, 3, [10, 50, 30, 40]), [2, 3]);
    assert_eq!(
        step(&mut tracker, 4, [10, 60, 30, 40]),
        [2, 3],
        "not twice as large"
    );
    assert_eq!(
        step(&mut tracker, 5, [10, 61, 30, 40]),
        [2, 3],
        "the choice comes behind"
    );
    assert_eq!(step(&mut tracker, 6, [10, 61, 30, 40]), [1, 3]);
    // What the second flow had before it was shown is in the remainder, and what the third one had stays where it is.
    let now = exposition(&mut tracker);
    let of = |port: u16| {
        let found = now
            .flows
            .iter()
            .find(|f| f.identity.key.source_port == 2 * port);
        found.map(|flow| flow.growth.packets)
    };
    assert_eq!(
        (of(0), of(1), of(2), of(3)),
        (None, Some(61), Some(90), Some(160))
    );
    assert_eq!(now.rules[0].all.packets, 60 + 272 + 180 + 240);
    // No more than as many again linger.
    assert_eq!(step(&mut tracker, 7, [900, 0, 0, 40]), [3]);
    assert_eq!(step(&mut tracker, 8, [900, 0, 500, 40]), [0, 3]);
    assert_eq!(step(&mut tracker, 9, [900, 10, 500, 1]), [0, 2]);
}

#[test]
fn all_series_of_a_flow_begin_at_once() {
    let mut tracker = tracker();
    set(&mut tracker, Some(bounds(4, 100)));
    let sequenced = |snapshot: &mut Snapshot| {
        for sample in &mut snapshot.flows {
            sample.counts.sequence = Some(Sequence {
                duplicates: Some(0),
                ..Sequence::default()
            });
        }
    };
    for second in 1..3 {
        let mut snapshot = reading(second, &[second]);
        sequenced(&mut snapshot);
        growing(&mut tracker, &snapshot);
    }
    let flows = exposition(&mut tracker).flows;
    let [flow] = &flows[..] else {
        panic!("{flows:?}");
    };
    assert_eq!(flow.growth.packets, 0, "nothing came since it is shown");
    assert_eq!(
        flow.is_of_stream,
        Some(false),
        "its losses are 0, not unknown"
    );
}

#[test]
fn narrower_bounds_hold_from_the_next_choice_on() {
    let mut tracker = tracker();
    set(&mut tracker, Some(bounds(4, 100)));
    for second in 1..4 {
        growing(
            &mut tracker,
            &reading(second, &[1, 2, 3, 4].map(|n| n * second)),
        );
    }
    assert_eq!(exposition(&mut tracker).flows.len(), 4);
    set(&mut tracker, Some(bounds(4, 2)));
    choose(&mut tracker);
    assert_eq!(exposition(&mut tracker).flows.len(), 2);
    let totals = [1, 2, 3, 4].map(|n| n * 4);
    assert_eq!(
        growing(&mut tracker, &reading(4, &totals)),
        [2, 3],
        "the largest"
    );
    set(&mut tracker, Some(bounds(0, 2)));
    choose(&mut tracker);
    assert!(exposition(&mut tracker).flows.is_empty(), "at once");
    let totals = [1, 2, 3, 4].map(|n| n * 5);
    assert!(growing(&mut tracker, &reading(5, &totals)).is_empty());
    set(&mut tracker, None);
    let (meter, report) = tracker.meter();
    assert_eq!(meter.exposition(report, &Alerts::default()), None);
}

#[test]
fn as_many_again_linger_and_no_more_of_them_go_than_have_to() {
    let mut tracker = tracker();
    set(&mut tracker, Some(bounds(3, 100)));
    let mut totals = [0; 6];
    let mut step =
        |tracker: &mut FlowTracker, second, packets| grow(tracker, second, &mut totals, packets);
    for second in 1..3 {
        step(&mut tracker, second, [10, 10, 10, 0, 0, 0]);
    }
    step(&mut tracker, 3, [0, 0, 0, 900, 900, 900]);
    step(&mut tracker, 4, [0, 0, 0, 900, 900, 900]);
    assert_eq!(step(&mut tracker, 5, [0, 0, 0, 900, 900, 900]), [3, 4, 5]);
    let shown = |tracker: &mut FlowTracker| ports(exposition(tracker).flows.iter());
    assert_eq!(shown(&mut tracker), [0, 1, 2, 3, 4, 5]);
    set(&mut tracker, Some(bounds(3, 5)));
    choose(&mut tracker);
    let left = shown(&mut tracker);
    assert!(left.len() == 5 && left.ends_with(&[3, 4, 5]), "{left:?}");
}

#[test]
fn figures_are_spread_over_the_flows_of_a_rule() {
    let mut tracker = tracker();
    set(&mut tracker, Some(Bounds::default()));
    let mut snapshot = reading(1, &[3; 20]);
    for (at, sample) in snapshot.flows.iter_mut().enumerate() {
        let gap = (at as u64 + 1) * 1_000_000;
        sample.gaps = GapSums {
            count: 2,
            sum: 2 * gap,
            // One of none and one of twice as much.
            squares: u128::from(2 * gap).pow(2),
        };
    }
    tracker.advance_and_close(&snapshot);
    let figures = exposition(&mut tracker).figures;
    let few = figures
        .iter()
        .find(|row| row.rule.as_deref() == Some("few"));
    let spread = few.and_then(|row| row.interarrival).expect("it is known");
    assert_eq!((spread.median, spread.p95, spread.max), (0.01, 0.019, 0.02));
    let spread = few.and_then(|row| row.jitter).expect("it is known");
    for (found, gap) in [
        (spread.median, 0.01),
        (spread.p95, 0.019),
        (spread.max, 0.02),
    ] {
        assert!(
            (found - gap * std::f64::consts::SQRT_2).abs() < 1e-12,
            "{spread:?}"
        );
    }
    let none = figures
        .iter()
        .find(|row| row.rule.as_deref() == Some("none"));
    assert_eq!(
        none.map(|row| (row.jitter, row.interarrival)),
        Some((None, None))
    );
}

#[test]
fn flows_and_those_beyond_a_threshold_are_counted_by_rule_however_they_are_mixed() {
    let mut tracker = tracker();
    set(&mut tracker, Some(Bounds::default()));
    let packets: Vec<u64> = (1..=20).collect();
    let mut snapshot = reading(1, &packets);
    for sample in snapshot.flows.iter_mut().step_by(2) {
        sample.rule = None;
    }
    tracker.advance_and_close(&snapshot);
    let above_six = AlertRule::new(by_id("packets").expect("a column"), Side::Above, 6.0);
    let mut alerts = Alerts::new(vec![above_six]);
    alerts.advance(tracker.report());
    let (meter, report) = tracker.meter();
    let exposition = meter.exposition(report, &alerts).expect("it is on");
    let listed = exposition.rules.iter().filter(|row| row.flows > 0);
    let mut listed: Vec<_> = listed.map(|row| (row.rule.as_deref(), row.flows)).collect();
    listed.sort_unstable();
    assert_eq!(listed, [(None, 10), (Some("few"), 10)]);
    // Whoever reads differences misses nothing of those that have not begun.
    for rule in RULES {
        let is_its = |row: &&RuleSeries| row.rule.as_deref() == Some(rule);
        assert!(exposition.rules.iter().any(|row| is_its(&row)), "{rule}");
    }
    let beyond = exposition.alerts.iter().filter(|row| row.flows > 0);
    let beyond: Vec<_> = beyond.map(|row| (row.rule.as_deref(), row.flows)).collect();
    assert_eq!(beyond, [(None, 7), (Some("few"), 7)]);
}

#[test]
fn of_too_many_series_that_are_gone_the_older_half_begins_anew() {
    const FLOWS: usize = 10_002;
    const ENDS: [std::ops::Range<usize>; 3] = [0..3_000, 3_000..6_000, 6_000..FLOWS];
    let mut tracker = tracker();
    set(&mut tracker, Some(bounds(20_000, 20_000)));
    let read = |tracker: &mut FlowTracker, snapshot: &Snapshot| {
        tracker.advance_and_close(snapshot);
        choose(tracker);
    };
    for second in 1..4 {
        read(&mut tracker, &reading(second, &[second; FLOWS]));
    }
    for (second, ended) in (4..).zip(ENDS) {
        let mut snapshot = reading(second, &[second; FLOWS]);
        snapshot.flows.drain(..ended.end);
        snapshot.freed = ended.map(|slot| slot as u32).collect();
        read(&mut tracker, &snapshot);
    }
    assert_eq!(exposition(&mut tracker).flows.len(), FLOWS);
    read(&mut tracker, &reading(200, &[]));
    assert!(exposition(&mut tracker).flows.is_empty());
    // One of each of them comes again.
    for (second, packets) in [(201, 1), (202, 2), (203, 3)] {
        let mut snapshot = reading(second, &[packets; FLOWS]);
        for sample in &mut snapshot.flows {
            (sample.generation, sample.first_seen_ns) = (2, 201 * SECOND);
        }
        let is_first = |sample: &FlowSample| ENDS.iter().any(|it| it.start == sample.slot as usize);
        snapshot.flows.retain(is_first);
        read(&mut tracker, &snapshot);
    }
    let mut flows = exposition(&mut tracker).flows;
    flows.sort_by_key(|flow| flow.identity.key.source_port);
    let packets: Vec<u64> = flows.iter().map(|flow| flow.growth.packets).collect();
    assert_eq!(packets, [1, 1, 4]);
}

/// A device drops packets; `from`: before when the totals are set to zero.
fn drops_from(from: u64) -> Option<u64> {
    let mut tracker = tracker();
    set(&mut tracker, Some(Bounds::default()));
    for second in 1..6 {
        let mut snapshot = reading(second, &[second]);
        let interface = &mut snapshot.interfaces[0];
        interface.device_drops = Some(10 * second);
        if second == from {
            tracker.reset();
        }
        tracker.advance(&snapshot);
    }
    let exposition = exposition(&mut tracker);
    exposition.interfaces[0].1.device_drops
}

#[test]
fn what_a_device_dropped_before_a_reset_is_not_counted() {
    assert_eq!(drops_from(1), Some(50));
    assert_eq!(drops_from(4), Some(20));
}

#[test]
fn what_comes_with_a_new_name_of_an_interface_is_counted_under_it_everywhere() {
    let mut tracker = tracker();
    set(&mut tracker, Some(bounds(4, 100)));
    for (second, name) in [(1, "before"), (2, "before"), (3, "behind"), (4, "behind")] {
        let mut snapshot = reading(second, &[10 * second * second]);
        let interface = &mut snapshot.interfaces[0];
        interface.name = name.to_owned();
        interface.seen.packets = 10 * second * second;
        tracker.advance_and_close(&snapshot);
    }
    let now = exposition(&mut tracker);
    let of_interfaces = now.interfaces.iter();
    let of_interfaces: Vec<_> = of_interfaces
        .map(|(name, series)| (name.clone(), series.all.packets))
        .collect();
    let expected =
        [("before", 40), ("behind", 120)].map(|(name, packets)| (name.to_owned(), packets));
    assert_eq!(of_interfaces, expected);
    let of_rules = now.rules.iter().filter(|rule| rule.all.packets > 0);
    let mut of_rules: Vec<_> = of_rules
        .map(|rule| (rule.interface.to_string(), rule.all.packets))
        .collect();
    of_rules.sort();
    assert_eq!(of_rules, expected);
}
