//! What a course counts for scrapers, where anybody may come.

use super::Course;
use crate::export::openmetrics::Page;
use crate::runtime::metrics::replayed;

impl Course {
    /// Metrics count from here on, from zero.
    pub fn begin_metrics(&mut self) {
        self.is_metered = true;
        if let Some(tracker) = &mut self.tracker {
            replayed::begin(tracker, &self.config);
        }
    }

    /// Metrics go on as they were in another course that came to the same interval; else they begin.
    pub fn go_on_with_metrics(&mut self, other: Option<&mut Course>) {
        let spot = |course: &Course| course.latest().map(|it| it.spot);
        let is_here = |other: &&mut Course| spot(other) == spot(self);
        let theirs = other.filter(is_here).and_then(|it| it.tracker.as_mut());
        match (theirs, &mut self.tracker) {
            (Some(theirs), Some(tracker)) => {
                std::mem::swap(theirs.meter().0, tracker.meter().0);
                self.is_metered = true;
            }
            _ => self.begin_metrics(),
        }
    }

    /// What is served of the interval that it came to, if metrics count.
    pub fn page(&mut self) -> Option<Page> {
        replayed::page(self.tracker.as_mut()?, self.journal.alerts())
    }
}
