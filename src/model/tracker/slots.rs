//! Whose flow each slot of the table was at its last reading.

use crate::model::snapshot::FlowSample;

/// Stands for the flow of a slot that belongs to none.
pub const NOBODY: u32 = u32::MAX;

#[derive(Debug, Clone, Copy)]
struct Slot {
    generation: u32,
    /// Index of its flow in the report.
    flow: u32,
}

/// All slots that were read so far.
#[derive(Debug, Default)]
pub struct Slots(Vec<Slot>);

impl Slots {
    /// At which index of the report the flow of this life is; `None`: the slot is not its own, or not yet.
    #[inline]
    pub fn flow_of(&self, sample: &FlowSample) -> Option<usize> {
        let place = self.place_of(sample);
        (place != NOBODY).then_some(place as usize)
    }

    /// The same in half as much room; [`NOBODY`] if there is none.
    #[inline]
    pub fn place_of(&self, sample: &FlowSample) -> u32 {
        match self.0.get(sample.slot as usize) {
            Some(slot) if slot.generation == sample.generation => slot.flow,
            _ => NOBODY,
        }
    }

    /// Gives the slot to the flow at this index.
    pub fn give(&mut self, sample: &FlowSample, flow: u32) {
        let at = sample.slot as usize;
        if at >= self.0.len() {
            let (generation, flow) = (0, NOBODY);
            self.0.resize(at + 1, Slot { generation, flow });
        }
        let generation = sample.generation;
        self.0[at] = Slot { generation, flow };
    }

    /// Takes the slot from its flow, if it has one. Returns where that is.
    pub fn take(&mut self, slot: u32) -> Option<usize> {
        let slot = self.0.get_mut(slot as usize)?;
        let flow = std::mem::replace(&mut slot.flow, NOBODY);
        (flow != NOBODY).then_some(flow as usize)
    }

    /// These slots are of one flow, which is at another index from here on.
    pub fn follow(&mut self, slots: impl Iterator<Item = u32>, index: u32) {
        for slot in slots {
            let slot = &mut self.0[slot as usize];
            if slot.flow != NOBODY {
                slot.flow = index;
            }
        }
    }

    /// Numbers so many flows anew, in the order of their slots. Returns the new index of each.
    pub fn renumber(&mut self, flows: usize) -> Vec<u32> {
        let mut places = vec![NOBODY; flows];
        let mut next = 0;
        for slot in self.0.iter_mut().filter(|slot| slot.flow != NOBODY) {
            let place = &mut places[slot.flow as usize];
            if *place == NOBODY {
                *place = next;
                next += 1;
            }
            slot.flow = *place;
        }
        places
    }
}

#[cfg(test)]
mod tests {
    use crate::model::snapshot::{FlowSample, Newcomers, Snapshot};
    use crate::model::tracker::FlowTracker;
    use crate::model::tracker::advance::tests::{SECOND, sample, snapshot, tracker};

    #[test]
    fn a_newcomer_of_which_a_snapshot_says_nothing_is_counted_all_the_same() {
        let mut tracker = tracker();
        tracker.advance_and_close(&snapshot(1, &[sample(0, 1, 5, 10)], &[]));
        let silent = |at: u64, since: u64, flows: &[FlowSample]| Snapshot {
            newcomers: Some(Newcomers {
                since_ns: since * SECOND,
                places: Vec::new(),
            }),
            ..snapshot(at, flows, &[])
        };
        let flows = [sample(0, 1, 5, 12), sample(1, 1, 5, 3), sample(2, 1, 6, 4)];
        tracker.advance_and_close(&silent(2, 1, &flows));
        let packets = |tracker: &FlowTracker| {
            let flows = tracker.report().flows.iter();
            flows.map(|flow| flow.counts.packets).collect::<Vec<_>>()
        };
        assert_eq!(packets(&tracker), [15, 4]);
        assert_eq!(tracker.report().interfaces[0].counts.packets, 19);
        // The snapshot before was not counted, so all of them may be new.
        let flows = [sample(2, 2, 7, 1), sample(0, 1, 5, 13)];
        tracker.advance_and_close(&silent(4, 3, &flows));
        assert_eq!(packets(&tracker), [16, 1]);
        let rates = tracker.report().flows[1].rates;
        assert_eq!(rates.map(|rates| rates.packet_rate), Some(0.5));
    }
}
