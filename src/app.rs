//! The dashboard's state and what happens to it: `update(Msg, &Report) -> Vec<Effect>`.
//!
//! Owns what a person chose (view, order, selection, columns) and nothing that was measured: the
//! latest report stays with the runtime and is borrowed, rows are indices into it. No terminal, no
//! clock, no I/O: time comes in with messages, wishes go out as effects.
//!
//! Rows are made when they are needed, of the very report that is at hand: [`App::scene`] has both.
//! A paused screen shows its own copy of the report of that moment.

mod actions;
mod choices;
mod filter;
mod journal;
pub mod layout;
mod menu;
mod message;
mod mouse;
mod names;
mod notices;
mod operate;
mod pause;
mod preferences;
mod rows;
mod scene;
mod session;
mod shown;
pub mod table;

use rustc_hash::FxHashMap;

use crate::keymap::{Action, KeyChord};
use crate::model::column::{EVENT_COLUMNS, INTERFACE_COLUMNS, Names, RULE_COLUMNS, Ranking, Sort};
use crate::model::event::Event;
use crate::model::flow::FlowKey;
use crate::model::query::Query;
use crate::model::tracker::{Flow, Interface, Report, RuleReport};

use choices::Choices;
use filter::Edit;
use journal::Journal;
use table::Table;

pub use crate::model::preferences::View;
pub use filter::FilterLine;
pub use menu::MenuItem;
pub use message::{Effect, Msg};
pub use mouse::{Mouse, MouseKind, NAME, tabs};
pub use names::MOST_NAMES;
pub use notices::Notices;
pub use pause::Paused;
pub use preferences::Preferences;
pub use rows::loses;
pub use scene::{Rows, Scene};
pub use session::SshSession;

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

/// The dashboard's state.
#[derive(Debug)]
pub struct App {
    choices: Choices,
    mode: Mode,
    flows: Table<FlowKey, Flow>,
    losses: Table<FlowKey, Flow>,
    interfaces: Table<u32, Interface>,
    rules: Table<u32, RuleReport>,
    in_rules: bool,
    events: Table<u64, Event>,
    filter: FilterLine,
    hidden: usize,
    losing: usize,
    /// What the rows were made of: the revision of a report and the latest event. `None`: they are not as they
    /// should be.
    arranged: Option<(u64, u64)>,
    /// Room for flows that are put in order.
    ranking: Ranking,
    pinned: Vec<FlowKey>,
    held: Option<FxHashMap<FlowKey, u32>>,
    focused: Vec<FlowKey>,
    journal: Journal,
    notices: Notices,
    endpoint_width: u16,
    /// Flows first seen before this have been measured for it, ns.
    measured_ns: u64,
    size: (u16, u16),
    interface_count: usize,
    rule_count: usize,
    paused: Option<Paused>,
    names: Option<Names>,
    session_hidden: bool,
    mouse_captured: bool,
}

impl App {
    /// A dashboard for a terminal of this size, columns and lines.
    pub fn new(preferences: Preferences, size: (u16, u16)) -> App {
        let losses = Sort::parse("-loss_percent").unwrap_or(preferences.sort);
        App {
            flows: Table::new(preferences.sort),
            losses: Table::new(losses),
            interfaces: Table::new(Sort::by(&INTERFACE_COLUMNS[0])),
            rules: Table::new(Sort::by(&RULE_COLUMNS[0])),
            in_rules: false,
            events: Table::new(Sort::by(&EVENT_COLUMNS[0])),
            journal: Journal::new(preferences.alerts.clone()),
            notices: Notices::default(),
            choices: Choices::new(preferences),
            mode: Mode::View,
            filter: FilterLine::default(),
            hidden: 0,
            losing: 0,
            arranged: None,
            ranking: Ranking::default(),
            pinned: Vec::new(),
            held: None,
            focused: Vec::new(),
            endpoint_width: rows::IPV4_ENDPOINT,
            measured_ns: 0,
            size,
            interface_count: 0,
            rule_count: 0,
            paused: None,
            names: None,
            session_hidden: false,
            mouse_captured: true,
        }
    }

