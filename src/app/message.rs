//! What the application is told, and what it asks for.

use std::net::IpAddr;
use std::sync::Arc;

use super::{Mouse, Preferences};
use crate::keymap::KeyChord;
use crate::model::event::{EventKind, TimeOfDay};
use crate::model::flow::FlowKey;

/// What happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Msg {
    /// A key was pressed.
    Key(KeyChord),
    /// The mouse did something.
    Mouse(Mouse),
    /// The terminal has a new size, columns and lines.
    Resize(u16, u16),
    /// An interval has ended with the report that comes with this message; the local time of day.
    Refreshed(TimeOfDay),
    /// Somebody wants all totals to start at zero, as the key does.
    Reset,
    /// Something to say in the status line until the next key.
    Notice(String),
    /// Something happened outside of the numbers: said in the status line, and kept as an event.
    Happened(EventKind, String),
    /// Something that a person may want to look up: kept as an event, and not said.
    Logged(EventKind, String),
    /// The configuration was refused: what is wrong and where. `None`: it is good again.
    ConfigError(Option<String>),
    /// A configuration was loaded.
    Preferences(Box<Preferences>),
    /// A host name became known.
    Name(IpAddr, Arc<str>),
}

/// What the runtime shall do.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Leave.
    Quit,
    /// Restore the terminal, stop, and come back on SIGCONT.
    Suspend,
    /// Write what is shown to files and say where; see `App::scene_in_order`.
    Export,
    /// Take the totals of now as zero.
    ResetBaseline,
    /// Use this throughput interval, s.
    SetInterval(f64),
    /// Read the configuration file again, now.
    Reload,
    /// Write the choices (`App::preferences`) in the configuration's form.
    SaveView,
    /// Ask for mouse events, or leave the mouse to the terminal.
    CaptureMouse(bool),
    /// The flows that deserve a histogram from now on: the selected and the pinned ones.
    Focus(Vec<FlowKey>),
}
