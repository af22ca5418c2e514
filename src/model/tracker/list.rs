//! The list of flows, and what is kept beside it in the same order.

use super::eventful::Eventful;
use super::state::push_lean;
use super::{Flow, Report};

impl Report {
    /// Adds a flow at the end of the list.
    pub(super) fn list(&mut self, flow: Flow) {
        if flow.key.source.is_ipv6() {
            self.newest_ipv6_ns = self.newest_ipv6_ns.max(Some(flow.first_seen_ns));
        }
        self.outline.push(&flow);
        push_lean(&mut self.flows, flow);
    }

    /// Takes the flow at this place out of the list; the last one takes its place.
    pub(super) fn unlist(&mut self, index: usize) -> Flow {
        self.eventful.swap_remove(index, self.flows.len() - 1);
        let flow = self.flows.swap_remove(index);
        self.outline.swap_remove(index, &self.flows);
        flow
    }

    /// Lists the flows in another order: each at the place that `places` says at its own, of which nothing is left behind that.
    /// What else is in the order of the list is told of each swap.
    pub(super) fn permute(&mut self, places: &mut [u32], mut also_swap: impl FnMut(usize, usize)) {
        for at in 0..places.len() {
            while places[at] as usize != at {
                let place = places[at] as usize;
                self.flows.swap(at, place);
                also_swap(at, place);
                places.swap(at, place);
            }
        }
        self.eventful = Eventful::default();
        self.outline.remake(&self.flows);
    }
}
