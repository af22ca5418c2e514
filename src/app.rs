//! The dashboard's state and what happens to it: `update(Msg, &Report) -> Vec<Effect>`.
//!
//! Owns what a person chose (view, order, selection, columns) and nothing that was measured: the
//! latest report stays with the runtime and is borrowed, rows are indices into it. No terminal, no
//! clock, no I/O: time comes in with messages, wishes go out as effects.
//!
//! The contract with the runtime: after each change of the report send [`Msg::Refreshed`] before
//! drawing. A paused screen shows its own copy of the report of that moment.

mod actions;
pub mod layout;
mod mouse;
mod rows;
mod session;
pub mod table;

use std::sync::Arc;

use crate::keymap::{Action, KeyChord, Keymap};
use crate::model::column::{Column, Context, Names, Sort, by_id, interface_by_id};
use crate::model::column::{DEFAULT, LOSS, LOSS_VIEW};
use crate::model::event::TimeOfDay;
use crate::model::flow::FlowKey;
use crate::model::preferences::{ThemeName, Unit};
use crate::model::tracker::{Flow, Interface, Report};

use layout::{Placed, Screen, place};
pub use mouse::{Mouse, MouseKind, NAME, tabs};
pub use session::SshSession;
use table::Table;

/// What a person wants, from the configuration, the command line and the keys.
#[derive(Debug, Clone, PartialEq)]
pub struct Preferences {
    /// Unit of rates.
    pub unit: Unit,
    /// Whether the Flows view has the loss columns.
    pub packet_loss: bool,
    /// Order of the Flows view.
    pub sort: Sort,
    /// Columns of the Flows view, without the loss columns.
    pub columns: Vec<&'static Column>,
    /// Colours.
    pub theme: ThemeName,
    /// Throughput interval, s.
    pub interval_s: f64,
    /// Jitter window, s.
    pub jitter_s: f64,
    /// Keys.
    pub keymap: Keymap,
    /// The SSH session that flowtop runs in, if it does.
    pub session: Option<SshSession>,
}

impl Default for Preferences {
    fn default() -> Self {
        Preferences {
            unit: Unit::Bytes,
            packet_loss: false,
            sort: Sort::by(&crate::model::column::FLOW_COLUMNS[0]),
            columns: columns(DEFAULT),
            theme: ThemeName::Dark,
            interval_s: 1.0,
            jitter_s: 1.0,
            keymap: Keymap::default(),
            session: None,
        }
        .sorted_by("-throughput")
    }
}

impl Preferences {
    fn sorted_by(mut self, sort: &str) -> Self {
        self.sort = Sort::parse(sort).unwrap_or(self.sort);
        self
    }
}

fn columns(ids: &[&str]) -> Vec<&'static Column> {
    ids.iter().filter_map(|id| by_id(id)).collect()
}

/// What happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Msg {
    /// A key was pressed.
    Key(KeyChord),
    /// The mouse did something.
    Mouse(Mouse),
    /// The terminal has a new size, columns and lines.
    Resize(u16, u16),
    /// The report that comes with this message is new; the local time of day.
    Refreshed(TimeOfDay),
    /// Something to say in the status line until the next key.
    Notice(String),
    /// The configuration was refused: what is wrong and where. `None`: it is good again.
    ConfigError(Option<String>),
    /// A configuration was loaded.
    Preferences(Box<Preferences>),
    /// A host name became known.
    Name(std::net::IpAddr, Arc<str>),
}

/// What the runtime shall do.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Leave.
    Quit,
    /// Restore the terminal, stop, and come back on SIGCONT.
    Suspend,
    /// Write what is shown ([`App::shown_flows`], [`App::flow_columns`]) to files.
    Export,
    /// Take the totals of now as zero.
    ResetBaseline,
    /// Use this throughput interval, s.
    SetInterval(f64),
    /// Write the choices ([`App::preferences`]) in the configuration's form.
    SaveView,
    /// Look up host names, or stop doing so.
    ResolveNames(bool),
    /// Ask for mouse events, or leave the mouse to the terminal.
    CaptureMouse(bool),
    /// The flows that deserve a histogram: the one in the detail and the pinned ones.
    Focus(Vec<FlowKey>),
}

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
}

/// What takes the keys, apart from the view.
#[derive(Debug, Clone, PartialEq)]
pub enum Mode {
    /// The view itself.
    View,
    /// The help, scrolled down so many lines.
    Help(usize),
}

/// A paused screen: the report of that moment, and when it was.
#[derive(Debug, Clone)]
pub struct Paused {
    report: Arc<Report>,
    /// Local time of the pause.
    pub since: TimeOfDay,
}

/// The dashboard's state.
#[derive(Debug)]
pub struct App {
    preferences: Preferences,
    view: View,
    mode: Mode,
    flows: Table<FlowKey, Flow>,
    losses: Table<FlowKey, Flow>,
    interfaces: Table<u32, Interface>,
    hidden: usize,
    endpoint_width: u16,
    size: (u16, u16),
    interface_count: usize,
    paused: Option<Paused>,
    now: TimeOfDay,
    reset_at: Option<TimeOfDay>,
    notice: Option<String>,
    config_error: Option<String>,
    names: Option<Names>,
    mouse_captured: bool,
}

