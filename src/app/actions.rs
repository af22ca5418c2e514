//! What each action does to the dashboard.

use super::operate::Operation;
use super::table::Step;
use super::{Action, App, Effect, Mode, Paused, View};
use crate::model::event::EventKind;
use crate::model::preferences::{ThemeName, Unit};
use crate::model::tracker::Report;

/// The intervals that `+` and `-` go through, s.
const INTERVALS: [f64; 9] = [0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0];

impl App {
    /// Does it, in the view itself or in the detail.
    pub(super) fn perform(&mut self, action: Action, live: &Report, shown: &Report) -> Vec<Effect> {
        self.keep_up(shown);
        if let Some(step) = step_of(action) {
            self.operate(Operation::Step(step), shown);
            return Vec::new();
        }
        match action {
            Action::Quit => return vec![Effect::Quit],
            Action::Suspend => return vec![Effect::Suspend],
            Action::Export => return vec![Effect::Export],
            Action::Reload => return vec![Effect::Reload],
            Action::SaveView => return vec![Effect::SaveView],
            Action::Reset => return self.reset(),
            Action::Mouse => return self.toggle_mouse(),
            Action::Names => return self.toggle_names(),
            Action::LongerInterval => return self.set_interval(true),
            Action::ShorterInterval => return self.set_interval(false),
            Action::Pause => self.toggle_pause(live),
            Action::Open => self.open(shown),
            Action::Back => self.back(),
            Action::Filter => self.mode = Mode::Filter,
            _ => self.change_looks(action, shown),
        }
        Vec::new()
    }

    /// Actions that only change how things are shown.
    fn change_looks(&mut self, action: Action, shown: &Report) {
        match action {
            Action::Help => self.mode = Mode::Help(0),
            Action::SortMenu => self.open_sort_menu(),
            Action::Columns => self.mode = Mode::Columns(0),
            Action::SortLeft => _ = self.operate(Operation::SortBeside(-1), shown),
            Action::SortRight => _ = self.operate(Operation::SortBeside(1), shown),
            Action::Reverse => _ = self.operate(Operation::Reverse, shown),
            Action::HoldOrder => self.toggle_hold(shown),
            Action::Pin => self.toggle_pin(),
            Action::HideOwnSession => self.toggle_session(),
            Action::ToggleUnit => self.toggle_unit(),
            Action::ToggleLoss => self.preferences.packet_loss ^= true,
            Action::Theme => self.next_theme(),
            Action::NextView => self.turn_to_view(1),
            Action::PreviousView => self.turn_to_view(-1),
            Action::ViewFlows => self.show(View::Flows),
            Action::ViewLoss => self.show(View::Loss),
            Action::ViewInterfaces => self.show(View::Interfaces),
            Action::ViewEvents => self.show(View::Events),
            _ => {}
        }
    }

    /// Opens the detail of the selected row; without a selection, of the first row on the screen.
    fn open(&mut self, shown: &Report) {
        if self.mode == Mode::Detail {
            return;
        }
        if self.selection().is_none() {
            self.operate(Operation::Step(Step::By(0)), shown);
        }
        if self.in_rules && self.view == View::Interfaces {
            self.open_rule(shown);
        } else if self.view == View::Events {
            self.open_event(shown);
        } else if self.selection().is_some() {
            self.mode = Mode::Detail;
        }
    }

    /// Goes from a rule to its flows: a filter of its name, with `?` for what means something else in a filter.
    fn open_rule(&mut self, shown: &Report) {
        let index = self.rules.selected().map(|index| index as usize);
        let Some(rule) = index.and_then(|index| shown.rules.get(index)) else {
            return;
        };
        let name = rule.name.replace([' ', ',', '<', '>', '=', '*'], "?");
        self.filter.set(&format!("rule:{name}"));
        self.show(View::Flows);
    }

    /// Goes from an event to the flow that it is about.
    fn open_event(&mut self, shown: &Report) {
        let id = self.events.selected();
        let mut events = self.shown_log().events().iter();
        let event = events.find(|event| Some(event.id) == id);
        let Some(key) = event.and_then(|event| event.flow) else {
            return;
        };
        if !shown.flows.iter().any(|flow| flow.key == key) {
            self.notice = Some("this flow has left the table".to_owned());
            return;
        }
        self.filter.clear();
        self.view = View::Flows;
        self.flows.select(key);
        self.mode = Mode::Detail;
        self.rearrange();
    }

