//! A way through a recording, one interval after the other: a tracker takes in again what the run's tracker took in, and
//! events and alerts are found as they were found then.

mod ahead;
mod metered;

use std::collections::VecDeque;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use self::ahead::Ahead;
use super::recorded_config;
use super::source::Source;
use crate::app::{Journal, Moment};
use crate::config::Config;
use crate::model::event::{EventKind, TimeOfDay};
use crate::model::past::Place;
use crate::model::tracker::FlowTracker;
use crate::recording::{Entry, Event, HEADER, Reader, SegmentName};
use crate::runtime::metrics::replayed;

/// Ends of intervals that are remembered.
const MOST_CLOSINGS: usize = 4096;

/// Where in a recording the end of an interval is. In order by time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Spot {
    /// In which segment.
    pub segment: SegmentName,
    byte: usize,
}

/// The end of an interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Closing {
    /// Where it is.
    pub spot: Spot,
    /// When it was, ns since 1970.
    pub wall_ns: i64,
    /// When it began, as far as that is known.
    pub from_ns: i64,
    /// Flows lost something in it.
    pub is_losing: bool,
    /// Alerts that were raised in it.
    pub alerts: u32,
    /// Losses began in it, or an alert was raised.
    pub is_event: bool,
}

/// A way that began somewhere and came somewhere.
pub struct Course {
    reader: Reader,
    segment: SegmentName,
    /// What was read of the segment, and where in it that begins.
    bytes: Vec<u8>,
    first: usize,
    ahead: Ahead,
    tracker: Option<Box<FlowTracker>>,
    /// When the key frame was made that it began at, ns since 1970.
    began_ns: Option<i64>,
    journal: Journal,
    config: Arc<Config>,
    zone: TimeZone,
    /// The intervals so far, the latest last.
    closings: VecDeque<Closing>,
    was_losing: bool,
    /// An interval ended since reading began.
    is_begun: bool,
    /// Nobody asks what happened on the way.
    is_hurried: bool,
    /// Metrics count what it comes through.
    is_metered: bool,
    /// What could not be read.
    faults: Vec<String>,
}

impl Course {
    /// Begins at the last key frame that is not later than this moment, ns since 1970, or else at the first one; `None` if there
    /// is nothing to read.
    pub fn begin(source: &impl Source, zone: &TimeZone, wall_ns: i64) -> Option<Course> {
        let segment = source.segment_of(wall_ns)?;
        let mut course = Course {
            reader: source.reader(),
            segment,
            bytes: Vec::new(),
            first: 0,
            ahead: Ahead::default(),
            tracker: None,
            began_ns: None,
            journal: Journal::new(Vec::new()),
            config: Arc::default(),
            zone: zone.clone(),
            closings: VecDeque::new(),
            was_losing: false,
            is_begun: false,
            is_hurried: false,
            is_metered: false,
            faults: Vec::new(),
        };
        if course.open(source, segment, HEADER)
            && let Ok(Some(place)) = source.place_of(&segment, wall_ns)
        {
            course.bytes.clear();
            course.first = place;
            course.reader.skip_to(0);
        }
        Some(course)
    }

    /// How far it was read.
    pub fn spot(&self) -> Spot {
        Spot {
            segment: self.segment,
            byte: self.first + self.reader.at(),
        }
    }

    fn go_through(&mut self, event: Event) {
        match event {
            Event::Begin {
                tracker,
                missed,
                wall_ns,
            } => self.begin_anew(tracker, missed, wall_ns),
            Event::Entry { wall_ns, entry } => self.apply_entry(wall_ns, &entry),
            Event::Damage { .. } | Event::CutOff { .. } => {}
        }
    }

    fn begin_anew(&mut self, tracker: Box<FlowTracker>, missed: u64, wall_ns: i64) {
        let is_first = self.tracker.replace(tracker).is_none();
        let text = self.reader.config().map(str::to_owned);
        self.config = Arc::new(recorded_config(text.as_deref()));
        self.is_begun = false;
        if self.is_metered {
            self.begin_metrics();
        }
        if let Some(tracker) = &self.tracker {
            let at = time_of_day(wall_ns, &self.zone);
            let alerts = self.config.alerts.clone();
            self.journal.begin_anew(alerts, tracker.report(), at);
        }
        if missed > 0 {
            let text = format!("{missed} readings before this found no room");
            self.journal.record(EventKind::Notice, text);
        } else if !is_first {
            let text = "what is recorded begins anew here";
            self.journal.record(EventKind::Notice, text);
        }
    }

    fn apply_entry(&mut self, wall_ns: i64, entry: &Entry) {
        let Some(tracker) = &mut self.tracker else {
            return;
        };
        if let Entry::Reset = entry {
            self.journal.reset();
        }
        entry.apply(tracker);
        match entry {
            Entry::Config(text) => {
                self.config = Arc::new(recorded_config(Some(text)));
                replayed::configure(tracker, &self.config);
                if self.journal.alerts().rules() != self.config.alerts {
                    self.journal.set_alert_rules(self.config.alerts.clone());
                }
                let text = "another configuration is in force";
                self.journal.record(EventKind::Config, text);
            }
            Entry::Reset => self.look_at(wall_ns),
            entry if entry.closes() > 0 => {
                self.look_at(wall_ns);
                self.close(wall_ns);
            }
            _ => {}
        }
    }

