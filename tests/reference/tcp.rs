//! Gaps, retransmitted and reordered segments by TCP sequence numbers, which count bytes.
//!
//! Numbers are unrolled to positions on one long line, as in [`super::sequence`].

use flowtop::model::snapshot::Sequence;

/// Further behind, 32 bits mean what is ahead.
const MOST_BEHIND: i64 = 1 << 31;

/// What a tracker needs to know of one buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Segment {
    /// Sequence number.
    pub seq: u32,
    /// Payload bytes.
    pub payload: u64,
    /// Payload bytes of the largest packet that the buffer stands for.
    pub largest: u64,
    /// Packets that the buffer stands for.
    pub packets: u64,
    /// SYN flag.
    pub syn: bool,
    /// FIN flag.
    pub fin: bool,
    /// RST flag.
    pub rst: bool,
}

impl Segment {
    /// Sequence numbers that it takes up.
    fn length(&self) -> i64 {
        self.payload as i64 + i64::from(self.syn) + i64::from(self.fin)
    }
}

/// Judges the segments of one flow in the order in which they arrive.
#[derive(Debug, Clone)]
pub struct TcpTracker {
    threshold: u32,
    /// Position of the next byte in order.
    expected: Option<i64>,
    /// There was a RST; the next base is a restart.
    reset: bool,
    /// The number of its SYN; of a connection seen from its middle, the one that it would have had.
    initial: u32,
    /// Payload of the largest packet so far.
    largest: u64,
    /// From the lowest missing byte to behind the highest one.
    missing: std::ops::Range<i64>,
    counts: Sequence,
}

impl TcpTracker {
    /// A tracker that has seen nothing.
    pub fn new(threshold: u32) -> TcpTracker {
        TcpTracker {
            threshold,
            expected: None,
            reset: false,
            initial: 0,
            largest: 0,
            missing: 0..0,
            counts: Sequence::default(),
        }
    }

    /// What has been found out so far.
    pub fn counts(&self) -> Sequence {
        self.counts
    }

    /// A fragment: what it holds is not known, so nothing can be expected of the next segment.
    /// That is no restart: the sender did not begin anew.
    pub fn forget(&mut self) {
        self.expected = None;
        self.missing = 0..0;
    }

    /// One buffer.
    pub fn observe(&mut self, segment: &Segment) {
        if segment.rst {
            self.reset |= self.expected.is_some();
            return self.forget();
        }
        if segment.length() == 0 {
            return;
        }
        let Some(expected) = self.expected else {
            self.counts.restarts += u64::from(self.reset);
            return self.rebase(segment);
        };
        let d = i64::from(segment.seq.wrapping_sub(expected as u32) as i32);
        let probe = !segment.syn && !segment.fin && segment.payload == 1;
        if probe && d == -1 {
            return;
        }
        if segment.syn && segment.seq != self.initial {
            self.counts.restarts += 1;
            return self.rebase(segment);
        }
        self.take_part(segment);
        match d {
            0 => {}
            1.. => self.count_gap(expected, d),
            _ => self.count_reverse(expected + d, segment.length()),
        }
        self.expect(expected.max(expected + d + segment.length()));
    }

    fn rebase(&mut self, segment: &Segment) {
        self.take_part(segment);
        self.initial = segment.seq.wrapping_sub(u32::from(!segment.syn));
        self.reset = false;
        self.missing = 0..0;
        self.expect(i64::from(segment.seq) + segment.length());
    }

    fn take_part(&mut self, segment: &Segment) {
        self.counts.received += segment.packets;
        self.largest = self.largest.max(segment.largest);
    }

    fn expect(&mut self, position: i64) {
        self.expected = Some(position);
        if self.missing.end <= position - MOST_BEHIND {
            self.missing = 0..0;
        }
        self.counts.current = Some((position - 1) as u32);
    }

    fn count_gap(&mut self, expected: i64, d: i64) {
        self.counts.lost += d as u64;
        self.expect(expected + d);
        if self.missing.is_empty() {
            self.missing.start = expected;
        }
        self.missing.end = expected + d;
        let packets = (d as u64).div_ceil(self.largest.max(1));
        if packets < u64::from(self.threshold) {
            self.counts.small_errors += 1;
        } else {
            self.counts.big_errors += 1;
        }
    }

    fn count_reverse(&mut self, from: i64, length: i64) {
        self.counts.reverse_errors += 1;
        let start = from.max(self.missing.start);
        let end = (from + length).min(self.missing.end);
        if start >= end {
            return;
        }
        self.counts.lost = self.counts.lost.saturating_sub((end - start) as u64);
        if start == self.missing.start {
            self.missing.start = end;
        }
        if self.counts.lost == 0 {
            self.missing = 0..0;
        }
    }
}
