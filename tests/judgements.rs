//! Alerts and events: what is raised, what is told, and what is not.

#[path = "frames/fixture.rs"]
#[allow(dead_code)]
mod fixture;

use fixture::{CLOCK, NOW, flow, losing, report, ruled};
use flowtop::model::alert::{AlertRule, Alerts, Side};
use flowtop::model::column::by_id;
use flowtop::model::doubt;
use flowtop::model::event::{EventKind, EventLog, TimeOfDay};
use flowtop::model::flow::Protocol;
use flowtop::model::observer::Observer;
use flowtop::model::rule::{PayloadRequirement, Profiles, SequenceProfile};
use flowtop::model::snapshot::{LinkState, Sequence};
use flowtop::model::summary;
use flowtop::model::tracker::{Interarrival, Report};

fn jittery(ms: f64, second: u64) -> Report {
    let mut flow = flow(Protocol::Udp, "10.0.0.2", 40000, "10.0.0.1", 5004);
    flow.interarrival = Interarrival::new(None, Some(ms), 10);
    let mut report = report(vec![flow]);
    report.taken_ns = fixture::NOW + second * 1_000_000_000;
    report
}

fn jitter_above_5(at_least_s: f64) -> Alerts {
    let column = by_id("jitter").expect("a column");
    let mut rule = AlertRule::new(column, Side::Above, 5.0);
    rule.clear = 4.0;
    rule.at_least_s = at_least_s;
    Alerts::new(vec![rule])
}

/// The seconds at which an alert was raised (+) or cleared (-).
fn changes(alerts: &mut Alerts, jitter: &[f64]) -> Vec<i64> {
    let mut changes = Vec::new();
    for (second, ms) in (0..).zip(jitter) {
        for change in alerts.advance(&jittery(*ms, second)) {
            changes.push(if change.raised {
                second as i64
            } else {
                -(second as i64)
            });
        }
    }
    changes
}

#[test]
fn a_value_that_trembles_at_the_bound_raises_one_alert() {
    let mut alerts = jitter_above_5(0.0);
    let jitter = [1.0, 5.1, 4.9, 5.1, 4.5, 3.9, 4.9, 5.1];
    assert_eq!(changes(&mut alerts, &jitter), [1, -5, 7]);
    assert_eq!(alerts.count(), 1);
}

#[test]
fn trouble_must_last_before_it_is_an_alert() {
    let mut alerts = jitter_above_5(2.0);
    let jitter = [6.0, 6.0, 1.0, 6.0, 6.0, 6.0, 6.0];
    assert_eq!(changes(&mut alerts, &jitter), [5]);
}

#[test]
fn a_report_that_comes_a_little_early_raises_an_alert_that_is_due() {
    for early_ns in [0, 1, 90_000_000] {
        let mut alerts = jitter_above_5(2.0);
        let mut late = jittery(6.0, 2);
        late.taken_ns -= early_ns;
        let raised =
            [jittery(6.0, 0), jittery(6.0, 1), late].map(|report| alerts.advance(&report).len());
        assert_eq!(raised, [0, 0, 1], "{early_ns} ns");
    }
}

#[test]
fn an_alert_that_is_not_due_is_not_raised_however_long_the_interval_is() {
    let mut alerts = jitter_above_5(1.4);
    assert_eq!(changes(&mut alerts, &[6.0, 6.0, 6.0]), [2]);
    let mut alerts = jitter_above_5(30.0);
    let of_a_minute = |second| Report {
        interval_s: 60.0,
        ..jittery(6.0, second)
    };
    assert_eq!(alerts.advance(&of_a_minute(0)).len(), 0);
    assert_eq!(alerts.advance(&of_a_minute(60)).len(), 1);
}

