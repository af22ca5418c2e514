//! The way to a moment: first as it is since the last key frame, then whole.

use std::time::Instant;

use super::{LEAD_NS, Making, Player};
use crate::runtime::past::course::Course;
use crate::runtime::past::goal::{self, Goal, Reached};
use crate::runtime::past::source::Source;

impl<S: Source> Player<S> {
    /// Shows this interval: on from the one that is shown if that leads there, else from some time before it.
    pub(super) fn go(&mut self, goal: Goal) {
        let (from, to) = self.span();
        let wall_ns = match goal {
            Goal::Spot(there) => there.wall_ns,
            Goal::Time(wall_ns) => wall_ns.clamp(from, to),
            Goal::Next | Goal::Event(_) => return,
        };
        let here_ns = self.here().map_or(i64::MAX, |here| here.wall_ns);
        let deadline = Some(Instant::now() + self.patience);
        let on_from_here = match goal {
            Goal::Time(_) if (0..LEAD_NS).contains(&wall_ns.saturating_sub(here_ns)) => {
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
        let Some(mut whole) = whole.or_else(|| begin(wall_ns - LEAD_NS)) else {
            self.notice = Some("no interval is recorded yet".to_owned());
            return;
        };
        let hurry = |wall_ns| {
            let mut rough = begin(wall_ns)?;
            rough.hurry(true);
            goal::run(&mut rough, &self.source, goal, None);
            rough.hurry(false);
            Some((rough.latest()?, rough))
        };
        let rough = match hurry(wall_ns) {
            // The interval that is wanted ended just before this key frame.
            Some((here, rough)) if here.wall_ns > wall_ns && rough.began_ns() <= wall_ns => {
                hurry(rough.began_ns() - 1)
            }
            rough => rough,
        };
        // Where the last key frame alone took that long, all before it takes far longer.
        let is_time_up = deadline.is_some_and(|deadline| Instant::now() >= deadline);
        match rough {
            Some((here, rough))
                if is_time_up
                    || goal::run(&mut whole, &self.source, goal, deadline) == Reached::NotYet =>
            {
                self.put(rough, true);
                let goal = Goal::Spot(here);
                let course = whole;
                self.making = Some(Making { course, goal });
            }
            Some(_) => self.put(whole, false),
            None => {
                goal::run(&mut whole, &self.source, goal, None);
                self.put(whole, false);
            }
        }
    }

    /// Begins to make what is shown whole, if it is not.
    pub(super) fn make_whole(&mut self) {
        let Some(here) = self.here().filter(|_| self.is_rough) else {
            return;
        };
        let goal = Goal::Spot(here);
        let begun = Course::begin(&self.source, &self.zone, here.wall_ns - LEAD_NS);
        self.making = begun.map(|course| Making { course, goal });
    }
}
