//! What the main thread gets to show.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Player;
use crate::config::Config;
use crate::export::openmetrics::Page;
use crate::model::past::{Mark, Place};
use crate::runtime::past::course::Course;
use crate::runtime::past::source::Source;
use crate::runtime::past::visit::{Shows, Visit};
use crate::runtime::past::words;
use crate::runtime::updates::Update;

/// While it is played, scrapers get other numbers no more often.
const PAGE_EVERY: Duration = Duration::from_millis(900);

impl<S: Source> Player<S> {
    /// Hands over what is shown.
    pub(super) fn show(&mut self) {
        let (from, to) = self.span();
        let is_at_end = !self.can_go_on() && !self.is_of_run;
        let Some(course) = &mut self.shown else {
            return self.send(Shows::TheSame, None, None);
        };
        let mut faults = course.faults();
        faults.extend(self.source.fault());
        if !faults.is_empty() {
            let said = self.notice.take().into_iter().chain(faults);
            self.notice = Some(said.collect::<Vec<_>>().join("; "));
        }
        let Some(here) = course.latest() else { return };
        let marks = with_latest(self.source.marks(), course);
        let span = (from.min(here.wall_ns), to.max(here.wall_ns));
        let [begin, end] = words::ends(span, &self.zone);
        let end = if self.is_of_run {
            "now".to_owned()
        } else {
            end
        };
        let [day, time] = words::day_and_time(here.wall_ns, &self.zone);
        let words = [day, time, begin, end];
        let place = Place {
            wall_ns: here.wall_ns,
            span,
            words,
            marks,
            pace: self.clock.pace(),
            is_at_end,
            is_rough: self.is_rough,
            is_of_run: self.is_of_run,
        };
        let is_new = !Arc::ptr_eq(&self.config, course.config()) && self.config != *course.config();
        self.config = Arc::clone(course.config());
        let config = is_new.then(|| Arc::clone(&self.config));
        let is_still = self.clock.pace().is_held || is_at_end;
        let is_due = |paged: &&mut Instant| is_still || paged.elapsed() >= PAGE_EVERY;
        let page = self.paged.as_mut().filter(is_due).and_then(|paged| {
            *paged = Instant::now();
            course.page().map(Box::new)
        });
        if let Some(moment) = course.moment(place) {
            self.send(Shows::Moment(Box::new(moment)), config, page);
        }
    }

    pub(super) fn send(
        &mut self,
        shows: Shows,
        config: Option<Arc<Config>>,
        page: Option<Box<Page>>,
    ) {
        let visit = Visit {
            shows,
            config,
            page,
            notice: self.notice.take(),
            _ticket: Arc::clone(&self.ticket),
        };
        self.outlet.send(Update::Past(visit));
    }
}

/// These marks, and what is known of what comes behind them.
fn with_latest(marks: Arc<Vec<Mark>>, course: &Course) -> Arc<Vec<Mark>> {
    let known_ns = marks.last().map_or(i64::MIN, |mark| mark.to_ns);
    let behind = course.closings().take_while(|it| it.wall_ns > known_ns);
    let mut latest: Vec<Mark> = behind
        .map(|it| Mark {
            from_ns: it.from_ns,
            to_ns: it.wall_ns,
            losing: it.is_losing.into(),
            alerts: it.alerts,
        })
        .collect();
    if latest.is_empty() {
        return marks;
    }
    latest.reverse();
    Arc::new(marks.iter().copied().chain(latest).collect())
}
