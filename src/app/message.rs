//! The messages to the application, and the effects that it asks for.

use std::net::IpAddr;
use std::sync::Arc;

use super::{Moment, Preferences};
use crate::keymap::KeyChord;
use crate::model::event::{EventKind, TimeOfDay};
use crate::model::flow::FlowKey;
use crate::model::past::Travel;

/// What the mouse did, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mouse {
    /// What it did.
    pub kind: MouseKind,
    /// Cell from the left, starting at 0.
    pub x: u16,
    /// Line from the top, starting at 0.
    pub y: u16,
}

/// What the mouse did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MouseKind {
    /// The left button went down.
    Click,
    /// The left button went down again in the same place shortly after.
    DoubleClick,
    /// The wheel turned away from the user.
    WheelUp,
    /// The wheel turned towards the user.
    WheelDown,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Msg {
    /// A key was pressed.
    Key(KeyChord),
    /// The mouse did something.
    Mouse(Mouse),
    /// The terminal has a new size, columns and lines.
    Resize(u16, u16),
    /// An interval has ended, at this local time; its report comes with the message.
    Refreshed(TimeOfDay),
    /// Totals start at zero from here.
    Zero,
    /// Flows are to be filtered by this.
    Filter(String),
    /// Shown in the status line until the next key.
    Notice(String),
    /// Shown in the status line and logged as an event.
    Happened(EventKind, String),
    /// Logged as an event, and not shown in the status line.
    Logged(EventKind, String),
    /// What is wrong with the configuration, a line for each error. `None`: it is good again.
    ConfigError(Option<String>),
    /// A configuration was loaded.
    Preferences(Box<Preferences>),
    /// A host name became known.
    Name(IpAddr, Arc<str>),
    /// This moment of the past is shown from here on; `None`: the present is.
    Past(Option<Box<Moment>>),
}

/// What the runtime is to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Leave.
    Quit,
    /// Restore the terminal, stop, and come back on SIGCONT.
    Suspend,
    /// Write what is shown to files, and answer with their names; see `App::scene_in_order`.
    Export,
    /// Count all totals from zero again; answered by `Msg::Zero`.
    ResetBaseline,
    /// Use this throughput interval, s.
    SetInterval(f64),
    /// Go through the past, which is answered by `Msg::Past`, or through the capture.
    Travel(Travel),
    /// Read the configuration file again, now.
    Reload,
    /// Write `App::preferences` to the configuration file.
    SaveView,
    /// Capture the mouse, or leave it to the terminal.
    CaptureMouse(bool),
    /// Keep histograms of these flows, the selected and the pinned ones, and of no others.
    Focus(Vec<FlowKey>),
}
