//! One run: the sampler, the tracker, the configuration, the demo, and the clock that closes intervals.
//!
//! [`Session::pump`] says what happened; what to make of it is up to the dashboard or the headless run.

mod clock;
mod conclusion;
mod configured;
mod played;
mod publish;
mod recording;

use std::collections::VecDeque;
use std::net::IpAddr;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::checks::Checks;
use super::error::failure;
use super::export_folder::ExportFolder;
pub use super::happening::Happening;
use super::ipfix::Export;
use super::kept::Kept;
use super::launch::launch;
use super::metrics::Metrics;
use super::names::Resolver;
use super::names::answer::Answer;
use super::recorder::now_ns;
use super::reload::Reload;
use super::rights;
use super::sampler::Sampler;
use super::setup::{self, Timing};
use super::signals;
use super::updates::{Inlet, Update};
use super::waiting::Waiting;
use super::writer::Writer;
use crate::cli::{Arguments, Exit, Failure};
use crate::config::source::Surroundings;
use crate::demo::Demo;
use crate::model::alert::Alerts;
use crate::model::flow::FlowKey;
use crate::model::ipfix::ExportCounts;
use crate::model::privileges::Privileges;
use crate::model::snapshot::Snapshot;
use crate::model::tracker::{FlowTracker, Report};
use crate::probe::group;
use crate::probe::privileges::confine;
use crate::recording::Entry;
use clock::end_of;

/// The longest wait before the configuration and the clock are checked.
const LONGEST_WAIT: Duration = Duration::from_millis(500);

/// One run.
pub struct Session {
    /// The command line.
    arguments: Arguments,
    /// The numbers.
    tracker: FlowTracker,
    /// The configuration.
    reload: Reload,
    /// What its threads may still do.
    privileges: Privileges,
    /// Host names, if there is a screen.
    names: Option<Resolver>,
    /// The writer of records, if there is no screen.
    writer: Option<Writer>,
    /// Where keys write to, if there is a screen.
    exports: Option<ExportFolder>,
    /// Thresholds, if there is no screen: the dashboard has its own.
    alerts: Alerts,
    /// What is to be judged at the end.
    checks: Checks,
    /// The flow that the run waits for to begin.
    waiting: Option<Waiting>,
    metrics: Metrics,
    /// The export of flow records, if there is one.
    ipfix: Option<Export>,
    /// What there is to say of it when all has ended.
    farewell: Option<String>,
    /// A reset that was asked for last was carried out as the run ended.
    was_reset_at_end: bool,
    sampler: Sampler,
    /// Who keeps what is counted.
    kept: Kept,
    /// When the tracker last took something in, ns since 1970.
    time_ns: i64,
    demo: Option<Demo>,
    inlet: Inlet,
    /// What was received and is not handled yet: of a capture, readings that come after the one that is.
    received: VecDeque<Update>,
    /// What the configuration says; keys may have changed it since.
    configured: Timing,
    timing: Timing,
    refreshes: u32,
    holds_intervals: bool,
    ends: Option<Instant>,
    records_left: Option<u64>,
    /// A signal asked for the end once more.
    is_urged: bool,
}

impl Session {
    /// Does everything that can fail, before anything is shown.
    pub fn start(arguments: Arguments, surroundings: Surroundings) -> Result<Session, Failure> {
        confine::no_new_privileges().map_err(|error| failure("", &error))?;
        let identity = rights::identity(&surroundings, arguments.user.as_deref())?;
        let has_screen = !setup::wants_headless(&arguments);
        if has_screen {
            hold_stops()?;
        }
        let capture = setup::open_capture(&arguments)?;
        let (mut demo, opened) = setup::prepare(&arguments, &surroundings)?;
        let checks = Checks::of(&arguments, &opened.config, &surroundings, identity.as_ref())?;
        let timing = Timing::of(&opened.config);
        if has_screen {
            crate::terminal::check().map_err(|text| Failure::new(Exit::Failed, text))?;
        }
        let (outlet, inlet) = Inlet::pair().map_err(|e| io_failure("make a socket pair", &e))?;
        let signals = signals::catch().map_err(|e| io_failure("listen for signals", &e))?;
        let start = setup::start(&arguments, &opened.config, demo.as_ref(), capture);
        let open = || ExportFolder::open(&arguments.output.export_dir, identity.as_ref());
        let exports = has_screen.then(open).transpose()?;
        let keeps = rights::of_main(&surroundings, identity, &opened.config, exports.as_ref());
        let mut outputs = publish::outputs(&arguments, &opened.config, &surroundings, &outlet)?;
        outputs.to_keep = recording::open(&opened.config, &arguments, keeps.identity.as_ref())?;
        let launched = launch(start, keeps, outputs, &mut demo, signals, &outlet);
        let launched = launched.map_err(|error| failure("", &error))?;
        let began_ns = launched.sampler.began_ns;
        let mut tracker = publish::tracker(timing, began_ns, &opened.config);
        checks.begin(&mut tracker, &opened.config);
        Ok(Session {
            alerts: Alerts::new(opened.config.alerts.clone()),
            ends: end_of(&arguments, launched.sampler.began),
            waiting: Waiting::asked_for(&arguments.output),
            records_left: arguments.output.count,
            reload: Reload::new(
                opened,
                arguments.overrides.clone(),
                surroundings,
                arguments.demo && arguments.config.is_none(),
            ),
            arguments,
            tracker,
            privileges: launched.privileges,
            names: launched.names,
            writer: launched.writer,
            kept: launched.kept,
            time_ns: now_ns(),
            exports,
            checks,
            metrics: launched.metrics,
            ipfix: launched.ipfix,
            farewell: None,
            was_reset_at_end: false,
            sampler: launched.sampler,
            demo,
            inlet,
            received: VecDeque::new(),
            configured: timing,
            timing,
            refreshes: 0,
            holds_intervals: false,
            is_urged: false,
        })
    }

