//! The dashboard's state and what happens to it: `update(Msg, &Report) -> Vec<Effect>`.
//!
//! Owns what the user chose (view, order, selection, columns) and no measurement: the latest report
//! belongs to the runtime and is borrowed; rows are indices into it. No terminal, no clock, no I/O:
//! time arrives with messages, and effects say what is to be done.
//!
//! Rows are made on demand, from the report at hand: [`App::scene`] returns both. A paused screen
//! shows its own copy of the report.

mod accessors;
mod actions;
mod choices;
mod detail;
mod events;
mod facts;
mod filter;
mod filters;
mod flow_tables;
mod flows;
mod footer;
mod group_actions;
mod groups;
mod help;
mod history;
mod interfaces;
mod journal;
pub mod layout;
mod menu;
mod message;
mod mode;
mod moment;
mod mouse;
mod names;
mod notices;
mod preferences;
mod recent_trouble;
mod reorder;
mod rows;
mod scene;
mod session;
mod step;
mod table;
mod tabs;
mod time;
mod widest;

use std::net::IpAddr;
use std::sync::Arc;

use crate::keymap::{Action, KeyChord};
use crate::model::event::TimeOfDay;
use crate::model::query::Query;
use crate::model::tracker::Report;

use choices::Choices;
use filter::Edit;
use filters::Filters;
use mode::step_line;
use names::HostNames;
use step::Step;

pub use crate::model::preferences::View;
pub use detail::{Chart, Detail, Numbers, SMALLEST_CHART, Subject};
pub use events::EventRows;
pub use filter::FilterLine;
pub use flows::{FlowRows, has_ended};
pub use footer::FooterEntry;
pub use groups::{GroupLine, GroupRows, RowKey};
pub use help::{HELP_KEYS, HelpLine, help_lines};
pub use interfaces::InterfaceRows;
pub use journal::Journal;
pub use menu::{MenuItem, menu_offset};
pub use message::{Effect, Mouse, MouseKind, Msg};
pub use mode::Mode;
pub use moment::Moment;
pub use names::MOST_NAMES;
pub use notices::Notices;
pub use preferences::Preferences;
pub use scene::{Rows, Scene};
pub use session::SshSession;
pub use table::Table;
pub use tabs::{NAME, tabs};

/// The dashboard's state. Each part has its own fields and messages.
#[derive(Debug)]
pub struct App {
    choices: Choices,
    mode: Mode,
    filters: Filters,
    flows: FlowRows,
    interfaces: InterfaceRows,
    events: EventRows,
    groups: GroupRows,
    /// What the rows were made from: the revision of a report, the latest event, and whether a detail was open. `None`: they are
    /// out of date.
    arranged: Option<(u64, u64, bool)>,
    journal: Journal,
    notices: Notices,
    names: HostNames,
    /// What is shown in place of the present.
    moment: Option<Moment>,
    /// Columns and lines of the terminal.
    size: (u16, u16),
    mouse_captured: bool,
}

impl App {
    /// A dashboard for a terminal of this size, columns and lines.
    pub fn new(preferences: Preferences, size: (u16, u16)) -> App {
        App {
            mode: Mode::View,
            filters: Filters::default(),
            flows: FlowRows::new(preferences.appearance.sort),
            interfaces: InterfaceRows::new(),
            events: EventRows::new(),
            groups: GroupRows::new(),
            arranged: None,
            journal: Journal::new(preferences.alerts.clone()),
            notices: Notices::default(),
            names: HostNames::default(),
            moment: None,
            size,
            mouse_captured: true,
            choices: Choices::new(preferences),
        }
    }

    /// There was a reading at this local time: what happens from here on happens then.
    pub fn set_time(&mut self, now: TimeOfDay) {
        self.journal.set_time(now);
    }

    /// Handles a message; `live` is the tracker's current report.
    pub fn update(&mut self, msg: Msg, live: &Report) -> Vec<Effect> {
        let still = self.still_report();
        let shown = still.as_deref().unwrap_or(live);
        let mut effects = Vec::new();
        match msg {
            Msg::Key(chord) => effects = self.key(chord, live, shown),
            Msg::Mouse(mouse) => effects = self.mouse(mouse, live, shown),
            Msg::Zero => {
                self.journal.reset();
                self.notices.say(Journal::FROM_ZERO);
            }
            Msg::Resize(width, height) => {
                self.size = (width, height);
                self.rearrange();
            }
            Msg::Refreshed(now) => {
                self.journal.advance(live, now);
                self.rearrange();
            }
            Msg::Filter(text) => {
                for view in View::ALL.into_iter().filter(|view| view.filters_flows()) {
                    self.filters.set(view, &text);
                }
                self.rearrange();
            }
            Msg::Notice(text) => self.notices.say(text),
            Msg::Logged(kind, text) => self.journal.record(kind, text),
            Msg::Happened(kind, text) => {
                self.journal.record(kind, text.clone());
                self.notices.say(text);
            }
            Msg::ConfigError(None) => self.notices.accept_config(),
            Msg::ConfigError(Some(text)) => self.refuse_config(&text),
            Msg::Preferences(preferences) => self.configure(*preferences),
            Msg::Name(address, name) => self.learn_name(address, name, live),
            Msg::Past(moment) => {
                let event = self.events.selected(self.shown_log()).cloned();
                self.moment = moment.map(|moment| *moment);
                let log = self.shown_log().clone();
                self.events.select_again(event, &log);
                self.rearrange();
            }
        }
        let focus = self.flows.changed_focus(self.focused_flow());
        effects.extend(focus.map(Effect::Focus));
        effects
    }

