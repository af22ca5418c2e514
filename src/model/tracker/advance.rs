//! Turns snapshots into reports: which flow a slot belongs to, totals, intervals, resets.
//!
//! Every total is a sum of differences between two readings of one life of one slot. So a flow may move to another slot,
//! have two for a while, or wrap a counter, and its numbers go on. Pure: time comes in with each snapshot.

pub mod carried;

use std::sync::Arc;

use hashbrown::HashTable;

use super::closing::Closing;
use super::counting::Counting;
use super::eventful::Eventful;
use super::excess::Excess;
use super::gaps::Histograms;
use super::interfaces::InterfaceLedger;
use super::kept::KeptFlows;
use super::keys::{finder, hash};
use super::locality::{Course, Upcoming, sort_by_slot};
use super::rules::{RuleVersions, rule_of};
use super::slots::Slots;
use super::state::{Ended, FlowState, push_lean};
use super::window::Intervals;
use super::window_step::WindowStep;
use super::{Flow, Report};
use crate::model::counts::{CounterSet, Counts, Metered, TableCounts};
use crate::model::flow::{FlowKey, Protocol};
use crate::model::metrics::Meter;
use crate::model::snapshot::{FlowSample, Snapshot, TableSample};

/// Makes a [`Report`] out of snapshots: taken in at each refresh, closed at the end of each throughput interval.
#[derive(Debug)]
pub struct FlowTracker {
    report: Report,
    states: Vec<FlowState>,
    /// Indices in the report, where the keys are.
    by_key: HashTable<u32>,
    slots: Slots,
    interfaces: InterfaceLedger,
    histograms: Histograms,
    /// What checks judge at the end, where there are any.
    pub(super) kept: Option<Box<KeptFlows>>,
    meter: Meter,
    rule_versions: RuleVersions,
    table_baseline: TableCounts,
    intervals: Intervals,
    /// That of the jitter window which the latest snapshot is in.
    step: WindowStep,
    pub(super) interval_began_ns: u64,
    /// When the two latest snapshots were taken, the latest last.
    counted_ns: [u64; 2],
}

impl FlowTracker {
    /// Size of a flow in the two lists that a refresh goes through; rings of histories and tables of keys come on top.
    pub const BYTES_OF_A_FLOW: usize = size_of::<Flow>() + size_of::<FlowState>();

    /// A tracker for a run that starts at `now_ns`, CLOCK_MONOTONIC.
    pub fn new(intervals: Intervals, now_ns: u64) -> FlowTracker {
        FlowTracker {
            report: Report {
                newest_ipv6_ns: Some(0),
                ..Report::default()
            },
            states: Vec::new(),
            by_key: HashTable::new(),
            slots: Slots::default(),
            interfaces: InterfaceLedger::default(),
            histograms: Histograms::default(),
            kept: None,
            meter: Meter::default(),
            rule_versions: RuleVersions::default(),
            table_baseline: TableCounts::default(),
            intervals,
            step: WindowStep::first(now_ns),
            interval_began_ns: now_ns,
            counted_ns: [0; 2],
        }
    }

    /// Flows and interfaces as of the latest [`advance`](Self::advance); rates as of the latest closed interval.
    pub fn report(&self) -> &Report {
        &self.report
    }

    /// Sets the names of this version's rules, in the order of the indices in samples, and whether their flows keep
    /// histograms. A rule that keeps its name keeps its totals.
    pub fn set_rules(&mut self, version: u8, rules: impl IntoIterator<Item = (Arc<str>, bool)>) {
        self.rule_versions.begin(version, rules, &mut self.report);
        self.report.revision += 1;
    }

    /// What metrics say of the run, and the report that they go on with.
    pub fn meter(&mut self) -> (&mut Meter, &Report) {
        (&mut self.meter, &self.report)
    }

    /// Changes the intervals; jitter windows begin anew.
    pub fn set_intervals(&mut self, intervals: Intervals) {
        self.intervals = intervals;
        for state in &mut self.states {
            state.window.clear();
        }
    }

    /// Counts what came since the previous snapshot.
    pub fn advance(&mut self, snapshot: &Snapshot) {
        // However soon it comes: an interval may have ended before it.
        self.step = self.step_at(u64::MAX);
        self.count_snapshot(snapshot, None);
    }

    /// Ends the throughput interval: rates, windows and histories are those of the time since it began.
    pub fn close_interval(&mut self) {
        let Some(seconds) = self.begin_interval() else {
            return;
        };
        self.report.revision += 1;
        let closing = Closing::begin(self.ended(seconds), &mut self.report, None);
        closing.finish(&mut self.report, &mut self.states);
        self.interfaces.close_interval(&mut self.report, seconds);
    }

