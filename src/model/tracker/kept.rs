//! What came of each flow over a whole run, also of those that have left: for checks, and only where there are any.
//!
//! Its memory is bounded by a number of flows. Those beyond it are counted, so that whoever asks knows that some are
//! missing.

mod histograms;
mod joined;

use std::fmt;
use std::sync::Arc;

use histograms::HistogramsThen;

use hashbrown::HashTable;

use super::keys::hash;
use super::state::push_lean;
use super::window::statistics;
use super::{Flow, Glance, History, Interface, Rates, RecentLoss, Report, Watched, loss_percent};
use crate::model::counts::{Counts, GapSums};
use crate::model::flow::FlowKey;
use crate::model::histogram::Histogram;

/// Says which flows are to be kept.
pub type Wanted = Box<dyn Fn(&FlowKey) -> bool + Send>;

/// The flows of a run that are wanted.
pub struct KeptFlows {
    /// When it began, CLOCK_MONOTONIC ns.
    pub began_ns: u64,
    /// Flows that are wanted and found no room; one that left and came again counts twice.
    pub unkept: u64,
    wanted: Wanted,
    room: usize,
    flows: Vec<Kept>,
    by_key: HashTable<u32>,
    histograms: usize,
    histograms_then: HistogramsThen,
}

impl fmt::Debug for KeptFlows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeptFlows({} of {} flows)", self.flows.len(), self.room)
    }
}

/// A flow, but for what its row in the report says as long as it is listed.
struct Kept {
    key: FlowKey,
    /// What was counted until it left the last time.
    past: Counts,
    /// Gaps of all epochs: no sum is modular here, as a run may be longer than any window.
    gaps: GapSums,
    first_seen_ns: u64,
    last_seen_ns: u64,
    past_epochs: u32,
    /// Its former lives' histograms.
    histogram: Option<Box<Histogram>>,
    /// The life that ends has left one.
    has_left_histogram: bool,
    /// A former life has none, or there was no room for it: of the whole run none is known.
    lacks_histogram: bool,
    rule: Option<Arc<str>>,
    interface: Arc<str>,
}

impl KeptFlows {
    /// Of a run that begins now, with room for so many flows, and only of those that are wanted.
    pub fn new(began_ns: u64, room: usize, wanted: Wanted) -> KeptFlows {
        KeptFlows {
            began_ns,
            unkept: 0,
            wanted,
            room,
            flows: Vec::new(),
            by_key: HashTable::new(),
            histograms: 0,
            histograms_then: HistogramsThen::default(),
        }
    }

    fn find(&self, key: &FlowKey) -> Option<usize> {
        let is_it = |at: &u32| self.flows[*at as usize].key == *key;
        let found = self.by_key.find(hash(key), is_it);
        found.map(|at| *at as usize)
    }

    /// A flow is listed.
    pub fn begin(&mut self, flow: &Flow) {
        if !(self.wanted)(&flow.key) || self.find(&flow.key).is_some() {
            return;
        }
        if self.flows.len() >= self.room {
            self.unkept += 1;
            return;
        }
        let at = self.flows.len() as u32;
        push_lean(
            &mut self.flows,
            Kept {
                key: flow.key,
                past: Counts::default(),
                gaps: GapSums::default(),
                first_seen_ns: flow.first_seen_ns,
                last_seen_ns: flow.last_seen_ns,
                past_epochs: 0,
                histogram: None,
                has_left_histogram: false,
                lacks_histogram: false,
                rule: None,
                interface: flow.interface.clone(),
            },
        );
        let flows = &self.flows;
        let hash_of = |at: &u32| hash(&flows[*at as usize].key);
        self.by_key.insert_unique(hash(&flow.key), at, hash_of);
    }

    /// Such gaps came of a listed flow.
    #[inline]
    pub fn count(&mut self, key: &FlowKey, gaps: GapSums) {
        if gaps.count > 0
            && let Some(at) = self.find(key)
        {
            self.flows[at].add_gaps(gaps);
        }
    }

    /// The flow leaves the list.
    pub fn end(&mut self, flow: &Flow) {
        if let Some(at) = self.find(&flow.key) {
            let kept = &mut self.flows[at];
            kept.past += flow.counts;
            kept.last_seen_ns = flow.last_seen_ns;
            kept.past_epochs += flow.jitter_epochs;
            let has_none = !std::mem::take(&mut kept.has_left_histogram);
            kept.lacks_histogram |= has_none && has_gaps(flow);
            kept.rule.clone_from(&flow.rule);
            kept.interface.clone_from(&flow.interface);
        }
    }

    /// All totals were set to zero: the run begins anew, with what is listed.
    pub fn reset(&mut self, report: &Report) {
        self.began_ns = report.taken_ns;
        self.unkept = 0;
        self.flows.clear();
        self.by_key.clear();
        self.histograms = 0;
        self.histograms_then = HistogramsThen::default();
        report.flows.iter().for_each(|flow| self.begin(flow));
    }

    /// All of which a packet came; `listed` finds those that are listed still.
    pub fn flows<'a>(
        &'a self,
        seconds: f64,
        listed: impl Fn(&FlowKey) -> Option<&'a Flow> + 'a,
    ) -> impl Iterator<Item = Flow> + 'a {
        let whole = move |kept: &'a Kept| {
            let listed = listed(&kept.key);
            let histogram = self.whole_histogram(kept, listed);
            kept.whole(listed, histogram, seconds)
        };
        let all = self.flows.iter().map(whole);
        all.filter(|flow| flow.counts.packets > 0)
    }

    /// An interface over the whole run.
    pub fn interface(&self, interface: &Interface, seconds: f64) -> Interface {
        let mut whole = interface.clone();
        whole.rates = Some(Rates::of(&whole.counts.metered(), seconds));
        whole
    }
}

impl Kept {
    fn add_gaps(&mut self, gaps: GapSums) {
        self.gaps.count += gaps.count;
        self.gaps.sum = self.gaps.sum.wrapping_add(gaps.sum);
        self.gaps.squares += gaps.squares;
    }

    /// The flow over a run of so many seconds: the run is its interval, and its window.
    fn whole(
        &self,
        listed: Option<&Flow>,
        histogram: Option<Box<Histogram>>,
        seconds: f64,
    ) -> Flow {
        let mut counts = self.past;
        counts += listed.map_or_else(Counts::default, |flow| flow.counts);
        let metered = counts.metered();
        let loss = counts.sequence;
        let loss = loss.and_then(|_| loss_percent(metered.lost, metered.arrived));
        let (rule, interface) = match listed {
            Some(flow) => (flow.rule.clone(), flow.interface.clone()),
            None => (self.rule.clone(), self.interface.clone()),
        };
        Flow {
            last_seen_ns: listed.map_or(self.last_seen_ns, |flow| flow.last_seen_ns),
            first_seen_ns: self.first_seen_ns,
            rates: Some(Rates::of(&metered, seconds)),
            interarrival: statistics(self.gaps),
            recent_loss: RecentLoss::new(loss, loss),
            counts,
            history: History::default(),
            watched: Watched::default(),
            histogram,
            jitter_epochs: self.past_epochs + listed.map_or(0, |flow| flow.jitter_epochs),
            key: self.key,
            glance: Glance::default(),
            rule,
            interface,
        }
    }
}

/// Whether there may be times between its packets.
fn has_gaps(flow: &Flow) -> bool {
    flow.counts.packets > 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flow_takes_the_memory_that_the_documents_say() {
        let bytes = size_of::<Kept>() + size_of::<u32>() * 2;
        assert!((280..=300).contains(&bytes), "{bytes}");
    }
}
