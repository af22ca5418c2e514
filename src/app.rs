//! The dashboard's state and what happens to it: `update(Msg, &Report) -> Vec<Effect>`.
//!
//! Owns what a person chose (view, order, selection, columns) and nothing that was measured: the
//! latest report stays with the runtime and is borrowed, rows are indices into it. No terminal, no
//! clock, no I/O: time comes in with messages, wishes go out as effects.
//!
//! Rows are made when they are needed, of the very report that is at hand: [`App::scene`] has both.
//! A paused screen shows its own copy of the report of that moment.

mod actions;
mod filter;
mod judge;
pub mod layout;
mod menu;
mod message;
mod mouse;
mod names;
mod operate;
mod preferences;
mod rows;
mod scene;
mod session;
mod shown;
pub mod table;

use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::keymap::{Action, KeyChord};
use crate::model::alert::Alerts;
use crate::model::column::{EVENT_COLUMNS, INTERFACE_COLUMNS, Names, RULE_COLUMNS, Ranking, Sort};
use crate::model::event::{Event, EventLog, TimeOfDay};
use crate::model::flow::FlowKey;
use crate::model::query::Query;
use crate::model::tracker::{Flow, Interface, Report, RuleReport};
use crate::model::watch::Watch;

use filter::Edit;
use table::Table;

pub use filter::FilterLine;
pub use menu::MenuItem;
pub use message::{Effect, Msg};
pub use mouse::{Mouse, MouseKind, NAME, tabs};
pub use names::MOST_NAMES;
pub use preferences::{Preferences, columns};
pub use rows::loses;
pub use scene::{Rows, Scene};
pub use session::SshSession;

/// What is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum View {
    /// All flows.
    Flows,
    /// Sequence numbers of all flows.
    Loss,
    /// Interfaces.
    Interfaces,
    /// What happened.
    Events,
}

impl View {
    /// All views, in the order of their keys.
    pub const ALL: [View; 4] = [View::Flows, View::Loss, View::Interfaces, View::Events];

    /// The name on its tab.
    pub const fn title(self) -> &'static str {
        match self {
            View::Flows => "Flows",
            View::Loss => "Loss",
            View::Interfaces => "Interfaces",
            View::Events => "Events",
        }
    }

    /// The name in the configuration: its title in lower case.
    pub fn id(self) -> String {
        self.title().to_ascii_lowercase()
    }

    /// The view of that name in the configuration.
    pub fn from_id(id: &str) -> Option<View> {
        View::ALL.into_iter().find(|view| view.id() == id)
    }
}

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

/// A paused screen: the report, the events and the alerts of that moment, and when it was.
#[derive(Debug, Clone)]
pub struct Paused {
    report: Arc<Report>,
    log: EventLog,
    alerts: Alerts,
    /// Local time of the pause.
    pub since: TimeOfDay,
}

/// The dashboard's state.
#[derive(Debug)]
pub struct App {
    preferences: Preferences,
    configured: Preferences,
    view: View,
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
    alerts: Alerts,
    watch: Watch,
    log: EventLog,
    endpoint_width: u16,
    /// Flows first seen before this have been measured for it, ns.
    measured_ns: u64,
    size: (u16, u16),
    interface_count: usize,
    rule_count: usize,
    paused: Option<Paused>,
    now: TimeOfDay,
    reset_at: Option<TimeOfDay>,
    notice: Option<String>,
    config_error: Option<judge::ConfigError>,
    names: Option<Names>,
    session_hidden: bool,
    mouse_captured: bool,
}

impl App {
    /// A dashboard for a terminal of this size, columns and lines.
    pub fn new(preferences: Preferences, size: (u16, u16)) -> App {
        let losses = Sort::parse("-loss_percent").unwrap_or(preferences.sort);
        let view = preferences.view;
        App {
            flows: Table::new(preferences.sort),
            losses: Table::new(losses),
            interfaces: Table::new(Sort::by(&INTERFACE_COLUMNS[0])),
            rules: Table::new(Sort::by(&RULE_COLUMNS[0])),
            in_rules: false,
            events: Table::new(Sort::by(&EVENT_COLUMNS[0])),
            alerts: Alerts::new(preferences.alerts.clone()),
            configured: preferences.clone(),
            preferences,
            view,
            mode: Mode::View,
            filter: FilterLine::default(),
            hidden: 0,
            losing: 0,
            arranged: None,
            ranking: Ranking::default(),
            pinned: Vec::new(),
            held: None,
            focused: Vec::new(),
            watch: Watch::default(),
            log: EventLog::default(),
            endpoint_width: rows::IPV4_ENDPOINT,
            measured_ns: 0,
            size,
            interface_count: 0,
            rule_count: 0,
            paused: None,
            now: TimeOfDay::default(),
            reset_at: None,
            notice: None,
            config_error: None,
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
                self.now = now;
                self.judge(live);
                self.rearrange();
            }
            Msg::Notice(text) => self.notice = Some(text),
            Msg::Happened(kind, text) => {
                self.log.push(self.now, kind, None, text.clone());
                self.notice = Some(text);
            }
            Msg::Logged(kind, text) => self.log.push(self.now, kind, None, text),
            Msg::ConfigError(error) => self.refuse_config(error),
            Msg::Preferences(preferences) => self.prefer(*preferences),
            Msg::Name(address, name) => self.learn_name(address, name, live),
            Msg::Reset | Msg::Key(_) | Msg::Mouse(_) => {}
        }
    }

    fn key(&mut self, chord: KeyChord, live: &Report, shown: &Report) -> Vec<Effect> {
        self.notice = None;
        let action = self.preferences.keymap.action(chord);
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
            Edit::Full => self.notice = Some(Query::too_long()),
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
