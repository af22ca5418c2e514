//! The order in which a refresh goes through memory: speed alone, no figure depends on it.
//!
//! What comes is asked for ahead. Where most flows have a sample, they are listed in the order of their slots, in which samples
//! come: then memory is gone through from one end to the other.

use hashbrown::HashTable;

use super::slots::{NOBODY, Slots};
use super::state::FlowState;
use super::{Flow, Report};
use crate::ahead;
use crate::model::snapshot::FlowSample;

/// How many flows before its turn one is asked for: memory takes as long as one or two take to be counted.
const AHEAD: usize = 10;

/// The same where one line of each will do.
const GLANCES_AHEAD: usize = 32;

impl Report {
    /// All flows, for who needs no more of most of them than what is told at a glance: one cache line of seven.
    pub fn glances(&self) -> impl Iterator<Item = &Flow> {
        (0..self.flows.len()).map(|at| self.glance_at(at))
    }

    /// The flow at this place, on the way through all of them.
    #[inline]
    pub fn glance_at(&self, at: usize) -> &Flow {
        if let Some(soon) = self.flows.get(at + GLANCES_AHEAD) {
            ahead::ask_for(&soon.last_seen_ns);
        }
        &self.flows[at]
    }
}

impl Flow {
    /// Asks for what a sample and the end of an interval change: five cache lines, which these are in.
    #[inline]
    fn ask_ahead(&self) {
        ahead::ask_for(&self.last_seen_ns);
        ahead::ask_for(&self.history);
        ahead::ask_for(&self.counts.sequence);
    }

    /// Asks for what the end of an interval changes of a flow to which nothing happens any more.
    #[inline]
    pub(super) fn ask_ahead_if_settled(&self) {
        ahead::ask_for(&self.last_seen_ns);
        ahead::ask_for(&self.history);
    }
}

/// Whose samples come next: each is looked up once, when it is time to ask for what will be read of its flow. No slot changes hands
/// while samples are counted.
#[derive(Debug)]
pub struct Upcoming([u32; Upcoming::PLACES]);

impl Upcoming {
    /// One more than are looked up ahead at least.
    const PLACES: usize = (AHEAD + 1).next_power_of_two();

    /// Before the first sample.
    pub fn new(samples: &[FlowSample], slots: &Slots) -> Upcoming {
        let place_of = |sample: &FlowSample| slots.place_of(sample);
        Upcoming(std::array::from_fn(|at| {
            samples.get(at).map_or(NOBODY, place_of)
        }))
    }

    /// The place in the list of the flow that the sample at this place is of, if it is known; each is asked for in turn. Asks for the
    /// samples and for the flows that will be counted soon: a slot's flow may be anywhere in the list, and its older history anywhere
    /// in memory.
    #[inline]
    pub fn flow_at(
        &mut self,
        at: usize,
        samples: &[FlowSample],
        slots: &Slots,
        (flows, states): (&[Flow], &[FlowState]),
    ) -> Option<usize> {
        ahead::ask_for_item(samples, at + 2 * AHEAD);
        let Upcoming(places) = self;
        let place = |at: usize| at % Upcoming::PLACES;
        if let Some(sample) = samples.get(at + AHEAD) {
            let soon = slots.place_of(sample);
            places[place(at + AHEAD)] = soon;
            if let Some(flow) = flows.get(soon as usize) {
                flow.ask_ahead();
                ahead::ask_for_item(states, soon as usize);
            }
        }
        // Behind the last sample these are of samples before: asked for once more.
        if let Some(flow) = flows.get(places[place(at + AHEAD / 2)] as usize) {
            flow.history.motion.ask_ahead();
        }
        let now = places[place(at)] as usize;
        (now < flows.len()).then_some(now)
    }
}

/// Whether samples come in the order in which their flows are listed: what one pass finds out of it.
#[derive(Debug, Default)]
pub struct Course {
    latest: usize,
    steps_back: usize,
}

impl Course {
    /// A sample of the flow at this place came.
    #[inline]
    pub fn visit(&mut self, index: usize) {
        self.steps_back += usize::from(index < self.latest);
        self.latest = index;
    }

    /// Whether the list of so many flows should be sorted, after so many samples.
    pub fn wants_order(&self, samples: usize, flows: usize) -> bool {
        samples > flows / 4 && self.steps_back > samples / 8
    }
}

/// Lists the flows in the order of their slots, in which their samples come.
pub fn sort_by_slot(
    slots: &mut Slots,
    by_key: &mut HashTable<u32>,
    report: &mut Report,
    states: &mut [FlowState],
) {
    let mut places = slots.renumber(report.flows.len());
    for index in by_key.iter_mut() {
        *index = places[*index as usize];
    }
    report.permute(&mut places, |one, other| states.swap(one, other));
}

#[cfg(test)]
mod tests {
    use super::GLANCES_AHEAD;
    use crate::model::tracker::advance::tests::{sample, snapshot, tracker};

    #[test]
    fn glances_are_at_all_flows_in_their_order() {
        let most = 2 * GLANCES_AHEAD as u32 + 1;
        for flows in [0, 1, most - 2, most - 1, most] {
            let samples: Vec<_> = (0..flows).map(|i| sample(i, 1, i as u16, 1)).collect();
            let mut tracker = tracker();
            tracker.advance(&snapshot(1, &samples, &[]));
            let report = tracker.report();
            assert!(report.glances().eq(&report.flows), "{flows}");
        }
    }
}
