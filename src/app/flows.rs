//! The rows of flows: which there are, and in which order, by filter, sort column, pins and a held order.
//!
//! They are remade at each refresh from all flows, so nothing is allocated per flow. Each view of flows has a table of its
//! own, and they share everything else.

mod rank;

use rustc_hash::FxHashMap;

pub(super) use rank::PINNED;
pub use rank::has_ended;

use super::View;
use super::flow_tables::FlowTables;
use super::layout::Placed;
use super::recent_trouble::RecentTrouble;
use super::reorder::Reorder;
use super::session::SshSession;
use super::step::Step;
use super::table::Table;
use super::widest::WidestEndpoint;
use crate::model::column::{Context, FLOW_COLUMNS, Ranking, Sort, verdict};
use crate::model::flow::FlowKey;
use crate::model::query::Query;
use crate::model::tracker::{Flow, Rates, Report};

/// The rank of each flow in a held order.
type Ranks = FxHashMap<FlowKey, u32>;

/// The rows of flows, and what the user did to them.
#[derive(Debug)]
pub struct FlowRows {
    tables: FlowTables,
    pinned: Vec<FlowKey>,
    /// The views whose order is held, with the rank of each flow in it.
    held: Vec<(View, Ranks)>,
    hides_session: bool,
    hides_ended: bool,
    /// The flows that were selected or pinned at the latest call of [`changed_focus`](Self::changed_focus).
    focused: Vec<FlowKey>,
    hidden: usize,
    losing: usize,
    /// What the flows that are shown come to, where some may be hidden.
    shown_rates: Option<Rates>,
    in_trouble: usize,
    recent_trouble: RecentTrouble,
    /// As long as nobody asks for an order, flows in trouble come first.
    puts_trouble_first: bool,
    widest: WidestEndpoint,
    /// Scratch memory for sorting.
    ranking: Ranking,
}

/// What the rows depend on, apart from the state of [`FlowRows`].
pub(super) struct Criteria<'a> {
    /// The report that is shown.
    pub shown: &'a Report,
    /// The view that is open.
    pub view: View,
    /// The filter.
    pub query: &'a Query,
    /// What cells depend on.
    pub context: Context<'a>,
    /// The SSH session that flowtop runs in.
    pub session: Option<SshSession>,
    /// Length of an interval, s.
    pub interval_s: f64,
    /// Rows on the screen.
    pub page: usize,
    /// The detail of the selected flow is open.
    pub is_open: bool,
}

impl Criteria<'_> {
    fn keys(&self) -> impl Fn(u32) -> FlowKey {
        |row| self.shown.flows[row as usize].key
    }
}

/// Views without flows have those of the Flows view.
fn ranks_of(held: &[(View, Ranks)], view: View) -> Option<&Ranks> {
    let view = if view.filters_flows() {
        view
    } else {
        View::Flows
    };
    let of_view = held.iter().find(|(of, _)| *of == view);
    of_view.map(|(_, ranks)| ranks)
}

impl FlowRows {
    /// No rows yet; the Flows view will be in this order.
    pub(super) fn new(sort: Sort) -> FlowRows {
        FlowRows {
            tables: FlowTables::new(sort),
            pinned: Vec::new(),
            held: Vec::new(),
            hides_session: false,
            hides_ended: false,
            focused: Vec::new(),
            hidden: 0,
            losing: 0,
            shown_rates: None,
            in_trouble: 0,
            recent_trouble: RecentTrouble::default(),
            puts_trouble_first: sort == Sort::default(),
            widest: WidestEndpoint::IPV4,
            ranking: Ranking::default(),
        }
    }

    /// The number of flows that the filter hides.
    pub fn hidden(&self) -> usize {
        self.hidden
    }

    /// The rates of the flows that are shown, where a filter leaves out others.
    pub fn shown_rates(&self) -> Option<Rates> {
        self.shown_rates.filter(|_| self.hidden > 0)
    }

    /// The number of flows that lost something in the latest interval.
    pub fn losing(&self) -> usize {
        self.losing
    }

    /// The number of flows in trouble: far from their own past, or beyond a threshold.
    pub fn in_trouble(&self) -> usize {
        self.in_trouble
    }

