//! The configuration: what it says, where it comes from, and what is wrong with it.
//!
//! Owns [`Config`]: defaults, below the file, below the command line. A file is read as a whole or
//! not at all, and every error in it is reported with its place. Knows the model, and neither
//! columns nor actions nor keys: their names come in as a [`Vocabulary`].

use std::collections::HashSet;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;

use crate::model::harmless::harmless_json;
use crate::model::preferences::{ThemeName, Unit};
use crate::model::rule::{Rule, SequenceProfile};

mod alerts;
mod bindings;
mod describe;
mod diagnostic;
mod difference;
mod document;
mod edit;
pub mod interval;
mod profile;
pub mod rule;
mod rules;
pub mod source;
mod trust;
mod walk;
pub mod watch;
mod written;

pub use alerts::Alert;
pub use diagnostic::Diagnostic;
pub use document::{check_interface, key_names};
pub use edit::edited;
pub use profile::{READY_MADE, ReadyMade};
pub use rules::key_names as rule_key_names;
pub use written::schema;

/// The largest flow table.
pub const MOST_FLOWS: u32 = 1 << 24;

/// The names that the configuration may use for things it does not know itself.
#[derive(Debug, Clone, Copy)]
pub struct Vocabulary<'a> {
    /// Ids of all columns.
    pub columns: &'a [&'a str],
    /// Ids of those columns that are amounts, which thresholds can be set for.
    pub amounts: &'a [&'a str],
    /// Ids of all views.
    pub views: &'a [&'a str],
    /// Ids of all actions.
    pub actions: &'a [&'a str],
    /// Whether a text names a key.
    pub key_is_valid: fn(&str) -> bool,
    /// Whether two texts, both valid, name the same key.
    pub same_key: fn(&str, &str) -> bool,
    /// The key that leaves in every case, and the action that does.
    pub always_quits: (&'a str, &'a str),
    /// Actions and the keys that they have unless the configuration gives them others.
    pub default_keys: &'a [(&'a str, &'a [&'a str])],
}

/// The column to sort by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SortOrder {
    /// Id of the column.
    pub column: String,
    /// Largest first.
    pub descending: bool,
}

impl fmt::Display for SortOrder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.descending { "-" } else { "" };
        write!(f, "{sign}{}", self.column)
    }
}

/// The keys of one action, in place of those that it has by itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct KeyBinding {
    /// Id of the action.
    pub action: String,
    /// Names of keys; none of them takes the action off the keyboard.
    pub keys: Vec<String>,
}

/// Every setting, with the value that holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// The file that was read; `None`: built-in defaults only.
    pub path: Option<PathBuf>,
    /// The rules in their order; none: every packet that can be a flow is one.
    pub rules: Vec<Rule>,
    /// The global sequence profile.
    pub sequence: SequenceProfile,
    /// The throughput interval, and the refresh period.
    pub throughput_interval: Duration,
    /// The jitter window, where it is not the throughput interval: see [`Config::jitter_window`].
    pub jitter_interval: Option<Duration>,
    /// Bytes or bits per second.
    pub unit: Unit,
    /// Whether the loss columns are shown at first.
    pub packet_loss: bool,
    /// Names or globs of interfaces; none: every interface that is up, except loopback.
    pub interfaces: Vec<String>,
    /// An idle flow is aged out after this.
    pub flow_timeout: Duration,
    /// Flows that the table is made for, when a run starts.
    pub max_flows: u32,
    /// The order of the rows at first.
    pub sort: SortOrder,
    /// Ids of the columns; none: the default set.
    pub columns: Vec<String>,
    /// Keys in place of the default ones.
    pub keys: Vec<KeyBinding>,
    /// The colours.
    pub theme: ThemeName,
    /// Id of the view that is open at first.
    pub view: String,
    /// Thresholds for flows.
    pub alerts: Vec<Alert>,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            path: None,
            rules: Vec::new(),
            sequence: SequenceProfile::OFF,
            throughput_interval: Duration::from_secs(1),
            jitter_interval: None,
            unit: Unit::Bytes,
            packet_loss: false,
            interfaces: Vec::new(),
            flow_timeout: Duration::from_secs(60),
            max_flows: 65536,
            sort: SortOrder {
                column: "throughput".into(),
                descending: true,
            },
            columns: Vec::new(),
            keys: Vec::new(),
            theme: ThemeName::Dark,
            view: "flows".into(),
            alerts: Vec::new(),
        }
    }
}

