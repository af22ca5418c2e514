//! What metrics say of a run: counters that only grow, so that whoever reads them now and then misses nothing.
//!
//! A [`Meter`] is fed with what each reading adds. What a flow adds is counted once for its rule and interface, and once
//! more in exactly one place: in the flow's own series while it has one, else in the remainder of its rule and interface.
//! So all series only grow, and those of flows and the remainder together grow as their rule does. Off, it costs a look
//! at a word for each flow that a reading has.

mod exposition;
mod flows;
mod growth;
mod interfaces;

use std::sync::Arc;

use hashbrown::HashTable;
use rustc_hash::{FxBuildHasher, FxHashSet};

use super::alert::Alerts;
use super::counts::Counts;
use super::tracker::{Flow, Report};
pub use exposition::{AlertFigure, Exposition, FlowSeries, RuleFigures, RuleSeries, Spread};
use flows::FlowLedger;
pub use flows::{Bounds, Identity, LINGERS_NS, SERIES_OF_A_FLOW};
pub use growth::Growth;
use interfaces::InterfaceLedger;
pub use interfaces::InterfaceSeries;

/// The counters of a run, if somebody asked for them.
#[derive(Debug, Default)]
pub struct Meter(Option<Box<Ledger>>);

#[derive(Debug, Default)]
struct Ledger {
    groups: Groups,
    flows: FlowLedger,
    interfaces: InterfaceLedger,
}

impl Meter {
    /// Begins to count, or goes on within other bounds; `None`: forgets everything. All counters begin at zero.
    pub fn set(&mut self, bounds: Option<Bounds>, report: &Report) {
        let Some(bounds) = bounds else {
            self.0 = None;
            return;
        };
        let ledger = self.0.get_or_insert_with(|| {
            let mut ledger = Box::<Ledger>::default();
            ledger.interfaces.begin(report);
            ledger
        });
        ledger.flows.set_bounds(bounds);
    }

    /// Whether anybody asked for them.
    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// The totals of a flow before a reading is added to it, where they will be asked for.
    #[inline]
    pub fn look(&self, flow: &Flow) -> Option<Counts> {
        self.is_on().then_some(flow.counts)
    }

    /// Counts what a reading added to this flow, whose totals have it already, beyond those before.
    #[inline]
    pub fn count(&mut self, flow: &Flow, before: Option<&Counts>) {
        if let (Some(ledger), Some(before)) = (&mut self.0, before) {
            ledger.count(flow, &Growth::between(before, &flow.counts));
        }
    }

    /// The flow has left the list: its series will not grow any more.
    pub fn end(&mut self, flow: &Flow, now_ns: u64) {
        if let Some(ledger) = &mut self.0 {
            ledger.flows.end(&flow.key, now_ns);
        }
    }

    /// Counts what a reading added to the interfaces, all of whose rows have it already.
    pub fn count_interfaces(&mut self, report: &Report) {
        if let Some(ledger) = &mut self.0 {
            ledger.interfaces.count(report);
        }
    }

    /// Chooses anew which flows have series of their own: at the end of each interval, when rates are known.
    pub fn choose(&mut self, report: &Report) {
        if let Some(ledger) = &mut self.0 {
            ledger.flows.choose(report);
            ledger.interfaces.forget(report);
            ledger.groups.forget(report);
        }
    }

    /// All counters begin at zero, as after a new start. `report` has been set to zero already.
    pub fn reset(&mut self, report: &Report) {
        if let Some(ledger) = &mut self.0 {
            ledger.groups = Groups::default();
            ledger.flows.reset();
            ledger.interfaces = InterfaceLedger::default();
            ledger.interfaces.begin(report);
        }
    }

    /// All of it as of this report; `None` where nobody asked for it.
    pub fn exposition(&self, report: &Report, alerts: &Alerts) -> Option<Exposition> {
        let ledger = self.0.as_deref()?;
        Some(exposition::expose(ledger, report, alerts))
    }
}

impl Ledger {
    fn count(&mut self, flow: &Flow, growth: &Growth) {
        let group = self.groups.of(flow);
        group.latest_ns = group.latest_ns.max(flow.last_seen_ns);
        group.all += *growth;
        if !self.flows.count(flow, growth) {
            group.rest += *growth;
        }
    }
}

/// What came of the flows of one rule on one interface.
#[derive(Debug, Clone)]
struct Group {
    /// `None`: of no rule.
    rule: Option<Arc<str>>,
    interface: Arc<str>,
    /// All of it.
    all: Growth,
    /// What no flow's own series has.
    rest: Growth,
    /// When something came last, CLOCK_MONOTONIC ns.
    latest_ns: u64,
}

impl Group {
    fn is_of(&self, rule: Option<&str>, interface: &str) -> bool {
        self.rule.as_deref() == rule && *self.interface == *interface
    }
}

/// All groups, found by the names of rule and interface.
#[derive(Debug, Default)]
struct Groups {
    all: Vec<Group>,
    by_names: HashTable<usize>,
    /// The one that was asked for last: consecutive samples are mostly of the same.
    latest: usize,
}

fn hash(rule: Option<&str>, interface: &str) -> u64 {
    std::hash::BuildHasher::hash_one(&FxBuildHasher, (rule, interface))
}

impl Groups {
    fn of(&mut self, flow: &Flow) -> &mut Group {
        let (rule, interface) = (flow.rule.as_deref(), &*flow.interface);
        let is_latest = |group: &Group| group.is_of(rule, interface);
        if !self.all.get(self.latest).is_some_and(is_latest) {
            self.latest = self.find(rule, interface).unwrap_or_else(|| self.add(flow));
        }
        &mut self.all[self.latest]
    }

    fn find(&self, rule: Option<&str>, interface: &str) -> Option<usize> {
        let is_it = |at: &usize| self.all[*at].is_of(rule, interface);
        self.by_names.find(hash(rule, interface), is_it).copied()
    }

    fn add(&mut self, flow: &Flow) -> usize {
        let at = self.all.len();
        self.all.push(Group {
            rule: flow.rule.clone(),
            interface: flow.interface.clone(),
            all: Growth::default(),
            rest: Growth::default(),
            latest_ns: 0,
        });
        self.index(at);
        at
    }

    fn index(&mut self, at: usize) {
        let all = &self.all;
        let hash_of = |at: &usize| hash(all[*at].rule.as_deref(), &all[*at].interface);
        self.by_names.insert_unique(hash_of(&at), at, hash_of);
    }

    /// Forgets groups whose rule is not in force any more or whose interface has no row, once their last values could be
    /// read.
    fn forget(&mut self, report: &Report) {
        let rules: FxHashSet<&str> = report.rules.iter().map(|rule| &*rule.name).collect();
        let interfaces: FxHashSet<&str> = report.interfaces.iter().map(|i| &*i.name).collect();
        let before = self.all.len();
        self.all.retain(|group| {
            let is_recent = report.taken_ns.saturating_sub(group.latest_ns) < LINGERS_NS;
            let is_in_force = group
                .rule
                .as_deref()
                .is_none_or(|rule| rules.contains(rule));
            is_recent || is_in_force && interfaces.contains(&*group.interface)
        });
        if self.all.len() < before {
            self.by_names.clear();
            self.latest = 0;
            (0..self.all.len()).for_each(|at| self.index(at));
        }
    }
}

#[cfg(test)]
#[path = "metrics/tests.rs"]
mod tests;
#[cfg(test)]
#[path = "metrics/world_tests.rs"]
mod world;
