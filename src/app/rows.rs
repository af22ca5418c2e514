//! Which rows there are and in which order: filter, sort, pinned rows first.
//!
//! Runs at each refresh over all flows, so it allocates nothing per flow.

use rustc_hash::FxHashMap;

use super::{App, View};
use crate::model::column::{Column, Context, Ranking, Width, by_id};
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

/// How wide its ends are, where that may be more than so much.
fn endpoint_width(flow: &Flow, most: u16) -> u16 {
    if most >= Width::ENDPOINT_MAX || flow.key.source.is_ipv4() {
        return 0;
    }
    let ends = ["source", "destination"].into_iter().filter_map(by_id);
    let text =
        |column: &Column| (column.value)(flow, &Context::default()).text(&Context::default());
    let widths = ends.map(|column| text(column).chars().count() as u16);
    widths.max().unwrap_or(0)
}

impl App {
    /// The rows are to be made anew, before anything is made of them: something that they depend on is another.
    pub(super) fn rearrange(&mut self) {
        self.arranged = None;
    }

    /// Makes the rows anew, unless they are those of this report and of the events of now.
    pub(super) fn keep_up(&mut self, shown: &Report) {
        let made_of = Some((shown.revision, self.shown_log().latest()));
        if self.arranged != made_of {
            self.arrange(shown);
            self.arranged = made_of;
        }
    }

    /// Arranges the flows, which exports need in every view, and the rows of the present view.
    fn arrange(&mut self, shown: &Report) {
        self.interface_count = shown.interfaces.len();
        self.arrange_rules(shown);
        let page = self.screen().map_or(1, |screen| screen.page());
        let ranking = self.look_through(shown);
        self.hidden = shown.flows.len() - ranking.len();
        self.arrange_flows(shown, ranking, page);
        match self.view() {
            View::Flows | View::Loss => {}
            View::Interfaces => self.arrange_interfaces(shown, page),
            View::Events => self.arrange_events(page),
        }
    }

    /// The one pass over all flows: which of them the filter shows, what they are sorted by, how many lose, how wide
    /// they are.
    fn look_through(&mut self, shown: &Report) -> Ranking {
        let mut ranking = std::mem::take(&mut self.ranking).emptied();
        let query = self.filter.query();
        let session = self
            .choices
            .current()
            .session
            .filter(|_| self.session_hidden);
        let (context, sort) = (self.context(shown), self.flow_table().sort);
        let selected = self.flow_table().selected().map(|key| (key.brief(), key));
        let measured_ns = match self.measured_ns > shown.taken_ns {
            true => 0,
            false => self.measured_ns,
        };
        let mut scratch = String::new();
        let (mut losing, mut width) = (0, self.endpoint_width);
        if self.names.is_some() {
            width = Width::ENDPOINT_MAX;
        }
        for (row, flow) in (0_u32..).zip(&shown.flows) {
            losing += usize::from(loses(flow));
            // Only flows that are new are measured, and columns never get narrower again: they would jump with each
            // flow that comes and goes.
            if flow.first_seen_ns >= measured_ns {
                width = width.max(endpoint_width(flow, width));
            }
            if (query.is_empty() || query.matches(flow, &context, &mut scratch))
                && !session.is_some_and(|session| session.carries(&flow.key))
            {
                let cell = (sort.column.value)(flow, &context);
                let brief = flow.key.brief();
                ranking.add(row, &sort, &cell, brief);
                if !self.pinned.is_empty() && self.pinned.contains(&flow.key) {
                    ranking.put_first();
                }
                if selected.is_some_and(|(its, key)| its == brief && key == flow.key) {
                    ranking.want();
                }
            }
        }
        self.losing = losing;
        self.endpoint_width = width;
        self.measured_ns = shown.taken_ns;
        ranking
    }

    /// Puts the flows on the screen in order. All of them would cost ten times as much, and nobody sees the others.
    fn arrange_flows(&mut self, shown: &Report, mut ranking: Ranking, page: usize) {
        let key = |row: u32| shown.flows[row as usize].key;
        let mut rows = self.flow_table_mut().take_rows();
        let mut table = self.flow_table().clone();
        let (sort, context) = (table.sort, self.context(shown));
        let (count, mut sorted) = (ranking.len(), 0..0);
        let part = |found| {
            sorted = match self.held {
                Some(_) => 0..count,
                None => table.part_to_sort(count, found, page),
            };
            sorted.clone()
        };
        ranking.sort(&mut rows, &sort, &shown.flows, &context, tie, part);
        if let Some(ranks) = &self.held {
            let rank = |key: &FlowKey| ranks.get(key).copied().unwrap_or(u32::MAX);
            let is_pinned = |key: &FlowKey| self.pinned.contains(key);
            rows.sort_by_cached_key(|row| (!is_pinned(&key(*row)), rank(&key(*row)), key(*row)));
            table.set_rows(rows, page, key);
        } else {
            table.set_sorted(rows, sorted, page, key);
        }
        *self.flow_table_mut() = table;
        self.ranking = ranking;
    }

    /// Puts all flows in order that are shown, on the screen or not.
    pub(super) fn sort_all(&mut self, shown: &Report) {
        self.keep_up(shown);
        if self.flow_table().has_order() {
            return;
        }
        let page = self.screen().map_or(1, |screen| screen.page());
        let mut ranking = self.look_through(shown);
        let mut rows = self.flow_table_mut().take_rows();
        let (sort, context) = (self.flow_table().sort, self.context(shown));
        let all = 0..ranking.len();
        ranking.sort(&mut rows, &sort, &shown.flows, &context, tie, |_| all);
        self.flow_table_mut()
            .set_rows(rows, page, |row| shown.flows[row as usize].key);
        self.ranking = ranking;
    }

    /// The selected flow and the pinned ones.
    pub(super) fn focus(&self) -> Vec<FlowKey> {
        let selected = self.flow_table().selected();
        let pinned = self.pinned.iter().copied();
        let mut focus: Vec<FlowKey> = pinned.chain(selected).collect();
        focus.sort_unstable();
        focus.dedup();
        focus
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
        let log = self.shown_log().clone();
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
        self.notices.say(match self.held {
            Some(_) => "the order is held; new flows come last",
            None => "the order follows the numbers",
        });
        self.rearrange();
    }
}
