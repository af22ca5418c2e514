//! What a configuration means, in words: the output of `--check-config`.
//!
//! Describes what is in [`Config`] and nothing else: it does not check whether interfaces exist.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::time::Duration;

use ipnet::IpNet;

use super::json::JsonValue;
use super::rule::{address_text, port_text, protocol_words};
use super::settings::{Config, SETTINGS};
use crate::keymap::KeyChord;
use crate::model::alert::{AlertRule, Side};
use crate::model::appearance::Appearance;
use crate::model::harmless::harmless;
use crate::model::rule::{
    ByteOrder, MAX_RULE_TERMS, MAX_RULES, PayloadRequirement, Rule, SequenceProfile,
};

/// The whole configuration, a line for each setting and each rule.
pub(super) fn describe(config: &Config) -> String {
    let source = match &config.path {
        Some(path) => format!("{} is valid.", path.display()),
        None => "There is no configuration file: these are the built-in defaults.".into(),
    };
    let mut lines = vec![source, rules_headline(&config.rules)];
    for (number, rule) in config.rules.iter().enumerate() {
        lines.push(format!("  {}. {}", number + 1, rule_in_words(rule)));
        if let Some(profile) = &rule.profile {
            lines.push(format!("     {}", profile_in_words(profile)));
        }
        if rule.histogram {
            lines.push("     histograms of the time between packets".into());
        }
        if rule.export > 0 {
            lines.push(format!("     series of its {} largest flows", rule.export));
        }
    }
    let sequence = profile_in_words(&config.sequence());
    lines.push(if config.rules.iter().any(|rule| rule.profile.is_some()) {
        format!("Other flows: {sequence}")
    } else {
        format!("All flows: {sequence}")
    });
    lines.extend(settings(config));
    let lines: Vec<_> = lines.iter().map(|line| harmless(line)).collect();
    lines.join("\n") + "\n"
}

fn rules_headline(rules: &[Rule]) -> String {
    let order = match rules.len() {
        0 => {
            return "Rules: none, so every TCP, UDP, ICMP and ICMPv6 packet belongs to a flow."
                .into();
        }
        1 => "",
        _ => "the first that matches is the flow's; ",
    };
    let terms: usize = rules.iter().map(Rule::terms).sum();
    format!(
        "Rules: {} of at most {MAX_RULES}, terms: {terms} of at most {MAX_RULE_TERMS}; \
         {order}packets that match none are counted as filtered.",
        rules.len()
    )
}

/// Settings that have a sentence below; all others get a line with key and value.
const IN_SENTENCES: [&str; 18] = [
    "RULES",
    "PATTERN",
    "OFFSET",
    "SEQUENCE_THRESHOLD",
    "THROUGHPUT_INTERVAL",
    "JITTER_INTERVAL",
    "UNIT",
    "PACKET_LOSS",
    "INTERFACES",
    "FLOW_TIMEOUT",
    "MAX_FLOWS",
    "SORT",
    "COLUMNS",
    "KEYS",
    "THEME",
    "VIEW",
    "ALERTS",
    "LISTEN_USERS",
];

/// `a, b`, or `none` for an empty list.
fn listed(items: impl Iterator<Item = impl Display>, none: &str) -> String {
    let items: Vec<String> = items.map(|item| item.to_string()).collect();
    match items.as_slice() {
        [] => none.to_string(),
        _ => items.join(", "),
    }
}

