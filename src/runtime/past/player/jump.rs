//! The way to a moment: first as it is since the last key frame, then whole.

use std::time::Instant;

use super::{FIRST_STEP_NS, Making, Player};
use crate::runtime::past::course::{Closing, Course};
use crate::runtime::past::goal::{self, Goal, Reached};
use crate::runtime::past::source::Source;

impl<S: Source> Player<S> {
    /// Shows this interval. Metrics begin anew there: nothing between here and there is played.
    pub(super) fn go(&mut self, goal: Goal) {
        self.go_there(goal);
        if self.paged.is_some() {
            self.shown.iter_mut().for_each(Course::begin_metrics);
        }
    }

    /// Shows this interval: on from the one that is shown if that leads there, else from some time before it.
    fn go_there(&mut self, goal: Goal) {
        let wall_ns = match goal {
            Goal::Spot(there) => there.wall_ns,
            Goal::Time(wall_ns) => wall_ns,
            Goal::Next | Goal::Since(_) | Goal::Event(_) => return,
        };
        let (_, end_ns) = self.span();
        let here_ns = self.here().map_or(i64::MAX, |here| here.wall_ns);
        let soon = here_ns..here_ns.saturating_add(self.lead_ns());
        // Not where the clock was set back, and it is before this one that it came.
        let is_ahead = |here: Closing| self.source.segment_of(wall_ns) >= Some(here.spot.segment);
        let deadline = Some(Instant::now() + self.patience);
        let on_from_here = match goal {
            Goal::Time(_)
                if soon.contains(&wall_ns.min(end_ns)) && self.here().is_some_and(is_ahead) =>
            {
                self.shown.take()
            }
            _ => None,
        };
        let mut whole = None;
        if let Some(mut course) = on_from_here {
            if goal::run(&mut course, &self.source, goal, deadline) != Reached::NotYet {
                self.shown = Some(course);
                return self.follow();
            }
            let making = self.making.take().map(|making| making.course);
            whole = if self.is_rough { making } else { Some(course) };
        }
        self.making = None;
        let begin = |wall_ns| Course::begin(&self.source, &self.zone, wall_ns);
        let rough = self.hurry(goal, wall_ns);
        let rough = rough.and_then(|rough| Some((rough.latest()?, rough)));
        let Some((here, rough)) = rough else {
            // There is no interval behind that key frame.
            let before_ns = wall_ns.min(end_ns).saturating_sub(self.lead_ns());
            let Some(mut whole) = begin(before_ns) else {
                self.notice = Some("no interval is recorded yet".to_owned());
                return;
            };
            goal::run(&mut whole, &self.source, goal, None);
            return self.put(whole, false);
        };
        // Where the clock was set back, what is before this moment by the clock may have come later.
        let is_before = |it: &Course| it.spot() <= here.spot;
        let before_ns = here.wall_ns.min(end_ns).saturating_sub(rough.lead_ns());
        let whole = whole.or_else(|| begin(before_ns).filter(is_before));
        let Some(mut whole) = whole.or_else(|| begin(rough.began_ns()?)) else {
            return self.put(rough, false);
        };
        let goal = Goal::Spot(here);
        // Where the last key frame alone took that long, all before it takes far longer.
        let is_time_up = deadline.is_some_and(|deadline| Instant::now() >= deadline);
        if is_time_up || goal::run(&mut whole, &self.source, goal, deadline) == Reached::NotYet {
            self.put(rough, true);
            let course = whole;
            self.making = Some(Making { course, goal });
        } else {
            self.put(whole, false);
        }
    }

    /// A course to the goal that begins at the last key frame before this moment, or before the interval that had ended by then.
    fn hurry(&self, goal: Goal, wall_ns: i64) -> Option<Course> {
        let (mut from_ns, mut step_ns) = (wall_ns, FIRST_STEP_NS);
        loop {
            let mut rough = Course::begin(&self.source, &self.zone, from_ns)?;
            rough.hurry(true);
            goal::run(&mut rough, &self.source, goal, None);
            rough.hurry(false);
            let has_ended = rough.latest().is_some_and(|it| it.wall_ns <= wall_ns);
            match rough.further_back(from_ns, step_ns) {
                Some(earlier_ns) if !has_ended => (from_ns, step_ns) = (earlier_ns, 2 * step_ns),
                _ => return Some(rough),
            }
        }
    }

    /// Begins to make what is shown whole, if it is not.
    pub(super) fn make_whole(&mut self) {
        let Some(here) = self.here().filter(|_| self.is_rough) else {
            return;
        };
        let goal = Goal::Spot(here);
        let before_ns = here.wall_ns.saturating_sub(self.lead_ns());
        let begun = Course::begin(&self.source, &self.zone, before_ns);
        self.making = begun.map(|course| Making { course, goal });
    }
}
