//! Histograms of inter-arrival times, for the flows that somebody looks at and for those of rules that ask for them.
//!
//! Owns the entries of `gap_histograms` and who has one. A flow gets its histogram at the first reading after it was
//! asked for in which it had a packet, and counts from there on, until it leaves its slot.

use anyhow::{Context, Result};
use hashbrown::HashMap;
use rustc_hash::FxBuildHasher;

use super::abi::gap_histogram;
use super::entries::Entries;
use super::table::FlowTable;
use crate::model::flow::FlowKey;
use crate::model::histogram::Histogram;
use crate::model::rule::Rule;
use crate::model::snapshot::{FlowSample, HistogramSample, Snapshot};

/// `FOCUSED_FLOWS` of types.h.
const FOCUSED_FLOWS: usize = 512;
/// Flows of rules that may keep a histogram, and as many that somebody looks at.
const OF_EACH_KIND: usize = FOCUSED_FLOWS / 2;

const SIZE: usize = size_of::<gap_histogram>();

/// The flow whose slot has a histogram.
#[derive(Debug)]
struct Focused {
    key: FlowKey,
    generation: u32,
    /// It is one of those that their rules have room for.
    is_ruled: bool,
}

/// Who keeps a histogram.
#[derive(Debug)]
pub struct Focus {
    histograms: Entries,
    /// The flows that somebody looks at, in order.
    wanted: Vec<FlowKey>,
    /// The rules that ask for histograms, a bit each, and the version that they are of.
    rules: u64,
    version: u8,
    by_slot: HashMap<u32, Focused, FxBuildHasher>,
    /// Room for the histograms of the next reading.
    spare: Vec<HistogramSample>,
}

impl Focus {
    /// Takes the map `gap_histograms`.
    pub fn new(histograms: Entries) -> Focus {
        Focus {
            histograms,
            wanted: Vec::new(),
            rules: 0,
            version: 0,
            by_slot: HashMap::default(),
            spare: Vec::new(),
        }
    }

    /// From here on somebody looks at these flows; at the first ones where there are too many.
    pub fn set_wanted(&mut self, mut keys: Vec<FlowKey>, table: &FlowTable) {
        keys.sort_unstable();
        keys.truncate(OF_EACH_KIND);
        self.wanted = keys;
        let wanted = &self.wanted;
        self.by_slot.retain(|slot, its| {
            let stays = its.is_ruled || wanted.binary_search(&its.key).is_ok();
            stays || remove(&self.histograms, *slot, its, table)
        });
    }

    /// From here on these are the rules.
    pub fn set_rules(&mut self, version: u8, rules: &[Rule], table: &FlowTable) {
        let asks = rules.iter().enumerate().filter(|(_, rule)| rule.histogram);
        self.rules = asks.fold(0, |mask, (index, _)| mask | 1 << index);
        self.version = version;
        let wanted = &self.wanted;
        let asks = |key: &FlowKey| {
            let rule = rules.iter().find(|rule| rule.matches(key));
            rule.is_some_and(|rule| rule.histogram)
        };
        // Those that have a place of their rules' keep it.
        let keep = |its: &&Focused| its.is_ruled && asks(&its.key);
        let mut ruled = self.by_slot.values().filter(keep).count();
        self.by_slot.retain(|slot, its| {
            let (asks, had_room) = (asks(&its.key), its.is_ruled);
            its.is_ruled = asks && (had_room || ruled < OF_EACH_KIND);
            ruled += usize::from(its.is_ruled && !had_room);
            let stays = its.is_ruled || wanted.binary_search(&its.key).is_ok();
            stays || remove(&self.histograms, *slot, its, table)
        });
    }

    /// All histograms begin anew.
    pub fn reset(&mut self) {
        for slot in self.by_slot.keys() {
            // Without room for another one, it goes on.
            let _ = self.begin(*slot);
        }
    }

