//! A run without a screen: a record for each interval, and a last one for what was under way at the end.

use std::io;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::reload::Change;
use super::session::{Happening, Session};
use super::writer::Writer;
use crate::cli::{Exit, Failure};
use crate::export::{self, Exporter, Record};

/// How long a reader may stand still once somebody urges a run that has finished, and whose last record waits for it.
const STANDSTILL: Duration = Duration::from_secs(1);

/// Runs to the end of the session, or until the reader goes away. A reader that is slow does not hold up the counting:
/// its next record covers the intervals that it missed.
pub fn run(mut session: Session) -> Result<(), Failure> {
    let name = if session.arguments.output.json {
        "json"
    } else {
        "txt"
    };
    let exporter = export::format(name).map(|format| format.exporter);
    let exporter = exporter.ok_or_else(|| Failure::new(Exit::Failed, "no such format"))?;
    let outlet = session.outlet().try_clone();
    let mut writer = outlet.and_then(Writer::start).map_err(broken)?;
    loop {
        wait(&session);
        if !writer.look().map_err(broken)? {
            return Ok(());
        }
        session.hold_intervals(writer.is_busy());
        let mut happenings = session.pump();
        // An interval that closed at the very end of the run has its record before the last one.
        happenings.sort_by_key(|happening| matches!(happening, Happening::Stop));
        for happening in happenings {
            match happening {
                Happening::IntervalClosed(intervals) => {
                    session.judge();
                    writer.write(record(&session, intervals, exporter)?);
                }
                Happening::Stop => return end(session, writer, exporter),
                Happening::Reset => session.tracker.reset(),
                Happening::Notice(text)
                | Happening::Config(Change::Refused(text) | Change::Withdrawn(text)) => say(&text),
                Happening::Config(Change::Loaded(text)) => say(&format!("configuration: {text}")),
                Happening::Config(Change::Mended | Change::Unchanged)
                | Happening::Name(..)
                | Happening::Histograms(_) => {}
            }
        }
    }
}

/// Writes the last record. Where nobody reads, another signal ends the run without it. Some send each signal twice
/// (timeout(1) does): that alone takes the record from no reader that reads.
fn end(mut session: Session, mut writer: Writer, exporter: &dyn Exporter) -> Result<(), Failure> {
    let intervals = session.finish();
    session.judge();
    let mut last = Some(record(&session, intervals, exporter)?);
    loop {
        if !writer.look().map_err(broken)? {
            return Ok(());
        }
        if !writer.is_busy() {
            match last.take() {
                Some(record) => writer.write(record),
                None => return Ok(()),
            }
        }
        let is_read = writer.wait(STANDSTILL);
        if session.is_urged() && !is_read {
            return Err(broken(io::Error::other(
                "nobody reads, and the last record is lost",
            )));
        }
    }
}

fn broken(error: io::Error) -> Failure {
    Failure::new(Exit::Failed, format!("write to standard output: {error}"))
}

/// A line on standard error for each line of the text; nobody needs to be there to read it.
fn say(text: &str) {
    use std::io::Write;
    let mut errors = io::stderr().lock();
    for line in text.lines() {
        let _ = writeln!(errors, "flowtop: {line}");
    }
}

fn wait(session: &Session) {
    let timeout = PollTimeout::try_from(session.patience()).unwrap_or(PollTimeout::ZERO);
    let mut fds = [PollFd::new(session.wake(), PollFlags::POLLIN)];
    // Interrupted: the caller looks at everything anyway.
    let _ = poll(&mut fds, timeout);
}

fn record(session: &Session, intervals: u64, exporter: &dyn Exporter) -> Result<Vec<u8>, Failure> {
    let time = format!("{:.3}", jiff::Timestamp::now());
    let record = Record {
        time: &time,
        intervals,
        report: session.tracker.report(),
        config: session.reload.state(),
        privileges: &session.privileges,
        unit: session.reload.config().unit,
        events: None,
        alerts: &session.alerts,
    };
    let mut bytes = Vec::new();
    exporter.write(&record, &mut bytes).map_err(broken)?;
    Ok(bytes)
}
