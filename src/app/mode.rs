//! What takes the keys: the view, the filter line, or something that covers the view.

use super::step::Step;
use crate::keymap::Action;

/// What takes the keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// The view itself.
    View,
    /// The filter line, with the view above it.
    Filter,
    /// The detail of the selected row.
    Detail,
    /// The help, scrolled down so many lines.
    Help(usize),
    /// The list of sort columns, with the cursor on this one.
    SortMenu(usize),
    /// The list of columns, with the cursor on this one.
    Columns(usize),
}

/// Lines that a page of a menu or of the help has for its keys.
const PAGE: usize = 10;

impl Mode {
    /// Whether something else stands in the place of the table.
    pub fn covers_table(self) -> bool {
        !matches!(self, Mode::View | Mode::Filter)
    }

    /// What the help becomes, scrolled down so many lines; drawing keeps it within the text.
    pub(super) fn after_help_key(line: usize, action: Action) -> Mode {
        match (Step::of(action), action) {
            (Some(step), _) => Mode::Help(step.target(line, PAGE, usize::MAX / 2)),
            (None, Action::Back | Action::Help | Action::Quit) => Mode::View,
            (None, _) => Mode::Help(line),
        }
    }
}

/// The line of a menu of so many that a step leads to from this one.
pub(super) fn menu_line(step: Step, cursor: usize, items: usize) -> usize {
    step.target(cursor, PAGE, items.saturating_sub(1))
}
