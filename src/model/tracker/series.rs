//! Short histories, made so that a hundred thousand of them fit.
//!
//! What is told together is kept together: one place in memory for each interval. Where nothing changes, it is only
//! counted: a flow that is silent costs no memory. Knows nothing of what the values mean.

use crate::ahead;

/// Values that go into the ring together: a ring is a place in memory that nothing else is asked for at that moment.
const TOGETHER: usize = 6;
/// So many before the latest one are at hand without it.
pub const AT_HAND: usize = TOGETHER;
/// Values in the ring, at most.
const OLDER: usize = Series::CAPACITY.next_multiple_of(TOGETHER);

/// The latest values of `N` quantities that are told together, oldest first, a set for each closed throughput interval.
/// None is negative; the latest are kept as they are, older ones to 11 binary digits (0.05 %).
#[derive(Debug, Clone)]
pub struct Traces<const N: usize> {
    /// The oldest values; allocated when there are the first ones.
    ring: Option<Box<[[u16; N]; OLDER]>>,
    /// The last values before the latest ones: those that wait to go into the ring together, and before them those that went
    /// last.
    gathered: [[u16; N]; TOGETHER],
    /// The latest ones.
    latest: [f32; N],
    /// How many times in a row the latest came.
    run: u8,
    /// Sets in the ring, and the place there of the next one; the last of those before it are gathered.
    kept: u8,
    next: u8,
}

/// The latest values of one quantity.
pub type Series = Traces<1>;

/// One quantity of several that are kept together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Trace<'a> {
    /// All quantities of the ring, those of an interval together; empty where there is none.
    ring: &'a [u16],
    gathered: &'a [u16],
    stride: usize,
    column: usize,
    latest: f32,
    run: u8,
    kept: u8,
    next: u8,
}

impl<const N: usize> Default for Traces<N> {
    fn default() -> Self {
        Traces {
            ring: None,
            gathered: [[NOTHING; N]; TOGETHER],
            latest: [0.0; N],
            run: 0,
            kept: 0,
            next: 0,
        }
    }
}

impl<const N: usize> Traces<N> {
    /// Appends a value of each; the oldest make room. NaN stands for an interval without a value.
    #[inline]
    pub fn record(&mut self, values: [f64; N]) {
        let values = values.map(|value| value as f32);
        if values.map(f32::to_bits) != self.latest.map(f32::to_bits) {
            self.keep_run();
        }
        self.latest = values;
        self.repeat();
    }

    /// Appends the latest values once more.
    pub fn repeat(&mut self) {
        self.run = (self.run + 1).min(Series::CAPACITY as u8);
    }

    /// The quantity at this place of the set of so many intervals ago, no more than are at hand; NaN for what is not known.
    #[inline]
    pub fn value_ago(&self, column: usize, intervals: usize) -> f32 {
        debug_assert!(intervals <= TOGETHER);
        let Some(behind) = intervals.checked_sub(self.run.into()) else {
            return self.latest[column];
        };
        // Nothing was gathered yet: its places say so.
        let place = TOGETHER + usize::from(self.next) - 1 - behind;
        decode(self.gathered[place % TOGETHER][column]).unwrap_or(f32::NAN)
    }

    /// Asks for the place in the ring where the next value will go, if it takes those that wait with it.
    #[inline]
    pub fn ask_ahead(&self) {
        let at = usize::from(self.next);
        if (at + 1).is_multiple_of(TOGETHER)
            && let Some(ring) = &self.ring
        {
            ahead::ask_for(&ring[at + 1 - TOGETHER]);
            ahead::ask_for(&ring[at]);
        }
    }

    /// The quantity at this place of the set.
    pub fn trace(&self, column: usize) -> Trace<'_> {
        Trace {
            ring: self.ring.as_deref().map_or(&[], |ring| ring.as_flattened()),
            gathered: self.gathered.as_flattened(),
            stride: N,
            column,
            latest: self.latest[column],
            run: self.run,
            kept: self.kept,
            next: self.next,
        }
    }

    fn keep_run(&mut self) {
        let codes = self.latest.map(encode);
        for _ in 0..std::mem::take(&mut self.run) {
            let at = usize::from(self.next);
            self.next = if at + 1 < OLDER { at as u8 + 1 } else { 0 };
            self.gathered[at % TOGETHER] = codes;
            if self.next.is_multiple_of(TOGETHER as u8) {
                let empty = || Box::new([[NOTHING; N]; OLDER]);
                let ring = self.ring.get_or_insert_with(empty);
                ring[at + 1 - TOGETHER..=at].copy_from_slice(&self.gathered);
                self.kept = (self.kept + TOGETHER as u8).min(OLDER as u8);
            }
        }
    }
}

impl Series {
    /// The values that a series remembers at most.
    pub const CAPACITY: usize = 60;

    /// Appends a value; the oldest one makes room. `None` stands for an interval without a value.
    pub fn push(&mut self, value: Option<f64>) {
        self.record([value.unwrap_or(f64::NAN)]);
    }

    /// All of it.
    pub fn all(&self) -> Trace<'_> {
        self.trace(0)
    }

    /// The latest value; `None` where there is none.
    pub fn latest(&self) -> Option<f32> {
        self.all().latest()
    }

    /// The values, oldest first; `None` for an interval without a value.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = Option<f32>> + ExactSizeIterator + '_ {
        self.all().iter()
    }
}

