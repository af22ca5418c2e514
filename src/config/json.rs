//! JSON to be written. Objects keep the order of their members: the order of rules matters.

use std::time::Duration;

use serde::ser::{Serialize, Serializer};

/// A JSON value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Json {
    Null,
    Bool(bool),
    Number(serde_json::Number),
    Text(String),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

impl Json {
    /// An object with these members, in this order.
    pub(super) fn object<K: Into<String>>(members: impl IntoIterator<Item = (K, Json)>) -> Json {
        let members = members.into_iter();
        Json::Object(members.map(|(name, value)| (name.into(), value)).collect())
    }

    /// Appends the members of another object.
    pub(super) fn and(self, more: Json) -> Json {
        match (self, more) {
            (Json::Object(members), Json::Object(more)) => {
                Json::Object(members.into_iter().chain(more).collect())
            }
            (other, _) => other,
        }
    }

    /// Whole seconds as a whole number.
    pub(super) fn seconds(duration: Duration) -> Json {
        match duration.subsec_nanos() {
            0 => duration.as_secs().into(),
            _ => duration.as_secs_f64().into(),
        }
    }

    /// A text as it is, anything else as JSON on one line.
    pub(super) fn text(&self) -> String {
        match self {
            Json::Text(text) => text.clone(),
            other => other.compact(),
        }
    }

    /// On one line.
    pub(super) fn compact(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

impl From<serde_json::Value> for Json {
    fn from(value: serde_json::Value) -> Json {
        match value {
            serde_json::Value::Null => Json::Null,
            serde_json::Value::Bool(on) => Json::Bool(on),
            serde_json::Value::Number(number) => Json::Number(number),
            serde_json::Value::String(text) => Json::Text(text),
            serde_json::Value::Array(items) => items.into_iter().collect(),
            serde_json::Value::Object(members) => Json::object(
                members
                    .into_iter()
                    .map(|(name, value)| (name, value.into())),
            ),
        }
    }
}

impl From<&str> for Json {
    fn from(text: &str) -> Json {
        Json::Text(text.to_owned())
    }
}

impl From<String> for Json {
    fn from(text: String) -> Json {
        Json::Text(text)
    }
}

impl From<bool> for Json {
    fn from(on: bool) -> Json {
        Json::Bool(on)
    }
}

impl From<u64> for Json {
    fn from(number: u64) -> Json {
        Json::Number(number.into())
    }
}

impl From<u32> for Json {
    fn from(number: u32) -> Json {
        Json::Number(number.into())
    }
}

impl From<i32> for Json {
    fn from(number: i32) -> Json {
        Json::Number(number.into())
    }
}

impl From<f64> for Json {
    /// JSON has no infinity and no NaN: they become null.
    fn from(number: f64) -> Json {
        serde_json::Number::from_f64(number).map_or(Json::Null, Json::Number)
    }
}

impl<T: Into<Json>> FromIterator<T> for Json {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Json {
        Json::List(items.into_iter().map(Into::into).collect())
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Json::Null => serializer.serialize_unit(),
            Json::Bool(on) => serializer.serialize_bool(*on),
            Json::Number(number) => number.serialize(serializer),
            Json::Text(text) => serializer.serialize_str(text),
            Json::List(items) => serializer.collect_seq(items),
            Json::Object(members) => serializer.collect_map(members.iter().map(|(k, v)| (k, v))),
        }
    }
}
