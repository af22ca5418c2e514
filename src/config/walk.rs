//! JSON text as a syntax tree, and the walk over it that collects every error with its place.
//!
//! Owns strictness (RFC 8259), wrong types, unknown and repeated keys. Knows no key by name.

use std::collections::HashSet;
use std::ops::RangeInclusive;
use std::time::Duration;

use jsonc_parser::ast::{Object, ObjectProp, StringLit, Value};
use jsonc_parser::common::Ranged;
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};

use super::diagnostic::{Problem, excerpt};
use super::interval::{self, Limits};
use crate::model::rule::SequenceProfile;
use crate::model::similar::suggestion;

/// Nobody reads the errors behind so many, and a suggestion takes time to find.
const MOST_HINTS: usize = 100;

/// JSON as RFC 8259 has it. Where the parser is milder, serde_json has the last word.
pub(super) fn parse(text: &str) -> Result<Value<'_>, Problem> {
    let strict = ParseOptions {
        allow_comments: false,
        allow_loose_object_property_names: false,
        allow_trailing_commas: false,
        allow_missing_commas: false,
        allow_single_quoted_strings: false,
        allow_hexadecimal_numbers: false,
        allow_unary_plus_numbers: false,
        allow_bare_decimal_point_numbers: false,
        allow_non_finite_numbers: false,
        allow_extended_string_escapes: false,
    };
    let value = parse_to_ast(text, &CollectOptions::default(), &strict)
        .map_err(|error| Problem {
            at: error.range().start,
            message: format!(
                "not valid JSON: {}",
                uncapitalised(&error.kind().to_string())
            ),
        })?
        .value
        .ok_or_else(|| Problem {
            at: 0,
            message: "the file is empty (an empty configuration is {})".into(),
        })?;
    if let Err(error) = serde_json::from_str::<serde::de::IgnoredAny>(text) {
        let line_start: usize = text
            .split_inclusive('\n')
            .take(error.line().saturating_sub(1))
            .map(str::len)
            .sum();
        let whole = error.to_string();
        let what = whole.split(" at line ").next().unwrap_or(&whole);
        return Err(Problem {
            at: line_start + error.column().saturating_sub(1),
            message: format!("not valid JSON: {what}"),
        });
    }
    Ok(value)
}

pub(super) fn uncapitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars
        .next()
        .map(|first| first.to_lowercase().chain(chars).collect())
        .unwrap_or_default()
}

/// What the readers of the parts share: the text, the errors found so far, and what rules inherit.
pub(super) struct Walk<'a> {
    text: &'a str,
    pub(super) problems: Vec<Problem>,
    /// The profile of the whole file, as far as it has been read.
    pub(super) profile: SequenceProfile,
}

impl<'a> Walk<'a> {
    pub(super) fn new(text: &'a str) -> Walk<'a> {
        Walk {
            text,
            problems: Vec::new(),
            profile: SequenceProfile::OFF,
        }
    }

    /// Adds an error at the beginning of a value or key.
    pub(super) fn report(&mut self, at: &impl Ranged, message: String) {
        let at = at.start();
        self.problems.push(Problem { at, message });
    }

    /// Adds errors at bytes of a string's value.
    pub(super) fn report_inside(
        &mut self,
        literal: &StringLit<'_>,
        errors: impl IntoIterator<Item = (usize, String)>,
    ) {
        let inside = literal.range.start + 1..literal.range.end.saturating_sub(1);
        // With an escape in the string, bytes of its value are not bytes of the file.
        let plain = self.text.get(inside.clone()) == Some(literal.value.as_ref());
        for (byte, message) in errors {
            let at = if plain {
                inside.start + byte.min(inside.len())
            } else {
                literal.range.start
            };
            self.problems.push(Problem { at, message });
        }
    }

    pub(super) fn wrong_type(&mut self, key: &str, value: &Value<'_>, expected: &str) {
        self.report(
            value,
            format!("{key}: expected {expected}, got {}", json_type(value)),
        );
    }

    /// Unknown and repeated keys of an object; `prefix` is what stands before them in messages.
    pub(super) fn check_keys(&mut self, prefix: &str, object: &Object<'_>, known: &[&str]) {
        self.check_duplicates(prefix, object);
        for property in &object.properties {
            let name = property.name.as_str();
            if !known.contains(&name) {
                let hint = match self.problems.len() {
                    0..MOST_HINTS => suggestion(name, known.iter().copied()),
                    _ => String::new(),
                };
                self.report(
                    property,
                    format!("{prefix}unknown key {}{hint}", quoted(name)),
                );
            }
        }
    }

    /// Keys that an object has more than once.
    pub(super) fn check_duplicates(&mut self, prefix: &str, object: &Object<'_>) {
        let mut seen = HashSet::new();
        for property in &object.properties {
            let name = property.name.as_str();
            if !seen.insert(name) {
                self.report(
                    property,
                    format!("{prefix}the key {} is there twice", quoted(name)),
                );
            }
        }
    }

    pub(super) fn object<'v, 't>(
        &mut self,
        key: &str,
        value: &'v Value<'t>,
    ) -> Option<&'v [ObjectProp<'t>]> {
        match value {
            Value::Object(object) => {
                self.check_duplicates(&format!("{key}: "), object);
                Some(&object.properties)
            }
            _ => {
                self.wrong_type(key, value, "an object");
                None
            }
        }
    }