    /// The command line.
    pub fn arguments(&self) -> &Arguments {
        &self.arguments
    }

    /// Whether the run has no screen.
    pub fn is_headless(&self) -> bool {
        setup::wants_headless(&self.arguments)
    }

    /// The numbers.
    pub fn report(&self) -> &Report {
        self.tracker.report()
    }

    /// What its threads may still do.
    pub fn privileges(&self) -> &Privileges {
        &self.privileges
    }

    /// Thresholds and the flows beyond them, if there is no screen.
    pub fn alerts(&self) -> &Alerts {
        &self.alerts
    }

    /// Whether the run waits for a flow to begin.
    pub fn is_waiting(&self) -> bool {
        self.waiting.is_some()
    }

    /// Where keys write to, if there is a screen.
    pub fn exports(&self) -> Option<&ExportFolder> {
        self.exports.as_ref()
    }

    /// Hands over the writer of records, if there is no screen: once.
    pub fn take_writer(&mut self) -> Option<Writer> {
        self.writer.take()
    }

    /// The names of these addresses, which are all on the screen, that are known; asks for the others.
    pub fn recall_or_ask(&mut self, addresses: &[IpAddr]) -> Vec<(IpAddr, Arc<str>)> {
        let names = self.names.as_mut();
        names.map_or_else(Vec::new, |names| names.recall_or_ask(addresses))
    }

    /// How long to wait at most, unless [`wake`](Self::wake) becomes readable.
    pub fn patience(&self) -> Duration {
        if !self.received.is_empty() && !self.holds_intervals {
            return Duration::ZERO;
        }
        let left = |end: Instant| end.saturating_duration_since(Instant::now());
        let until_end = self.ends.map(left);
        [until_end, self.reload.next_check()]
            .into_iter()
            .flatten()
            .fold(LONGEST_WAIT, Duration::min)
    }

