//! From the text of a file to [`Config`], with every error and its place.
//!
//! Owns the keys that set nothing, and the order in which keys are read. Rows of [`SETTINGS`] read their own values.

use jsonc_parser::ast::Value;

use super::diagnostic::{Diagnostic, locate};
use super::json::JsonValue;
use super::kind::ValueKind;
use super::rules::{self, Rules};
use super::settings::{Config, SETTINGS, Setting};
use super::walk::{Walk, parse};

/// A key that sets nothing.
pub struct Remark {
    /// The key in the file.
    pub key: &'static str,
    /// What it is for.
    pub help: &'static str,
    /// Its value in the shipped file.
    pub shipped: &'static str,
    read: fn(&mut Walk<'_>, &str, &Value<'_>),
    /// Which values are right.
    pub(super) schema: fn() -> JsonValue,
}

/// The keys that set nothing.
pub static REMARKS: [Remark; 2] = [
    Remark {
        key: "$schema",
        help: "for editors: `config.schema.json` completes and checks the file",
        shipped: "`\"./config.schema.json\"`",
        read: |walk, key, value| {
            walk.string(key, value);
        },
        schema: || JsonValue::object([("type", "string".into())]),
    },
    Remark {
        key: "EXAMPLES",
        help: "rules, never applied, but checked: notes in a format without comments",
        shipped: "examples",
        read: |walk, key, value| {
            rules::read(walk, key, value);
        },
        schema: || Rules.schema(),
    },
];

/// The keys of the file.
pub fn key_names() -> impl Iterator<Item = &'static str> {
    let remarks = REMARKS.iter().map(|remark| remark.key);
    SETTINGS.iter().map(|setting| setting.key).chain(remarks)
}

/// Reads a whole file over the defaults.
pub(super) fn read(text: &str, file: &str) -> Result<Config, Vec<Diagnostic>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut walk = Walk::new(text);
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
    walk.check_keys("", root, &key_names().collect::<Vec<_>>());
    // Rules inherit from the profile of the whole file, wherever that stands: they are read last.
    let (rules, others): (Vec<&Setting>, Vec<&Setting>) =
        SETTINGS.iter().partition(|setting| setting.key == "RULES");
    for setting in others.into_iter().chain(rules) {
        if let Some(property) = root.get(setting.key) {
            (setting.read)(walk, &property.value, config);
            walk.profile = config.sequence();
        }
    }
    for remark in &REMARKS {
        if let Some(property) = root.get(remark.key) {
            (remark.read)(walk, remark.key, &property.value);
        }
    }
}
