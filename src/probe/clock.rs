//! The clock that the kernel program stamps arrivals with, as user space can read it.
//!
//! It is the machine's CLOCK_MONOTONIC. A process in a time namespace has another one, ahead of it or behind it by what
//! stays the same as long as the process lives, and which no file tells for certain: the kernel program is asked.

use anyhow::Result;

use super::sys::monotonic_ns;

/// Readings that the difference is taken from: the one that took the least time.
const TRIES: usize = 16;

/// How far the kernel's clock is ahead of this process's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KernelClock {
    ahead_ns: i64,
}

impl KernelClock {
    /// Compares the two clocks; `read` asks the kernel.
    pub fn compare(mut read: impl FnMut() -> Result<u64>) -> Result<KernelClock> {
        let mut closest = (u64::MAX, 0);
        for _ in 0..TRIES {
            let before = monotonic_ns();
            let kernel = read()?;
            closest = closest.min(difference(before, kernel, monotonic_ns()));
        }
        Ok(KernelClock {
            ahead_ns: closest.1,
        })
    }

    /// The kernel's time, ns; by a few microseconds early, if at all, and never late: what is older was there before.
    pub fn now_ns(self) -> u64 {
        monotonic_ns().wrapping_add_signed(self.ahead_ns)
    }
}

/// Time between the readings before and after, and how far the kernel's clock is ahead, at least. Where it may be the
/// same clock, it is.
fn difference(before: u64, kernel: u64, after: u64) -> (u64, i64) {
    let ahead = match (before..=after).contains(&kernel) {
        true => 0,
        false => kernel.wrapping_sub(after) as i64,
    };
    (after - before, ahead)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_clock_is_not_ahead() {
        let clock = KernelClock::compare(|| Ok(monotonic_ns())).unwrap();
        assert_eq!(clock.ahead_ns, 0);
    }

    #[test]
    fn a_clock_of_another_time_is_read_early_by_a_moment_and_never_late() {
        const SECOND: i64 = 1_000_000_000;
        for ahead in [-100_000 * SECOND, -SECOND, SECOND, 100_000 * SECOND] {
            let kernel_ns = || monotonic_ns().wrapping_add_signed(ahead);
            let clock = KernelClock::compare(|| Ok(kernel_ns())).unwrap();
            let (early, now) = (clock.now_ns(), kernel_ns());
            assert!(early <= now && now - early < SECOND as u64, "{early} {now}");
        }
    }

    #[test]
    fn the_reading_that_took_the_least_time_counts() {
        assert_eq!(difference(10, 15, 20), (10, 0));
        assert_eq!(difference(10, 1015, 20), (10, 995));
        assert_eq!(difference(1010, 15, 1020), (10, -1005));
        let readings = [difference(0, 5000, 100), difference(200, 5205, 210)];
        assert_eq!(readings.into_iter().min(), Some((10, 4995)));
    }
}