    /// Takes in what happened; `live` is the tracker's report of now.
    pub fn update(&mut self, msg: Msg, live: &Report) -> Vec<Effect> {
        let paused = self.paused_report();
        let shown = paused.as_deref().unwrap_or(live);
        let mut effects = match msg {
            Msg::Key(chord) => self.key(chord, live, shown),
            Msg::Mouse(mouse) => self.mouse(mouse, live, shown),
            Msg::Reset => self.reset(),
            msg => {
                self.take_in(msg, live);
                Vec::new()
            }
        };
        let focus = self.focus();
        if focus != self.focused {
            self.focused.clone_from(&focus);
            effects.push(Effect::Focus(focus));
        }
        effects
    }

    fn take_in(&mut self, msg: Msg, live: &Report) {
        match msg {
            Msg::Resize(width, height) => {
                self.size = (width, height);
                self.rearrange();
            }
            Msg::Refreshed(now) => {
                self.journal.advance(live, now);
                self.rearrange();
            }
            Msg::Notice(text) => self.notices.say(text),
            Msg::Happened(kind, text) => {
                self.journal.record(kind, text.clone());
                self.notices.say(text);
            }
            Msg::Logged(kind, text) => self.journal.record(kind, text),
            Msg::ConfigError(None) => self.notices.accept_config(),
            Msg::ConfigError(Some(text)) => {
                if self.notices.refuse_config(&text) {
                    self.journal.record_refusal(&text);
                }
            }
            Msg::Preferences(preferences) => self.configure(*preferences),
            Msg::Name(address, name) => self.learn_name(address, name, live),
            Msg::Reset | Msg::Key(_) | Msg::Mouse(_) => {}
        }
    }

    fn configure(&mut self, preferences: Preferences) {
        let alerts = preferences.alerts.clone();
        if self.choices.configure(preferences) {
            self.journal.set_alert_rules(alerts);
        }
        self.flows.sort = self.choices.current().sort;
        self.notices.accept_config();
        self.rearrange();
    }

    fn key(&mut self, chord: KeyChord, live: &Report, shown: &Report) -> Vec<Effect> {
        self.notices.dismiss();
        let action = self.choices.current().keymap.action(chord);
        if self.mode == Mode::Filter && action != Some(Action::Suspend) {
            return self.filter_key(chord, action, live, shown);
        }
        // `q` leaves what covers the view; a chord with Control leaves flowtop from everywhere.
        if action == Some(Action::Quit) && chord.ctrl {
            return vec![Effect::Quit];
        }
        match action {
            Some(action) => self.act(action, live, shown),
            None => Vec::new(),
        }
    }

    /// Gives the action to what takes the keys now.
    fn act(&mut self, action: Action, live: &Report, shown: &Report) -> Vec<Effect> {
        match (self.mode, action) {
            (_, Action::Suspend) => return vec![Effect::Suspend],
            (Mode::Help(line), _) => self.help_key(line, action),
            (Mode::SortMenu(cursor), _) => self.sort_menu_key(cursor, action, shown),
            (Mode::Columns(cursor), _) => self.columns_key(cursor, action),
            (Mode::Detail, Action::Quit) => self.mode = Mode::View,
            (Mode::Detail | Mode::View | Mode::Filter, _) => {
                return self.perform(action, live, shown);
            }
        }
        Vec::new()
    }

    fn help_key(&mut self, line: usize, action: Action) {
        match actions::step_of(action) {
            Some(step) => self.mode = Mode::Help(actions::scrolled(line, step)),
            None if matches!(action, Action::Back | Action::Help | Action::Quit) => {
                self.mode = Mode::View;
            }
            None => {}
        }
    }

    fn filter_key(
        &mut self,
        chord: KeyChord,
        action: Option<Action>,
        live: &Report,
        shown: &Report,
    ) -> Vec<Effect> {
        match self.filter.edit(chord) {
            Edit::Changed => self.rearrange(),
            Edit::Moved => {}
            Edit::Full => self.notices.say(Query::too_long()),
            Edit::Accepted => self.mode = Mode::View,
            Edit::Cancelled => {
                self.mode = Mode::View;
                self.filter.clear();
                self.rearrange();
            }
            Edit::NotMine => match action {
                Some(Action::Quit) => return vec![Effect::Quit],
                Some(action) if actions::step_of(action).is_some() => {
                    return self.perform(action, live, shown);
                }
                _ => {}
            },
        }
        Vec::new()
    }
}
