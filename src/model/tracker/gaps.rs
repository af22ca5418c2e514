//! Histograms of gaps: those that flows keep, and what they come to for each rule that asks for them.

use super::rules::rule_of;
use super::{Flow, Report};
use crate::model::flow::FlowKey;
use crate::model::histogram::Histogram;
use crate::model::snapshot::HistogramSample;

/// Which flows have a histogram.
#[derive(Debug, Default)]
pub struct Histograms {
    holders: Vec<FlowKey>,
    /// Room for those of the next reading.
    spare: Vec<Box<Histogram>>,
}

impl Histograms {
    /// The rules keep the gaps of flows that have left. Before those leave the list; `find` says where a flow is.
    pub fn end(
        samples: &[HistogramSample],
        report: &mut Report,
        find: impl Fn(&[Flow], &FlowKey) -> Option<u32>,
    ) {
        for sample in samples.iter().filter(|sample| sample.is_last) {
            let Some(index) = find(&report.flows, &sample.key) else {
                continue;
            };
            let rule = rule_of(&mut report.rules, &report.flows[index as usize]);
            if let Some(gaps) = rule.and_then(|rule| rule.gaps.as_mut()) {
                gaps.ended += &sample.histogram;
            }
        }
    }

    /// The flows in the samples, and no others, have a histogram: these ones.
    pub fn keep(
        &mut self,
        samples: &[HistogramSample],
        report: &mut Report,
        find: impl Fn(&[Flow], &FlowKey) -> Option<u32>,
    ) {
        for key in self.holders.drain(..) {
            if let Some(index) = find(&report.flows, &key) {
                self.spare
                    .extend(report.flows[index as usize].histogram.take());
            }
        }
        for sample in samples.iter().filter(|sample| !sample.is_last) {
            let Some(index) = find(&report.flows, &sample.key) else {
                continue;
            };
            let kept = &mut report.flows[index as usize].histogram;
            match kept {
                // Of another slot.
                Some(histogram) => **histogram += &sample.histogram,
                None => {
                    let mut histogram = self.spare.pop().unwrap_or_default();
                    histogram.as_mut().clone_from(&sample.histogram);
                    *kept = Some(histogram);
                    self.holders.push(sample.key);
                }
            }
        }
        self.spare.clear();
        self.sum_up(report, find);
    }

    /// Adds up what the rules have of flows that left and of those that are listed.
    pub fn sum_up(&self, report: &mut Report, find: impl Fn(&[Flow], &FlowKey) -> Option<u32>) {
        for gaps in report
            .rules
            .iter_mut()
            .filter_map(|rule| rule.gaps.as_mut())
        {
            gaps.all.clone_from(&gaps.ended);
            gaps.flows = 0;
        }
        for index in self
            .holders
            .iter()
            .filter_map(|key| find(&report.flows, key))
        {
            let flow = &report.flows[index as usize];
            let rule = rule_of(&mut report.rules, flow);
            let gaps = rule.and_then(|rule| rule.gaps.as_mut());
            if let (Some(gaps), Some(histogram)) = (gaps, &flow.histogram) {
                gaps.all += histogram;
                gaps.flows += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::advance::tests::{sample, snapshot};
    use super::super::{FlowTracker, Intervals};
    use super::*;
    use crate::model::histogram::bucket_of;
    use crate::model::snapshot::{FlowSample, Snapshot};

    const INTERVALS: Intervals = Intervals {
        refresh_ns: 1_000_000_000,
        jitter_ns: 1_000_000_000,
    };

    fn of_rule(slot: u32, port: u16, rule: u8) -> FlowSample {
        FlowSample {
            rule: Some(rule),
            ..sample(slot, 1, port, 2)
        }
    }

    fn with(snapshot: Snapshot, kept: &[(&FlowSample, bool, u64)]) -> Snapshot {
        let histograms = kept.iter().map(|(flow, is_last, gap)| {
            let mut histogram = Histogram::default();
            histogram.counts[bucket_of(*gap)] = 1;
            histogram.longest = *gap;
            HistogramSample {
                key: flow.key,
                is_last: *is_last,
                histogram,
            }
        });
        Snapshot {
            histograms: histograms.collect(),
            ..snapshot
        }
    }

    #[test]
    fn a_rule_has_the_gaps_of_its_flows_also_of_those_that_left() {
        let (a, b, other) = (of_rule(0, 1, 0), of_rule(1, 2, 0), of_rule(2, 3, 1));
        let mut tracker = FlowTracker::new(INTERVALS, 0);
        tracker.set_rules(1, [("voice".into(), true), ("rest".into(), false)]);
        let all = snapshot(1, &[a, b, other], &[]);
        tracker.advance(&with(all, &[(&a, false, 5), (&other, false, 99)]));
        let of = |tracker: &FlowTracker| {
            let [voice, rest] = &tracker.report().rules[..] else {
                panic!("two rules");
            };
            assert!(rest.gaps.is_none());
            let gaps = &voice.gaps.as_ref().expect("it asks for them").all;
            (gaps.total(), gaps.longest, voice.flows_without_histogram())
        };
        assert_eq!(of(&tracker), (1, 5, Some(1)));
        let flows = &tracker.report().flows;
        let kept = flows.iter().filter(|flow| flow.histogram.is_some());
        assert_eq!(kept.count(), 2);

        // Two slots of one flow; the other one's last reading comes with the slot that is free.
        let gone = snapshot(2, &[a, b], &[0]);
        tracker.advance(&with(
            gone,
            &[(&a, true, 7), (&b, false, 6), (&b, false, 3)],
        ));
        assert_eq!(of(&tracker), (3, 7, Some(0)));
        tracker.advance(&with(snapshot(3, &[], &[]), &[]));
        assert_eq!(of(&tracker), (1, 7, Some(1)));
        assert!(
            tracker
                .report()
                .flows
                .iter()
                .all(|flow| flow.histogram.is_none())
        );
        tracker.reset();
        assert_eq!(of(&tracker).0, 0);
        tracker.set_rules(2, [("voice".into(), false)]);
        assert!(tracker.report().rules[0].gaps.is_none());
    }
}
