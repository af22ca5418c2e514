//! The hidden half of a flow: the last reading of its slots, and what came since the interval began.
//!
//! Nearly every flow has had a single slot since it was listed and since the last reset. Its totals are then the slot's
//! last reading, which is not stored a second time.

use std::sync::Arc;

use super::glance::Mark;
use super::trouble::{assess, is_suspect};
use super::window::{PackedGaps, Window};
use super::{
    Flow, Glance, History, Interarrival, Rates, RecentLoss, Watched, float, gained, loss_percent,
};
use crate::model::counts::{CounterSet, Counts, GapSums, Metered};
use crate::model::snapshot::FlowSample;

/// An interval that ends.
#[derive(Debug, Clone, Copy)]
pub struct Ended {
    /// When, CLOCK_MONOTONIC ns.
    pub now_ns: u64,
    /// Its length.
    pub seconds: f64,
    /// The first step of jitter windows that is still in them.
    pub oldest_step: u64,
}

/// The last reading of one life of a slot.
#[derive(Debug, Clone, Copy, Default)]
struct Reading {
    counts: Counts,
    /// The low 16 bits are enough: no flow pauses 65,536 times between two readings.
    epoch: u16,
    gaps: PackedGaps,
}

/// One of the slots of a flow whose totals are not the reading of a single slot.
#[derive(Debug, Clone, Copy)]
struct Share {
    slot: u32,
    reading: Reading,
}

/// In the order in which they joined.
#[derive(Debug, Clone, Default)]
struct Shares(Vec<Share>);

impl Shares {
    /// The last reading of the sample's slot. What was counted since is added to the total.
    #[inline(never)]
    fn reading_before(&mut self, sample: &FlowSample, total: &mut Counts) -> &mut Reading {
        let shares = &mut self.0;
        let own = shares.iter().position(|share| share.slot == sample.slot);
        let own = own.unwrap_or_else(|| {
            let (slot, reading) = (sample.slot, Reading::default());
            shares.push(Share { slot, reading });
            shares.len() - 1
        });
        let reading = &mut shares[own].reading;
        *total += sample.counts.since(&reading.counts);
        reading
    }
}

/// The hidden half of one flow, at the same index as its row in the report.
#[derive(Debug, Clone)]
pub struct FlowState {
    pub window: Window,
    /// Last reading of its slot's gaps; unused where there are shares.
    gaps: PackedGaps,
    /// What came in the interval so far.
    pub came: Metered,
    /// Its slots, if its totals are not the reading of a single one: two CPUs inserted it at the same moment, it came back
    /// in another slot, or totals were reset.
    shares: Option<Box<Shares>>,
    /// Its slot and that slot's jitter epoch; unused where there are shares.
    slot: u32,
    epoch: u16,
    pub profile: u8,
    /// The rules that its latest sample was judged by.
    pub rules_version: u8,
}

/// The difference between a sample and the last reading of its slot.
#[derive(Debug, Clone, Copy)]
pub struct Increase {
    pub came: Metered,
    /// All gaps of the epoch, if a new jitter epoch has begun.
    pub gaps: GapSums,
    pub is_new_epoch: bool,
}

impl Flow {
    /// A new flow on an interface of this name, whose totals are zero.
    pub(super) fn of(sample: &FlowSample, interface: Arc<str>) -> Flow {
        Flow {
            key: sample.key,
            interface,
            counts: Counts::default(),
            rates: None,
            interarrival: Interarrival::default(),
            recent_loss: RecentLoss::default(),
            jitter_epochs: sample.epoch,
            rule: None,
            first_seen_ns: sample.first_seen_ns,
            last_seen_ns: sample.last_seen_ns,
            history: History::default(),
            watched: Watched::default(),
            histogram: None,
            glance: Glance::default(),
        }
    }

    /// Appends what the IP headers of an interval with packets said, if that is counted. Whether the past has to be looked at.
    fn record_ip(&mut self) -> bool {
        self.glance.has(Mark::IpCounted) && self.record_its_ip()
    }

    /// Not inlined: its cache line would be read of every flow, whether it is counted or not.
    #[inline(never)]
    fn record_its_ip(&mut self) -> bool {
        let ip = self.counts.ip.as_ref();
        ip.is_some_and(|ip| self.watched.record_ip(ip))
    }

    fn hold_against_past(&mut self, ended: &Ended) {
        let (trouble, is_silent) = assess(self, ended.now_ns, ended.seconds);
        self.glance.set(Mark::AwaitsPackets, is_silent);
        self.set_trouble(trouble);
    }
}

impl FlowState {
    /// The state of a new flow, whose totals are zero.
    pub fn of(sample: &FlowSample) -> FlowState {
        FlowState {
            window: Window::default(),
            gaps: PackedGaps::default(),
            came: Metered::default(),
            shares: None,
            slot: sample.slot,
            epoch: sample.epoch as u16,
            profile: sample.profile,
            rules_version: sample.rules_version,
        }
    }

