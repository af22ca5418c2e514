//! The records of a span of a recording, on standard output.

use std::io::{self, BufWriter, ErrorKind, Stdout, Write};

use jiff::Timestamp;

use crate::cli::{ColumnList, Exit, Failure, Replay};
use crate::config::Config;
use crate::export::{self, ConfigState, Exporter, Record};
use crate::model::alert::Alerts;
use crate::model::privileges::Privileges;
use crate::model::tracker::Report;
use crate::runtime::listing::Listing;
use crate::terminal::{self, Patient};

/// Where they go, and what they list.
pub struct Records {
    listing: Listing,
    exporter: &'static dyn Exporter,
    out: BufWriter<Patient<Stdout>>,
    privileges: Privileges,
    columns: Option<ColumnList>,
    written: u64,
}

impl Records {
    /// Those that the command line asks for, if it does.
    pub fn asked_for(
        arguments: &Replay,
        privileges: Privileges,
    ) -> Result<Option<Records>, Failure> {
        let name = match (arguments.json, arguments.text) {
            (true, _) => "json",
            (false, true) => "txt",
            (false, false) => return Ok(None),
        };
        let exporter = export::format(name).map(|format| format.exporter);
        let exporter = exporter.ok_or_else(|| Failure::new(Exit::Failed, "no such format"))?;
        let filter = arguments.filter.as_deref();
        Ok(Some(Records {
            listing: Listing::new(filter, arguments.top, arguments.sort),
            exporter,
            columns: arguments.columns.clone(),
            out: BufWriter::new(terminal::output()),
            privileges,
            written: 0,
        }))
    }

    /// Writes one, of this moment, ns since 1970, and of so many intervals.
    pub fn write(
        &mut self,
        (wall_ns, intervals): (i64, u64),
        report: &Report,
        config: &Config,
        alerts: &Alerts,
    ) -> io::Result<()> {
        let look = &config.appearance;
        let top = self.listing.top(report, alerts, look.sort, look.unit);
        let time = Timestamp::from_nanosecond(wall_ns.into()).unwrap_or_default();
        let record = Record {
            time: &format!("{time:.3}"),
            intervals,
            report,
            config: ConfigState::default(),
            privileges: &self.privileges,
            unit: look.unit,
            events: None,
            alerts,
            columns: self.columns.as_ref().map(|chosen| &*chosen.0),
            top: top.as_ref(),
            output: None,
            ipfix: None,
        };
        self.written += 1;
        self.exporter.write(&record, &mut self.out)
    }

    /// How many were.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Writes what is left to write.
    pub fn end(mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// What an error of writing means; a reader that went away is none.
pub fn failure(error: &io::Error) -> Option<Failure> {
    let text = format!("write to standard output: {error}");
    let is_one = error.kind() != ErrorKind::BrokenPipe;
    is_one.then(|| Failure::new(Exit::Failed, text))
}
