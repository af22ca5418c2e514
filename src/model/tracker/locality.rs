//! The order in which a refresh goes through memory: speed alone, no figure depends on it.
//!
//! Where most flows have a sample, and in the order in which they are listed, memory is gone through from one end to the
//! other, and the processor asks for it by itself. Elsewhere it is asked for ahead, and the list is sorted now and then.

use hashbrown::HashTable;

use super::slots::Slots;
use super::state::FlowState;
use super::{Flow, Report};
use crate::model::snapshot::FlowSample;

/// Samples whose flows are read ahead together.
pub const AT_A_TIME: usize = 16;

/// Flows whose glances are waited for together.
const GLANCES_AT_A_TIME: usize = 32;

impl Report {
    /// All flows, for who needs no more of most of them than what is told at a glance. That is one cache line of seven, which
    /// no processor asks for by itself: the next flows' are read ahead, so that they are waited for at once.
    pub fn glances(&self) -> impl Iterator<Item = &Flow> {
        self.flows.chunks(GLANCES_AT_A_TIME).flat_map(|flows| {
            let words = flows
                .iter()
                .fold(0, |words, flow| words ^ flow.last_seen_ns);
            std::hint::black_box(words);
            flows
        })
    }
}

/// Whether samples come in the order in which their flows are listed.
#[derive(Debug)]
pub struct Locality {
    /// The latest ones did, nearly.
    is_sorted: bool,
}

impl Default for Locality {
    fn default() -> Locality {
        Locality { is_sorted: true }
    }
}

/// What is found out of it in one pass.
#[derive(Debug)]
pub struct Pass {
    is_dense: bool,
    reads_ahead: bool,
    samples: usize,
    latest: usize,
    steps_back: usize,
}

impl Locality {
    /// Begins a pass over so many samples, of a list of so many flows.
    pub fn begin(&self, samples: usize, flows: usize) -> Pass {
        let is_dense = samples > flows / 4;
        Pass {
            is_dense,
            reads_ahead: !is_dense || !self.is_sorted,
            samples,
            latest: 0,
            steps_back: 0,
        }
    }

    /// Ends a pass; whether the list should be sorted.
    pub fn end(&mut self, pass: &Pass) -> bool {
        let is_sorted = pass.steps_back <= pass.samples / 8;
        let sorts = pass.is_dense && !is_sorted;
        self.is_sorted = is_sorted || sorts;
        sorts
    }
}

impl Pass {
    /// A sample of the flow at this place came.
    #[inline]
    pub fn visit(&mut self, index: usize) {
        self.steps_back += usize::from(index < self.latest);
        self.latest = index;
    }

    /// Reads a word of each cache line that these samples will change, where that is worth it. A slot's flow may be anywhere in
    /// the list; this way all of them are waited for at once, and not one after the other.
    pub fn read_ahead(
        &self,
        samples: &[FlowSample],
        slots: &Slots,
        flows: &[Flow],
        states: &[FlowState],
    ) {
        if !self.reads_ahead {
            return;
        }
        let mut words = 0;
        for sample in samples {
            let index = slots.flow_of(sample).unwrap_or(usize::MAX);
            if let (Some(flow), Some(state)) = (flows.get(index), states.get(index)) {
                let numbers = flow.counts.sequence.as_ref();
                let numbers = numbers.map_or(0, |s| s.received ^ s.absent);
                words ^= flow.last_seen_ns ^ numbers ^ u64::from(flow.jitter_epochs);
                words ^= state.window.latest_step() ^ state.then.lost;
            }
        }
        std::hint::black_box(words);
    }
}

/// Lists the flows in the order of their slots, in which their samples come.
pub fn sort_by_slot(
    slots: &mut Slots,
    by_key: &mut HashTable<u32>,
    flows: &mut [Flow],
    states: &mut [FlowState],
) {
    let mut places = slots.renumber(flows.len());
    for index in by_key.iter_mut() {
        *index = places[*index as usize];
    }
    for at in 0..places.len() {
        while places[at] as usize != at {
            let place = places[at] as usize;
            flows.swap(at, place);
            states.swap(at, place);
            places.swap(at, place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::GLANCES_AT_A_TIME;
    use crate::model::tracker::advance::tests::{sample, snapshot, tracker};

    #[test]
    fn glances_are_at_all_flows_in_their_order() {
        let most = 2 * GLANCES_AT_A_TIME as u32 + 1;
        for flows in [0, 1, most - 2, most - 1, most] {
            let samples: Vec<_> = (0..flows).map(|i| sample(i, 1, i as u16, 1)).collect();
            let mut tracker = tracker();
            tracker.advance(&snapshot(1, &samples, &[]));
            let report = tracker.report();
            assert!(report.glances().eq(&report.flows), "{flows}");
        }
    }
}