#[test]
fn thresholds_that_stay_in_force_keep_what_is_known_of_flows() {
    let jitter_above = |bound| {
        let column = by_id("jitter").expect("a column");
        AlertRule::new(column, Side::Above, bound)
    };
    let mut alerts = Alerts::new(vec![jitter_above(5.0), jitter_above(7.0)]);
    let raised = |alerts: &mut Alerts, ms, second| {
        let report = jittery(ms, second);
        let crossings = alerts.advance(&report);
        let key = report.flows[0].key;
        let words: Vec<_> = alerts.raised_words(&key).map(str::to_owned).collect();
        (crossings.len(), words.join(", "))
    };
    assert_eq!(
        raised(&mut alerts, 9.0, 0),
        (2, "jitter > 5 ms, jitter > 7 ms".to_owned())
    );
    // The first one goes, another comes in its place, and the second one is in another place.
    alerts.set_rules(vec![
        jitter_above(6.0),
        jitter_above(99.0),
        jitter_above(7.0),
    ]);
    assert_eq!(
        raised(&mut alerts, 9.0, 1),
        (1, "jitter > 6 ms, jitter > 7 ms".to_owned())
    );
    let crossings = alerts.advance(&jittery(1.0, 3));
    let mut lasted: Vec<_> = crossings.iter().map(|it| (it.rule, it.lasted_s)).collect();
    lasted.sort_by_key(|(rule, _)| *rule);
    assert_eq!(lasted, [(0, 2.0), (2, 3.0)]);
}

#[test]
fn a_flow_that_goes_takes_its_alert_along() {
    let mut alerts = jitter_above_5(0.0);
    alerts.advance(&jittery(9.0, 0));
    let changes = alerts.advance(&report(Vec::new()));
    assert!(matches!(changes[..], [change] if !change.raised));
    assert_eq!(alerts.count(), 0);
}

#[test]
fn too_little_is_trouble_too() {
    let column = by_id("throughput").expect("a column");
    let mut alerts = Alerts::new(vec![AlertRule::new(column, Side::Below, 600_000.0)]);
    assert_eq!(alerts.advance(&jittery(0.0, 0)).len(), 1);
    assert_eq!(alerts.rules()[0].describe(), "rate below 600000");
}

#[test]
fn an_alert_says_the_value_the_bound_and_in_the_end_how_long_and_how_bad_it_was() {
    let mut alerts = jitter_above_5(1.0);
    let rules = alerts.rules().to_vec();
    let mut told = Vec::new();
    for (second, ms) in (0..).zip([5.5, 5.1, 9.25, 4.5, 3.9]) {
        let crossings = alerts.advance(&jittery(ms, second));
        told.extend(crossings.iter().map(|c| c.describe(&rules[c.rule])));
    }
    let expected = [
        "jitter 5.1 ms > 5 ms",
        "jitter > 5 ms over after 4.0 s, at worst 9.25 ms",
    ];
    assert_eq!(told, expected);
}

#[test]
fn bounds_have_the_unit_of_what_they_bound() {
    for (column, side, bound, text) in [
        (
            "throughput",
            Side::Below,
            600_000.0,
            "thruput 500 kB/s < 600 kB/s",
        ),
        ("goodput", Side::Above, 0.0, "goodput 290 kB/s > 0 B/s"),
        ("loss_percent", Side::Above, 0.5, "loss 1.96% > 0.5%"),
        ("lost", Side::Above, 99.5, "lost 100 > 99"),
        ("bytes", Side::Above, 1500.0, "bytes 500 kB > 1.5 kB"),
        ("age", Side::Above, 3.0, "age 4 s > 3 s"),
    ] {
        let column = by_id(column).expect("a column");
        let mut alerts = Alerts::new(vec![AlertRule::new(column, side, bound)]);
        let mut flow = losing(flow(Protocol::Udp, "10.0.0.2", 4, "10.0.0.1", 5), 100);
        flow.last_seen_ns = NOW;
        let crossings = alerts.advance(&report(vec![flow]));
        let texts: Vec<_> = crossings
            .iter()
            .map(|c| c.describe(&alerts.rules()[0]))
            .collect();
        assert_eq!(texts, [text]);
    }
}

fn texts(log: &EventLog) -> Vec<String> {
    let line = |e: &flowtop::model::event::Event| format!("{}: {}", e.kind.name(), e.text);
    log.events().iter().map(line).collect()
}

