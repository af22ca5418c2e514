//! What has the keys: the view, the filter line, or something that covers the view.

use super::step::Step;
use crate::keymap::Action;

/// What has the keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// The view itself.
    View,
    /// The filter line, with the view above it.
    Filter,
    /// The detail of the selected row.
    Detail,
    /// The help, scrolled down this many lines.
    Help(usize),
    /// The list of sort columns, with the cursor on this one.
    SortMenu(usize),
    /// The list of columns, with the cursor on this one.
    Columns(usize),
}

/// Lines that PgUp and PgDn move by in menus and the help.
const PAGE: usize = 10;

impl Mode {
    /// Whether something else is drawn in place of the table.
    pub fn covers_table(self) -> bool {
        !matches!(self, Mode::View | Mode::Filter)
    }

    /// What follows the help, scrolled down this many lines, after a key. Drawing keeps the line within the text.
    pub(super) fn after_help_key(line: usize, action: Action) -> Mode {
        match (Step::of(action), action) {
            (Some(step), _) => Mode::Help(step.target(line, PAGE, usize::MAX / 2)),
            (None, Action::Back | Action::Help | Action::Quit) => Mode::View,
            (None, _) => Mode::Help(line),
        }
    }
}

/// The item of a menu that a step leads to from this one.
pub(super) fn menu_line(step: Step, cursor: usize, items: usize) -> usize {
    step.target(cursor, PAGE, items.saturating_sub(1))
}
