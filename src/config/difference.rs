//! What changed between two configurations, in a few words for the status line.
//!
//! Compares the written form key by key, so that no setting can be forgotten here.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Config;
use super::diagnostic::excerpt;
use super::written::values;
use crate::model::harmless::harmless;

/// What only a start puts in force.
const AT_START: [&str; 1] = ["MAX_FLOWS"];

/// `RULES: + voice, - ssh; OFFSET 4 -> 8`; empty where nothing changed.
pub(super) fn difference(old: &Config, new: &Config) -> String {
    let (Value::Object(before), Value::Object(after)) = (values(old), values(new)) else {
        return String::new();
    };
    let keys: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let mut changes: Vec<String> = keys
        .into_iter()
        .filter_map(|key| change(key, before.get(key)?, after.get(key)?))
        .collect();
    let names = |config: &Config| -> Vec<String> {
        config.rules.iter().map(|rule| rule.name.clone()).collect()
    };
    if before.get("RULES") == after.get("RULES") && names(old) != names(new) {
        changes.push("RULES: another order".into());
    }
    // The rules first: they decide what is counted at all.
    changes.sort_by_key(|change| !change.starts_with("RULES"));
    harmless(&changes.join("; ")).into_owned()
}

fn change(key: &str, old: &Value, new: &Value) -> Option<String> {
    if old == new {
        return None;
    }
    let parts = match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
            let added = new.keys().filter(|name| !old.contains_key(*name));
            let removed = old.keys().filter(|name| !new.contains_key(*name));
            let changed = new
                .iter()
                .filter(|(name, value)| old.get(*name).is_some_and(|old| old != *value))
                .map(|(name, _)| name);
            signed(added, removed, changed)
        }
        (Value::Array(old), Value::Array(new)) => {
            let words = |list: &[Value]| list.iter().map(word).collect::<Vec<_>>();
            let (old, new) = (words(old), words(new));
            let added = new.iter().filter(|item| !old.contains(item));
            let removed = old.iter().filter(|item| !new.contains(item));
            signed(added, removed, std::iter::empty())
        }
        _ => {
            let from = match AT_START.contains(&key) {
                true => " (from the next start on)",
                false => "",
            };
            return Some(format!("{key} {} -> {}{from}", word(old), word(new)));
        }
    };
    Some(match parts.as_str() {
        "" => format!("{key}: another order"),
        _ => format!("{key}: {parts}"),
    })
}

/// `+ added, - removed, ~ changed`.
fn signed<'a>(
    added: impl Iterator<Item = &'a String>,
    removed: impl Iterator<Item = &'a String>,
    changed: impl Iterator<Item = &'a String>,
) -> String {
    let parts: Vec<String> = added
        .map(|name| format!("+ {}", excerpt(name)))
        .chain(removed.map(|name| format!("- {}", excerpt(name))))
        .chain(changed.map(|name| format!("~ {}", excerpt(name))))
        .collect();
    parts.join(", ")
}

fn word(value: &Value) -> String {
    match value {
        Value::String(text) => excerpt(text),
        other => excerpt(&other.to_string()),
    }
}
