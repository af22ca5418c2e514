//! What has the keys: the view, the filter line, or something that covers the view.

use super::step::Step;

/// What has the keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// The view itself.
    View,
    /// The filter line, with the view above it.
    Filter,
    /// The detail of the selected row, scrolled down this many lines.
    Detail(usize),
    /// The help, scrolled down this many lines.
    Help(usize),
    /// The list of sort columns, with the cursor on this one.
    SortMenu(usize),
    /// The list of columns, with the cursor on this one.
    Columns(usize),
}

impl Mode {
    /// Whether the detail of the selected row is open.
    pub(super) fn is_detail(self) -> bool {
        matches!(self, Mode::Detail(_))
    }

    /// Whether something else is drawn in place of the table.
    pub(super) fn covers_table(self) -> bool {
        !matches!(self, Mode::View | Mode::Filter)
    }
}

/// The line of a menu or of the help, of which so many are on a page, that a step leads to from this one.
pub(super) fn step_line(step: Step, from: usize, page: usize, last: usize) -> usize {
    step.target(from.min(last), page.max(1), last)
}
