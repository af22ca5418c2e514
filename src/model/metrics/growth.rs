//! What is counted of flows in metrics: sums that only grow.

use std::ops::AddAssign;

use crate::model::counts::Counts;

/// What came of a flow, or of many. Numbers of packets and bytes of streams are apart: they do not add up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Growth {
    /// Packets on the wire.
    pub packets: u64,
    /// Bytes on the wire.
    pub bytes: u64,
    /// Payload bytes.
    pub payload_bytes: u64,
    /// Numbers that went missing, those included that came late; of all but TCP.
    pub lost: u64,
    /// Of these, numbers that came late.
    pub recovered: u64,
    /// Bytes of TCP that went missing, those included that came late.
    pub lost_bytes: u64,
    /// Of these, bytes that came late.
    pub recovered_bytes: u64,
    /// Numbers seen before; not of TCP.
    pub duplicates: u64,
    /// Late packets; of TCP retransmitted or reordered segments.
    pub reverse_errors: u64,
    /// Late packets of all but TCP.
    pub reordered: u64,
}

impl Growth {
    /// What a reading added to a flow whose totals are `now` and have it already; `lost` was missing before.
    pub fn of(now: &Counts, came: &Counts, lost: u64) -> Growth {
        let mut growth = Growth {
            packets: came.packets,
            bytes: came.bytes,
            payload_bytes: came.payload_bytes,
            ..Growth::default()
        };
        let (Some(total), Some(sequence)) = (&now.sequence, &came.sequence) else {
            return growth;
        };
        let newly_lost = total.lost.saturating_sub(lost);
        let recovered = lost.saturating_sub(total.lost);
        growth.reverse_errors = sequence.reverse_errors;
        growth.reordered = sequence.reordered().unwrap_or(0);
        growth.duplicates = sequence.duplicates.unwrap_or(0);
        match sequence.is_of_stream() {
            true => (growth.lost_bytes, growth.recovered_bytes) = (newly_lost, recovered),
            false => (growth.lost, growth.recovered) = (newly_lost, recovered),
        }
        growth
    }
}

impl AddAssign for Growth {
    fn add_assign(&mut self, other: Growth) {
        self.packets += other.packets;
        self.bytes += other.bytes;
        self.payload_bytes += other.payload_bytes;
        self.lost += other.lost;
        self.recovered += other.recovered;
        self.lost_bytes += other.lost_bytes;
        self.recovered_bytes += other.recovered_bytes;
        self.duplicates += other.duplicates;
        self.reverse_errors += other.reverse_errors;
        self.reordered += other.reordered;
    }
}
