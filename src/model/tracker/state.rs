//! What belongs to a flow and is not shown: what its slots had counted when they were read last, and where its
//! interval began.
//!
//! Nearly every flow has had one slot since it was listed and since the totals were set to zero: its own totals are then
//! what the slot had counted, and are not kept a second time.

use super::window::{PackedGaps, Window};
use super::{Flow, Rates};
use crate::model::counts::{Counts, GapSums, Metered, Record};
use crate::model::snapshot::FlowSample;

/// The flow of a slot that counts for none.
pub const NOBODY: u32 = u32::MAX;

/// Whose a slot was when it was read last.
#[derive(Debug, Clone, Copy)]
pub struct Slot {
    pub generation: u32,
    /// Its flow's place in the report.
    pub flow: u32,
}

/// What one life of a slot had counted when it was read last.
#[derive(Debug, Clone, Copy, Default)]
struct Reading {
    counts: Counts,
    /// Its last 16 bits: no flow pauses 65,536 times from one reading to the next.
    epoch: u16,
    gaps: GapSums,
}

/// A slot that counts for a flow whose totals are not the slot's.
#[derive(Debug, Clone, Copy)]
struct Part {
    slot: u32,
    reading: Reading,
}

/// In the order in which they came.
#[derive(Debug, Clone, Default)]
struct Parts(Vec<Part>);

impl Parts {
    fn advance(&mut self, sample: &FlowSample) -> Increase {
        let own = self.0.iter_mut().find(|part| part.slot == sample.slot);
        match own {
            Some(part) => part.reading.advance(sample),
            None => Reading::default().advance(sample),
        }
    }
}

/// What is remembered of one flow; at the same place as the flow in the report.
#[derive(Debug, Clone)]
pub struct FlowState {
    pub window: Window,
    /// Gaps of its slot, where it has no parts.
    gaps: PackedGaps,
    /// Its counts when the interval began.
    pub then: Metered,
    /// The slots that count for it, where its totals are not those of its only slot: CPUs brought it in at the same
    /// moment, it came back, or totals were set to zero.
    parts: Option<Box<Parts>>,
    /// Its slot and the jitter epoch of that, where it has no parts.
    slot: u32,
    epoch: u16,
    pub profile: u8,
}

/// What a sample adds to what was known of its slot.
#[derive(Debug, Clone, Copy)]
pub struct Increase {
    pub counts: Counts,
    /// Gaps since then; all of them where a new jitter epoch began.
    pub gaps: GapSums,
    pub is_new_epoch: bool,
}

impl Reading {
    /// Becomes what the sample says, and returns what that adds. Where it says nothing of numbers, what was known of them
    /// stays.
    fn advance(&mut self, sample: &FlowSample) -> Increase {
        let before = std::mem::replace(
            self,
            Reading {
                counts: Counts {
                    sequence: sample.counts.sequence.or(self.counts.sequence),
                    ..sample.counts
                },
                epoch: sample.epoch as u16,
                gaps: sample.gaps,
            },
        );
        let is_new_epoch = before.epoch != self.epoch;
        Increase {
            counts: sample.counts.since(&before.counts),
            gaps: match is_new_epoch {
                true => sample.gaps,
                false => sample.gaps.since(before.gaps),
            },
            is_new_epoch,
        }
    }
}

impl FlowState {
    /// Of a new flow, all of whose totals are zero.
    pub fn of(sample: &FlowSample) -> FlowState {
        FlowState {
            window: Window::default(),
            gaps: PackedGaps::default(),
            then: Metered::default(),
            parts: None,
            slot: sample.slot,
            epoch: sample.epoch as u16,
            profile: sample.profile,
        }
    }

    /// Another slot counts for the flow, too.
    pub fn join(&mut self, flow: &Flow, sample: &FlowSample) {
        let reading = Reading {
            epoch: sample.epoch as u16,
            ..Reading::default()
        };
        let slot = sample.slot;
        self.part(flow).0.push(Part { slot, reading });
    }

    /// A slot counts for it no more. Returns whether that was the last one.
    pub fn leave(&mut self, slot: u32) -> bool {
        let Some(parts) = &mut self.parts else {
            return true;
        };
        if let Some(at) = parts.0.iter().position(|part| part.slot == slot) {
            parts.0.remove(at);
        }
        parts.0.is_empty()
    }

    /// What its slots had counted is remembered apart from its totals, which are about to change.
    pub fn part_from(&mut self, flow: &Flow) {
        self.part(flow);
    }

    fn part(&mut self, flow: &Flow) -> &mut Parts {
        let slot = self.slot;
        self.parts.get_or_insert_with(|| {
            let reading = Reading {
                counts: flow.counts,
                epoch: self.epoch,
                gaps: self.gaps.sums(),
            };
            Box::new(Parts(vec![Part { slot, reading }]))
        })
    }

    /// Whether it has one slot, whose totals are its own.
    pub fn has_one_slot(&self) -> bool {
        self.parts.is_none()
    }

    /// The slots that count for it.
    pub fn slots(&self) -> impl Iterator<Item = u32> + '_ {
        let parts = self.parts.iter().flat_map(|parts| &parts.0);
        let only = self.parts.is_none().then_some(self.slot);
        only.into_iter().chain(parts.map(|part| part.slot))
    }

    /// Brings the flow's totals up to the sample, and says what came with it.
    pub fn count(&mut self, flow: &mut Flow, sample: &FlowSample) -> Increase {
        let increase = match &mut self.parts {
            Some(parts) => parts.advance(sample),
            // What the slot had counted is the total, but for the width.
            None => {
                let is_new_epoch = self.epoch != sample.epoch as u16;
                let gaps = match is_new_epoch {
                    true => sample.gaps,
                    false => self.gaps.until(sample.gaps),
                };
                (self.epoch, self.gaps) = (sample.epoch as u16, PackedGaps::of(sample.gaps));
                Increase {
                    counts: sample.counts.since(&flow.counts),
                    gaps,
                    is_new_epoch,
                }
            }
        };
        flow.counts += increase.counts;
        increase
    }

    /// Ends the throughput interval of the flow.
    pub fn close_interval(&mut self, flow: &mut Flow, seconds: f64, oldest_step: u64) {
        flow.interarrival = self.window.statistics(oldest_step);
        let now = flow.counts.metered();
        let came = now.since(&self.then);
        let rates = Rates::of(&came, seconds);
        // Numbers that came late may be more than those that went missing.
        let lost = (came.lost as i64).max(0) as f64;
        let newly_lost = flow.counts.sequence.map(|_| lost);
        flow.rates = Some(rates);
        flow.history.record(flow.rates, &flow.interarrival);
        flow.history.lost.push(newly_lost);
        flow.history.is_settled =
            rates == Rates::default() && self.window.is_empty() && newly_lost.unwrap_or(0.0) == 0.0;
        self.then = now;
    }
}

/// Where a vector would double, its memory grows by a sixteenth: that of a hundred thousand flows counts.
pub fn push_lean<T>(vector: &mut Vec<T>, value: T) {
    if vector.len() == vector.capacity() {
        vector.reserve_exact(vector.len() / 16 + 64);
    }
    vector.push(value);
}
