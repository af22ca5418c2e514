//! Series of numbers and what they amount to, one line each.

use flowtop::model::doubt::are_no_numbers;
use flowtop::model::rule::SequenceWidth as Width;

use crate::reference::sequence::NumberTracker;

/// current, received, lost, reverse, small, big, duplicates, reordered, restarts, absent
type Row = [u64; 10];

fn run(width: Width, numbers: &[u32]) -> Row {
    let mut tracker = NumberTracker::new(width, 10);
    numbers.iter().for_each(|n| tracker.observe(Some(*n)));
    row(&tracker)
}

fn row(tracker: &NumberTracker) -> Row {
    let s = tracker.counts();
    [
        s.current.unwrap_or(0).into(),
        s.received,
        s.lost,
        s.reverse_errors,
        s.small_errors,
        s.big_errors,
        s.duplicates.expect("known"),
        s.reordered().expect("known"),
        s.restarts,
        s.absent,
    ]
}

fn check(width: Width, cases: &[(&str, &[u32], Row)]) {
    for (name, numbers, expected) in cases {
        assert_eq!(run(width, numbers), *expected, "{name}");
    }
}

#[test]
fn numbers_near_each_other() {
    check(
        Width::Bits32,
        &[
            ("in order", &[5, 6, 7], [7, 3, 0, 0, 0, 0, 0, 0, 0, 0]),
            ("one missing", &[5, 7], [7, 2, 1, 0, 1, 0, 0, 0, 0, 0]),
            (
                "threshold 10: 10 from the previous is small",
                &[5, 15],
                [15, 2, 9, 0, 1, 0, 0, 0, 0, 0],
            ),
            ("11 is big", &[5, 16], [16, 2, 10, 0, 0, 1, 0, 0, 0, 0]),
            ("reordered", &[5, 7, 6, 8], [8, 4, 0, 1, 1, 0, 0, 1, 0, 0]),
            (
                "duplicate of the highest",
                &[5, 6, 6],
                [6, 3, 0, 0, 0, 0, 1, 0, 0, 0],
            ),
            (
                "duplicate of an older one",
                &[5, 6, 7, 5],
                [7, 4, 0, 0, 0, 0, 1, 0, 0, 0],
            ),
            ("late twice", &[5, 7, 6, 6], [7, 4, 0, 1, 1, 0, 1, 1, 0, 0]),
            (
                "older than the first, never lost",
                &[5, 4],
                [5, 2, 0, 1, 0, 0, 0, 1, 0, 0],
            ),
            (
                "and that one again",
                &[5, 4, 4],
                [5, 3, 0, 1, 0, 0, 1, 1, 0, 0],
            ),
            (
                "wrap-around",
                &[u32::MAX - 1, u32::MAX, 0, 1],
                [1, 4, 0, 0, 0, 0, 0, 0, 0, 0],
            ),
            (
                "reordered at the wrap",
                &[u32::MAX, 1, 0],
                [1, 3, 0, 1, 1, 0, 0, 1, 0, 0],
            ),
        ],
    );
}

#[test]
fn the_window_knows_the_last_64_numbers() {
    // 0, then 1 missing, then 2 to 64: the highest is 64, so 1 is the oldest number of the window.
    let mut numbers = vec![0];
    numbers.extend(2..=64);
    numbers.push(1);
    assert_eq!(
        run(Width::Bits32, &numbers),
        [64, 65, 0, 1, 1, 0, 0, 1, 0, 0]
    );
    // With 65 it is outside: not known to have come, so it was not lost.
    numbers.insert(64, 65);
    assert_eq!(
        run(Width::Bits32, &numbers),
        [65, 66, 0, 1, 1, 0, 0, 1, 0, 0]
    );
    // A number that was seen, but is outside: late too.
    let mut numbers: Vec<u32> = (0..=64).collect();
    numbers.push(0);
    assert_eq!(
        run(Width::Bits32, &numbers),
        [64, 66, 0, 1, 0, 0, 0, 1, 0, 0]
    );
}

#[test]
#[allow(clippy::too_many_lines, reason = "a table of cases")]
fn a_sender_that_starts_again_is_not_loss() {
    let far = (1 << 24) + 6;
    check(
        Width::Bits32,
        &[
            (
                "96 ahead of the expected 6 is a gap",
                &[5, 102],
                [102, 2, 96, 0, 0, 1, 0, 0, 0, 0],
            ),
            (
                "one more is held",
                &[5, 103],
                [5, 2, 0, 0, 0, 0, 0, 0, 0, 0],
            ),
            (
                "2^24 ahead is a gap with its successor",
                &[5, far, far + 1],
                [u64::from(far) + 1, 3, 1 << 24, 0, 0, 1, 0, 0, 0, 0],
            ),
            (
                "one more is held, too",
                &[5, far + 1],
                [5, 2, 0, 0, 0, 0, 0, 0, 0, 0],
            ),
            (
                "and believed with its successor",
                &[5, far + 1, far + 2],
                [u64::from(far) + 2, 3, 0, 0, 0, 0, 0, 0, 1, 0],
            ),
            (
                "or an error, where the series goes on",
                &[5, far + 1, 6],
                [6, 3, 0, 0, 0, 1, 0, 0, 0, 0],
            ),
            (
                "1024 behind is late",
                &[2000, 977],
                [2000, 2, 0, 1, 0, 0, 0, 1, 0, 0],
            ),
            (
                "1025 is held",
                &[2000, 976],
                [2000, 2, 0, 0, 0, 0, 0, 0, 0, 0],
            ),
            (
                "restart from zero",
                &[2000, 0, 1, 2],
                [2, 4, 0, 0, 0, 0, 0, 0, 1, 0],
            ),
        ],
    );
}

