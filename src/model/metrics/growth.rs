//! What is counted of flows in metrics: sums that only grow.

use crate::model::counts::{CounterKind, CounterSet, Counts, Sum64, counter_set};

counter_set! {
    /// What came of a flow, or of many. Numbers of packets and bytes of streams are apart: they do not add up.
    Growth {
        /// Packets on the wire.
        packets: u64 = Sum64,
        /// Bytes on the wire.
        bytes: u64 = Sum64,
        /// Payload bytes.
        payload_bytes: u64 = Sum64,
        /// Numbers that went missing, those included that came late; of all but TCP.
        lost: u64 = Sum64,
        /// Of these, numbers that came late.
        recovered: u64 = Sum64,
        /// Bytes of TCP that went missing, those included that came late.
        lost_bytes: u64 = Sum64,
        /// Of these, bytes that came late.
        recovered_bytes: u64 = Sum64,
        /// Numbers seen before; not of TCP.
        duplicates: u64 = Sum64,
        /// Late packets; of TCP retransmitted or reordered segments.
        reverse_errors: u64 = Sum64,
        /// Late packets of all but TCP.
        reordered: u64 = Sum64,
    }
}

impl Growth {
    /// What came between two totals of a flow.
    pub fn between(before: &Counts, now: &Counts) -> Growth {
        let came = now.since(before);
        let mut growth = Growth {
            packets: came.packets,
            bytes: came.bytes,
            payload_bytes: came.payload_bytes,
            ..Growth::default()
        };
        let (Some(total), Some(sequence)) = (&now.sequence, &came.sequence) else {
            return growth;
        };
        let lost = before.sequence.map_or(0, |sequence| sequence.lost);
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
