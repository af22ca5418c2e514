//! What is counted of a flow or an interface, as numbers that can be told apart in time: what came since an earlier
//! reading, and totals that this is added to.
//!
//! Totals have 64 bits. How wide a counter of the kernel is, only `since` knows.

use std::ops::{Add, AddAssign};

/// Packets and bytes on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Volume {
    /// Packets as they were on the wire; an aggregate counts as the packets it stands for.
    pub packets: u64,
    /// Bytes from the Ethernet header on, without preamble and frame check sequence.
    pub bytes: u64,
}

impl Volume {
    /// What came since `earlier`.
    pub fn since(self, earlier: Volume) -> Volume {
        Volume {
            packets: self.packets.wrapping_sub(earlier.packets),
            bytes: self.bytes.wrapping_sub(earlier.bytes),
        }
    }
}

impl Add for Volume {
    type Output = Volume;
    fn add(self, other: Volume) -> Volume {
        Volume {
            packets: self.packets.wrapping_add(other.packets),
            bytes: self.bytes.wrapping_add(other.bytes),
        }
    }
}

impl AddAssign for Volume {
    fn add_assign(&mut self, other: Volume) {
        *self = *self + other;
    }
}

/// Exact integer sums over the gaps between consecutive arrivals of one jitter epoch.
///
/// Sums are modular (`squares` modulo 2^79): only differences between two snapshots mean something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct GapSums {
    /// Number of gaps.
    pub count: u64,
    /// Sum of the gaps, ns.
    pub sum: u64,
    /// Sum of the squares of the gaps, ns^2.
    pub squares: u128,
}

impl GapSums {
    /// The squares are kept modulo this: more than any window can hold, as gaps of up to 2 s fill it in three days and a half.
    pub const MODULUS: u128 = 1 << 79;

    /// These gaps and those.
    pub fn plus(self, other: GapSums) -> GapSums {
        GapSums {
            count: self.count.wrapping_add(other.count),
            sum: self.sum.wrapping_add(other.sum),
            squares: self.squares.wrapping_add(other.squares) % GapSums::MODULUS,
        }
    }

    /// What came between `earlier` and this, both of the same epoch.
    pub fn since(self, earlier: GapSums) -> GapSums {
        GapSums {
            count: self.count.wrapping_sub(earlier.count),
            sum: self.sum.wrapping_sub(earlier.sum),
            squares: self.squares.wrapping_sub(earlier.squares) % GapSums::MODULUS,
        }
    }
}

/// What sequence tracking found out about one flow. `None` where it cannot be known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sequence {
    /// Highest number seen, unknown before the first; TCP: of the last byte.
    pub current: Option<u32>,
    /// Packets with a readable sequence number.
    pub received: u64,
    /// Numbers not seen, less those that came late; TCP: in bytes.
    pub lost: u64,
    /// Late packets; TCP: retransmitted or reordered segments, which cannot be told apart.
    pub reverse_errors: u64,
    /// Gaps up to the threshold.
    pub small_errors: u64,
    /// Gaps beyond the threshold.
    pub big_errors: u64,
    /// Numbers seen already; unknown for TCP.
    pub duplicates: Option<u64>,
    /// Times the sender began a new series; one that turns out to be none is taken back.
    pub restarts: u64,
    /// Packets in which the configured place held no number.
    pub absent: u64,
}

impl Sequence {
    /// Nothing yet, of a flow whose numbers are tracked like `other`'s.
    pub fn none_yet(other: &Sequence) -> Sequence {
        Sequence {
            duplicates: other.duplicates.map(|_| 0),
            ..Sequence::default()
        }
    }

    /// Packets that came after a later one; unknown for TCP, whose late segments may be retransmitted ones.
    pub fn reordered(&self) -> Option<u64> {
        self.duplicates.map(|_| self.reverse_errors)
    }

    /// The same place in the series, all counts zero.
    pub fn emptied(self) -> Sequence {
        Sequence {
            current: self.current,
            ..Sequence::none_yet(&self)
        }
    }

    /// What came between `earlier` and this, readings of one slot's counters. The one place that knows their widths: of
    /// those of 32 bits only these are looked at, so `earlier` may as well be a total that is wider by now.
    pub fn since(&self, earlier: &Sequence) -> Sequence {
        let Sequence {
            current,
            received,
            lost,
            reverse_errors,
            small_errors,
            big_errors,
            duplicates,
            restarts,
            absent,
        } = *self;
        Sequence {
            current,
            received: received.wrapping_sub(earlier.received),
            lost: lost.wrapping_sub(earlier.lost),
            reverse_errors: since_32(reverse_errors, earlier.reverse_errors),
            small_errors: since_32(small_errors, earlier.small_errors),
            big_errors: since_32(big_errors, earlier.big_errors),
            duplicates: duplicates.map(|now| since_32(now, earlier.duplicates.unwrap_or(0))),
            restarts: since_32(restarts, earlier.restarts) as i32 as u64,
            absent: since_32(absent, earlier.absent),
        }
    }
}

