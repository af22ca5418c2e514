//! Where a course is to come to.

use std::time::Instant;

use super::MINUTE_NS;
use super::course::{Closing, Course};
use super::source::Source;

/// Where to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Goal {
    /// The next interval.
    Next,
    /// The last interval that ended by then, ns since 1970; if there is none, the first one.
    Time(i64),
    /// The first interval that ended then or later, ns since 1970.
    Since(i64),
    /// This interval.
    Spot(Closing),
    /// The first interval in which something began that ended later than that, ns since 1970.
    Event(i64),
}

/// How far it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reached {
    /// There.
    Goal,
    /// To the end of what there is.
    End,
    /// Time was up before.
    NotYet,
}

/// Goes on until the goal, the end, or the deadline.
pub fn run(
    course: &mut Course,
    source: &impl Source,
    goal: Goal,
    deadline: Option<Instant>,
) -> Reached {
    // It may have come there when time was up, without knowing.
    if let Goal::Spot(there) = goal
        && course.latest().is_some_and(|it| it.spot >= there.spot)
    {
        return Reached::Goal;
    }
    loop {
        if !course.look_ahead(source) {
            return Reached::End;
        }
        let (next_ns, _) = course.next_end();
        if let (Goal::Time(wall_ns) | Goal::Since(wall_ns), Some(here)) = (goal, course.latest()) {
            let is_behind = next_ns > wall_ns && matches!(goal, Goal::Time(_));
            // The clock was set back: what comes now is of another time, but for the end of all.
            let is_elsewhere = next_ns < here.wall_ns - MINUTE_NS && wall_ns < i64::MAX;
            if is_behind || is_elsewhere {
                return Reached::Goal;
            }
        }
        let closing = course.step(source);
        let is_there = closing.is_some_and(|it| match goal {
            Goal::Next => true,
            Goal::Time(_) => false,
            Goal::Since(wall_ns) => it.wall_ns >= wall_ns,
            Goal::Spot(there) => it.spot >= there.spot,
            Goal::Event(after_ns) => it.is_event && it.wall_ns > after_ns,
        });
        if is_there {
            return Reached::Goal;
        }
        if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            return Reached::NotYet;
        }
    }
}