#[test]
fn events_tell_what_changed_and_nothing_twice() {
    let (mut observer, mut log) = (Observer::default(), EventLog::default());
    let mut now = report(vec![losing(
        flow(Protocol::Udp, "10.0.0.2", 4, "10.0.0.1", 5),
        0,
    )]);
    let sequence = now.flows[0].counts.sequence.as_mut().expect("a sequence");
    (sequence.small_errors, sequence.big_errors) = (0, 0);
    sequence.reverse_errors = 0;
    observer.observe(&now, CLOCK, &mut log);
    observer.observe(&now, CLOCK, &mut log);
    assert_eq!(texts(&log), ["interface: veth1: up, counted by tcx"]);

    let sequence = now.flows[0].counts.sequence.as_mut().expect("a sequence");
    (sequence.small_errors, sequence.lost, sequence.restarts) = (1, 3, 1);
    now.flows[0].jitter_epochs = 2;
    now.flows[0].last_seen_ns = now.taken_ns;
    now.interfaces[0].state = LinkState::Gone;
    now.interfaces[0].hook = None;
    now.table.counts.insert_failures = 1;
    observer.observe(&now, CLOCK, &mut log);
    observer.observe(&now, CLOCK, &mut log);
    let flow = "udp 10.0.0.2:4 > 10.0.0.1:5 veth1";
    let expected = [
        "interface: veth1: up, counted by tcx".to_owned(),
        format!("gap: 3 lost before 3000005003: {flow}"),
        format!("restart: starts again at 3000005003: {flow}"),
        format!("resumed: goes on after a pause of more than 2 s: {flow}"),
        "interface: veth1: gone, waiting".to_owned(),
        "table: the flow table has no room (0 of 0 slots in use): packets are not tracked (see --max-flows)".to_owned(),
        "table: the flow table has room again".to_owned(),
    ];
    assert_eq!(texts(&log), expected);
}

#[test]
fn a_full_table_stays_so_over_totals_set_to_zero() {
    let (mut observer, mut log) = (Observer::default(), EventLog::default());
    let mut now = report(vec![]);
    now.interfaces.clear();
    let mut told = |observer: &mut Observer, insert_failures| {
        now.table.counts.insert_failures = insert_failures;
        let before = log.events().len();
        observer.observe(&now, CLOCK, &mut log);
        log.events().len() - before
    };
    assert_eq!(told(&mut observer, 5), 1, "no room");
    assert_eq!(told(&mut observer, 9), 0);
    observer.start_at_zero();
    // The same reading, whose totals begin at zero; then the next ones.
    assert_eq!(
        [0, 3, 7].map(|failures| told(&mut observer, failures)),
        [0; 3]
    );
    assert_eq!(told(&mut observer, 7), 1, "room again");
    observer.start_at_zero();
    assert_eq!([0, 0].map(|failures| told(&mut observer, failures)), [0; 2]);
    assert_eq!(told(&mut observer, 1), 1, "no room");
}

#[test]
fn an_interface_is_waited_for_until_one_of_its_name_is_there_again() {
    let (mut observer, mut log) = (Observer::default(), EventLog::default());
    let mut now = report(vec![]);
    observer.observe(&now, CLOCK, &mut log);
    now.interfaces[0].name = "uplink0".into();
    observer.observe(&now, CLOCK, &mut log);
    let mut successor = now.interfaces[0].clone();
    (now.interfaces[0].state, now.interfaces[0].hook) = (LinkState::Gone, None);
    observer.observe(&now, CLOCK, &mut log);
    assert_eq!(now.interfaces[0].condition(&now), "gone, waiting");
    successor.ifindex += 1;
    now.interfaces.insert(0, successor);
    observer.observe(&now, CLOCK, &mut log);
    assert_eq!(now.interfaces[1].condition(&now), "gone");
    let expected = [
        "interface: veth1: up, counted by tcx",
        "interface: uplink0: was veth1, up, counted by tcx",
        "interface: uplink0: gone, waiting",
        "interface: uplink0: up, counted by tcx",
    ];
    assert_eq!(texts(&log), expected);
}

#[test]
fn totals_set_to_zero_are_no_event() {
    let (mut observer, mut log) = (Observer::default(), EventLog::default());
    let flow = flow(Protocol::Udp, "10.0.0.2", 4, "10.0.0.1", 5);
    let mut now = report(vec![losing(flow, 7)]);
    now.flows[0].last_seen_ns = now.taken_ns;
    observer.observe(&now, CLOCK, &mut log);
    let told = log.events().len();
    now.flows[0].counts.sequence = Some(Default::default());
    observer.observe(&now, CLOCK, &mut log);
    assert_eq!(log.events().len(), told);
}

#[test]
fn a_flood_of_gaps_is_summed_up() {
    let (mut observer, mut log) = (Observer::default(), EventLog::default());
    let flows =
        (0..500).map(|port| losing(flow(Protocol::Udp, "10.0.0.2", port, "10.0.0.1", 5), 1));
    observer.observe(&report(flows.collect()), CLOCK, &mut log);
    let gaps = log.events().iter().filter(|e| e.kind == EventKind::Gap);
    let last = gaps.clone().next_back().expect("gaps");
    assert_eq!(gaps.count(), 21);
    assert_eq!(last.text, "and 480 more of flows in this interval");
}