fn since_32(now: u64, earlier: u64) -> u64 {
    (now as u32).wrapping_sub(earlier as u32).into()
}

impl AddAssign for Sequence {
    /// Adds what came since the total was what it is. Of `lost` and `restarts` that may be less than nothing: numbers that
    /// came late, a series that went on after all. The total does not go below zero, as they may be from before a reset.
    fn add_assign(&mut self, newly: Sequence) {
        *self = Sequence {
            current: newly.current.or(self.current),
            received: self.received.wrapping_add(newly.received),
            lost: self.lost.saturating_add_signed(newly.lost as i64),
            reverse_errors: self.reverse_errors.wrapping_add(newly.reverse_errors),
            small_errors: self.small_errors.wrapping_add(newly.small_errors),
            big_errors: self.big_errors.wrapping_add(newly.big_errors),
            duplicates: newly
                .duplicates
                .map(|newly| self.duplicates.unwrap_or(0).wrapping_add(newly)),
            restarts: self.restarts.saturating_add_signed(newly.restarts as i64),
            absent: self.absent.wrapping_add(newly.absent),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A reading in which every counter of the kernel shows this, of as many bits as it has.
    fn reading(count: u64) -> Sequence {
        let narrow = u64::from(count as u32);
        Sequence {
            current: Some(count as u32),
            received: count,
            lost: count,
            reverse_errors: narrow,
            small_errors: narrow,
            big_errors: narrow,
            duplicates: Some(narrow),
            restarts: 0,
            absent: narrow,
        }
    }

    fn total(count: u64) -> Sequence {
        Sequence {
            reverse_errors: count,
            small_errors: count,
            big_errors: count,
            duplicates: Some(count),
            absent: count,
            ..reading(count)
        }
    }

    #[test]
    fn totals_go_on_where_a_narrow_counter_begins_anew() {
        const LAST: u64 = u32::MAX as u64;
        for (before, now) in [(LAST, LAST + 5), (0, LAST), (7, 7), (LAST + 1, LAST + 3)] {
            let newly = reading(now).since(&reading(before));
            assert_eq!(
                newly,
                Sequence {
                    current: Some(now as u32),
                    ..total(now - before)
                }
            );
            let mut sum = total(before);
            sum += newly;
            assert_eq!(sum, total(now), "a total beside the readings");
            let mut sum = total(before + (9 << 32));
            sum += reading(now).since(&sum);
            let expected = total(now + (9 << 32));
            let narrow_ones = |s: &Sequence| {
                (
                    s.reverse_errors,
                    s.small_errors,
                    s.big_errors,
                    s.duplicates,
                    s.absent,
                )
            };
            assert_eq!(
                narrow_ones(&sum),
                narrow_ones(&expected),
                "a wider total as the reading before"
            );
        }
    }

    #[test]
    fn numbers_that_come_late_are_lost_no_more_and_a_total_stays_above_zero() {
        let lost = |lost| Sequence {
            lost,
            ..Sequence::default()
        };
        let mut total = lost(10);
        total += lost(3).since(&lost(7));
        assert_eq!(total.lost, 6);
        total += lost(0).since(&lost(9));
        assert_eq!(total.lost, 0);
        total += lost(2).since(&lost(0));
        assert_eq!(total.lost, 2);
    }

    #[test]
    fn restarts_go_on_where_their_counter_begins_anew_and_back_where_they_are_taken_back() {
        let of = |restarts: u64| Sequence {
            restarts,
            ..Sequence::default()
        };
        let mut total = of(u64::from(u32::MAX));
        total += of(4).since(&of(u64::from(u32::MAX)));
        assert_eq!(total.restarts, (1 << 32) + 4);
        total += of(u64::from(u32::MAX)).since(&of(4));
        assert_eq!(total.restarts, u64::from(u32::MAX));
        let mut since_a_reset = of(1);
        since_a_reset += of(7).since(&of(9));
        assert_eq!(since_a_reset.restarts, 0, "those were before it");
    }

    #[test]
    fn a_number_that_was_known_stays_where_a_reading_has_none() {
        let mut total = total(5);
        total += Sequence::none_yet(&total);
        assert_eq!((total.current, total.duplicates), (Some(5), Some(5)));
        total += Sequence::default();
        assert_eq!(total.duplicates, None, "of another kind");
    }
}
