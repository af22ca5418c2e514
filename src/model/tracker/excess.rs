//! Whether packets come in aggregates, several at a time: then there are more of them than arrivals. It takes nothing
//! that the kernel does not count anyway.

/// How many more packets came than there were arrivals, up to what is certain and a little more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Excess(i16);

impl Excess {
    /// A CPU that is read between counting a packet and its gap makes one more, until the next reading; so does, for good, one
    /// that is at the beginning of a pause just then. So many are no accident.
    const CERTAIN: i16 = 100;
    /// As many as are remembered.
    pub const MOST: Excess = Excess(2 * Excess::CERTAIN);

    /// Adds what came between two readings of one jitter epoch.
    pub fn add(&mut self, packets: u64, gaps: u64) {
        let most = i64::from(Excess::MOST.0);
        let more = packets.wrapping_sub(gaps) as i64;
        let sum = i64::from(self.0).saturating_add(more);
        self.0 = sum.clamp(-most, most) as i16;
    }

    /// Whether there were aggregates.
    pub fn is_certain(self) -> bool {
        self.0 >= Excess::CERTAIN
    }
}

#[cfg(test)]
mod tests {
    use super::Excess;
    use crate::model::snapshot::{FlowSample, GapSums};
    use crate::model::tracker::advance::tests::{sample, snapshot, tracker};

    /// The first flow after readings of so many packets and gaps, each in an epoch.
    fn comes_in_aggregates(readings: impl IntoIterator<Item = (u64, u64, u32)>) -> bool {
        let mut tracker = tracker();
        for (second, (packets, count, epoch)) in (1..).zip(readings) {
            let gaps = GapSums {
                count,
                sum: count,
                squares: count.into(),
            };
            let sample = FlowSample {
                gaps,
                epoch,
                ..sample(3, 1, 5, packets)
            };
            tracker.advance_and_close(&snapshot(second, &[sample], &[]));
        }
        tracker.report().flows[0].comes_in_aggregates()
    }

    #[test]
    fn aggregates_are_told_from_packets_that_are_arrivals_each() {
        let alone = |second: u64| (1000 * second, 1000 * second - 1, 1);
        assert!(!comes_in_aggregates((1..100).map(alone)));
        // Read behind a packet and before its gap, again and again: it is the same one.
        let in_between = |second: u64| (1000 * second, 1000 * second - 1 - second % 2, 1);
        assert!(!comes_in_aggregates((1..1000).map(in_between)));
        // After each pause, the gaps begin at zero.
        let pausing = |second: u64| (1000 * second, 999, second as u32);
        assert!(!comes_in_aggregates((1..1000).map(pausing)));
        let in_pairs = |second: u64| (20 * second, 10 * second - 1, 1);
        assert!(!comes_in_aggregates((1..9).map(in_pairs)));
        assert!(comes_in_aggregates((1..11).map(in_pairs)));
        let once = |second: u64| (1000 * second + 200, 1000 * second - 1, 1);
        assert!(comes_in_aggregates((1..100).map(once)));
    }

    #[test]
    fn a_little_more_than_what_is_certain_is_remembered() {
        let mut excess = Excess::default();
        excess.add(1000, 0);
        excess.add(0, 99);
        assert!(excess.is_certain());
        excess.add(0, 2);
        assert!(!excess.is_certain());
    }

    #[test]
    fn a_reset_begins_anew() {
        let mut tracker = tracker();
        tracker.advance_and_close(&snapshot(1, &[sample(3, 1, 5, 500)], &[]));
        assert!(tracker.report().flows[0].comes_in_aggregates());
        tracker.reset();
        assert!(!tracker.report().flows[0].comes_in_aggregates());
    }
}
