//! Goes through a span of a recording without a screen: one segment after another goes through the same model as when it was
//! recorded.

use std::io::{self, Write};
use std::ops::ControlFlow;
use std::path::Path;

use jiff::Timestamp;

use super::judgement::Judgement;
use super::records::{self, Records};
use super::segments::Segments;
use super::{about, list, span};
use crate::cli::{Exit, Failure, Replay};
use crate::config::Config;
use crate::model::alert::Alerts;
use crate::model::harmless::harmless;
use crate::model::privileges::Privileges;
use crate::model::tracker::FlowTracker;
use crate::recording::{Entry, Event, Reader, SegmentName};
use crate::runtime::checks::Checks;
use crate::runtime::metrics::{Metrics, replayed};
use crate::runtime::past::{lead_ns, recorded_config};
use crate::runtime::rights;
use crate::runtime::updates::Inlet;

/// The state of a replay without a screen.
pub struct Player<'a> {
    folder: &'a Path,
    /// From when to when there are records, ns since 1970.
    span: (i64, i64),
    reader: Reader,
    run: u64,
    /// Whose reports records and metrics are made of, where there are such.
    tracker: Option<Box<FlowTracker>>,
    /// A run was found.
    is_begun: bool,
    /// That of the recording.
    config: Config,
    alerts: Alerts,
    records: Option<Records>,
    has_records: bool,
    /// Nobody reads them any more, or they cannot be written.
    is_unread: bool,
    metrics: Option<Metrics>,
    judgement: Option<Judgement>,
    /// Checks are those of the recording.
    finds_checks: bool,
    is_damaged: bool,
    /// Why there are no more records.
    failure: Option<Failure>,
}

/// Whether it goes on.
type Going = Result<ControlFlow<()>, Failure>;