    fn refuse_config(&mut self, text: &str) {
        if self.notices.refuse_config(text) {
            self.journal.record_refusal(text);
        }
    }

    fn configure(&mut self, preferences: Preferences) {
        let alerts = preferences.alerts.clone();
        if self.choices.configure(preferences) {
            self.journal.set_alert_rules(alerts);
        }
        let sort = self.choices.current().appearance.sort;
        if sort != self.flows.table(View::Flows).sort() {
            self.flows.sort_by(sort);
        }
        self.notices.accept_config();
        self.rearrange();
    }

    fn learn_name(&mut self, address: IpAddr, name: Arc<str>, live: &Report) {
        if self.names.are_full() {
            let on_screen = self.addresses_on_screen(live);
            self.names.keep_only(&on_screen);
        }
        if self.names.learn(address, name) && !self.filter().is_empty() {
            self.rearrange();
        }
    }

    fn key(&mut self, chord: KeyChord, live: &Report, shown: &Report) -> Vec<Effect> {
        self.notices.dismiss();
        let action = self.choices.current().keymap.action(chord);
        if self.mode == Mode::Filter && action != Some(Action::Suspend) {
            return self.filter_key(chord, action, live, shown);
        }
        // `q` closes whatever covers the view; a chord with Control leaves flowtop from anywhere.
        if action == Some(Action::Quit) && chord.ctrl {
            return vec![Effect::Quit];
        }
        match action {
            Some(action) => self.act(action, live, shown),
            None => Vec::new(),
        }
    }

    /// Hands the action to whatever has the keys.
    fn act(&mut self, action: Action, live: &Report, shown: &Report) -> Vec<Effect> {
        match (self.mode, action) {
            (_, Action::Suspend) => return vec![Effect::Suspend],
            (Mode::Help(line), _) => self.help_key(line, action),
            (Mode::SortMenu(cursor), _) => self.sort_menu_key(cursor, action),
            (Mode::Columns(cursor), _) => self.columns_key(cursor, action),
            (Mode::Detail(_), Action::Quit) => self.mode = Mode::View,
            (Mode::Detail(_), Action::PageUp) => self.scroll_detail(-self.detail_page(), live),
            (Mode::Detail(_), Action::PageDown) => self.scroll_detail(self.detail_page(), live),
            (Mode::Detail(_) | Mode::View | Mode::Filter, _) => {
                return self.perform(action, live, shown);
            }
        }
        Vec::new()
    }

    fn help_key(&mut self, line: usize, action: Action) {
        let Some(screen) = self.screen() else { return };
        let lines = help_lines(&self.choices.current().keymap, screen.width.into());
        let page = screen.cover().1.into();
        let last = lines.len().saturating_sub(page);
        match (Step::of(action), action) {
            (Some(step), _) => self.mode = Mode::Help(step_line(step, line, page, last)),
            (None, Action::Back | Action::Help | Action::Quit) => self.mode = Mode::View,
            (None, _) => {}
        }
    }

    fn filter_key(
        &mut self,
        chord: KeyChord,
        action: Option<Action>,
        live: &Report,
        shown: &Report,
    ) -> Vec<Effect> {
        match self.filters.edit(self.view(), chord) {
            Edit::Changed => self.rearrange(),
            Edit::Moved | Edit::Older | Edit::Newer => {}
            Edit::Full => self.notices.say(Query::too_long()),
            Edit::Accepted => self.mode = Mode::View,
            Edit::Cancelled => {
                self.mode = Mode::View;
                self.rearrange();
            }
            Edit::Ignored => match action {
                Some(Action::Quit) if chord.ctrl => return vec![Effect::Quit],
                Some(Action::Quit) => self.mode = Mode::View,
                Some(action) if Step::of(action).is_some() => {
                    return self.perform(action, live, shown);
                }
                _ => {}
            },
        }
        Vec::new()
    }
}
