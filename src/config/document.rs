//! The walk over a configuration file: JSON text to [`Config`], with every error and its place.
//!
//! Owns the table of keys, and reads those that are no rules and no profile: these have
//! their own modules.

use jsonc_parser::ast::Value;

use super::diagnostic::{Diagnostic, locate, suggestion};
use super::interval::Limits;
use super::walk::{Walk, parse, quoted};
use super::written::UNITS;
use super::{Config, MOST_FLOWS, SortOrder, Vocabulary, alerts, bindings, profile, rules};
use crate::model::preferences::ThemeName;

type Read = fn(&mut Walk<'_>, &str, &Value<'_>, &mut Config);

/// Every key of the file. Read in this order: rules inherit from the profile before them.
const KEYS: [(&str, Read); 19] = [
    ("$schema", |walk, key, value, _| {
        walk.string(key, value);
    }),
    ("PATTERN", |walk, key, value, config| {
        profile::read_pattern(walk, key, value, &mut config.sequence);
    }),
    ("OFFSET", |walk, key, value, config| {
        profile::read_offset(walk, key, value, &mut config.sequence);
    }),
    ("SEQUENCE_THRESHOLD", |walk, key, value, config| {
        profile::read_threshold(walk, key, value, &mut config.sequence);
    }),
    ("RULES", |walk, key, value, config| {
        config.rules = rules::read(walk, key, value, &config.sequence, true);
    }),
    ("EXAMPLES", |walk, key, value, config| {
        rules::read(walk, key, value, &config.sequence, false);
    }),
    ("THROUGHPUT_INTERVAL", |walk, key, value, config| {
        if let Some(interval) = walk.seconds(key, value, Limits::THROUGHPUT) {
            config.throughput_interval = interval;
        }
    }),
    ("JITTER_INTERVAL", |walk, key, value, config| {
        if !matches!(value, Value::NullKeyword(_)) {
            config.jitter_interval = walk.seconds(key, value, Limits::JITTER);
        }
    }),
    ("UNIT", |walk, key, value, config| {
        if let Some(unit) = walk.one_of(key, value, &UNITS) {
            config.unit = unit;
        }
    }),
    ("PACKET_LOSS", |walk, key, value, config| match value {
        Value::BooleanLit(on) => config.packet_loss = on.value,
        _ => walk.wrong_type(key, value, "true or false"),
    }),
    ("INTERFACES", |walk, key, value, config| {
        config.interfaces = walk.words(key, value, "a list of names or globs", |_, name| {
            check_interface(name)
        });
    }),
    ("FLOW_TIMEOUT", |walk, key, value, config| {
        if let Some(timeout) = walk.seconds(key, value, Limits::FLOW_TIMEOUT) {
            config.flow_timeout = timeout;
        }
    }),
    ("MAX_FLOWS", |walk, key, value, config| {
        if let Some(flows) = walk.number_within(key, value, 1..=MOST_FLOWS) {
            config.max_flows = flows;
        }
    }),
    ("SORT", |walk, key, value, config| {
        if let Some(sort) = read_sort(walk, key, value) {
            config.sort = sort;
        }
    }),
    ("COLUMNS", |walk, key, value, config| {
        config.columns = walk.words(key, value, "a list of column ids", column);
    }),
    ("KEYS", |walk, key, value, config| {
        config.keys = bindings::read(walk, key, value);
    }),
    ("THEME", |walk, key, value, config| {
        let themes = ThemeName::ALL.map(|theme| (theme.id(), theme));
        if let Some(theme) = walk.one_of(key, value, &themes) {
            config.theme = theme;
        }
    }),
    ("VIEW", |walk, key, value, config| {
        if let Some(literal) = walk.string(key, value) {
            match known("view", &literal.value, walk.vocabulary.views) {
                Ok(()) => config.view = literal.value.to_string(),
                Err(error) => walk.report(value, format!("{key}: {error}")),
            }
        }
    }),
    ("ALERTS", |walk, key, value, config| {
        config.alerts = alerts::read(walk, key, value);
    }),
];

/// The keys of the file, in the order in which they are read.
pub fn key_names() -> impl Iterator<Item = &'static str> {
    KEYS.iter().map(|(name, _)| *name)
}

/// Reads a whole file over the defaults.
pub(super) fn read(
    text: &str,
    file: &str,
    vocabulary: &Vocabulary<'_>,
) -> Result<Config, Vec<Diagnostic>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut walk = Walk::new(text, vocabulary);
    let mut config = Config::default();
    match parse(text) {
        Err(problem) => walk.problems.push(problem),
        Ok(value) => read_document(&mut walk, &value, &mut config),
    }
    if walk.problems.is_empty() {
        Ok(config)
    } else {
        Err(locate(walk.problems, text, file))
    }
}

fn read_document(walk: &mut Walk<'_>, value: &Value<'_>, config: &mut Config) {
    let Some(root) = value.as_object() else {
        walk.report(value, "a configuration is one JSON object {...}".into());
        return;
    };
    walk.check_keys("", root, &KEYS.map(|(name, _)| name));
    for (name, read) in KEYS {
        if let Some(property) = root.get(name) {
            read(walk, name, &property.value, config);
        }
    }
}

/// Whether a text could be the name of an interface, or a glob for such names; the error says what it is.
pub fn check_interface(name: &str) -> Result<(), String> {
    let never = |c: char| c.is_whitespace() || c == '/' || c == '\0';
    if name.is_empty() || name.contains(never) {
        return Err(format!(
            "{} can't be the name of an interface",
            quoted(name)
        ));
    }
    Ok(())
}

fn column(vocabulary: &Vocabulary<'_>, id: &str) -> Result<(), String> {
    known("column", id, vocabulary.columns)
}

/// Whether an id is one of `ids`; the error suggests one.
pub(super) fn known(what: &str, id: &str, ids: &[&str]) -> Result<(), String> {
    if ids.contains(&id) {
        return Ok(());
    }
    let hint = match suggestion(id, ids.iter().copied()) {
        hint if hint.is_empty() => format!(" (one of: {})", ids.join(", ")),
        hint => hint,
    };
    Err(format!("there is no {what} {}{hint}", quoted(id)))
}

fn read_sort(walk: &mut Walk<'_>, key: &str, value: &Value<'_>) -> Option<SortOrder> {
    let literal = walk.string(key, value)?;
    let (descending, id) = match literal.value.strip_prefix('-') {
        Some(id) => (true, id),
        None => (false, literal.value.as_ref()),
    };
    if let Err(error) = column(walk.vocabulary, id) {
        walk.report(value, format!("{key}: {error}"));
        return None;
    }
    Some(SortOrder {
        column: id.to_string(),
        descending,
    })
}
