//! What happened and when, in words: the Events view and its export.
//!
//! Owns [`Event`] and the [`EventLog`], which keeps the latest ones. What is worth an event is
//! decided in [`super::observer`] and by the application.

use std::fmt;
use std::sync::Arc;

use super::flow::FlowKey;

/// A local time of day, as far as a person needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TimeOfDay {
    /// 0 to 23.
    pub hour: u8,
    /// 0 to 59.
    pub minute: u8,
    /// 0 to 60.
    pub second: u8,
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}:{:02}", self.hour, self.minute, self.second)
    }
}

/// What sort of thing happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EventKind {
    /// Sequence numbers went missing.
    Gap,
    /// Packets came after later ones.
    Late,
    /// A sender began a new series of sequence numbers.
    Restart,
    /// A flow that had stopped goes on, with a new jitter epoch.
    Resumed,
    /// A threshold was crossed.
    Alert,
    /// A flow is back within its threshold.
    Cleared,
    /// An interface went, came or changed.
    Interface,
    /// The configuration was loaded or refused.
    Config,
    /// A rule of the configuration matches nothing, or something again.
    Rule,
    /// The flow table is full, or has room again.
    Table,
    /// The totals were set to zero.
    Reset,
    /// Something else that a person should know.
    Notice,
}

impl EventKind {
    /// All kinds.
    pub const ALL: [EventKind; 12] = [
        EventKind::Gap,
        EventKind::Late,
        EventKind::Restart,
        EventKind::Resumed,
        EventKind::Alert,
        EventKind::Cleared,
        EventKind::Interface,
        EventKind::Config,
        EventKind::Rule,
        EventKind::Table,
        EventKind::Reset,
        EventKind::Notice,
    ];

    /// The name in exports and on the screen.
    pub const fn name(self) -> &'static str {
        match self {
            EventKind::Gap => "gap",
            EventKind::Late => "late",
            EventKind::Restart => "restart",
            EventKind::Resumed => "resumed",
            EventKind::Alert => "alert",
            EventKind::Cleared => "cleared",
            EventKind::Interface => "interface",
            EventKind::Config => "config",
            EventKind::Rule => "rule",
            EventKind::Table => "table",
            EventKind::Reset => "reset",
            EventKind::Notice => "notice",
        }
    }
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Counts from 1; a later event has a larger number.
    pub id: u64,
    /// When it was noticed.
    pub at: TimeOfDay,
    /// What sort of thing it is.
    pub kind: EventKind,
    /// The flow that it is about.
    pub flow: Option<FlowKey>,
    /// What happened, in words.
    pub text: String,
}

/// The latest events, oldest first. Cheap to clone: a paused screen keeps a copy.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct EventLog {
    events: Arc<Vec<Event>>,
    last_id: u64,
}

impl EventLog {
    /// The events that are kept at least; at most a quarter more.
    pub const CAPACITY: usize = 2000;

    /// Adds an event.
    pub fn push(&mut self, at: TimeOfDay, kind: EventKind, flow: Option<FlowKey>, text: String) {
        self.last_id += 1;
        let events = Arc::make_mut(&mut self.events);
        if events.len() >= Self::CAPACITY + Self::CAPACITY / 4 {
            events.drain(..Self::CAPACITY / 4);
        }
        events.push(Event {
            id: self.last_id,
            at,
            kind,
            flow,
            text,
        });
    }

    /// The number of the latest event; 0 before the first.
    pub fn latest(&self) -> u64 {
        self.last_id
    }

    /// The events, oldest first.
    pub fn events(&self) -> &[Event] {
        &self.events
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_keeps_the_latest() {
        let mut log = EventLog::default();
        for pushed in 1..=10_000 {
            log.push(TimeOfDay::default(), EventKind::Gap, None, String::new());
            assert!((EventLog::CAPACITY.min(pushed)..=2500).contains(&log.events().len()));
        }
        assert_eq!(log.events().last().map(|e| e.id), Some(10_000));
    }
}
