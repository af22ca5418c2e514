//! A histogram of inter-arrival times: 64 buckets, two for each power of two of nanoseconds.
//!
//! [`bucket_of`] is the definition; the kernel program computes the same index. A bucket is at most
//! half as wide as its lower bound, so a percentile is right to that width. Gaps of more than 2 s
//! are not counted (they begin a new jitter epoch), so the last two buckets stay empty.

/// Number of buckets.
pub const BUCKETS: usize = 64;

/// The bucket of a gap: with `e` the index of its highest set bit, `2 * e + (the bit below it)`;
/// 0 and 1 ns have buckets of their own; everything from 2^32 ns on is in the last bucket.
///
/// In C: `e = 63 - __builtin_clzll(ns); i = ns < 2 ? ns : 2 * e + ((ns >> (e - 1)) & 1); min(i, 63)`.
pub const fn bucket_of(ns: u64) -> usize {
    if ns < 2 {
        return ns as usize;
    }
    let e = 63 - ns.leading_zeros();
    let index = 2 * e as usize + ((ns >> (e - 1)) & 1) as usize;
    if index < BUCKETS { index } else { BUCKETS - 1 }
}

/// The smallest gap in a bucket, ns.
pub const fn lower_bound(bucket: usize) -> u64 {
    match bucket {
        0 | 1 => bucket as u64,
        _ => (2 + bucket as u64 % 2) << (bucket / 2 - 1),
    }
}

/// How often gaps of each length came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Histogram {
    /// Gaps by bucket.
    pub counts: [u64; BUCKETS],
}

impl Default for Histogram {
    fn default() -> Self {
        Histogram {
            counts: [0; BUCKETS],
        }
    }
}

impl Histogram {
    /// Adds one gap.
    pub fn record(&mut self, ns: u64) {
        self.counts[bucket_of(ns)] += 1;
    }

    /// Number of gaps.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The bucket that holds the gap of this percentile (0 to 100), by the nearest-rank rule.
    pub fn percentile_bucket(&self, percentile: f64) -> Option<usize> {
        let total = self.total();
        if total == 0 {
            return None;
        }
        let rank = ((percentile / 100.0 * total as f64).ceil() as u64).clamp(1, total);
        let mut seen = 0;
        self.counts.iter().position(|count| {
            seen += count;
            seen >= rank
        })
    }

    /// The gap of this percentile, ns: interpolated within its bucket, so right to the bucket's width.
    pub fn percentile(&self, percentile: f64) -> Option<f64> {
        let bucket = self.percentile_bucket(percentile)?;
        let before: u64 = self.counts[..bucket].iter().sum();
        let rank = percentile / 100.0 * self.total() as f64;
        let share = ((rank - before as f64) / self.counts[bucket] as f64).clamp(0.0, 1.0);
        let low = lower_bound(bucket) as f64;
        Some(low + share * (lower_bound(bucket + 1) as f64 - low))
    }

    /// Where the longest gap's bucket ends, ns.
    pub fn max(&self) -> Option<u64> {
        let last = self.counts.iter().rposition(|count| *count > 0)?;
        Some(lower_bound(last + 1) - 1)
    }

    /// The buckets from the first to the last that holds something: lower bound in ns, and count.
    pub fn occupied(&self) -> &[u64] {
        let first = self.counts.iter().position(|count| *count > 0);
        let last = self.counts.iter().rposition(|count| *count > 0);
        match (first, last) {
            (Some(first), Some(last)) => &self.counts[first..=last],
            _ => &[],
        }
    }

    /// The first bucket that holds something.
    pub fn first_occupied(&self) -> Option<usize> {
        self.counts.iter().position(|count| *count > 0)
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
        assert_eq!(bucket_of(2_000_000_000), 61);
        assert_eq!(bucket_of(u64::MAX), 63);
        for (ns, bucket) in [(0, 0), (1, 1), (2, 2), (3, 3), (4, 4), (6, 5), (1000, 19)] {
            assert_eq!(bucket_of(ns), bucket, "{ns}");
        }
    }

    proptest! {
        #[test]
        fn percentiles_are_right_to_the_width_of_their_bucket(
            mut gaps in prop::collection::vec(0_u64..2_000_000_000, 1..500),
            percentile in 0.0_f64..=100.0,
        ) {
            let mut histogram = Histogram::default();
            for gap in &gaps {
                histogram.record(*gap);
            }
            gaps.sort_unstable();
            let rank = (percentile / 100.0 * gaps.len() as f64).ceil() as usize;
            let exact = gaps[rank.clamp(1, gaps.len()) - 1];
            let bucket = bucket_of(exact);
            prop_assert_eq!(histogram.percentile_bucket(percentile), Some(bucket));
            let width = (lower_bound(bucket + 1) - lower_bound(bucket)) as f64;
            let estimate = histogram.percentile(percentile).unwrap_or(f64::NAN);
            prop_assert!((estimate - exact as f64).abs() <= width);
            prop_assert!(histogram.max().is_some_and(|max| max >= gaps[gaps.len() - 1]));
        }
    }
}
