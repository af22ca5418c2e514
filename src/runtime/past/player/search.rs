//! The way to where a loss or an alert began: marks say in which minutes, and in a minute each interval is looked at.

use super::{FIRST_STEP_NS, MINUTE_NS, Making, Player};
use crate::model::past::Way;
use crate::runtime::past::course::{Closing, Course};
use crate::runtime::past::goal::{Goal, Reached};
use crate::runtime::past::source::Source;

/// What is looked for.
#[derive(Debug, Clone, Copy)]
pub enum Search {
    /// The next one.
    On,
    /// The last one before this, in a stretch that begins here, ns since 1970.
    Back {
        /// Where the search began.
        before: Closing,
        /// The beginning of what is looked through now.
        from_ns: i64,
        /// Where the course was to begin.
        begun_ns: i64,
        /// How far back the next one begins.
        step_ns: i64,
    },
}

impl<S: Source> Player<S> {
    /// Begins to look for it; what is shown stays until it is found.
    pub(super) fn search_for_event(&mut self, way: Way) {
        if self.shown.is_none() {
            self.go(Goal::Time(i64::MAX));
        }
        let Some(here) = self.here() else {
            return self.show();
        };
        match way {
            Way::On => self.search_on(here),
            Way::Back => {
                // One that came here in a hurry has not seen all that happened.
                let shown = self.shown.iter().filter(|_| !self.is_rough);
                let known = shown.flat_map(Course::closings).skip(1);
                let known: Vec<Closing> = known.copied().collect();
                match known.iter().find(|it| it.is_event) {
                    Some(found) => {
                        self.go(Goal::Spot(*found));
                        self.show();
                    }
                    None => {
                        self.search_back(here, known.last().map_or(here.wall_ns, |it| it.wall_ns))
                    }
                }
            }
        }
    }

    /// Where there was something, or may have been, and where the last mark ends: behind it nobody has looked yet.
    fn stretches(&mut self) -> (Vec<(i64, i64)>, Option<i64>) {
        let marks = self.source.marks();
        let events = marks.iter().filter(|mark| mark.is_event());
        let mut stretches: Vec<_> = events.map(|mark| (mark.from_ns, mark.to_ns)).collect();
        stretches.extend(self.source.unmarked());
        (stretches, marks.last().map(|mark| mark.to_ns))
    }

    fn search_on(&mut self, here: Closing) {
        let (stretches, behind_ns) = self.stretches();
        let ahead = stretches.iter().filter(|(_, to_ns)| *to_ns > here.wall_ns);
        let next = ahead.map(|(from_ns, _)| *from_ns).min();
        let next = next.or(behind_ns);
        let next_ns = next.unwrap_or(here.wall_ns).max(here.wall_ns);
        self.begin_search(
            Search::On,
            next_ns.saturating_sub(self.lead_ns()),
            Goal::Event(here.wall_ns),
        );
    }

    /// Looks through the stretch before `until_ns` in which there may be something.
    fn search_back(&mut self, before: Closing, until_ns: i64) {
        let (stretches, behind_ns) = self.stretches();
        let behind_ns = behind_ns.unwrap_or(i64::MIN);
        let before_it = stretches.iter().filter(|(from_ns, _)| *from_ns < until_ns);
        let latest = before_it.max_by_key(|(from_ns, _)| *from_ns);
        let (from_ns, to_ns) = match latest {
            // What nobody has looked at yet comes first.
            _ if behind_ns < until_ns => (
                behind_ns.max(until_ns.saturating_sub(self.stretch_ns())),
                until_ns,
            ),
            // No more than a course remembers.
            Some((from_ns, to_ns)) => {
                let to_ns = (*to_ns).min(until_ns);
                (
                    (*from_ns).max(to_ns.saturating_sub(self.stretch_ns())),
                    to_ns,
                )
            }
            None => (i64::MIN, i64::MIN),
        };
        if until_ns <= self.span().0 || from_ns >= to_ns {
            return self.find_nothing("before");
        }
        let begun_ns = from_ns.saturating_sub(MINUTE_NS);
        self.look_through(before, (from_ns, to_ns), (begun_ns, FIRST_STEP_NS));
    }

    /// Looks through a stretch on a course that begins before it. What was lost in it is seen where the interval ends, which may
    /// be behind it.
    fn look_through(
        &mut self,
        before: Closing,
        (from_ns, to_ns): (i64, i64),
        (begun_ns, step_ns): (i64, i64),
    ) {
        let search = Search::Back {
            before,
            from_ns,
            begun_ns,
            step_ns,
        };
        self.begin_search(search, begun_ns, Goal::Since(to_ns));
    }

    fn begin_search(&mut self, search: Search, wall_ns: i64, goal: Goal) {
        let begun = Course::begin(&self.source, &self.zone, wall_ns);
        self.search = begun.is_some().then_some(search);
        self.making = begun.map(|course| Making { course, goal });
    }

    /// A course has looked through what it was to look through.
    pub(super) fn go_on_searching(&mut self, course: Course, reached: Reached) {
        match self.search.take() {
            Some(Search::On) if reached == Reached::Goal => self.find(course.latest()),
            Some(Search::Back {
                before,
                from_ns,
                begun_ns,
                step_ns,
            }) => {
                if !course.knows_since(from_ns)
                    && let Some(earlier_ns) = course.further_back(begun_ns, step_ns)
                {
                    let to_ns = course.latest().map_or(from_ns, |it| it.wall_ns);
                    let begin = (earlier_ns, 2 * step_ns);
                    return self.look_through(before, (from_ns, to_ns), begin);
                }
                let is_it =
                    |it: &&Closing| it.is_event && it.spot < before.spot && it.wall_ns >= from_ns;
                match course.closings().find(is_it) {
                    Some(found) => self.find(Some(*found)),
                    None => self.search_back(before, from_ns),
                }
            }
            _ => self.find_nothing("after"),
        }
    }

    fn find(&mut self, found: Option<Closing>) {
        if let Some(found) = found {
            self.go(Goal::Spot(found));
            self.show();
        }
    }

    fn find_nothing(&mut self, where_: &str) {
        self.notice = Some(format!("no loss and no alert began {where_} this"));
        self.make_whole();
        self.show();
    }
}
