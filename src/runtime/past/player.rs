//! Goes through the past as it is asked to: shows what there is as soon as it can, and then makes it whole.
//!
//! Windows, histories and events of a moment need the minutes before it. Where those are not soon read, what is shown begins
//! at the last key frame at first; another course that began earlier takes its place when it has come there.

mod jump;
mod search;
mod showing;

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::tz::TimeZone;

use self::search::Search;
use super::course::{Closing, Course};
use super::goal::{self, Goal, Reached};
use super::source::Source;
use super::visit::Shows;
use super::words;
use super::{LEAD_NS, MINUTE_NS};
use crate::config::Config;
use crate::model::capture::Pace;
use crate::model::past::{Travel, Way};
use crate::runtime::sampler::pace::Clock;
use crate::runtime::updates::Outlet;

/// How far back a course begins that has too little before its goal, ns; then twice as far, and so on: a long interval has many
/// key frames.
const FIRST_STEP_NS: i64 = 20_000_000_000;

/// How long somebody waits for a moment that is whole, before one is shown that is not.
const PATIENCE: Duration = Duration::from_millis(30);
/// How long nothing is heard of requests.
const SLICE: Duration = Duration::from_millis(20);
/// How often it is looked whether there is more.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// What is shown first stands still.
const HELD: Pace = Pace {
    speed: Some(1),
    is_held: true,
};

/// Where to begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begin {
    /// At this moment, ns since 1970.
    At(i64),
    /// At the beginning.
    Start,
    /// At the end, and on with what comes.
    End,
}

/// A course on its way to take the place of the one that is shown.
struct Making {
    course: Course,
    goal: Goal,
}

/// The state of the thread.
pub struct Player<S> {
    /// Where segments come from.
    pub source: S,
    zone: TimeZone,
    outlet: Outlet,
    /// Whether the past comes up to now.
    is_of_run: bool,
    shown: Option<Course>,
    is_rough: bool,
    making: Option<Making>,
    /// What it is made for, if it is not to be shown.
    search: Option<Search>,
    clock: Clock,
    config: Arc<Config>,
    notice: Option<String>,
    looked: Instant,
    ticket: Arc<()>,
    /// How long somebody waits for a moment that is whole.
    patience: Duration,
    /// When the last page was made for scrapers, where anybody may come.
    paged: Option<Instant>,
}

impl<S: Source> Player<S> {
    /// Shows nothing yet.
    pub fn new(source: S, zone: TimeZone, outlet: Outlet, is_of_run: bool) -> Player<S> {
        Player {
            source,
            zone,
            outlet,
            is_of_run,
            shown: None,
            is_rough: false,
            making: None,
            search: None,
            clock: Clock::new(HELD),
            config: Arc::default(),
            notice: None,
            looked: Instant::now(),
            ticket: Arc::default(),
            patience: PATIENCE,
            paged: None,
        }
    }

    /// Makes pages for scrapers.
    pub fn serve(&mut self) {
        self.paged = Some(Instant::now());
    }

    /// Shows the first moment.
    pub fn begin(&mut self, begin: Begin) {
        match begin {
            Begin::At(wall_ns) => {
                self.look();
                self.go(Goal::Time(wall_ns));
                self.tell_where(wall_ns);
                self.show();
            }
            Begin::Start => self.travel(Travel::Start, 1),
            Begin::End => {
                self.look();
                self.go(Goal::Time(i64::MAX));
                self.travel(Travel::Hold, 1);
            }
        }
    }

    /// Says so where nothing was recorded at the moment that was asked for.
    fn tell_where(&mut self, wall_ns: i64) {
        let Some(here) = self.here() else { return };
        let when = words::day_and_time(here.wall_ns, &self.zone).join(" ");
        if here.wall_ns > wall_ns {
            self.notice = Some(format!("what is recorded begins later, at {when}"));
        } else if wall_ns - here.wall_ns > MINUTE_NS && !self.was_recorded(wall_ns) {
            self.notice = Some(format!(
                "nothing was recorded then; this is the time before, {when}"
            ));
        }
    }

    /// What a moment needs before it, as far as is known from the one that is shown.
    fn lead_ns(&self) -> i64 {
        self.shown.as_ref().map_or(LEAD_NS, Course::lead_ns)
    }

