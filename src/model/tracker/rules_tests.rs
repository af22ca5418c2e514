//! Packets count for the rules that they were judged by, as long as these are in force.

use crate::model::snapshot::FlowSample;
use crate::model::tracker::FlowTracker;
use crate::model::tracker::advance::tests::{SECOND, sample, snapshot, tracker};

#[test]
fn packets_count_for_the_rule_of_their_time() {
    let mut tracker = tracker();
    let by = |rules_version, rule, packets| FlowSample {
        rules_version,
        rule: Some(rule),
        ..sample(0, 1, 1, packets)
    };
    tracker.set_rules(1, ["voice", "data"].map(|name| (name.into(), false)));
    tracker.advance(&snapshot(1, &[by(1, 0, 10)], &[]));
    tracker.set_rules(2, ["rest", "voice"].map(|name| (name.into(), false)));
    // Not judged by the new rules yet: index 0 is still the former one. So it is of a flow that came just then.
    let newcomer = FlowSample {
        rules_version: 1,
        rule: Some(0),
        ..sample(1, 1, 2, 7)
    };
    tracker.advance(&snapshot(2, &[by(1, 0, 12), newcomer], &[]));
    let found = |tracker: &FlowTracker| {
        let rules = tracker.report().rules.iter();
        let rules = rules.map(|rule| (rule.name.to_string(), rule.counts.packets, rule.flows));
        rules.collect::<Vec<_>>()
    };
    let expected = |rules: &[(&str, u64, usize)]| {
        let rules = rules.iter();
        let rules = rules.map(|(name, packets, flows)| ((*name).to_owned(), *packets, *flows));
        rules.collect::<Vec<_>>()
    };
    assert_eq!(
        found(&tracker),
        expected(&[("rest", 0, 0), ("voice", 19, 2)])
    );
    tracker.advance(&snapshot(3, &[by(2, 0, 15)], &[]));
    assert_eq!(
        found(&tracker),
        expected(&[("rest", 3, 1), ("voice", 19, 1)])
    );
    assert_eq!(tracker.report().flows[0].rule.as_deref(), Some("rest"));
    // One of the rules goes: what was judged by it counts for none.
    tracker.set_rules(3, [("voice".into(), false)]);
    tracker.advance(&snapshot(4, &[by(2, 0, 20)], &[]));
    // So was what was judged by rules before those: the second of them has nothing to do with the second of the former ones.
    tracker.advance(&snapshot(5, &[by(1, 1, 21)], &[]));
    assert_eq!(found(&tracker), expected(&[("voice", 19, 1)]));
    tracker.advance(&snapshot(6, &[by(2, 1, 23)], &[]));
    assert_eq!(found(&tracker), expected(&[("voice", 21, 2)]));
    // No rules are left: a flow has none from its next sample on.
    tracker.set_rules(4, []);
    assert_eq!(tracker.report().flows[0].rule.as_deref(), Some("voice"));
    let by_none = FlowSample {
        rule: None,
        ..by(4, 0, 24)
    };
    tracker.advance(&snapshot(7, &[by_none], &[]));
    assert_eq!(tracker.report().flows[0].rule, None);
}

#[test]
fn a_rule_has_matched_last_when_it_came_into_force_until_a_packet_does() {
    let mut tracker = tracker();
    tracker.advance(&snapshot(5, &[], &[]));
    tracker.set_rules(1, [("voice".into(), false)]);
    let matched = |tracker: &FlowTracker| tracker.report().rules[0].last_match_ns;
    assert_eq!(matched(&tracker), 5 * SECOND);
    let by = |last_seen_ns| FlowSample {
        rules_version: 1,
        rule: Some(0),
        last_seen_ns,
        ..sample(0, 1, 1, 1)
    };
    for (at, last_seen, expected) in [(6, 4, 5), (7, 7, 7), (8, 6, 7)] {
        tracker.advance(&snapshot(at, &[by(last_seen * SECOND)], &[]));
        assert_eq!(matched(&tracker), expected * SECOND, "{at}");
    }
    // It keeps that as long as it keeps its name.
    tracker.set_rules(2, [("voice".into(), true)]);
    assert_eq!(matched(&tracker), 7 * SECOND);
}
