//! The two menus that cover a view: one chooses the sort column, the other the columns.

use super::layout::Placed;
use super::mode::step_line;
use super::reorder::Reorder;
use super::step::Step;
use super::{Action, App, Mode, View};
use crate::model::column::{Column, EVENT_COLUMNS, FLOW_COLUMNS, GROUP_COLUMNS, INTERFACE_COLUMNS};
use crate::model::tracker::Flow;

/// One line of a menu.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MenuItem {
    /// The id of the column.
    pub id: &'static str,
    /// Its help.
    pub help: &'static str,
    /// Whether it is the sort column, or one that is shown.
    pub chosen: bool,
}

fn item<T>(column: &Column<T>, chosen: bool) -> MenuItem {
    MenuItem {
        id: column.id,
        help: column.help,
        chosen,
    }
}

/// The first item of a menu that is on a page of this height, with the cursor on this one.
pub fn menu_offset(cursor: usize, page: usize) -> usize {
    (cursor + 1).saturating_sub(page)
}

impl App {
    /// The columns that the view can be sorted by.
    pub fn sort_menu(&self) -> Vec<MenuItem> {
        fn items<T>(columns: &[Column<T>], now: &Column<T>) -> Vec<MenuItem> {
            columns.iter().map(|c| item(c, c == now)).collect()
        }
        match self.view() {
            View::Flows | View::Loss => items(&FLOW_COLUMNS, self.flow_table().sort().column),
            View::Interfaces => items(&INTERFACE_COLUMNS, self.interfaces.table().sort().column),
            View::Events => items(&EVENT_COLUMNS, self.events.table().sort().column),
            View::Groups => items(&GROUP_COLUMNS, self.groups.table().sort().column),
        }
    }

    /// The columns of the Flows view: the chosen ones in their order, then the others.
    pub fn column_menu(&self) -> Vec<MenuItem> {
        self.choices
            .column_choice()
            .into_iter()
            .map(|(c, chosen)| item(c, chosen))
            .collect()
    }

    /// Opens the sort menu with the cursor on the present column.
    pub(super) fn open_sort_menu(&mut self) {
        let now = self.sort_menu().iter().position(|item| item.chosen);
        self.mode = Mode::SortMenu(now.unwrap_or(0));
    }

    pub(super) fn sort_menu_key(&mut self, cursor: usize, action: Action) {
        if let Some(step) = Step::of(action) {
            let last = self.sort_menu().len().saturating_sub(1);
            self.mode = Mode::SortMenu(step_line(step, cursor, self.pages().body, last));
            return;
        }
        match action {
            Action::Open | Action::Pause => {
                self.mode = Mode::View;
                self.reorder(Reorder::By(cursor));
            }
            Action::Back | Action::SortMenu | Action::Quit => self.mode = Mode::View,
            Action::Reverse => self.reorder(Reorder::Reverse),
            _ => {}
        }
    }

    /// Does what a click on this line of the page asks for: sorts by the column, shows it or hides it.
    pub(super) fn click_menu(&mut self, line: usize, page: usize) {
        match self.mode {
            Mode::SortMenu(cursor) => {
                let item = menu_offset(cursor, page) + line;
                if item < self.sort_menu().len() {
                    self.sort_menu_key(item, Action::Open);
                }
            }
            Mode::Columns(cursor) => {
                let item = menu_offset(cursor, page) + line;
                if item < self.column_menu().len() {
                    self.columns_key(item, Action::Pause);
                }
            }
            _ => {}
        }
    }

    pub(super) fn columns_key(&mut self, cursor: usize, action: Action) {
        self.mode = Mode::Columns(match (Step::of(action), action) {
            (Some(step), _) => {
                let last = self.choices.column_choice().len().saturating_sub(1);
                step_line(step, cursor, self.pages().body, last)
            }
            (None, Action::Pause) => self.toggle_column(cursor),
            (None, Action::SortLeft) => self.choices.move_column(cursor, -1),
            (None, Action::SortRight) => self.choices.move_column(cursor, 1),
            (None, Action::Back | Action::Columns | Action::Open | Action::Quit) => {
                self.mode = Mode::View;
                return;
            }
            (None, _) => cursor,
        });
    }

    /// Shows or hides the column at this place, and says so where it does not fit, or takes the room of others.
    fn toggle_column(&mut self, place: usize) -> usize {
        let before = self.placed_flow_ids();
        let place = self.choices.toggle_column(place);
        let Some((column, true)) = self.choices.column_choice().get(place).copied() else {
            return place;
        };
        if self.view() == View::Loss {
            // It has columns of its own, which say nothing of those of the Flows view.
            return place;
        }
        let after = self.placed_flow_ids();
        if !after.contains(&column.id) {
            let (width, fits) = (self.size.0, |placed: Vec<Placed<Flow>>| {
                placed.iter().any(|it| it.column.id == column.id)
            });
            let missing =
                (1..=u16::MAX - width).find(|more| fits(self.flow_columns_at(width + more)));
            let missing = missing.unwrap_or(u16::MAX);
            self.notices.say(format!(
                "{} needs {missing} more columns of the terminal",
                column.id
            ));
            return place;
        }
        let gone: Vec<_> = before
            .into_iter()
            .filter(|id| !after.contains(id))
            .collect();
        if !gone.is_empty() {
            let gone = gone.join(", ");
            self.notices
                .say(format!("{} is shown in place of {gone}", column.id));
        }
        place
    }
}