/// The events of a report whose only flow was given this many late packets at this second.
fn late_at(observer: &mut Observer, log: &mut EventLog, second: u64, late: u64) -> Vec<String> {
    let told = log.events().len();
    let flow = losing(flow(Protocol::Udp, "10.0.0.2", 4, "10.0.0.1", 5), 0);
    let mut now = report(vec![flow]);
    now.taken_ns += second * 1_000_000_000;
    now.flows[0].last_seen_ns = now.taken_ns;
    let sequence = now.flows[0].counts.sequence.as_mut().expect("a sequence");
    // Each late packet filled the gap that it had left.
    (sequence.small_errors, sequence.big_errors) = (late, 0);
    sequence.reverse_errors = late;
    let at = TimeOfDay {
        second: (second % 60) as u8,
        ..CLOCK
    };
    observer.observe(&now, at, log);
    texts(log).split_off(told)
}

#[test]
fn reordering_is_told_at_once_and_then_once_a_minute() {
    let (mut observer, mut log) = (Observer::default(), EventLog::default());
    let mut at = |second, late| late_at(&mut observer, &mut log, second, late);
    assert_eq!(at(0, 0), ["interface: veth1: up, counted by tcx"]);
    let flow = "udp 10.0.0.2:4 > 10.0.0.1:5 veth1";
    assert_eq!(at(1, 3), [format!("late: 3 came late: {flow}")]);
    for second in 2..61 {
        assert!(at(second, 3 + 10 * second).is_empty());
    }
    let text = format!("late: 610 came late since 10:42:01: {flow}");
    assert_eq!(at(61, 613), [text]);
    assert!(at(200, 613).is_empty(), "nothing new");
}

#[test]
fn gaps_are_told_at_once_and_then_once_a_minute_though_the_flow_has_ended() {
    let (mut observer, mut log) = (Observer::default(), EventLog::default());
    let mut at = |second: u64, (gaps, lost), is_going: bool| {
        let told = log.events().len();
        let flow = losing(flow(Protocol::Udp, "10.0.0.2", 4, "10.0.0.1", 5), lost);
        let mut now = report(vec![flow]);
        now.taken_ns += second * 1_000_000_000;
        if is_going {
            now.flows[0].last_seen_ns = now.taken_ns;
        }
        let sequence = now.flows[0].counts.sequence.as_mut().expect("a sequence");
        (sequence.small_errors, sequence.big_errors) = (gaps, 0);
        sequence.reverse_errors = 0;
        let at = TimeOfDay {
            second: (second % 60) as u8,
            ..CLOCK
        };
        observer.observe(&now, at, &mut log);
        texts(&log).split_off(told)
    };
    let flow = "udp 10.0.0.2:4 > 10.0.0.1:5 veth1";
    assert_eq!(at(0, (0, 0), true).len(), 1, "the interface");
    let text = format!("gap: 2 lost before 3000005003: {flow}");
    assert_eq!(at(1, (1, 2), true), [text]);
    for second in 2..31 {
        let gaps = (second, 3 * second);
        assert!(at(second, gaps, true).is_empty());
    }
    // One of them was late.
    assert!(at(31, (30, 89), true).is_empty());
    for second in 32..61 {
        assert!(at(second, (30, 89), false).is_empty());
    }
    let text = format!("gap: 87 lost in 29 gaps up to 3000005003 since 10:42:01: {flow}");
    assert_eq!(at(61, (30, 89), false), [text]);
    for second in 62..200 {
        assert!(at(second, (30, 89), true).is_empty(), "nothing new");
    }
    let text = format!("gap: 1 lost before 3000005003 since 10:42:01: {flow}");
    assert_eq!(at(200, (31, 90), true), [text]);
    // Totals that were set to zero and grew again are another story.
    let text = format!("gap: 1 lost before 3000005003 since 10:42:20: {flow}");
    assert_eq!(at(300, (1, 1), true), [text]);
}

/// A stream that pauses, and what is told of it.
struct Stream {
    now: Report,
    observer: Observer,
    log: EventLog,
}

impl Stream {
    const NAME: &str = "udp 10.0.0.2:4 > 10.0.0.1:5 veth1 (rule voice)";

