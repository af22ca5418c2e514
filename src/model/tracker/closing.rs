//! The end of a throughput interval, flow by flow: right after its last sample, while the flow is in the cache, or
//! after all samples.

use super::eventful::Eventful;
use super::outline::Outline;
use super::state::{Ended, FlowState};
use super::{Flow, Report};
use crate::model::counts::Metered;

/// The flows for which an interval has ended.
#[derive(Debug)]
pub struct Closing {
    ended: Ended,
    /// A bit for each flow in the list.
    closed: Vec<u64>,
    eventful: Eventful,
    outline: Outline,
}

impl Closing {
    /// None of the flows is closed yet. `after`: when the two snapshots before the one that closes them were taken, if one does.
    pub fn begin(ended: Ended, report: &mut Report, after: Option<[u64; 2]>) -> Closing {
        let flows = report.flows.len();
        Closing {
            ended,
            closed: vec![0; flows.div_ceil(64)],
            eventful: Eventful::new(after, flows),
            outline: std::mem::take(&mut report.outline),
        }
    }

    /// Takes in what came with a sample, and closes its flow where no other sample of it can come: it has one slot.
    #[inline]
    pub fn close_after_sample(
        &mut self,
        index: usize,
        flow: &mut Flow,
        state: &mut FlowState,
        came: Metered,
    ) {
        if state.has_one_slot() {
            state.close_interval(flow, &self.ended, came);
            self.closed[index / 64] |= 1 << (index % 64);
            self.eventful.add_if_eventful(index, flow);
            self.outline.set(index, flow);
        } else {
            state.came += came;
        }
    }

    /// Closes all flows that are not closed yet, and says which ones may have something to tell.
    pub fn finish(mut self, report: &mut Report, states: &mut [FlowState]) {
        let blocks = report.flows.chunks_mut(64).zip(states.chunks_mut(64));
        for (block, ((flows, states), closed)) in blocks.zip(self.closed).enumerate() {
            if closed == u64::MAX {
                continue;
            }
            let is_open = |at: usize| closed >> at & 1 == 0;
            let open = flows.iter().enumerate().filter(|(at, _)| is_open(*at));
            open.for_each(|(_, flow)| flow.ask_ahead_if_settled());
            for (at, (flow, state)) in flows.iter_mut().zip(states).enumerate() {
                if !is_open(at) {
                    continue;
                }
                if !flow.repeat_if_settled() {
                    state.close_interval(flow, &self.ended, Metered::default());
                    self.outline.set(block * 64 + at, flow);
                }
                // One with several slots had packets; of others that had any before, this may be the first interval without.
                if self.eventful.may_have_fallen_silent(flow) {
                    self.eventful.add(block * 64 + at);
                }
            }
        }
        (report.eventful, report.outline) = (self.eventful, self.outline);
    }
}