    /// Adds a slot to the flow.
    pub fn join(&mut self, flow: &Flow, sample: &FlowSample) {
        let reading = Reading {
            epoch: sample.epoch as u16,
            ..Reading::default()
        };
        let slot = sample.slot;
        self.split(flow).0.push(Share { slot, reading });
    }

    /// Takes a slot from the flow. Returns whether it was the last one.
    pub fn leave(&mut self, slot: u32) -> bool {
        let Some(shares) = &mut self.shares else {
            return true;
        };
        if let Some(at) = shares.0.iter().position(|share| share.slot == slot) {
            shares.0.remove(at);
        }
        shares.0.is_empty()
    }

    /// Stores the slots' readings apart from the totals, which are about to change.
    pub fn keep_apart(&mut self, flow: &Flow) {
        self.split(flow);
    }

    fn split(&mut self, flow: &Flow) -> &mut Shares {
        let slot = self.slot;
        self.shares.get_or_insert_with(|| {
            let reading = Reading {
                counts: flow.counts,
                epoch: self.epoch,
                gaps: self.gaps,
            };
            Box::new(Shares(vec![Share { slot, reading }]))
        })
    }

    /// Whether its totals are not the reading of a single slot.
    pub fn has_shares(&self) -> bool {
        self.shares.is_some()
    }

    /// Whether a snapshot has no more than one sample of it.
    pub fn has_one_slot(&self) -> bool {
        self.shares
            .as_ref()
            .is_none_or(|shares| shares.0.len() == 1)
    }

    /// Its slots.
    pub fn slots(&self) -> impl Iterator<Item = u32> + '_ {
        let shares = self.shares.iter().flat_map(|shares| &shares.0);
        let only = self.shares.is_none().then_some(self.slot);
        only.into_iter().chain(shares.map(|share| share.slot))
    }

    /// Adds to the flow's totals what the sample counted since the last reading, and returns that.
    #[inline]
    pub fn count(&mut self, flow: &mut Flow, sample: &FlowSample) -> Increase {
        self.rules_version = sample.rules_version;
        let (counts, epoch, gaps) = match &mut self.shares {
            // The totals are the last reading, only wider.
            None => (&mut flow.counts, &mut self.epoch, &mut self.gaps),
            Some(shares) => {
                let reading = shares.reading_before(sample, &mut flow.counts);
                (&mut reading.counts, &mut reading.epoch, &mut reading.gaps)
            }
        };
        let came = sample.counts.metered_since(counts);
        counts.advance(&sample.counts);
        let before = std::mem::replace(gaps, PackedGaps::of(sample.gaps));
        let now = sample.epoch as u16;
        let is_new_epoch = std::mem::replace(epoch, now) != now;
        Increase {
            came,
            gaps: match is_new_epoch {
                true => sample.gaps,
                false => before.until(sample.gaps),
            },
            is_new_epoch,
        }
    }

    /// Ends the throughput interval of the flow, in which this came last.
    #[inline(always)]
    pub fn close_interval(&mut self, flow: &mut Flow, ended: &Ended, latest: Metered) {
        let (seconds, oldest_step) = (ended.seconds, ended.oldest_step);
        let (interarrival, window_loss) = self.window.statistics(oldest_step);
        flow.interarrival = interarrival;
        let mut came = std::mem::take(&mut self.came);
        came += latest;
        let rates = Rates::of(&came, seconds);
        let lost = gained(came.lost as i64);
        let newly_lost = flow.counts.sequence.map(|_| float(lost));
        let loss = loss_percent(lost, gained(came.arrived as i64));
        flow.recent_loss = RecentLoss::new(loss, window_loss);
        flow.rates = Some(rates);
        flow.history.record(flow.rates, &flow.interarrival);
        flow.history.lost.push(newly_lost);
        let is_silent = came.packets == 0;
        let is_noted = !is_silent && flow.record_ip();
        let is_due = is_silent || is_noted || is_suspect(&flow.history);
        if is_due || flow.trouble().is_some() {
            flow.hold_against_past(ended);
        }
        let is_settled = rates == Rates::default()
            && self.window.is_empty()
            && lost == 0
            && !flow.glance.has(Mark::AwaitsPackets)
            && flow.trouble().is_none();
        flow.glance.set(Mark::Settled, is_settled);
    }
}

/// Grows a vector by a sixteenth where it would double: there may be a million flows.
pub fn push_lean<T>(vector: &mut Vec<T>, value: T) {
    if vector.len() == vector.capacity() {
        vector.reserve_exact(vector.len() / 16 + 64);
    }
    vector.push(value);
}
