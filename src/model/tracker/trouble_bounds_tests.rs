//! What is told of a flow at each bound of the definition (docs/numbers.md), by figures computed by hand; and in histories by chance.

use super::definition::{Course, calm, went};
use super::tests::Dice;
use super::{is_any_out_of_place, is_suspect};
use crate::model::flow::Protocol;
use crate::model::tracker::{History, Interarrival, Rates};

/// How a flow went, and what is told of it: severity and words, 0 and none where it is in no trouble.
fn assert_told(cases: &[(Course, f64, &str)]) {
    for (at, (course, severity, words)) in cases.iter().enumerate() {
        let told = course.told().unwrap_or_default();
        assert_eq!(told, (*severity, (*words).to_owned()), "case {at}");
    }
}

fn always(value: f64) -> impl Fn(usize) -> f64 {
    move |_| value
}

/// Always the one, but for once, long ago.
fn but_once(usual: f64, other: f64) -> impl Fn(usize) -> f64 {
    move |at| if at == 5 { other } else { usual }
}

/// One less, the middle, one more: that is usual, and its median deviation is one step.
fn three(middle: f64, step: f64) -> impl Fn(usize) -> f64 {
    move |at| middle + step * (at % 3) as f64 - step
}

#[rustfmt::skip]
#[test]
fn a_rate_is_told_from_its_bounds_on() {
    let fell = |late: &[f64]| calm(40).rates(always(1000.0), late);
    assert_told(&[
        (calm(40), 0.0, ""),
        // To half of what it was, in three intervals.
        (fell(&[500.0, 400.0, 300.0]), 1002.0, "rate fell to 50.0%"),
        (fell(&[501.0, 400.0, 300.0]), 0.0, ""),
        (fell(&[500.0, 300.0]), 0.0, ""),
        (fell(&[0.5; 3]), 1999.0, "rate fell to 0.05%"),
        // What never came did not fall.
        (fell(&[0.0; 40]), 0.0, ""),
        // A past has twenty intervals.
        (calm(23).rates(always(1000.0), &[250.0; 3]), 1004.0, "rate fell to 25.0%"),
        (calm(22).rates(always(1000.0), &[250.0; 3]), 0.0, ""),
        // A third below the least of it.
        (calm(40).rates(but_once(1000.0, 600.0), &[400.0; 3]), 1002.5, "rate fell to 40.0%"),
        (calm(40).rates(but_once(1000.0, 600.0), &[401.0; 3]), 0.0, ""),
        // Six spreads are 6 * 148.26 = 889.56.
        (calm(40).rates(three(1000.0, 100.0), &[110.0; 3]), 1000.0 + 1000.0 / 110.0, "rate fell to 11.0%"),
        (calm(40).rates(three(1000.0, 100.0), &[110.5; 3]), 0.0, ""),
        // It goes on with the latest interval alone, against what was before it began,
        (fell(&[900.0, 900.0, 500.0]).in_trouble_for(2), 1002.0, "rate fell to 50.0%"),
        (fell(&[700.0, 700.0, 500.0]).in_trouble_for(1), 0.0, ""),
        // until it is how the flow is.
        (calm(60).rates(always(1000.0), &[500.0; 30]).in_trouble_for(29), 1002.0, "rate fell to 50.0%"),
        (calm(60).rates(always(1000.0), &[500.0; 31]).in_trouble_for(30), 0.0, ""),
        // What else is the matter says nothing of it.
        (fell(&[500.0, 300.0]).in_other_trouble(), 0.0, ""),
        (fell(&[500.0, 400.0, 300.0]).in_other_trouble(), 1002.0, "rate fell to 50.0%"),
    ]);
}

