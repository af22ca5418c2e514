//! What drawing and exports may ask the application; rows are in a [`Scene`](super::Scene).

use std::sync::Arc;

use super::layout::{CORE, Placed, Screen, place};
use super::rows::{alerts, context};
use super::table::Table;
use super::{
    App, EventRows, FilterLine, FlowRows, GroupRows, InterfaceRows, Mode, Moment, Notices,
    Preferences, View,
};
use crate::model::alert::Alerts;
use crate::model::column::{
    Column, Context, EVENT_COLUMNS, GROUP_COLUMNS, INTERFACE_COLUMNS, Names, RULE_COLUMNS, TROUBLE,
};
use crate::model::event::{Event, EventLog, TimeOfDay};
use crate::model::flow::FlowKey;
use crate::model::flow_groups::{FlowGroup, GroupBy};
use crate::model::past::Place;
use crate::model::preferences::{Scale, Unit};
use crate::model::tracker::{Flow, Interface, Report, RuleReport};

fn says_trouble(placed: &[Placed<Flow>]) -> bool {
    placed.iter().any(|place| place.column.id == TROUBLE)
}

/// Of a column, where rows are sorted by one.
fn priority<T>(column: &Column<T>, sorted: Option<&'static Column<T>>) -> u8 {
    match sorted {
        Some(sorted) if sorted == column => 0,
        _ => column.priority,
    }
}

impl App {
    /// The report of the moment that is shown in place of the present.
    pub(super) fn still_report(&self) -> Option<Arc<Report>> {
        self.moment.as_ref().map(|moment| moment.report().clone())
    }

    /// How the axis of the times between packets goes, in the detail.
    pub fn scale(&self) -> Scale {
        self.choices.scale()
    }

