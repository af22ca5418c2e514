//! What a tracker knows beyond the readings of the flows that are in the table: with both, another tracker goes on from
//! the middle of a run with the same totals.

use std::sync::Arc;

use super::{FlowTracker, Histograms, WindowStep};
use crate::model::counts::{CounterSet, Counts, Metered, TableCounts};
use crate::model::flow::FlowKey;
use crate::model::histogram::Histogram;
use crate::model::snapshot::{FlowSample, InterfaceSample, Snapshot};
use crate::model::tracker::excess::Excess;
use crate::model::tracker::keys::{finder, hash};
use crate::model::tracker::rules::rule_of;

/// What goes from one tracker to another.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Carried {
    /// In the order of the report; behind them those without a row, which have no name.
    pub interfaces: Vec<CarriedInterface>,
    /// Of the rules in force, in their order.
    pub rules: Vec<CarriedRule>,
    /// Flows that are more than the reading of one slot by the rules in force.
    pub flows: Vec<CarriedFlow>,
    /// What had happened to the table at the latest reset.
    pub table: TableCounts,
    /// When the step of the jitter window began that the next snapshot is in, CLOCK_MONOTONIC ns, if it is known.
    pub step_began_ns: Option<u64>,
    /// A slot of each flow that comes in aggregates, in ascending order.
    pub in_aggregates: Vec<u32>,
}

/// Of an interface.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CarriedInterface {
    /// What was counted outside the flows, less the baseline.
    pub counted: InterfaceSample,
    /// What the hook had counted at the latest reset.
    pub baseline: InterfaceSample,
    /// Flows that left the table.
    pub ended: Counts,
    /// It is gone and will not be reported again.
    pub is_former: bool,
}

/// Of a rule.
#[derive(Debug, Clone, PartialEq)]
pub struct CarriedRule {
    /// What came of its flows.
    pub counts: Counts,
    /// When a packet matched last, CLOCK_MONOTONIC ns.
    pub last_match_ns: u64,
    /// The gaps of flows that left the table, if the rule asks for them.
    pub ended: Option<Histogram>,
}

/// Of a flow.
#[derive(Debug, Clone, PartialEq)]
pub struct CarriedFlow {
    /// Whose totals these are.
    pub key: FlowKey,
    /// Its totals.
    pub counts: Counts,
    /// Its jitter epochs.
    pub jitter_epochs: u32,
    /// Its first packet, CLOCK_MONOTONIC ns.
    pub first_seen_ns: u64,
    /// Its latest packet, CLOCK_MONOTONIC ns.
    pub last_seen_ns: u64,
    /// The name of the rule that made it a flow.
    pub rule: Option<Arc<str>>,
    /// Whether that rule is in force, rather than another one of its name.
    pub is_in_force: bool,
}

impl FlowTracker {
    /// What another tracker has to know beside the readings.
    pub fn carried(&self) -> Carried {
        let report = &self.report;
        let in_force = |name: &Arc<str>| report.rules.iter().any(|it| Arc::ptr_eq(&it.name, name));
        let flows = report.flows.iter().zip(&self.states);
        // Of all others a reading says what they are.
        let beyond = flows.filter(|(flow, state)| {
            let is_current = state.rules_version == self.rule_versions.latest;
            let is_told = |name| is_current && in_force(name);
            state.has_shares() || !flow.rule.as_ref().is_none_or(is_told)
        });
        Carried {
            interfaces: self.interfaces.carried(report),
            rules: report
                .rules
                .iter()
                .map(|rule| CarriedRule {
                    counts: rule.counts,
                    last_match_ns: rule.last_match_ns,
                    ended: rule.gaps.as_ref().map(|gaps| gaps.ended.clone()),
                })
                .collect(),
            flows: beyond
                .map(|(flow, _)| CarriedFlow {
                    key: flow.key,
                    counts: flow.counts,
                    jitter_epochs: flow.jitter_epochs,
                    first_seen_ns: flow.first_seen_ns,
                    last_seen_ns: flow.last_seen_ns,
                    rule: flow.rule.clone(),
                    is_in_force: flow.rule.as_ref().is_some_and(in_force),
                })
                .collect(),
            table: self.table_baseline,
            step_began_ns: Some(self.step_at(u64::MAX).began_ns),
            in_aggregates: self.in_aggregates(),
        }
    }

