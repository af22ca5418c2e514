//! Makes reports out of snapshots: differences by slot, ageing, baselines.
//!
//! Every total is a sum of differences between two readings of one life of one slot, so that a flow may change slots,
//! have two for a while, or wrap a counter, and its numbers go on. Pure: time comes in with each snapshot.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::interfaces::InterfaceLedger;
use super::window::{Intervals, Window};
use super::{Flow, History, Interarrival, Rates, Report, RuleReport};
use crate::model::flow::FlowKey;
use crate::model::snapshot::{FlowSample, GapSums, Sequence, Snapshot, TableSample, Volume};

/// What one life of a slot had counted when it was read last.
#[derive(Debug, Clone, Copy, Default)]
struct SlotMemory {
    generation: u32,
    /// Its flow's place in the report; meaningful while `is_live`.
    flow: u32,
    is_live: bool,
    volume: Volume,
    payload_bytes: u64,
    epoch: u32,
    gaps: GapSums,
    sequence: Sequence,
}

/// What belongs to a flow and is not shown; at the same place as the flow in the report.
#[derive(Debug, Clone, Default)]
struct FlowState {
    /// Slots that count for the flow: one; more where CPUs brought it in at the same moment.
    slots: Vec<u32>,
    profile: u8,
    volume_then: Volume,
    payload_then: u64,
    lost_then: u64,
    window: Window,
}

/// Makes a [`Report`] out of snapshots: taken in at each refresh, closed at the end of each throughput interval.
#[derive(Debug)]
pub struct FlowTracker {
    report: Report,
    states: Vec<FlowState>,
    by_key: FxHashMap<FlowKey, u32>,
    slots: Vec<SlotMemory>,
    interfaces: InterfaceLedger,
    rules_version: u8,
    table_baseline: TableSample,
    intervals: Intervals,
    /// Number of the window's step that the next gaps belong to, and when it began.
    step: u64,
    step_began_ns: u64,
    interval_began_ns: u64,
}

impl FlowTracker {
    /// A tracker for a run that starts at `now_ns`, CLOCK_MONOTONIC.
    pub fn new(intervals: Intervals, now_ns: u64) -> FlowTracker {
        FlowTracker {
            report: Report::default(),
            states: Vec::new(),
            by_key: FxHashMap::default(),
            slots: Vec::new(),
            interfaces: InterfaceLedger::default(),
            rules_version: 0,
            table_baseline: TableSample::default(),
            intervals,
            step: 0,
            step_began_ns: now_ns,
            interval_began_ns: now_ns,
        }
    }

    /// Flows and interfaces as of the latest [`advance`](Self::advance); rates as of the latest closed interval.
    pub fn report(&self) -> &Report {
        &self.report
    }

    /// The rules of this version by name, in the order that samples refer to; one that keeps its name keeps its totals.
    pub fn set_rules(&mut self, version: u8, names: impl IntoIterator<Item = Arc<str>>) {
        let former = std::mem::take(&mut self.report.rules);
        let now = self.report.taken_ns;
        let rules = names.into_iter().map(|name| {
            let known = former.iter().find(|rule| rule.name == name).cloned();
            known.unwrap_or(RuleReport {
                name,
                volume: Volume::default(),
                flows: 0,
                last_match_ns: now,
            })
        });
        self.report.rules = rules.collect();
        self.rules_version = version;
    }

    /// Other intervals from here on; windows begin anew.
    pub fn set_intervals(&mut self, intervals: Intervals) {
        self.intervals = intervals;
        for state in &mut self.states {
            state.window.clear();
        }
    }

    /// Takes in what was counted since the previous snapshot.
    pub fn advance(&mut self, snapshot: &Snapshot) {
        self.report.taken_ns = snapshot.taken_ns;
        self.report.table = TableSample {
            evicted: snapshot.table.evicted - self.table_baseline.evicted,
            insert_failures: snapshot.table.insert_failures - self.table_baseline.insert_failures,
            contended: snapshot.table.contended - self.table_baseline.contended,
            ..snapshot.table
        };
        if snapshot.taken_ns.saturating_sub(self.step_began_ns) >= self.intervals.step_ns() {
            self.step += 1;
            self.step_began_ns = snapshot.taken_ns;
        }
        let renamed = self.interfaces.note(&snapshot.interfaces, &mut self.report);
        for sample in &snapshot.flows {
            self.take(sample);
        }
        for slot in &snapshot.freed {
            self.release(*slot);
        }
        if renamed {
            for flow in &mut self.report.flows {
                flow.interface = self.interfaces.name(flow.key.ifindex);
            }
        }
        self.interfaces.forget(&snapshot.forgotten, &self.report);
        self.interfaces.sum_up(&mut self.report);
        self.interfaces.fold(&mut self.report);
        self.count_flows_of_rules();
    }

