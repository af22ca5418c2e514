//! The JSON Schema by which editors complete and check a file: made of the same rows by which files are read.

use super::document::REMARKS;
use super::json::JsonValue;
use super::kind::described;
use super::settings::SETTINGS;
use super::{alerts, bindings, rules};

fn properties() -> JsonValue {
    let settings = SETTINGS.iter().map(|setting| {
        let example =
            serde_json::from_str::<serde_json::Value>(setting.example).unwrap_or_default();
        let shown = JsonValue::object([
            ("default", (setting.write)(&Default::default())),
            ("examples", JsonValue::List(vec![example.into()])),
        ]);
        let schema = described(&setting.help(), (setting.schema)()).and(shown);
        (setting.key, schema)
    });
    let remarks = REMARKS
        .iter()
        .map(|remark| (remark.key, described(remark.help, (remark.schema)())));
    JsonValue::object(settings.chain(remarks))
}

/// The JSON Schema of a configuration file, as text.
pub fn schema() -> Result<String, serde_json::Error> {
    let definitions = [
        ("Alert", alerts::schema()),
        ("Keys", bindings::schema()),
        ("Rule", rules::schema()),
        ("RuleObject", rules::object_schema()),
    ];
    let schema = JsonValue::object([
        ("$schema", "https://json-schema.org/draft/2020-12/schema".into()),
        ("title", "flowtop configuration".into()),
        (
            "description",
            "Configuration of flowtop. Read at start and again whenever the file changes; every key may be left out."
                .into(),
        ),
        ("type", "object".into()),
        ("properties", properties()),
        ("additionalProperties", false.into()),
        ("$defs", JsonValue::object(definitions)),
    ]);
    let mut text = serde_json::to_string_pretty(&schema)?;
    text.push('\n');
    Ok(text)
}
