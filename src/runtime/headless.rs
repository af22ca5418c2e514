//! A run without a screen: a record for each interval, and a last one for the unfinished interval at the end.

use std::io::{self, Write};
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::listing::Listing;
use super::reload::ReloadOutcome;
use super::session::{Happening, Session};
use super::sink::Destination;
use super::writer::Writer;
use crate::cli::{Exit, Failure};
use crate::export::{self, Exporter, OutputState, Record};
use crate::model::harmless::harmless;

/// How long a finished run waits for a reader to move on, once a signal urges it.
const STANDSTILL: Duration = Duration::from_secs(1);

/// Runs to the end of the session, or until the reader goes away. A slow reader or a full disk does not hold up the
/// counting: the next record covers the missed intervals.
pub fn run(mut session: Session) -> Result<(), Failure> {
    let name = if session.arguments().output.json {
        "json"
    } else {
        "txt"
    };
    let exporter = export::format(name).map(|format| format.exporter);
    let exporter = exporter.ok_or_else(|| Failure::new(Exit::Failed, "no such format"))?;
    let destination = Destination::of(&session.arguments().output);
    let writer = session.take_writer();
    let writer = writer.ok_or_else(|| broken(&destination, &"there is no thread for it"))?;
    let output = &session.arguments().output;
    let sort = session.arguments().overrides.sort;
    let listing = Listing::new(output.filter.as_deref(), output.top, sort);
    let mut headless = Headless {
        session,
        destination,
        writer,
        exporter,
        listing,
        joined: 0,
        is_paused: false,
    };
    let ended = headless.run();
    headless.conclude(ended)
}

struct Headless {
    session: Session,
    /// Where records are written.
    destination: Destination,
    writer: Writer,
    exporter: &'static dyn Exporter,
    /// Which flows are listed.
    listing: Listing,
    /// The number of intervals without a record of their own.
    joined: u64,
    /// Whether writing waits for room, which has been reported.
    is_paused: bool,
}

impl Headless {
    fn run(&mut self) -> Result<(), Failure> {
        loop {
            wait(&self.session);
            if !self.check_writer()? {
                return Ok(());
            }
            self.session.hold_intervals(self.writer.is_busy());
            let mut happenings = self.session.pump();
            // What came with the end of the run is told before it.
            let is_last = |happening: &Happening| {
                matches!(happening, Happening::End { .. } | Happening::Played)
            };
            happenings.sort_by_key(is_last);
            for happening in happenings {
                match happening {
                    Happening::IntervalClosed(intervals) => self.write(intervals)?,
                    Happening::End { .. } | Happening::Played => return self.end(),
                    Happening::Reset => self.session.reset(),
                    Happening::Notice(text)
                    | Happening::Config(
                        ReloadOutcome::Refused(text) | ReloadOutcome::Withdrawn(text),
                    ) => {
                        say(&text);
                    }
                    Happening::Config(ReloadOutcome::Loaded(text)) => {
                        say(&format!("configuration: {text}"));
                    }
                    Happening::Config(ReloadOutcome::Mended | ReloadOutcome::Unchanged)
                    | Happening::Name(..)
                    | Happening::Past(_)
                    | Happening::Read
                    | Happening::Zero => {}
                }
            }
            self.session.publish(None);
        }
    }

    /// Checks what became of the record under way, and says once that there is no room, and that there is room again;
    /// false if the reader has gone.
    fn check_writer(&mut self) -> Result<bool, Failure> {
        let destination = &self.destination;
        let checked = self.writer.check();
        match (self.writer.full(), self.is_paused) {
            (Some(error), false) => say(&format!(
                "write to {destination}: {error} (counting goes on; what follows waits for room)"
            )),
            (None, true) => say(&format!("write to {destination}: there is room again")),
            _ => {}
        }
        self.is_paused = self.writer.full().is_some();
        checked.map_err(|error| broken(destination, &error))
    }

    fn write(&mut self, intervals: u64) -> Result<(), Failure> {
        let record = self.record(intervals)?;
        self.writer.write(record);
        Ok(())
    }

    /// Writes the last record. It does not wait for room, and if nobody reads, another signal ends the run without it.
    /// Some senders send each signal twice (timeout(1) does): that must not cost an active reader the record.
    fn end(&mut self) -> Result<(), Failure> {
        let intervals = self.session.finish();
        let mut last = Some(self.record(intervals)?);
        let attempts = self.writer.attempts();
        loop {
            if !self.check_writer()? {
                return Ok(());
            }
            if let Some(error) = self.writer.full()
                && self.writer.attempts() > attempts
            {
                let why = format!("{error}, and the last records are lost");
                return Err(broken(&self.destination, &why));
            }
            if !self.writer.is_busy() {
                match last.take() {
                    Some(record) => self.writer.write(record),
                    None => return Ok(()),
                }
            }
            let is_read = self.writer.wait(STANDSTILL);
            if self.session.is_urged() && !is_read {
                let why = "nobody reads, and the last record is lost";
                return Err(broken(&self.destination, &why));
            }
        }
    }

    /// What checks came to goes where no records do.
    fn conclude(self, ended: Result<(), Failure>) -> Result<(), Failure> {
        let mut out: Box<dyn Write> = match self.destination.file() {
            Some(_) => Box::new(crate::terminal::output()),
            None => Box::new(io::stderr()),
        };
        self.session.conclude(ended, |line| {
            // Whether anybody reads it or not.
            let _ = writeln!(out, "{}", harmless(line));
        })
    }

    fn record(&mut self, intervals: u64) -> Result<Vec<u8>, Failure> {
        self.session.check_alerts();
        self.joined += intervals.saturating_sub(1);
        let session = &self.session;
        let look = &session.config().appearance;
        let (report, alerts) = (session.report(), session.alerts());
        let top = self.listing.top(report, alerts, look.sort, look.unit);
        let columns = &session.arguments().overrides.columns;
        let record = Record {
            time: &format!("{:.3}", session.time()),
            intervals,
            report,
            config: session.config_state(),
            privileges: session.privileges(),
            unit: look.unit,
            events: None,
            alerts,
            columns: columns.as_ref().map(|chosen| &*chosen.0),
            top: top.as_ref(),
            output: Some(OutputState {
                pauses: self.writer.pauses(),
                joined_intervals: self.joined,
            }),
            ipfix: session.ipfix_counts(),
        };
        let mut bytes = Vec::new();
        let written = self.exporter.write(&record, &mut bytes);
        written.map_err(|error| broken(&self.destination, &error))?;
        Ok(bytes)
    }
}

fn broken(destination: &Destination, error: &dyn std::fmt::Display) -> Failure {
    Failure::new(Exit::Failed, format!("write to {destination}: {error}"))
}

/// Writes the lines of a text to standard error, whether anybody reads them or not.
fn say(text: &str) {
    let mut errors = io::stderr().lock();
    for line in text.lines() {
        let _ = writeln!(errors, "flowtop: {}", harmless(line));
    }
}

fn wait(session: &Session) {
    let timeout = PollTimeout::try_from(session.patience()).unwrap_or(PollTimeout::ZERO);
    let mut fds = [PollFd::new(session.wake(), PollFlags::POLLIN)];
    // If interrupted, the caller checks everything anyway.
    let _ = poll(&mut fds, timeout);
}
