//! Packets count for the rules that they were judged by, as long as these are in force.

use crate::model::snapshot::FlowSample;
use crate::model::tracker::FlowTracker;
use crate::model::tracker::advance::tests::{sample, snapshot, tracker};

#[test]
fn packets_count_for_the_rule_of_their_time() {
    let mut tracker = tracker();
    let by = |rules_version, rule, packets| FlowSample {
        rules_version,
        rule: Some(rule),
        ..sample(0, 1, 1, packets)
    };
    tracker.set_rules(1, [("voice".into(), false)]);
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
    tracker.advance(&snapshot(5, &[by(1, 0, 21)], &[]));
    assert_eq!(found(&tracker), expected(&[("voice", 19, 1)]));
    tracker.advance(&snapshot(6, &[by(2, 1, 23)], &[]));
    assert_eq!(found(&tracker), expected(&[("voice", 21, 2)]));
}
