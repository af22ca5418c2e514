//! Loss, reordering and duplicates by numbers that count packets: UDP, ICMP, and echo's own number.
//!
//! A series is kept as the set of numbers seen in it; distances are differences in the numbers' own width.

use std::collections::BTreeSet;

use flowtop::model::rule::SequenceWidth;
use flowtop::model::snapshot::Sequence;

/// So many of the latest numbers of the series are known to have been seen or not.
pub const WINDOW: i64 = 64;
/// The same of the other series.
const OTHER_WINDOW: i64 = 16;
/// So far ahead of what is due a number may be the next one of its series.
const NEAR: i64 = 96;
/// Times that one series has to go on beside the other before both are believed.
const TRUSTED: u32 = 4;

/// A run of numbers as one sender, on one path, sends it.
#[derive(Debug, Clone)]
struct Series {
    /// One more than the highest number.
    next: u32,
    /// Numbers seen, of the last ones that are remembered.
    seen: BTreeSet<u32>,
    /// The first number, while it is one of the last [`WINDOW`]: what was before it was never missed.
    first: Option<u32>,
}

/// What is known of the other series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// All its numbers have been judged.
    Judged,
    /// Its highest number waits for the next packet to be judged.
    Waits,
    /// It is the former one: the sender has started again, as far as can be told.
    Former,
}

/// The series that the flow is not in.
#[derive(Debug, Clone)]
struct Other {
    series: Series,
    standing: Standing,
    /// How often it went on beside the series.
    beside: u32,
    /// Believed up to this distance, once it went on often enough.
    reach: i64,
}

/// Judges the numbers of one flow in the order in which they arrive.
#[derive(Debug, Clone)]
pub struct NumberTracker {
    width: SequenceWidth,
    threshold: u32,
    series: Option<Series>,
    other: Option<Other>,
    counts: Sequence,
}

impl Series {
    fn of(number: u32, width: SequenceWidth) -> Series {
        Series {
            next: successor(width, number),
            seen: BTreeSet::from([number]),
            first: Some(number),
        }
    }

    /// How far a number is from the one that is due.
    fn distance(&self, number: u32, width: SequenceWidth) -> i64 {
        difference(width, number, self.next)
    }

    /// Takes a number in, and forgets all but the last `window`.
    fn see(&mut self, number: u32, width: SequenceWidth, window: i64) {
        if self.distance(number, width) >= 0 {
            self.next = successor(width, number);
        }
        self.seen.insert(number);
        self.keep(width, window);
    }

    fn keep(&mut self, width: SequenceWidth, window: i64) {
        let next = self.next;
        let is_recent = |number: &u32| (1..=window).contains(&difference(width, next, *number));
        self.seen.retain(is_recent);
        self.first = self
            .first
            .filter(|first| difference(width, next, *first) <= WINDOW);
    }

