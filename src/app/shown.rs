//! What the drawing code and the exports may ask the application; rows are in [`Scene`](super::Scene).

use std::sync::Arc;

use super::layout::{Placed, Screen, place};
use super::table::Table;
use super::{App, FilterLine, Mode, Notices, Paused, Preferences, View};
use crate::model::alert::Alerts;
use crate::model::column::{Column, Context, EVENT_COLUMNS, INTERFACE_COLUMNS, RULE_COLUMNS};
use crate::model::event::{Event, EventLog, TimeOfDay};
use crate::model::flow::FlowKey;
use crate::model::tracker::{Flow, Interface, Report, RuleReport};

impl App {
    /// The report of the pause.
    pub(super) fn paused_report(&self) -> Option<Arc<Report>> {
        self.paused.as_ref().map(|paused| paused.report().clone())
    }

    /// What cells depend on.
    pub fn context<'a>(&'a self, shown: &Report) -> Context<'a> {
        Context {
            unit: self.preferences().unit,
            now_ns: shown.taken_ns,
            names: self.names.as_ref(),
        }
    }

    /// The lines of the screen; `None` where it is too small.
    pub fn screen(&self) -> Option<Screen> {
        let screen = Screen::new(self.size, self.interface_count)?;
        let covered = !matches!(self.mode, Mode::View | Mode::Filter);
        Some(match self.view() {
            View::Interfaces if !covered => {
                screen.with_rules(self.interface_count, self.rule_count)
            }
            _ => screen,
        })
    }

    fn place<T>(&self, columns: &[&'static Column<T>]) -> Vec<Placed<T>> {
        let (width, unit) = (self.size.0, self.preferences().unit);
        place(columns, width, unit, self.endpoint_width)
    }

    /// The flow columns that have room, with their places.
    pub fn placed_flow_columns(&self) -> Vec<Placed<Flow>> {
        self.place(&self.preferences().flow_columns())
    }

    /// The interface columns that have room, with their places.
    pub fn placed_interface_columns(&self) -> Vec<Placed<Interface>> {
        self.place(&INTERFACE_COLUMNS.iter().collect::<Vec<_>>())
    }

    /// The rule columns that have room, with their places.
    pub fn placed_rule_columns(&self) -> Vec<Placed<RuleReport>> {
        self.place(&RULE_COLUMNS.iter().collect::<Vec<_>>())
    }

    /// The event columns, with their places.
    pub fn placed_event_columns(&self) -> Vec<Placed<Event>> {
        self.place(&EVENT_COLUMNS.iter().collect::<Vec<_>>())
    }

    /// The flow table of this view.
    pub fn flow_table(&self) -> &Table<FlowKey, Flow> {
        match self.view() {
            View::Loss => &self.losses,
            _ => &self.flows,
        }
    }

    pub(super) fn flow_table_mut(&mut self) -> &mut Table<FlowKey, Flow> {
        match self.view() {
            View::Loss => &mut self.losses,
            _ => &mut self.flows,
        }
    }

    /// The interface table.
    pub fn interface_table(&self) -> &Table<u32, Interface> {
        &self.interfaces
    }

    /// The rule table, below the interfaces.
    pub fn rule_table(&self) -> &Table<u32, RuleReport> {
        &self.rules
    }

    /// Whether the selection is among the rules.
    pub fn in_rules(&self) -> bool {
        self.in_rules && self.view() == View::Interfaces
    }

    /// The event table.
    pub fn event_table(&self) -> &Table<u64, Event> {
        &self.events
    }

    /// Whether the rows are flows.
    pub fn shows_flows(&self) -> bool {
        matches!(self.view(), View::Flows | View::Loss)
    }

    /// Selected row and number of rows of this view.
    pub fn selection(&self) -> Option<(usize, usize)> {
        let (position, rows) = match self.view() {
            View::Flows | View::Loss => {
                (self.flow_table().position(), self.flow_table().rows().len())
            }
            View::Interfaces if self.in_rules => (self.rules.position(), self.rules.rows().len()),
            View::Interfaces => (self.interfaces.position(), self.interfaces.rows().len()),
            View::Events => (self.events.position(), self.events.rows().len()),
        };
        position.filter(|p| *p < rows).map(|p| (p, rows))
    }

    /// The events to show: those of the pause, or all.
    pub fn shown_log(&self) -> &EventLog {
        let paused = self.paused.as_ref();
        paused.map_or(self.journal.log(), Paused::log)
    }

    /// What a person chose so far.
    pub fn preferences(&self) -> &Preferences {
        self.choices.current()
    }

    /// The view.
    pub fn view(&self) -> View {
        self.choices.current().view
    }

    /// What takes the keys.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// The filter line.
    pub fn filter(&self) -> &FilterLine {
        &self.filter
    }

    /// The thresholds and the flows in trouble: those of the pause, or of now.
    pub fn alerts(&self) -> &Alerts {
        let paused = self.paused.as_ref();
        paused.map_or(self.journal.alerts(), Paused::alerts)
    }

    /// The pause, if the screen is paused.
    pub fn paused(&self) -> Option<&Paused> {
        self.paused.as_ref()
    }

    /// When the totals were last set to zero.
    pub fn reset_at(&self) -> Option<TimeOfDay> {
        self.journal.reset_at()
    }

    /// Whether this flow is pinned to the top.
    pub fn is_pinned(&self, key: &FlowKey) -> bool {
        self.pinned.contains(key)
    }

    /// Whether this flow carries the SSH session that flowtop runs in.
    pub fn is_own_session(&self, key: &FlowKey) -> bool {
        self.preferences()
            .session
            .is_some_and(|session| session.carries(key))
    }

    /// Whether the order of the rows is held.
    pub fn order_is_held(&self) -> bool {
        self.held.is_some()
    }

    /// Flows that are not shown because of the filter.
    pub fn hidden(&self) -> usize {
        self.hidden
    }

    /// Flows that lost something in the latest interval.
    pub fn losing(&self) -> usize {
        self.losing
    }

    /// Columns and lines of the terminal.
    pub fn size(&self) -> (u16, u16) {
        self.size
    }

    /// What the status line has to say.
    pub fn notices(&self) -> &Notices {
        &self.notices
    }
}