    /// How much is looked through at once where no index says anything: no more than a course remembers.
    fn stretch_ns(&self) -> i64 {
        let of_course = self.shown.as_ref().map(Course::remembered_ns);
        of_course.map_or(LEAD_NS, |it| it.min(LEAD_NS))
    }

    /// Whether there is a key frame of about this moment, however long an interval is.
    fn was_recorded(&self, wall_ns: i64) -> bool {
        let course = Course::begin(&self.source, &self.zone, wall_ns);
        let began_ns = course.and_then(|mut course| {
            course.look_ahead(&self.source);
            course.began_ns()
        });
        began_ns.is_some_and(|it| wall_ns - it <= MINUTE_NS)
    }

    /// How long there is nothing to do unless somebody asks for something; `None`: for good.
    pub fn patience(&mut self) -> Option<Duration> {
        if self.making.is_some() {
            return Some(Duration::ZERO);
        }
        let is_busy = self.is_busy();
        if self.shown.is_none() && !self.is_of_run {
            return Some(LOOK_EVERY.saturating_sub(self.looked.elapsed()));
        }
        let course = self.shown.as_mut().filter(|_| !self.clock.pace().is_held)?;
        if is_busy {
            return Some(SLICE);
        }
        match course.look_ahead(&self.source) {
            true => self.clock.patience(course.next_end().1),
            false => Some(LOOK_EVERY.saturating_sub(self.looked.elapsed())),
        }
    }

    /// Whether moments wait for the main thread.
    fn is_busy(&self) -> bool {
        Arc::strong_count(&self.ticket) > 2
    }

    /// Does a part of what there is to do.
    pub fn work(&mut self) {
        if let Some(mut making) = self.making.take() {
            let deadline = Some(Instant::now() + SLICE);
            match goal::run(&mut making.course, &self.source, making.goal, deadline) {
                Reached::NotYet => self.making = Some(making),
                reached => self.arrive(making.course, reached),
            }
        }
        if self.shown.is_none() && !self.is_of_run && self.looked.elapsed() >= LOOK_EVERY {
            // There may be a first interval by now.
            self.look();
            self.go(Goal::Time(i64::MAX));
            return self.show();
        }
        if self.shown.is_some() && !self.clock.pace().is_held && !self.is_busy() {
            self.go_on();
        }
    }

    /// Another course has come where it was to come.
    fn arrive(&mut self, mut course: Course, reached: Reached) {
        if self.search.is_some() {
            return self.go_on_searching(course, reached);
        }
        if self.paged.is_some() {
            course.go_on_with_metrics(self.shown.as_mut());
        }
        self.put(course, false);
        self.show();
    }

    /// Shows what is due by now.
    fn go_on(&mut self) {
        let deadline = Instant::now() + SLICE * 2;
        let mut has_come = false;
        while let Some(course) = &mut self.shown {
            if !course.look_ahead(&self.source) {
                if self.is_of_run {
                    return self.come_to_now();
                }
                if self.looked.elapsed() >= LOOK_EVERY {
                    self.look();
                }
                break;
            }
            let is_due = self.clock.patience(course.next_end().1) == Some(Duration::ZERO);
            if !is_due || Instant::now() >= deadline {
                break;
            }
            let before_ns = course.taken_ns();
            course.step(&self.source);
            has_come = true;
            // Another run has another clock, and what was not recorded is not waited for.
            let passed_ns = course.taken_ns().checked_sub(before_ns);
            if passed_ns.is_none_or(|it| it > MINUTE_NS as u64) {
                self.set_pace(self.clock.pace());
            }
        }
        if has_come {
            self.follow();
            self.show();
        }
    }

    /// Looks which segments there are.
    fn look(&mut self) {
        self.looked = Instant::now();
        let _ = self.source.refresh();
    }

    /// What is being made has to come as far as what is shown.
    fn follow(&mut self) {
        if let (Some(making), Some(here)) = (
            &mut self.making,
            self.shown.as_ref().and_then(Course::latest),
        ) && let Goal::Spot(_) = making.goal
            && self.search.is_none()
        {
            making.goal = Goal::Spot(here);
        }
    }

    /// The interval that is shown.
    fn here(&self) -> Option<Closing> {
        self.shown.as_ref()?.latest()
    }

