//! `ALERTS`: thresholds for flows, `{"column": "loss_percent", "above": 1, "clear": 0.5, "for": 2}`.
//!
//! Does not know what a violation leads to.

use std::time::Duration;

use jsonc_parser::ast::{Object, Value};

use super::interval::Limits;
use super::json::JsonValue;
use super::kind::{ValueKind, columns, described, time};
use super::walk::{Walk, find_id};
use crate::model::alert::{AlertRule, Side};
use crate::model::column::Column;

/// Nobody needs more thresholds than this.
const MAX_ALERTS: usize = 32;

const KEYS: [&str; 5] = ["column", "above", "below", "clear", "for"];

/// A list of thresholds.
pub(super) struct AlertList;

impl ValueKind for AlertList {
    type Parsed = Vec<AlertRule>;

    fn read(&self, walk: &mut Walk<'_>, key: &str, value: &Value<'_>) -> Option<Self::Parsed> {
        let Value::Array(array) = value else {
            walk.wrong_type(key, value, "a list of objects");
            return None;
        };
        if let Some(element) = array.elements.get(MAX_ALERTS) {
            let message = format!("{key}: at most {MAX_ALERTS} alerts are possible");
            walk.report(element, message);
        }
        let mut alerts = Vec::new();
        for (index, element) in array.elements.iter().take(MAX_ALERTS).enumerate() {
            let path = format!("{key}.{}", index + 1);
            match element {
                Value::Object(object) => alerts.extend(read_alert(walk, &path, element, object)),
                _ => walk.wrong_type(&path, element, "an object"),
            }
        }
        Some(alerts)
    }

    fn write(&self, alerts: &Self::Parsed) -> JsonValue {
        JsonValue::List(alerts.iter().map(write_alert).collect())
    }

    fn schema(&self) -> JsonValue {
        let alert = JsonValue::object([("$ref", "#/$defs/Alert".into())]);
        JsonValue::object([("type", "array".into()), ("items", alert)])
    }
}

fn write_alert(alert: &AlertRule) -> JsonValue {
    let side = match alert.side {
        Side::Above => "above",
        Side::Below => "below",
    };
    JsonValue::object([
        ("column", alert.column.id.into()),
        (side, alert.bound.into()),
        ("clear", alert.clear.into()),
        (
            "for",
            JsonValue::seconds(Duration::from_secs_f64(alert.at_least_s)),
        ),
    ])
}

/// The schema of a threshold.
pub(super) fn schema() -> JsonValue {
    let number = |help: &str| {
        let number = JsonValue::object([("type", "number".into()), ("minimum", 0.into())]);
        described(help, number)
    };
    let column = described(
        "Id or short name of a column of numbers, in the unit of the JSON output: loss_percent in %, jitter_ms in ms, \
         throughput in bytes per second.",
        JsonValue::object([("type", "string".into())]),
    );
    let longest = JsonValue::object([
        time(),
        ("minimum", 0.into()),
        ("default", 0.into()),
        ("maximum", Limits::ALERT.longest.into()),
    ]);
    let properties = JsonValue::object([
        ("column", column),
        ("above", number("Trouble is above this.")),
        ("below", number("Trouble is below this.")),
        (
            "clear",
            number(
                "The alert ends when the value is back across this; missing: nine tenths of above, eleven tenths of below.",
            ),
        ),
        (
            "for",
            described(
                "For so long (seconds, or a text such as 1m30s) the value must be beyond the bound before there is an alert.",
                longest,
            ),
        ),
    ]);
    let alert = JsonValue::object([
        ("type", "object".into()),
        ("properties", properties),
        ("additionalProperties", false.into()),
    ]);
    described(
        "A threshold for one column of flows. Exactly one of above and below is there.",
        alert,
    )
}

fn read_alert(
    walk: &mut Walk<'_>,
    path: &str,
    element: &Value<'_>,
    object: &Object<'_>,
) -> Option<AlertRule> {
    walk.check_keys(&format!("{path}: "), object, &KEYS);
    let column = read_column(walk, path, element, object);
    let mut number = |name: &str| {
        let property = object.get(name)?;
        amount(walk, &format!("{path}.{name}"), &property.value)
    };
    let (above, below, clear) = (number("above"), number("below"), number("clear"));
    let at_least = match object.get("for") {
        Some(property) => lasting(walk, &format!("{path}.for"), &property.value)?,
        None => Duration::ZERO,
    };
    let is_there = |name| object.get(name).is_some();
    if is_there("above") == is_there("below") {
        let message = format!("{path}: needs one of above and below");
        walk.report(element, message);
        return None;
    }
    let (side, bound, usual) = match (above, below) {
        (Some(bound), _) => (Side::Above, bound, bound * 0.9),
        (None, bound) => (Side::Below, bound?, bound? * 1.1),
    };
    let clear = clear.unwrap_or(usual);
    let is_beyond = match side {
        Side::Above => clear > bound,
        Side::Below => clear < bound,
    };
    if let (true, Some(property)) = (is_beyond, object.get("clear")) {
        let message = format!("{path}.clear: {clear} is beyond the bound {bound} itself");
        walk.report(&property.value, message);
    }
    Some(AlertRule {
        column: column?,
        side,
        bound,
        clear,
        at_least_s: at_least.as_secs_f64(),
    })
}

/// Columns whose cells are amounts, by id and by short name.
fn amounts() -> Vec<(&'static str, &'static Column)> {
    let mut columns = columns();
    columns.retain(|(_, column)| column.is_amount() && !column.is_history());
    columns
}

fn read_column(
    walk: &mut Walk<'_>,
    path: &str,
    element: &Value<'_>,
    object: &Object<'_>,
) -> Option<&'static Column> {
    let Some(property) = object.get("column") else {
        walk.report(element, format!("{path}: the key \"column\" is missing"));
        return None;
    };
    let path = format!("{path}.column");
    let literal = walk.string(&path, &property.value)?;
    find_id("column of amounts", &literal.value, &amounts())
        .map_err(|error| walk.report(&property.value, format!("{path}: {error}")))
        .ok()
}

fn amount(walk: &mut Walk<'_>, path: &str, value: &Value<'_>) -> Option<f64> {
    let Some(literal) = value.as_number_lit() else {
        walk.wrong_type(path, value, "a number");
        return None;
    };
    match literal.value.parse::<f64>() {
        Ok(number) if number.is_finite() && number >= 0.0 => Some(number),
        _ => {
            walk.report(
                value,
                format!("{path}: expected a finite number, at least 0"),
            );
            None
        }
    }
}

/// Reads seconds; here, 0 is valid, too.
fn lasting(walk: &mut Walk<'_>, path: &str, value: &Value<'_>) -> Option<Duration> {
    let is_zero = |number: f64| number == 0.0;
    match value.as_number_lit().map(|n| n.value.parse().map(is_zero)) {
        Some(Ok(true)) => Some(Duration::ZERO),
        _ => walk.seconds(path, value, Limits::ALERT),
    }
}