#[rustfmt::skip]
#[test]
fn a_jitter_is_told_from_its_bounds_on() {
    let rose = |past: f64, late: &[f64]| calm(40).jitters(always(past), late);
    let thrice = "jitter 3.00 x its usual";
    assert_told(&[
        // To three times what it was, in three intervals.
        (rose(1.0, &[3.0, 4.0, 5.0]), 2003.0, thrice),
        (rose(1.0, &[2.96875, 4.0, 5.0]), 0.0, ""),
        (rose(1.0, &[3.0, 3.0]), 0.0, ""),
        // Half again the largest of its past.
        (calm(40).jitters(but_once(1.0, 2.5), &[3.75; 3]), 2003.75, "jitter 3.75 x its usual"),
        (calm(40).jitters(but_once(1.0, 2.5), &[3.71875; 3]), 0.0, ""),
        // Six spreads are 6 * 1.4826 = 8.8956.
        (calm(40).jitters(three(2.0, 1.0), &[11.0; 3]), 2005.5, "jitter 5.50 x its usual"),
        (calm(40).jitters(three(2.0, 1.0), &[10.875; 3]), 0.0, ""),
        // 0.1 ms, and by as much more than it was.
        (rose(0.0, &[0.125; 3]), 2999.0, "jitter 999 x its usual"),
        (rose(0.0, &[0.09375; 3]), 0.0, ""),
        (rose(0.03125, &[0.15625; 3]), 2005.0, "jitter 5.00 x its usual"),
        (rose(0.03125, &[0.125; 3]), 0.0, ""),
        // What is lost makes two gaps one.
        (rose(1.0, &[3.0; 3]).losses(&[1.0, 0.0, 0.0]), 0.0, ""),
        (rose(1.0, &[3.0; 3]).losses(&[1.0, 0.0, 0.0, 0.0]), 2003.0, thrice),
        (rose(1.0, &[3.0; 3]).losses(&[1.0, 0.0]).in_trouble_for(2), 2003.0, thrice),
        // What else is the matter says nothing of it.
        (rose(1.0, &[3.0]).in_other_trouble(), 0.0, ""),
    ]);
}

#[rustfmt::skip]
#[test]
fn losses_and_marks_are_told_from_their_bounds_on() {
    // Before there were 48 intervals without any: m and v are 1/48, and 4 + 3/48 + 6 sqrt(3/48) is 89/16, 5.5625.
    let lossy = |percent| Course { percent_lost: Some(percent), ..calm(51) };
    let marked = |packets_per_second, late: &[f64]| {
        Course { packets_per_second, interval_s: 2.0, ..calm(51).marks(late) }
    };
    assert_told(&[
        (calm(51).losses(&[6.0]), 4000.0, "6 lost in 3.0 s"),
        (calm(51).losses(&[1.0, 2.0, 2.0]), 0.0, ""),
        (calm(51).losses(&[5.0, 2.0, 0.0]), 0.0, ""),
        (calm(51).losses(&[7.0, 0.0, 0.0, 0.0]), 0.0, ""),
        (lossy(12.5).losses(&[1.0, 2.0, 3.0]), 4012.5, "loss 12.5%, 6 in 3.0 s"),
        (calm(51).tcp(16).losses(&[89.0]), 0.0, ""),
        (calm(51).tcp(16).losses(&[30.0; 3]), 4000.0, "90 bytes lost in 3.0 s"),
        (lossy(1.0).tcp(16).losses(&[90.0]), 4001.0, "loss 1.00%, 90 bytes in 3.0 s"),
        (calm(23).losses(&[9.0]), 4000.0, "9 lost in 3.0 s"),
        (calm(22).losses(&[9.0]), 0.0, ""),
        // It goes on with half as much, whether or not the latest interval lost any.
        (lossy(0.0).tcp(32).losses(&[90.0, 0.0, 0.0]).in_trouble_for(2), 4000.0, "90 bytes lost in 3.0 s"),
        (lossy(0.0).tcp(32).losses(&[89.0, 0.0, 0.0]).in_trouble_for(2), 0.0, ""),
        (calm(51).losses(&[4.0]).in_other_trouble(), 0.0, ""),
        // Of 100 packets in each interval, or of none.
        (marked(50.0, &[1.0, 2.0, 3.0]), 3003.0, "CE 3.00%, 6 in 6.0 s"),
        (marked(50.0, &[1.0, 2.0, 2.0]), 0.0, ""),
        (marked(0.0, &[1.0, 2.0, 3.0]), 3000.0, "CE 6 in 6.0 s"),
        (marked(50.0, &[3.0, 3.0, 0.0]).in_trouble_for(2), 3000.0, "CE 6 in 6.0 s"),
        (marked(0.0, &[3.0, 3.0, 0.0]).in_trouble_for(2), 3000.0, "CE 6 in 6.0 s"),
    ]);
}

