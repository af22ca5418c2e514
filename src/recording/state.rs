//! What was recorded so far, as far as the next entry is told as a difference from it; and a key frame, which is all of
//! it.

use std::sync::Arc;

use super::entry::Entry;
use super::known_flows::KnownFlows;
use crate::model::snapshot::{HistogramSample, InterfaceSample, Snapshot, TableSample};
use crate::model::tracker::{FlowTracker, Intervals};

/// A version of the rules: their names, and whether their flows keep histograms.
pub type Ruled = (u8, Vec<(Arc<str>, bool)>);

/// What the latest entries said.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct State {
    /// When the latest reading was made, CLOCK_MONOTONIC ns.
    pub taken_ns: u64,
    /// The flows in the table, by their slots.
    pub flows: KnownFlows,
    /// The interfaces that are watched.
    pub interfaces: Vec<InterfaceSample>,
    /// The state of the table.
    pub table: TableSample,
    /// The histograms of the latest reading.
    pub histograms: Vec<HistogramSample>,
    /// The rules in force.
    pub rules: Option<Ruled>,
    /// The intervals in use.
    pub intervals: Option<Intervals>,
    /// The configuration.
    pub config: Option<Arc<str>>,
}

impl State {
    /// Takes in an entry.
    pub fn apply_entry(&mut self, entry: &Entry) {
        match entry {
            Entry::Snapshot { snapshot, .. } => self.apply_snapshot(snapshot),
            Entry::Rules(version, rules) => self.rules = Some((*version, rules.clone())),
            Entry::Intervals(intervals) => self.intervals = Some(*intervals),
            Entry::Config(text) => self.config = Some(text.clone()),
            Entry::Close(_) | Entry::Reset => {}
        }
    }

    fn apply_snapshot(&mut self, snapshot: &Snapshot) {
        self.taken_ns = snapshot.taken_ns;
        self.table = snapshot.table;
        for sample in &snapshot.flows {
            self.flows.insert(sample);
        }
        for slot in &snapshot.freed {
            self.flows.remove(*slot);
        }
        self.interfaces.clone_from(&snapshot.interfaces);
        let is_there = |it: &InterfaceSample| !snapshot.forgotten.contains(&it.ifindex);
        self.interfaces.retain(is_there);
        let lasting = snapshot.histograms.iter().filter(|it| !it.is_last);
        self.histograms.clear();
        self.histograms.extend(lasting.cloned());
    }

    /// Whether there was a reading: a table has slots.
    fn has_read(&self) -> bool {
        self.table.capacity > 0
    }

    /// All of it as one reading.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            taken_ns: self.taken_ns,
            flows: self.flows.samples(),
            newcomers: None,
            freed: Vec::new(),
            interfaces: self.interfaces.clone(),
            forgotten: Vec::new(),
            table: self.table,
            histograms: self.histograms.clone(),
            capture: None,
        }
    }

    /// What leads from nothing to it. The reading is the last of them.
    pub fn entries(&self) -> Vec<Entry> {
        let intervals = self.intervals.map(Entry::Intervals);
        let rules = self.rules.clone();
        let rules = rules.map(|(version, rules)| Entry::Rules(version, rules));
        let config = self.config.clone().map(Entry::Config);
        let reading = Entry::Snapshot {
            snapshot: Box::new(self.snapshot()),
            closes: 0,
        };
        let all = [intervals, rules, config, Some(reading)];
        all.into_iter().flatten().collect()
    }

    /// A tracker that goes on from here; `all` is its last entry, the reading.
    pub fn resume(&self, all: &Snapshot, carried: &super::Carried) -> FlowTracker {
        let nothing_yet = Intervals {
            refresh_ns: 1_000_000_000,
            jitter_ns: 1_000_000_000,
        };
        let intervals = self.intervals.unwrap_or(nothing_yet);
        let mut tracker = FlowTracker::new(intervals, self.taken_ns);
        if let Some((version, rules)) = &self.rules {
            tracker.set_rules(*version, rules.iter().cloned());
        }
        if self.has_read() {
            tracker.resume(all, carried);
        }
        tracker
    }
}
