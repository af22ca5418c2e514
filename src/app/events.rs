//! The rows of the Events view.

use super::layout::Placed;
use super::reorder::Reorder;
use super::step::Step;
use super::table::Table;
use crate::model::column::{Context, EVENT_COLUMNS, Sort};
use crate::model::event::{Event, EventLog};
use crate::model::query::Query;

/// Which events are listed, in which order, and the one that is selected.
#[derive(Debug)]
pub struct EventRows {
    table: Table<u64, Event>,
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

    /// Remakes the rows: the events that contain the filter's words.
    pub(super) fn arrange(&mut self, log: &EventLog, query: &Query, page: usize) {
        let events = log.events();
        let is_shown = |row: &u32| {
            let event = &events[*row as usize];
            query.is_empty() || query.matches_text(&format!("{} {}", event.kind.name(), event.text))
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
