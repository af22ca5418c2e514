//! The rows of the Events view.

use rustc_hash::{FxHashMap, FxHashSet};

use super::layout::Placed;
use super::reorder::Reorder;
use super::step::Step;
use super::table::Table;
use crate::model::column::{Context, EVENT_COLUMNS, Sort};
use crate::model::event::{Event, EventLog};
use crate::model::flow::FlowKey;
use crate::model::query::Query;
use crate::model::tracker::{Flow, Report};

/// Which events are listed, in which order, and the one that is selected.
#[derive(Debug)]
pub struct EventRows {
    table: Table<u64, Event>,
}

/// What the rows depend on, apart from their order.
pub(super) struct Criteria<'a> {
    /// The events.
    pub log: &'a EventLog,
    /// The report that is shown: events may be asked about their flows.
    pub shown: &'a Report,
    /// The filter.
    pub query: &'a Query,
    /// What cells depend on.
    pub context: Context<'a>,
    /// The flows that are pinned.
    pub pinned: &'a [FlowKey],
}

impl<'a> Criteria<'a> {
    /// The flows of events that are listed, if the filter asks for them.
    fn listed_flows(&self) -> FxHashMap<FlowKey, &'a Flow> {
        if !self.query.asks_for_flows() {
            return FxHashMap::default();
        }
        let events = self.log.events().iter();
        let keys: FxHashSet<FlowKey> = events.filter_map(|event| event.flow).collect();
        let flows = self.shown.flows.iter();
        let of_events = flows.filter(|flow| keys.contains(&flow.key));
        of_events.map(|flow| (flow.key, flow)).collect()
    }
}

fn ids(log: &EventLog) -> impl Fn(u32) -> u64 {
    |row| log.events()[row as usize].id
}

impl EventRows {
    /// No rows yet.
    pub(super) fn new() -> EventRows {
        EventRows {
            table: Table::new(Sort::by(&EVENT_COLUMNS[0])),
        }
    }

    /// The rows.
    pub fn table(&self) -> &Table<u64, Event> {
        &self.table
    }

    /// The selected event, as long as it is in the log.
    pub fn selected<'a>(&self, log: &'a EventLog) -> Option<&'a Event> {
        let id = self.table.selected()?;
        log.events().iter().find(|event| event.id == id)
    }

    /// Another log is shown, with numbers of its own: selects the event in it that this one was.
    pub(super) fn select_again(&mut self, event: Option<Event>, log: &EventLog) {
        let Some(event) = event else { return };
        let is_it = |other: &&Event| {
            Event {
                id: other.id,
                ..event.clone()
            } == **other
        };
        match log.events().iter().rev().find(is_it) {
            Some(found) => self.table.select(found.id),
            None => self.table.deselect(),
        }
    }

    /// Remakes the rows: the events that pass the filter.
    pub(super) fn arrange(&mut self, criteria: &Criteria, page: usize) {
        let Criteria {
            log,
            query,
            context,
            pinned,
            ..
        } = criteria;
        let events = log.events();
        let listed = criteria.listed_flows();
        let mut scratch = String::new();
        let is_shown = |row: &u32| {
            let event = &events[*row as usize];
            let flow = event.flow.and_then(|key| listed.get(&key).copied());
            query.matches_event(event, flow, context, pinned, &mut scratch)
        };
        let mut rows: Vec<u32> = (0..events.len() as u32).filter(is_shown).collect();
        let sort = self.table.sort();
        sort.apply(&mut rows, events, &Context::default(), |e| (e.id, ()));
        self.table.set_rows(rows, page, ids(log));
    }

    /// Moves the selection.
    pub(super) fn step(&mut self, step: Step, log: &EventLog, page: usize) {
        self.table.step(step, page, ids(log));
    }

    /// Selects the event that was drawn on this line; false if there is none.
    pub(super) fn select_line(&mut self, line: usize, log: &EventLog, page: usize) -> bool {
        self.table.select_line(line, page, ids(log))
    }

    /// Clears the selection.
    pub(super) fn deselect(&mut self) {
        self.table.deselect();
    }

    /// Changes the order, from the next arrangement on.
    pub(super) fn reorder(&mut self, change: Reorder, placed: &[Placed<Event>]) {
        self.table.reorder(change, placed, &EVENT_COLUMNS);
    }

    /// Remembers the rows on the page, which are drawn now.
    pub(super) fn remember_page(&mut self, log: &EventLog, page: usize) {
        self.table.remember_page(page, ids(log));
    }
}
