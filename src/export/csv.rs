//! All flows with all columns, one row each, as a spreadsheet wants them: bare numbers, unknown cells empty.

use std::io::{self, Write};

use super::{Exporter, Record};
use crate::model::column::{Context, FLOW_COLUMNS, Value};

/// A header row of column ids, then a row a flow. Rates are bytes per second, times ms.
pub struct Csv;

impl Exporter for Csv {
    fn write(&self, record: &Record, out: &mut dyn Write) -> io::Result<()> {
        let context = Context {
            now_ns: record.report.taken_ns,
            ..Context::default()
        };
        let columns = || FLOW_COLUMNS.iter().filter(|column| !column.is_history());
        let mut writer = csv::Writer::from_writer(out);
        writer.write_record(columns().map(|column| column.id))?;
        for flow in record.flows() {
            writer.write_record(columns().map(|column| cell(&(column.value)(flow, &context))))?;
        }
        writer.flush()
    }
}

fn cell(value: &Value) -> String {
    match value {
        Value::Text(text) | Value::Sentence(text) => (*text).to_owned(),
        Value::Endpoint { address, .. } => address.to_string(),
        other => other.number().map(|n| n.to_string()).unwrap_or_default(),
    }
}
