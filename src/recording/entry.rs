//! What a tracker takes in, one thing after another.

use std::sync::Arc;

use crate::model::snapshot::Snapshot;
use crate::model::tracker::{FlowTracker, Intervals};

/// Slots of the largest table.
pub const MOST_SLOTS: u64 = 1 << 25;

/// Something that changes what a tracker reports.
#[derive(Debug, Clone, PartialEq)]
pub enum Entry {
    /// A reading.
    Snapshot {
        /// What was read.
        snapshot: Box<Snapshot>,
        /// So many throughput intervals end with it, as one; 0: none does.
        closes: u64,
    },
    /// So many throughput intervals end, as one; 0: one that nobody was told of.
    Close(u64),
    /// Rules of this version are in force: their names, and whether their flows keep histograms.
    Rules(u8, Vec<(Arc<str>, bool)>),
    /// Other intervals are used.
    Intervals(Intervals),
    /// Totals are set to zero.
    Reset,
    /// The configuration that is in force, as its file has it.
    Config(Arc<str>),
}

impl Entry {
    /// Makes the tracker take it in.
    pub fn apply(&self, tracker: &mut FlowTracker) {
        match self {
            Entry::Snapshot {
                snapshot,
                closes: 0,
            } => tracker.advance(snapshot),
            Entry::Snapshot { snapshot, .. } => tracker.advance_and_close(snapshot),
            Entry::Close(_) => tracker.close_interval(),
            Entry::Rules(version, rules) => tracker.set_rules(*version, rules.iter().cloned()),
            Entry::Intervals(intervals) => tracker.set_intervals(*intervals),
            Entry::Reset => tracker.reset(),
            Entry::Config(_) => {}
        }
    }

    /// How many throughput intervals end with it.
    pub fn closes(&self) -> u64 {
        match self {
            Entry::Snapshot { closes, .. } | Entry::Close(closes) => *closes,
            _ => 0,
        }
    }
}
