//! The rows of the open view: remade on demand, stepped through, selected, reordered.
//!
//! The state of each view's rows is in [`FlowRows`], [`InterfaceRows`](super::InterfaceRows), [`EventRows`](super::EventRows) and
//! [`GroupRows`](super::GroupRows).

use super::choices::Choices;
use super::events;
use super::flows::{Criteria, FlowRows};
use super::groups;
use super::journal::Journal;
use super::layout::Pages;
use super::names::HostNames;
use super::reorder::Reorder;
use super::step::Step;
use super::{App, Moment, View};
use crate::model::alert::Alerts;
use crate::model::column::Context;
use crate::model::tracker::Report;

/// What cells depend on.
pub(super) fn context<'a>(
    choices: &Choices,
    names: &'a HostNames,
    alerts: &'a Alerts,
    shown: &Report,
) -> Context<'a> {
    Context {
        unit: choices.current().appearance.unit,
        now_ns: shown.taken_ns,
        names: names.known(),
        // Mostly there is nothing to ask about flow by flow.
        alerts: alerts.has_any().then_some(alerts),
        rules: None,
        services: None,
    }
}

/// The thresholds and the flows beyond them, now or at the moment that is shown.
pub(super) fn alerts<'a>(journal: &'a Journal, moment: Option<&'a Moment>) -> &'a Alerts {
    moment.map_or(journal.alerts(), Moment::alerts)
}

impl App {
    /// Marks the rows as out of date: something that they depend on has changed.
    pub(super) fn rearrange(&mut self) {
        self.arranged = None;
    }

    /// Remakes the rows, unless they are up to date with this report and the log.
    pub(super) fn refresh_rows(&mut self, shown: &Report) {
        let is_open = self.mode.is_detail();
        let made_of = Some((shown.revision, self.shown_log().latest(), is_open));
        if self.arranged != made_of {
            self.arrange(shown);
            self.arranged = made_of;
        }
    }

    /// Arranges the flows, which exports need in every view, and the rows of the open view.
    fn arrange(&mut self, shown: &Report) {
        self.interfaces.count(shown);
        let pages = self.pages();
        let query = self.filters.of(View::Interfaces).query();
        self.interfaces.arrange_rules(shown, query, pages);
        let (flows, criteria) = self.flows_by(shown);
        flows.arrange(&criteria);
        if self.view() != View::Groups {
            self.groups.forget();
        }
        if self.view() != View::Interfaces {
            self.interfaces.forget();
        }
        let alerts = alerts(&self.journal, self.moment.as_ref());
        let context = context(&self.choices, &self.names, alerts, shown);
        match self.view() {
            View::Flows | View::Loss => {}
            View::Interfaces => {
                let query = self.filters.of(View::Interfaces).query();
                self.interfaces.keep_selected(self.mode.is_detail());
                self.interfaces.arrange(shown, query, &context, pages);
            }
            View::Events => {
                let log = self.shown_log().clone();
                let criteria = events::Criteria {
                    log: &log,
                    shown,
                    query: self.filters.of(View::Events).query(),
                    context,
                    pinned: self.flows.pinned(),
                };
                self.events.arrange(&criteria, pages.body);
            }
            View::Groups => {
                let criteria = groups::Criteria {
                    shown,
                    rows: self.flows.table(View::Groups).rows(),
                    by: self.group_by(shown),
                    pinned: self.flows.pinned(),
                    context,
                    page: pages.body,
                };
                self.groups.arrange(&criteria);
            }
        }
    }

