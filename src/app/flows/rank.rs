//! The only pass over all flows at a refresh: which of them are shown, what they are sorted by, how many lose, how wide they are.

use super::{Criteria, FlowRows};
use crate::model::column::{Ranking, Sort, Width, verdict};
use crate::model::tracker::{Flow, Rates};

/// The level of pinned rows.
pub(in crate::app) const PINNED: u16 = 0;

/// Whether a flow has had no packet for 2 s, or an interval that is longer: it may have ended.
pub fn has_ended(flow: &Flow, now_ns: u64, interval_s: f64) -> bool {
    let idle_s = now_ns.saturating_sub(flow.last_seen_ns) as f64 / 1e9;
    idle_s > interval_s.max(2.0)
}

impl FlowRows {
    /// Counts what there is, and gathers the rows that are shown. Of each flow it touches one cache line, unless it is asked for
    /// more; where nobody asks for anything but the order that stands at first, it has mostly no look at the flow itself.
    pub(super) fn rank(&mut self, criteria: &Criteria) -> Ranking {
        let mut ranking = std::mem::take(&mut self.ranking).emptied();
        let (shown, context) = (criteria.shown, &criteria.context);
        let (sort, selected) = (
            self.table(criteria.view).sort(),
            self.find_selected(criteria),
        );
        let mut scratch = String::new();
        if context.names.is_some() {
            self.widest.cells = Width::ENDPOINT_MAX;
        }
        let unmeasured = self.widest.begin(shown);
        (self.losing, self.in_trouble) = (0, 0);
        let hides_some = self.hides_some(criteria);
        self.shown_rates = hides_some.then(Rates::default);
        let puts_trouble_first = self.puts_trouble_first(criteria.view);
        let has_pinned = !self.pinned.is_empty();
        let asks_more =
            hides_some || has_pinned || unmeasured.is_some() || context.alerts.is_some();
        let is_usual = !asks_more && sort.column == Sort::default().column;
        let outline = shown.outline().filter(|_| is_usual);
        for row in 0..shown.flows.len() {
            if let Some(throughput) = outline.and_then(|outline| outline.throughput(row)) {
                ranking.add_amount(row as u32, &sort, throughput);
            } else {
                let flow = shown.glance_at(row);
                self.losing += usize::from(flow.is_losing());
                let trouble = verdict(flow, context).number();
                self.in_trouble += usize::from(trouble.is_some());
                if unmeasured.is_some_and(|since_ns| flow.first_seen_ns >= since_ns) {
                    self.widest.measure(flow);
                }
                if hides_some && !self.shows(flow, trouble.is_some(), criteria, &mut scratch) {
                    continue;
                }
                if let (Some(sum), Some(rates)) = (&mut self.shown_rates, flow.rates) {
                    *sum += rates;
                }
                ranking.add(row as u32, &sort, &sort.column.value(flow, context));
                if has_pinned && self.pinned.contains(&flow.key) {
                    ranking.put_before(PINNED);
                } else if let Some(severity) = trouble.filter(|_| puts_trouble_first) {
                    ranking.put_before(Ranking::level_of(severity));
                }
            }
            if selected == Some(row as u32) {
                ranking.want();
            }
        }
        self.recent_trouble.record(shown.taken_ns, self.in_trouble);
        ranking
    }

    /// The row of the selected flow, which mostly is the one that it had.
    fn find_selected(&self, criteria: &Criteria) -> Option<u32> {
        let (flows, table) = (&criteria.shown.flows, self.table(criteria.view));
        let key = table.selected()?;
        let is_it = |flow: &Flow| flow.key == key;
        let former = table.position().and_then(|at| table.rows().get(at));
        let is_still_it = |row: &u32| flows.get(*row as usize).is_some_and(is_it);
        let found = || flows.iter().position(is_it).map(|row| row as u32);
        former.copied().filter(is_still_it).or_else(found)
    }

    /// Whether a flow may be hidden.
    fn hides_some(&self, criteria: &Criteria) -> bool {
        let hides_session = self.hides_session && criteria.session.is_some();
        !criteria.query.is_empty() || hides_session || self.hides_ended
    }