    /// One thing after the other: the detail, the filter, the selection.
    fn back(&mut self) {
        if self.mode != Mode::View {
            self.mode = Mode::View;
        } else if !self.filter.is_empty() {
            self.filter.clear();
            self.rearrange();
        } else {
            self.flow_table_mut().deselect();
            self.interfaces.deselect();
            self.rules.deselect();
            self.in_rules = false;
            self.events.deselect();
        }
    }

    fn toggle_pin(&mut self) {
        let Some(key) = self.flow_table().selected().filter(|_| self.shows_flows()) else {
            self.notice = Some("select a flow first, to pin it".to_owned());
            return;
        };
        match self.pinned.iter().position(|pinned| *pinned == key) {
            Some(index) => _ = self.pinned.remove(index),
            None => self.pinned.push(key),
        }
        self.rearrange();
    }

    fn toggle_session(&mut self) {
        if self.preferences.session.is_none() {
            self.notice = Some("flowtop does not run in an SSH session".to_owned());
            return;
        }
        self.session_hidden ^= true;
        self.rearrange();
    }

    pub(super) fn reset(&mut self) -> Vec<Effect> {
        self.reset_at = Some(self.now);
        self.watch.start_at_zero();
        let text = "totals start at zero from here".to_owned();
        self.log.push(self.now, EventKind::Reset, None, text);
        self.notice = Some("totals start at zero from here".to_owned());
        vec![Effect::ResetBaseline]
    }

    fn toggle_mouse(&mut self) -> Vec<Effect> {
        self.mouse_captured ^= true;
        let text = match self.mouse_captured {
            true => "mouse: clicks are flowtop's",
            false => "mouse: the terminal selects text",
        };
        self.notice = Some(text.to_owned());
        vec![Effect::CaptureMouse(self.mouse_captured)]
    }

    fn set_interval(&mut self, longer: bool) -> Vec<Effect> {
        let now = self.preferences.interval_s;
        let next = match longer {
            true => INTERVALS.into_iter().find(|s| *s > now + 1e-9),
            false => INTERVALS.into_iter().rev().find(|s| *s < now - 1e-9),
        };
        let Some(seconds) = next else {
            return Vec::new();
        };
        self.preferences.interval_s = seconds;
        self.notice = Some(format!("interval: {seconds} s"));
        vec![Effect::SetInterval(seconds)]
    }

    fn toggle_pause(&mut self, live: &Report) {
        self.paused = match self.paused.take() {
            Some(_) => None,
            None => Some(Paused {
                report: std::sync::Arc::new(live.clone()),
                log: self.log.clone(),
                alerts: self.alerts.clone(),
                since: self.now,
            }),
        };
        self.rearrange();
    }

    fn toggle_unit(&mut self) {
        self.preferences.unit = match self.preferences.unit {
            Unit::Bytes => Unit::Bits,
            Unit::Bits => Unit::Bytes,
        };
    }

    fn next_theme(&mut self) {
        let all = ThemeName::ALL;
        let now = all.iter().position(|t| *t == self.preferences.theme);
        self.preferences.theme = all[(now.unwrap_or(0) + 1) % all.len()];
        self.notice = Some(format!("theme: {}", self.preferences.theme.id()));
    }

    fn turn_to_view(&mut self, by: isize) {
        let count = View::ALL.len() as isize;
        let now = View::ALL.iter().position(|v| *v == self.view).unwrap_or(0) as isize;
        let next = (now + by).rem_euclid(count) as usize;
        self.show(View::ALL[next]);
    }

    pub(super) fn show(&mut self, view: View) {
        self.view = view;
        self.preferences.view = view;
        self.mode = Mode::View;
        self.rearrange();
    }
}

/// The step that an action is, if it is one.
pub(super) fn step_of(action: Action) -> Option<Step> {
    Some(match action {
        Action::Up => Step::By(-1),
        Action::Down => Step::By(1),
        Action::PageUp => Step::Pages(-1),
        Action::PageDown => Step::Pages(1),
        Action::First => Step::First,
        Action::Last => Step::Last,
        _ => return None,
    })
}

/// A line to scroll to; drawing keeps it within the text.
pub(super) fn scrolled(line: usize, step: Step) -> usize {
    match step {
        Step::By(lines) => line.saturating_add_signed(lines),
        Step::Pages(pages) => line.saturating_add_signed(pages * 10),
        Step::First => 0,
        Step::Last => usize::MAX / 2,
    }
}