/// What the command line says about settings that the configuration has, too.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Overrides {
    /// Names or globs of interfaces; none: as configured.
    pub interfaces: Vec<String>,
    /// The throughput interval, if given.
    pub throughput_interval: Option<Duration>,
    /// The jitter window, if given.
    pub jitter_interval: Option<Duration>,
    /// Bits per second; otherwise as configured.
    pub bits: bool,
    /// Loss columns; otherwise as configured.
    pub packet_loss: bool,
    /// Size of the flow table, if given.
    pub max_flows: Option<u32>,
}

impl Config {
    /// Reads the text of a file over the defaults; the path is for whoever knows it.
    /// `file` is what the file is called in errors, which come all at once, in the order of the file.
    pub fn load(
        text: &str,
        file: &str,
        vocabulary: &Vocabulary<'_>,
    ) -> Result<Config, Vec<Diagnostic>> {
        document::read(text, file, vocabulary)
    }

    /// The configuration with the command line over it.
    pub fn overridden(mut self, overrides: &Overrides) -> Config {
        if !overrides.interfaces.is_empty() {
            let mut seen = HashSet::new();
            let first = overrides
                .interfaces
                .iter()
                .filter(|name| seen.insert(*name));
            self.interfaces = first.cloned().collect();
        }
        if let Some(interval) = overrides.throughput_interval {
            self.throughput_interval = interval;
        }
        if overrides.jitter_interval.is_some() {
            self.jitter_interval = overrides.jitter_interval;
        }
        if overrides.bits {
            self.unit = Unit::Bits;
        }
        self.packet_loss |= overrides.packet_loss;
        self.max_flows = overrides.max_flows.unwrap_or(self.max_flows);
        self
    }

    /// The window over which inter-arrival mean and jitter are computed.
    pub fn jitter_window(&self) -> Duration {
        self.jitter_interval.unwrap_or(self.throughput_interval)
    }

    /// What the configuration means, in words, each rule expanded.
    pub fn describe(&self) -> String {
        describe::describe(self)
    }

    /// The configuration as the text of a file, which loads back to the same configuration.
    pub fn to_json(&self) -> anyhow::Result<String> {
        let text = written::text(self).context("write the configuration as JSON")?;
        Ok(harmless_json(&text).into_owned())
    }

    /// What changes from `old` to `new`, in a few words: `RULES: + voice, - ssh; OFFSET 4 -> 8`. Empty if nothing does.
    pub fn difference(old: &Config, new: &Config) -> String {
        difference::difference(old, new)
    }
}

/// Why there is no configuration to start with: one line for each error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The file's text is wrong.
    Invalid(Vec<Diagnostic>),
    /// The file could not be read, or may not be trusted.
    Unreadable(String),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Unreadable(message) => f.write_str(message),
            Refusal::Invalid(diagnostics) => {
                for (number, diagnostic) in diagnostics.iter().enumerate() {
                    let newline = if number == 0 { "" } else { "\n" };
                    write!(f, "{newline}{diagnostic}")?;
                }
                Ok(())
            }
        }
    }
}

impl From<Vec<Diagnostic>> for Refusal {
    /// The first ten errors, and how many more there are, at the place of the next one.
    fn from(mut errors: Vec<Diagnostic>) -> Refusal {
        const MOST: usize = 10;
        let more = errors.len().saturating_sub(MOST);
        errors.truncate(MOST + 1);
        if let Some(next) = errors.get_mut(MOST) {
            let plural = if more == 1 { "" } else { "s" };
            next.message = format!("and {more} more error{plural} from here on");
        }
        Refusal::Invalid(errors)
    }
}

impl std::error::Error for Refusal {}
