//! JSON to be written. Objects keep the order of their members: the order of rules matters.

use std::time::Duration;

use serde::ser::{Serialize, Serializer};

/// A JSON value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum JsonValue {
    Null,
    Bool(bool),
    Number(serde_json::Number),
    Text(String),
    List(Vec<JsonValue>),
    Object(Vec<(String, JsonValue)>),
}

impl JsonValue {
    /// An object with these members, in this order.
    pub(super) fn object<K: Into<String>>(
        members: impl IntoIterator<Item = (K, JsonValue)>,
    ) -> JsonValue {
        let members = members.into_iter();
        JsonValue::Object(members.map(|(name, value)| (name.into(), value)).collect())
    }

    /// Appends the members of another object.
    pub(super) fn and(self, more: JsonValue) -> JsonValue {
        match (self, more) {
            (JsonValue::Object(members), JsonValue::Object(more)) => {
                JsonValue::Object(members.into_iter().chain(more).collect())
            }
            (other, _) => other,
        }
    }

    /// Whole seconds as a whole number.
    pub(super) fn seconds(duration: Duration) -> JsonValue {
        match duration.subsec_nanos() {
            0 => duration.as_secs().into(),
            _ => duration.as_secs_f64().into(),
        }
    }

    /// A text as it is, anything else as JSON on one line.
    pub(super) fn text(&self) -> String {
        match self {
            JsonValue::Text(text) => text.clone(),
            other => other.compact(),
        }
    }

    /// On one line.
    pub(super) fn compact(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

impl From<serde_json::Value> for JsonValue {
    fn from(value: serde_json::Value) -> JsonValue {
        match value {
            serde_json::Value::Null => JsonValue::Null,
            serde_json::Value::Bool(on) => JsonValue::Bool(on),
            serde_json::Value::Number(number) => JsonValue::Number(number),
            serde_json::Value::String(text) => JsonValue::Text(text),
            serde_json::Value::Array(items) => items.into_iter().collect(),
            serde_json::Value::Object(members) => JsonValue::object(
                members
                    .into_iter()
                    .map(|(name, value)| (name, value.into())),
            ),
        }
    }
}

impl From<&str> for JsonValue {
    fn from(text: &str) -> JsonValue {
        JsonValue::Text(text.to_owned())
    }
}

impl From<String> for JsonValue {
    fn from(text: String) -> JsonValue {
        JsonValue::Text(text)
    }
}

impl From<bool> for JsonValue {
    fn from(on: bool) -> JsonValue {
        JsonValue::Bool(on)
    }
}

impl From<u64> for JsonValue {
    fn from(number: u64) -> JsonValue {
        JsonValue::Number(number.into())
    }
}

impl From<u32> for JsonValue {
    fn from(number: u32) -> JsonValue {
        JsonValue::Number(number.into())
    }
}

impl From<i32> for JsonValue {
    fn from(number: i32) -> JsonValue {
        JsonValue::Number(number.into())
    }
}

impl From<f64> for JsonValue {
    /// JSON has no infinity and no NaN: they become null.
    fn from(number: f64) -> JsonValue {
        serde_json::Number::from_f64(number).map_or(JsonValue::Null, JsonValue::Number)
    }
}

impl<T: Into<JsonValue>> FromIterator<T> for JsonValue {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> JsonValue {
        JsonValue::List(items.into_iter().map(Into::into).collect())
    }
}

impl Serialize for JsonValue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            JsonValue::Null => serializer.serialize_unit(),
            JsonValue::Bool(on) => serializer.serialize_bool(*on),
            JsonValue::Number(number) => number.serialize(serializer),
            JsonValue::Text(text) => serializer.serialize_str(text),
            JsonValue::List(items) => serializer.collect_seq(items),
            JsonValue::Object(members) => {
                serializer.collect_map(members.iter().map(|(k, v)| (k, v)))
            }
        }
    }
}
