//! Which rows there are and in which order: filter, sort, pinned rows first.
//!
//! Runs at each refresh over all flows, so it allocates nothing per flow.

use rustc_hash::FxHashMap;

use super::{App, View};
use crate::model::column::{Context, Mark, Width, by_id};
use crate::model::flow::FlowKey;
use crate::model::tracker::{Flow, Report};

/// Where all addresses are IPv4, no endpoint is wider: `255.255.255.255:65535`.
pub(super) const IPV4_ENDPOINT: u16 = 21;

/// Whether numbers went missing in the latest interval.
pub fn loses(flow: &Flow) -> bool {
    let latest = flow.history.lost.latest();
    latest.is_some_and(|lost| lost > 0.0) && flow.sequence.is_some()
}

/// What tells flows apart that are equal in a column.
fn tie(flow: &Flow) -> (u64, FlowKey) {
    (flow.key.brief(), flow.key)
}

impl App {
    /// Arranges the flows, which exports need in every view, and the rows of the present view.
    pub(super) fn arrange(&mut self, shown: &Report) {
        self.interface_count = shown.interfaces.len();
        self.arranged = Some((shown.taken_ns, shown.flows.len()));
        self.arrange_rules(shown);
        let page = self.screen().map_or(1, |screen| screen.page());
        let rows = self.flow_table_mut().take_rows();
        self.measure_endpoints(shown);
        let rows = self.look_through(shown, rows);
        self.hidden = shown.flows.len() - rows.len();
        self.arrange_flows(shown, rows, page);
        match self.view {
            View::Flows | View::Loss => {}
            View::Interfaces => self.arrange_interfaces(shown, page),
            View::Events => self.arrange_events(page),
        }
    }

    /// One pass over all flows: which rows the filter shows, how many lose.
    fn look_through(&mut self, shown: &Report, mut rows: Vec<u32>) -> Vec<u32> {
        let query = self.filter.query();
        let session = self.preferences.session.filter(|_| self.session_hidden);
        let context = self.context(shown);
        let mut scratch = String::new();
        let mut losing = 0;
        rows.clear();
        for (row, flow) in (0_u32..).zip(&shown.flows) {
            losing += usize::from(loses(flow));
            if (query.is_empty() || query.matches(flow, &context, &mut scratch))
                && !session.is_some_and(|session| session.carries(&flow.key))
            {
                rows.push(row);
            }
        }
        self.losing = losing;
        rows
    }

    /// How wide the ends of flows are. Only flows that are new are looked at, and columns never get narrower again:
    /// they would jump with each flow that comes and goes.
    fn measure_endpoints(&mut self, shown: &Report) {
        if self.names.is_some() {
            self.endpoint_width = Width::ENDPOINT_MAX;
        }
        if self.measured_ns > shown.taken_ns {
            self.measured_ns = 0;
        }
        for flow in &shown.flows {
            if self.endpoint_width >= Width::ENDPOINT_MAX {
                break;
            }
            if flow.first_seen_ns < self.measured_ns || flow.key.source.is_ipv4() {
                continue;
            }
            for column in ["source", "destination"].into_iter().filter_map(by_id) {
                let text = (column.value)(flow, &Context::default()).text(&Context::default());
                self.endpoint_width = self.endpoint_width.max(text.chars().count() as u16);
            }
        }
        self.measured_ns = shown.taken_ns;
    }

    fn arrange_flows(&mut self, shown: &Report, mut rows: Vec<u32>, page: usize) {
        let flow = |row: u32| &shown.flows[row as usize];
        match &self.held {
            Some(ranks) => {
                let rank = |key: &FlowKey| ranks.get(key).copied().unwrap_or(u32::MAX);
                rows.sort_by_cached_key(|row| (rank(&flow(*row).key), flow(*row).key));
            }
            None => return self.sort_flows(shown, rows, page),
        }
        if !self.pinned.is_empty() {
            let is_pinned = |row: &u32| self.pinned.contains(&flow(*row).key);
            rows.sort_by_cached_key(|row| !is_pinned(row));
        }
        self.flow_table_mut()
            .set_rows(rows, page, |row| flow(row).key);
    }

