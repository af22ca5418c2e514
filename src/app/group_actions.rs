//! What keys and clicks do in the Groups view.

use super::step::Step;
use super::{App, Mode, View};
use crate::model::tracker::Report;

impl App {
    /// Groups flows by something else; from another view, opens that of the groups.
    pub(super) fn group_by_next(&mut self, shown: &Report) {
        if self.view() == View::Groups {
            let next = self.group_by(shown).next();
            self.choices.group_by(next);
        }
        self.show(View::Groups);
    }

    /// Shows the flows of the selected group, or hides them; without a selection, of the first row on the screen.
    pub(super) fn toggle_fold(&mut self, shown: &Report) {
        if !self.has_groups() {
            return;
        }
        if self.selection().is_none() {
            self.step(Step::By(0), shown);
        }
        self.groups.toggle_fold();
        self.rearrange();
    }

    /// Hides the flows of all groups, or shows them where all are hidden.
    pub(super) fn toggle_folds(&mut self) {
        if !self.has_groups() {
            return;
        }
        self.notices.say(match self.groups.toggle_folds() {
            true => "all groups are unfolded",
            false => "all groups are folded",
        });
        self.rearrange();
    }

    fn has_groups(&mut self) -> bool {
        let is_open = self.view() == View::Groups;
        if !is_open {
            self.notices.say("groups are folded in the Groups view");
        }
        is_open
    }

    /// Goes from a group to its flows, or to the detail of one that is selected: a filter of what they have in common, beside
    /// the one of the groups.
    pub(super) fn open_group(&mut self, shown: &Report) {
        let Some((group, flow)) = self.groups.selected() else {
            return;
        };
        let its = self.group_by(shown).filter(&group.key);
        let own = self.filter();
        let filter = match own.query() {
            // One with a mistake filters nothing.
            _ if own.error().is_some() => its,
            query if query.is_choice() => format!("{its} ({})", own.text()),
            _ => format!("{} {its}", own.text()),
        };
        self.filters.set(View::Flows, &filter);
        self.show(View::Flows);
        if let Some(key) = flow {
            self.flows.select(key);
            self.mode = Mode::Detail(0);
        }
    }
}