    /// Counts what came since the previous snapshot, and ends the throughput interval: the same as one after the other, but
    /// each flow is gone through once.
    pub fn advance_and_close(&mut self, snapshot: &Snapshot) {
        self.step = self.step_at(snapshot.taken_ns);
        self.report.taken_ns = snapshot.taken_ns;
        let closing = self.begin_interval();
        self.count_snapshot(snapshot, closing);
        if let Some(seconds) = closing {
            self.interfaces.close_interval(&mut self.report, seconds);
        }
    }

    /// Begins the next interval. Returns the length of the one that ends, s; `None` if no time has passed.
    fn begin_interval(&mut self) -> Option<f64> {
        let now = self.report.taken_ns;
        let elapsed = now.saturating_sub(self.interval_began_ns);
        if elapsed == 0 {
            return None;
        }
        self.interval_began_ns = now;
        let seconds = elapsed as f64 / 1e9;
        self.report.interval_s = seconds;
        self.report.lengths.push(Some(seconds));
        Some(seconds)
    }

    fn count_snapshot(&mut self, snapshot: &Snapshot, closing: Option<f64>) {
        self.report.revision += 1;
        self.report.taken_ns = snapshot.taken_ns;
        Histograms::end(&snapshot.histograms, &mut self.report, finder(&self.by_key));
        let kept = self.kept.iter_mut();
        kept.for_each(|kept| kept.count_histograms(&snapshot.histograms));
        self.report.table = TableSample {
            counts: snapshot.table.counts.since(&self.table_baseline),
            ..snapshot.table
        };
        self.report.capture = snapshot.capture;
        let renamed = self
            .interfaces
            .update(&snapshot.interfaces, &mut self.report);
        // What comes with this snapshot is counted under the present names, of flows as of interfaces.
        if renamed {
            for flow in &mut self.report.flows {
                flow.interface = self.interfaces.name(flow.key.ifindex);
            }
        }
        self.count_all(snapshot, closing);
        self.counted_ns = [self.counted_ns[1], snapshot.taken_ns];
        for slot in &snapshot.freed {
            self.release(*slot);
        }
        self.histograms
            .keep(&snapshot.histograms, &mut self.report, finder(&self.by_key));
        self.interfaces.forget(&snapshot.forgotten, &self.report);
        self.interfaces.sum_up(&mut self.report);
        self.interfaces.fold(&mut self.report);
        self.meter.count_interfaces(&self.report);
    }

    /// The interval of so many seconds that ends with the latest snapshot.
    fn ended(&self, seconds: f64) -> Ended {
        Ended {
            now_ns: self.report.taken_ns,
            seconds,
            oldest_step: self.step.oldest(self.intervals),
        }
    }

    /// The step of the jitter window that the next snapshot is in, which is taken then.
    fn step_at(&self, taken_ns: u64) -> WindowStep {
        let latest_ns = self.report.taken_ns;
        let has_ended = self.interval_began_ns == latest_ns;
        let ended_ns = has_ended.then_some((self.report.interval_s * 1e9) as u64);
        self.step
            .after(latest_ns, taken_ns, ended_ns, self.intervals)
    }

    /// Sets all totals to zero. Nothing in the kernel changes, and the next differences count as ever.
    pub fn reset(&mut self) {
        self.report.revision += 1;
        for (flow, state) in self.report.flows.iter_mut().zip(&mut self.states) {
            state.keep_apart(flow);
            flow.watched.begin_at_zero(flow.counts.ip.as_ref());
            flow.counts = flow.counts.emptied();
            flow.glance.excess = Excess::default();
        }
        for rule in &mut self.report.rules {
            rule.counts = Counts::default();
            rule.gaps = rule.gaps.take().map(|_| Box::default());
        }
        self.interfaces.reset(&mut self.report);
        self.table_baseline += std::mem::take(&mut self.report.table.counts);
        self.kept.iter_mut().for_each(|it| it.reset(&self.report));
        self.meter.reset(&self.report);
    }

