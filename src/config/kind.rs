//! What a setting's value may be: for each kind of value how it is read, how it is written, and what the schema says.
//!
//! Owns the kinds that several settings can share; a kind that only one setting has is in the file of that setting.
//! Knows no setting.

use std::collections::HashSet;
use std::ops::RangeInclusive;
use std::time::Duration;

use jsonc_parser::ast::{Object, Value};

use super::interval::Limits;
use super::json::JsonValue;
use super::walk::{Walk, find_id, quoted};
use crate::model::appearance::Appearance;
use crate::model::column::{Column, FLOW_COLUMNS, Sort};
use crate::model::glob::Glob;

/// A kind of value.
pub(super) trait ValueKind {
    /// The value in [`Config`](super::Config).
    type Parsed: PartialEq;

    /// Reads a value; errors begin with `key` and are reported to the walk.
    fn read(&self, walk: &mut Walk<'_>, key: &str, value: &Value<'_>) -> Option<Self::Parsed>;

    /// Reads the member of this name, if the object of `key` has it.
    fn read_member(
        &self,
        walk: &mut Walk<'_>,
        key: &str,
        object: &Object<'_>,
        name: &str,
    ) -> Option<Self::Parsed> {
        let property = object.get(name)?;
        self.read(walk, &format!("{key}.{name}"), &property.value)
    }

    /// The value as it is written: it reads back to the same.
    fn write(&self, value: &Self::Parsed) -> JsonValue;

    /// The members of a JSON Schema that tell right values from wrong ones.
    fn schema(&self) -> JsonValue;
}

/// A schema with a description, which has no Markdown.
pub(super) fn described(help: &str, schema: JsonValue) -> JsonValue {
    let plain = help.replace('`', "");
    JsonValue::object([("description", plain.into())]).and(schema)
}

/// Words, and what each stands for.
pub(super) type Words<T> = fn() -> Vec<(&'static str, T)>;

fn word_for<T: PartialEq>(words: Words<T>, value: &T) -> &'static str {
    let words = words();
    let found = words.iter().find(|(_, meaning)| meaning == value);
    found.map_or("", |(word, _)| word)
}

/// `true` or `false`.
pub(super) struct Switch;

impl ValueKind for Switch {
    type Parsed = bool;

    fn read(&self, walk: &mut Walk<'_>, key: &str, value: &Value<'_>) -> Option<bool> {
        let on = value.as_boolean_lit().map(|on| on.value);
        if on.is_none() {
            walk.wrong_type(key, value, "true or false");
        }
        on
    }

    fn write(&self, on: &bool) -> JsonValue {
        (*on).into()
    }

    fn schema(&self) -> JsonValue {
        JsonValue::object([("type", "boolean".into())])
    }
}

/// A whole number within limits.
pub(super) struct Number(pub(super) RangeInclusive<u32>);

impl ValueKind for Number {
    type Parsed = u32;

    fn read(&self, walk: &mut Walk<'_>, key: &str, value: &Value<'_>) -> Option<u32> {
        walk.number_within(key, value, self.0.clone())
    }

    fn write(&self, number: &u32) -> JsonValue {
        (*number).into()
    }

    fn schema(&self) -> JsonValue {
        let (first, last) = (*self.0.start(), *self.0.end());
        let from = JsonValue::object([("type", "integer".into()), ("minimum", first.into())]);
        from.and(JsonValue::object([("maximum", last.into())]))
    }
}

/// A length of time: a number of seconds, or a text with units.
pub(super) struct Seconds(pub(super) Limits);

impl ValueKind for Seconds {
    type Parsed = Duration;

    fn read(&self, walk: &mut Walk<'_>, key: &str, value: &Value<'_>) -> Option<Duration> {
        walk.seconds(key, value, self.0)
    }

    fn write(&self, duration: &Duration) -> JsonValue {
        JsonValue::seconds(*duration)
    }

    fn schema(&self) -> JsonValue {
        let shortest = match self.0.shortest {
            0.0 => ("exclusiveMinimum", 0.into()),
            shortest => ("minimum", shortest.into()),
        };
        let longest = ("maximum", self.0.longest.into());
        JsonValue::object([time(), shortest, longest])
    }
}

/// What a time may be, for a schema; bounds hold for numbers.
pub(super) fn time() -> (&'static str, JsonValue) {
    ("type", ["number", "string"].into_iter().collect())
}

/// A value of another kind, or `null` for what follows from other settings.
pub(super) struct OrNull<K>(pub(super) K);

impl<K: ValueKind> ValueKind for OrNull<K> {
    type Parsed = Option<K::Parsed>;

    fn read(&self, walk: &mut Walk<'_>, key: &str, value: &Value<'_>) -> Option<Self::Parsed> {
        match value {
            Value::NullKeyword(_) => Some(None),
            value => self.0.read(walk, key, value).map(Some),
        }
    }

    fn write(&self, value: &Self::Parsed) -> JsonValue {
        value
            .as_ref()
            .map_or(JsonValue::Null, |own| self.0.write(own))
    }

    fn schema(&self) -> JsonValue {
        let or_null = |member: (String, JsonValue)| match member {
            (name, JsonValue::List(mut kinds)) if name == "type" => {
                kinds.push("null".into());
                (name, JsonValue::List(kinds))
            }
            (name, kind) if name == "type" => (name, JsonValue::List(vec![kind, "null".into()])),
            other => other,
        };
        match self.0.schema() {
            JsonValue::Object(members) => JsonValue::object(members.into_iter().map(or_null)),
            other => other,
        }
    }
}

/// One of a few words.
pub(super) struct OneOf<T: 'static>(pub(super) Words<T>);

