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
    /// How many sets of those that are gathered wait, and the place in the ring where they go.
    waiting: u8,
    place: u8,
    /// Sets in the ring.
    kept: u8,
    /// Which of the latest sets are marked, a bit each, the lowest that of the latest.
    marks: u8,
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
    waiting: u8,
    place: u8,
    kept: u8,
}

impl<const N: usize> Default for Traces<N> {
    fn default() -> Self {
        Traces {
            ring: None,
            gathered: [[NOTHING; N]; TOGETHER],
            latest: [0.0; N],
            run: 0,
            waiting: 0,
            place: 0,
            kept: 0,
            marks: 0,
        }
    }
}

impl<const N: usize> Traces<N> {
    /// Appends a value of each; the oldest make room. NaN stands for an interval without a value.
    #[inline(always)]
    pub fn record(&mut self, values: [f64; N]) {
        let values = values.map(|value| value as f32);
        if values.map(f32::to_bits) != self.latest.map(f32::to_bits) {
            self.keep_run();
        }
        self.latest = values;
        self.repeat();
    }

    /// Appends the latest values once more.
    #[inline]
    pub fn repeat(&mut self) {
        self.run = (self.run + 1).min(Series::CAPACITY as u8);
        self.marks <<= 1;
    }

    /// Marks the latest set, for who records them.
    #[inline]
    pub fn mark(&mut self, is_marked: bool) {
        self.marks |= u8::from(is_marked);
    }

    /// Whether the set of so many intervals ago is marked, of the latest eight.
    #[inline]
    pub fn is_marked(&self, intervals: usize) -> bool {
        self.marks >> intervals & 1 != 0
    }

    /// The latest value of the quantity at this place; NaN where there is none, 0 where there was none yet.
    #[inline]
    pub fn latest_of(&self, column: usize) -> f32 {
        self.latest[column]
    }

    /// The quantity at this place of the set of so many intervals ago, no more than are at hand; NaN for what is not known.
    #[inline]
    pub fn value_ago(&self, column: usize, intervals: usize) -> f32 {
        debug_assert!(intervals <= TOGETHER);
        let Some(behind) = intervals.checked_sub(self.run.into()) else {
            return self.latest[column];
        };
        // Nothing was gathered yet: its places say so.
        let set = &self.gathered[gathered_at(self.waiting, behind)];
        decode(set[column]).unwrap_or(f32::NAN)
    }

    /// Asks for the place in the ring where the next value will go, if it takes those that wait with it.
    #[inline]
    pub fn ask_ahead(&self) {
        if usize::from(self.waiting) + 1 == TOGETHER
            && let Some(ring) = &self.ring
        {
            let place = usize::from(self.place);
            ahead::ask_for(&ring[place]);
            ahead::ask_for(&ring[place + TOGETHER - 1]);
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
            waiting: self.waiting,
            place: self.place,
            kept: self.kept,
        }
    }

    fn keep_run(&mut self) {
        let codes = encode(self.latest);
        for _ in 0..std::mem::take(&mut self.run) {
            self.gathered[usize::from(self.waiting)] = codes;
            self.waiting += 1;
            if usize::from(self.waiting) == TOGETHER {
                self.keep_gathered();
            }
        }
    }

    /// Not inlined: one set of six comes by here.
    #[inline(never)]
    fn keep_gathered(&mut self) {
        let empty = || Box::new([[NOTHING; N]; OLDER]);
        let ring = self.ring.get_or_insert_with(empty);
        let place = usize::from(self.place);
        ring[place..place + TOGETHER].copy_from_slice(&self.gathered);
        self.waiting = 0;
        self.place = ((place + TOGETHER) % OLDER) as u8;
        self.kept = (self.kept + TOGETHER as u8).min(OLDER as u8);
    }
}

impl Series {
    /// The values that a series remembers at most.
    pub const CAPACITY: usize = 60;

    /// Appends a value; the oldest one makes room. `None` stands for an interval without a value.
    #[inline]
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
        let parts = [self.kept, self.waiting, self.run].map(usize::from);
        parts.into_iter().sum::<usize>().min(Series::CAPACITY)
    }

    fn value(self, ago: usize) -> Option<f32> {
        if ago == 0 {
            return self.latest();
        }
        let Some(behind) = ago.checked_sub(self.run.into()) else {
            let [code] = encode([self.latest]);
            return decode(code);
        };
        let (values, place) = match behind {
            ..TOGETHER => (self.gathered, gathered_at(self.waiting, behind)),
            _ => {
                let next = OLDER + usize::from(self.place) + usize::from(self.waiting);
                (self.ring, (next - 1 - behind) % OLDER)
            }
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

/// What the least and the largest code stand for, but for that of no value.
const RANGE: [f32; 2] = [
    f32::from_bits(LEAST << 13),
    f32::from_bits((LEAST + (u16::MAX - ZERO) as u32) << 13),
];

/// Where the set is that was gathered so many before the latest one, if so many wait.
fn gathered_at(waiting: u8, behind: usize) -> usize {
    let place = TOGETHER + usize::from(waiting) - 1 - behind;
    if place < TOGETHER {
        place
    } else {
        place - TOGETHER
    }
}

/// Mostly without a branch, so that it is done to four values side by side.
fn encode<const N: usize>(values: [f32; N]) -> [u16; N] {
    let [least, most] = RANGE;
    // A comparison and a choice of this form are one instruction.
    let at_least = |value: f32| if value > least { value } else { least };
    let code_of = |value: f32| ((value.to_bits() + (1 << 12)) >> 13) - (LEAST - u32::from(ZERO));
    if values.iter().all(|value| *value <= most) {
        return values.map(at_least).map(code_of).map(|code| code as u16);
    }
    values.map(|value| match value.is_nan() {
        true => NOTHING,
        false => code_of(at_least(value).min(most)) as u16,
    })
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
