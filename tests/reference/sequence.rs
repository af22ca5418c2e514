//! Loss, reordering and duplicates by numbers that count packets: UDP, ICMP, and echo's own number.
//!
//! Numbers are unrolled to positions on one long line, so that wrap-around needs no thought beyond the
//! one subtraction, and what has been seen is a set of positions.

use std::collections::BTreeSet;

use flowtop::model::rule::SequenceWidth;
use flowtop::model::snapshot::Sequence;

/// "Seen already" is exact for the last so many numbers.
pub const WINDOW: i64 = 64;

/// The signed difference of two numbers of this width.
fn difference(width: SequenceWidth, a: u32, b: u32) -> i64 {
    match width {
        SequenceWidth::Bits32 => i64::from(a.wrapping_sub(b) as i32),
        SequenceWidth::Bits16 => i64::from((a as u16).wrapping_sub(b as u16) as i16),
    }
}

/// The number behind this one.
fn successor(width: SequenceWidth, number: u32) -> u32 {
    match width {
        SequenceWidth::Bits32 => number.wrapping_add(1),
        SequenceWidth::Bits16 => (number as u16).wrapping_add(1).into(),
    }
}

/// Whether a number so far from `expected` could be the start of a new series.
fn is_far(width: SequenceWidth, difference: i64) -> bool {
    match width {
        SequenceWidth::Bits32 => !(-1024..=1 << 24).contains(&difference),
        SequenceWidth::Bits16 => !(-100..=3000).contains(&difference),
    }
}

/// The series of numbers that a flow is in.
#[derive(Debug, Clone)]
struct Series {
    /// Position of the first number.
    base: i64,
    /// Position of the highest number.
    highest: i64,
    /// Positions seen, the last [`WINDOW`] of them at most.
    seen: BTreeSet<i64>,
}

/// Judges the numbers of one flow in the order in which they arrive.
#[derive(Debug, Clone)]
pub struct NumberTracker {
    width: SequenceWidth,
    threshold: u32,
    series: Option<Series>,
    candidate: Option<u32>,
    counts: Sequence,
}

impl NumberTracker {
    /// A tracker that has seen nothing.
    pub fn new(width: SequenceWidth, threshold: u32) -> NumberTracker {
        let counts = Sequence {
            duplicates: Some(0),
            ..Sequence::default()
        };
        NumberTracker {
            width,
            threshold,
            series: None,
            candidate: None,
            counts,
        }
    }

    /// What has been found out so far.
    pub fn counts(&self) -> Sequence {
        self.counts
    }

    /// Packets whose numbers cannot be read: what comes next begins a new series, and nothing is lost.
    pub fn forget(&mut self, packets: u64) {
        self.counts.absent += packets;
        self.series = None;
        self.candidate = None;
    }

    /// One packet: its number, or none where the configured place has none.
    pub fn observe(&mut self, number: Option<u32>) {
        let Some(number) = number else {
            self.counts.absent += 1;
            return;
        };
        self.counts.received += 1;
        if self.series.is_none() {
            self.begin(&[number]);
            return;
        }
        if let Some(candidate) = self.candidate.take() {
            if number == successor(self.width, candidate) {
                self.counts.restarts += 1;
                self.begin(&[candidate, number]);
                return;
            }
            self.judge(candidate);
        }
        if is_far(self.width, self.distance(number)) {
            self.candidate = Some(number);
        } else {
            self.judge(number);
        }
    }

    /// `d`: how far a number is from the expected one.
    fn distance(&self, number: u32) -> i64 {
        let expected = successor(self.width, self.counts.current.unwrap_or(0));
        difference(self.width, number, expected)
    }

    /// A new series with these consecutive numbers.
    fn begin(&mut self, numbers: &[u32]) {
        let last = numbers.len() as i64 - 1;
        self.series = Some(Series {
            base: 0,
            highest: last,
            seen: (0..=last).collect(),
        });
        self.counts.current = numbers.last().copied();
    }

    fn judge(&mut self, number: u32) {
        let d = self.distance(number);
        let Some(series) = &mut self.series else {
            return;
        };
        let position = series.highest + 1 + d;
        if d >= 0 {
            series.highest = position;
            series.seen.insert(position);
            series.seen.retain(|seen| *seen > position - WINDOW);
            self.counts.current = Some(number);
            self.count_gap(d as u64);
        } else if series.seen.contains(&position) {
            *self.counts.duplicates.get_or_insert(0) += 1;
        } else {
            self.counts.reverse_errors += 1;
            if position > series.highest - WINDOW {
                series.seen.insert(position);
                if position >= series.base {
                    self.counts.lost -= 1;
                }
            }
        }
    }

    fn count_gap(&mut self, d: u64) {
        self.counts.lost += d;
        if d == 0 {
        } else if d < u64::from(self.threshold) {
            self.counts.small_errors += 1;
        } else {
            self.counts.big_errors += 1;
        }
    }
}