impl<T: Copy + PartialEq> ValueKind for OneOf<T> {
    type Parsed = T;

    fn read(&self, walk: &mut Walk<'_>, key: &str, value: &Value<'_>) -> Option<T> {
        walk.one_of(key, value, &(self.0)())
    }

    fn write(&self, value: &T) -> JsonValue {
        word_for(self.0, value).into()
    }

    fn schema(&self) -> JsonValue {
        let words = (self.0)().into_iter().map(|(word, _)| word);
        JsonValue::object([("type", "string".into()), ("enum", words.collect())])
    }
}

/// An id out of a long list: what it is the id of, and the list.
pub(super) struct Id<T: 'static>(pub(super) &'static str, pub(super) Words<T>);

impl<T: Copy + PartialEq> ValueKind for Id<T> {
    type Parsed = T;

    fn read(&self, walk: &mut Walk<'_>, key: &str, value: &Value<'_>) -> Option<T> {
        let literal = walk.string(key, value)?;
        find_id(self.0, &literal.value, &(self.1)())
            .map_err(|error| walk.report(value, format!("{key}: {error}")))
            .ok()
    }

    fn write(&self, value: &T) -> JsonValue {
        word_for(self.1, value).into()
    }

    fn schema(&self) -> JsonValue {
        JsonValue::object([("type", "string".into())])
    }
}

/// All columns of flows, by id, which is what is written, and by short name.
pub(super) fn columns() -> Vec<(&'static str, &'static Column)> {
    FLOW_COLUMNS
        .iter()
        .flat_map(|column| [Some(column.id), column.alias].map(|name| (name, column)))
        .filter_map(|(name, column)| Some((name?, column)))
        .collect()
}

/// The ids of columns; none stands for the default set.
pub(super) struct Columns;

impl Columns {
    const IDS: List<Id<&'static Column>> = List(Id("column", columns), "a list of column ids");
}

impl ValueKind for Columns {
    type Parsed = Vec<&'static Column>;

    fn read(&self, walk: &mut Walk<'_>, key: &str, value: &Value<'_>) -> Option<Self::Parsed> {
        let own = Columns::IDS.read(walk, key, value)?;
        Some(match own.is_empty() {
            true => Appearance::default().columns,
            false => own,
        })
    }

    fn write(&self, columns: &Self::Parsed) -> JsonValue {
        match *columns == Appearance::default().columns {
            true => JsonValue::List(Vec::new()),
            false => Columns::IDS.write(columns),
        }
    }

    fn schema(&self) -> JsonValue {
        Columns::IDS.schema()
    }
}

/// The id of a column, with `-` in front for the largest first.
pub(super) struct Order;

impl ValueKind for Order {
    type Parsed = Sort;

    fn read(&self, walk: &mut Walk<'_>, key: &str, value: &Value<'_>) -> Option<Sort> {
        let literal = walk.string(key, value)?;
        Sort::parse_with(&literal.value, |id| find_id("column", id, &columns()))
            .map_err(|error| walk.report(value, format!("{key}: {error}")))
            .ok()
    }

    fn write(&self, sort: &Sort) -> JsonValue {
        sort.id().into()
    }

    fn schema(&self) -> JsonValue {
        JsonValue::object([("type", "string".into())])
    }
}

/// The name of an interface, or a glob for such names.
pub(super) struct InterfaceName;

/// Reads the name of an interface, or a glob; the error says what it is.
pub fn interface(name: &str) -> Result<Glob, String> {
    let never = |c: char| c.is_whitespace() || c == '/' || c == '\0';
    if name.is_empty() || name.contains(never) {
        return Err(format!(
            "{} can't be the name of an interface",
            quoted(name)
        ));
    }
    Ok(Glob::from(name))
}

impl ValueKind for InterfaceName {
    type Parsed = Glob;

    fn read(&self, walk: &mut Walk<'_>, key: &str, value: &Value<'_>) -> Option<Glob> {
        let literal = walk.string(key, value)?;
        interface(&literal.value)
            .map_err(|error| walk.report(value, format!("{key}: {error}")))
            .ok()
    }

    fn write(&self, glob: &Glob) -> JsonValue {
        glob.as_str().into()
    }

    fn schema(&self) -> JsonValue {
        JsonValue::object([("type", "string".into())])
    }
}

/// A list without repetitions; the text is the one for errors: what was expected.
pub(super) struct List<K>(pub(super) K, pub(super) &'static str);

impl<K: ValueKind> ValueKind for List<K> {
    type Parsed = Vec<K::Parsed>;

    fn read(&self, walk: &mut Walk<'_>, key: &str, value: &Value<'_>) -> Option<Self::Parsed> {
        let Value::Array(array) = value else {
            walk.wrong_type(key, value, self.1);
            return None;
        };
        let mut items = Vec::new();
        let mut seen = HashSet::new();
        for element in &array.elements {
            let Some(item) = self.0.read(walk, key, element) else {
                continue;
            };
            let text = self.0.write(&item).text();
            if seen.contains(&text) {
                walk.report(element, format!("{key}: {} is there twice", quoted(&text)));
                continue;
            }
            seen.insert(text);
            items.push(item);
        }
        Some(items)
    }

    fn write(&self, items: &Self::Parsed) -> JsonValue {
        JsonValue::List(items.iter().map(|item| self.0.write(item)).collect())
    }

    fn schema(&self) -> JsonValue {
        let items = ("items", self.0.schema());
        JsonValue::object([
            ("type", "array".into()),
            items,
            ("uniqueItems", true.into()),
        ])
    }
}
