//! The export key: writes what is shown to files.

use std::fs::File;
use std::io::BufWriter;
use std::time::Duration;

use anyhow::Result;
use jiff::Timestamp;

use super::export_folder::ExportFolder;
use crate::app::{Scene, View};
use crate::export::{self, ConfigState, Record};
use crate::model::event::Event;
use crate::model::ipfix::ExportCounts;
use crate::model::privileges::Privileges;
use crate::model::tracker::{Eventful, Outline, Report};

/// What is to be said beside what is shown.
pub struct About<'a> {
    /// The time of the present; a screen that is paused stands behind it, and a moment of the past has its own.
    pub now: Timestamp,
    /// The configuration in force.
    pub config: ConfigState<'a>,
    /// What the run may still do.
    pub privileges: &'a Privileges,
    /// How the export of flow records went.
    pub ipfix: Option<ExportCounts>,
}

/// Writes the flows and events that are shown; returns a line about it. A file that could not be written as a whole is
/// removed again.
pub fn write(scene: &Scene, about: About, folder: &ExportFolder) -> Result<String> {
    let app = scene.app();
    let shown = Report {
        flows: scene.flows().items().cloned().collect(),
        eventful: Eventful::default(),
        outline: Outline::default(),
        ..scene.shown().clone()
    };
    // The filter is the view's: if it filters flows, it filters no events.
    let events: Vec<Event> = match app.view() {
        View::Events => scene.events().items().cloned().collect(),
        _ => app.shown_log().events().to_vec(),
    };
    let past = app.past();
    let past = past.and_then(|place| Timestamp::from_nanosecond(place.wall_ns.into()).ok());
    let stood_ns = scene.live().taken_ns.saturating_sub(shown.taken_ns);
    let present = about.now - Duration::from_nanos(stood_ns);
    let record = Record {
        time: &format!("{:.3}", past.unwrap_or(present)),
        intervals: 1,
        report: &shown,
        config: about.config,
        privileges: about.privileges,
        unit: app.preferences().appearance.unit,
        events: Some(&events),
        alerts: app.alerts(),
        columns: None,
        top: None,
        output: None,
        ipfix: about.ipfix,
    };
    let formats = export::FORMATS.iter().filter(|format| format.name != "txt");
    let formats: Vec<_> = formats.collect();
    let endings: Vec<_> = formats.iter().map(|format| format.name).collect();
    let write = |at: usize, file: &File| write_one(formats[at], &record, file);
    let names = folder.write("flowtop", &endings, write)?;
    let (flows, events) = (shown.flows.len(), events.len());
    Ok(format!(
        "wrote {flows} flows and {events} events to {} in {}",
        names.join(" and "),
        folder.name()
    ))
}

fn write_one(format: &export::Format, record: &Record, file: &File) -> Result<()> {
    let mut out = BufWriter::new(file);
    format.exporter.write(record, &mut out)?;
    let file = out.into_inner().map_err(|error| error.into_error())?;
    Ok(file.sync_all()?)
}
