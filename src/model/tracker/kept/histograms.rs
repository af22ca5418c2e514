//! Histograms of kept flows over a whole run: those of former lives and of this one, less what came before the run began.

use rustc_hash::FxHashMap;

use super::{Flow, Kept, KeptFlows, Report, has_gaps};
use crate::model::flow::FlowKey;
use crate::model::histogram::Histogram;
use crate::model::snapshot::HistogramSample;

/// Histograms of flows that have left, at most: 7 KB each.
const MOST_HISTOGRAMS: usize = 4096;

/// What was in the histograms of flows when a run began in their midst.
#[derive(Default)]
pub struct HistogramsThen(FxHashMap<FlowKey, Box<Histogram>>);

impl HistogramsThen {
    /// A histogram that has begun anew has nothing of then in it.
    fn look_at(&mut self, samples: &[HistogramSample]) {
        if self.0.is_empty() {
            return;
        }
        self.0.retain(|key, then| {
            let of_it = samples.iter().filter(|it| it.key == *key && !it.is_last);
            let now: u64 = of_it.map(|sample| sample.histogram.total()).sum();
            (1..=now).contains(&then.total())
        });
    }
}

impl KeptFlows {
    /// The run begins in the midst of what these flows have in their histograms.
    pub fn begin_amid(&mut self, report: &Report) {
        let of_flow = |flow: &Flow| Some((flow.key, flow.histogram.clone()?));
        self.histograms_then.0 = report.flows.iter().filter_map(of_flow).collect();
    }

    /// A reading has these histograms, the last ones of flows that leave among them.
    pub fn count_histograms(&mut self, samples: &[HistogramSample]) {
        for sample in samples.iter().filter(|sample| sample.is_last) {
            let Some(at) = self.find(&sample.key) else {
                continue;
            };
            let mut histogram = Box::new(sample.histogram.clone());
            if let Some(then) = self.histograms_then.0.get_mut(&sample.key) {
                histogram.deduct(then);
            }
            self.add_histogram(at, histogram);
        }
        self.histograms_then.look_at(samples);
    }

    /// Adds the histogram of a life that is over.
    pub(super) fn add_histogram(&mut self, at: usize, histogram: Box<Histogram>) {
        let kept = &mut self.flows[at];
        kept.has_left_histogram = true;
        match &mut kept.histogram {
            Some(all) => **all += &histogram,
            None if self.histograms < MOST_HISTOGRAMS => {
                self.histograms += 1;
                kept.histogram = Some(histogram);
            }
            None => kept.lacks_histogram = true,
        }
    }

    /// The histogram of a flow that is listed, as far as it is of this run.
    pub(super) fn histogram_of(&self, flow: &Flow) -> Option<Box<Histogram>> {
        let mut histogram = flow.histogram.clone()?;
        if let Some(then) = self.histograms_then.0.get(&flow.key) {
            histogram.deduct(&mut then.clone());
        }
        Some(histogram)
    }

    pub(super) fn whole_histogram(
        &self,
        kept: &Kept,
        listed: Option<&Flow>,
    ) -> Option<Box<Histogram>> {
        let of_listed = listed.and_then(|flow| self.histogram_of(flow));
        if kept.lacks_histogram || of_listed.is_none() && listed.is_some_and(has_gaps) {
            return None;
        }
        let mut all = kept.histogram.clone();
        if let Some(listed) = of_listed {
            **all.get_or_insert_default() += &listed;
        }
        all
    }
}
