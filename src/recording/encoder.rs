//! From what a tracker takes in to blocks.

use std::io;
use std::sync::Arc;

use super::block::{Kind, Packer};
use super::bytes::{fold, put};
use super::carried::put_carried;
use super::entry::Entry;
use super::frame::put_entry;
use super::state::State;
use crate::model::snapshot::FlowSample;
use crate::model::tracker::{Carried, Intervals};

/// Makes the blocks of a run.
#[derive(Debug)]
pub struct Encoder {
    state: State,
    packer: Packer,
    raw: Vec<u8>,
    /// Entries that came since the latest block, and are in none.
    missed: u64,
}

impl Encoder {
    /// Of a run that began to count at `began_ns`, CLOCK_MONOTONIC, with this configuration.
    pub fn new(began_ns: u64, intervals: Intervals, config: Arc<str>) -> io::Result<Encoder> {
        Ok(Encoder {
            state: State {
                taken_ns: began_ns,
                intervals: Some(intervals),
                config: Some(config),
                ..State::default()
            },
            packer: Packer::new()?,
            raw: Vec::new(),
            missed: 0,
        })
    }

    /// When the latest reading was made, CLOCK_MONOTONIC ns.
    pub fn taken_ns(&self) -> u64 {
        self.state.taken_ns
    }

    /// Flows that had lost something since the reading before, if the entry is a reading.
    pub fn losing(&self, entry: &Entry) -> u32 {
        let Entry::Snapshot { snapshot, .. } = entry else {
            return 0;
        };
        let lost = |sample: &FlowSample| sample.counts.sequence.map_or(0, |it| it.lost);
        let has_lost = |sample: &&FlowSample| {
            lost(sample) > self.state.flows.lost(sample.slot, sample.generation)
        };
        snapshot.flows.iter().filter(has_lost).count() as u32
    }

    /// The block of an entry that came at `wall_ns`, ns since 1970.
    pub fn frame(&mut self, wall_ns: i64, entry: &Entry) -> io::Result<Vec<u8>> {
        self.raw.clear();
        put(&mut self.raw, fold(wall_ns as u64));
        put_entry(&mut self.raw, entry, &self.state);
        self.state.apply_entry(entry);
        self.packer.block(Kind::Frame, &self.raw)
    }

    /// Takes in an entry that is in no block. The next block has to be a key frame.
    pub fn miss(&mut self, entry: &Entry) {
        self.state.apply_entry(entry);
        self.missed += 1;
    }

    /// Says that a block which was made could not be kept.
    pub fn lose(&mut self) {
        self.missed += 1;
    }

    /// All that is known, as a key frame; the tracker's part of it is in `carried`.
    pub fn key(&mut self, wall_ns: i64, carried: &Carried) -> io::Result<Vec<u8>> {
        self.raw.clear();
        put(&mut self.raw, fold(wall_ns as u64));
        put(&mut self.raw, self.missed);
        put_carried(&mut self.raw, carried);
        let mut state = State::default();
        for entry in self.state.entries() {
            put_entry(&mut self.raw, &entry, &state);
            state.apply_entry(&entry);
        }
        self.packer.block(Kind::Key, &self.raw)
    }

    /// The key frame was kept: nothing is missing behind it.
    pub fn has_key(&mut self) {
        self.missed = 0;
    }
}
