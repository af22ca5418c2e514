//! The rules' share of a report: whose a flow is, and what came of each.

use std::sync::Arc;

use super::{Flow, Report, RuleReport};
use crate::model::snapshot::{Counts, FlowSample};

/// By which rules samples are judged.
#[derive(Debug, Default)]
pub struct RuleVersions {
    /// That of the rules in force.
    pub latest: u8,
    /// The one before, and where its rules are among those in force, as far as they are: what came while the rules were changed was
    /// judged by it.
    former: (u8, Vec<Option<usize>>),
    /// Rules are in force, or were: a flow may have one.
    has_any: bool,
}

impl RuleVersions {
    /// Sets the names of this version's rules, and whether their flows keep histograms. One that keeps its name keeps its totals.
    pub fn begin(
        &mut self,
        version: u8,
        rules: impl IntoIterator<Item = (Arc<str>, bool)>,
        report: &mut Report,
    ) {
        let former: Vec<Arc<str>> = report.rules.iter().map(|rule| rule.name.clone()).collect();
        rename(report, rules);
        let place_of = |name: &Arc<str>| {
            let mut now = report.rules.iter();
            now.position(|rule| Arc::ptr_eq(&rule.name, name))
        };
        self.former = (self.latest, former.iter().map(place_of).collect());
        self.latest = version;
        self.has_any |= !report.rules.is_empty();
    }

    /// The place of the sample's rule among those in force, if it has one. `None`: it was judged by others, whose rule is not
    /// in force any more.
    #[inline]
    pub fn place_of(&self, sample: &FlowSample) -> Option<Option<usize>> {
        if !self.has_any {
            return None;
        }
        let index = sample.rule.map(usize::from);
        if sample.rules_version == self.latest {
            return Some(index);
        }
        let (version, places) = &self.former;
        let is_former = sample.rules_version == *version;
        let place = index
            .filter(|_| is_former)
            .and_then(|index| places.get(index).copied()?);
        place.map(Some)
    }
}

fn rename(report: &mut Report, rules: impl IntoIterator<Item = (Arc<str>, bool)>) {
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

/// Counts for the rule at this place what came with a sample; the flow may have had another one, or none.
pub fn count_for_rule(
    rules: &mut [RuleReport],
    flow: &mut Flow,
    index: Option<usize>,
    (counts, last_seen_ns): (Counts, u64),
) {
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
        rule.last_match_ns = rule.last_match_ns.max(last_seen_ns);
    }
}

#[cfg(test)]
#[path = "rules_tests.rs"]
mod tests;
