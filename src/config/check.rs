//! A check of `ASSERT`, as `--assert` has it: `"port:5201 => loss<0.1"`.
//!
//! Does not know what comes of one.

use jsonc_parser::ast::Value;

use super::json::JsonValue;
use super::kind::ValueKind;
use super::walk::Walk;
use crate::model::check::Check;

/// A check.
pub(super) struct CheckText;

impl ValueKind for CheckText {
    type Parsed = Check;

    fn read(&self, walk: &mut Walk<'_>, key: &str, value: &Value<'_>) -> Option<Check> {
        let text = &walk.string(key, value)?.value;
        Check::parse(text)
            .map_err(|error| walk.report(value, format!("{key}: {}", error.told_of(text))))
            .ok()
    }

    fn write(&self, check: &Check) -> JsonValue {
        check.text().into()
    }

    fn schema(&self) -> JsonValue {
        JsonValue::object([("type", "string".into()), ("pattern", "=>".into())])
    }
}
