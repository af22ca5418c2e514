//! The configuration as it is written: the types that make JSON text out of a [`Config`],
//! and the JSON Schema out of which editors check and complete a file.
//!
//! Reading does not go through these types, since errors need places: a test holds the two together.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Serialize, Serializer};

use super::profile::{BYTE_ORDERS, MAX_OFFSET, PATTERN_OFF, READY_MADE};
use super::{Alert, Config, KeyBinding, MOST_FLOWS, rule};
use crate::model::alert::Side;
use crate::model::preferences::{ThemeName, Unit};
use crate::model::rule::{PayloadRequirement, Rule, SequenceProfile};

/// Configuration of flowtop. Read at start and again whenever the file changes; every key may be left out.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE", deny_unknown_fields, default)]
#[schemars(title = "flowtop configuration")]
pub(super) struct Written {
    /// Where this schema is, for editors; flowtop does not look at it.
    #[serde(rename = "$schema", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    schema: Option<String>,
    /// Only packets that match at least one rule are flows; empty: all of them. The first rule
    /// that matches is the flow's. At most 64 rules; lists multiply inside one rule, up to 1024
    /// terms in all.
    #[schemars(schema_with = "rules_schema")]
    rules: InOrder<WrittenRule>,
    /// Written like RULES and checked like RULES, but never applied: documentation inside a format without comments.
    #[serde(skip_serializing_if = "InOrder::is_empty")]
    #[schemars(schema_with = "rules_schema")]
    examples: InOrder<WrittenRule>,
    /// Hexadecimal, up to 32 bits: the big-endian word to look for in the first 5000 bytes of UDP
    /// and ICMP payloads; the sequence number is OFFSET bytes after its beginning. "0xFFFFFFFF": off.
    #[schemars(regex(pattern = PATTERN_REGEX))]
    pattern: String,
    /// Bytes from the beginning of the payload (or of the pattern) to the 32-bit big-endian sequence number; -1: off.
    #[schemars(range(min = -1, max = MAX_OFFSET))]
    offset: i32,
    /// A gap is a small error while the difference to the previous number is at most this, else a big one.
    #[schemars(range(min = 1))]
    sequence_threshold: u32,
    /// Interval for throughput and goodput in seconds, and the refresh period; -t wins.
    #[serde(serialize_with = "seconds")]
    #[schemars(with = "f64", range(min = 0.1, max = 86400))]
    throughput_interval: Duration,
    /// Sliding window for inter-arrival time and jitter in seconds; null: the throughput interval; -j wins.
    #[serde(serialize_with = "optional_seconds")]
    #[schemars(with = "Option<f64>", range(max = 86400), extend("exclusiveMinimum" = 0))]
    jitter_interval: Option<Duration>,
    /// Unit of rates on the screen, per second; -b wins.
    #[schemars(extend("enum" = UNITS.map(|(name, _)| name)))]
    unit: &'static str,
    /// Start with the loss columns; so does -l.
    packet_loss: bool,
    /// Interfaces to watch, names or globs with * and ?; empty: every interface that is up, except loopback; -i wins.
    #[schemars(extend("uniqueItems" = true))]
    interfaces: Vec<String>,
    /// An idle flow is aged out of the table after this many seconds.
    #[serde(serialize_with = "seconds")]
    #[schemars(with = "f64", range(min = 0.1, max = 604800))]
    flow_timeout: Duration,
    /// Size of the flow table; from the next start on; --max-flows wins.
    #[schemars(range(min = 1, max = MOST_FLOWS))]
    max_flows: u32,
    /// Id of the column to sort by, with - in front for the largest first.
    sort: String,
    /// Ids of the columns to show; empty: the default set.
    #[schemars(extend("uniqueItems" = true))]
    columns: Vec<String>,
    /// Action -> key or list of keys, in place of the action's default keys.
    #[schemars(with = "BTreeMap<String, Chords>")]
    keys: InOrder<Vec<String>>,
    /// Colours of the screen.
    #[schemars(extend("enum" = ThemeName::ALL.map(ThemeName::id)))]
    theme: &'static str,
    /// The view that is open at first: flows, loss, interfaces or events.
    view: String,
    /// Thresholds: a flow beyond one is marked, makes an event, and is named in the JSON output.
    alerts: Vec<WrittenAlert>,
}

