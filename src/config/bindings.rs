//! `KEYS`: other keys for some actions, and the conflicts that come of it.
//!
//! An action that is named here loses its default keys; no key may do two things, and one always leaves.

use jsonc_parser::ast::{ObjectProp, StringLit, Value};

use super::json::JsonValue;
use super::kind::{ValueKind, described};
use super::walk::{Walk, find_id, quoted};
use crate::keymap::{ALWAYS_QUITS, Action, BINDINGS, KeyChord, parse_chord};

/// Nobody needs more keys for an action than this.
const MAX_KEYS: usize = 16;

/// An object: action -> key or list of keys.
pub(super) struct Bindings;

impl ValueKind for Bindings {
    type Parsed = Vec<(Action, Vec<KeyChord>)>;

    fn read(&self, walk: &mut Walk<'_>, key: &str, value: &Value<'_>) -> Option<Self::Parsed> {
        let properties = walk.object(key, value)?;
        let actions: Vec<(&str, Action)> = BINDINGS.iter().map(|b| (b.id, b.action)).collect();
        let is_named = |id: &str| properties.iter().any(|p| p.name.as_str() == id);
        let mut keys = TakenKeys {
            bound: Vec::new(),
            left: default_keys(|id| !is_named(id)),
        };
        let mut found = Vec::new();
        for property in properties {
            match find_id("action", property.name.as_str(), &actions) {
                Err(error) => walk.report(property, format!("{key}: {error}")),
                Ok(action) => {
                    let path = format!("{key}.{}", action.id());
                    found.push((action, keys.read(walk, &path, action, property)));
                }
            }
        }
        Some(found)
    }

    fn write(&self, bindings: &Self::Parsed) -> JsonValue {
        JsonValue::object(bindings.iter().map(|(action, keys)| {
            let names = keys.iter().map(KeyChord::name);
            (action.id(), names.collect())
        }))
    }

    fn schema(&self) -> JsonValue {
        let keys = JsonValue::object([("$ref", "#/$defs/Keys".into())]);
        JsonValue::object([("type", "object".into()), ("additionalProperties", keys)])
    }
}

/// The schema of the keys of an action.
pub(super) fn schema() -> JsonValue {
    let key = JsonValue::object([("type", "string".into())]);
    let keys = JsonValue::object([("type", "array".into()), ("items", key.clone())]);
    let either = [
        described("One key.", key),
        described("Several keys, or none.", keys),
    ];
    let either = JsonValue::object([("anyOf", JsonValue::List(either.into()))]);
    described("One key or several.", either)
}

/// The default keys of the actions for which `is_kept` is true.
fn default_keys(is_kept: impl Fn(&str) -> bool) -> Vec<(Action, KeyChord)> {
    let kept = BINDINGS.iter().filter(|row| is_kept(row.id));
    kept.flat_map(|row| {
        let chords = row.keys.iter().filter_map(|key| parse_chord(key).ok());
        chords.map(|chord| (row.action, chord))
    })
    .collect()
}

/// The keys that are bound to an action.
struct TakenKeys {
    /// By the file, as far as it has been read.
    bound: Vec<(Action, KeyChord)>,
    /// By default, to actions that the file does not name.
    left: Vec<(Action, KeyChord)>,
}

impl TakenKeys {
    /// Reads the keys of one action; those that are wrong are left out.
    fn read(
        &mut self,
        walk: &mut Walk<'_>,
        path: &str,
        action: Action,
        property: &ObjectProp<'_>,
    ) -> Vec<KeyChord> {
        let elements = match &property.value {
            Value::Array(array) => array.elements.as_slice(),
            one => std::slice::from_ref(one),
        };
        if let Some(element) = elements.get(MAX_KEYS) {
            let message = format!("{path}: at most {MAX_KEYS} keys are possible");
            walk.report(element, message);
        }
        let mut chords = Vec::new();
        for element in elements.iter().take(MAX_KEYS) {
            let Value::StringLit(literal) = element else {
                walk.wrong_type(path, element, "a key or a list of keys");
                continue;
            };
            match self.read_key(action, literal) {
                Err(error) => walk.report(element, format!("{path}: {error}")),
                Ok(chord) => {
                    self.bound.push((action, chord));
                    chords.push(chord);
                }
            }
        }
        chords
    }

    /// Reads a key that is not bound yet.
    fn read_key(&self, action: Action, literal: &StringLit<'_>) -> Result<KeyChord, String> {
        let key = quoted(&literal.value);
        let chord = parse_chord(&literal.value).map_err(|_| format!("there is no key {key}"))?;
        let owner = |taken: &[(Action, KeyChord)]| {
            let found = taken.iter().find(|(_, other)| *other == chord);
            found.map(|(action, _)| action.id())
        };
        if let Some(other) = owner(&self.bound) {
            return Err(format!("the key {key} is bound to {other} already"));
        }
        if parse_chord(ALWAYS_QUITS) == Ok(chord) && action != Action::Quit {
            return Err(format!("the key {key} always leaves (take another one)"));
        }
        match owner(&self.left) {
            Some(other) => Err(format!(
                "the key {key} is bound to {other} by default (give {other} other keys, too)"
            )),
            None => Ok(chord),
        }
    }
}