    /// Whether a number before the highest one was ever missed.
    fn missed(&self, number: u32, width: SequenceWidth) -> bool {
        self.first
            .is_none_or(|first| difference(width, number, first) > 0)
    }
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
            other: None,
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
        self.other = None;
    }

    /// One packet: its number, or none where the configured place has none.
    pub fn observe(&mut self, number: Option<u32>) {
        let Some(number) = number else {
            self.counts.absent += 1;
            return;
        };
        self.counts.received += 1;
        match self.series.take() {
            None => self.series = Some(Series::of(number, self.width)),
            Some(series) => self.series = Some(self.place(series, number)),
        }
        self.counts.current = self
            .series
            .as_ref()
            .map(|series| predecessor(self.width, series.next));
    }

    /// Which series a number belongs to, and what it is there. The series that the flow is in then.
    fn place(&mut self, mut series: Series, number: u32) -> Series {
        let d = series.distance(number, self.width);
        if (-WINDOW..=NEAR).contains(&d) {
            self.goes_on(&series);
            self.judge(&mut series, number);
            return series;
        }
        if let Some(other) = self.other.take() {
            if self.is_near(&series, &other, number) {
                return self.judge_other(series, other, number);
            }
            self.other = Some(other);
        }
        let behind = self.limits().1;
        if (-behind..0).contains(&d) {
            self.goes_on(&series);
            self.late(&series, number);
            let replaceable =
                |other: &Other| other.standing == Standing::Judged && other.beside < TRUSTED;
            if self.other.as_ref().is_none_or(replaceable) {
                self.meet(number, Standing::Judged);
            }
            return series;
        }
        series = self.give_up_other(series, number);
        self.meet(number, Standing::Waits);
        series
    }

    /// How far ahead a gap may reach, and how far behind a late number.
    fn limits(&self) -> (i64, i64) {
        match self.width {
            SequenceWidth::Bits32 => (1 << 24, 1024),
            SequenceWidth::Bits16 => (3000, 100),
        }
    }

    fn meet(&mut self, number: u32, standing: Standing) {
        self.other = Some(Other {
            series: Series::of(number, self.width),
            standing,
            beside: 0,
            reach: 0,
        });
    }

    /// Whether a number is one that the other series may go on with. One that is believed is so only as far behind as
    /// it used to be.
    fn is_near(&self, series: &Series, other: &Other, number: u32) -> bool {
        let d = other.series.distance(number, self.width);
        let behind = -series.distance(number, self.width);
        let is_expired =
            other.standing == Standing::Judged && other.beside >= TRUSTED && behind > other.reach;
        let back = if other.standing == Standing::Former {
            OTHER_WINDOW
        } else {
            NEAR
        };
        (-back..=NEAR).contains(&d) && !is_expired
    }

    /// The number is one of the other series.
    fn judge_other(&mut self, series: Series, mut other: Other, number: u32) -> Series {
        let (ahead, behind) = self.limits();
        let d = series.distance(number, self.width);
        let is_trusted = other.beside >= TRUSTED;
        if other.series.seen.contains(&number) {
            *self.counts.duplicates.get_or_insert(0) += 1;
            self.other = Some(other);
            return series;
        }
        if other.standing == Standing::Former {
            return self.take_back(series, other, number);
        }
        let goes_on_ahead = is_trusted && (0..=ahead).contains(&d);
        if other.standing == Standing::Judged && !goes_on_ahead {
            other.series.see(number, self.width, OTHER_WINDOW);
            if d < 0 && (-d <= behind || is_trusted) {
                self.late(&series, number);
                if other.beside == 1 {
                    self.recover(1);
                    other.beside = 2;
                }
            } else {
                other.standing = Standing::Waits;
            }
            self.other = Some(other);
            return series;
        }
        self.confirm(series, other, number)
    }

    /// The other series has gone on: the flow is in that one now.
    fn confirm(&mut self, series: Series, other: Other, number: u32) -> Series {
        let gap = series.distance(other.series.next, self.width);
        if (1..=self.limits().0 + 1).contains(&gap) {
            let mut series = self.jump(series, other);
            self.judge(&mut series, number);
            return series;
        }
        self.counts.restarts += 1;
        let mut new = other.series;
        new.first = Some(predecessor(self.width, new.next));
        let mut former = series;
        former.keep(self.width, OTHER_WINDOW);
        self.other = Some(Other {
            series: former,
            standing: Standing::Former,
            ..other
        });
        self.judge(&mut new, number);
        new
    }

    /// What lies between both is a gap. What the flow was in goes on as the slower path, if it does.
    fn jump(&mut self, mut series: Series, other: Other) -> Series {
        let gap = series.distance(other.series.next, self.width);
        if other.standing == Standing::Waits {
            self.count_gap_error(gap - 1);
        }
        let is_in_gap = |number: &&u32| series.distance(**number, self.width) >= 0;
        let came = other.series.seen.iter().filter(is_in_gap).count();
        self.counts.lost += gap as u64 - came as u64;
        series.keep(self.width, OTHER_WINDOW);
        let mut new = other.series;
        new.first = None;
        self.other = Some(Other {
            series,
            standing: Standing::Judged,
            beside: TRUSTED,
            reach: reach(gap),
        });
        new
    }

    /// The former series goes on: there was no restart. What came meanwhile was late, or belongs nowhere.
    fn take_back(&mut self, mut new: Series, other: Other, number: u32) -> Series {
        let mut former = other.series;
        former.first = None;
        let first = new.first.unwrap_or(new.next);
        let span = difference(self.width, new.next, first);
        let came = new
            .seen
            .iter()
            .filter(|n| difference(self.width, **n, first) >= 0);
        let came = came.count() as u64;
        let missing = span as u64 - came;
        self.counts.restarts -= 1;
        self.recover(missing);
        let distance = former.distance(new.next, self.width);
        if distance < 0 {
            self.counts.reverse_errors += came;
            self.recover(came + u64::from(other.beside == 1));
        } else {
            self.counts.big_errors += came;
        }
        new.keep(self.width, OTHER_WINDOW);
        // Several numbers are better evidence than a single one.
        let mut other = Other {
            series: new,
            standing: Standing::Judged,
            beside: other.beside.max(1),
            ..other
        };
        other.went_on_beside(distance);
        self.other = Some(other);
        self.judge(&mut former, number);
        former
    }

    /// The series goes on: a number of the other one that waited was a single one.
    fn goes_on(&mut self, series: &Series) {
        let Some(mut other) = self
            .other
            .take_if(|other| other.standing == Standing::Waits)
        else {
            return;
        };
        let distance = self.count_single(series, &other);
        other.standing = Standing::Judged;
        other.went_on_beside(distance + 1);
        self.other = Some(other);
    }

    /// Counts the number that waited: late, or an error ahead without a loss. How far it was ahead. So far behind, the first
    /// one alone may be wild, and is still missed until a second one comes near it.
    fn count_single(&mut self, series: &Series, other: &Other) -> i64 {
        let waited = predecessor(self.width, other.series.next);
        let distance = series.distance(waited, self.width);
        if distance < 0 {
            self.counts.reverse_errors += 1;
            self.recover([0, 2].get(other.beside as usize).copied().unwrap_or(1));
        } else {
            self.count_gap_error(distance);
        }
        distance
    }

    /// A number that is of neither series: the other one gives way.
    fn give_up_other(&mut self, mut series: Series, number: u32) -> Series {
        let Some(other) = self.other.take() else {
            return series;
        };
        if other.standing == Standing::Waits {
            let limit = self.limits().0;
            let gap = series.distance(other.series.next, self.width);
            let ahead = other.series.distance(number, self.width);
            if (1..=limit + 1).contains(&gap) && (0..=limit).contains(&ahead) {
                series = self.jump(series, other);
            } else {
                self.count_single(&series, &other);
            }
        }
        series
    }

    /// The table of the metrics, for a number of the series that the flow is in.
    fn judge(&mut self, series: &mut Series, number: u32) {
        let d = series.distance(number, self.width);
        if d >= 0 {
            let single = self.came_ahead(series, d);
            let missing = d as u64 - single.len() as u64;
            series.seen.extend(single);
            series.see(number, self.width, WINDOW);
            self.counts.lost += missing;
            if missing > 0 {
                self.count_gap_error(d);
            }
            let is_settled = series.first.is_none();
            self.other
                .take_if(|other| is_settled && other.standing == Standing::Former);
        } else if series.seen.contains(&number) {
            *self.counts.duplicates.get_or_insert(0) += 1;
        } else {
            self.late(series, number);
            series.see(number, self.width, WINDOW);
        }
    }

    /// The single numbers that came already of a gap of `d`.
    fn came_ahead(&self, series: &Series, d: i64) -> Vec<u32> {
        let other = self
            .other
            .as_ref()
            .filter(|other| other.standing == Standing::Judged);
        let seen = other
            .into_iter()
            .flat_map(|other| &other.series.seen)
            .copied();
        seen.filter(|n| (0..d).contains(&series.distance(*n, self.width)))
            .collect()
    }

    /// A number that came after higher ones: it was not lost after all.
    fn late(&mut self, series: &Series, number: u32) {
        self.counts.reverse_errors += 1;
        if series.missed(number, self.width) {
            self.recover(1);
        }
    }

    fn recover(&mut self, numbers: u64) {
        self.counts.lost = self.counts.lost.saturating_sub(numbers);
    }

    fn count_gap_error(&mut self, d: i64) {
        if d < i64::from(self.threshold) {
            self.counts.small_errors += 1;
        } else {
            self.counts.big_errors += 1;
        }
    }
}

impl Other {
    /// Once more, so far ahead of the series (negative: behind).
    fn went_on_beside(&mut self, distance: i64) {
        self.beside = (self.beside + 1).min(TRUSTED);
        if self.beside == TRUSTED {
            self.reach = reach(distance);
        }
    }
}

/// How far behind a series is believed that was so far away: four times the power of two below that.
fn reach(distance: i64) -> i64 {
    4 << distance.unsigned_abs().max(16).ilog2()
}

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

/// The number before this one.
fn predecessor(width: SequenceWidth, number: u32) -> u32 {
    match width {
        SequenceWidth::Bits32 => number.wrapping_sub(1),
        SequenceWidth::Bits16 => (number as u16).wrapping_sub(1).into(),
    }
}