    /// The rows of flows and what they depend on, borrowed apart.
    pub(super) fn flows_by<'a>(
        &'a mut self,
        shown: &'a Report,
    ) -> (&'a mut FlowRows, Criteria<'a>) {
        let page = self.pages().body;
        let preferences = self.choices.current();
        let alerts = alerts(&self.journal, self.moment.as_ref());
        let criteria = Criteria {
            shown,
            view: preferences.appearance.view,
            query: self.filters.of_flows(preferences.appearance.view).query(),
            context: context(&self.choices, &self.names, alerts, shown),
            session: preferences.session,
            interval_s: preferences.interval_s,
            page,
            is_open: self.mode.is_detail(),
        };
        (&mut self.flows, criteria)
    }

    /// Sorts all flows that pass the filter, on the screen or not.
    pub(super) fn sort_all(&mut self, shown: &Report) {
        self.refresh_rows(shown);
        let (flows, criteria) = self.flows_by(shown);
        flows.sort_all(&criteria);
    }

    /// Holds the present order, whatever the numbers become, or releases it. Returns whether it is held.
    pub(super) fn toggle_hold(&mut self, shown: &Report) -> bool {
        self.refresh_rows(shown);
        let is_held = match self.view() {
            View::Groups => self.groups.toggle_hold(shown),
            _ => {
                let (flows, criteria) = self.flows_by(shown);
                flows.toggle_hold(&criteria)
            }
        };
        self.rearrange();
        is_held
    }

    /// Moves the selection.
    pub(super) fn step(&mut self, step: Step, shown: &Report) {
        self.refresh_rows(shown);
        let pages = self.pages();
        match self.view() {
            View::Flows | View::Loss => {
                let (flows, criteria) = self.flows_by(shown);
                flows.step(step, &criteria);
            }
            View::Interfaces if self.mode.is_detail() => {
                self.interfaces.step_in(false, step, shown, pages);
            }
            View::Interfaces => self.interfaces.step(step, shown, pages),
            View::Events => {
                let log = self.shown_log().clone();
                self.events.step(step, &log, pages.body);
            }
            View::Groups => self.groups.step(step, shown, pages.body),
        }
    }

    /// Selects the row that was drawn on this line of the body; false if there is none.
    pub(super) fn select_line(&mut self, line: usize, shown: &Report) -> bool {
        self.refresh_rows(shown);
        let pages = self.pages();
        match self.view() {
            View::Flows | View::Loss => {
                let (flows, criteria) = self.flows_by(shown);
                flows.select_line(line, &criteria)
            }
            View::Interfaces => self.interfaces.select_line(line, shown, pages),
            View::Events => {
                let log = self.shown_log().clone();
                self.events.select_line(line, &log, pages.body)
            }
            View::Groups => self.groups.select_line(line, shown, pages.body),
        }
    }

    /// Changes the order of the open view.
    pub(super) fn reorder(&mut self, change: Reorder) {
        match self.view() {
            view @ (View::Flows | View::Loss) => {
                let placed = self.placed_flow_columns();
                self.flows.reorder(change, view, &placed);
            }
            View::Interfaces => {
                let placed = self.placed_interface_columns();
                self.interfaces.reorder(change, &placed);
            }
            View::Events => {
                let placed = self.placed_event_columns();
                self.events.reorder(change, &placed);
            }
            View::Groups => {
                let placed = self.placed_group_columns();
                self.groups.reorder(change, &placed);
            }
        }
        self.choices.sort_by(self.flows.table(View::Flows).sort());
        self.flows.release_order(self.view());
        self.rearrange();
    }

    /// Clears the selection.
    pub(super) fn deselect(&mut self) {
        self.flows.deselect(self.view());
        self.interfaces.deselect();
        self.events.deselect();
        self.groups.deselect();
    }

    /// Remembers the rows on the screen, which are drawn now: a click means one of them.
    pub(super) fn remember_page(&mut self, shown: &Report) {
        let Some(pages) = self.screen().map(|screen| screen.pages()) else {
            return;
        };
        match self.view() {
            View::Flows | View::Loss => {
                let (flows, criteria) = self.flows_by(shown);
                flows.remember_page(&criteria);
            }
            View::Interfaces => self.interfaces.remember_pages(shown, pages),
            View::Events => {
                let log = self.shown_log().clone();
                self.events.remember_page(&log, pages.body);
            }
            View::Groups => self.groups.remember_page(shown, pages.body),
        }
    }

    /// Rows on the screen; one of each table if the terminal is too small.
    pub(super) fn pages(&self) -> Pages {
        let screen = self.screen();
        screen.map_or(Pages { body: 1, rules: 1 }, |screen| screen.pages())
    }
}
