//! `RULES` and `EXAMPLES`: the three ways to write them down, and the limits on them.
//!
//! An object name -> rule, a list of rules, or an object whose keys are the rules themselves;
//! the two object forms may be mixed. Each rule is a text or an object with `match`.

use std::collections::HashSet;

use jsonc_parser::ast::{Object, ObjectProp, ObjectPropName, StringLit, Value};
use jsonc_parser::common::{Range, Ranged};

use super::diagnostic::excerpt;
use super::json::JsonValue;
use super::kind::{Number, Switch, ValueKind, described};
use super::profile;
use super::rule::{self, RuleError};
use super::walk::{Walk, json_type, quoted};
use crate::model::harmless::harmless;
use crate::model::rule::{MAX_RULE_TERMS, MAX_RULES, Rule, SequenceProfile};

const MATCH_HELP: &str =
    "the five fields; missing only where the key in `RULES` is the rule itself";
const HISTOGRAM: &str = "HISTOGRAM";
const HISTOGRAM_HELP: &str = "`true`: its flows keep histograms of the time between their packets, the first 256 of all \
    rules' flows, from which `iat_p50` to `iat_max` come";
const EXPORT: &str = "EXPORT";
const EXPORT_HELP: &str =
    "so many of its flows, the largest, have series of their own in what `LISTEN` serves";
const EXPORT_NUMBER: Number = Number(0..=1_000_000);
const FIELDS_HELP: &str = "Five fields: source, destination, source port, destination port, protocol; - means any, \
    each may be a list [a,b,c] without spaces. For example 1.1.1.1 2.2.2.2 - 22 TCP.";
const EXPECTED: &str = "a rule is a string of five fields, or an object with \"match\"";

/// The rules in force, in their order. Each inherits the profile of the whole file, which the walk has.
pub(super) struct Rules;

impl ValueKind for Rules {
    type Parsed = Vec<Rule>;

    fn read(&self, walk: &mut Walk<'_>, key: &str, value: &Value<'_>) -> Option<Vec<Rule>> {
        let set = read(walk, key, value);
        set.check_limits(walk);
        Some(set.rules)
    }

    fn write(&self, rules: &Vec<Rule>) -> JsonValue {
        JsonValue::object(rules.iter().map(|rule| (&*rule.name, write_rule(rule))))
    }

    fn schema(&self) -> JsonValue {
        let rule = || JsonValue::object([("$ref", "#/$defs/Rule".into())]);
        let no_rule =
            JsonValue::object([("enum", JsonValue::List(vec![JsonValue::Null, true.into()]))]);
        let in_object = JsonValue::object([("anyOf", JsonValue::List(vec![rule(), no_rule]))]);
        let object = JsonValue::object([
            ("type", "object".into()),
            ("additionalProperties", in_object),
        ]);
        let list = JsonValue::object([("type", "array".into()), ("items", rule())]);
        let forms = [
            described(
                "Name -> rule; or a rule as the key, with its name, null or true.",
                object,
            ),
            described("Rules, named by their numbers from 1.", list),
        ];
        JsonValue::object([("anyOf", JsonValue::List(forms.into()))])
    }
}

fn write_rule(rule: &Rule) -> JsonValue {
    let fields = rule::to_text(rule);
    if rule.profile.is_none() && !rule.histogram && rule.export == 0 {
        return fields.into();
    }
    let mut object = JsonValue::object([("match", fields.into())]);
    if let Some(profile) = &rule.profile {
        object = object.and(profile::write(profile));
    }
    if rule.histogram {
        object = object.and(JsonValue::object([(HISTOGRAM, true.into())]));
    }
    if rule.export > 0 {
        object = object.and(JsonValue::object([(EXPORT, rule.export.into())]));
    }
    object
}

/// The schema of a rule.
pub(super) fn schema() -> JsonValue {
    let text = described(FIELDS_HELP, JsonValue::object([("type", "string".into())]));
    let object = JsonValue::object([("$ref", "#/$defs/RuleObject".into())]);
    let object = described(
        "Flows of this rule have a sequence position of their own, histograms, or series.",
        object,
    );
    let either = JsonValue::object([("anyOf", JsonValue::List(vec![text, object]))]);
    described(
        "A rule's five fields as text, or an object with that text and where the sequence number is.",
        either,
    )
}

