//! What was read last of each slot: what is said of a flow next is a difference from it.

use super::words::{GENERATION, LOST, NOTHING, Words, sample_of, words_of};
use crate::model::snapshot::FlowSample;

/// Slots that are kept side by side.
const PAGE: usize = 16;

/// What was read last of each slot that has a flow. In the order of the slots, as readings are.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct KnownFlows(Vec<Option<Box<Page>>>);

#[derive(Debug, Clone, PartialEq, Default)]
struct Page {
    /// A bit for each that has a flow.
    present: u16,
    rows: [Row; PAGE],
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Row(Words);

impl Default for Row {
    fn default() -> Row {
        Row(NOTHING)
    }
}

impl KnownFlows {
    /// Keeps what was read of a flow.
    pub fn insert(&mut self, sample: &FlowSample) {
        let (page, row) = (sample.slot as usize / PAGE, sample.slot as usize % PAGE);
        if page >= self.0.len() {
            self.0.resize(page + 1, None);
        }
        let page = self.0[page].get_or_insert_default();
        page.present |= 1 << row;
        page.rows[row] = Row(words_of(sample));
    }

    /// Forgets the flow of a slot.
    pub fn remove(&mut self, slot: u32) {
        if let Some(Some(page)) = self.0.get_mut(slot as usize / PAGE) {
            let row = slot as usize % PAGE;
            page.present &= !(1 << row);
            page.rows[row] = Row::default();
        }
    }

    /// All of them, in the order of their slots.
    pub fn samples(&self) -> Vec<FlowSample> {
        let pages = self.0.iter().zip(0_u32..);
        let pages = pages.filter_map(|(page, at)| Some((page.as_deref()?, at)));
        let rows = pages.flat_map(|(page, at)| {
            let first = at * PAGE as u32;
            let rows = page.rows.iter().zip(0_u32..);
            let rows = rows.filter(|(_, row)| page.present >> row & 1 == 1);
            rows.map(move |(Row(words), row)| (first + row, words))
        });
        // What is in here was a sample once.
        rows.filter_map(|(slot, words)| sample_of(slot, words).ok())
            .collect()
    }

    /// What the flow of this generation had lost, if it is the one that is known of the slot.
    pub fn lost(&self, slot: u32, generation: u32) -> u64 {
        let words = self.words(slot);
        match words[GENERATION] == u64::from(generation) {
            true => words[LOST],
            false => 0,
        }
    }

    /// The words of a slot's flow; zeros, if there is none.
    pub fn words(&self, slot: u32) -> &Words {
        match self.0.get(slot as usize / PAGE) {
            Some(Some(page)) => &page.rows[slot as usize % PAGE].0,
            _ => &NOTHING,
        }
    }
}
