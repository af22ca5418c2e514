//! The two lists that open over a view: the sort column, and which columns there are.

use super::actions::step_of;
use super::operate::Operation;
use super::table::Step;
use super::{Action, App, Mode, View};
use crate::model::column::{Column, EVENT_COLUMNS, FLOW_COLUMNS, INTERFACE_COLUMNS};
use crate::model::tracker::Report;

/// One line of a menu.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MenuItem {
    /// The column's id.
    pub id: &'static str,
    /// What it is.
    pub help: &'static str,
    /// Whether it is the sort column, or shown.
    pub chosen: bool,
}

fn item<T>(column: &Column<T>, chosen: bool) -> MenuItem {
    MenuItem {
        id: column.id,
        help: column.help,
        chosen,
    }
}

impl App {
    /// The columns that the view can be sorted by.
    pub fn sort_menu(&self) -> Vec<MenuItem> {
        fn items<T>(columns: &[Column<T>], now: &Column<T>) -> Vec<MenuItem> {
            columns.iter().map(|c| item(c, c == now)).collect()
        }
        match self.view() {
            View::Flows | View::Loss => items(&FLOW_COLUMNS, self.flow_table().sort.column),
            View::Interfaces => items(&INTERFACE_COLUMNS, self.interfaces.sort.column),
            View::Events => items(&EVENT_COLUMNS, self.events.sort.column),
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

    pub(super) fn sort_menu_key(&mut self, cursor: usize, action: Action, shown: &Report) {
        if let Some(step) = step_of(action) {
            self.mode = Mode::SortMenu(moved(cursor, step, self.sort_menu().len()));
            return;
        }
        match action {
            Action::Open | Action::Pause => {
                self.mode = Mode::View;
                self.operate(Operation::SortBy(cursor), shown);
            }
            Action::Back | Action::SortMenu | Action::Quit => self.mode = Mode::View,
            Action::Reverse => {
                self.operate(Operation::Reverse, shown);
            }
            _ => {}
        }
    }

    pub(super) fn columns_key(&mut self, cursor: usize, action: Action) {
        if let Some(step) = step_of(action) {
            let items = self.choices.column_choice().len();
            self.mode = Mode::Columns(moved(cursor, step, items));
            return;
        }
        match action {
            Action::Back | Action::Columns | Action::Open | Action::Quit => self.mode = Mode::View,
            Action::Pause => self.mode = Mode::Columns(self.choices.toggle_column(cursor)),
            Action::SortLeft if cursor > 0 => self.swap_columns(cursor, cursor - 1),
            Action::SortRight => self.swap_columns(cursor, cursor + 1),
            _ => {}
        }
    }

    fn swap_columns(&mut self, from: usize, to: usize) {
        if self.choices.swap_columns(from, to) {
            self.mode = Mode::Columns(to);
        }
    }
}

fn moved(cursor: usize, step: Step, items: usize) -> usize {
    let last = items.saturating_sub(1);
    match step {
        Step::By(lines) => cursor.saturating_add_signed(lines).min(last),
        Step::Pages(pages) => cursor.saturating_add_signed(pages * 10).min(last),
        Step::First => 0,
        Step::Last => last,
    }
}
