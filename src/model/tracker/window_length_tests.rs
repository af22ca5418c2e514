//! How long the jitter window of a run is.

use super::tests::{sample, snapshot, tracker};
use crate::model::tracker::Intervals;

#[test]
fn a_long_window_is_as_long_as_was_asked_for_to_a_step() {
    let second = 1_000_000_000;
    // Its length, that of its steps, and of them all: no less than was asked for.
    for (asked, step, all) in [
        (1, 1, 1),
        (5, 1, 5),
        (16, 1, 16),
        (17, 2, 18),
        (20, 2, 20),
        (24, 2, 24),
        (25, 2, 26),
        (49, 4, 52),
        (64, 4, 64),
        (600, 38, 608),
    ] {
        for is_early in [false, true] {
            let mut tracker = tracker();
            tracker.set_intervals(Intervals {
                refresh_ns: second,
                jitter_ns: asked * second,
            });
            // One gap a second, so the number of gaps is the length of the window.
            for now in 1..3 * all {
                let mut sample = sample(0, 1, 1, now);
                sample.gaps.count = now;
                let mut snapshot = snapshot(now, &[sample], &[]);
                snapshot.taken_ns -= u64::from(is_early && now % 2 == 0) * second / 5;
                match now % 3 {
                    0 => {
                        tracker.advance(&snapshot);
                        tracker.close_interval();
                    }
                    _ => tracker.advance_and_close(&snapshot),
                }
                let samples = tracker.report().flows[0].interarrival.samples;
                // What is missing of the step that goes on.
                let missing = (step - now % step) % step;
                let expected = now.min(all - missing);
                assert_eq!(samples, expected, "{asked} s at {now} s, early: {is_early}");
            }
        }
    }
}

#[test]
fn a_window_as_long_as_the_interval_is_that_interval() {
    let second = 1_000_000_000;
    for (length, is_closed_apart) in [16, 17, 20, 25, 49, 61, 600]
        .into_iter()
        .flat_map(|length| [(length, false), (length, true)])
    {
        let mut tracker = tracker();
        tracker.set_intervals(Intervals {
            refresh_ns: second,
            jitter_ns: length * second,
        });
        for now in 1..=4 * length {
            // The number of gaps tells which seconds are in the window.
            let mut sample = sample(0, 1, 1, now);
            sample.gaps.count = now * now;
            let mut snapshot = snapshot(now, &[sample], &[]);
            snapshot.taken_ns += now % 3 * second / 10;
            let closes = now % length == 0;
            match closes && !is_closed_apart {
                true => tracker.advance_and_close(&snapshot),
                false => tracker.advance(&snapshot),
            }
            if !closes {
                continue;
            }
            if is_closed_apart {
                tracker.close_interval();
            }
            let began = now - length;
            let samples = tracker.report().flows[0].interarrival.samples;
            assert_eq!(samples, now * now - began * began, "{length} s at {now} s");
        }
    }
}

/// Gaps in the window, a ms each, after each of snapshots that are taken then, ms, and that end an interval or do not.
fn windows(taken: &[(u64, bool)]) -> Vec<u64> {
    let mut tracker = tracker();
    let mut read = |(at_ms, closes): &(u64, bool)| {
        let mut sample = sample(0, 1, 1, *at_ms);
        sample.gaps.count = *at_ms;
        let mut snapshot = snapshot(0, &[sample], &[]);
        snapshot.taken_ns = at_ms * 1_000_000;
        match closes {
            true => tracker.advance_and_close(&snapshot),
            false => tracker.advance(&snapshot),
        }
        tracker.report().flows[0].interarrival.samples
    };
    taken.iter().map(&mut read).collect()
}

#[test]
fn a_snapshot_soon_after_the_latest_is_of_the_same_step() {
    let taken = [1000, 2000, 2300, 3300, 3900].map(|at_ms| (at_ms, true));
    assert_eq!(windows(&taken), [1000, 1000, 1300, 1000, 600]);
}

#[test]
fn one_that_ends_no_interval_is_of_the_next() {
    let taken = [
        (1000, true),
        (1300, false),
        (2000, true),
        (2100, false),
        (3000, true),
    ];
    // Figures are those of the latest end.
    assert_eq!(windows(&taken), [1000; 5]);
}
