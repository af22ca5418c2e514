//! The end of a throughput interval, flow by flow: right after its last sample, while the flow is in the cache, or
//! after all samples.

use super::Flow;
use super::eventful::Eventful;
use super::state::{Ended, FlowState};

/// The flows for which an interval has ended.
#[derive(Debug)]
pub struct Closing {
    ended: Ended,
    /// A bit for each flow in the list.
    closed: Vec<u64>,
    eventful: Eventful,
}

impl Closing {
    /// Of so many flows none is closed yet. `after`: when the two snapshots before the one that closes them were taken, if one does.
    pub fn new(ended: Ended, flows: usize, after: Option<[u64; 2]>) -> Closing {
        Closing {
            ended,
            closed: vec![0; flows.div_ceil(64)],
            eventful: Eventful::new(after, flows),
        }
    }

    /// Closes a flow of which no other sample can come: it has one slot.
    #[inline]
    pub fn close_after_sample(&mut self, index: usize, flow: &mut Flow, state: &mut FlowState) {
        if state.has_one_slot() {
            state.close_interval(flow, &self.ended);
            self.closed[index / 64] |= 1 << (index % 64);
            self.eventful.judge(index, flow);
        }
    }

    /// Closes all flows that are not closed yet. Returns which ones may have something to tell.
    pub fn close_others(mut self, flows: &mut [Flow], states: &mut [FlowState]) -> Eventful {
        let blocks = flows.chunks_mut(64).zip(states.chunks_mut(64));
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
                let is_settled = flow.repeat_if_settled();
                if !is_settled {
                    state.close_interval(flow, &self.ended);
                }
                // It has several slots, or may have fallen silent.
                if !is_settled || self.eventful.may_have_fallen_silent(flow) {
                    self.eventful.add(block * 64 + at);
                }
            }
        }
        self.eventful
    }
}
