//! The mouse: clicks on titles sort, on rows select, on tabs open views, on keys press them, on items of menus choose
//! them; the wheel scrolls what is under it.

use super::layout::Screen;
use super::reorder::Reorder;
use super::step::Step;
use super::tabs::tab_at;
use super::{Action, App, Effect, Mode, Mouse, MouseKind, View};
use crate::model::tracker::Report;

/// Rows that one notch of the wheel moves.
const WHEEL_ROWS: isize = 3;

impl App {
    pub(super) fn mouse(&mut self, mouse: Mouse, live: &Report, shown: &Report) -> Vec<Effect> {
        let Some(screen) = self.screen() else {
            return Vec::new();
        };
        self.notices.dismiss();
        match mouse.kind {
            MouseKind::WheelUp => self.wheel(-WHEEL_ROWS, mouse.y, live, shown),
            MouseKind::WheelDown => self.wheel(WHEEL_ROWS, mouse.y, live, shown),
            _ if mouse.y == screen.tabs => {
                if let Some(view) = tab_at(mouse.x, screen.width, self.view()) {
                    self.show(view);
                }
            }
            _ if mouse.y == screen.footer => {
                let key = self.footer_key(mouse.x);
                return key.map_or_else(Vec::new, |key| self.key(key, live, shown));
            }
            // The items may have moved since the first of two clicks.
            MouseKind::Click if self.mode.covers_table() => {
                if let Some(line) = mouse.y.checked_sub(screen.body.0) {
                    self.click_menu(line.into(), screen.pages().body);
                }
            }
            _ if self.mode.covers_table() => {}
            _ if mouse.y == screen.titles => self.reorder(Reorder::At(mouse.x)),
            _ => return self.click_row(mouse, &screen, live, shown),
        }
        Vec::new()
    }

    /// Selects the row that is clicked on, and opens it where the first of two clicks has selected it. (The first one may
    /// have closed what covered it.)
    fn click_row(
        &mut self,
        mouse: Mouse,
        screen: &Screen,
        live: &Report,
        shown: &Report,
    ) -> Vec<Effect> {
        self.refresh_rows(shown);
        let before = self.selected_keys();
        let is_hit = if screen.rules.1 > 0 && mouse.y > screen.rules.0 {
            let line = mouse.y - screen.rules.0 - 1;
            self.interfaces
                .select_rule(line.into(), shown, screen.pages())
        } else {
            let line = mouse.y.checked_sub(screen.body.0);
            line.is_some_and(|line| self.select_line(line.into(), shown))
        };
        if is_hit && self.is_fold_mark(mouse.x) {
            self.toggle_fold(shown);
            return Vec::new();
        }
        let is_again = is_hit && before == self.selected_keys();
        match mouse.kind == MouseKind::DoubleClick && is_again {
            true => self.perform(Action::Open, live, shown),
            false => Vec::new(),
        }
    }

    /// Whether the mark of the selected group is at this cell: a click there folds it or unfolds it.
    fn is_fold_mark(&self, x: u16) -> bool {
        let placed = self.placed_group_columns();
        let is_mark = placed.first().is_some_and(|first| first.x == x);
        is_mark && self.view() == View::Groups && self.groups.selected_flow().is_none()
    }

    /// The keys of the selected rows of all tables.
    fn selected_keys(&self) -> impl PartialEq + use<> {
        (
            self.flow_table().selected(),
            self.interfaces.table().selected(),
            self.interfaces.rules().selected(),
            self.events.table().selected(),
            self.groups.table().selected(),
        )
    }

    /// Scrolls what is under the wheel by so many rows.
    fn wheel(&mut self, rows: isize, y: u16, live: &Report, shown: &Report) {
        let action = if rows < 0 { Action::Up } else { Action::Down };
        match self.mode {
            Mode::View | Mode::Filter if self.view() == View::Interfaces => {
                self.refresh_rows(shown);
                let area = self.screen().map_or((0, 0), |screen| screen.rules);
                let over_rules = area.1 > 0 && y >= area.0;
                let pages = self.pages();
                self.interfaces
                    .step_in(over_rules, Step::By(rows), shown, pages);
            }
            Mode::View | Mode::Filter => self.step(Step::By(rows), shown),
            Mode::Detail(_) => self.scroll_detail(rows, live),
            _ => {
                for _ in 0..rows.unsigned_abs() {
                    self.act(action, live, shown);
                }
            }
        }
    }
}