    fn in_aggregates(&self) -> Vec<u32> {
        let flows = self.report.flows.iter().zip(&self.states);
        let in_aggregates = flows.filter(|(flow, _)| flow.comes_in_aggregates());
        let slots = in_aggregates.filter_map(|(_, state)| state.slots().next());
        let mut slots: Vec<u32> = slots.collect();
        slots.sort_unstable();
        slots
    }

    /// Goes on where another tracker was: `all` has every flow of the table and every interface as it had read them, and the
    /// rules are in force. Nothing of it came in this interval, nor in the jitter window.
    pub fn resume(&mut self, all: &Snapshot, carried: &Carried) {
        self.table_baseline = carried.table;
        self.make_room(all.flows.len());
        self.advance(all);
        for state in &mut self.states {
            state.window.clear();
        }
        self.resume_excess(all, &carried.in_aggregates);
        for of_flow in &carried.flows {
            self.resume_flow(of_flow);
        }
        for (rule, of_rule) in self.report.rules.iter_mut().zip(&carried.rules) {
            rule.counts = of_rule.counts;
            rule.last_match_ns = of_rule.last_match_ns;
            if let (Some(gaps), Some(ended)) = (&mut rule.gaps, &of_rule.ended) {
                gaps.ended.clone_from(ended);
            }
        }
        let find = finder(&self.by_key);
        Histograms::sum_up(&self.histograms, &mut self.report, find);
        self.interfaces
            .resume(&carried.interfaces, &mut self.report);
        for (flow, state) in self.report.flows.iter_mut().zip(&mut self.states) {
            flow.interface = self.interfaces.name(flow.key.ifindex);
            state.came = Metered::default();
            flow.watched.begin_at(flow.counts.ip.as_ref());
        }
        self.interval_began_ns = all.taken_ns;
        self.step = WindowStep::first(carried.step_began_ns.unwrap_or(all.taken_ns));
    }

    /// So many more flows are listed soon.
    fn make_room(&mut self, flows: usize) {
        self.report.flows.reserve_exact(flows);
        self.states.reserve_exact(flows);
        let listed = &self.report.flows;
        let hash_of = |index: &u32| hash(&listed[*index as usize].key);
        self.by_key.reserve(flows, hash_of);
    }

    /// A reading has all packets, and only the gaps since the latest pause: it does not tell which flows come in aggregates.
    fn resume_excess(&mut self, all: &Snapshot, in_aggregates: &[u32]) {
        for flow in &mut self.report.flows {
            flow.glance.excess = Excess::default();
        }
        let is_one = |sample: &&FlowSample| in_aggregates.binary_search(&sample.slot).is_ok();
        for sample in all.flows.iter().filter(is_one) {
            if let Some(index) = self.slots.flow_of(sample) {
                self.report.flows[index].glance.excess = Excess::MOST;
            }
        }
    }

    fn resume_flow(&mut self, of_flow: &CarriedFlow) {
        let Some(index) = self.find(&of_flow.key) else {
            return;
        };
        let flow = &mut self.report.flows[index as usize];
        self.states[index as usize].keep_apart(flow);
        let rules = &mut self.report.rules;
        if let Some(former) = rule_of(rules, flow) {
            former.flows -= 1;
        }
        let named = |name: &Arc<str>| {
            let mut rules = rules.iter().filter(|_| of_flow.is_in_force);
            let rule = rules.find(|rule| rule.name == *name);
            rule.map_or_else(|| name.clone(), |rule| rule.name.clone())
        };
        flow.rule = of_flow.rule.as_ref().map(named);
        if let Some(rule) = rule_of(rules, flow) {
            rule.flows += 1;
        }
        let before = std::mem::replace(&mut flow.counts, of_flow.counts).across_flows();
        let added = flow.counts.across_flows().since(&before);
        flow.jitter_epochs = of_flow.jitter_epochs;
        (flow.first_seen_ns, flow.last_seen_ns) = (of_flow.first_seen_ns, of_flow.last_seen_ns);
        self.interfaces.count(Some(flow.key.ifindex), added);
    }
}

#[cfg(test)]
#[path = "carried_tests.rs"]
mod tests;