impl App {
    /// A dashboard for a terminal of this size, columns and lines.
    pub fn new(preferences: Preferences, size: (u16, u16)) -> App {
        let by = |id, fallback| by_id(id).map_or(fallback, Sort::by);
        let losses = by("loss_percent", preferences.sort);
        let interfaces =
            interface_by_id("name").unwrap_or(&crate::model::column::INTERFACE_COLUMNS[0]);
        App {
            flows: Table::new(preferences.sort),
            losses: Table::new(losses),
            interfaces: Table::new(Sort::by(interfaces)),
            preferences,
            view: View::Flows,
            mode: Mode::View,
            hidden: 0,
            endpoint_width: 21,
            size,
            interface_count: 0,
            paused: None,
            now: TimeOfDay::default(),
            reset_at: None,
            notice: None,
            config_error: None,
            names: None,
            mouse_captured: true,
        }
    }

    /// Takes in what happened; `live` is the tracker's report of now.
    pub fn update(&mut self, msg: Msg, live: &Report) -> Vec<Effect> {
        let paused = self.paused.as_ref().map(|p| p.report.clone());
        let shown = paused.as_deref().unwrap_or(live);
        match msg {
            Msg::Key(chord) => return self.key(chord, live, shown),
            Msg::Mouse(mouse) => return self.mouse(mouse, live, shown),
            Msg::Resize(width, height) => {
                self.size = (width, height);
                self.arrange(shown);
            }
            Msg::Refreshed(now) => {
                self.now = now;
                if self.paused.is_none() {
                    self.arrange(live);
                }
            }
            Msg::Notice(text) => self.notice = Some(text),
            Msg::ConfigError(error) => self.config_error = error,
            Msg::Preferences(preferences) => self.prefer(*preferences, shown),
            Msg::Name(address, name) => {
                if let Some(names) = &mut self.names {
                    names.insert(address, name);
                }
            }
        }
        Vec::new()
    }

    fn prefer(&mut self, preferences: Preferences, shown: &Report) {
        self.flows.sort = preferences.sort;
        self.preferences = preferences;
        self.config_error = None;
        self.arrange(shown);
    }

    fn key(&mut self, chord: KeyChord, live: &Report, shown: &Report) -> Vec<Effect> {
        self.notice = None;
        match self.preferences.keymap.action(chord) {
            Some(action) => self.perform(action, live, shown),
            None => Vec::new(),
        }
    }

    /// What is drawn: the paused report, or the live one.
    pub fn shown<'a>(&'a self, live: &'a Report) -> &'a Report {
        self.paused.as_ref().map_or(live, |paused| &paused.report)
    }

    /// What cells depend on.
    pub fn context<'a>(&'a self, shown: &Report) -> Context<'a> {
        Context {
            unit: self.preferences.unit,
            now_ns: shown.taken_ns,
            names: self.names.as_ref(),
        }
    }

    /// The lines of the screen; `None` where it is too small.
    pub fn screen(&self) -> Option<Screen> {
        Screen::new(self.size, self.interface_count)
    }

    /// The flow columns of this view, whether they have room or not.
    pub fn flow_columns(&self) -> Vec<&'static Column> {
        if self.view == View::Loss {
            return columns(LOSS_VIEW);
        }
        let mut chosen = self.preferences.columns.clone();
        if self.preferences.packet_loss {
            chosen.extend(
                columns(LOSS)
                    .into_iter()
                    .filter(|c| !self.preferences.columns.contains(c)),
            );
        }
        chosen
    }

    /// The flow columns that have room, with their places.
    pub fn placed_flow_columns(&self) -> Vec<Placed<Flow>> {
        let columns = self.flow_columns();
        place(
            &columns,
            self.size.0,
            self.preferences.unit,
            self.endpoint_width,
        )
    }

    /// The interface columns that have room, with their places.
    pub fn placed_interface_columns(&self) -> Vec<Placed<Interface>> {
        let columns: Vec<_> = crate::model::column::INTERFACE_COLUMNS.iter().collect();
        place(
            &columns,
            self.size.0,
            self.preferences.unit,
            self.endpoint_width,
        )
    }

    /// The flow table of this view.
    pub fn flow_table(&self) -> &Table<FlowKey, Flow> {
        match self.view {
            View::Loss => &self.losses,
            _ => &self.flows,
        }
    }

    fn flow_table_mut(&mut self) -> &mut Table<FlowKey, Flow> {
        match self.view {
            View::Loss => &mut self.losses,
            _ => &mut self.flows,
        }
    }

    /// The interface table.
    pub fn interface_table(&self) -> &Table<u32, Interface> {
        &self.interfaces
    }

    /// The flows that are shown, in their order, whether they have room or not.
    pub fn shown_flows<'a>(&'a self, live: &'a Report) -> impl Iterator<Item = &'a Flow> + 'a {
        let flows = &self.shown(live).flows;
        let rows = self.flow_table().rows().iter();
        rows.filter_map(|row| flows.get(*row as usize))
    }

    /// What a person chose so far.
    pub fn preferences(&self) -> &Preferences {
        &self.preferences
    }

    /// The view.
    pub fn view(&self) -> View {
        self.view
    }

    /// What takes the keys.
    pub fn mode(&self) -> &Mode {
        &self.mode
    }

    /// The pause, if the screen is paused.
    pub fn paused(&self) -> Option<&Paused> {
        self.paused.as_ref()
    }

    /// When the totals were last set to zero.
    pub fn reset_at(&self) -> Option<TimeOfDay> {
        self.reset_at
    }

    /// Flows that the filter hides.
    pub fn hidden(&self) -> usize {
        self.hidden
    }

    /// Columns and lines of the terminal.
    pub fn size(&self) -> (u16, u16) {
        self.size
    }

    /// Something to say until the next key.
    pub fn notice(&self) -> Option<&str> {
        self.notice.as_deref()
    }

    /// What is wrong with the configuration.
    pub fn config_error(&self) -> Option<&str> {
        self.config_error.as_deref()
    }
}
