//! Steps of a cursor: in a table, a menu or a text.

use crate::keymap::Action;

/// Where to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// This many rows down; negative: up.
    By(isize),
    /// This many pages down; negative: up.
    Pages(isize),
    /// To the first row.
    First,
    /// To the last row.
    Last,
}

impl Step {
    /// The step that an action is, if it is one.
    pub(super) fn of(action: Action) -> Option<Step> {
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

    /// The row that it leads to from this one, with pages of this many rows.
    pub(super) fn target(self, from: usize, page: usize, last: usize) -> usize {
        let by = |rows: isize| from.saturating_add_signed(rows).min(last);
        match self {
            Step::By(rows) => by(rows),
            Step::Pages(pages) => by(pages * page as isize),
            Step::First => 0,
            Step::Last => last,
        }
    }

    /// Whether it leads down by rows or pages.
    pub(super) fn goes_down(self) -> bool {
        matches!(self, Step::By(n) | Step::Pages(n) if n > 0)
    }

    /// Whether it leads up by rows or pages.
    pub(super) fn goes_up(self) -> bool {
        matches!(self, Step::By(n) | Step::Pages(n) if n < 0)
    }
}
