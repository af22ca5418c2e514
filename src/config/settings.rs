//! The settings: one row each, and [`Config`], which has a field for each row.
//!
//! A row says everything there is to say of a setting: its key, its field with type and default, the kind of value
//! with its limits, an example, when a change takes effect, and its help. Reading, writing, the schema, differences
//! and the documents follow from the rows: other files know a setting by name only to put it in force, or to say what
//! is.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use jsonc_parser::ast::Value;

use super::alerts::AlertList;
use super::bindings::Bindings;
use super::check::CheckText;
use super::interval::Limits;
use super::ipfix::Export;
use super::json::JsonValue;
use super::kind::{
    Columns, Id, InterfaceName, List, Number, OneOf, OrNull, Order, Seconds, Switch, ValueKind,
};
use super::listen::{ListenAddress, Tls, TlsFiles, Users};
use super::profile::{Offset, Pattern};
use super::record::{Record, Recording};
use super::rules::Rules;
use super::walk::Walk;
use crate::keymap::{Action, KeyChord};
use crate::model::alert::AlertRule;
use crate::model::appearance::Appearance;
use crate::model::check::Check;
use crate::model::flow_groups::GroupBy;
use crate::model::glob::Glob;
use crate::model::groups::Group;
use crate::model::ipfix::Ipfix;
use crate::model::preferences::{ThemeName, Unit, View};
use crate::model::rule::{Rule, SequenceProfile};

/// The largest flow table.
pub const MOST_FLOWS: u32 = 1 << 24;
/// The largest bound on the series of flows.
const MOST_SERIES: u32 = 1_000_000;

/// When a change of a setting takes effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applies {
    /// At once.
    Live,
    /// At once; keys choose it, too, and what they chose is written when that is asked for.
    Chosen,
    /// From the next start on.
    AtStart,
}

/// A row of the table.
pub struct Setting {
    /// The key in the file.
    pub key: &'static str,
    /// The lines of its help.
    help: &'static [&'static str],
    /// A value other than the default, as JSON.
    pub example: &'static str,
    /// When a change takes effect.
    pub applies: Applies,
    /// Reads a value into its field.
    pub(super) read: fn(&mut Walk<'_>, &Value<'_>, &mut Config),
    /// The value of its field, as it is written.
    pub(super) write: fn(&Config) -> JsonValue,
    /// Which values are right.
    pub(super) schema: fn() -> JsonValue,
    /// Copies its field from the first configuration to the second.
    pub(super) copy: fn(&Config, &mut Config),
}

impl Setting {
    /// What it is for; documents show it with its backquotes.
    pub fn help(&self) -> String {
        let help = one_line(self.help);
        match self.applies {
            Applies::AtStart => help + "; a change takes effect from the next start on",
            Applies::Live | Applies::Chosen => help,
        }
    }

    /// The default value, as JSON.
    pub fn default(&self) -> String {
        (self.write)(&Config::default()).compact()
    }
}

/// The lines of a comment as one.
pub(super) fn one_line(lines: &[&str]) -> String {
    let lines: Vec<&str> = lines.iter().map(|line| line.trim()).collect();
    lines.join(" ")
}

/// A row whose value is at this path of the configuration.
macro_rules! row {
    ($key:literal, [$($path:ident),+], $kind:expr, $example:literal, $applies:ident, $($help:literal),+) => {
        Setting {
            key: $key,
            help: &[$($help),+],
            example: $example,
            applies: Applies::$applies,
            read: |walk, value, config| {
                if let Some(read) = $kind.read(walk, $key, value) {
                    config$(.$path)+ = read;
                }
            },
            write: |config| $kind.write(&config$(.$path)+),
            schema: || $kind.schema(),
            copy: |from, to| to$(.$path)+ = from$(.$path)+.clone(),
        }
    };
}