    fn set_pace(&mut self, pace: Pace) {
        let now_ns = self.shown.as_ref().map_or(0, Course::taken_ns);
        self.clock.set(pace, now_ns);
    }

    /// Does what is asked for so many times.
    pub fn travel(&mut self, travel: Travel, times: usize) {
        self.look();
        if self.search.take().is_some() {
            self.making = None;
            self.make_whole();
        }
        match travel {
            Travel::Hold | Travel::Speed(_) => {}
            Travel::Interval(Way::On) => self.step_on(times),
            Travel::Interval(Way::Back) => self.step_back(times),
            Travel::Minute(way) => {
                self.go_by_minutes(way, times);
                if way == Way::On && self.is_of_run && !self.can_go_on() {
                    return self.come_to_now();
                }
            }
            Travel::Start => self.go(Goal::Time(i64::MIN)),
            Travel::End if self.is_of_run => return self.come_to_now(),
            Travel::End => self.go(Goal::Time(i64::MAX)),
            Travel::Event(way) => return self.search_for_event(way),
        }
        // From here on it goes on at its pace.
        self.set_pace(travel.pace(self.clock.pace(), times));
        self.show();
    }

    fn can_go_on(&mut self) -> bool {
        let course = self.shown.as_mut();
        course.is_some_and(|course| course.look_ahead(&self.source))
    }

    fn step_on(&mut self, times: usize) {
        for _ in 0..times {
            let Some(course) = &mut self.shown else {
                return;
            };
            match goal::run(course, &self.source, Goal::Next, None) {
                Reached::End if self.is_of_run => return self.come_to_now(),
                Reached::End => break,
                _ => {}
            }
        }
        self.follow();
    }

    fn step_back(&mut self, times: usize) {
        if self.shown.is_none() {
            // The interval that was shown until now is the last one.
            self.go(Goal::Time(i64::MAX));
        }
        let mut left = times;
        while left > 0 {
            let known = self.shown.iter().flat_map(Course::closings);
            let known: Vec<Closing> = known.take(left + 1).copied().collect();
            let Some(first) = known.last() else { return };
            if known.len() > left {
                return self.go(Goal::Spot(*first));
            }
            // A moment that is not whole yet knows few that were before it.
            self.go(Goal::Time(first.wall_ns - 1));
            if self.here().is_none_or(|here| here.spot >= first.spot) {
                return;
            }
            left -= known.len();
        }
    }

    /// Goes as many minutes, and on by an interval at least: it may be longer than they are.
    fn go_by_minutes(&mut self, way: Way, times: usize) {
        let by = if way == Way::On {
            MINUTE_NS
        } else {
            -MINUTE_NS
        };
        let before = self.here();
        let from = before.map_or(self.source.end_ns(), |here| here.wall_ns);
        self.go(Goal::Time(from.saturating_add(by * times as i64)));
        let is_same = |before: Closing| self.here().is_some_and(|it| it.spot == before.spot);
        if way == Way::On && before.is_some_and(is_same) {
            self.step_on(1);
        }
    }

    fn put(&mut self, mut course: Course, is_rough: bool) {
        if course.latest().is_some() {
            (self.shown, self.is_rough) = (Some(course), is_rough);
            return;
        }
        let faults = course.faults();
        self.notice = Some(match faults.is_empty() {
            true => "no interval is recorded yet".to_owned(),
            false => faults.join("; "),
        });
    }

    /// When what is known begins and ends, ns since 1970.
    fn span(&self) -> (i64, i64) {
        let first = self.source.names().first();
        let first = first.map_or(0, |name| name.began_ms as i64 * 1_000_000);
        let span = (first, self.source.end_ns().max(first));
        // Where the clock was set, that is not all.
        let marks = self.source.indices().flat_map(|(_, marks)| marks);
        marks.fold(span, |(from, to), mark| {
            (from.min(mark.from_ns), to.max(mark.to_ns))
        })
    }

    fn come_to_now(&mut self) {
        (self.shown, self.making, self.search) = (None, None, None);
        self.clock.set(HELD, 0);
        self.send(Shows::ThePresent, None, None);
    }
}

#[cfg(test)]
#[path = "player_tests.rs"]
mod tests;
