//! What belongs to a flow and is not shown: what its slots had counted when they were read last, and where its
//! interval began.
//!
//! Nearly every flow has had one slot since it was listed and since the totals were set to zero: its own totals are then
//! what the slot had counted, and are not kept a second time.

use super::window::Window;
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
    gaps: GapSums,
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

impl Counted {
    fn of_flow(flow: &Flow, epoch: u16, gaps: GapSums) -> Counted {
        Counted {
            volume: flow.volume,
            payload_bytes: flow.payload_bytes,
            epoch,
            gaps,
            sequence: flow.sequence.unwrap_or_default(),
        }
    }

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
            gaps: GapSums::default(),
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
            let counted = Counted::of_flow(flow, self.epoch, self.gaps);
            Box::new(Parts(vec![Part { slot, counted }]))
        })
    }

    /// The slots that count for it.
    pub fn slots(&self) -> impl Iterator<Item = u32> + '_ {
        let parts = self.parts.iter().flat_map(|parts| &parts.0);
        let only = self.parts.is_none().then_some(self.slot);
        only.into_iter().chain(parts.map(|part| part.slot))
    }

    /// What the sample's slot had counted before it, and remembers what it has counted now. Without parts the flow's totals
    /// have to become those of the sample.
    pub fn take(&mut self, flow: &Flow, sample: &FlowSample) -> Counted {
        let Some(parts) = &mut self.parts else {
            let before = Counted::of_flow(flow, self.epoch, self.gaps);
            (self.epoch, self.gaps) = (sample.epoch as u16, sample.gaps);
            return before;
        };
        let mut own = parts.0.iter_mut().filter(|part| part.slot == sample.slot);
        let Some(part) = own.next() else {
            return Counted::default();
        };
        let before = part.counted;
        part.counted.update(sample);
        before
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
