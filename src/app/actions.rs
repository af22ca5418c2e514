//! What each action does to the dashboard.

use super::reorder::Reorder;
use super::step::Step;
use super::time::is_of_time;
use super::{Action, App, Effect, Mode, Moment, View};
use crate::model::column::LOSS;
use crate::model::flow::FlowKey;
use crate::model::flow_groups::{GroupBy, GroupKey};
use crate::model::tracker::{Flow, Report, RuleReport};

impl App {
    /// Does it, in the view itself or in the detail.
    pub(super) fn perform(&mut self, action: Action, live: &Report, shown: &Report) -> Vec<Effect> {
        self.refresh_rows(shown);
        if let Some(step) = Step::of(action) {
            self.step(step, shown);
            return Vec::new();
        }
        match action {
            Action::Quit => return vec![Effect::Quit],
            Action::Suspend => return vec![Effect::Suspend],
            Action::Export => return vec![Effect::Export],
            Action::Reload => return vec![Effect::Reload],
            Action::SaveView => return vec![Effect::SaveView],
            Action::Mouse => return self.toggle_mouse(),
            action if is_of_time(action) => return self.change_time(action, live),
            Action::Reset | Action::LongerInterval | Action::ShorterInterval
                if self.past().is_some() =>
            {
                self.notices
                    .say("the past is as it was: totals and intervals are those of then");
            }
            Action::Reset => return vec![Effect::ResetBaseline],
            Action::LongerInterval => return self.change_interval(true),
            Action::ShorterInterval => return self.change_interval(false),
            Action::Pause if self.past().is_some() => return self.change_time(Action::Hold, live),
            Action::Pause => self.toggle_pause(live),
            Action::Open => self.open(shown),
            Action::Back => self.back(),
            Action::Filter => self.edit_filter(),
            _ => self.change_looks(action, shown),
        }
        Vec::new()
    }

    /// Actions that only change how things are shown.
    fn change_looks(&mut self, action: Action, shown: &Report) {
        match action {
            Action::Help => self.mode = Mode::Help(0),
            Action::SortMenu => self.open_sort_menu(),
            Action::Columns => self.mode = Mode::Columns(0),
            Action::SortLeft => self.reorder(Reorder::Beside(-1)),
            Action::SortRight => self.reorder(Reorder::Beside(1)),
            Action::Reverse => self.reorder(Reorder::Reverse),
            Action::HoldOrder => self.hold_order(shown),
            Action::Pin => self.toggle_pin(),
            Action::NextTrouble => self.select_trouble(shown),
            Action::HideOwnSession => self.toggle_session(),
            Action::HideEnded => self.toggle_ended(),
            Action::ToggleUnit => self.choices.toggle_unit(),
            Action::ToggleLoss => self.toggle_loss(),
            Action::Scale => self.toggle_scale(),
            Action::Theme => self.next_theme(),
            Action::Names => self.toggle_names(),
            Action::NextView => self.show(self.view().beside(1)),
            Action::PreviousView => self.show(self.view().beside(-1)),
            Action::ViewFlows => self.show(View::Flows),
            Action::ViewLoss => self.show(View::Loss),
            Action::ViewInterfaces => self.show(View::Interfaces),
            Action::ViewEvents => self.show(View::Events),
            Action::ViewGroups => self.show(View::Groups),
            Action::GroupBy => self.group_by_next(shown),
            Action::Fold => self.toggle_fold(shown),
            Action::FoldAll => self.toggle_folds(),
            _ => {}
        }
    }

    fn edit_filter(&mut self) {
        self.mode = Mode::Filter;
        self.filters.begin(self.view());
    }

    /// Opens the detail of the selected row; without a selection, of the first row on the screen.
    fn open(&mut self, shown: &Report) {
        if self.mode.is_detail() {
            return;
        }
        if self.selection().is_none() {
            self.step(Step::By(0), shown);
        }
        if self.in_rules() {
            self.open_rule(shown);
        } else if self.view() == View::Events {
            self.open_event(shown);
        } else if self.view() == View::Groups {
            self.open_group(shown);
        } else if self.selection().is_some() {
            self.mode = Mode::Detail(0);
        }
    }

    /// Goes from a rule to its flows: a filter of its name.
    fn open_rule(&mut self, shown: &Report) {
        let selected = self.interfaces.rules().selected();
        let is_it = |rule: &&RuleReport| Some(&rule.name) == selected.as_ref();
        let Some(rule) = shown.rules.iter().find(is_it) else {
            return;
        };
        let is_its = |flow: &Flow| flow.rule.as_ref() == Some(&rule.name);
        let Some(first) = shown.flows.iter().find(|flow| is_its(flow)) else {
            self.notices.say("no flow of this rule is in the table");
            return;
        };
        let filter = GroupBy::Rule.filter(&GroupKey::Rule(Some(rule.name.clone())));
        self.filters.set(View::Flows, &filter);
        self.show(View::Flows);
        self.refresh_rows(shown);
        if self.flow_table().rows().is_empty() {
            self.uncover(first.key, shown);
        }
    }

    /// Goes from an event to the flow that it is about.
    fn open_event(&mut self, shown: &Report) {
        let event = self.events.selected(self.shown_log());
        let Some(key) = event.and_then(|event| event.flow) else {
            if event.is_some() {
                self.notices.say("this event is about no flow");
            }
            return;
        };
        if !shown.flows.iter().any(|flow| flow.key == key) {
            self.notices.say("this flow has left the table");
            return;
        }
        self.show(View::Flows);
        self.refresh_rows(shown);
        self.uncover(key, shown);
        self.flows.select(key);
        self.mode = Mode::Detail(0);
        self.rearrange();
    }

