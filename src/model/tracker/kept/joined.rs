//! Flows of runs that are over, as if those had been one run.
//!
//! An interface may have another index in the next run: flows are the same where the names of their interfaces are.

use super::{Kept, KeptFlows, Report, has_gaps};
use crate::model::flow::FlowKey;
use crate::model::tracker::keys::hash;

/// The same whatever the index of its interface is.
fn nameless(key: &FlowKey) -> FlowKey {
    FlowKey { ifindex: 0, ..*key }
}

impl KeptFlows {
    /// The run is over, and all flows that are listed leave. Moments are of another clock from here on, which is ahead by so much.
    pub fn end_all(&mut self, report: &Report, ahead_ns: i64) {
        for flow in &report.flows {
            let Some(at) = self.find(&flow.key) else {
                continue;
            };
            if let Some(histogram) = self.histogram_of(flow) {
                self.add_histogram(at, histogram);
            }
            self.end(flow);
            // Of a flow with two slots one may have left a histogram, and the other one has none.
            self.flows[at].lacks_histogram |= flow.histogram.is_none() && has_gaps(flow);
        }
        for flow in &mut self.flows {
            flow.first_seen_ns = flow.first_seen_ns.saturating_add_signed(ahead_ns);
            flow.last_seen_ns = flow.last_seen_ns.saturating_add_signed(ahead_ns);
        }
    }

    fn index(&mut self, at: usize) {
        let flows = &self.flows;
        let hash_of = |at: &u32| hash(&nameless(&flows[*at as usize].key));
        let at = at as u32;
        self.by_key.insert_unique(hash_of(&at), at, hash_of);
    }

    fn find_named(&self, flow: &Kept) -> Option<usize> {
        let key = nameless(&flow.key);
        let is_it = |at: &u32| {
            let other = &self.flows[*at as usize];
            nameless(&other.key) == key && other.interface == flow.interface
        };
        let found = self.by_key.find(hash(&key), is_it);
        found.map(|at| *at as usize)
    }

    /// Adds the flows of a run that is over; all that there are were added so, and are found by the names of their interfaces.
    pub fn add(&mut self, next: KeptFlows) {
        self.unkept += next.unkept;
        self.room = self.room.max(next.room);
        next.flows.into_iter().for_each(|flow| self.absorb(flow));
    }

    fn absorb(&mut self, mut flow: Kept) {
        let histogram = flow.histogram.take();
        let at = match self.find_named(&flow) {
            Some(at) => {
                self.flows[at].absorb(flow);
                at
            }
            None if self.flows.len() >= self.room => {
                self.unkept += 1;
                return;
            }
            None => {
                self.flows.push(flow);
                self.index(self.flows.len() - 1);
                self.flows.len() - 1
            }
        };
        if let Some(histogram) = histogram {
            self.add_histogram(at, histogram);
        }
    }
}

impl Kept {
    /// What it counted in a later run, but for the histogram.
    fn absorb(&mut self, later: Kept) {
        self.past += later.past;
        self.add_gaps(later.gaps);
        self.first_seen_ns = self.first_seen_ns.min(later.first_seen_ns);
        self.last_seen_ns = later.last_seen_ns;
        self.past_epochs += later.past_epochs;
        self.lacks_histogram |= later.lacks_histogram;
        self.rule = later.rule;
    }
}