    fn new() -> Stream {
        let mut stream = flow(Protocol::Udp, "10.0.0.2", 4, "10.0.0.1", 5);
        stream.rule = Some("voice".into());
        Stream {
            now: report(vec![stream]),
            observer: Observer::default(),
            log: EventLog::default(),
        }
    }

    /// What is told at a reading, of 20 packets more of which the latest came then.
    fn at(&mut self, ms: u64, last_seen_ms: u64, epochs: u32, gaps_ms: &[f64]) -> Vec<String> {
        let told = self.log.events().len();
        self.now.taken_ns = NOW + ms * 1_000_000;
        let flow = &mut self.now.flows[0];
        flow.last_seen_ns = NOW + last_seen_ms * 1_000_000;
        flow.jitter_epochs = epochs;
        flow.counts.packets += 20;
        let mean = gaps_ms.iter().sum::<f64>() / gaps_ms.len() as f64;
        let mean = (!gaps_ms.is_empty()).then_some(mean);
        flow.interarrival = Interarrival::new(mean, None, gaps_ms.len() as u64);
        self.observer.observe(&self.now, CLOCK, &mut self.log);
        texts(&self.log).split_off(told)
    }

    fn reset(&mut self) {
        self.observer.start_at_zero();
        self.now.flows[0].counts.packets = 0;
    }
}

#[test]
fn a_pause_is_told_with_its_length() {
    let mut stream = Stream::new();
    let mut at =
        |ms, last_seen_ms, epochs, gaps_ms: &[f64]| stream.at(ms, last_seen_ms, epochs, gaps_ms);
    at(0, 0, 1, &[]);
    assert!(at(1000, 500, 1, &[]).is_empty());
    for second in 2..4 {
        assert!(at(1000 * second, 500, 1, &[]).is_empty());
    }
    // Its first packet came at 3700 ms, and two more.
    let flow = Stream::NAME;
    let text = format!("resumed: goes on after a pause of 3.2 s: {flow}");
    assert_eq!(at(4000, 3950, 2, &[200.0, 50.0]), [text]);
    assert!(at(5000, 4950, 2, &[]).is_empty());
    // What comes within a minute is told together then.
    for (second, epochs) in [(10, 3), (20, 5), (63, 6)] {
        let pauses = at(1000 * second, 1000 * second - 10, epochs, &[]);
        assert!(pauses.is_empty(), "{pauses:?}");
    }
    let text = format!("resumed: goes on after 4 pauses since 10:42:07: {flow}");
    assert_eq!(at(64_000, 63_990, 6, &[]), [text]);
    // Between reports that are far apart nobody knows when it stopped.
    let text = format!("resumed: goes on after a pause of more than 2 s: {flow}");
    assert_eq!(at(150_000, 149_990, 7, &[]), [text]);
    // One that has waited may have been long ago.
    assert!(at(160_000, 159_990, 8, &[]).is_empty());
    let text = format!("resumed: goes on after a pause since 10:42:07: {flow}");
    assert_eq!(at(210_000, 209_990, 8, &[]), [text]);
}

#[test]
fn what_was_told_of_a_flow_is_not_of_one_that_has_its_key_later() {
    let mut stream = Stream::new();
    let mut at = |ms, epochs, [gaps, lost, restarts, late]: [u64; 4]| {
        let sequence = Sequence {
            small_errors: gaps,
            lost,
            restarts,
            reverse_errors: late,
            ..Sequence::default()
        };
        let flow = &mut stream.now.flows[0];
        flow.counts.sequence = Some(sequence);
        // The first one was there until the 20th second, the next one from the 100th on.
        flow.first_seen_ns = NOW + if ms < 20_000 { 0 } else { 100_000_000_000 };
        let told = stream.at(ms, ms - 10, epochs, &[]);
        let kind = |text: &String| text.split(':').next().map(str::to_owned);
        told.iter().filter_map(kind).collect::<Vec<_>>()
    };
    at(10, 1, [0; 4]);
    assert_eq!(
        at(1000, 2, [1, 1000, 1, 3]),
        ["late", "gap", "restart", "resumed"]
    );
    assert!(at(2000, 2, [1, 1000, 1, 3]).is_empty());
    assert!(at(101_000, 1, [0; 4]).is_empty());
    assert_eq!(
        at(102_000, 2, [1, 40, 1, 3]),
        ["late", "gap", "restart", "resumed"]
    );
    assert!(at(103_000, 2, [1, 40, 1, 3]).is_empty());
}

