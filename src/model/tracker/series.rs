//! A short history of one quantity, made so that a hundred thousand of them fit.
//!
//! Equal values in a row are only counted: a flow that is silent, or loses nothing, costs no memory and no time.
//! Knows nothing of what the values mean.

/// The latest values of one quantity, oldest first, one for each closed throughput interval. None is negative; the
/// latest is kept as it is, older ones to 11 binary digits (0.05 %).
#[derive(Debug, Clone, Default)]
pub struct Series {
    /// The values before the run; allocated when there is the first one.
    ring: Option<Box<[u16; Series::CAPACITY]>>,
    latest: f32,
    /// The code of the latest value, and how many times in a row it came.
    code: u16,
    run: u8,
    /// Values in the ring, and the place of the next one.
    kept: u8,
    next: u8,
}

impl Series {
    /// The values that a series remembers at most.
    pub const CAPACITY: usize = 60;

    /// Appends a value; the oldest one makes room. `None` stands for an interval without a value.
    pub fn push(&mut self, value: Option<f64>) {
        let value = value.map_or(f32::NAN, |v| v as f32);
        let code = encode(value);
        if code != self.code {
            self.keep_run();
            self.code = code;
        }
        self.run = (self.run + 1).min(Self::CAPACITY as u8);
        self.latest = value;
    }

    /// The values, oldest first; `None` for an interval without a value.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = Option<f32>> + ExactSizeIterator + '_ {
        let all = usize::from(self.kept) + usize::from(self.run);
        (all.saturating_sub(Self::CAPACITY)..all).map(move |at| self.value(at, all))
    }

    fn value(&self, at: usize, all: usize) -> Option<f32> {
        let kept = usize::from(self.kept);
        if at + 1 == all {
            return (!self.latest.is_nan()).then_some(self.latest);
        }
        match &self.ring {
            Some(ring) if at < kept => {
                let place = usize::from(self.next) + Self::CAPACITY + at - kept;
                decode(ring[place % Self::CAPACITY])
            }
            _ => decode(self.code),
        }
    }

    fn keep_run(&mut self) {
        if self.run == 0 {
            return;
        }
        let ring = self
            .ring
            .get_or_insert_with(|| Box::new([0; Self::CAPACITY]));
        for _ in 0..std::mem::take(&mut self.run) {
            ring[usize::from(self.next)] = self.code;
            self.next = (self.next + 1) % Self::CAPACITY as u8;
            self.kept = (self.kept + 1).min(Self::CAPACITY as u8);
        }
    }
}

impl PartialEq for Series {
    fn eq(&self, other: &Series) -> bool {
        self.iter().eq(other.iter())
    }
}

/// No value, and zero. Behind them come the other codes: 6 bits of exponent, 10 of fraction.
const NOTHING: u16 = 0;
const ZERO: u16 = 1;
/// The bits of 2^-21, the least that is not zero, without the 13 that are left out.
const LEAST: u32 = (127 - 21) << 10;

fn encode(value: f32) -> u16 {
    if value.is_nan() {
        return NOTHING;
    }
    let rounded = (value.max(0.0).to_bits() + (1 << 12)) >> 13;
    (rounded.saturating_sub(LEAST) + u32::from(ZERO)).min(u32::from(u16::MAX)) as u16
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
}