    /// The lines that PgUp and PgDn scroll the detail by: one stays.
    pub(super) fn detail_page(&self) -> isize {
        let screen = self.screen();
        screen.map_or(1, |screen| isize::from(screen.cover().1 as i16) - 1)
    }

    /// Scrolls the detail by so many lines, if it has as many that are not on the screen.
    pub(super) fn scroll_detail(&mut self, lines: isize, live: &Report) {
        let last = self.detail_overflow(live);
        if let Mode::Detail(line) = self.mode {
            let line = line.min(last).saturating_add_signed(lines);
            self.mode = Mode::Detail(line.min(last));
        }
    }

    /// Takes away what hides this flow from the Flows view, if anything does.
    fn uncover(&mut self, key: FlowKey, shown: &Report) {
        let lists = |app: &App| {
            let mut rows = app.flow_table().rows().iter();
            rows.any(|row| shown.flows[*row as usize].key == key)
        };
        if !lists(self) {
            self.flows.hide_nothing();
            self.rearrange();
            self.refresh_rows(shown);
        }
        if !lists(self) {
            self.filters.clear(View::Flows);
            self.rearrange();
        }
    }

    /// One thing after the other: the detail, the filter, the selection.
    fn back(&mut self) {
        if self.mode != Mode::View {
            self.mode = Mode::View;
        } else if !self.filter().is_empty() {
            self.filters.clear(self.view());
            self.rearrange();
        } else {
            self.deselect();
        }
    }

    fn toggle_pin(&mut self) {
        match self.selected_flow() {
            Some(key) => {
                self.flows.toggle_pin(key);
                self.rearrange();
            }
            None => self.notices.say("select a flow first, to pin it"),
        }
    }

    /// Selects the next flow in trouble, in the Flows view where the open one shows no flows.
    fn select_trouble(&mut self, shown: &Report) {
        if !self.view().shows_flows() {
            self.show(View::Flows);
        }
        self.refresh_rows(shown);
        let (flows, criteria) = self.flows_by(shown);
        match flows.select_trouble(&criteria) {
            true => self.rearrange(),
            false if self.flows.in_trouble() > 0 => {
                self.notices.say("all flows in trouble are hidden");
            }
            false => self.notices.say("no flow is in trouble"),
        }
    }

    fn hold_order(&mut self, shown: &Report) {
        if matches!(self.view(), View::Interfaces | View::Events) {
            self.notices
                .say("the order of flows and of groups can be held");
            return;
        }
        let text = match self.toggle_hold(shown) {
            true => "the order is held; new flows come last",
            false => "the order follows the numbers",
        };
        self.notices.say(text);
    }

    fn toggle_names(&mut self) {
        let text = match self.names.toggle() {
            true => "host names: asking the resolver",
            false => {
                self.flows.measure_anew();
                "addresses"
            }
        };
        self.notices.say(text);
        self.rearrange();
    }

    fn toggle_session(&mut self) {
        if self.choices.current().session.is_none() {
            self.notices.say("flowtop does not run in an SSH session");
            return;
        }
        self.flows.toggle_session();
        self.rearrange();
    }

    fn toggle_ended(&mut self) {
        self.notices.say(match self.flows.toggle_ended() {
            true => "flows that have ended are hidden",
            false => "all flows are shown",
        });
        self.rearrange();
    }

    fn toggle_loss(&mut self) {
        let before = self.placed_flow_ids();
        self.choices.toggle_packet_loss();
        let is_on = self.choices.current().appearance.packet_loss;
        let placed = self.placed_flow_ids();
        let notice = match (self.view(), is_on) {
            (View::Flows, true)
                if placed == before && !LOSS.iter().all(|id| placed.contains(id)) =>
            {
                "no room for more loss columns; the Loss view has them"
            }
            (View::Flows, _) => return,
            (_, true) => "the Flows view shows all loss columns that it has room for",
            (_, false) => "the Flows view has its own columns again",
        };
        self.notices.say(notice);
    }

    fn toggle_scale(&mut self) {
        let scale = self.choices.toggle_scale().name();
        self.notices
            .say(format!("axis of times between packets: {scale}"));
    }

    fn toggle_mouse(&mut self) -> Vec<Effect> {
        self.mouse_captured ^= true;
        let text = match self.mouse_captured {
            true => "mouse: clicks are flowtop's",
            false => "mouse: the terminal selects text",
        };
        self.notices.say(text);
        vec![Effect::CaptureMouse(self.mouse_captured)]
    }

    fn change_interval(&mut self, longer: bool) -> Vec<Effect> {
        let Some(seconds) = self.choices.change_interval(longer) else {
            let most = if longer { "longest" } else { "shortest" };
            self.notices
                .say(format!("the interval is the {most} already"));
            return Vec::new();
        };
        self.notices.say(format!("interval: {seconds} s"));
        vec![Effect::SetInterval(seconds)]
    }

    fn toggle_pause(&mut self, live: &Report) {
        self.moment = match self.moment.take() {
            Some(_) => None,
            None => Some(Moment::now(live, &self.journal)),
        };
        self.rearrange();
    }

    fn next_theme(&mut self) {
        let theme = self.choices.next_theme();
        self.notices.say(format!("theme: {}", theme.id()));
    }

    pub(super) fn show(&mut self, view: View) {
        self.choices.open_view(view);
        self.mode = Mode::View;
        self.rearrange();
    }
}
