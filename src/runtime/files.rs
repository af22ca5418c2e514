//! The export key: what is shown, as files in the working directory.

use std::fs::{self, File};
use std::io::BufWriter;

use anyhow::{Context, Result};

use super::session::Session;
use crate::app::{App, View};
use crate::export::{self, Record};
use crate::model::tracker::Report;

/// Writes the flows and events that are shown; returns what to say of it. What could not be written as a whole is
/// removed again.
pub fn write(app: &App, live: &Report, session: &Session) -> Result<String> {
    let shown = Report {
        flows: app.shown_flows(live).cloned().collect(),
        ..app.shown(live).clone()
    };
    // The filter is that of the view: where flows are filtered, no event is.
    let events = match app.view() {
        View::Events => app.shown_events(),
        _ => app.shown_log().events().to_vec(),
    };
    let record = Record {
        time: &format!("{:.3}", jiff::Timestamp::now()),
        intervals: 1,
        report: &shown,
        config: session.reload.state(),
        privileges: &session.privileges,
        unit: app.preferences().unit,
        events: Some(&events),
        alerts: app.alerts(),
        top: None,
        output: None,
    };
    let stem = jiff::Zoned::now()
        .strftime("flowtop-%Y%m%d-%H%M%S")
        .to_string();
    let mut names = Vec::new();
    for format in export::FORMATS.iter().filter(|format| format.name != "txt") {
        let name = format!("{stem}.{}", format.name);
        let written = write_one(format, &record, &name);
        written.with_context(|| format!("write {name}"))?;
        names.push(name);
    }
    let folder = std::env::current_dir()?;
    let (flows, events) = (shown.flows.len(), events.len());
    Ok(format!(
        "wrote {flows} flows and {events} events to {} in {}",
        names.join(" and "),
        folder.display()
    ))
}

fn write_one(format: &export::Format, record: &Record, name: &str) -> Result<()> {
    // Never over a file that is there, nor through a link that somebody laid out.
    let file = File::create_new(name)?;
    let mut out = BufWriter::new(file);
    let written = format
        .exporter
        .write(record, &mut out)
        .and_then(|()| out.into_inner()?.sync_all());
    if written.is_err() {
        let _ = fs::remove_file(name);
    }
    Ok(written?)
}