#[test]
fn how_long_a_pause_was_is_not_told_where_nobody_saw_it_begin() {
    let mut stream = Stream::new();
    stream.at(0, 0, 1, &[]);
    let text = format!(
        "resumed: goes on after a pause of more than 2 s: {}",
        Stream::NAME
    );
    assert_eq!(stream.at(1000, 1000, 2, &[]), [text]);
}

#[test]
fn a_pause_across_totals_set_to_zero_is_told_with_its_length_and_none_twice() {
    let mut stream = Stream::new();
    stream.at(0, 0, 3, &[50.0; 9]);
    stream.at(1000, 500, 3, &[50.0; 9]);
    stream.at(2000, 500, 3, &[50.0; 9]);
    stream.reset();
    stream.at(3000, 500, 3, &[50.0; 9]);
    let text = format!("resumed: goes on after a pause of 3.2 s: {}", Stream::NAME);
    assert_eq!(stream.at(4000, 3950, 4, &[200.0, 50.0]), [text]);
    stream.reset();
    assert!(stream.at(5000, 4950, 4, &[50.0; 9]).is_empty());
}

#[test]
fn numbers_are_doubted_that_mostly_repeat_one_or_often_jump() {
    let read = |duplicates, big_errors, restarts| Sequence {
        received: 100,
        duplicates: Some(duplicates),
        big_errors,
        restarts,
        ..Sequence::default()
    };
    for (doubted, sure) in [
        (read(51, 0, 0), read(50, 0, 0)),
        (read(0, 26, 0), read(0, 25, 0)),
        (read(0, 0, 26), read(0, 0, 25)),
        (read(0, 13, 13), read(0, 13, 12)),
    ] {
        assert!(doubt::are_no_numbers(&doubted), "{doubted:?}");
        assert!(!doubt::are_no_numbers(&sure), "{sure:?}");
    }
}

#[test]
fn a_rule_that_falls_silent_is_told_once_until_it_matches_again() {
    let (mut observer, mut log) = (Observer::default(), EventLog::default());
    let mut now = ruled(report(Vec::new()), 1);
    let mut observe = |second: u64, matched: u64| {
        now.taken_ns = NOW + second * 1_000_000_000;
        now.rules[0].last_match_ns = NOW + matched * 1_000_000_000;
        let told = log.events().len();
        observer.observe(&now, CLOCK, &mut log);
        texts(&log).split_off(told)
    };
    assert_eq!(observe(0, 0).len(), 1, "the interface");
    assert!(observe(59, 0).is_empty());
    assert_eq!(observe(60, 0), ["rule: rule voice: silent for 1m00s"]);
    assert!(observe(61, 0).is_empty());
    let text = "rule: rule voice: packets again after 1m02s";
    assert_eq!(observe(62, 62), [text]);
    assert!(observe(63, 62).is_empty());
    assert_eq!(observe(122, 62), ["rule: rule voice: silent for 1m00s"]);
}

#[test]
fn a_heartbeat_is_not_told_as_a_stream_that_goes_on() {
    let (mut observer, mut log) = (Observer::default(), EventLog::default());
    let mut now = report(vec![flow(Protocol::Udp, "10.0.0.2", 4, "10.0.0.1", 5)]);
    for beat in 1..20 {
        now.taken_ns += 5_000_000_000;
        now.flows[0].last_seen_ns = now.taken_ns;
        now.flows[0].counts.packets = beat.into();
        now.flows[0].jitter_epochs = beat;
        observer.observe(&now, CLOCK, &mut log);
    }
    assert_eq!(log.events().len(), 1, "{:?}", texts(&log));
}

