//! Mean, deviation and epochs of arrivals.

use crate::reference::gaps::Gaps;

fn arrivals(times: &[u64]) -> Gaps {
    let mut gaps = Gaps::default();
    times.iter().for_each(|t| gaps.observe(*t));
    gaps
}

#[test]
fn mean_and_sample_deviation_of_the_textbook() {
    // Gaps 2, 4, 4, 4, 5, 5, 7, 9: mean 5, squared deviations 32, over n - 1 = 7.
    let gaps = arrivals(&[0, 2, 6, 10, 14, 19, 24, 31, 40]);
    assert_eq!(gaps.mean(), Some(5.0));
    assert_eq!(gaps.deviation(), Some((32.0_f64 / 7.0).sqrt()));
    assert_eq!((gaps.sum(), gaps.squares(), gaps.epoch()), (40, 232, 1));
}

#[test]
fn too_few_arrivals_tell_nothing() {
    assert_eq!((arrivals(&[]).mean(), arrivals(&[]).epoch()), (None, 1));
    assert_eq!(arrivals(&[5]).mean(), None);
    assert_eq!(arrivals(&[5, 8]).mean(), Some(3.0));
    assert_eq!(arrivals(&[5, 8]).deviation(), None);
}

#[test]
fn a_gap_of_more_than_two_seconds_begins_an_epoch() {
    let second = 1_000_000_000;
    let gaps = arrivals(&[0, 1, 2 * second + 1]);
    assert_eq!(
        (gaps.epoch(), gaps.gaps.len()),
        (1, 2),
        "exactly two seconds are a gap"
    );
    let gaps = arrivals(&[0, 1, 2 * second + 2, 2 * second + 9]);
    assert_eq!((gaps.epoch(), gaps.gaps), (2, vec![7]));
}
