//! What changed between two configurations, in a few words for the status line.
//!
//! Compares the written values row by row, so no setting can be forgotten here.

use super::diagnostic::excerpt;
use super::json::JsonValue;
use super::settings::{Applies, Config, SETTINGS, Setting};
use crate::model::harmless::harmless;

/// `RULES: + voice, - ssh; OFFSET 4 -> 8`; empty where nothing changed.
pub(super) fn difference(old: &Config, new: &Config) -> String {
    let mut settings: Vec<&Setting> = SETTINGS.iter().collect();
    // The rules first: they decide what is counted at all.
    settings.sort_by_key(|setting| (setting.key != "RULES", setting.key));
    let changes: Vec<String> = settings
        .into_iter()
        .filter_map(|setting| change(setting, &(setting.write)(old), &(setting.write)(new)))
        .collect();
    harmless(&changes.join("; ")).into_owned()
}

fn change(setting: &Setting, old: &JsonValue, new: &JsonValue) -> Option<String> {
    if old == new {
        return None;
    }
    let key = setting.key;
    let parts = match (old, new) {
        (JsonValue::Object(old), JsonValue::Object(new)) => Some(changed_members(old, new)),
        (JsonValue::List(old), JsonValue::List(new)) => Some(changed_items(old, new)),
        _ => None,
    };
    let change = match parts.as_deref() {
        None => format!("{key} {} -> {}", word(old), word(new)),
        Some("") => format!("{key}: another order"),
        Some(parts) => format!("{key}: {parts}"),
    };
    Some(match setting.applies {
        Applies::AtStart => change + " (from the next start on)",
        Applies::Live | Applies::Chosen => change,
    })
}

fn changed_members(old: &[(String, JsonValue)], new: &[(String, JsonValue)]) -> String {
    let find = |members: &[(String, JsonValue)], name: &str| {
        let found = members.iter().find(|(other, _)| other == name);
        found.map(|(_, value)| value.clone())
    };
    let names = |members: &[(String, JsonValue)]| -> Vec<String> {
        members.iter().map(|(name, _)| name.clone()).collect()
    };
    let (mut before, mut after) = (names(old), names(new));
    before.sort();
    after.sort();
    let added = after.iter().filter(|name| find(old, name).is_none());
    let removed = before.iter().filter(|name| find(new, name).is_none());
    let is_changed = |name: &&String| find(old, name).is_some_and(|o| find(new, name) != Some(o));
    signed(added, removed, after.iter().filter(is_changed))
}

fn changed_items(old: &[JsonValue], new: &[JsonValue]) -> String {
    let words = |list: &[JsonValue]| list.iter().map(word).collect::<Vec<_>>();
    let (old, new) = (words(old), words(new));
    let added = new.iter().filter(|item| !old.contains(item));
    let removed = old.iter().filter(|item| !new.contains(item));
    signed(added, removed, std::iter::empty())
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

fn word(value: &JsonValue) -> String {
    excerpt(&value.text())
}
