//! What a sample adds: to its flow, to the flow's rule, and to what checks and metrics keep.

use super::kept::KeptFlows;
use super::rules::{RuleVersions, count_for_rule};
use super::state::FlowState;
use super::{Flow, RuleReport};
use crate::model::counts::Metered;
use crate::model::metrics::Meter;
use crate::model::snapshot::FlowSample;

/// Counts the samples of a snapshot.
#[derive(Debug)]
pub struct Counting<'a> {
    /// The step of jitter windows that the snapshot is in.
    pub step: u64,
    /// The first one that is still in them.
    pub oldest_step: u64,
    pub rule_versions: &'a RuleVersions,
    pub rules: &'a mut [RuleReport],
    pub kept: Option<&'a mut KeptFlows>,
    pub meter: &'a mut Meter,
}

impl Counting<'_> {
    /// Counts a sample of this flow. Returns what it adds.
    #[inline(always)]
    pub fn count(
        &mut self,
        flow: &mut Flow,
        state: &mut FlowState,
        sample: &FlowSample,
    ) -> Metered {
        let before = self.meter.look(flow);
        let increase = state.count(flow, sample);
        if increase.is_new_epoch {
            state.window.forget_gaps();
        } else {
            let packets = increase.came.packets;
            flow.glance.excess.add(packets, increase.gaps.count);
        }
        if let Some(kept) = &mut self.kept {
            kept.count(&sample.key, increase.gaps);
        }
        let (step, oldest_step) = (self.step, self.oldest_step);
        let window = &mut state.window;
        window.add(step, oldest_step, increase.gaps, &increase.came);
        flow.jitter_epochs = flow.jitter_epochs.max(sample.epoch);
        flow.last_seen_ns = flow.last_seen_ns.max(sample.last_seen_ns);
        flow.update_glance(sample.counts.ip.is_some());
        if let Some(rule) = self.rule_versions.place_of(sample) {
            let came = (increase.came.across_flows(), sample.last_seen_ns);
            count_for_rule(self.rules, flow, rule, came);
        }
        self.meter.count(flow, before.as_ref());
        increase.came
    }
}