    fn count_flows_of_rules(&mut self) {
        for rule in &mut self.report.rules {
            rule.flows = 0;
        }
        for name in self
            .report
            .flows
            .iter()
            .filter_map(|flow| flow.rule.as_ref())
        {
            // The names are shared: the same pointer is the same rule.
            if let Some(rule) = self
                .report
                .rules
                .iter_mut()
                .find(|rule| Arc::ptr_eq(&rule.name, name))
            {
                rule.flows += 1;
            }
        }
    }

    /// Ends the throughput interval: rates, windows and histories are those of the time since the previous call.
    pub fn close_interval(&mut self) {
        let elapsed = self.report.taken_ns.saturating_sub(self.interval_began_ns);
        if elapsed == 0 {
            return;
        }
        let seconds = elapsed as f64 / 1e9;
        self.interval_began_ns = self.report.taken_ns;
        self.report.interval_s = seconds;
        let oldest = (self.step + 1).saturating_sub(self.intervals.steps());
        for (flow, state) in self.report.flows.iter_mut().zip(&mut self.states) {
            flow.interarrival = state.window.statistics(oldest);
            state.close_interval(flow, seconds);
        }
        self.interfaces.close_interval(&mut self.report, seconds);
    }

    /// Starts all totals at zero; nothing in the kernel changes, and the next differences count as ever.
    pub fn reset(&mut self) {
        for (flow, state) in self.report.flows.iter_mut().zip(&mut self.states) {
            flow.volume = Volume::default();
            flow.payload_bytes = 0;
            flow.sequence = flow.sequence.map(Sequence::emptied);
            (state.volume_then, state.payload_then, state.lost_then) = Default::default();
        }
        for rule in &mut self.report.rules {
            rule.volume = Volume::default();
        }
        self.interfaces.reset(&mut self.report);
        let table = &mut self.report.table;
        self.table_baseline.evicted += std::mem::take(&mut table.evicted);
        self.table_baseline.insert_failures += std::mem::take(&mut table.insert_failures);
        self.table_baseline.contended += std::mem::take(&mut table.contended);
    }

    fn take(&mut self, sample: &FlowSample) {
        let at = sample.slot as usize;
        if at >= self.slots.len() {
            self.slots.resize(at + 1, SlotMemory::default());
        }
        if self.slots[at].generation != sample.generation || !self.slots[at].is_live {
            self.occupy(sample);
        }
        let memory = &mut self.slots[at];
        let flow = &mut self.report.flows[memory.flow as usize];
        let state = &mut self.states[memory.flow as usize];
        if sample.epoch == memory.epoch {
            state.window.add(self.step, sample.gaps.since(memory.gaps));
        } else {
            state.window.clear();
            state.window.add(self.step, sample.gaps);
        }
        flow.volume += sample.volume.since(memory.volume);
        flow.payload_bytes += sample.payload_bytes.wrapping_sub(memory.payload_bytes);
        flow.jitter_epochs = flow.jitter_epochs.max(sample.epoch);
        flow.first_seen_ns = flow.first_seen_ns.min(sample.first_seen_ns);
        flow.last_seen_ns = flow.last_seen_ns.max(sample.last_seen_ns);
        if sample.rules_version == self.rules_version {
            let rule = sample
                .rule
                .and_then(|rule| self.report.rules.get_mut(usize::from(rule)));
            flow.rule = rule.as_ref().map(|rule| rule.name.clone());
            if let Some(rule) = rule {
                rule.volume += sample.volume.since(memory.volume);
                rule.last_match_ns = rule.last_match_ns.max(sample.last_seen_ns);
            }
        }
        if let Some(now) = sample.sequence {
            let before = flow.sequence.unwrap_or_else(|| Sequence::none_yet(&now));
            flow.sequence = Some(before.advanced(&memory.sequence, &now));
            memory.sequence = now;
        }
        memory.volume = sample.volume;
        memory.payload_bytes = sample.payload_bytes;
        memory.epoch = sample.epoch;
        memory.gaps = sample.gaps;
    }

