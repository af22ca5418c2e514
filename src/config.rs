//! The configuration: what it says, where it comes from, and what is wrong with it.
//!
//! Owns [`Config`], which has a field for each row of [`SETTINGS`]. A file is read as a whole or not at all, and
//! every error in it is reported with its place. Text is parsed once, here, into columns, actions and keys: this module
//! knows the model and the keymap.

use std::fmt;

use anyhow::Context;

use crate::model::harmless::harmless_json;

mod alerts;
mod bindings;
mod check;
mod describe;
mod diagnostic;
mod difference;
mod document;
mod edit;
pub mod interval;
mod ipfix;
mod json;
mod kind;
pub mod listen;
mod profile;
mod record;
pub mod rule;
mod rules;
mod schema;
mod settings;
pub mod source;
mod trust;
mod walk;
pub mod watch;

use json::JsonValue;

pub use diagnostic::Diagnostic;
pub use edit::edited;
pub use kind::interface;
pub use record::Record;
pub use settings::{Applies, Config, MOST_FLOWS, SETTINGS, Setting};

// For tests alone, which make documents and the schema of these.
pub use document::{REMARKS, Remark, key_names};
pub use profile::{READY_MADE, ReadyMade};
pub use rules::rule_keys;
pub use schema::schema;

impl Config {
    /// Reads the text of a file over the defaults and leaves the path to the caller. `file` names the file in errors,
    /// all of which are returned, in the order of the file.
    pub fn load(text: &str, file: &str) -> Result<Config, Vec<Diagnostic>> {
        document::read(text, file)
    }

    /// What the configuration means, in words, each rule expanded.
    pub fn describe(&self) -> String {
        describe::describe(self)
    }

    /// The configuration as the text of a file, which loads back to the same configuration.
    pub fn to_json(&self) -> anyhow::Result<String> {
        let settings = SETTINGS.iter();
        let written =
            JsonValue::object(settings.map(|setting| (setting.key, (setting.write)(self))));
        let text = serde_json::to_string_pretty(&written);
        let text = text.context("write the configuration as JSON")? + "\n";
        Ok(harmless_json(&text).into_owned())
    }

    /// What changes from `old` to `new`, in a few words: `RULES: + voice, - ssh; OFFSET 4 -> 8`. Empty if nothing does.
    pub fn difference(old: &Config, new: &Config) -> String {
        difference::difference(old, new)
    }
}

/// Why a configuration was refused: one line for each error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConfigError {
    /// The file's text is wrong.
    Invalid(Vec<Diagnostic>),
    /// The file could not be read, or may not be trusted.
    Unreadable(String),
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ConfigError::Unreadable(message) => f.write_str(message),
            ConfigError::Invalid(diagnostics) => {
                for (number, diagnostic) in diagnostics.iter().enumerate() {
                    let newline = if number == 0 { "" } else { "\n" };
                    write!(f, "{newline}{diagnostic}")?;
                }
                Ok(())
            }
        }
    }
}

impl From<Vec<Diagnostic>> for ConfigError {
    /// The first ten errors, and how many more there are, at the place of the next one.
    fn from(mut errors: Vec<Diagnostic>) -> ConfigError {
        const MOST: usize = 10;
        let more = errors.len().saturating_sub(MOST);
        errors.truncate(MOST + 1);
        if let Some(next) = errors.get_mut(MOST) {
            let plural = if more == 1 { "" } else { "s" };
            next.message = format!("and {more} more error{plural} from here on");
        }
        ConfigError::Invalid(errors)
    }
}

impl std::error::Error for ConfigError {}