    pub(super) fn string<'v, 't>(
        &mut self,
        key: &str,
        value: &'v Value<'t>,
    ) -> Option<&'v StringLit<'t>> {
        let literal = value.as_string_lit();
        if literal.is_none() {
            self.wrong_type(key, value, "a string");
        }
        literal
    }

    pub(super) fn whole_number(&mut self, key: &str, value: &Value<'_>) -> Option<i64> {
        let Some(number) = value.as_number_lit() else {
            self.wrong_type(key, value, "a whole number");
            return None;
        };
        let read = number.value.parse().ok();
        if read.is_none() {
            let literal = excerpt(number.value);
            self.report(
                value,
                format!("{key}: expected a whole number, got {literal}"),
            );
        }
        read
    }

    pub(super) fn number_within(
        &mut self,
        key: &str,
        value: &Value<'_>,
        range: RangeInclusive<u32>,
    ) -> Option<u32> {
        let number = self.whole_number(key, value)?;
        let found = u32::try_from(number).ok().filter(|n| range.contains(n));
        if found.is_none() {
            let (first, last) = range.into_inner();
            let message = format!("{key}: {number} is not between {first} and {last}");
            self.report(value, message);
        }
        found
    }

    pub(super) fn seconds(
        &mut self,
        key: &str,
        value: &Value<'_>,
        limits: Limits,
    ) -> Option<Duration> {
        let text = match value {
            Value::NumberLit(number) => number.value,
            Value::StringLit(literal) => &literal.value,
            _ => {
                self.wrong_type(key, value, "a number of seconds");
                return None;
            }
        };
        interval::read(text, limits)
            .map_err(|error| self.report(value, format!("{key}: {error}")))
            .ok()
    }

    /// The value that goes with one of a few words.
    pub(super) fn one_of<T: Copy>(
        &mut self,
        key: &str,
        value: &Value<'_>,
        words: &[(&str, T)],
    ) -> Option<T> {
        let literal = self.string(key, value)?;
        let found = words.iter().find(|(word, _)| *word == literal.value);
        if found.is_none() {
            let all: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            let message = format!(
                "{key}: {} is not one of {}{}",
                quoted(&literal.value),
                all.join(", "),
                suggestion(&literal.value, all.iter().copied())
            );
            self.report(value, message);
        }
        found.map(|(_, meaning)| *meaning)
    }
}

/// What goes with an id; the error suggests one of those that there are.
pub(super) fn find_id<T: Copy>(what: &str, id: &str, all: &[(&str, T)]) -> Result<T, String> {
    if let Some((_, meaning)) = all.iter().find(|(known, _)| *known == id) {
        return Ok(*meaning);
    }
    let ids = || all.iter().map(|(id, _)| *id);
    let hint = match suggestion(id, ids()) {
        hint if hint.is_empty() => format!(" (one of: {})", ids().collect::<Vec<_>>().join(", ")),
        hint => hint,
    };
    Err(format!("there is no {what} {}{hint}", quoted(id)))
}

/// A short text in quotes, for messages.
pub(super) fn quoted(text: &str) -> String {
    format!("\"{}\"", excerpt(text))
}

/// What a value is, in words.
pub(super) fn json_type(value: &Value<'_>) -> &'static str {
    match value {
        Value::StringLit(_) => "a string",
        Value::NumberLit(_) => "a number",
        Value::BooleanLit(literal) if literal.value => "true",
        Value::BooleanLit(_) => "false",
        Value::Object(_) => "an object",
        Value::Array(_) => "a list",
        Value::NullKeyword(_) => "null",
    }
}