    /// Puts the flows on the screen in order. All of them would cost ten times as much, and nobody sees the others.
    fn sort_flows(&mut self, shown: &Report, mut rows: Vec<u32>, page: usize) {
        let mut table = self.flow_table().clone();
        let (sort, context) = (table.sort, self.context(shown));
        let (selected, pinned) = (table.selected(), &self.pinned);
        let mark = |flow: &Flow| Mark {
            is_first: !pinned.is_empty() && pinned.contains(&flow.key),
            is_wanted: selected.is_some_and(|selected| selected == flow.key),
        };
        let (count, mut sorted) = (rows.len(), 0..0);
        let part = |found| {
            sorted = table.part_to_sort(count, found, page);
            sorted.clone()
        };
        sort.apply_part(&mut rows, &shown.flows, &context, tie, mark, part);
        table.set_sorted(rows, sorted, page, |row| shown.flows[row as usize].key);
        *self.flow_table_mut() = table;
    }

    /// Puts all flows in order that are shown, on the screen or not.
    pub(super) fn sort_all(&mut self, shown: &Report) {
        if self.flow_table().has_order() {
            return;
        }
        let page = self.screen().map_or(1, |screen| screen.page());
        let mut rows = self.flow_table_mut().take_rows();
        let (sort, pinned) = (self.flow_table().sort, &self.pinned);
        let mark = |flow: &Flow| Mark {
            is_first: pinned.contains(&flow.key),
            is_wanted: false,
        };
        let all = 0..rows.len();
        let context = self.context(shown);
        sort.apply_part(&mut rows, &shown.flows, &context, tie, mark, |_| all);
        self.flow_table_mut()
            .set_rows(rows, page, |row| shown.flows[row as usize].key);
    }

    fn arrange_interfaces(&mut self, shown: &Report, page: usize) {
        let mut rows: Vec<u32> = (0..shown.interfaces.len() as u32).collect();
        let sort = self.interfaces.sort;
        sort.apply(&mut rows, &shown.interfaces, &self.context(shown), |i| {
            (i.ifindex.into(), ())
        });
        let key = |row: u32| shown.interfaces[row as usize].ifindex;
        self.interfaces.set_rows(rows, page, key);
    }

    /// Rules stay in their own order: the first one that matches counts.
    fn arrange_rules(&mut self, shown: &Report) {
        self.rule_count = shown.rules.len();
        self.in_rules &= self.rule_count > 0;
        let page = self.screen().map_or(1, |screen| screen.rules.1.into());
        let rows = (0..self.rule_count as u32).collect();
        self.rules.set_rows(rows, page, |row| row);
    }

    fn arrange_events(&mut self, page: usize) {
        let log = self.shown_log();
        let events = log.events();
        let query = self.filter.query();
        let shown = |row: &u32| {
            let event = &events[*row as usize];
            query.is_empty() || query.matches_text(&format!("{} {}", event.kind.name(), event.text))
        };
        let mut rows: Vec<u32> = (0..events.len() as u32).filter(shown).collect();
        self.events
            .sort
            .apply(&mut rows, events, &Context::default(), |e| (e.id, ()));
        self.events
            .set_rows(rows, page, |row| events[row as usize].id);
    }

    /// Keeps the order of now, whatever the numbers become, or lets it go.
    pub(super) fn toggle_hold(&mut self, shown: &Report) {
        self.sort_all(shown);
        let keys = |row: &u32| shown.flows.get(*row as usize).map(|flow| flow.key);
        let ranks = self.flow_table().rows().iter().filter_map(keys).zip(0..);
        let ranks = self
            .held
            .is_none()
            .then(|| ranks.collect::<FxHashMap<_, _>>());
        self.held = ranks;
        self.notice = Some(match self.held {
            Some(_) => "the order is held; new flows come last".to_owned(),
            None => "the order follows the numbers".to_owned(),
        });
        self.arrange(shown);
    }
}
