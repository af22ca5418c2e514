//! What leaves flowtop as text: one JSON object an interval, a plain table, a CSV file; and a report of checks.
//!
//! One table of formats. Exporters know the model and the table of columns, and write to whatever they are handed.

mod csv;
pub mod ipfix;
mod json;
pub mod junit;
pub mod openmetrics;
mod text;

use std::io::{self, Write};

use crate::model::alert::Alerts;
use crate::model::column::Column;
use crate::model::event::Event;
use crate::model::ipfix::ExportCounts;
use crate::model::preferences::Unit;
use crate::model::privileges::Privileges;
use crate::model::top::Top;
use crate::model::tracker::{Flow, Report};

/// What one export says: the report, and what surrounds it.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    /// UTC, RFC 3339 with milliseconds.
    pub time: &'a str,
    /// Throughput intervals that the rates cover: more than 1 where the reader could not keep up.
    pub intervals: u64,
    /// The numbers.
    pub report: &'a Report,
    /// The configuration in force.
    pub config: ConfigState<'a>,
    /// What the run may still do.
    pub privileges: &'a Privileges,
    /// Unit of rates where they are written for people.
    pub unit: Unit,
    /// The events to write with the flows; `None`: none were asked for.
    pub events: Option<&'a [Event]>,
    /// Thresholds, and the flows that violate them.
    pub alerts: &'a Alerts,
    /// The columns of a table for people; `None`: its own ones.
    pub columns: Option<&'a [&'static Column]>,
    /// Which flows are listed; `None`: all.
    pub top: Option<&'a Top>,
    /// How writing went so far; `None` for a single record.
    pub output: Option<OutputState>,
    /// How the export of flow records went so far, if there is one.
    pub ipfix: Option<ExportCounts>,
}

impl<'a> Record<'a> {
    /// The flows to list.
    fn flows(&self) -> impl Iterator<Item = &'a Flow> {
        let flows = self.report.flows.as_slice();
        let (all, some) = match self.top {
            None => (flows, [].as_slice()),
            Some(top) => ([].as_slice(), top.rows.as_slice()),
        };
        let listed = some.iter().map(|row| &flows[*row as usize]);
        all.iter().chain(listed)
    }
}

/// How it went with the records of a run.
#[derive(Debug, Clone, Copy, Default)]
pub struct OutputState {
    /// Times that there was no room to write.
    pub pauses: u64,
    /// Intervals without a record of their own: they are part of a later one.
    pub joined_intervals: u64,
}

/// Which configuration is in force.
#[derive(Debug, Clone, Copy, Default)]
pub struct ConfigState<'a> {
    /// The file, if one was read.
    pub path: Option<&'a str>,
    /// Counts the configurations that came into force; the first is 1.
    pub generation: u64,
    /// What is wrong with the file now.
    pub error: Option<&'a str>,
}

/// Writes records in one format.
pub trait Exporter {
    /// Writes one record.
    fn write(&self, record: &Record, out: &mut dyn Write) -> io::Result<()>;
}

/// A format by its name.
pub struct Format {
    /// The name, and the ending of a file.
    pub name: &'static str,
    /// Who writes it.
    pub exporter: &'static (dyn Exporter + Sync),
}

/// All formats.
pub static FORMATS: [Format; 3] = [
    Format {
        name: "json",
        exporter: &json::Json,
    },
    Format {
        name: "csv",
        exporter: &csv::Csv,
    },
    Format {
        name: "txt",
        exporter: &text::Text,
    },
];

/// The format of that name.
pub fn format(name: &str) -> Option<&'static Format> {
    FORMATS.iter().find(|format| format.name == name)
}
