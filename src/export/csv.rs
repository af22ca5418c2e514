//! All flows with all columns, one row each, as a spreadsheet wants them: bare numbers, unknown cells empty.

use std::io::{self, Write};

use super::{Exporter, Record};
use crate::model::column::{Context, FLOW_COLUMNS, Value};
use crate::model::harmless::harmless;

/// A header row of column ids, then a row a flow. Rates are bytes per second, times ms.
pub struct Csv;

impl Exporter for Csv {
    fn write(&self, record: &Record, out: &mut dyn Write) -> io::Result<()> {
        let context = Context {
            now_ns: record.report.taken_ns,
            alerts: Some(record.alerts),
            ..Context::default()
        };
        let columns = || FLOW_COLUMNS.iter().filter(|column| !column.is_history());
        let mut writer = csv::Writer::from_writer(out);
        writer.write_record(columns().map(|column| column.id))?;
        for flow in record.flows() {
            writer.write_record(columns().map(|column| cell(&column.value(flow, &context))))?;
        }
        writer.flush()
    }
}

fn cell(value: &Value) -> String {
    match value {
        Value::Text(text) | Value::Sentence(text) | Value::Verdict { words: text, .. } => {
            inert(text)
        }
        Value::Endpoint { address, .. } => address.to_string(),
        other => other.number().map(|n| n.to_string()).unwrap_or_default(),
    }
}

/// Text that no spreadsheet takes for a formula: an apostrophe goes before what could begin one, as OWASP says under
/// *CSV Injection*. The fullwidth forms are read like the others where such an input method is usual.
fn inert(text: &str) -> String {
    const BEGINNINGS: [char; 11] = ['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'];
    let shown = harmless(text);
    match text.starts_with(BEGINNINGS) {
        true => format!("'{shown}"),
        false => shown.into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_spreadsheet_would_run_is_text() {
        for text in [
            "=1+1", "+1", "-1", "@sum(a1)", "\t=1", "\r=1", "\n=1", "＝1", "＠a",
        ] {
            let expected = format!("'{}", harmless(text));
            assert_eq!(cell(&Value::Text(text)), expected);
            assert_eq!(cell(&Value::Sentence(text)), expected);
        }
        for text in ["voice", "a=1", "1-2", "", "'=1", "eth0"] {
            assert_eq!(cell(&Value::Text(text)), text);
        }
        assert_eq!(cell(&Value::Percent(-1.5)), "-1.5", "numbers stay numbers");
        assert_eq!(cell(&Value::Unknown), "");
    }
}