/// A threshold for one column of flows. Exactly one of above and below is there.
#[derive(Serialize, JsonSchema, Default)]
#[serde(deny_unknown_fields, default)]
struct WrittenAlert {
    /// Id of a column of amounts, in the unit of the JSON output: loss_percent in %, jitter in ms,
    /// throughput in bytes per second.
    #[schemars(required)]
    column: String,
    /// Trouble is above this.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "f64", range(min = 0))]
    above: Option<f64>,
    /// Trouble is below this.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "f64", range(min = 0))]
    below: Option<f64>,
    /// The alert ends when the value is back across this; missing: nine tenths of above, eleven tenths of below.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "f64", range(min = 0))]
    clear: Option<f64>,
    /// For so many seconds the value must be beyond the bound before there is an alert.
    #[serde(rename = "for", serialize_with = "seconds")]
    #[schemars(with = "f64", range(min = 0, max = 86400))]
    at_least: Duration,
}

/// A rule's five fields as text, or an object with that text and where the sequence number is.
#[allow(
    rustdoc::broken_intra_doc_links,
    reason = "the comments are the schema's descriptions, too"
)]
#[derive(Serialize, JsonSchema)]
#[serde(untagged)]
enum WrittenRule {
    /// Five fields: source, destination, source port, destination port, protocol; - means any,
    /// each may be a list [a,b,c] without spaces. For example 1.1.1.1 2.2.2.2 - 22 TCP.
    Text(String),
    /// Flows of this rule have a sequence position of their own.
    Object(Box<RuleObject>),
}

/// A rule with a sequence position of its own. What it does not say is as in the whole file.
#[derive(Serialize, JsonSchema, Default)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE", deny_unknown_fields, default)]
struct RuleObject {
    /// The rule's five fields. Missing only where the key in RULES is the rule itself.
    #[serde(rename = "match", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    fields: Option<String>,
    /// A ready-made position; the other keys refine it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", extend("enum" = READY_MADE.map(|ready| ready.name)))]
    profile: Option<&'static str>,
    /// As PATTERN of the whole file.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", regex(pattern = PATTERN_REGEX))]
    pattern: Option<String>,
    /// As OFFSET of the whole file.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "i32", range(min = -1, max = MAX_OFFSET))]
    offset: Option<i32>,
    /// As SEQUENCE_THRESHOLD of the whole file.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "u32", range(min = 1))]
    sequence_threshold: Option<u32>,
    /// Bits of the sequence number.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "u32", extend("enum" = [16, 32]))]
    width: Option<u32>,
    /// Byte order of the sequence number.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", extend("enum" = BYTE_ORDERS.map(|(name, _)| name)))]
    endian: Option<&'static str>,
}

/// One key or several.
#[derive(JsonSchema)]
#[serde(untagged)]
#[allow(dead_code)]
enum Chords {
    /// One key.
    One(String),
    /// Several keys, or none.
    Several(Vec<String>),
}

const PATTERN_REGEX: &str = "^(0[xX])?0*[0-9a-fA-F]{1,8}$";

/// The units by their names in `UNIT`.
pub(super) const UNITS: [(&str, Unit); 2] = [("bytes", Unit::Bytes), ("bits", Unit::Bits)];

/// An object whose keys stay in their order, which for rules means something.
struct InOrder<T>(Vec<(String, T)>);