impl Player<'_> {
    /// Starts what there is to start, and gives up all rights but to read the folder of this owner.
    pub fn start(
        arguments: &Replay,
        checks: Checks,
        span: (i64, i64),
        owner: u32,
    ) -> Result<Player<'_>, Failure> {
        let folder = arguments.folder.as_path();
        let failed = |error: anyhow::Error| about(folder, Exit::Failed, format!("{error:#}"));
        let identity = rights::reader(owner).map_err(failed)?;
        let (outlet, _) = Inlet::pair().map_err(|error| failed(error.into()))?;
        let served = replayed::serve(arguments.listen, identity.clone(), outlet)?;
        let (metrics, its_own) = served.unzip();
        let privileges = rights::become_reader(folder, identity).map_err(failed)?;
        let privileges = its_own.into_iter().fold(privileges, Privileges::and);
        let records = Records::asked_for(arguments, privileges)?;
        Ok(Player {
            folder,
            span,
            reader: Reader::default(),
            run: 0,
            tracker: None,
            is_begun: false,
            config: Config::default(),
            alerts: Alerts::new(Vec::new()),
            has_records: records.is_some(),
            is_unread: false,
            records,
            metrics,
            judgement: Some(Judgement::new(checks, span)),
            finds_checks: arguments.checks.is_empty(),
            is_damaged: false,
            failure: None,
        })
    }

    /// Goes through the span. What cannot be read is told, and the rest is there all the same.
    pub fn play(mut self, segments: &Segments) -> Result<(), Failure> {
        let all = list(self.folder, segments)?;
        self.play_span(segments, &all)?;
        if !self.is_begun {
            // Nothing of the span was recorded: that is so of the checks of the recording as well.
            let latest = latest_config(segments, &all);
            self.configure(latest.as_deref());
            self.find_checks()?;
        }
        self.tell_of_nothing(&all);
        if let Some(Err(error)) = self.records.take().map(Records::end) {
            self.end_records(&error);
        }
        let is_asked = self.is_asked();
        // What checks came to is told however the rest ended, which decides.
        let judged = self.conclude();
        if let Some(failure) = self.failure {
            return Err(failure);
        }
        if self.is_damaged && is_asked {
            let text = "not all of the recording could be read";
            return Err(about(self.folder, Exit::Failed, text));
        }
        judged
    }

    /// Says so where records are asked for and there is none: a time that is mistyped looks like a night without traffic.
    fn tell_of_nothing(&self, all: &[SegmentName]) {
        let is_empty = self.records.as_ref().is_some_and(|it| it.written() == 0);
        if let (true, Some(first)) = (is_empty, all.first()) {
            let began = Timestamp::from_millisecond(first.began_ms as i64).unwrap_or_default();
            let text = format!("no interval ended then; the recording begins at {began:.0}");
            self.say(&text);
        }
    }

    /// Whether anybody wants to know how it goes on: checks are judged over all of the span, whoever reads its records.
    fn is_asked(&self) -> bool {
        self.judgement.is_some() || !self.is_unread
    }

    fn end_records(&mut self, error: &io::Error) {
        (self.records, self.is_unread) = (None, true);
        self.failure = records::failure(error);
    }

    /// What checks came to goes where no records do.
    fn conclude(&mut self) -> Result<(), Failure> {
        let Some(judgement) = self.judgement.take() else {
            return Ok(());
        };
        let mut out: Box<dyn Write> = match self.has_records {
            true => Box::new(io::stderr()),
            false => Box::new(crate::terminal::output()),
        };
        judgement.conclude(self.config.appearance.unit, |line| {
            // Whether anybody reads it or not.
            let _ = writeln!(out, "{}", harmless(line));
        })
    }

    fn play_span(&mut self, segments: &Segments, all: &[SegmentName]) -> Result<(), Failure> {
        // What a run looks back its settings tell; its latest ones are as good as any.
        let lead_of = |run: &[SegmentName]| {
            lead_ns(&recorded_config(latest_config(segments, run).as_deref()))
        };
        for name in &span::needed(segments, all, self.span, lead_of) {
            let read = segments.read(name).map_err(|error| error.to_string());
            let opened = read.and_then(|bytes| match self.reader.open(&bytes) {
                Ok(header) => Ok((header.run, bytes)),
                Err(error) => Err(error.to_string()),
            });
            match opened {
                Ok((run, bytes)) => {
                    self.run = run;
                    if self.play_segment(name, &bytes)?.is_break() {
                        break;
                    }
                }
                Err(why) => self.damage(name, &why),
            }
        }
        Ok(())
    }

    fn play_segment(&mut self, name: &SegmentName, bytes: &[u8]) -> Going {
        while let Some(event) = self.reader.next(bytes) {
            match event {
                Event::Begin {
                    wall_ns,
                    tracker,
                    missed,
                } => {
                    if missed > 0 {
                        let text = format!("{missed} readings before this found no room");
                        self.warn(name, &text);
                        let judgement = self.judgement.iter_mut();
                        judgement.for_each(Judgement::damage);
                    }
                    self.begin(name, wall_ns, tracker)?;
                }
                Event::Entry { wall_ns, entry } => {
                    if self.apply_entry(wall_ns, &entry).is_break() {
                        return Ok(ControlFlow::Break(()));
                    }
                }
                Event::Damage { at, why } => {
                    let text = format!("at byte {at}: {why} (what can be read behind it is)");
                    self.damage(name, &text);
                }
                Event::CutOff { at } => {
                    let text = format!("ends in the middle of a frame, at byte {at}");
                    self.warn(name, &text);
                    break;
                }
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    fn begin(
        &mut self,
        name: &SegmentName,
        wall_ns: i64,
        tracker: Box<FlowTracker>,
    ) -> Result<(), Failure> {
        self.alerts = Alerts::new(Vec::new());
        let config = self.reader.config().map(str::to_owned);
        self.configure(config.as_deref());
        match std::mem::replace(&mut self.is_begun, true) {
            false => self.find_checks()?,
            true => self.compare_checks(name),
        }
        let is_judged_alone = self.records.is_none() && self.metrics.is_none();
        self.tracker = match &mut self.judgement {
            Some(judgement) if is_judged_alone => {
                judgement.begin(self.run, wall_ns, tracker);
                None
            }
            Some(judgement) => {
                if let Some(beside) = self.reader.beside(&tracker) {
                    judgement.begin(self.run, wall_ns, Box::new(beside));
                }
                Some(tracker)
            }
            None => Some(tracker),
        };
        Ok(())
    }

    /// There are checks from here on, or there are none.
    fn find_checks(&mut self) -> Result<(), Failure> {
        if let Some(judgement) = &mut self.judgement
            && !judgement.find_checks(&self.config)?
        {
            self.judgement = None;
        }
        Ok(())
    }

    /// A run with other checks is told, where the checks are those of the recording.
    fn compare_checks(&self, name: &SegmentName) {
        let judged = self.judgement.as_ref().filter(|_| self.finds_checks);
        let is_other = match judged {
            Some(judgement) => !judgement.has_checks_of(&self.config),
            None => self.finds_checks && !self.config.checks.is_empty(),
        };
        if is_other {
            let text = "ASSERT is another one here than at the beginning, where it was taken from (--assert chooses)";
            self.warn(name, text);
        }
    }

    fn apply_entry(&mut self, wall_ns: i64, entry: &Entry) -> ControlFlow<()> {
        if let Some(judgement) = &mut self.judgement {
            judgement.apply_entry(wall_ns, entry, &self.config);
        }
        let is_in_span = (self.span.0..=self.span.1).contains(&wall_ns);
        if let Some(tracker) = &mut self.tracker {
            if is_in_span && self.metrics.is_some() && !tracker.meter().0.is_on() {
                replayed::begin(tracker, &self.config);
            }
            entry.apply(tracker);
        }
        match entry {
            Entry::Config(text) => self.configure(Some(text)),
            entry if entry.closes() > 0 => return self.close(wall_ns, is_in_span, entry.closes()),
            _ => {}
        }
        ControlFlow::Continue(())
    }

    /// Takes over thresholds and units of the run.
    fn configure(&mut self, text: Option<&str>) {
        self.config = recorded_config(text);
        if *self.alerts.rules() != self.config.alerts {
            self.alerts.set_rules(self.config.alerts.clone());
        }
        if let Some(tracker) = &mut self.tracker {
            replayed::configure(tracker, &self.config);
        }
    }

    /// An interval is over.
    fn close(&mut self, wall_ns: i64, is_in_span: bool, intervals: u64) -> ControlFlow<()> {
        let Some(tracker) = &mut self.tracker else {
            return ControlFlow::Continue(());
        };
        // They look at how long something lasts, so also before the span.
        self.alerts.advance(tracker.report());
        if !is_in_span {
            return ControlFlow::Continue(());
        }
        if let Some(metrics) = &mut self.metrics {
            replayed::choose(tracker);
            if metrics.is_due(tracker.report().taken_ns) {
                let page = replayed::page(tracker, &self.alerts);
                page.into_iter().for_each(|page| metrics.publish(page));
            }
        }
        let Some(records) = &mut self.records else {
            return ControlFlow::Continue(());
        };
        let of = (wall_ns, intervals);
        let written = records.write(of, tracker.report(), &self.config, &self.alerts);
        if let Err(error) = written {
            self.end_records(&error);
        }
        match self.is_asked() {
            true => ControlFlow::Continue(()),
            false => ControlFlow::Break(()),
        }
    }

    /// Says what of a segment cannot be read.
    fn damage(&mut self, name: &SegmentName, text: &str) {
        self.is_damaged = true;
        self.judgement.iter_mut().for_each(Judgement::damage);
        self.warn(name, text);
    }

    /// Says what is wrong with a segment.
    fn warn(&self, name: &SegmentName, text: &str) {
        self.say(&format!("{name}: {text}"));
    }

    fn say(&self, text: &str) {
        let line = about(self.folder, Exit::Failed, text);
        let _ = writeln!(io::stderr(), "{}", harmless(&line.to_string()));
    }
}

/// The configuration that the latest of these segments begins with.
fn latest_config(segments: &Segments, names: &[SegmentName]) -> Option<String> {
    let config_of = |name| {
        let bytes = segments.read(name).ok()?;
        let mut reader = Reader::default();
        reader.open(&bytes).ok()?;
        let begun = matches!(reader.next(&bytes)?, Event::Begin { .. });
        reader.config().filter(|_| begun).map(str::to_owned)
    };
    names.iter().rev().find_map(config_of)
}