    /// Readable when there is something for [`pump`](Self::pump).
    pub fn wake(&self) -> BorrowedFd<'_> {
        self.inlet.as_fd()
    }

    /// Handles the updates of the other threads, and checks the configuration file and the clock. Of a capture one reading at a
    /// time, and none while intervals are held back: each interval is by itself, however fast they come.
    pub fn pump(&mut self) -> Vec<Happening> {
        let mut happenings = Vec::new();
        // The latest snapshot waits: if it ends an interval, both are handled at once.
        let mut latest = None;
        self.received.extend(self.inlet.receive());
        while let Some(update) = self.next_update(latest.is_some()) {
            self.count(latest.take(), 0);
            match update {
                Update::Snapshot { snapshot, periods } => {
                    latest = Some(snapshot);
                    self.refreshes = self.refreshes.saturating_add(periods);
                    happenings.push(Happening::Read);
                }
                Update::Played(last) => self.play_to_the_end(last, &mut happenings),
                Update::Assigned(number) => self.reload.confirm(number),
                Update::Unassigned(number, why) => happenings.push(self.withdraw(number, why)),
                Update::Ruled(version, rules) => self.set_rules(version, rules),
                Update::Name(address, answer) => happenings.extend(self.learn(address, answer)),
                Update::Notice(text) => happenings.push(Happening::Notice(text)),
                Update::Reset => happenings.push(Happening::Reset),
                Update::Zero => {
                    self.apply_entry(Entry::Reset);
                    happenings.push(Happening::Zero);
                    // An interval that ends behind it is told behind it.
                    if !self.holds_intervals {
                        break;
                    }
                }
                Update::Past(visit) => happenings.push(Happening::Past(visit)),
                Update::End { is_hang_up } => {
                    let is_end = |h: &Happening| matches!(h, Happening::End { .. });
                    self.is_urged |= happenings.iter().any(is_end);
                    happenings.push(Happening::End { is_hang_up });
                }
            }
        }
        if let Some(change) = self.reload.check() {
            self.count(latest.take(), 0);
            happenings.push(Happening::Config(self.apply(change)));
        }
        self.metrics.look_at_files(self.reload.surroundings());
        if let Some(notice) = self.waiting.as_mut().and_then(Waiting::announce) {
            happenings.push(Happening::Notice(notice));
        }
        if self.waiting.is_some() {
            self.count(latest.take(), 0);
            let begun = self
                .waiting
                .is_none()
                .then_some("the first such flow has come");
            happenings.extend(begun.map(|text| Happening::Notice(text.to_owned())));
        }
        let intervals = self.check_clock(&mut happenings);
        self.count(latest, intervals.unwrap_or(0));
        if intervals.is_some() {
            self.choose_series();
        }
        // It was over before a reset that came meanwhile, as a recording has it.
        let closed = intervals.map(Happening::IntervalClosed);
        closed.into_iter().chain(happenings).collect()
    }

    /// Counts a snapshot, if there is one, and ends so many intervals, as one.
    fn count(&mut self, snapshot: Option<Box<Snapshot>>, closes: u64) {
        match (snapshot, closes) {
            (Some(snapshot), 0) if self.waiting.is_some() => self.await_first(snapshot),
            (Some(snapshot), closes) => self.apply_entry(Entry::Snapshot { snapshot, closes }),
            (None, 0) => {}
            (None, closes) => self.apply_entry(Entry::Close(closes)),
        }
    }

    /// Hands on a reading that has been counted.
    fn hand_on(&self, snapshot: Box<Snapshot>) {
        match &self.ipfix {
            Some(export) => export.observe(snapshot, self.reload.config().flow_timeout),
            None => self.sampler.recycle(snapshot),
        }
    }

    /// How the export of flow records went so far, if there is one.
    pub fn ipfix_counts(&self) -> Option<ExportCounts> {
        self.ipfix.as_ref().map(Export::counts)
    }

    fn set_rules(&mut self, version: u8, rules: Vec<(Arc<str>, bool)>) {
        if let Some(export) = &self.ipfix {
            let names = rules.iter().map(|(name, _)| name.clone());
            export.set_rules(version, names.collect());
        }
        self.apply_entry(Entry::Rules(version, rules));
    }

    fn learn(&mut self, address: IpAddr, answer: Answer) -> Option<Happening> {
        let name = answer.name().cloned();
        if let Some(names) = &mut self.names {
            names.learn(address, answer);
        }
        name.map(|name| Happening::Name(address, name))
    }

    /// The loaded configuration cannot be put in force: restores the former one.
    fn withdraw(&mut self, number: u64, why: String) -> Happening {
        match self.reload.withdraw(number, why.clone()) {
            Some(change) => {
                self.reassign();
                Happening::Config(change)
            }
            None => Happening::Notice(why),
        }
    }

    /// Finds the flows that are beyond a threshold now.
    pub fn check_alerts(&mut self) {
        let rules = &self.reload.config().alerts;
        if rules != self.alerts.rules() {
            self.alerts.set_rules(rules.clone());
        }
        self.alerts.advance(self.tracker.report());
        self.kept.count_alerts(self.alerts.raised_now());
    }

    /// Sets all totals to zero, and begins histograms anew, as soon as what was counted up to now has been read:
    /// [`Happening::Zero`] tells of it.
    pub fn reset(&self) {
        self.sampler.reset();
    }

    /// Whether a reset that was asked for last was carried out as the run ended: nothing told of it.
    pub fn was_reset_at_end(&self) -> bool {
        self.was_reset_at_end
    }

    /// Keeps histograms of these flows from here on.
    pub fn focus(&self, keys: Vec<FlowKey>) {
        self.sampler.focus(keys);
    }

    /// Describes an error of writing a file.
    pub fn explain(&self, error: &anyhow::Error) -> String {
        rights::explain(error, &self.privileges, rights::ANOTHER_FOLDER)
    }
}

/// Until the screen is there.
fn hold_stops() -> Result<(), Failure> {
    let held = crate::terminal::hold_stops().and_then(|()| group::prepare_to_stop());
    held.map_err(|e| io_failure("hold SIGTSTP back", &e))
}

fn io_failure(what: &str, error: &std::io::Error) -> Failure {
    Failure::new(Exit::Failed, format!("{what}: {error}"))
}