/// Makes the table, and the configuration: a field for each row, but for the rows of its appearance, which have theirs in
/// [`Appearance`].
macro_rules! settings {
    (
        $(
            $(#[doc = $help:literal])+
            $key:literal $field:ident: $type:ty = $default:expr;
            $kind:expr, $example:literal, $applies:ident
        )+
        appearance {$(
            $(#[doc = $look_help:literal])+
            $look_key:literal $look_field:ident; $look_kind:expr, $look_example:literal
        )+}
    ) => {
        /// Every setting, with the value that holds.
        #[derive(Debug, Clone, PartialEq)]
        pub struct Config {
            /// The file that was read; `None`: built-in defaults only.
            pub path: Option<PathBuf>,
            $($(#[doc = $help])+ pub $field: $type,)+
            /// How the dashboard looks.
            pub appearance: Appearance,
        }

        impl Default for Config {
            fn default() -> Config {
                Config {
                    path: None,
                    $($field: $default,)+
                    appearance: Appearance::default(),
                }
            }
        }

        /// All settings, in the order in which they are written.
        pub static SETTINGS: &[Setting] = &[
            $(row!($key, [$field], $kind, $example, $applies, $($help),+),)+
            $(row!(
                $look_key, [appearance, $look_field], $look_kind, $look_example, Chosen, $($look_help),+
            ),)+
        ];
    };
}

settings! {
    /// name -> rule; only packets that match a rule are flows, and the first one that matches is the flow's; empty: all
    /// packets are; a list of rules is read, too; at most 64 rules, whose lists multiply to at most 1024 terms in all
    "RULES" rules: Vec<Rule> = Vec::new();
    Rules, r#"{"voice": "- - - 5004 UDP"}"#, Live

    /// look for this big-endian 32-bit word in the first 5000 bytes of the payload, at any position; `"0xFFFFFFFF"`: off
    "PATTERN" pattern: Option<u32> = None;
    Pattern, r#""0xCAFEF00D""#, Live

    /// where the sequence number is: from the payload's beginning, or from the pattern's. `-1`: off (with a pattern: 0)
    "OFFSET" offset: Option<u16> = None;
    Offset, "65531", Live

    /// up to this difference from the number before, a gap is small
    "SEQUENCE_THRESHOLD" sequence_threshold: u32 = SequenceProfile::OFF.threshold;
    Number(1..=u32::MAX), "1", Live

    /// interval for throughput and goodput in seconds, and the refresh period; as `-t`
    "THROUGHPUT_INTERVAL" throughput_interval: Duration = Duration::from_secs(1);
    Seconds(Limits::THROUGHPUT), "0.1", Chosen

    /// window for inter-arrival time and jitter in seconds, as `-j`; `null`: the throughput interval, whatever it is
    "JITTER_INTERVAL" jitter_interval: Option<Duration> = None;
    OrNull(Seconds(Limits::JITTER)), "86400", Live

    /// names or globs (`*`, `?`) of interfaces to watch, as `-i`; empty: every interface that is up, except loopback
    "INTERFACES" interfaces: Vec<Glob> = Vec::new();
    List(InterfaceName, "a list of names or globs"), r#"["eth0", "veth*", "wl?n0"]"#, Live

    /// seconds after which an idle flow leaves the table
    "FLOW_TIMEOUT" flow_timeout: Duration = Duration::from_secs(60);
    Seconds(Limits::FLOW_TIMEOUT), "2.5e1", Live

    /// size of the flow table, as `--max-flows`; where the table would take more than half of the memory of the machine
    /// or its control group, only the command line may insist
    "MAX_FLOWS" max_flows: u32 = 65536;
    Number(1..=MOST_FLOWS), "16777216", AtStart

    /// groups of metrics to count besides, as `--metrics`; each costs something with every packet: `"ip"`, marks and hops
    /// of IP headers
    "METRICS" metrics: Vec<Group> = Vec::new();
    List(OneOf(|| Group::ALL.map(|group| (group.name(), group)).into()), "a list of groups of metrics"),
    r#"["ip"]"#, AtStart

    /// `"[ADDRESS:]PORT"` to serve metrics at, as `--listen`: `/metrics` for Prometheus and what scrapes like it; without an
    /// address: only to this host
    "LISTEN" listen: Option<SocketAddr> = None;
    OrNull(ListenAddress), r#""9788""#, Live

    /// files of TLS for `LISTEN`, by their absolute paths: `{"CERTIFICATE": ..., "KEY": ..., "CLIENT_CA": ...}`, the last one
    /// where clients need a certificate, too; `null`: no TLS. They are read again where they change
    "LISTEN_TLS" listen_tls: Option<TlsFiles> = None;
    OrNull(Tls), r#"{"CERTIFICATE": "/etc/flowtop/server.pem", "KEY": "/etc/flowtop/server.key"}"#, Live

    /// name -> hash of the password by bcrypt (`htpasswd -nB NAME`): who is served at `LISTEN`; empty: anybody
    "LISTEN_USERS" listen_users: Vec<(String, String)> = Vec::new();
    Users, r#"{"prometheus": "$2y$10$RRqKk6ZXq3pvPs4WPCWbQOg8j1PG1v0GZB/f8KLj4/nU2HgIVG1E2"}"#, Live

    /// series that flows have in `/metrics` at most, all rules together
    "MAX_SERIES" max_series: u32 = 10_000;
    Number(0..=MOST_SERIES), "500", Live
    /// folder to record the run into, as `--record`, and how much of it is kept, such as `{"folder": "/var/lib/flowtop",
    /// "bytes": 1000000000, "days": 7}`: at most so many bytes and days, of all recordings in it, and the oldest go first;
    /// bytes and days may be missing, and are then these; `null`: nothing is recorded
    "RECORD" record: Option<Record> = None;
    OrNull(Recording), r#"{"folder": "past", "bytes": 50000000, "days": 2}"#, AtStart

    /// collector of flow records (IPFIX, docs/fleet.md), as `--ipfix`: `"HOST:PORT"` for UDP, `"tcp://HOST:PORT"`, or an
    /// object with `COLLECTOR`, `INTERVAL` (seconds between two records of a flow; 60), `DOMAIN` (observation domain id;
    /// 1), `RULES` (names of rules whose flows are exported; all flows), `ENTERPRISE` (private enterprise number of
    /// flowtop's own elements; 32473, that of documentation) and `ELEMENTS` (`"standard"`: only IANA's; `"all"`); counts
    /// the group `ip` of `METRICS`, too
    "IPFIX" ipfix: Option<Ipfix> = None;
    Export, r#"{"COLLECTOR": "tcp://[2001:db8::1]:4739", "INTERVAL": 10, "RULES": ["voice"], "ELEMENTS": "standard"}"#,
    AtStart

    /// draw with ASCII characters only, as `--ascii`; `null`: where the locale is none of UTF-8, or TERM is `linux` or begins
    /// with `vt`
    "ASCII" ascii: Option<bool> = None;
    OrNull(Switch), "true", AtStart

    /// name of an action -> key, or list of keys, in place of its own ones; Ctrl-C always leaves: other keys for `quit`
    /// come beside it, and any other action that claims it is an error
    "KEYS" keys: Vec<(Action, Vec<KeyChord>)> = Vec::new();
    Bindings, r#"{"quit": ["F10", "Ctrl-X"], "reset": "Z", "pause": []}"#, Live

    /// thresholds for flows: beyond one a flow is marked, makes an event, and is named in the JSON output. Such as
    /// `{"column": "loss_percent", "above": 1, "clear": 0.5, "for": 2}`: any column of numbers by id or short name
    /// (`loss_percent`, `jitter_ms`, `throughput`), `above` or `below` a bound, in the unit of the JSON output, for so
    /// many seconds; over when back across `clear` (if missing: 0.9 of `above`, 1.1 of `below`)
    "ALERTS" alerts: Vec<AlertRule> = Vec::new();
    AlertList, r#"[{"column": "jitter", "above": 20, "clear": 15.5, "for": 2}]"#, Live

    /// checks at the end of a run, as `--assert`: such as `"port:5201 => loss<0.1"`, a filter and what each flow that it
    /// takes has to satisfy over the whole run
    "ASSERT" checks: Vec<Check> = Vec::new();
    List(CheckText, "a list of checks"), r#"["port:5201 => loss<0.1", "=> untracked=0"]"#, AtStart

    appearance {
        /// unit of rates on the screen, per second: `"bytes"` or `"bits"`, as `-b`
        "UNIT" unit;
        OneOf(|| Unit::ALL.map(|unit| (unit.id(), unit)).into()), r#""bits""#

        /// start with the loss columns, as `-l`
        "PACKET_LOSS" packet_loss;
        Switch, "true"

        /// column to sort by, by id or short name (`loss`); `-` in front: largest first
        "SORT" sort;
        Order, r#""jitter""#

        /// columns to show, by id or short name, in order; empty: the default set
        "COLUMNS" columns;
        Columns, r#"["source", "destination", "throughput"]"#

        /// colours of the screen: `"dark"`, `"light"`, `"high-contrast"` or `"colour-blind"`
        "THEME" theme;
        OneOf(|| ThemeName::ALL.map(|theme| (theme.id(), theme)).into()), r#""colour-blind""#

        /// the view that is open at first: `"flows"`, `"loss"`, `"interfaces"`, `"events"` or
        /// `"groups"`
        "VIEW" view;
        Id("view", || View::ALL.map(|view| (view.id(), view)).into()), r#""loss""#

        /// what flows have in common in the Groups view: `"rule"`, `"source"`, `"destination"`, `"source_subnet"`,
        /// `"destination_subnet"`, `"interface"`, `"destination_port"` or `"source_port"`; `null`: the rule where there are
        /// rules, else the source
        "GROUP_BY" group_by;
        OrNull(OneOf(|| GroupBy::ALL.map(|by| (by.id(), by)).into())), r#""source_subnet""#
    }
}

impl Config {
    /// The profile of the whole file.
    pub fn sequence(&self) -> SequenceProfile {
        SequenceProfile {
            pattern: self.pattern,
            offset: self.offset,
            threshold: self.sequence_threshold,
            ..SequenceProfile::OFF
        }
    }

    /// The window over which inter-arrival mean and jitter are computed.
    pub fn jitter_window(&self) -> Duration {
        self.jitter_interval.unwrap_or(self.throughput_interval)
    }

    /// Takes over from another configuration what keys choose.
    pub fn copy_choices(&mut self, from: &Config) {
        let chosen = |setting: &&Setting| setting.applies == Applies::Chosen;
        for setting in SETTINGS.iter().filter(chosen) {
            (setting.copy)(from, self);
        }
    }
}