    fn shows(
        &self,
        flow: &Flow,
        is_in_trouble: bool,
        criteria: &Criteria,
        scratch: &mut String,
    ) -> bool {
        let (query, context) = (criteria.query, &criteria.context);
        let session = criteria.session.filter(|_| self.hides_session);
        let has_left = || {
            let stays = is_in_trouble || self.pinned.contains(&flow.key);
            !stays && has_ended(flow, criteria.shown.taken_ns, criteria.interval_s)
        };
        (query.is_empty() || query.matches(flow, context, &self.pinned, scratch))
            && !session.is_some_and(|session| session.carries(&flow.key))
            && !(self.hides_ended && has_left())
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;
    use crate::app::View;
    use crate::model::column::{Context, Names, Thresholds};
    use crate::model::flow::{FlowKey, Protocol};
    use crate::model::query::Query;
    use crate::model::snapshot::{FlowSample, Snapshot};
    use crate::model::tracker::unsteady::World;
    use crate::model::tracker::{FlowTracker, Intervals, Outline, Report};

    const SECOND_NS: u64 = 1_000_000_000;

    fn tracker() -> FlowTracker {
        let intervals = Intervals {
            refresh_ns: SECOND_NS,
            jitter_ns: SECOND_NS,
        };
        FlowTracker::new(intervals, SECOND_NS)
    }

    /// The rows in full order, the place of the selected one, and what is counted on the way.
    fn arranged(rows: &mut FlowRows, shown: &Report) -> (Vec<u32>, Option<usize>, [usize; 3]) {
        arranged_in(rows, shown, Context::default())
    }

    /// The same where this is asked for.
    fn arranged_in(
        rows: &mut FlowRows,
        shown: &Report,
        context: Context,
    ) -> (Vec<u32>, Option<usize>, [usize; 3]) {
        let query = Query::default();
        let criteria = Criteria {
            shown,
            view: View::Flows,
            query: &query,
            context,
            session: None,
            interval_s: 1.0,
            page: 20,
            is_open: false,
        };
        rows.arrange(&criteria);
        let table = rows.table(View::Flows);
        let place = table.position();
        let page = table.rows()[..20.min(table.rows().len())].to_vec();
        rows.sort_all(&criteria);
        let all = rows.table(View::Flows).rows();
        assert!(place.is_some_and(|place| place >= 20) || all.starts_with(&page));
        (
            all.to_vec(),
            place,
            [rows.hidden(), rows.losing(), rows.in_trouble()],
        )
    }

    #[test]
    fn rows_are_the_same_by_the_outline_and_flow_by_flow() {
        let mut world = World::silent();
        let mut tracker = tracker();
        let mut by = [(); 2].map(|()| FlowRows::new(Sort::default()));
        for second in 2..400 {
            tracker.advance_and_close(&world.read(second));
            let report = tracker.report();
            let key = report.flows[world.random.below(100) as usize].key;
            let by_packets = Sort::parse("-packets").unwrap_or_default();
            for rows in &mut by {
                match second % 60 {
                    0 => rows.sort_by(by_packets),
                    10 | 40 => rows.sort_by(Sort::default()),
                    15 => rows.select(key),
                    20 | 25 if second > 200 => _ = rows.toggle_ended(),
                    30 if second > 300 => rows.toggle_pin(key),
                    _ => {}
                }
            }
            let flow_by_flow = Report {
                outline: Outline::default(),
                ..report.clone()
            };
            let [outlined, looked_at] = &mut by;
            let expected = arranged(looked_at, &flow_by_flow);
            assert_eq!(arranged(outlined, report), expected, "{second}");
        }
    }

    /// Flows from an even port are beyond a threshold.
    #[derive(Debug)]
    struct OfEvenPorts;

    impl Thresholds for OfEvenPorts {
        fn words(&self, key: &FlowKey) -> Option<&str> {
            key.source_port.is_multiple_of(2).then_some("beyond")
        }
    }

    #[test]
    fn flows_beyond_a_threshold_are_in_trouble_though_nothing_else_is_the_matter() {
        let mut world = World::silent();
        let mut tracker = tracker();
        tracker.advance_and_close(&world.read(2));
        let report = tracker.report();
        let even = report.flows.iter();
        let even = even.filter(|flow| flow.key.source_port.is_multiple_of(2));
        let mut rows = FlowRows::new(Sort::default());
        let context = Context {
            alerts: Some(&OfEvenPorts),
            ..Context::default()
        };
        let (_, _, [.., in_trouble]) = arranged_in(&mut rows, report, context);
        assert_eq!(in_trouble, even.count());
        assert!(0 < in_trouble && in_trouble < report.flows.len());
    }

    #[test]
    fn a_flow_that_has_ended_is_hidden_unless_it_is_pinned() {
        let mut tracker = tracker();
        let address = |address: &str| address.parse::<IpAddr>().expect("an address");
        let key = |port| {
            let (source, destination) = (address("10.0.0.1"), address("10.0.0.2"));
            FlowKey::incoming(1, Protocol::Udp, (source, port), (destination, 5004))
        };
        // By port, seen so many seconds ago.
        let flows = [(1, 0), (2, 2), (3, 3), (4, 3)].map(|(port, ago)| FlowSample {
            last_seen_ns: (10 - ago) * SECOND_NS,
            ..FlowSample::new(port.into(), key(port))
        });
        tracker.advance_and_close(&Snapshot {
            taken_ns: 10 * SECOND_NS,
            flows: flows.to_vec(),
            ..Snapshot::default()
        });
        let report = tracker.report();
        let shown = |rows: &mut FlowRows| {
            let (places, _, [hidden, ..]) = arranged(rows, report);
            let ports = places.iter();
            let ports = ports.map(|at| report.flows[*at as usize].key.source_port);
            (ports.collect::<Vec<_>>(), hidden)
        };
        let mut rows = FlowRows::new(Sort::default());
        rows.toggle_pin(key(4));
        assert_eq!(shown(&mut rows), (vec![4, 1, 2, 3], 0));
        rows.toggle_ended();
        assert_eq!(shown(&mut rows), (vec![4, 1, 2], 1));
        rows.toggle_pin(key(4));
        assert_eq!(shown(&mut rows), (vec![1, 2], 2));
        // Where intervals are longer than 2 s, after one of them.
        let ended = |interval_s| {
            let flows = report.flows.iter();
            let ended = flows.filter(|flow| has_ended(flow, report.taken_ns, interval_s));
            ended.map(|flow| flow.key.source_port).collect::<Vec<_>>()
        };
        assert_eq!((ended(0.1), ended(2.9)), (vec![3, 4], vec![3, 4]));
        assert!(ended(3.0).is_empty());
    }

    #[test]
    fn endpoints_are_measured_as_flows_over_ipv6_come() {
        let mut tracker = tracker();
        let mut rows = FlowRows::new(Sort::default());
        let mut flows = Vec::new();
        let addresses = [
            "10.0.0.1",
            "10.0.0.2",
            "2001:db8:1111:2222:3333:4444:5555:6666",
            "::1",
        ];
        let widths = addresses.map(|address| {
            let address: IpAddr = address.parse().expect("an address");
            let key = FlowKey::incoming(1, Protocol::Udp, (address, 5), (address, 5004));
            let before_ns = tracker.report().taken_ns;
            flows.push(FlowSample {
                // When the reading before had begun.
                first_seen_ns: before_ns,
                ..FlowSample::new(flows.len() as u32, key)
            });
            tracker.advance_and_close(&Snapshot {
                taken_ns: before_ns + SECOND_NS,
                flows: flows.clone(),
                ..Snapshot::default()
            });
            arranged(&mut rows, tracker.report());
            rows.endpoint_width()
        });
        let ipv4 = "255.255.255.255:65535".len() as u16;
        let ipv6 = "[2001:db8:1111:2222:3333:4444:5555:6666]:5004".len() as u16;
        assert_eq!(widths, [ipv4, ipv4, ipv6, ipv6]);
        let names = Names::default();
        let context = Context {
            names: Some(&names),
            ..Context::default()
        };
        arranged_in(&mut rows, tracker.report(), context);
        assert_eq!(rows.endpoint_width(), Width::ENDPOINT_MAX);
    }
}