fn settings(config: &Config) -> Vec<String> {
    let look = &config.appearance;
    let order = if look.sort.descending {
        "largest"
    } else {
        "smallest"
    };
    let columns = match look.columns == Appearance::default().columns {
        true => "the default set".to_string(),
        false => listed(look.columns.iter().map(|column| column.id), ""),
    };
    let mut lines = vec![
        format!(
            "Throughput and goodput over {}, inter-arrival time and jitter over {}.",
            seconds(config.throughput_interval),
            seconds(config.jitter_window())
        ),
        format!(
            "Idle flows leave the table after {}; it is made for {} flows.",
            seconds(config.flow_timeout),
            config.max_flows
        ),
        format!(
            "Interfaces: {}.",
            listed(config.interfaces.iter(), "all that are up, except loopback")
        ),
        format!(
            "Screen: {} per second, view {}, sorted by {}, {order} first; loss columns {}; theme {}.",
            look.unit.id(),
            look.view.id(),
            look.sort.column.id,
            if look.packet_loss { "on" } else { "off" },
            look.theme.id()
        ),
        format!("Columns: {columns}."),
    ];
    lines.extend(config.alerts.iter().map(alert_in_words));
    for (action, keys) in &config.keys {
        let keys = listed(keys.iter().map(KeyChord::name), "none");
        lines.push(format!("Key for {}: {keys}.", action.id()));
    }
    if !config.listen_users.is_empty() {
        let names = config.listen_users.iter().map(|(name, _)| name);
        lines.push(format!(
            "Metrics are served to users: {}.",
            listed(names, "")
        ));
    }
    let others = SETTINGS.iter().filter(|s| !IN_SENTENCES.contains(&s.key));
    lines.extend(
        others.map(|setting| format!("{}: {}.", setting.key, value((setting.write)(config)))),
    );
    lines
}

fn value(written: JsonValue) -> String {
    match written {
        JsonValue::List(items) => listed(items.iter().map(JsonValue::text), "none"),
        other => other.text(),
    }
}

fn alert_in_words(alert: &AlertRule) -> String {
    let side = match alert.side {
        Side::Above => "above",
        Side::Below => "below",
    };
    let lasting = match alert.at_least_s {
        0.0 => String::new(),
        seconds => format!(" for {seconds} s"),
    };
    let AlertRule { bound, clear, .. } = alert;
    let column = alert.column.id;
    format!("Alert: {column} {side} {bound}{lasting}; over when back at {clear}.")
}

fn seconds(duration: Duration) -> String {
    format!("{} s", duration.as_secs_f64())
}

fn rule_in_words(rule: &Rule) -> String {
    let protocols = match protocol_words(&rule.protocols).as_slice() {
        [] => "any protocol".to_string(),
        words => alternatives(words.iter()),
    };
    let end = |addresses: &[IpNet], ports: &[RangeInclusive<u16>], any: &str| {
        let address = match addresses {
            [] => any.to_string(),
            _ => alternatives(addresses.iter().map(address_text)),
        };
        match ports {
            [] => address,
            _ => format!(
                "{address} port {}",
                alternatives(ports.iter().map(port_text))
            ),
        }
    };
    let words = format!(
        "{protocols} from {} to {}",
        end(&rule.sources, &rule.source_ports, "anywhere"),
        end(&rule.destinations, &rule.destination_ports, "anywhere")
    );
    match rule.terms() {
        1 => format!("{}: {words}", rule.name),
        terms => format!("{}: {words} ({terms} terms)", rule.name),
    }
}

/// `a, b or c`.
fn alternatives(items: impl Iterator<Item = impl Display>) -> String {
    let mut items: Vec<String> = items.map(|item| item.to_string()).collect();
    match items.pop() {
        Some(last) if items.is_empty() => last,
        Some(last) => format!("{} or {last}", items.join(", ")),
        None => String::new(),
    }
}

/// Where the sequence number is, and which gaps are big.
fn profile_in_words(profile: &SequenceProfile) -> String {
    let order = match profile.byte_order {
        ByteOrder::Big => "big",
        ByteOrder::Little => "little",
    };
    let number = format!("{}-bit {order}-endian number", profile.width.bits());
    let offset = profile.offset.unwrap_or(0);
    let place = match profile.pattern {
        _ if !profile.reads_payload() => "sequence numbers of TCP and ICMP echo only".into(),
        None => format!("sequence number: {number} at byte {offset} of UDP and ICMP payloads"),
        Some(pattern) => format!(
            "sequence number: {number} {offset} bytes after the beginning of {pattern:#010x} \
             in UDP and ICMP payloads"
        ),
    };
    let only = match profile.require {
        Some(PayloadRequirement::RtpVersion2) => ", if they are RTP version 2",
        None => "",
    };
    format!("{place}{only}; a gap is big above {}", profile.threshold)
}