    /// Whether a flow is in trouble, or was of late.
    pub fn was_in_trouble(&self) -> bool {
        self.recent_trouble.is_there()
    }

    /// Whether flows in trouble come first in this view.
    pub fn puts_trouble_first(&self, view: View) -> bool {
        self.puts_trouble_first && view != View::Loss
    }

    /// Whether this flow is pinned to the top.
    pub fn is_pinned(&self, key: &FlowKey) -> bool {
        self.pinned.contains(key)
    }

    /// Whether the order of this view's rows is held.
    pub fn is_held(&self, view: View) -> bool {
        ranks_of(&self.held, view).is_some()
    }

    /// The width of the widest endpoint, in cells.
    pub(super) fn endpoint_width(&self) -> u16 {
        self.widest.cells
    }

    /// The rows of this view; of views that show no flows, those of the Flows view.
    pub(super) fn table(&self, view: View) -> &Table<FlowKey, Flow> {
        self.tables.of(view)
    }

    /// Remakes the rows and sorts those on the screen. Sorting all of them would cost ten times as much, and nobody sees the
    /// others.
    pub(super) fn arrange(&mut self, criteria: &Criteria) {
        let mut ranking = self.rank(criteria);
        self.hidden = criteria.shown.flows.len() - ranking.len();
        let (shown, page, key) = (criteria.shown, criteria.page, criteria.keys());
        let (pinned, held) = (&self.pinned, ranks_of(&self.held, criteria.view));
        let table = self.tables.of_mut(criteria.view);
        table.keep_selected(criteria.is_open);
        let (mut rows, sort) = (table.reuse_rows(), table.sort());
        let (count, mut sorted) = (ranking.len(), 0..0);
        let part = |found| {
            sorted = match held {
                Some(_) => 0..count,
                None => table.part_to_sort(count, found, page),
            };
            sorted.clone()
        };
        let (context, tie) = (&criteria.context, Flow::tie);
        ranking.sort(&mut rows, &sort, &shown.flows, context, tie, part);
        if let Some(ranks) = held {
            let rank = |key: &FlowKey| ranks.get(key).copied().unwrap_or(u32::MAX);
            let is_pinned = |key: &FlowKey| pinned.contains(key);
            rows.sort_by_cached_key(|row| (!is_pinned(&key(*row)), rank(&key(*row)), key(*row)));
            table.set_rows(rows, page, key);
        } else {
            table.set_sorted(rows, sorted, page, key);
        }
        self.ranking = ranking;
    }

    /// Sorts all rows, on the screen or not. They must have been arranged by the same criteria.
    pub(super) fn sort_all(&mut self, criteria: &Criteria) {
        if self.table(criteria.view).has_order() {
            return;
        }
        let mut ranking = self.rank(criteria);
        let table = self.tables.of_mut(criteria.view);
        let (mut rows, sort) = (table.reuse_rows(), table.sort());
        let (flows, all) = (&criteria.shown.flows, 0..ranking.len());
        let (context, tie) = (&criteria.context, Flow::tie);
        ranking.sort(&mut rows, &sort, flows, context, tie, |_| all);
        table.set_rows(rows, criteria.page, criteria.keys());
        self.ranking = ranking;
    }

    /// Moves the selection. If that leads beyond the sorted rows, all are sorted first.
    pub(super) fn step(&mut self, step: Step, criteria: &Criteria) {
        let (view, page) = (criteria.view, criteria.page);
        if !self.table(view).has_order_for(step, page) {
            self.sort_all(criteria);
        }
        self.tables.of_mut(view).step(step, page, criteria.keys());
    }

    /// Selects the flow that was drawn on this line; false if there is none.
    pub(super) fn select_line(&mut self, line: usize, criteria: &Criteria) -> bool {
        let table = self.tables.of_mut(criteria.view);
        table.select_line(line, criteria.page, criteria.keys())
    }

    /// Selects this flow in the Flows view; its row is found by the next arrangement.
    pub(super) fn select(&mut self, key: FlowKey) {
        self.tables.of_mut(View::Flows).select(key);
    }