#[rustfmt::skip]
#[test]
fn silence_is_told_from_its_bounds_on() {
    let even = |intervals| calm(intervals).jitters(always(0.0), &[]);
    let uneven = || calm(40).jitters(but_once(0.25, 0.5), &[]);
    let in_last = |of: usize, late: usize| {
        let began = move |at| if at < of { 0.0 } else { 1000.0 };
        Course { idle_s: 1.5, ..even(60) }.rates(began, &vec![0.0; late]).in_trouble_for(30)
    };
    let told = "silent for 1.5 s";
    assert_told(&[
        // For four gaps of 250 ms and 15 times the largest jitter.
        (even(40).silent_for(1.0, 1), 0.0, ""),
        (even(40).silent_for(1.5, 1), 5001.5, told),
        (even(40).silent_for(1e4, 1), 5999.0, "silent for 2h46m"),
        (uneven().silent_for(1.007, 1), 0.0, ""),
        (uneven().silent_for(1.008, 1), 5001.008, "silent for 1.0 s"),
        // After thirty intervals that is how the flow is.
        (in_last(0, 30), 5001.5, told),
        (in_last(0, 31), 0.0, ""),
        // It came in nine of ten, 27 of 30, and in twenty.
        (in_last(3, 30), 5001.5, told),
        (in_last(4, 30), 0.0, ""),
        (even(21).silent_for(1.5, 1), 5001.5, told),
        (even(20).silent_for(1.5, 1), 0.0, ""),
    ]);
}

#[rustfmt::skip]
#[test]
fn all_that_is_the_matter_is_told_and_counts_as_much_as_the_worst() {
    let path = |rerouted| Course { ttl: 67, rerouted, ..calm(60) };
    assert_told(&[
        (path(30), 3.0, "path changed: TTL 64 to 67"),
        (path(31), 0.0, ""),
        // Longer than anything else is told.
        (path(5).rates(always(1000.0), &[250.0; 40]).in_trouble_for(30), 3.0, "path changed: TTL 64 to 67"),
        (
            path(3).rates(always(1000.0), &[250.0; 3]).jitters(always(1.0), &[4.0; 3]).marks(&[9.0]),
            3018.0,
            "CE 18.0%, 9 in 3.0 s, jitter 4.00 x its usual, rate fell to 25.0%, path changed: TTL 64 to 67",
        ),
        (calm(51).losses(&[9.0]).marks(&[9.0]), 4000.0, "9 lost in 3.0 s, CE 18.0%, 9 in 3.0 s"),
    ]);
}