    /// Adds the histograms to what was read of the flows, and begins those of flows that are asked for.
    pub fn update(&mut self, snapshot: &mut Snapshot, table: &FlowTable) {
        snapshot.histograms = std::mem::take(&mut self.spare);
        self.end_of_those_that_left(&mut snapshot.histograms, table);
        // Without a histogram all else is still right.
        let _ = self.begin_those_asked_for(&snapshot.flows, table);
        for (slot, its) in &self.by_slot {
            read_into(
                &self.histograms,
                *slot,
                its,
                false,
                &mut snapshot.histograms,
            );
        }
    }

    /// Takes back the memory of a snapshot's histograms.
    pub fn recycle(&mut self, histograms: Vec<HistogramSample>) {
        self.spare = histograms;
        self.spare.clear();
    }

    /// Bytes of kernel memory that the histograms take.
    pub fn memory_bytes(&self) -> u64 {
        (self.by_slot.len() * SIZE) as u64
    }

    fn end_of_those_that_left(&mut self, into: &mut Vec<HistogramSample>, table: &FlowTable) {
        self.by_slot.retain(|slot, its| {
            let stays = table.holds(*slot, its.generation);
            if !stays {
                read_into(&self.histograms, *slot, its, true, into);
            }
            stays || remove(&self.histograms, *slot, its, table)
        });
    }

    fn begin_those_asked_for(&mut self, samples: &[FlowSample], table: &FlowTable) -> Result<()> {
        if self.wanted.is_empty() && self.rules == 0 {
            return Ok(());
        }
        let mut ruled = self.by_slot.values().filter(|its| its.is_ruled).count();
        for sample in samples {
            let has_room = ruled < OF_EACH_KIND && self.is_ruled(sample);
            if !has_room && self.wanted.binary_search(&sample.key).is_err() {
                continue;
            }
            if let Some(its) = self.by_slot.get_mut(&sample.slot) {
                // Somebody looks at it, and now its rule has room for it as well.
                ruled += usize::from(has_room && !its.is_ruled);
                its.is_ruled |= has_room;
                continue;
            }
            if self.by_slot.len() == FOCUSED_FLOWS {
                return Ok(());
            }
            self.begin(sample.slot)?;
            table.set_focused(sample.slot, sample.generation, true);
            let its = Focused {
                key: sample.key,
                generation: sample.generation,
                is_ruled: has_room,
            };
            self.by_slot.insert(sample.slot, its);
            ruled += usize::from(has_room);
        }
        Ok(())
    }

    fn is_ruled(&self, sample: &FlowSample) -> bool {
        let asks = |rule| self.rules >> rule & 1 == 1;
        sample.rules_version == self.version && sample.rule.is_some_and(asks)
    }

    fn begin(&self, slot: u32) -> Result<()> {
        self.histograms
            .update(&slot.to_ne_bytes(), &[0; SIZE])
            .context("make a histogram for a flow")
    }
}

/// Gives the memory of a slot's histogram back. Returns that it is gone: false.
fn remove(histograms: &Entries, slot: u32, its: &Focused, table: &FlowTable) -> bool {
    table.set_focused(slot, its.generation, false);
    // Gone already: nothing is left to do.
    let _ = histograms.delete(&slot.to_ne_bytes());
    false
}

fn read_into(
    histograms: &Entries,
    slot: u32,
    its: &Focused,
    is_last: bool,
    into: &mut Vec<HistogramSample>,
) {
    let mut bytes = [0; SIZE];
    if !histograms.read(&slot.to_ne_bytes(), &mut bytes) {
        return;
    }
    let (words, _) = bytes.as_chunks();
    let mut words = words.iter().copied().map(u64::from_ne_bytes);
    let mut histogram = Histogram {
        longest: words.next().unwrap_or(0),
        ..Histogram::default()
    };
    for (count, word) in histogram.counts.iter_mut().zip(words) {
        *count = word;
    }
    into.push(HistogramSample {
        key: its.key,
        is_last,
        histogram,
    });
}
