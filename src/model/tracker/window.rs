//! The jitter window: the gaps of the last so many seconds, and their mean and standard deviation.
//!
//! Kept as exact integer sums for each step of the window; the one division and the one square root come last.

use std::collections::VecDeque;

use super::{Interarrival, gained, loss_percent};
use crate::model::counts::Metered;
use crate::model::snapshot::GapSums;

/// The intervals that the tracker works with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Intervals {
    /// How often snapshots come, ns.
    pub refresh_ns: u64,
    /// Length of the jitter window, ns.
    pub jitter_ns: u64,
}

/// Sums of gaps in three words, modulo 2^48 their number: of a flow in memory, where each cache line counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PackedGaps {
    sum: u64,
    squares_low: u64,
    /// The number of gaps, and below it the uppermost 15 of the 79 bits of the squares.
    count_and_squares: u64,
}

impl PackedGaps {
    /// The same sums.
    pub fn of(gaps: GapSums) -> PackedGaps {
        PackedGaps {
            sum: gaps.sum,
            squares_low: gaps.squares as u64,
            count_and_squares: gaps.count << 16 | (gaps.squares >> 64) as u64,
        }
    }

    /// The same sums.
    pub fn sums(self) -> GapSums {
        let squares_high = self.count_and_squares & 0xffff;
        GapSums {
            count: self.count_and_squares >> 16,
            sum: self.sum,
            squares: u128::from(squares_high) << 64 | u128::from(self.squares_low),
        }
    }

    /// What came between this and `now`, of the same epoch.
    pub fn until(self, now: GapSums) -> GapSums {
        let gaps = now.since(self.sums());
        GapSums {
            count: gaps.count << 16 >> 16,
            ..gaps
        }
    }
}

/// What came in a step: sums of gaps, and numbers. In this order: side by side, the numbers would be read as a pair where they have
/// just been written one by one, and a processor waits for that.
#[derive(Debug, Clone, Copy, Default)]
#[repr(C)]
struct Came {
    lost: i64,
    gaps: PackedGaps,
    arrived: i64,
}

impl Came {
    fn is_nothing(&self) -> bool {
        self.lost == 0 && self.arrived == 0 && self.gaps.sums().count == 0
    }

    fn plus(self, other: Came) -> Came {
        Came {
            lost: self.lost + other.lost,
            gaps: PackedGaps::of(self.gaps.sums().plus(other.gaps.sums())),
            arrived: self.arrived + other.arrived,
        }
    }
}

/// What came in each step in which anything did, with the number of the step.
#[derive(Debug, Clone, Default)]
pub struct Window {
    /// The latest step and what came in it; where that is nothing, there is none.
    step: u64,
    latest: Came,
    /// Those before it, oldest first; a window of one step never has any.
    older: Option<Box<Older>>,
}

#[derive(Debug, Clone, Default)]
struct Older(VecDeque<(u64, Came)>);

/// Not inlined: a window of one step has none.
impl Older {
    #[inline(never)]
    fn forget_before(&mut self, oldest: u64) {
        while self.0.front().is_some_and(|(step, _)| *step < oldest) {
            self.0.pop_front();
        }
    }

    #[inline(never)]
    fn sum(&self) -> Came {
        let all = self.0.iter().map(|(_, came)| *came);
        all.fold(Came::default(), Came::plus)
    }
}

impl Window {
    /// Forgets all steps.
    pub fn clear(&mut self) {
        *self = Window::default();
    }

    /// Forgets all gaps; the numbers stay.
    pub fn forget_gaps(&mut self) {
        self.for_each(|came| came.gaps = PackedGaps::default());
    }

    /// Forgets all numbers; the gaps stay.
    pub fn forget_numbers(&mut self) {
        self.for_each(|came| (came.lost, came.arrived) = (0, 0));
    }

    fn for_each(&mut self, mut change: impl FnMut(&mut Came)) {
        change(&mut self.latest);
        let older = self.older.iter_mut().flat_map(|older| &mut older.0);
        older.for_each(|(_, came)| change(came));
    }

    /// Adds the gaps and the numbers that came in a step; where these are its first, drops the steps before `oldest`.
    #[inline]
    pub fn add(&mut self, step: u64, oldest: u64, gaps: GapSums, counted: &Metered) {
        let came = Came {
            gaps: PackedGaps::of(gaps),
            lost: counted.lost as i64,
            arrived: counted.arrived as i64,
        };
        if came.is_nothing() {
            return;
        }
        if self.step == step {
            self.latest = self.latest.plus(came);
            return;
        }
        if self.step >= oldest && !self.latest.is_nothing() || self.older.is_some() {
            self.keep_latest(oldest);
        }
        (self.step, self.latest) = (step, came);
    }

    /// Not inlined: a window of one step never keeps any.
    #[inline(never)]
    fn keep_latest(&mut self, oldest: u64) {
        self.forget_before(oldest);
        if !self.is_empty() {
            let older = self.older.get_or_insert_default();
            older.0.push_back((self.step, self.latest));
        }
    }