    /// The slot counts for this flow from here on. Only then does its former flow lose it: should that be the same
    /// one, it stays listed.
    fn occupy(&mut self, sample: &FlowSample) {
        let index = match self.by_key.get(&sample.key) {
            Some(index) => *index,
            None => self.list(sample),
        };
        self.states[index as usize].slots.push(sample.slot);
        self.release(sample.slot);
        let index = self.by_key[&sample.key];
        let state = &mut self.states[index as usize];
        if state.profile != sample.profile || sample.sequence.is_none() {
            // Numbers found in another place say nothing about these.
            state.profile = sample.profile;
            state.lost_then = 0;
            self.report.flows[index as usize].sequence = None;
        }
        self.slots[sample.slot as usize] = SlotMemory {
            generation: sample.generation,
            flow: index,
            is_live: true,
            epoch: sample.epoch,
            ..SlotMemory::default()
        };
    }

    fn list(&mut self, sample: &FlowSample) -> u32 {
        let index = self.report.flows.len() as u32;
        self.report.flows.push(Flow {
            key: sample.key,
            interface: self.interfaces.name(sample.key.ifindex),
            volume: Volume::default(),
            payload_bytes: 0,
            rates: None,
            interarrival: Interarrival::default(),
            jitter_epochs: sample.epoch,
            sequence: None,
            rule: None,
            first_seen_ns: sample.first_seen_ns,
            last_seen_ns: sample.last_seen_ns,
            history: History::default(),
        });
        self.states.push(FlowState {
            profile: sample.profile,
            ..FlowState::default()
        });
        self.by_key.insert(sample.key, index);
        index
    }

    /// The slot counts for its former flow no more; a flow without a slot leaves the list, its volume has ended.
    fn release(&mut self, slot: u32) {
        let Some(memory) = self.slots.get_mut(slot as usize) else {
            return;
        };
        if !std::mem::take(&mut memory.is_live) {
            return;
        }
        let index = memory.flow as usize;
        let slots = &mut self.states[index].slots;
        if let Some(at) = slots.iter().position(|own| *own == slot) {
            slots.remove(at);
        }
        if slots.is_empty() {
            self.unlist(index);
        }
    }

    fn unlist(&mut self, index: usize) {
        self.states.swap_remove(index);
        let flow = self.report.flows.swap_remove(index);
        self.by_key.remove(&flow.key);
        self.interfaces.end(&flow);
        let Some(moved) = self.report.flows.get(index) else {
            return;
        };
        self.by_key.insert(moved.key, index as u32);
        for slot in &self.states[index].slots {
            let memory = &mut self.slots[*slot as usize];
            if memory.is_live {
                memory.flow = index as u32;
            }
        }
    }
}

impl FlowState {
    fn close_interval(&mut self, flow: &mut Flow, seconds: f64) {
        let volume = flow.volume.since(self.volume_then);
        let payload = flow.payload_bytes - self.payload_then;
        let rates = Rates {
            throughput: volume.bytes as f64 / seconds,
            goodput: payload as f64 / seconds,
            packet_rate: volume.packets as f64 / seconds,
        };
        let lost = flow.sequence.map_or(0, |s| s.lost);
        let newly_lost = flow
            .sequence
            .map(|_| lost.saturating_sub(self.lost_then) as f64);
        flow.rates = Some(rates);
        flow.history.throughput.push(Some(rates.throughput));
        flow.history.goodput.push(Some(rates.goodput));
        flow.history
            .interarrival_mean
            .push(flow.interarrival.mean_ms);
        flow.history.jitter.push(flow.interarrival.jitter_ms);
        flow.history.lost.push(newly_lost);
        self.volume_then = flow.volume;
        self.payload_then = flow.payload_bytes;
        self.lost_then = lost;
    }
}

#[cfg(test)]
#[path = "advance_tests.rs"]
mod tests;
