//! A recording, shown or said again: a tracker takes in again what the run's tracker took in.

mod dashboard;
mod segments;
mod span;

use std::io::{self, BufWriter, ErrorKind, StdoutLock, Write};
use std::path::Path;

use jiff::Timestamp;

pub use self::segments::Segments;
use super::listing::Listing;
use super::rights;
use crate::cli::{Exit, Failure, Moment, Replay};
use crate::config::Config;
use crate::export::{self, ConfigState, Exporter, Record};
use crate::model::alert::Alerts;
use crate::model::harmless::harmless;
use crate::model::privileges::Privileges;
use crate::model::tracker::FlowTracker;
use crate::probe::interfaces::display_name;
use crate::probe::privileges::confine;
use crate::recording::{Entry, Event, Reader, SegmentName};

/// Shows the recording on a screen, or writes the records of a span of it to standard output.
pub fn run(arguments: &Replay) -> Result<(), Failure> {
    confine::no_new_privileges().map_err(|error| about(&arguments.folder, Exit::Failed, error))?;
    let now = Timestamp::now();
    let when = |it: &Option<Moment>| -> Result<Option<i64>, Failure> {
        let moment = it.map(|it| it.at(now)).transpose();
        let moment = moment.map_err(|text| Failure::new(Exit::Usage, text))?;
        Ok(moment.map(|moment| moment.as_nanosecond() as i64))
    };
    let (at, from, to) = (
        when(&arguments.at)?,
        when(&arguments.from)?,
        when(&arguments.to)?,
    );
    let opened = Segments::open(&arguments.folder);
    let (segments, owner) = opened.map_err(|error| about(&arguments.folder, Exit::Usage, error))?;
    if !arguments.json && !arguments.text {
        if from.or(to).is_some() || arguments.top.is_some() {
            let text =
                "command line: --from, --to and --top need --json or --text (the dashboard: --at)";
            return Err(Failure::new(Exit::Usage, text));
        }
        return dashboard::run(arguments, at, segments, owner);
    }
    let span = (from.unwrap_or(i64::MIN), to.unwrap_or(i64::MAX));
    write_records(arguments, span, &segments, owner)
}

/// Writes the records of a span, ns since 1970. What cannot be read is told, and the rest is written all the same.
fn write_records(
    arguments: &Replay,
    span: (i64, i64),
    segments: &Segments,
    owner: u32,
) -> Result<(), Failure> {
    let name = if arguments.json { "json" } else { "txt" };
    let exporter = export::format(name).map(|format| format.exporter);
    let exporter = exporter.ok_or_else(|| Failure::new(Exit::Failed, "no such format"))?;
    let privileges = rights::become_reader(&arguments.folder, owner)
        .map_err(|error| about(&arguments.folder, Exit::Failed, format!("{error:#}")))?;
    let all = list(&arguments.folder, segments)?;
    let mut player = Player {
        folder: &arguments.folder,
        listing: Listing::new(arguments.filter.as_deref(), arguments.top, arguments.sort),
        exporter,
        out: BufWriter::new(io::stdout().lock()),
        privileges,
        span,
        reader: Reader::default(),
        tracker: None,
        config: Config::default(),
        alerts: Alerts::new(Vec::new()),
        is_damaged: false,
    };
    let played = player
        .play(segments, &all)
        .and_then(|()| player.out.flush());
    match played {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        Err(error) => {
            let text = format!("write to standard output: {error}");
            Err(Failure::new(Exit::Failed, text))
        }
        Ok(()) if player.is_damaged => {
            let text = "not all of the recording could be read";
            Err(about(&arguments.folder, Exit::Failed, text))
        }
        Ok(()) => Ok(()),
    }
}

/// All segments, of which there has to be one.
fn list(folder: &Path, segments: &Segments) -> Result<Vec<SegmentName>, Failure> {
    let listed = segments.list();
    let all = listed.map_err(|error| about(folder, Exit::Failed, error))?;
    match all.is_empty() {
        true => {
            let text = "there is no recording (record one: flowtop --record DIR)";
            Err(about(folder, Exit::Usage, text))
        }
        false => Ok(all),
    }
}

fn about(folder: &Path, code: Exit, why: impl std::fmt::Display) -> Failure {
    let name = display_name(folder.as_os_str());
    Failure::new(code, format!("replay {name}: {why}"))
}