#[test]
fn a_new_series_begins_with_the_candidate() {
    check(
        Width::Bits32,
        &[
            (
                "candidate and successor are both seen",
                &[2000, 0, 1, 0],
                [1, 4, 0, 0, 0, 0, 1, 0, 1, 0],
            ),
            (
                "what was before the candidate was never lost",
                &[9000, 50, 51, 49],
                [51, 4, 0, 1, 0, 0, 0, 1, 1, 0],
            ),
            (
                "two are late where the former series goes on",
                &[2000, 0, 2, 2001],
                [2001, 4, 0, 2, 1, 0, 0, 2, 0, 0],
            ),
            (
                "the loss of the old series stays",
                &[2000, 2003, 0, 1],
                [1, 4, 2, 0, 1, 0, 0, 0, 1, 0],
            ),
        ],
    );
}

#[test]
fn rfc_3550_a1_two_sequential_packets_validate_a_jump() {
    // A jump, its successor, and on in order: no loss anywhere.
    let numbers = [1, 2, 3, 1 << 30, (1 << 30) + 1, (1 << 30) + 2];
    assert_eq!(
        run(Width::Bits32, &numbers),
        [(1 << 30) + 2, 6, 0, 0, 0, 0, 0, 0, 1, 0]
    );
}

#[test]
fn echo_has_16_bits() {
    check(
        Width::Bits16,
        &[
            (
                "wrap-around",
                &[65534, 65535, 0, 1],
                [1, 4, 0, 0, 0, 0, 0, 0, 0, 0],
            ),
            (
                "3000 ahead of the expected is a gap",
                &[1, 3002, 3003],
                [3003, 3, 3000, 0, 0, 1, 0, 0, 0, 0],
            ),
            ("3001 is held", &[1, 3003], [1, 2, 0, 0, 0, 0, 0, 0, 0, 0]),
            (
                "100 behind is late",
                &[200, 101],
                [200, 2, 0, 1, 0, 0, 0, 1, 0, 0],
            ),
            ("101 is held", &[200, 100], [200, 2, 0, 0, 0, 0, 0, 0, 0, 0]),
            (
                "ping again with the same identifier",
                &[500, 1, 2, 3],
                [3, 4, 0, 0, 0, 0, 0, 0, 1, 0],
            ),
            (
                "restart across the wrap",
                &[500, 65535, 0, 1],
                [1, 4, 0, 0, 0, 0, 0, 0, 1, 0],
            ),
        ],
    );
}

#[test]
fn an_absent_number_changes_nothing_else() {
    let mut tracker = NumberTracker::new(Width::Bits32, 10);
    for number in [
        None,
        Some(5),
        None,
        Some(6),
        Some(90_000_000),
        None,
        Some(90_000_001),
    ] {
        tracker.observe(number);
    }
    assert_eq!(
        row(&tracker),
        [90_000_001, 4, 0, 0, 0, 0, 0, 0, 1, 3],
        "not even a candidate"
    );
}

#[test]
fn a_threshold_of_one_makes_every_gap_big() {
    let mut tracker = NumberTracker::new(Width::Bits32, 1);
    for number in [5, 7] {
        tracker.observe(Some(number));
    }
    assert_eq!(row(&tracker), [7, 2, 1, 0, 0, 1, 0, 0, 0, 0]);
}

#[test]
fn what_are_no_numbers_is_doubted_and_numbers_are_not_whatever_happens_to_them() {
    // Knuth's generator (The Art of Computer Programming 2, 3.3.4): its upper halves.
    let random = |seed: u64| {
        let mut state = seed;
        move || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 32) as u32
        }
    };
    let doubted = |width, numbers: &mut dyn FnMut(u32) -> u32| {
        let mut tracker = NumberTracker::new(width, 10);
        (0..200).for_each(|index| tracker.observe(Some(numbers(index))));
        are_no_numbers(&tracker.counts())
    };
    for (width, bits) in [(Width::Bits16, 16), (Width::Bits32, 32)] {
        let mut next = random(1);
        assert!(doubted(width, &mut |_| next() >> (32 - bits)), "random");
        assert!(doubted(width, &mut |_| 7), "a constant");
        assert!(doubted(width, &mut |index| index / 4), "a time stamp");
        assert!(doubted(width, &mut |index| index * 160), "bytes or samples");
        let mut next = random(2);
        assert!(!doubted(width, &mut |index| index), "in order");
        assert!(
            !doubted(width, &mut |index| index * 10 / 5),
            "each second lost"
        );
        assert!(
            !doubted(width, &mut |index| index ^ (next() & 3)),
            "out of order"
        );
        assert!(
            !doubted(width, &mut |index| index - index % 3 / 2),
            "doubled"
        );
        assert!(
            !doubted(width, &mut |index| index * 3 % 61 + index),
            "two ways"
        );
    }
}
