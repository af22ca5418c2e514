//! A histogram of inter-arrival times: 32 buckets for each power of two of nanoseconds, and the longest gap.
//!
//! [`bucket_of`] is the definition; the kernel program computes the same index. A bucket is at most a 32nd as wide as its
//! lower bound, and a percentile is its middle: right to a 64th, 1.6 %. Gaps of more than 2 s are not counted (they begin
//! a new jitter epoch), so the last buckets stay empty.

/// Buckets for each power of two: this power of two.
const SHIFT: u32 = 5;
/// Number of buckets.
pub const BUCKETS: usize = 864;

/// The bucket of a gap: its six highest bits, and how many lie below them. Gaps up to 63 ns have buckets of their own,
/// everything from 2^31 ns on is in the last one.
///
/// In C: `below = ns < 32 ? 0 : 58 - __builtin_clzll(ns); i = (below << 5) + (ns >> below); min(i, 863)`.
pub const fn bucket_of(ns: u64) -> usize {
    let below = (u64::BITS - ns.leading_zeros()).saturating_sub(SHIFT + 1);
    let index = ((below << SHIFT) as u64 + (ns >> below)) as usize;
    if index < BUCKETS { index } else { BUCKETS - 1 }
}

/// The smallest gap in a bucket, ns.
pub const fn lower_bound(bucket: usize) -> u64 {
    let below = (bucket >> SHIFT).saturating_sub(1);
    ((bucket - (below << SHIFT)) as u64) << below
}

/// How often gaps of each length came, and the longest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Histogram {
    /// Gaps by bucket.
    pub counts: [u64; BUCKETS],
    /// The longest gap, ns.
    pub longest: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Histogram {
            counts: [0; BUCKETS],
            longest: 0,
        }
    }
}

impl Histogram {
    /// Number of gaps.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The gap of this percentile (0 to 100), ms, by the nearest-rank rule: the middle of its bucket, and no more than the
    /// longest gap.
    pub fn percentile_ms(&self, percentile: f64) -> Option<f64> {
        let total = self.total();
        let rank = ((percentile / 100.0 * total as f64).ceil() as u64).clamp(1, total.max(1));
        let mut seen = 0;
        let bucket = self.counts.iter().position(|count| {
            seen += count;
            seen >= rank
        })?;
        // Of a bucket of whole ns, the last one among them.
        let (low, high) = (lower_bound(bucket), lower_bound(bucket + 1) - 1);
        Some(((low + high) as f64 / 2.0).min(self.longest as f64) / 1e6)
    }

    /// The longest gap, ms.
    pub fn longest_ms(&self) -> Option<f64> {
        (self.total() > 0).then_some(self.longest as f64 / 1e6)
    }

    /// Takes away what an earlier histogram of the same gaps has, and from that one what it takes away here. Where the longest gap may
    /// have been among it, the end of the last bucket that is left is taken for it.
    pub fn deduct(&mut self, earlier: &mut Histogram) {
        for (count, earlier) in self.counts.iter_mut().zip(&mut earlier.counts) {
            let both = (*count).min(*earlier);
            *count -= both;
            *earlier -= both;
        }
        if self.longest == earlier.longest {
            let last = self.occupied().last().map_or(0, |(_, high, _)| high);
            self.longest = self.longest.min(last);
        }
    }

    /// The buckets that hold something: the smallest and the largest gap that would be in it, ns, and how many are.
    pub fn occupied(&self) -> impl Iterator<Item = (u64, u64, u64)> + Clone + '_ {
        let numbered = self.counts.iter().enumerate();
        let held = numbered.filter(|(_, count)| **count > 0);
        held.map(|(at, count)| (lower_bound(at), lower_bound(at + 1) - 1, *count))
    }
}

impl std::ops::AddAssign<&Histogram> for Histogram {
    fn add_assign(&mut self, other: &Histogram) {
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more;
        }
        self.longest = self.longest.max(other.longest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn buckets_are_contiguous_and_cover_two_seconds() {
        for bucket in 0..BUCKETS - 1 {
            assert_eq!(bucket_of(lower_bound(bucket)), bucket);
            assert_eq!(bucket_of(lower_bound(bucket + 1) - 1), bucket);
        }
        assert_eq!(bucket_of(2_000_000_000), 859);
        assert_eq!(bucket_of(u64::MAX), 863);
        for (ns, bucket) in [
            (0, 0),
            (1, 1),
            (63, 63),
            (64, 64),
            (65, 64),
            (128, 96),
            (1000, 190),
        ] {
            assert_eq!(bucket_of(ns), bucket, "{ns}");
        }
    }

    proptest! {
        #[test]
        fn percentiles_are_right_to_a_sixty_fourth_and_the_longest_gap_is_exact(
            mut gaps in prop::collection::vec(0_u64..2_000_000_000, 1..500),
            halvings in 0_u32..31,
            percentile in 0.0_f64..=100.0,
        ) {
            let mut histogram = Histogram::default();
            for gap in &mut gaps {
                *gap >>= halvings;
                histogram.counts[bucket_of(*gap)] += 1;
                histogram.longest = histogram.longest.max(*gap);
            }
            gaps.sort_unstable();
            let rank = (percentile / 100.0 * gaps.len() as f64).ceil() as usize;
            let exact = gaps[rank.clamp(1, gaps.len()) - 1] as f64 / 1e6;
            let shown = histogram.percentile_ms(percentile).unwrap_or(f64::NAN);
            prop_assert!((shown - exact).abs() <= exact / 64.0, "{} of {}", shown, exact);
            prop_assert_eq!(histogram.longest_ms(), Some(gaps[gaps.len() - 1] as f64 / 1e6));
            let held = histogram.occupied().map(|(from, to, count)| {
                (gaps.iter().filter(|gap| (from..=to).contains(*gap)).count() as u64, count)
            });
            prop_assert!(held.clone().all(|(counted, count)| counted == count));
            prop_assert_eq!(held.map(|(_, count)| count).sum::<u64>(), gaps.len() as u64);
        }
    }
}