/// The schema of a rule that is an object.
pub(super) fn object_schema() -> JsonValue {
    let fields = JsonValue::object([("type", "string".into())]);
    let fields = ("match", described(MATCH_HELP, fields));
    let histogram = (HISTOGRAM, described(HISTOGRAM_HELP, Switch.schema()));
    let export = (EXPORT, described(EXPORT_HELP, EXPORT_NUMBER.schema()));
    let first = std::iter::once(fields);
    let others = profile::KEYS.iter();
    let others = others.map(|key| (key.name, described(key.help, (key.schema)())));
    let object = JsonValue::object([
        ("type", "object".into()),
        (
            "properties",
            JsonValue::object(first.chain(others).chain([histogram, export])),
        ),
        ("additionalProperties", false.into()),
    ]);
    described(
        "A rule with a sequence position of its own, histograms, or series. What it does not say is as in the whole file.",
        object,
    )
}

/// Reads a set of rules without limits on their number; `key` is `RULES` or `EXAMPLES`.
pub(super) fn read<'k>(walk: &mut Walk<'_>, key: &'k str, value: &Value<'_>) -> RuleSet<'k> {
    let mut set = RuleSet {
        key,
        keys: HashSet::new(),
        names: HashSet::new(),
        rules: Vec::new(),
        places: Vec::new(),
    };
    match value {
        Value::Array(array) => {
            for (index, element) in array.elements.iter().enumerate() {
                set.read_value(walk, (index + 1).to_string(), element.range(), element);
            }
        }
        Value::Object(object) => {
            for property in &object.properties {
                set.read_property(walk, property);
            }
        }
        _ => walk.wrong_type(key, value, "an object or a list of rules"),
    }
    set
}

/// The keys of a rule object, and what each is for.
pub fn rule_keys() -> impl Iterator<Item = (&'static str, &'static str)> {
    let others = profile::KEYS.iter().map(|key| (key.name, key.help));
    std::iter::once(("match", MATCH_HELP))
        .chain(others)
        .chain([(HISTOGRAM, HISTOGRAM_HELP), (EXPORT, EXPORT_HELP)])
}

/// What a rule's object says besides the five fields.
#[derive(Default)]
struct RuleOptions {
    profile: Option<SequenceProfile>,
    histogram: bool,
    export: u32,
}

/// The rules read so far.
pub(super) struct RuleSet<'a> {
    key: &'a str,
    keys: HashSet<String>,
    names: HashSet<String>,
    rules: Vec<Rule>,
    /// Where each of `rules` begins.
    places: Vec<Range>,
}