    /// From here on leaves out what happened on the way, or looks at it again.
    pub fn hurry(&mut self, is_hurried: bool) {
        self.is_hurried = is_hurried;
        let is_losing = self.is_losing();
        if let Some(here) = self.closings.back_mut() {
            here.is_losing = is_losing;
            self.was_losing = is_losing;
            let wall_ns = here.wall_ns;
            self.look_at(wall_ns);
        }
    }

    /// Whether flows lost something in the latest interval; nobody asks in a hurry.
    fn is_losing(&self) -> bool {
        let mut flows = self.tracker.iter().flat_map(|it| &it.report().flows);
        !self.is_hurried && flows.any(|flow| flow.is_losing())
    }

    /// Finds what happened.
    fn look_at(&mut self, wall_ns: i64) {
        if self.is_hurried {
            return;
        }
        let at = time_of_day(wall_ns, &self.zone);
        if let Some(tracker) = &self.tracker {
            self.journal.advance(tracker.report(), at);
        }
    }

    fn close(&mut self, wall_ns: i64) {
        if let Some(tracker) = self.tracker.as_mut().filter(|_| self.is_metered) {
            replayed::choose(tracker);
        }
        let is_losing = self.is_losing();
        let was_losing = std::mem::replace(&mut self.was_losing, is_losing);
        let begins = is_losing && !was_losing;
        if self.closings.len() == MOST_CLOSINGS {
            self.closings.pop_front();
        }
        // Of the first one behind a gap it is not known what began in it.
        let is_known = std::mem::replace(&mut self.is_begun, true);
        let alerts = match is_known {
            true => self.journal.alerts().raised_now() as u32,
            false => 0,
        };
        let before = self.latest().filter(|_| is_known);
        self.closings.push_back(Closing {
            spot: self.spot(),
            wall_ns,
            from_ns: before.map_or(wall_ns, |before| before.wall_ns),
            is_losing,
            alerts,
            is_event: begins && is_known || alerts > 0,
        });
    }

    /// How long before a moment a course to it begins.
    pub fn lead_ns(&self) -> i64 {
        super::lead_ns(&self.config)
    }

    /// How long intervals are remembered at least, where they are as long as they should be.
    pub fn remembered_ns(&self) -> i64 {
        let ns = self.config.throughput_interval.as_nanos() * (MOST_CLOSINGS as u128 / 2);
        i64::try_from(ns).unwrap_or(i64::MAX)
    }

    /// When the key frame was made that it began at, ns since 1970, if there is one.
    pub fn began_ns(&self) -> Option<i64> {
        self.began_ns
    }

    /// Where to begin instead of at `from_ns`, where it was asked to, to have so much more before it. `None`: there is nothing.
    pub fn further_back(&self, from_ns: i64, step_ns: i64) -> Option<i64> {
        let began_ns = self.began_ns.filter(|it| *it <= from_ns)?;
        // Names of segments say no more than the millisecond.
        Some(began_ns.saturating_sub(step_ns).saturating_sub(1_000_000))
    }

    /// Whether it is known of each interval that ended then or later, ns since 1970, what began in it: the first one may have
    /// begun before the course, and is none to compare the second one with.
    pub fn knows_since(&self, from_ns: i64) -> bool {
        let is_earlier = |it: &&Closing| it.wall_ns < from_ns;
        // Of a long way the first ones are forgotten.
        let is_long = self.closings.len() == MOST_CLOSINGS;
        is_long || self.closings().filter(is_earlier).count() > 1
    }

    /// The interval that it came to.
    pub fn latest(&self) -> Option<Closing> {
        self.closings.back().copied()
    }

    /// The intervals that it came through, the latest first.
    pub fn closings(&self) -> impl Iterator<Item = &Closing> {
        self.closings.iter().rev()
    }

    /// The configuration in force.
    pub fn config(&self) -> &Arc<Config> {
        &self.config
    }

    /// What could not be read since this was asked for.
    pub fn faults(&mut self) -> Vec<String> {
        std::mem::take(&mut self.faults)
    }

    /// By the clock of the run, ns.
    pub fn taken_ns(&self) -> u64 {
        self.tracker.as_ref().map_or(0, |it| it.report().taken_ns)
    }

    /// What is to be shown of it.
    pub fn moment(&self, place: Place) -> Option<Moment> {
        let tracker = self.tracker.as_ref()?;
        Some(Moment::past(tracker.report(), &self.journal, place))
    }
}

fn time_of_day(wall_ns: i64, zone: &TimeZone) -> TimeOfDay {
    let time = Timestamp::from_nanosecond(wall_ns.into()).unwrap_or_default();
    let local = zone.to_datetime(time);
    TimeOfDay {
        hour: local.hour() as u8,
        minute: local.minute() as u8,
        second: local.second() as u8,
    }
}
