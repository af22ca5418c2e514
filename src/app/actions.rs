//! What each action does to the dashboard.

use super::layout::Placed;
use super::table::Step;
use super::{Action, App, Effect, Mode, Paused, View};
use crate::model::column::{Column, Sort};
use crate::model::preferences::{ThemeName, Unit};
use crate::model::tracker::Report;

/// The intervals that `+` and `-` go through, s.
const INTERVALS: [f64; 9] = [0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0];

impl App {
    pub(super) fn perform(&mut self, action: Action, live: &Report, shown: &Report) -> Vec<Effect> {
        if let Some(step) = step_of(action) {
            self.step(step, shown);
            return Vec::new();
        }
        match action {
            Action::Quit => return vec![Effect::Quit],
            Action::Suspend => return vec![Effect::Suspend],
            Action::Export => return vec![Effect::Export],
            Action::SaveView => return vec![Effect::SaveView],
            Action::Reset => return self.reset(),
            Action::Mouse => return self.toggle_mouse(),
            Action::LongerInterval => return self.set_interval(true),
            Action::ShorterInterval => return self.set_interval(false),
            Action::Pause => self.toggle_pause(live),
            Action::Help => self.mode = Mode::Help(0),
            Action::Back => self.back(),
            Action::SortLeft => self.sort_beside(-1, shown),
            Action::SortRight => self.sort_beside(1, shown),
            Action::Reverse => self.reverse(shown),
            Action::ToggleUnit => self.toggle_unit(),
            Action::ToggleLoss => self.preferences.packet_loss ^= true,
            Action::Theme => self.next_theme(),
            Action::NextView => self.turn_to_view(1, shown),
            Action::PreviousView => self.turn_to_view(-1, shown),
            Action::ViewFlows => self.show(View::Flows, shown),
            Action::ViewLoss => self.show(View::Loss, shown),
            Action::ViewInterfaces => self.show(View::Interfaces, shown),
            Action::ViewEvents => self.show(View::Events, shown),
            _ => {}
        }
        Vec::new()
    }

    pub(super) fn step(&mut self, step: Step, shown: &Report) {
        if let Mode::Help(line) = &mut self.mode {
            *line = scrolled(*line, step);
            return;
        }
        let page = self.screen().map_or(1, |screen| screen.page());
        match self.view {
            View::Flows | View::Loss => {
                let key = |row: u32| shown.flows[row as usize].key;
                self.flow_table_mut().step(step, page, key);
            }
            View::Interfaces => {
                let key = |row: u32| shown.interfaces[row as usize].ifindex;
                self.interfaces.step(step, page, key);
            }
            View::Events => {}
        }
    }

    fn back(&mut self) {
        if self.mode != Mode::View {
            self.mode = Mode::View;
            return;
        }
        self.flow_table_mut().deselect();
        self.interfaces.deselect();
    }

    fn reset(&mut self) -> Vec<Effect> {
        self.reset_at = Some(self.now);
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
                since: self.now,
            }),
        };
        if self.paused.is_none() {
            self.arrange(live);
        }
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

    fn turn_to_view(&mut self, by: isize, shown: &Report) {
        let count = View::ALL.len() as isize;
        let now = View::ALL.iter().position(|v| *v == self.view).unwrap_or(0) as isize;
        let next = (now + by).rem_euclid(count) as usize;
        self.show(View::ALL[next], shown);
    }

    pub(super) fn show(&mut self, view: View, shown: &Report) {
        self.view = view;
        self.mode = Mode::View;
        self.arrange(shown);
    }

    fn sort_beside(&mut self, by: isize, shown: &Report) {
        match self.view {
            View::Flows | View::Loss => {
                let placed = self.placed_flow_columns();
                let now = self.flow_table().sort.column;
                if let Some(column) = beside(&placed, now, by) {
                    self.sort_flows(Sort::by(column), shown);
                }
            }
            View::Interfaces => {
                let placed = self.placed_interface_columns();
                if let Some(column) = beside(&placed, self.interfaces.sort.column, by) {
                    self.interfaces.sort = Sort::by(column);
                    self.arrange(shown);
                }
            }
            View::Events => {}
        }
    }

    pub(super) fn sort_flows(&mut self, sort: Sort, shown: &Report) {
        self.flow_table_mut().sort = sort;
        self.preferences.sort = self.flows.sort;
        self.arrange(shown);
    }

    pub(super) fn reverse(&mut self, shown: &Report) {
        if self.view == View::Interfaces {
            self.interfaces.sort.descending ^= true;
            self.arrange(shown);
            return;
        }
        let mut sort = self.flow_table().sort;
        sort.descending ^= true;
        self.sort_flows(sort, shown);
    }
}

fn step_of(action: Action) -> Option<Step> {
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

fn beside<T>(placed: &[Placed<T>], now: &Column<T>, by: isize) -> Option<&'static Column<T>> {
    let count = placed.len() as isize;
    let index = placed.iter().position(|p| p.column == now);
    let next = match index {
        Some(index) => (index as isize + by).rem_euclid(count.max(1)),
        None => 0,
    };
    placed.get(next as usize).map(|p| p.column)
}