#[test]
fn a_summary_names_the_flows_with_the_most_loss_and_then_those_with_the_most_jitter() {
    let stream = |port, lost, jitter_ms| {
        let mut flow = losing(
            flow(Protocol::Udp, "10.0.0.2", port, "10.0.0.1", 5004),
            lost,
        );
        flow.interarrival = Interarrival::new(Some(20.0), jitter_ms, 50);
        flow
    };
    let mut tcp = losing(flow(Protocol::Tcp, "10.0.0.2", 9, "10.0.0.1", 443), 2_900);
    tcp.interarrival = Interarrival::default();
    let mut untold = flow(Protocol::Udp, "10.0.0.2", 8, "10.0.0.1", 53);
    untold.interarrival = Interarrival::new(None, Some(9.0), 2);
    let mut now = report(vec![
        stream(1, 0, Some(2.0)),
        stream(2, 0, None),
        untold,
        stream(3, 60, Some(0.5)),
        tcp,
    ]);
    now.flows[3].rule = Some("voice".into());
    now.interfaces.truncate(1);
    let expected = [
        "flowtop: 1m14s (totals since 10:42:07) on veth1",
        "5,001 packets, 500 kB, 5 flows, 60 lost (0.40%), 2.90 kB of TCP missing (0.99%)",
        "  loss   jitter  worst flows",
        " 1.19%   500 µs  udp 10.0.0.2:3 > 10.0.0.1:5004 veth1 (rule voice)",
        " 0.99%        -  tcp 10.0.0.2:9 > 10.0.0.1:443 veth1",
        "     -  9.00 ms  udp 10.0.0.2:8 > 10.0.0.1:53 veth1",
    ];
    assert_eq!(summary::lines(&now, 74.2, Some(CLOCK)), expected);

    now.flows.clear();
    let mut others = vec![now.interfaces[0].clone(); 5];
    now.interfaces.append(&mut others);
    let expected = [
        "flowtop: 3.1 s on veth1, veth1, veth1, veth1 and 2 more",
        "30,006 packets, 3.00 MB, 0 flows, loss not known",
    ];
    assert_eq!(summary::lines(&now, 3.1, None), expected);
}

#[test]
fn what_is_wrong_with_a_loss_names_the_place_that_its_numbers_are_read_from() {
    let said = |protocol, sequence, profile| {
        let mut flow = flow(protocol, "10.0.0.2", 40000, "10.0.0.1", 5201);
        flow.counts.sequence = sequence;
        doubt::of_loss(&flow, &Profiles::new(profile, &[]))
    };
    let at = |offset| SequenceProfile {
        offset: Some(offset),
        ..SequenceProfile::OFF
    };
    let behind_word = SequenceProfile {
        pattern: Some(0x464c_4f57),
        ..at(4)
    };
    let rtp = SequenceProfile {
        require: Some(PayloadRequirement::RtpVersion2),
        ..at(2)
    };
    // A time stamp, say: each number comes four times.
    let repeated = Some(Sequence {
        received: 200,
        duplicates: Some(150),
        ..Sequence::default()
    });
    let wrong = "looks wrong: these are not sequence numbers";
    for (profile, place) in [
        (at(0), "OFFSET 0"),
        (at(12), "OFFSET 12"),
        (behind_word, "PATTERN 0x464c4f57, OFFSET 4"),
        (rtp, "PROFILE rtp, OFFSET 2"),
    ] {
        let found = said(Protocol::Udp, repeated, profile);
        assert_eq!(found, Some(format!("{place} {wrong}")));
        let absent = Some(Sequence {
            absent: 7,
            ..Sequence::default()
        });
        let found = said(Protocol::Udp, absent, profile);
        let expected = format!("no packet has a sequence number there: {place}");
        assert_eq!(found, Some(expected));
    }
    let right = Some(Sequence {
        received: 200,
        duplicates: Some(3),
        ..Sequence::default()
    });
    assert_eq!(said(Protocol::Udp, right, at(0)), None);
    // Its own number, which the configuration has nothing to do with.
    let of_echo = said(Protocol::Icmp, repeated, SequenceProfile::OFF);
    assert_eq!(
        of_echo.as_deref(),
        Some("these look like no sequence numbers")
    );
    assert_eq!(said(Protocol::Tcp, repeated, at(0)), None);
}

#[test]
fn why_a_loss_is_not_known_is_told_at_length_and_in_short() {
    let text = "no sequence number configured: OFFSET or PROFILE (port 5201: \"iperf3\"?)";
    let of_none = |protocol| {
        let flow = flow(protocol, "10.0.0.2", 40000, "10.0.0.1", 5201);
        doubt::of_none(&flow, &Profiles::default())
    };
    let hinted = "no OFFSET or PROFILE (port 5201: \"iperf3\"?)";
    let shorter = ["no OFFSET or PROFILE", "no OFFSET"];
    assert_eq!(
        of_none(Protocol::Udp),
        [text, hinted, shorter[0], shorter[1]]
    );
    assert!(of_none(Protocol::Tcp).is_empty());
}