    /// Whether nothing came in its steps.
    pub fn is_empty(&self) -> bool {
        let has_older = self.older.as_ref().is_some_and(|older| !older.0.is_empty());
        self.latest.is_nothing() && !has_older
    }

    /// Drops the steps before `oldest`.
    pub fn forget_before(&mut self, oldest: u64) {
        if self.step < oldest {
            self.latest = Came::default();
        }
        if let Some(older) = &mut self.older {
            older.forget_before(oldest);
        }
    }

    /// The statistics of gaps, and the loss in percent, over the steps from `oldest` on; older ones are dropped.
    #[inline]
    pub fn statistics(&mut self, oldest: u64) -> (Interarrival, Option<f64>) {
        self.forget_before(oldest);
        // Numbers by themselves: copied as a whole, what has just been written would be waited for.
        let Came {
            lost,
            gaps,
            arrived,
        } = &self.latest;
        let (mut lost, mut gaps, mut arrived) = (*lost, gaps.sums(), *arrived);
        if let Some(older) = &self.older {
            let came = older.sum();
            gaps = gaps.plus(came.gaps.sums());
            lost += came.lost;
            arrived += came.arrived;
        }
        let loss = loss_percent(gained(lost), gained(arrived));
        (statistics(gaps), loss)
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
        let pairs = float(n) * float(n - 1);
        (float(numerator) / (pairs * NS_PER_MS * NS_PER_MS)).sqrt()
    };
    Interarrival::new(
        (n > 0).then(|| float(sum) / (float(n) * NS_PER_MS)),
        (n > 1).then(|| deviation(n)),
        gaps.count,
    )
}

/// A fast conversion to a floating-point number; right to 53 bits where the number has room in 64, else to 52.
fn float(number: i128) -> f64 {
    const WORD: f64 = (1_u128 << 64) as f64;
    match i64::try_from(number) {
        Ok(number) => number as f64,
        Err(_) => (number >> 64) as i64 as f64 * WORD + number as u64 as f64,
    }
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
        assert!((found.jitter_ms().unwrap() - (1.0f64 / 3.0).sqrt() / 1000.0).abs() < 1e-12);
    }

    #[test]
    fn below_two_gaps_there_is_no_jitter() {
        assert_eq!(statistics(gaps(&[])), Interarrival::default());
        let one = statistics(gaps(&[5_000_000]));
        assert_eq!(
            (one.mean_ms(), one.jitter_ms(), one.samples),
            (Some(5.0), None, 1)
        );
    }

    #[test]
    fn packed_sums_are_the_same_sums_up_to_their_last_bits() {
        let most = GapSums {
            count: (1 << 48) - 1,
            sum: u64::MAX,
            squares: GapSums::MODULUS - 1,
        };
        assert_eq!(PackedGaps::of(most).sums(), most);
        let later = most.plus(gaps(&[5, 7]));
        assert_eq!(PackedGaps::of(most).until(later), gaps(&[5, 7]));
        assert_eq!(PackedGaps::of(later).until(later), GapSums::default());
    }

    fn numbers(lost: i64, arrived: u64) -> Metered {
        Metered {
            lost: lost as u64,
            arrived,
            ..Metered::default()
        }
    }

    #[test]
    fn steps_leave_the_window_as_they_age() {
        let mut window = Window::default();
        window.add(1, 1, gaps(&[1_000_000]), &numbers(1, 3));
        window.add(2, 1, gaps(&[3_000_000]), &numbers(0, 4));
        let mut found = |oldest| {
            let (interarrival, loss) = window.statistics(oldest);
            (interarrival.mean_ms(), loss)
        };
        assert_eq!(found(1), (Some(2.0), Some(12.5)));
        assert_eq!(found(2), (Some(3.0), Some(0.0)));
        assert_eq!(found(3), (None, None));
    }

    #[test]
    fn numbers_that_come_late_take_back_a_loss_and_no_more() {
        let mut window = Window::default();
        window.add(1, 1, gaps(&[]), &numbers(2, 2));
        assert_eq!(window.statistics(1).1, Some(50.0));
        window.add(2, 1, gaps(&[]), &numbers(-1, 1));
        assert_eq!(window.statistics(1).1, Some(25.0));
        assert_eq!(window.statistics(2).1, Some(0.0));
    }

    #[test]
    fn gaps_and_numbers_are_forgotten_by_themselves() {
        let mut window = Window::default();
        window.add(1, 1, gaps(&[1_000_000]), &numbers(1, 3));
        window.add(2, 1, gaps(&[2_000_000]), &numbers(0, 0));
        window.forget_gaps();
        assert_eq!(window.statistics(1), (Interarrival::default(), Some(25.0)));
        window.forget_numbers();
        assert_eq!(window.statistics(1).1, None);
        window.forget_before(2);
        assert!(window.is_empty());
    }
}