/// One segment after another goes through the same model as when it was recorded.
struct Player<'a> {
    folder: &'a Path,
    listing: Listing,
    exporter: &'static dyn Exporter,
    out: BufWriter<StdoutLock<'static>>,
    privileges: Privileges,
    /// From when to when there are records, ns since 1970.
    span: (i64, i64),
    reader: Reader,
    tracker: Option<Box<FlowTracker>>,
    /// That of the recording.
    config: Config,
    alerts: Alerts,
    is_damaged: bool,
}

impl Player<'_> {
    fn play(&mut self, segments: &Segments, all: &[SegmentName]) -> io::Result<()> {
        for name in &span::needed(segments, all, self.span) {
            let read = segments.read(name).map_err(|error| error.to_string());
            let opened = read.and_then(|bytes| match self.reader.open(&bytes) {
                Ok(_) => Ok(bytes),
                Err(error) => Err(error.to_string()),
            });
            match opened {
                Ok(bytes) => self.play_segment(name, &bytes)?,
                Err(why) => self.warn(name, &why, true),
            }
        }
        Ok(())
    }

    fn play_segment(&mut self, name: &SegmentName, bytes: &[u8]) -> io::Result<()> {
        while let Some(event) = self.reader.next(bytes) {
            match event {
                Event::Begin {
                    tracker, missed, ..
                } => {
                    self.tracker = Some(tracker);
                    self.alerts = Alerts::new(Vec::new());
                    let config = self.reader.config().map(str::to_owned);
                    self.configure(config.as_deref());
                    if missed > 0 {
                        let text = format!("{missed} readings before this found no room");
                        self.warn(name, &text, false);
                    }
                }
                Event::Entry { wall_ns, entry } => self.take_in(wall_ns, &entry)?,
                Event::Damage { at, why } => {
                    let text = format!("at byte {at}: {why} (what can be read behind it is)");
                    self.warn(name, &text, true);
                }
                Event::CutOff { at } => {
                    let text = format!("ends in the middle of a frame, at byte {at}");
                    self.warn(name, &text, false);
                    break;
                }
            }
        }
        Ok(())
    }

    fn take_in(&mut self, wall_ns: i64, entry: &Entry) -> io::Result<()> {
        let Some(tracker) = &mut self.tracker else {
            return Ok(());
        };
        entry.apply(tracker);
        match entry {
            Entry::Config(text) => self.configure(Some(text)),
            entry if entry.closes() > 0 => self.write(wall_ns, entry.closes())?,
            _ => {}
        }
        Ok(())
    }

    /// Takes over thresholds and units of the run; what a newer flowtop wrote in it may be unknown.
    fn configure(&mut self, text: Option<&str>) {
        let loaded = text.map(|text| Config::load(text, "the recording's configuration"));
        self.config = loaded.and_then(Result::ok).unwrap_or_default();
        if *self.alerts.rules() != self.config.alerts {
            self.alerts = Alerts::new(self.config.alerts.clone());
        }
    }

    fn write(&mut self, wall_ns: i64, intervals: u64) -> io::Result<()> {
        let Some(tracker) = &self.tracker else {
            return Ok(());
        };
        let report = tracker.report();
        // They look at how long something lasts, so also before the span.
        self.alerts.advance(report);
        if wall_ns < self.span.0 || wall_ns > self.span.1 {
            return Ok(());
        }
        let look = &self.config.appearance;
        let top = self.listing.top(report, &self.alerts, look.sort, look.unit);
        let time = Timestamp::from_nanosecond(wall_ns.into()).unwrap_or_default();
        let record = Record {
            time: &format!("{time:.3}"),
            intervals,
            report,
            config: ConfigState::default(),
            privileges: &self.privileges,
            unit: look.unit,
            events: None,
            alerts: &self.alerts,
            top: top.as_ref(),
            output: None,
            ipfix: None,
        };
        self.exporter.write(&record, &mut self.out)
    }

    /// Says what is wrong with a segment.
    fn warn(&mut self, name: &SegmentName, text: &str, is_damage: bool) {
        self.is_damaged |= is_damage;
        let line = about(self.folder, Exit::Failed, format!("{name}: {text}"));
        let _ = writeln!(io::stderr(), "{}", harmless(&line.to_string()));
    }
}
