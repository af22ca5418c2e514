//! Histograms of inter-arrival times for the few flows that somebody looks at.
//!
//! Owns the entries of `gap_histograms` and who has one. A flow gets its histogram at the first reading after it was
//! asked for in which it had a packet, and counts from there on.

use anyhow::{Context, Result};
use libbpf_rs::{MapCore, MapFlags, MapHandle};

use super::table::FlowTable;
use crate::model::flow::FlowKey;
use crate::model::histogram::{BUCKETS, Histogram};
use crate::model::snapshot::FlowSample;

/// `FOCUSED_FLOWS` of types.h.
pub const FOCUSED_FLOWS: usize = 64;

#[derive(Debug)]
struct Focused {
    key: FlowKey,
    slot: u32,
    generation: u32,
}

/// Who keeps a histogram.
#[derive(Debug)]
pub struct Focus {
    histograms: MapHandle,
    wanted: Vec<FlowKey>,
    focused: Vec<Focused>,
}

impl Focus {
    /// Takes the map `gap_histograms`.
    pub fn new(histograms: MapHandle) -> Focus {
        Focus {
            histograms,
            wanted: Vec::new(),
            focused: Vec::new(),
        }
    }

    /// From here on these flows keep histograms, and no others; the first ones where there are too many.
    pub fn set(&mut self, mut keys: Vec<FlowKey>, table: &FlowTable) {
        keys.truncate(FOCUSED_FLOWS / 2);
        self.wanted = keys;
        let wanted = &self.wanted;
        let histograms = &self.histograms;
        self.focused.retain(|focused| {
            let stays = wanted.contains(&focused.key);
            if !stays {
                table.set_focused(focused.slot, focused.generation, false);
                // Gone already: nothing is left to do.
                let _ = histograms.delete(&focused.slot.to_ne_bytes());
            }
            stays
        });
    }

    /// Focuses the slots in which the wanted flows were seen.
    pub fn focus_slots(&mut self, samples: &[FlowSample], table: &FlowTable) -> Result<()> {
        if self.wanted.is_empty() {
            return Ok(());
        }
        for sample in samples
            .iter()
            .filter(|sample| self.wanted.contains(&sample.key))
        {
            let same = |f: &Focused| f.slot == sample.slot && f.generation == sample.generation;
            if self.focused.iter().any(same) {
                continue;
            }
            self.focused.retain(|f| f.slot != sample.slot);
            if self.focused.len() == FOCUSED_FLOWS {
                return Ok(());
            }
            self.histograms
                .update(&sample.slot.to_ne_bytes(), &[0; BUCKETS * 8], MapFlags::ANY)
                .context("make a histogram for a flow")?;
            table.set_focused(sample.slot, sample.generation, true);
            self.focused.push(Focused {
                key: sample.key,
                slot: sample.slot,
                generation: sample.generation,
            });
        }
        Ok(())
    }

    /// The histograms so far, one a flow.
    pub fn read(&self) -> Vec<(FlowKey, Histogram)> {
        self.wanted
            .iter()
            .filter_map(|key| {
                let mut own = self.focused.iter().filter(|f| f.key == *key).peekable();
                own.peek()?;
                let mut histogram = Histogram::default();
                own.for_each(|focused| self.add(focused.slot, &mut histogram));
                Some((*key, histogram))
            })
            .collect()
    }

    fn add(&self, slot: u32, histogram: &mut Histogram) {
        let value = self.histograms.lookup(&slot.to_ne_bytes(), MapFlags::ANY);
        let Ok(Some(bytes)) = value else {
            return;
        };
        for (count, bytes) in histogram.counts.iter_mut().zip(bytes.chunks_exact(8)) {
            *count += bytes.try_into().map_or(0, u64::from_ne_bytes);
        }
    }
}