    /// Counts all samples; `closing`: they are the last of an interval of so many seconds.
    fn count_all(&mut self, snapshot: &Snapshot, closing: Option<f64>) {
        let samples = &snapshot.flows;
        self.report.eventful = Eventful::default();
        // Slots change hands before anything is counted, so that a flow with one slot is finished by its sample.
        for sample in snapshot.newcomers_since(self.counted_ns[1]) {
            self.place(sample);
        }
        // Newcomers of which nothing was said: their interval ends with the next one.
        let mut unannounced = Vec::new();
        let oldest_step = self.step.oldest(self.intervals);
        let listed = self.report.flows.len();
        let after = Some(self.counted_ns);
        let mut closing = closing.map(|s| Closing::begin(self.ended(s), &mut self.report, after));
        let Report { flows, rules, .. } = &mut self.report;
        let states = &mut self.states[..];
        let mut counting = Counting {
            step: self.step.number,
            oldest_step,
            rule_versions: &self.rule_versions,
            rules,
            kept: self.kept.as_deref_mut(),
            meter: &mut self.meter,
        };
        let mut course = Course::default();
        let mut upcoming = Upcoming::new(samples, &self.slots);
        // Consecutive samples are mostly of one interface: it is looked up once for all of them.
        let (mut ifindex, mut came_in) = (None, Metered::default());
        for (at, sample) in samples.iter().enumerate() {
            let Some(index) = upcoming.flow_at(at, samples, &self.slots, (flows, states)) else {
                unannounced.push(*sample);
                continue;
            };
            course.visit(index);
            let (flow, state) = (&mut flows[index], &mut states[index]);
            let came = counting.count(flow, state, sample);
            match &mut closing {
                Some(closing) => closing.close_after_sample(index, flow, state, came),
                None => state.came += came,
            }
            if ifindex != Some(sample.key.ifindex) {
                self.interfaces.count(ifindex, came_in.across_flows());
                (ifindex, came_in) = (Some(sample.key.ifindex), Metered::default());
            }
            came_in += came;
        }
        self.interfaces.count(ifindex, came_in.across_flows());
        if let Some(closing) = closing {
            closing.finish(&mut self.report, &mut self.states);
        }
        if course.wants_order(samples.len(), listed) {
            let report = &mut self.report;
            sort_by_slot(&mut self.slots, &mut self.by_key, report, &mut self.states);
        }
        if !unannounced.is_empty() {
            let flows = unannounced;
            let others = Snapshot {
                flows,
                ..Snapshot::default()
            };
            self.count_all(&others, None);
        }
    }

    /// Gives the slot to the sample's flow, if it has not got it, and only then takes it from its former one: should both be
    /// the same, the flow stays listed.
    fn place(&mut self, sample: &FlowSample) {
        if self.slots.flow_of(sample).is_some() {
            return;
        }
        match self.find(&sample.key) {
            Some(index) => {
                let flow = &mut self.report.flows[index as usize];
                self.states[index as usize].join(flow, sample);
                flow.first_seen_ns = flow.first_seen_ns.min(sample.first_seen_ns);
                // There is no gap in front of its first packet.
                flow.glance.excess.add(0, 1);
            }
            None => self.list(sample),
        }
        self.release(sample.slot);
        let Some(index) = self.find(&sample.key) else {
            return;
        };
        let state = &mut self.states[index as usize];
        let is_stream = sample.key.protocol == Protocol::Tcp;
        if state.profile != sample.profile && !is_stream || sample.counts.sequence.is_none() {
            // Sequence numbers found under another profile say nothing about these.
            state.profile = sample.profile;
            (state.came.lost, state.came.arrived) = (0, 0);
            state.window.forget_numbers();
            self.report.flows[index as usize].counts.sequence = None;
        }
        self.slots.give(sample, index);
    }

    /// At which index of the report a flow is.
    pub(super) fn find(&self, key: &FlowKey) -> Option<u32> {
        finder(&self.by_key)(&self.report.flows, key)
    }

    fn list(&mut self, sample: &FlowSample) {
        let index = self.report.flows.len() as u32;
        let flow = Flow::of(sample, self.interfaces.name(sample.key.ifindex));
        self.interfaces.begin(&flow);
        self.kept.iter_mut().for_each(|kept| kept.begin(&flow));
        self.report.list(flow);
        push_lean(&mut self.states, FlowState::of(sample));
        let flows = &self.report.flows;
        let hash_of = |index: &u32| hash(&flows[*index as usize].key);
        self.by_key.insert_unique(hash(&sample.key), index, hash_of);
    }

    /// Takes the slot from its flow. A flow without a slot leaves the list, and its counts go to `ended`.
    fn release(&mut self, slot: u32) {
        if let Some(index) = self.slots.take(slot)
            && self.states[index].leave(slot)
        {
            self.unlist(index);
        }
    }

    fn unlist(&mut self, index: usize) {
        let last = self.report.flows.len() - 1;
        for (key, place) in [(index, None), (last, Some(index))] {
            let hash = hash(&self.report.flows[key].key);
            let entry = self.by_key.find_entry(hash, |at| *at as usize == key);
            match (entry, place) {
                (Ok(entry), None) => drop(entry.remove()),
                (Ok(mut entry), Some(place)) => *entry.get_mut() = place as u32,
                (Err(_), _) => {}
            }
        }
        self.states.swap_remove(index);
        let flow = self.report.unlist(index);
        self.interfaces.end(&flow);
        self.kept.iter_mut().for_each(|kept| kept.end(&flow));
        self.meter.end(&flow, self.report.taken_ns);
        if let Some(rule) = rule_of(&mut self.report.rules, &flow) {
            rule.flows -= 1;
        }
        if let Some(moved) = self.states.get(index) {
            self.slots.follow(moved.slots(), index as u32);
        }
    }
}

#[cfg(test)]
#[path = "advance_tests.rs"]
pub mod tests;

#[cfg(test)]
#[path = "churn_tests.rs"]
mod churn;

#[cfg(test)]
#[path = "window_length_tests.rs"]
mod window_length;
