//! What drawing and exports may ask the application; rows are in a [`Scene`](super::Scene).

use std::sync::Arc;

use super::layout::{Placed, Screen, place};
use super::rows::{alerts, context};
use super::table::Table;
use super::{
    App, EventRows, FilterLine, FlowRows, InterfaceRows, Mode, Notices, Paused, Preferences, View,
};
use crate::model::alert::Alerts;
use crate::model::column::{
    Column, Context, EVENT_COLUMNS, INTERFACE_COLUMNS, Names, RULE_COLUMNS,
};
use crate::model::event::{Event, EventLog, TimeOfDay};
use crate::model::flow::FlowKey;
use crate::model::preferences::Scale;
use crate::model::tracker::{Flow, Interface, Report, RuleReport};

impl App {
    /// The report of the pause.
    pub(super) fn paused_report(&self) -> Option<Arc<Report>> {
        self.paused.as_ref().map(|paused| paused.report().clone())
    }

    /// How the axis of the times between packets goes, in the detail.
    pub fn scale(&self) -> Scale {
        self.choices.scale()
    }

    /// What cells depend on.
    pub fn context<'a>(&'a self, shown: &Report) -> Context<'a> {
        context(&self.choices, &self.names, self.alerts(), shown)
    }

    /// The layout of the screen; `None` if it is too small.
    pub fn screen(&self) -> Option<Screen> {
        let (interfaces, rules) = self.interfaces.counts();
        let screen = Screen::new(self.size, interfaces)?;
        Some(match self.view() {
            View::Interfaces if !self.mode.covers_table() => screen.with_rules(interfaces, rules),
            _ => screen,
        })
    }

    fn place<T>(&self, columns: &[&'static Column<T>]) -> Vec<Placed<T>> {
        let (width, unit) = (self.size.0, self.preferences().appearance.unit);
        place(columns, None, width, unit, self.flows.endpoint_width())
    }

    /// The flow columns that fit into so many cells.
    pub(super) fn flow_columns_at(&self, width: u16) -> Vec<Placed<Flow>> {
        let sorted = self.flow_table().sort().column;
        let mut columns = self.preferences().flow_columns();
        if !columns.contains(&sorted) {
            columns.push(sorted);
        }
        let unit = self.preferences().appearance.unit;
        place(
            &columns,
            Some(sorted),
            width,
            unit,
            self.flows.endpoint_width(),
        )
    }

    /// The flow columns that fit, with their places; the one that rows are sorted by is among them.
    pub fn placed_flow_columns(&self) -> Vec<Placed<Flow>> {
        self.flow_columns_at(self.size.0)
    }

    /// The interface columns that fit, with their places.
    pub fn placed_interface_columns(&self) -> Vec<Placed<Interface>> {
        self.place(&INTERFACE_COLUMNS.iter().collect::<Vec<_>>())
    }

    /// The rule columns that fit, with their places.
    pub fn placed_rule_columns(&self) -> Vec<Placed<RuleReport>> {
        self.place(&RULE_COLUMNS.iter().collect::<Vec<_>>())
    }

    /// The event columns, with their places.
    pub fn placed_event_columns(&self) -> Vec<Placed<Event>> {
        self.place(&EVENT_COLUMNS.iter().collect::<Vec<_>>())
    }

    /// The flow table of this view.
    pub fn flow_table(&self) -> &Table<FlowKey, Flow> {
        self.flows.table(self.view())
    }

    /// The state of the rows of flows: hidden, pinned, held.
    pub fn flows(&self) -> &FlowRows {
        &self.flows
    }

    /// The rows of interfaces and of the rules below them.
    pub fn interfaces(&self) -> &InterfaceRows {
        &self.interfaces
    }

    /// The rows of events.
    pub fn events(&self) -> &EventRows {
        &self.events
    }

    /// Whether the selection is among the rules.
    pub fn in_rules(&self) -> bool {
        self.interfaces.in_rules() && self.view() == View::Interfaces
    }

    /// The known host names, if they are shown.
    pub fn names(&self) -> Option<&Names> {
        self.names.known()
    }

    /// When the totals were last set to zero.
    pub fn reset_at(&self) -> Option<TimeOfDay> {
        self.journal.reset_at()
    }

    /// Whether the open view has a row.
    pub fn has_rows(&self) -> bool {
        let rows = match self.view() {
            View::Flows | View::Loss => self.flow_table().rows(),
            View::Interfaces => self.interfaces.table().rows(),
            View::Events => self.events.table().rows(),
        };
        !rows.is_empty()
    }

    /// The position of the selected row in the open view, and the number of rows.
    pub fn selection(&self) -> Option<(usize, usize)> {
        fn of<K: Copy + PartialEq, T>(table: &Table<K, T>) -> (Option<usize>, usize) {
            (table.position(), table.rows().len())
        }
        let (position, rows) = match self.view() {
            View::Flows | View::Loss => of(self.flow_table()),
            View::Interfaces => self.interfaces.selection(),
            View::Events => of(self.events.table()),
        };
        position.filter(|p| *p < rows).map(|p| (p, rows))
    }

    /// The events to show: those until the pause, or all.
    pub fn shown_log(&self) -> &EventLog {
        let paused = self.paused.as_ref();
        paused.map_or(self.journal.log(), Paused::log)
    }

    /// The preferences in force.
    pub fn preferences(&self) -> &Preferences {
        self.choices.current()
    }

    /// The open view.
    pub fn view(&self) -> View {
        self.choices.current().appearance.view
    }

    /// What has the keys.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// The filter line of the open view.
    pub fn filter(&self) -> &FilterLine {
        self.filters.of(self.view())
    }

    /// The thresholds and the flows beyond them, now or at the pause.
    pub fn alerts(&self) -> &Alerts {
        alerts(&self.journal, self.paused.as_ref())
    }

    /// The pause, if the screen is paused.
    pub fn paused(&self) -> Option<&Paused> {
        self.paused.as_ref()
    }

    /// Whether this flow carries the SSH session that flowtop runs in.
    pub fn is_own_session(&self, key: &FlowKey) -> bool {
        self.preferences()
            .session
            .is_some_and(|session| session.carries(key))
    }

    /// Columns and lines of the terminal.
    pub fn size(&self) -> (u16, u16) {
        self.size
    }

    /// What the status line shows.
    pub fn notices(&self) -> &Notices {
        &self.notices
    }
}