    /// Selects the next flow in trouble of this view, from the selected one on and round; false if there is none.
    pub(super) fn select_trouble(&mut self, criteria: &Criteria) -> bool {
        self.sort_all(criteria);
        let flows = &criteria.shown.flows;
        let table = self.table(criteria.view);
        let from = table.position().map_or(0, |position| position + 1);
        let rows = table.rows();
        let mut around = rows.iter().cycle().skip(from).take(rows.len());
        let found = around.find_map(|row| {
            let flow = &flows[*row as usize];
            (!verdict(flow, &criteria.context).is_unknown()).then_some(flow.key)
        });
        if let Some(key) = found {
            self.tables.of_mut(criteria.view).select(key);
        }
        found.is_some()
    }

    /// Clears the selection of this view.
    pub(super) fn deselect(&mut self, view: View) {
        self.tables.of_mut(view).deselect();
    }

    /// Changes the order of this view, from the next arrangement on.
    pub(super) fn reorder(&mut self, change: Reorder, view: View, placed: &[Placed<Flow>]) {
        if view != View::Loss {
            self.puts_trouble_first = false;
        }
        self.tables
            .of_mut(view)
            .reorder(change, placed, &FLOW_COLUMNS);
    }

    /// Sets the order of the Flows view, from the next arrangement on.
    pub(super) fn sort_by(&mut self, sort: Sort) {
        self.tables.of_mut(View::Flows).set_sort(sort);
        self.puts_trouble_first = sort == Sort::default();
    }

    /// Holds the present order, whatever the numbers become, or releases it. Returns whether it is held.
    pub(super) fn toggle_hold(&mut self, criteria: &Criteria) -> bool {
        self.sort_all(criteria);
        let flows = &criteria.shown.flows;
        let key = |row: &u32| flows.get(*row as usize).map(|flow| flow.key);
        let view = criteria.view;
        if self.is_held(view) {
            self.release_order(view);
            return false;
        }
        let rows = self.table(view).rows().iter();
        let ranks = rows.filter_map(key).zip(0..).collect();
        self.held.push((view, ranks));
        true
    }

    /// Releases the held order of this view.
    pub(super) fn release_order(&mut self, view: View) {
        self.held.retain(|(of, _)| *of != view);
    }

    /// Pins this flow to the top, or unpins it.
    pub(super) fn toggle_pin(&mut self, key: FlowKey) {
        match self.pinned.iter().position(|pinned| *pinned == key) {
            Some(index) => _ = self.pinned.remove(index),
            None => self.pinned.push(key),
        }
    }

    /// Hides the flow of flowtop's own SSH session, or shows it again.
    pub(super) fn toggle_session(&mut self) {
        self.hides_session ^= true;
    }

    /// Hides flows that have ended, or shows them again; those that are pinned or in trouble stay. Returns whether they are
    /// hidden.
    pub(super) fn toggle_ended(&mut self) -> bool {
        self.hides_ended ^= true;
        self.hides_ended
    }

    /// Whether flows that have ended are hidden.
    pub fn hides_ended(&self) -> bool {
        self.hides_ended
    }

    /// Hides no flow but those that the filter leaves out.
    pub(super) fn hide_nothing(&mut self) {
        (self.hides_session, self.hides_ended) = (false, false);
    }

    /// The flows that are pinned.
    pub(super) fn pinned(&self) -> &[FlowKey] {
        &self.pinned
    }

    /// Measures endpoints afresh: names are no longer among them.
    pub(super) fn measure_anew(&mut self) {
        self.widest = WidestEndpoint::IPV4;
    }

    /// The flow that is selected and the pinned ones, if they have changed since the previous call.
    pub(super) fn changed_focus(&mut self, selected: Option<FlowKey>) -> Option<Vec<FlowKey>> {
        let mut focus: Vec<FlowKey> = self.pinned.iter().copied().chain(selected).collect();
        focus.sort_unstable();
        focus.dedup();
        if focus == self.focused {
            return None;
        }
        self.focused.clone_from(&focus);
        Some(focus)
    }

    /// Remembers the rows on the page, which are drawn now.
    pub(super) fn remember_page(&mut self, criteria: &Criteria) {
        let table = self.tables.of_mut(criteria.view);
        table.remember_page(criteria.page, criteria.keys());
    }
}
