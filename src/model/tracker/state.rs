//! What belongs to a flow and is not shown: what its slots had counted when they were read last, and where its
//! interval began.
//!
//! Nearly every flow has had one slot since it was listed and since the totals were set to zero: its own totals are then
//! what the slot had counted, and are not kept a second time.

use super::window::{PackedGaps, Window};
use super::{Flow, Rates};
use crate::model::snapshot::{FlowSample, GapSums, Sequence, Volume};

/// What one life of a slot had counted when it was read last.
#[derive(Debug, Clone, Copy, Default)]
pub struct Counted {
    pub volume: Volume,
    pub payload_bytes: u64,
    /// Its last 16 bits: no flow pauses 65,536 times from one reading to the next.
    pub epoch: u16,
    pub gaps: GapSums,
    pub sequence: Sequence,
}

/// A slot that counts for a flow whose totals are not the slot's.
#[derive(Debug, Clone, Copy)]
struct Part {
    slot: u32,
    counted: Counted,
}

/// In the order in which they came.
#[derive(Debug, Clone, Default)]
struct Parts(Vec<Part>);

/// What is remembered of one flow; at the same place as the flow in the report.
#[derive(Debug, Clone)]
pub struct FlowState {
    pub window: Window,
    /// Gaps of its slot, where it has no parts.
    gaps: PackedGaps,
    pub volume_then: Volume,
    pub payload_then: u64,
    pub lost_then: u64,
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
pub struct Newly {
    pub volume: Volume,
    pub payload_bytes: u64,
    /// Gaps since then; all of them where a new jitter epoch began.
    pub gaps: GapSums,
    pub is_new_epoch: bool,
}

impl Newly {
    fn since(before: &Counted, sample: &FlowSample) -> Newly {
        let is_new_epoch = before.epoch != sample.epoch as u16;
        Newly {
            volume: sample.volume.since(before.volume),
            payload_bytes: sample.payload_bytes.wrapping_sub(before.payload_bytes),
            gaps: match is_new_epoch {
                true => sample.gaps,
                false => sample.gaps.since(before.gaps),
            },
            is_new_epoch,
        }
    }
}

impl Counted {
    /// What the sample says now. Where it says nothing of numbers, what was known of them stays.
    fn update(&mut self, sample: &FlowSample) {
        *self = Counted {
            volume: sample.volume,
            payload_bytes: sample.payload_bytes,
            epoch: sample.epoch as u16,
            gaps: sample.gaps,
            sequence: sample.sequence.unwrap_or(self.sequence),
        };
    }
}

impl FlowState {
    /// Of a new flow, all of whose totals are zero.
    pub fn of(sample: &FlowSample) -> FlowState {
        FlowState {
            window: Window::default(),
            gaps: PackedGaps::default(),
            volume_then: Volume::default(),
            payload_then: 0,
            lost_then: 0,
            parts: None,
            slot: sample.slot,
            epoch: sample.epoch as u16,
            profile: sample.profile,
        }
    }

    /// Another slot counts for the flow, too.
    pub fn join(&mut self, flow: &Flow, sample: &FlowSample) {
        let counted = Counted {
            epoch: sample.epoch as u16,
            ..Counted::default()
        };
        let slot = sample.slot;
        self.part(flow).0.push(Part { slot, counted });
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
            let counted = Counted {
                volume: flow.volume,
                payload_bytes: flow.payload_bytes,
                epoch: self.epoch,
                gaps: self.gaps.sums(),
                sequence: flow.sequence.unwrap_or_default(),
            };
            Box::new(Parts(vec![Part { slot, counted }]))
        })
    }

    /// The slots that count for it.
    pub fn slots(&self) -> impl Iterator<Item = u32> + '_ {
        let parts = self.parts.iter().flat_map(|parts| &parts.0);
        let only = self.parts.is_none().then_some(self.slot);
        only.into_iter().chain(parts.map(|part| part.slot))
    }

    /// Brings the flow's totals up to the sample, and says what came with it.
    pub fn take(&mut self, flow: &mut Flow, sample: &FlowSample) -> Newly {
        if self.parts.is_some() {
            return self.take_part(flow, sample);
        }
        let is_new_epoch = self.epoch != sample.epoch as u16;
        let newly = Newly {
            volume: sample.volume.since(flow.volume),
            payload_bytes: sample.payload_bytes.wrapping_sub(flow.payload_bytes),
            gaps: match is_new_epoch {
                true => sample.gaps,
                false => self.gaps.until(sample.gaps),
            },
            is_new_epoch,
        };
        (self.epoch, self.gaps) = (sample.epoch as u16, PackedGaps::of(sample.gaps));
        flow.volume = sample.volume;
        flow.payload_bytes = sample.payload_bytes;
        // What the slot had counted is the total, but for the width.
        count_sequence(flow, &flow.sequence.unwrap_or_default(), sample);
        newly
    }

    /// The same for one slot of several, or one whose totals are not the flow's.
    fn take_part(&mut self, flow: &mut Flow, sample: &FlowSample) -> Newly {
        let mut parts = self.parts.iter_mut().flat_map(|parts| &mut parts.0);
        let own = parts.find(|part| part.slot == sample.slot);
        let before = own.as_ref().map_or(Counted::default(), |part| part.counted);
        if let Some(part) = own {
            part.counted.update(sample);
        }
        let newly = Newly::since(&before, sample);
        flow.volume += newly.volume;
        flow.payload_bytes += newly.payload_bytes;
        count_sequence(flow, &before.sequence, sample);
        newly
    }

    /// Ends the throughput interval of the flow.
    pub fn close_interval(&mut self, flow: &mut Flow, seconds: f64, oldest_step: u64) {
        flow.interarrival = self.window.statistics(oldest_step);
        let volume = flow.volume.since(self.volume_then);
        let payload = flow.payload_bytes - self.payload_then;
        let rates = Rates {
            throughput: volume.bytes as f64 / seconds,
            goodput: payload as f64 / seconds,
            packet_rate: volume.packets as f64 / seconds,
        };
        let lost = flow.sequence.map_or(0, |s| s.lost);
        let newly_lost = flow
            .sequence
            .map(|_| lost.saturating_sub(self.lost_then) as f64);
        flow.rates = Some(rates);
        flow.history.record(flow.rates, &flow.interarrival);
        flow.history.lost.push(newly_lost);
        flow.history.is_settled =
            rates == Rates::default() && self.window.is_empty() && newly_lost.unwrap_or(0.0) == 0.0;
        self.volume_then = flow.volume;
        self.payload_then = flow.payload_bytes;
        self.lost_then = lost;
    }
}

/// Brings the flow's sequence totals up to the sample, of whose slot this was known `before`.
fn count_sequence(flow: &mut Flow, before: &Sequence, sample: &FlowSample) {
    if let Some(now) = &sample.sequence {
        let total = flow.sequence.get_or_insert_with(|| Sequence::none_yet(now));
        *total += now.since(before);
    }
}

/// Where a vector would double, its memory grows by a sixteenth: that of a hundred thousand flows counts.
pub fn push_lean<T>(vector: &mut Vec<T>, value: T) {
    if vector.len() == vector.capacity() {
        vector.reserve_exact(vector.len() / 16 + 64);
    }
    vector.push(value);
}