impl<'a> Trace<'a> {
    /// The values, oldest first; `None` for an interval without a value.
    pub fn iter(self) -> impl DoubleEndedIterator<Item = Option<f32>> + ExactSizeIterator + 'a {
        (0..self.len()).rev().map(move |ago| self.value(ago))
    }

    /// The latest value; `None` where there is none.
    pub fn latest(self) -> Option<f32> {
        (self.run > 0 && !self.latest.is_nan()).then_some(self.latest)
    }

    /// What the latest so many values come to, the last of them in part: each that is not known is `usual`.
    pub fn sum_of_latest(self, count: f64, usual: f64) -> f64 {
        let known = self
            .iter()
            .rev()
            .map(|value| value.map_or(usual, f64::from));
        let values = known.chain(std::iter::repeat(usual));
        let parts = (0..count.ceil() as usize).map(|at| (count - at as f64).min(1.0));
        parts.zip(values).map(|(part, value)| part * value).sum()
    }

    fn len(self) -> usize {
        // What is gathered and not in the ring yet.
        let waiting = usize::from(self.next) % TOGETHER;
        (usize::from(self.kept) + waiting + usize::from(self.run)).min(Series::CAPACITY)
    }

    fn value(self, ago: usize) -> Option<f32> {
        if ago == 0 {
            return self.latest();
        }
        let Some(behind) = ago.checked_sub(self.run.into()) else {
            return decode(encode(self.latest));
        };
        let place = OLDER + usize::from(self.next) - 1 - behind;
        let (values, place) = match behind {
            ..TOGETHER => (self.gathered, place % TOGETHER),
            _ => (self.ring, place % OLDER),
        };
        decode(values[place * self.stride + self.column])
    }
}

impl<const N: usize> PartialEq for Traces<N> {
    fn eq(&self, other: &Traces<N>) -> bool {
        (0..N).all(|column| self.trace(column).iter().eq(other.trace(column).iter()))
    }
}

/// No value, and zero. Behind them come the other codes: 6 bits of exponent, 10 of fraction.
const NOTHING: u16 = 0;
const ZERO: u16 = 1;
/// The bits of 2^-21, the least that is not zero, without the 13 that are left out.
const LEAST: u32 = (127 - 21) << 10;

/// Without a branch, in signed numbers: so it is done to four values side by side.
fn encode(value: f32) -> u16 {
    const INFINITE: i32 = f32::INFINITY.to_bits() as i32;
    let bits = value.to_bits() as i32;
    let rounded = bits.wrapping_add(1 << 12) >> 13;
    let code = (rounded - LEAST as i32).max(0) + i32::from(ZERO);
    let code = code.min(u16::MAX.into());
    (if bits & i32::MAX > INFINITE {
        NOTHING.into()
    } else {
        code
    }) as u16
}

fn decode(code: u16) -> Option<f32> {
    match code {
        NOTHING => None,
        ZERO => Some(0.0),
        _ => Some(f32::from_bits((LEAST + u32::from(code - ZERO)) << 13)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(values: &[Option<f64>]) -> Vec<Option<f32>> {
        let mut series = Series::default();
        values.iter().for_each(|value| series.push(*value));
        series.iter().collect()
    }

    #[test]
    fn what_goes_in_comes_out_in_order() {
        let values = [None, None, Some(0.0), Some(1.0), Some(1.0), None, Some(3.0)];
        let expected: Vec<_> = values.iter().map(|v| v.map(|v| v as f32)).collect();
        assert_eq!(series(&values), expected);
        assert_eq!(series(&[]), []);
    }

    #[test]
    fn the_oldest_value_makes_room_whether_values_repeat_or_not() {
        for repeated in [1, 2, 7, 59, 60, 61, 200] {
            let values: Vec<_> = (0..300_u32)
                .map(|i| Some(f64::from(i / repeated)))
                .collect();
            let expected: Vec<_> = values[240..].iter().map(|v| v.map(|v| v as f32)).collect();
            assert_eq!(series(&values), expected, "each value {repeated} times");
        }
    }

    #[test]
    fn older_values_are_right_to_a_part_in_two_thousand_and_the_latest_exactly() {
        for exponent in -15..42 {
            let value = 1.234_567 * 2f64.powi(exponent);
            let kept = series(&[Some(value), Some(0.0), Some(value)]);
            let old = f64::from(kept[0].unwrap());
            assert!((old / value - 1.0).abs() < 0.0005, "{old} for {value}");
            assert_eq!(kept[2], Some(value as f32));
        }
    }

    #[test]
    fn a_value_that_stays_needs_no_memory() {
        let mut series = Series::default();
        (0..100).for_each(|_| series.push(Some(0.0)));
        assert!(series.ring.is_none());
        assert_eq!(series.iter().len(), Series::CAPACITY);
    }

    #[test]
    fn the_latest_values_are_added_up_and_what_is_not_known_is_usual() {
        let mut series = Series::default();
        assert_eq!(series.all().sum_of_latest(2.5, 4.0), 10.0);
        for value in [Some(1.0), Some(1.0), None, Some(2.0), Some(5.0)] {
            series.push(value);
        }
        for (count, sum) in [
            (0.0, 0.0),
            (1.0, 5.0),
            (1.5, 6.0),
            (3.0, 17.0),
            (5.0, 19.0),
            (6.5, 34.0),
        ] {
            assert_eq!(series.all().sum_of_latest(count, 10.0), sum, "{count}");
        }
    }

    #[test]
    fn nothing_has_no_latest_value() {
        assert_eq!(Series::default().latest(), None);
    }

    #[test]
    fn what_has_the_same_values_is_the_same_however_they_came() {
        let of = |values: &[f64]| {
            let mut series = Series::default();
            values.iter().for_each(|value| series.push(Some(*value)));
            series
        };
        let one = [1.0; Series::CAPACITY];
        let after_others = [&[2.0; 7], &one[..]].concat();
        assert_eq!(of(&after_others), of(&one));
        assert_ne!(of(&one[1..]), of(&one));
        assert_ne!(of(&[1.0, 2.0]), of(&[1.0, 3.0]));
    }
}
