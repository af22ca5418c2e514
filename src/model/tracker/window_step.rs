//! The steps in which the jitter window advances.
//!
//! A step is a whole number of refreshes, and a window a whole number of steps: each refresh is one of its own as long as these are
//! few.

use super::window::Intervals;

/// A long window advances in steps of several refreshes, so that there are no more of them.
const MOST: u64 = 16;

/// A step of the jitter window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WindowStep {
    /// Counts from 0.
    pub number: u64,
    /// When the snapshot before its first one was taken, CLOCK_MONOTONIC ns.
    pub began_ns: u64,
}

impl WindowStep {
    /// The first one of a run that begins now.
    pub fn first(now_ns: u64) -> WindowStep {
        WindowStep {
            number: 0,
            began_ns: now_ns,
        }
    }

    /// The step that a snapshot of this time is in, where the latest one was in this step. `interval_ns`: an interval of this length
    /// has ended with the latest. If it was as long as the window it ends the step, too, and the window was just that interval.
    /// A snapshot that comes soon after the latest, as at the end of a run, is of the same step: alone it would say little.
    pub fn after(
        self,
        latest_ns: u64,
        taken_ns: u64,
        interval_ns: Option<u64>,
        intervals: Intervals,
    ) -> WindowStep {
        let lasted_ns = latest_ns.saturating_sub(self.began_ns);
        let is_over = intervals.are_past(intervals.refreshes_of_step(), lasted_ns)
            || interval_ns.is_some_and(|it| intervals.are_past(intervals.refreshes(), it));
        match is_over && intervals.are_past(1, taken_ns.saturating_sub(latest_ns)) {
            true => WindowStep {
                number: self.number + 1,
                began_ns: latest_ns,
            },
            false => self,
        }
    }

    /// The number of the first step that is in the window of which this one is the last.
    pub fn oldest(self, intervals: Intervals) -> u64 {
        (self.number + 1).saturating_sub(intervals.steps())
    }
}

impl Intervals {
    /// Refreshes of the window, the nearest whole number.
    fn refreshes(self) -> u64 {
        let refreshes = (self.jitter_ns + self.refresh_ns / 2) / self.refresh_ns.max(1);
        refreshes.max(1)
    }

    fn refreshes_of_step(self) -> u64 {
        self.refreshes().div_ceil(MOST)
    }

    /// Steps of the window: all of it is in them.
    fn steps(self) -> u64 {
        self.refreshes().div_ceil(self.refreshes_of_step())
    }

    /// Whether so many refreshes have passed within this time, ns: snapshots come a little early or late, so half of one may be missing.
    fn are_past(self, refreshes: u64, time_ns: u64) -> bool {
        time_ns.saturating_add(self.refresh_ns / 2) >= refreshes * self.refresh_ns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_window_has_sixteen_steps_at_most_and_a_short_one_a_step_a_refresh() {
        let second = 1_000_000_000;
        let steps = |refresh_ns, jitter_ns| {
            Intervals {
                refresh_ns,
                jitter_ns,
            }
            .steps()
        };
        let of_seconds = |jitter| steps(second, jitter * second);
        assert_eq!(
            [1, 5, 16, 17, 32, 33, 600].map(of_seconds),
            [1, 5, 16, 9, 16, 11, 16]
        );
        assert_eq!(steps(second, second / 2), 1);
        assert_eq!(steps(second, 5 * second / 2), 3);
    }
}
