//! A run that begins when the first flow of some kind comes.

use crate::cli::Output;
use crate::model::column::Context;
use crate::model::preferences::Unit;
use crate::model::query::Query;
use crate::model::snapshot::Snapshot;
use crate::model::tracker::{Flow, FlowTracker, Report};

/// The flow that is waited for.
pub struct Waiting {
    text: String,
    query: Query,
    is_announced: bool,
}

impl Waiting {
    /// As the command line says.
    pub fn asked_for(output: &Output) -> Option<Waiting> {
        output.wait_for.clone().map(Waiting::of)
    }

    fn of(text: String) -> Waiting {
        Waiting {
            // Reading the command line has found all mistakes.
            query: Query::parse(&text).unwrap_or_default(),
            text,
            is_announced: false,
        }
    }

    /// That the run waits, once.
    pub fn announce(&mut self) -> Option<String> {
        let was_announced = std::mem::replace(&mut self.is_announced, true);
        (!was_announced).then(|| format!("waits for a flow of {}", self.text))
    }

    /// That it waited in vain.
    pub fn in_vain(&self) -> String {
        format!("no flow of {} came", self.text)
    }

    /// Counts a snapshot. If it has a flow that is waited for, the run begins with what came since the snapshot before:
    /// returns when, CLOCK_MONOTONIC ns: with that flow's first packet, if that was since then. If not, all totals are zero
    /// again.
    pub fn sift(&self, tracker: &mut FlowTracker, snapshot: &Snapshot, unit: Unit) -> Option<u64> {
        tracker.advance(snapshot);
        match self.first_packet(tracker.report(), unit) {
            Some(began_ns) => Some(tracker.set_run_began(began_ns)),
            None => {
                tracker.close_interval();
                tracker.reset();
                None
            }
        }
    }

    fn first_packet(&self, report: &Report, unit: Unit) -> Option<u64> {
        let context = Context {
            unit,
            now_ns: report.taken_ns,
            ..Context::default()
        };
        let mut scratch = String::new();
        let mut is_wanted = |flow: &&Flow| {
            let has_come = flow.counts.packets > 0;
            has_come && self.query.matches(flow, &context, &[], &mut scratch)
        };
        let flows = report.flows.iter().filter(|flow| is_wanted(flow));
        flows.map(|flow| flow.first_seen_ns).min()
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::model::flow::{FlowKey, Protocol};
    use crate::model::snapshot::{Counts, FlowSample, InterfaceSample};
    use crate::model::tracker::Intervals;

    const SECOND: u64 = 1_000_000_000;

    fn sample(port: u16, packets: u64, first_seen_ns: u64) -> FlowSample {
        FlowSample {
            counts: Counts {
                packets,
                bytes: packets * 100,
                ..Counts::default()
            },
            first_seen_ns,
            last_seen_ns: first_seen_ns,
            ..FlowSample::new(
                port.into(),
                FlowKey::incoming(
                    7,
                    Protocol::Udp,
                    (Ipv4Addr::LOCALHOST, 1),
                    (Ipv4Addr::LOCALHOST, port),
                ),
            )
        }
    }

    /// One that keeps its flows.
    fn tracker() -> FlowTracker {
        let intervals = Intervals {
            refresh_ns: SECOND,
            jitter_ns: SECOND,
        };
        let mut tracker = FlowTracker::new(intervals, 0);
        tracker.keep_flows(10, Box::new(|_| true));
        tracker
    }

    #[test]
    fn a_run_that_waits_for_a_figure_begins_behind_the_reading_before_it() {
        let mut tracker = tracker();
        let waiting = Waiting::of("packets>15".to_owned());
        // The flow has been there for a minute.
        for (second, packets, begins) in [(58, 10, false), (59, 20, false), (61, 40, true)] {
            let snapshot = Snapshot {
                taken_ns: second * SECOND,
                flows: vec![sample(80, packets, 5)],
                ..Snapshot::default()
            };
            let began = waiting.sift(&mut tracker, &snapshot, Unit::Bytes);
            assert_eq!(began, begins.then_some(59 * SECOND));
        }
        let run = tracker.whole_run().expect("flows are kept");
        assert_eq!(run.seconds(), 2.0);
        let flows: Vec<_> = run.flows().collect();
        let rate = flows[0].rates.map(|rates| rates.packet_rate);
        assert_eq!((flows[0].counts.packets, rate), (20, Some(10.0)));
    }

    #[test]
    fn nothing_is_counted_but_from_the_reading_on_in_which_the_first_such_flow_came() {
        let mut tracker = tracker();
        let waiting = Waiting::of("port:5201".to_owned());
        let reading = |second: u64, seen: u64, flows: &[FlowSample]| Snapshot {
            taken_ns: second * SECOND,
            flows: flows.to_vec(),
            interfaces: vec![InterfaceSample {
                ifindex: 7,
                seen: crate::model::snapshot::Volume {
                    packets: seen,
                    bytes: seen * 100,
                },
                ..InterfaceSample::default()
            }],
            ..Snapshot::default()
        };
        let first = reading(1, 10, &[sample(80, 10, 5)]);
        assert_eq!(waiting.sift(&mut tracker, &first, Unit::Bytes), None);
        assert_eq!(tracker.report().flows[0].counts.packets, 0);
        assert_eq!(tracker.report().interfaces[0].counted.seen.packets, 0);
        let came = 2 * SECOND + 5;
        let second = reading(3, 33, &[sample(80, 13, 5), sample(5201, 20, came)]);
        assert_eq!(waiting.sift(&mut tracker, &second, Unit::Bytes), Some(came));
        tracker.close_interval();
        let report = tracker.report();
        let packets = report.flows.iter().map(|flow| flow.counts.packets);
        assert_eq!(packets.collect::<Vec<_>>(), [3, 20]);
        assert_eq!(report.interfaces[0].counted.seen.packets, 23);
        assert_eq!(report.interval_s, 2.0, "since the reading before");
        let run = tracker.whole_run().expect("flows are kept");
        assert_eq!(run.seconds(), 1.0 - 5e-9, "since the first packet");
    }
}
