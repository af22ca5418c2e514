//! `KEYS`: other keys for some actions, and the conflicts that come of it.
//!
//! An action that is named here loses its default keys; no key may do two things, and one always leaves. What a key is,
//! and which are the default ones, comes in with the [`Vocabulary`].

use jsonc_parser::ast::{ObjectProp, StringLit, Value};

use super::document::known;
use super::walk::{Walk, quoted};
use super::{KeyBinding, Vocabulary};

/// More keys than this are no help to anybody.
const MAX_KEYS: usize = 16;

/// The bindings so far, and what they leave of the default ones.
struct Bindings<'a> {
    vocabulary: &'a Vocabulary<'a>,
    /// Action and key.
    bound: Vec<(String, String)>,
    /// Actions with keys of their own in the file.
    named: Vec<&'a str>,
}

/// Reads the object; keys that are wrong are left out.
pub(super) fn read(walk: &mut Walk<'_>, key: &str, value: &Value<'_>) -> Vec<KeyBinding> {
    let properties = walk.object(key, value).unwrap_or_default();
    let is_named = |action: &&str| properties.iter().any(|p| p.name.as_str() == *action);
    let vocabulary = walk.vocabulary;
    let mut bindings = Bindings {
        vocabulary,
        bound: Vec::new(),
        named: vocabulary
            .actions
            .iter()
            .copied()
            .filter(is_named)
            .collect(),
    };
    let mut found = Vec::new();
    for property in properties {
        let action = property.name.as_str();
        if let Err(error) = known("action", action, vocabulary.actions) {
            walk.report(property, format!("{key}: {error}"));
            continue;
        }
        found.push(KeyBinding {
            action: action.to_string(),
            keys: bindings.read_keys(walk, &format!("{key}.{action}"), property),
        });
    }
    found
}

impl Bindings<'_> {
    fn read_keys(
        &mut self,
        walk: &mut Walk<'_>,
        path: &str,
        property: &ObjectProp<'_>,
    ) -> Vec<String> {
        let elements = match &property.value {
            Value::Array(array) => array.elements.as_slice(),
            one => std::slice::from_ref(one),
        };
        if let Some(element) = elements.get(MAX_KEYS) {
            walk.report(
                element,
                format!("{path}: at most {MAX_KEYS} keys are possible"),
            );
        }
        let action = property.name.as_str();
        let mut keys = Vec::new();
        for element in elements.iter().take(MAX_KEYS) {
            let Value::StringLit(literal) = element else {
                walk.wrong_type(path, element, "a key or a list of keys");
                continue;
            };
            match self.check(action, literal) {
                Err(error) => walk.report(element, format!("{path}: {error}")),
                Ok(()) => {
                    let key = literal.value.to_string();
                    self.bound.push((action.into(), key.clone()));
                    keys.push(key);
                }
            }
        }
        keys
    }

    fn check(&self, action: &str, literal: &StringLit<'_>) -> Result<(), String> {
        let key = literal.value.as_ref();
        if !(self.vocabulary.key_is_valid)(key) {
            return Err(format!("there is no key {}", quoted(key)));
        }
        let is_key = |other: &str| (self.vocabulary.same_key)(key, other);
        if let Some((action, _)) = self.bound.iter().find(|(_, other)| is_key(other)) {
            return Err(format!(
                "the key {} is bound to {action} already",
                quoted(key)
            ));
        }
        let (always, quit) = self.vocabulary.always_quits;
        if is_key(always) && action != quit {
            return Err(format!(
                "the key {} always leaves (take another one)",
                quoted(key)
            ));
        }
        let kept = |action: &str| !self.named.contains(&action);
        let mut defaults = self.vocabulary.default_keys.iter();
        match defaults.find(|(action, keys)| kept(action) && keys.iter().any(|k| is_key(k))) {
            Some((action, _)) => Err(format!(
                "the key {} is bound to {action} by default (give {action} other keys, too)",
                quoted(key)
            )),
            None => Ok(()),
        }
    }
}
