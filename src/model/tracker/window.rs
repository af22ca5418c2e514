//! The jitter window: the gaps of the last so many seconds, and their mean and standard deviation.
//!
//! Kept as exact integer sums for each step of the window; the one division and the one square root come last.

use std::collections::VecDeque;

use super::Interarrival;
use crate::model::snapshot::GapSums;

/// The intervals that the tracker works with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Intervals {
    /// How often snapshots come, ns.
    pub refresh_ns: u64,
    /// Length of the jitter window, ns.
    pub jitter_ns: u64,
}

impl Intervals {
    /// A long window advances in steps of a sixteenth of it.
    const MOST_STEPS: u64 = 16;

    /// Steps of the window: one a refresh, sixteen at most.
    pub fn steps(self) -> u64 {
        let refreshes = (self.jitter_ns + self.refresh_ns / 2) / self.refresh_ns.max(1);
        refreshes.clamp(1, Self::MOST_STEPS)
    }

    /// Least length of a step, ns; half a refresh short, so that a snapshot that comes early still ends a step.
    pub fn step_ns(self) -> u64 {
        (self.jitter_ns / self.steps()).saturating_sub(self.refresh_ns / 2)
    }
}

/// Sums of gaps, one for each step that had any, with the number of the step.
#[derive(Debug, Clone, Default)]
pub struct Window {
    /// The latest step and its gaps; without a gap: there is none.
    step: u64,
    gaps: GapSums,
    /// Those before it, oldest first; a window of one step never has any.
    older: Option<Box<Older>>,
}

#[derive(Debug, Clone, Default)]
struct Older(VecDeque<(u64, GapSums)>);

impl Window {
    /// Forgets all gaps.
    pub fn clear(&mut self) {
        *self = Window::default();
    }

    /// Adds the gaps that came in a step.
    pub fn add(&mut self, step: u64, gaps: GapSums) {
        if gaps.count == 0 {
            return;
        }
        if self.step == step {
            self.gaps = self.gaps.plus(gaps);
            return;
        }
        if !self.is_empty() {
            let older = self.older.get_or_insert_default();
            older.0.push_back((self.step, self.gaps));
        }
        (self.step, self.gaps) = (step, gaps);
    }

    /// The number of the latest step.
    pub fn latest_step(&self) -> u64 {
        self.step
    }

    /// Whether it has no gap.
    pub fn is_empty(&self) -> bool {
        self.gaps.count == 0
    }

    /// Drops the steps before `oldest`.
    pub fn forget_before(&mut self, oldest: u64) {
        if self.step < oldest {
            self.gaps = GapSums::default();
        }
        if let Some(older) = &mut self.older {
            while older.0.front().is_some_and(|(step, _)| *step < oldest) {
                older.0.pop_front();
            }
        }
    }

    /// The statistics over the steps from `oldest` on; older ones are dropped.
    pub fn statistics(&mut self, oldest: u64) -> Interarrival {
        self.forget_before(oldest);
        let older = self.older.iter().flat_map(|older| &older.0);
        statistics(older.fold(self.gaps, |sum, (_, gaps)| sum.plus(*gaps)))
    }
}

/// Mean and sample standard deviation, s^2 = (n * sum(g^2) - sum(g)^2) / (n * (n - 1)), in integers up to the root:
/// a deviation of 1 us on a gap of 1 s is not lost in rounding.
pub fn statistics(gaps: GapSums) -> Interarrival {
    const NS_PER_MS: f64 = 1e6;
    let n = i128::from(gaps.count);
    // Two CPUs may meet within the clock's reach: the sum is a signed number.
    let sum = i128::from(gaps.sum as i64);
    let deviation = |n: i128| {
        let numerator = (n * gaps.squares as i128 - sum * sum).max(0);
        (float(numerator) / float(n * (n - 1))).sqrt() / NS_PER_MS
    };
    Interarrival {
        mean_ms: (n > 0).then(|| float(sum) / float(n) / NS_PER_MS),
        jitter_ms: (n > 1).then(|| deviation(n)),
        samples: gaps.count,
    }
}

/// The same, with an instruction where the number has room in 64 bits.
fn float(number: i128) -> f64 {
    i64::try_from(number).map_or(number as f64, |number| number as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gaps(gaps: &[u64]) -> GapSums {
        GapSums {
            count: gaps.len() as u64,
            sum: gaps.iter().sum(),
            squares: gaps.iter().map(|g| u128::from(*g) * u128::from(*g)).sum(),
        }
    }

    #[test]
    fn a_microsecond_on_a_second_is_not_lost() {
        let second = 1_000_000_000;
        let found = statistics(gaps(&[second, second + 1000, second, second + 1000]));
        // Sample deviation of 0, 1, 0, 1 us: sqrt(1/3) us.
        assert!((found.jitter_ms.unwrap() - (1.0f64 / 3.0).sqrt() / 1000.0).abs() < 1e-12);
    }

    #[test]
    fn below_two_gaps_there_is_no_jitter() {
        assert_eq!(statistics(gaps(&[])), Interarrival::default());
        let one = statistics(gaps(&[5_000_000]));
        assert_eq!(
            (one.mean_ms, one.jitter_ms, one.samples),
            (Some(5.0), None, 1)
        );
    }

    #[test]
    fn steps_leave_the_window_as_they_age() {
        let mut window = Window::default();
        window.add(1, gaps(&[1_000_000]));
        window.add(2, gaps(&[3_000_000]));
        assert_eq!(window.statistics(1).mean_ms, Some(2.0));
        assert_eq!(window.statistics(2).mean_ms, Some(3.0));
        assert_eq!(window.statistics(3).samples, 0);
    }

    #[test]
    fn a_long_window_has_sixteen_steps_and_a_short_one_a_step_a_refresh() {
        let second = 1_000_000_000;
        let steps = |jitter_ns| {
            Intervals {
                refresh_ns: second,
                jitter_ns,
            }
            .steps()
        };
        assert_eq!(
            (steps(second), steps(5 * second), steps(600 * second)),
            (1, 5, 16)
        );
    }
}
