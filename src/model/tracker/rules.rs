//! The rules' share of a report: whose a flow is, and what came of each.

use std::sync::Arc;

use super::{Flow, Report, RuleReport};
use crate::model::snapshot::{Counts, FlowSample};

/// Sets the names of the rules in force, and whether their flows keep histograms. One that keeps its name keeps its totals.
pub fn rename(report: &mut Report, rules: impl IntoIterator<Item = (Arc<str>, bool)>) {
    let former = std::mem::take(&mut report.rules);
    let now = report.taken_ns;
    let rules = rules.into_iter().map(|(name, histogram)| {
        let known = former.iter().find(|rule| rule.name == name).cloned();
        let mut rule = known.unwrap_or(RuleReport {
            name,
            counts: Counts::default(),
            flows: 0,
            gaps: None,
            last_match_ns: now,
        });
        rule.gaps = histogram.then(|| rule.gaps.unwrap_or_default());
        rule
    });
    report.rules = rules.collect();
}

/// The rule in force that the flow counts for. Names are shared: the same pointer is the same rule.
pub fn rule_of<'a>(rules: &'a mut [RuleReport], flow: &Flow) -> Option<&'a mut RuleReport> {
    let name = flow.rule.as_ref()?;
    rules.iter_mut().find(|rule| Arc::ptr_eq(&rule.name, name))
}

/// Counts for the rule what came with the sample; the flow may have had another one, or none.
pub fn count_for_rule(
    rules: &mut [RuleReport],
    flow: &mut Flow,
    sample: &FlowSample,
    counts: Counts,
) {
    let index = sample.rule.map(usize::from);
    let now = index
        .and_then(|index| rules.get(index))
        .map(|rule| &rule.name);
    let stays = match (now, &flow.rule) {
        (Some(now), Some(before)) => Arc::ptr_eq(now, before),
        (now, before) => now.is_none() && before.is_none(),
    };
    if !stays {
        let now = now.cloned();
        if let Some(former) = rule_of(rules, flow) {
            former.flows -= 1;
        }
        flow.rule = now;
        if let Some(rule) = rule_of(rules, flow) {
            rule.flows += 1;
        }
    }
    if let Some(rule) = index.and_then(|index| rules.get_mut(index)) {
        rule.counts += counts;
        rule.last_match_ns = rule.last_match_ns.max(sample.last_seen_ns);
    }
}