impl<T> InOrder<T> {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<T: Serialize> Serialize for InOrder<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

impl From<&Config> for Written {
    fn from(config: &Config) -> Written {
        let Config {
            path: _,
            rules,
            sequence,
            throughput_interval,
            jitter_interval,
            unit,
            packet_loss,
            interfaces,
            flow_timeout,
            max_flows,
            sort,
            columns,
            keys,
            theme,
            view,
            alerts,
        } = config;
        let named = |rule: &Rule| (rule.name.clone(), WrittenRule::from(rule));
        let binding = |binding: &KeyBinding| (binding.action.clone(), binding.keys.clone());
        Written {
            schema: None,
            rules: InOrder(rules.iter().map(named).collect()),
            examples: InOrder(Vec::new()),
            pattern: pattern_text(sequence),
            offset: offset_number(sequence),
            sequence_threshold: sequence.threshold,
            throughput_interval: *throughput_interval,
            jitter_interval: *jitter_interval,
            unit: name_of(&UNITS, unit),
            packet_loss: *packet_loss,
            interfaces: interfaces.clone(),
            flow_timeout: *flow_timeout,
            max_flows: *max_flows,
            sort: sort.to_string(),
            columns: columns.clone(),
            keys: InOrder(keys.iter().map(binding).collect()),
            theme: theme.id(),
            view: view.clone(),
            alerts: alerts.iter().map(WrittenAlert::from).collect(),
        }
    }
}

impl From<&Alert> for WrittenAlert {
    fn from(alert: &Alert) -> WrittenAlert {
        let (above, below) = match alert.side {
            Side::Above => (Some(alert.bound), None),
            Side::Below => (None, Some(alert.bound)),
        };
        WrittenAlert {
            column: alert.column.clone(),
            above,
            below,
            clear: Some(alert.clear),
            at_least: alert.at_least,
        }
    }
}

impl From<&Rule> for WrittenRule {
    fn from(rule: &Rule) -> WrittenRule {
        let fields = rule::to_text(rule);
        let Some(profile) = &rule.profile else {
            return WrittenRule::Text(fields);
        };
        let ready = |PayloadRequirement::RtpVersion2| "rtp";
        WrittenRule::Object(Box::new(RuleObject {
            fields: Some(fields),
            profile: profile.require.map(ready),
            pattern: Some(pattern_text(profile)),
            offset: Some(offset_number(profile)),
            sequence_threshold: Some(profile.threshold),
            width: Some(profile.width.bits()),
            endian: Some(name_of(&BYTE_ORDERS, &profile.byte_order)),
        }))
    }
}

impl Default for Written {
    fn default() -> Written {
        Written::from(&Config::default())
    }
}

fn name_of<T: PartialEq>(names: &[(&'static str, T)], value: &T) -> &'static str {
    let found = names.iter().find(|(_, named)| named == value);
    found.map_or("", |(name, _)| name)
}

fn pattern_text(profile: &SequenceProfile) -> String {
    format!("0x{:08X}", profile.pattern.unwrap_or(PATTERN_OFF))
}

fn offset_number(profile: &SequenceProfile) -> i32 {
    profile.offset.map_or(-1, i32::from)
}

fn seconds<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    if duration.subsec_nanos() == 0 {
        return serializer.serialize_u64(duration.as_secs());
    }
    serializer.serialize_f64(duration.as_secs_f64())
}

fn optional_seconds<S: Serializer>(
    duration: &Option<Duration>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match duration {
        Some(duration) => seconds(duration, serializer),
        None => serializer.serialize_none(),
    }
}

fn rules_schema(generator: &mut SchemaGenerator) -> Schema {
    let rule = generator.subschema_for::<WrittenRule>();
    json_schema!({
        "anyOf": [
            {
                "description": "Name -> rule; or a rule as the key, with its name, null or true.",
                "type": "object",
                "additionalProperties": {"anyOf": [rule, {"enum": [null, true]}]}
            },
            {
                "description": "Rules, named by their numbers from 1.",
                "type": "array",
                "items": rule
            }
        ]
    })
}

/// The configuration as text of a file, which reads back to the same configuration.
pub(super) fn text(config: &Config) -> Result<String, serde_json::Error> {
    let mut text = serde_json::to_string_pretty(&Written::from(config))?;
    text.push('\n');
    Ok(text)
}

/// The configuration as JSON values, key by key.
pub(super) fn values(config: &Config) -> serde_json::Value {
    serde_json::to_value(Written::from(config)).unwrap_or_default()
}

/// The JSON Schema of a configuration file, as text.
pub fn schema() -> Result<String, serde_json::Error> {
    let mut text = serde_json::to_string_pretty(&schemars::schema_for!(Written))?;
    text.push('\n');
    Ok(text)
}
