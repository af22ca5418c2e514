//! A run without a screen: a record for each interval, and a last one for what was under way at the end.

use std::io::{self, BufWriter, ErrorKind, Write};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::reload::Change;
use super::session::{Happening, Session};
use crate::cli::{Exit, Failure};
use crate::export::{self, Exporter, Record};

/// Runs to the end of the session, or until the reader goes away.
pub fn run(mut session: Session) -> Result<(), Failure> {
    let name = if session.arguments.output.json {
        "json"
    } else {
        "txt"
    };
    let exporter = export::format(name).map(|format| format.exporter);
    let exporter = exporter.ok_or_else(|| Failure::new(Exit::Failed, "no such format"))?;
    let mut out = BufWriter::new(io::stdout());
    loop {
        wait(&session);
        for happening in session.pump() {
            match happening {
                Happening::IntervalClosed(intervals) => {
                    session.judge();
                    if !write(&session, intervals, exporter, &mut out)? {
                        return Ok(());
                    }
                }
                Happening::Stop => {
                    let intervals = session.finish();
                    session.judge();
                    write(&session, intervals, exporter, &mut out)?;
                    return Ok(());
                }
                Happening::Reset => session.tracker.reset(),
                Happening::Notice(text) | Happening::Config(Change::Refused(text)) => say(&text),
                Happening::Config(Change::Loaded(text)) => say(&format!("configuration: {text}")),
                Happening::Config(Change::Mended | Change::Unchanged)
                | Happening::Name(..)
                | Happening::Histograms(_) => {}
            }
        }
    }
}

/// A line on standard error for each line of the text; nobody needs to be there to read it.
fn say(text: &str) {
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

/// Returns whether there is still a reader.
fn write(
    session: &Session,
    intervals: u64,
    exporter: &dyn Exporter,
    out: &mut impl Write,
) -> Result<bool, Failure> {
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
    let written = exporter.write(&record, out).and_then(|()| out.flush());
    match written {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(Failure::new(
            Exit::Failed,
            format!("write to standard output: {error}"),
        )),
    }
}
