//! The filter of each view, and the filters that were kept in any of them.

use super::View;
use super::filter::{Edit, FilterLine};
use super::history::History;
use crate::keymap::KeyChord;

/// A filter line for each view.
#[derive(Debug, Default)]
pub struct Filters {
    lines: [FilterLine; View::ALL.len()],
    history: History,
}

impl Filters {
    /// The line of this view.
    pub(super) fn of(&self, view: View) -> &FilterLine {
        &self.lines[view as usize]
    }

    /// The line that flows are filtered by in this view: in one whose own filter is for other things, that of the Flows view.
    pub(super) fn of_flows(&self, view: View) -> &FilterLine {
        match view.filters_flows() {
            true => self.of(view),
            false => self.of(View::Flows),
        }
    }

    /// Begins to edit the line of this view.
    pub(super) fn begin(&mut self, view: View) {
        self.lines[view as usize].begin();
        self.history.rewind();
    }

    /// Edits the line of this view by a key.
    pub(super) fn edit(&mut self, view: View, chord: KeyChord) -> Edit {
        let line = &mut self.lines[view as usize];
        match line.edit(chord) {
            edit @ (Edit::Older | Edit::Newer) => {
                let other = match edit {
                    Edit::Older => self.history.older(line.text()),
                    _ => self.history.newer(),
                };
                let Some(text) = other else {
                    return Edit::Moved;
                };
                line.set(text);
                Edit::Changed
            }
            Edit::Accepted => {
                line.complete();
                self.history.keep(line.text());
                Edit::Accepted
            }
            Edit::Cancelled => {
                line.clear();
                Edit::Cancelled
            }
            edit => edit,
        }
    }

    /// Filters this view by that, without spaces around it.
    pub(super) fn set(&mut self, view: View, text: &str) {
        let line = &mut self.lines[view as usize];
        line.set(text.trim());
        self.history.keep(line.text());
    }

    /// Filters this view no more.
    pub(super) fn clear(&mut self, view: View) {
        self.lines[view as usize].clear();
    }
}