impl RuleSet<'_> {
    /// A name and its rule, or a rule and perhaps its name.
    fn read_property(&mut self, walk: &mut Walk<'_>, property: &ObjectProp<'_>) {
        let key = property.name.as_str();
        if !self.keys.insert(key.to_string()) {
            let message = format!("{}: the key {} is there twice", self.key, quoted(key));
            walk.report(property, message);
            return;
        }
        let key_is_rule = rule::parse("", key).is_ok();
        match &property.value {
            Value::StringLit(literal) => {
                let value_is_rule = rule::parse("", &literal.value).is_ok();
                if !value_is_rule && (key_is_rule || looks_like_a_rule(key, &literal.value)) {
                    self.read_key(walk, &literal.value, property, None);
                } else {
                    self.read_value(walk, key.into(), property.range(), &property.value);
                }
            }
            Value::Object(object) if object.get("match").is_some() => {
                self.read_value(walk, key.into(), property.range(), &property.value);
            }
            Value::Object(object) if key_is_rule || fields(key) > 3 => {
                self.read_key(walk, key, property, Some(object));
            }
            Value::NullKeyword(_) if fields(key) > 1 => self.read_key(walk, key, property, None),
            Value::BooleanLit(on) if on.value && fields(key) > 1 => {
                self.read_key(walk, key, property, None);
            }
            _ => self.read_value(walk, key.into(), property.range(), &property.value),
        }
    }

    /// A rule as a string or an object.
    fn read_value(&mut self, walk: &mut Walk<'_>, name: String, place: Range, value: &Value<'_>) {
        let path = self.path(&name);
        match value {
            Value::StringLit(literal) => self.read_text(walk, name, place, literal, None),
            Value::Object(object) => match object.get("match") {
                None => {
                    walk.report(value, format!("{path}: {EXPECTED}; \"match\" is missing"));
                    Self::read_options(walk, &path, object);
                }
                Some(property) => match walk.string(&format!("{path}.match"), &property.value) {
                    Some(text) => self.read_text(walk, name, place, text, Some(object)),
                    None => {
                        Self::read_options(walk, &path, object);
                    }
                },
            },
            _ => walk.report(
                value,
                format!("{path}: {EXPECTED}, not {}", json_type(value)),
            ),
        }
    }

    /// A rule that is a key of the object.
    fn read_key(
        &mut self,
        walk: &mut Walk<'_>,
        name: &str,
        property: &ObjectProp<'_>,
        options: Option<&Object<'_>>,
    ) {
        if let ObjectPropName::String(literal) = &property.name {
            self.read_text(walk, name.into(), property.range(), literal, options);
        }
    }

    fn read_options(walk: &mut Walk<'_>, path: &str, object: &Object<'_>) -> RuleOptions {
        let known: Vec<&str> = rule_keys().map(|(name, _)| name).collect();
        walk.check_keys(&format!("{path}: "), object, &known);
        let inherited = walk.profile;
        let profile = profile::read(walk, path, object, &inherited);
        let histogram = Switch.read_member(walk, path, object, HISTOGRAM);
        let export = EXPORT_NUMBER.read_member(walk, path, object, EXPORT);
        RuleOptions {
            profile,
            histogram: histogram.unwrap_or(false),
            export: export.unwrap_or(0),
        }
    }

    fn read_text(
        &mut self,
        walk: &mut Walk<'_>,
        name: String,
        place: Range,
        literal: &StringLit<'_>,
        options: Option<&Object<'_>>,
    ) {
        let path = self.path(&name);
        self.check_name(walk, &name, place);
        let chosen = options.map(|object| Self::read_options(walk, &path, object));
        let chosen = chosen.unwrap_or_default();
        match rule::parse(&name, &literal.value) {
            Ok(rule) => {
                if let Some(object) = options {
                    profile::check_protocols(walk, &path, object, &rule);
                }
                self.rules.push(Rule {
                    profile: chosen.profile,
                    histogram: chosen.histogram,
                    export: chosen.export,
                    ..rule
                });
                self.places.push(place);
            }
            Err(errors) => {
                let place = |RuleError { at, message }| (at, format!("{path}: {message}"));
                walk.report_inside(literal, errors.into_iter().map(place));
            }
        }
    }

    fn check_name(&mut self, walk: &mut Walk<'_>, name: &str, place: Range) {
        if name.trim().is_empty() || harmless(name) != name {
            let message = format!("{}: a rule needs a printable name", self.path(name));
            walk.report(&place, message);
        }
        if !self.names.insert(name.to_string()) {
            let message = format!("{}: two rules are named {}", self.key, quoted(name));
            walk.report(&place, message);
        }
    }

    fn path(&self, name: &str) -> String {
        format!("{}.{}", self.key, excerpt(name))
    }

    fn check_limits(&self, walk: &mut Walk<'_>) {
        let count = self.rules.len();
        if let Some(place) = self.places.get(MAX_RULES) {
            let message = format!(
                "{}: {count} rules, at most {MAX_RULES} are possible",
                self.key
            );
            walk.report(place, message);
        }
        let mut terms: usize = 0;
        for (rule, place) in self.rules.iter().zip(&self.places) {
            let before = terms;
            terms = terms.saturating_add(rule.terms());
            if before <= MAX_RULE_TERMS && terms > MAX_RULE_TERMS {
                let message = format!(
                    "{}: with this rule there are {terms} terms (lists multiply inside a rule), \
                     at most {MAX_RULE_TERMS} are possible",
                    self.path(&rule.name)
                );
                walk.report(place, message);
            }
        }
    }
}

fn fields(text: &str) -> usize {
    text.split_whitespace().count()
}

/// For a key and a value that are both no good rule: whether the key was meant to be one.
fn looks_like_a_rule(key: &str, value: &str) -> bool {
    fields(value) == 1 && fields(key) > 2
}
