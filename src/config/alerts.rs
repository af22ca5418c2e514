//! `ALERTS`: thresholds for flows, `{"column": "loss_percent", "above": 1, "clear": 0.5, "for": 2}`.
//!
//! Which columns are amounts comes in with the vocabulary; what a violation leads to is not known here.

use std::time::Duration;

use jsonc_parser::ast::{Object, Value};

use super::document::known;
use super::interval::Limits;
use super::walk::Walk;
use crate::model::alert::Side;

/// More thresholds than this are no help to anybody.
const MAX_ALERTS: usize = 32;

const KEYS: [&str; 5] = ["column", "above", "below", "clear", "for"];

/// A threshold for one column of flows.
#[derive(Debug, Clone, PartialEq)]
pub struct Alert {
    /// Id of a column of amounts.
    pub column: String,
    /// Where trouble is.
    pub side: Side,
    /// Beyond this; in the unit of the JSON output (percent, ms, bytes per second).
    pub bound: f64,
    /// The alert is over when the value is back across this.
    pub clear: f64,
    /// For how long the value must be beyond the bound.
    pub at_least: Duration,
}

/// Reads the list; alerts that are wrong are left out.
pub(super) fn read(walk: &mut Walk<'_>, key: &str, value: &Value<'_>) -> Vec<Alert> {
    let Value::Array(array) = value else {
        walk.wrong_type(key, value, "a list of objects");
        return Vec::new();
    };
    if let Some(element) = array.elements.get(MAX_ALERTS) {
        walk.report(
            element,
            format!("{key}: at most {MAX_ALERTS} alerts are possible"),
        );
    }
    let mut alerts = Vec::new();
    for (index, element) in array.elements.iter().take(MAX_ALERTS).enumerate() {
        let path = format!("{key}.{}", index + 1);
        match element {
            Value::Object(object) => alerts.extend(read_alert(walk, &path, element, object)),
            _ => walk.wrong_type(&path, element, "an object"),
        }
    }
    alerts
}

fn read_alert(
    walk: &mut Walk<'_>,
    path: &str,
    element: &Value<'_>,
    object: &Object<'_>,
) -> Option<Alert> {
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
    Some(Alert {
        column: column?,
        side,
        bound,
        clear,
        at_least,
    })
}

fn read_column(
    walk: &mut Walk<'_>,
    path: &str,
    element: &Value<'_>,
    object: &Object<'_>,
) -> Option<String> {
    let Some(property) = object.get("column") else {
        walk.report(element, format!("{path}: the key \"column\" is missing"));
        return None;
    };
    let path = format!("{path}.column");
    let literal = walk.string(&path, &property.value)?;
    match known("column of amounts", &literal.value, walk.vocabulary.amounts) {
        Ok(()) => Some(literal.value.to_string()),
        Err(error) => {
            walk.report(&property.value, format!("{path}: {error}"));
            None
        }
    }
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

/// Seconds, of which none are fine here.
fn lasting(walk: &mut Walk<'_>, path: &str, value: &Value<'_>) -> Option<Duration> {
    let is_zero = |number: f64| number == 0.0;
    match value.as_number_lit().map(|n| n.value.parse().map(is_zero)) {
        Some(Ok(true)) => Some(Duration::ZERO),
        _ => walk.seconds(path, value, Limits::ALERT),
    }
}
