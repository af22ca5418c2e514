//! What is counted, as sets of counters that can be told apart in time: what came since an earlier reading, and totals that this
//! is added to.
//!
//! A set names each of its counters once, with its kind: how wide it is in the kernel, and whether it may go down. All
//! that happens to a set follows from that. Totals have 64 bits; how wide a reading is, only `since` knows.

mod counter_set;
mod group;
mod ip;

pub use counter_set::CounterSet;
pub(super) use counter_set::{CounterKind, Sum64, counter_set};
use counter_set::{LatestValue, NestedSet, Net32, Net64, Sum32};
pub use group::Named;
pub(super) use ip::ip_metrics;
pub use ip::*;

counter_set! {
    /// Packets and bytes on the wire.
    Volume {
        /// Packets as they were on the wire; an aggregate counts as the packets it stands for.
        packets: u64 = Sum64,
        /// Bytes from the Ethernet header on, without preamble and frame check sequence.
        bytes: u64 = Sum64,
    }
}

counter_set! {
    /// All that is counted of a flow, or of many: from the slots of the table to the exports. In this order in memory: what is
    /// mostly off comes last.
    #[repr(C)]
    Counts {
        /// Packets as they were on the wire; an aggregate counts as the packets it stands for.
        packets: u64 = Sum64,
        /// Bytes from the Ethernet header on, without preamble and frame check sequence.
        bytes: u64 = Sum64,
        /// Bytes behind the TCP, UDP or ICMP header.
        payload_bytes: u64 = Sum64,
        /// What sequence tracking found out; `None` where nothing is tracked.
        sequence: Option<Sequence> = NestedSet,
        /// The group `ip`; `None` where it is off.
        ip: Option<IpMetrics> = NestedSet,
    }
}

counter_set! {
    /// What sequence tracking found out about one flow. `None` where it cannot be known.
    Sequence {
        /// Highest number seen, unknown before the first; TCP: of the last byte.
        current: Option<u32> = LatestValue,
        /// Packets with a readable sequence number.
        received: u64 = Sum64,
        /// Numbers not seen, less those that came late; TCP: in bytes.
        lost: u64 = Net64,
        /// Late packets; TCP: retransmitted or reordered segments, which cannot be told apart.
        reverse_errors: u64 = Sum32,
        /// Gaps up to the threshold.
        small_errors: u64 = Sum32,
        /// Gaps beyond the threshold.
        big_errors: u64 = Sum32,
        /// Numbers seen already; unknown for TCP.
        duplicates: Option<u64> = Sum32,
        /// Times the sender began a new series; one that turns out to be none is taken back.
        restarts: u64 = Net32,
        /// Packets in which the configured place held no number.
        absent: u64 = Sum32,
    }
}

counter_set! {
    /// What happened to the flow table.
    TableCounts {
        /// Flows replaced by the kernel program because their set was full.
        evicted: u64 = Sum64,
        /// Packets that found no room.
        insert_failures: u64 = Sum64,
        /// Sequence judgements skipped because another CPU held the flow for too long.
        contended: u64 = Sum64,
    }
}

counter_set! {
    /// The counts that figures of an interval are made of. What comes may be less than nothing, and so may a sum of it.
    Metered {
        /// Packets on the wire.
        packets: u64 = Sum64,
        /// Bytes on the wire.
        bytes: u64 = Sum64,
        /// Payload bytes.
        payload_bytes: u64 = Sum64,
        /// Numbers that are missing; 0 where none are tracked.
        lost: u64 = Sum64,
        /// Numbers that came, as [`Counts::arrived`] has them.
        arrived: u64 = Sum64,
    }
}

impl Counts {
    /// Packets and bytes on the wire.
    pub fn volume(&self) -> Volume {
        Volume {
            packets: self.packets,
            bytes: self.bytes,
        }
    }

    /// What figures of an interval are made of.
    pub fn metered(&self) -> Metered {
        Metered {
            packets: self.packets,
            bytes: self.bytes,
            payload_bytes: self.payload_bytes,
            lost: self.sequence.map_or(0, |sequence| sequence.lost),
            arrived: self.arrived(),
        }
    }

    /// The same of what came between `earlier` and this. Groups, which are not metered, are not read.
    #[inline(always)]
    pub fn metered_since(&self, earlier: &Counts) -> Metered {
        let metered = |counts: &Counts| Counts {
            ip: None,
            ..*counts
        };
        metered(self).since(&metered(earlier)).metered()
    }

    /// Numbers that came, duplicates not among them; of TCP, payload bytes. 0 where none are tracked.
    pub fn arrived(&self) -> u64 {
        self.sequence
            .map_or(0, |sequence| match sequence.duplicates {
                Some(duplicates) => sequence.received.saturating_sub(duplicates),
                None => self.payload_bytes,
            })
    }

    /// What adds up over flows of all kinds: numbers do not, as TCP's are bytes; nor does what is the latest of a flow.
    pub fn across_flows(self) -> Counts {
        self.metered().across_flows()
    }
}

impl Metered {
    /// What adds up over flows of all kinds, as [`Counts::across_flows`] has it.
    pub fn across_flows(self) -> Counts {
        Counts {
            packets: self.packets,
            bytes: self.bytes,
            payload_bytes: self.payload_bytes,
            ..Counts::default()
        }
    }
}

impl From<Volume> for Counts {
    /// Of packets in no flow, whose payload nobody looks at.
    fn from(volume: Volume) -> Counts {
        Counts {
            packets: volume.packets,
            bytes: volume.bytes,
            ..Counts::default()
        }
    }
}

impl Sequence {
    /// Whether these are bytes of a stream, as TCP's are, rather than packets.
    pub fn is_of_stream(&self) -> bool {
        self.duplicates.is_none()
    }

    /// Packets that came after a later one; unknown for TCP, whose late segments may be retransmitted ones.
    pub fn reordered(&self) -> Option<u64> {
        self.duplicates.map(|_| self.reverse_errors)
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
    fn what_ip_headers_said_goes_on_where_a_word_of_the_kernel_begins_anew() {
        let of = |count: u64| IpMetrics {
            ce: count,
            ttl_changes: count,
            ip_bytes: count,
            ..IpMetrics::default()
        };
        // Marks and changes are words of 32 bits there, bytes of 64.
        let before = IpMetrics {
            ip_bytes: 7,
            ..of(u64::from(u32::MAX))
        };
        let now = IpMetrics {
            ip_bytes: (1 << 32) + 11,
            ..of(4)
        };
        let expected = IpMetrics {
            ip_bytes: (1 << 32) + 4,
            ..of(5)
        };
        assert_eq!(now.since(&before), expected);
    }

    #[test]
    fn what_adds_up_over_flows_is_neither_a_number_nor_the_latest_of_one() {
        let counts = Counts {
            packets: 3,
            bytes: 300,
            payload_bytes: 100,
            sequence: Some(total(3)),
            ip: Some(IpMetrics::default()),
        };
        let expected = Counts {
            packets: 3,
            bytes: 300,
            payload_bytes: 100,
            ..Counts::default()
        };
        assert_eq!(counts.across_flows(), expected);
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
        total += Sequence {
            current: None,
            ..total.emptied()
        };
        assert_eq!((total.current, total.duplicates), (Some(5), Some(5)));
        total += Sequence::default();
        assert_eq!(total.duplicates, None, "of another kind");
    }
}