    /// What cells depend on.
    pub fn context<'a>(&'a self, shown: &Report) -> Context<'a> {
        Context {
            rules: Some(self.interfaces.of_rules()),
            services: Some(&self.preferences().services),
            ..context(&self.choices, &self.names, self.alerts(), shown)
        }
    }

    /// The layout of the screen; `None` if it is too small.
    pub fn screen(&self) -> Option<Screen> {
        let (interfaces, rules) = self.interfaces.counts();
        let screen = Screen::new(self.size, interfaces, self.past().is_some())?;
        Some(match self.view() {
            View::Interfaces if !self.mode.covers_table() => screen.with_rules(interfaces, rules),
            _ => screen,
        })
    }

    /// As many of these columns as fit into so many cells; the one that rows are sorted by is among them.
    fn place<T>(
        &self,
        columns: &[&'static Column<T>],
        sorted: Option<&'static Column<T>>,
        width: u16,
    ) -> Vec<Placed<T>> {
        let good = |column: &Column<T>| column.good_width(self.unit());
        self.place_by(columns, |column| priority(column, sorted), good, width)
    }

    fn place_by<T>(
        &self,
        columns: &[&'static Column<T>],
        priority: impl Fn(&Column<T>) -> u8,
        good: impl Fn(&Column<T>) -> u16,
        width: u16,
    ) -> Vec<Placed<T>> {
        let endpoint = self.flows.endpoint_width();
        place(columns, priority, good, width, self.unit(), endpoint)
    }

    fn unit(&self) -> Unit {
        self.preferences().appearance.unit
    }

    /// The flow columns that fit into so many cells.
    pub(super) fn flow_columns_at(&self, width: u16) -> Vec<Placed<Flow>> {
        let sorted = self.flow_table().sort().column;
        let mut columns = self.preferences().flow_columns();
        if !columns.contains(&sorted) {
            columns.push(sorted);
        }
        let placed = self.place(&columns, Some(sorted), width);
        if !self.flows.was_in_trouble() || says_trouble(&placed) {
            return placed;
        }
        self.columns_with_trouble(&columns, sorted, width)
            .unwrap_or(placed)
    }

    /// The same with what is the matter, if there is room to say it, in full or as far as it goes: of all other numbers but
    /// rate and loss, none matters more then.
    fn columns_with_trouble(
        &self,
        columns: &[&'static Column],
        sorted: &'static Column,
        width: u16,
    ) -> Option<Vec<Placed<Flow>>> {
        let unit = self.unit();
        let priority = |column: &Column| match priority(column, Some(sorted)) {
            core if core < CORE => core,
            _ if column.id == TROUBLE => CORE + 1,
            other => other + 2,
        };
        let full = |column: &Column| match column.id {
            TROUBLE => column.first_width(unit),
            _ => column.good_width(unit),
        };
        let good = |column: &Column| column.good_width(unit);
        let in_full = self.place_by(columns, priority, full, width);
        if says_trouble(&in_full) {
            return Some(in_full);
        }
        let in_part = self.place_by(columns, priority, good, width);
        says_trouble(&in_part).then_some(in_part)
    }

    /// The flow columns that fit, with their places; the one that rows are sorted by is among them.
    pub fn placed_flow_columns(&self) -> Vec<Placed<Flow>> {
        self.flow_columns_at(self.size.0)
    }

    /// Which flow columns fit.
    pub(super) fn placed_flow_ids(&self) -> Vec<&'static str> {
        let placed = self.placed_flow_columns();
        placed.iter().map(|placed| placed.column.id).collect()
    }

    /// The interface columns that fit, with their places.
    pub fn placed_interface_columns(&self) -> Vec<Placed<Interface>> {
        self.place(
            &INTERFACE_COLUMNS.iter().collect::<Vec<_>>(),
            None,
            self.size.0,
        )
    }

    /// The rule columns that fit, with their places.
    pub fn placed_rule_columns(&self) -> Vec<Placed<RuleReport>> {
        self.place(&RULE_COLUMNS.iter().collect::<Vec<_>>(), None, self.size.0)
    }

    /// The event columns, with their places.
    pub fn placed_event_columns(&self) -> Vec<Placed<Event>> {
        self.place(&EVENT_COLUMNS.iter().collect::<Vec<_>>(), None, self.size.0)
    }

    /// The columns of groups that fit, with their places; the one that rows are sorted by is among them.
    pub fn placed_group_columns(&self) -> Vec<Placed<FlowGroup>> {
        let sorted = self.groups.table().sort().column;
        let columns: Vec<_> = GROUP_COLUMNS.iter().collect();
        // Both ends of a flow take more room than the name of a group.
        let more = match self.groups.shows_flows() {
            true => self.size.0.saturating_sub(50).min(20),
            false => 0,
        };
        let mut placed = self.place(&columns, Some(sorted), self.size.0 - more);
        for (index, place) in placed.iter_mut().enumerate() {
            match index {
                0 => place.width += more,
                _ => place.x += more,
            }
        }
        placed
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

    /// The rows of groups.
    pub fn groups(&self) -> &GroupRows {
        &self.groups
    }

    /// What flows have in common in the Groups view.
    pub(super) fn group_by(&self, shown: &Report) -> GroupBy {
        let chosen = self.preferences().appearance.group_by;
        chosen.unwrap_or(match shown.rules.is_empty() {
            true => GroupBy::Source,
            false => GroupBy::Rule,
        })
    }

    /// The flow that is selected in the open view, if its rows are flows or may be.
    pub(super) fn selected_flow(&self) -> Option<FlowKey> {
        match self.view() {
            View::Groups => self.groups.selected_flow(),
            view => self.flow_table().selected().filter(|_| view.shows_flows()),
        }
    }

    /// The flow that is looked at: the selected one; in views without flows, that of the Flows view.
    pub(super) fn focused_flow(&self) -> Option<FlowKey> {
        let of_flows = self.flows.table(View::Flows).selected();
        self.selected_flow()
            .or(of_flows.filter(|_| !self.view().shows_flows()))
    }

    /// Whether the selection is among the rules.
    pub fn in_rules(&self) -> bool {
        self.interfaces.in_rules() && self.view() == View::Interfaces
    }

    /// The known host names, if they are shown.
    pub fn names(&self) -> Option<&Names> {
        self.names.known()
    }

    /// When the latest reading was.
    pub fn now(&self) -> TimeOfDay {
        self.journal.now()
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
            View::Groups => self.groups.table().rows(),
        };
        !rows.is_empty()
    }

    /// The position of the selected row in the open view, and the number of rows.
    pub fn selection(&self) -> Option<(usize, usize)> {
        fn of<K: Clone + PartialEq, T>(table: &Table<K, T>) -> (Option<usize>, usize) {
            (table.position(), table.rows().len())
        }
        let (position, rows) = match self.view() {
            View::Flows | View::Loss => of(self.flow_table()),
            View::Interfaces => self.interfaces.selection(),
            View::Events => of(self.events.table()),
            View::Groups => of(self.groups.table()),
        };
        position.filter(|p| *p < rows).map(|p| (p, rows))
    }

    /// The events to show: those until the moment that is shown, or all.
    pub fn shown_log(&self) -> &EventLog {
        let moment = self.moment.as_ref();
        moment.map_or(self.journal.log(), Moment::log)
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

    /// The thresholds and the flows beyond them, now or at the moment that is shown.
    pub fn alerts(&self) -> &Alerts {
        alerts(&self.journal, self.moment.as_ref())
    }

    /// The same now, whatever is shown.
    pub fn live_alerts(&self) -> &Alerts {
        self.journal.alerts()
    }

    /// What is shown in place of the present.
    pub fn moment(&self) -> Option<&Moment> {
        self.moment.as_ref()
    }

    /// The pause, if the screen is paused.
    pub fn paused(&self) -> Option<&Moment> {
        let moment = self.moment.as_ref();
        moment.filter(|moment| moment.place().is_none())
    }

    /// Whether something else than the present is shown.
    pub fn stands_still(&self) -> bool {
        self.moment.is_some()
    }

    /// Where in the past it is what is shown.
    pub fn past(&self) -> Option<&Place> {
        self.moment.as_ref()?.place()
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