impl Dice {
    fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[(self.unit() * all.len() as f64) as usize]
    }

    /// Whole numbers around the middle, `scale` of each; some are zero, some are not known, and the latest are others by
    /// this factor.
    fn values(
        &mut self,
        count: usize,
        scale: f64,
        (late, factors): (usize, &[f64]),
    ) -> Vec<Option<f64>> {
        let middle = self.one_of(&[0.0, 3.0, 64.0, 200.0]);
        let spread = self.one_of(&[0.0, 1.0, 10.0, 30.0]);
        let factor = self.one_of(factors);
        let zeros = self.one_of(&[0.0, 0.0, 0.05, 0.1, 0.6]);
        let gaps = self.one_of(&[0.0, 0.0, 0.02, 0.2]);
        let value = |at| {
            let by = if at + late < count { 1.0 } else { factor };
            let is_zero = self.unit() < zeros;
            let value = by * f64::max(middle + spread * (2.0 * self.unit() - 1.0), 0.0);
            let value = if is_zero { 0.0 } else { value.round() };
            (self.unit() >= gaps).then_some(value * scale)
        };
        (0..count).map(value).collect()
    }

    /// Such as losses: mostly none, and some of late.
    fn counts(&mut self, count: usize, late: usize) -> Vec<f64> {
        let share = self.one_of(&[0.0, 0.0, 0.02, 0.3]);
        let most = self.one_of(&[0.0, 0.0, 1.0, 3.0, 9.0, 90.0]);
        let value = |at| match at + late >= count {
            true => (most * self.unit()).round(),
            false => f64::from(u8::from(self.unit() < share)),
        };
        (0..count).map(value).collect()
    }

    fn course(&mut self) -> Course {
        let intervals = 15 + (55.0 * self.unit()) as usize;
        let late = self.one_of(&[1, 2, 3, 3, 4, 5, 6, 15]);
        let lasted = [None, None, Some(1), Some(3), Some(late), Some(29), Some(30)];
        let trouble = match self.one_of(&[0, 1, 2]) {
            0 => [self.one_of(&lasted); 4],
            1 => std::array::from_fn(|_| self.one_of(&lasted)),
            _ => [None; 4],
        };
        let rerouted = self.one_of(&[0, 0, 1, 15]);
        let mut course = Course {
            rate: self.values(intervals, 1.0, (late, &[0.0, 0.1, 0.3, 0.5, 0.7, 1.0])),
            gap: self.values(intervals, 1.0, (late, &[1.0])),
            jitter: self.values(intervals, 0.03125, (late, &[1.0, 1.5, 2.0, 3.0, 5.0, 9.0])),
            lost: self.counts(intervals, late).into_iter().map(Some).collect(),
            ttl: self.one_of(&[60, 64, 65]),
            rerouted,
            protocol: self.one_of(&[Protocol::Udp, Protocol::Tcp]),
            payload: self.one_of(&[1, 2, 10]),
            percent_lost: self.one_of(&[None, Some(0.0), Some(12.5)]),
            packets_per_second: self.one_of(&[0.0, 50.0]),
            interval_s: self.one_of(&[0.5, 1.0, 2.0]),
            idle_s: self.one_of(&[0.25, 1.0, 2000.0]),
            trouble,
            other_trouble: self.one_of(&[false, true]),
            ..calm(intervals)
        };
        went(&mut course.marked, |_| 0.0, &self.counts(intervals, late));
        let with_packets = self.one_of(&[intervals, intervals - 3, 0]);
        course.marked.truncate(with_packets);
        course.rerouted = rerouted.min(with_packets);
        course
    }
}

#[test]
fn what_is_told_by_chance_is_what_the_definition_says() {
    let mut dice = Dice(17);
    let words = ["silent", "loss", "lost", "CE", "jitter", "rate", "path"];
    let mut found = [0; 7];
    for _ in 0..6000 {
        let told = dice.course().told();
        let told = told.map_or(String::new(), |(_, words)| words);
        let counts = found.iter_mut().zip(words);
        counts.for_each(|(count, words)| *count += usize::from(told.contains(words)));
    }
    assert!(found.iter().all(|count| *count >= 50), "{found:?}");
}

/// Values that step by about as much as puts them out of place, and now and then none at all.
#[test]
fn what_is_out_of_place_beside_the_interval_before_is_never_passed_by() {
    let mut dice = Dice(11);
    let mut value_after = |before: f64, least: f64| match dice.unit() {
        ..0.05 => 0.0,
        0.05..0.1 => f64::NAN,
        0.1..0.5 => before,
        unit => {
            let factor = 1.5 + 0.004 * (dice.unit() - 0.5);
            let next = if unit < 0.75 {
                before * factor
            } else {
                before / factor
            };
            if next > least / 2.0 {
                next
            } else {
                least * factor / 1.5
            }
        }
    };
    let (mut history, mut found) = (History::default(), 0);
    let (mut rate, mut jitter) = (1000.0, 0.1);
    for _ in 0..200_000 {
        (rate, jitter) = (value_after(rate, 1.0), value_after(jitter, 0.1));
        let rates = Rates {
            throughput: rate,
            ..Rates::default()
        };
        let known = (!jitter.is_nan()).then_some(jitter);
        history.record(Some(rates), &Interarrival::new(None, known, 0));
        // A silent flow is always looked at.
        if rate != 0.0 && is_any_out_of_place(&history) {
            assert!(is_suspect(&history), "{rate} {jitter}");
            found += 1;
        }
        (rate, jitter) = (f64::max(rate, 1.0), f64::max(jitter, 0.1));
    }
    assert!(found > 500, "{found}");
}
