//! Senders whose packets take two ways, that start again, or beside whom somebody forges numbers: what is told of them is
//! what their own log says.

use std::collections::BTreeSet;

use flowtop::model::rule::SequenceWidth as Width;
use flowtop::model::snapshot::Sequence;
use proptest::prelude::*;

use crate::reference::sequence::NumberTracker;

fn judge(width: Width, numbers: impl IntoIterator<Item = u32>) -> Sequence {
    let mut tracker = NumberTracker::new(width, 10);
    numbers.into_iter().for_each(|n| tracker.observe(Some(n)));
    tracker.counts()
}

fn number(width: Width, position: i64) -> u32 {
    match width {
        Width::Bits32 => position as u32,
        Width::Bits16 => (position as u16).into(),
    }
}

fn width() -> impl Strategy<Value = Width> {
    prop_oneof![3 => Just(Width::Bits32), 1 => Just(Width::Bits16)]
}

/// A share of 1000 that is dropped on the way.
fn dropped(per_mille: u32, seed: u64) -> impl Fn(i64) -> bool {
    move |n| {
        let mixed = (n as u64 ^ seed).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed ^ mixed >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 40
            < (u64::from(per_mille) << 24) / 1000
    }
}

/// Positions in the order of their arrival, and how many between the first and the highest did not come.
fn arrive(mut due: Vec<(i64, i64)>, is_dropped: impl Fn(i64) -> bool) -> (Vec<i64>, u64) {
    due.retain(|(_, n)| *n == 0 || !is_dropped(*n));
    due.sort_unstable();
    let arrivals: Vec<i64> = due.into_iter().map(|(_, n)| n).collect();
    let came: BTreeSet<i64> = arrivals
        .iter()
        .copied()
        .filter(|n| *n >= arrivals[0])
        .collect();
    let span = came.last().unwrap_or(&0) - arrivals[0] + 1;
    (arrivals, span as u64 - came.len() as u64)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_came_by_either_of_two_ways_was_not_lost(
        width in width(),
        start in any::<u32>(),
        (later, burst) in (prop_oneof![10_i64..100, 60_i64..2000, 1000_i64..20_000], 1_i64..=64),
        per_mille in prop_oneof![Just(0_u32), Just(2), Just(20)],
        seed in any::<u64>(),
    ) {
        // A lost number beside a burst makes its gap longer, and one of more than 96 has to be confirmed.
        let burst = if per_mille == 20 { burst.min(40) } else { burst };
        // A burst by the faster way, then one by the slower.
        let due = |n: i64| (if n / burst % 2 == 1 { n + later } else { n }, n);
        let sent = (0..3 * later + 1000).map(due).collect();
        let (arrivals, lost) = arrive(sent, dropped(per_mille, seed));
        let counts = judge(width, arrivals.iter().map(|n| number(width, n + i64::from(start))));
        prop_assert_eq!((counts.lost, counts.restarts), (lost, 0));
        prop_assert_eq!(counts.received, arrivals.len() as u64);
    }

    #[test]
    fn a_path_that_becomes_shorter_loses_nothing(
        start in any::<u32>(),
        (later, burst, before) in (100_i64..30_000, 1_i64..=64, 100_i64..1000),
        per_mille in prop_oneof![Just(0_u32), Just(2)],
        seed in any::<u64>(),
    ) {
        // Up to `change` all come later; from then on at once, in turn with what is still on its way.
        let change = later + before;
        let due = |n: i64| {
            let is_new = n >= change;
            let at = if is_new { n } else { n + later };
            (at / burst * 2 + i64::from(is_new), n)
        };
        let (arrivals, lost) = arrive((0..change + 2 * later).map(due).collect(), dropped(per_mille, seed));
        let counts = judge(Width::Bits32, arrivals.iter().map(|n| number(Width::Bits32, n + i64::from(start))));
        prop_assert_eq!((counts.lost, counts.restarts), (lost, 0));
    }

    #[test]
    fn what_overtakes_all_others_is_not_lost_when_they_come(
        start in any::<u32>(),
        overtaking in prop::collection::btree_set(100_i64..3000, 0..20),
        by in 1_i64..4000,
    ) {
        // None of them near another one: three of such are taken for a series of its own.
        let single: Vec<i64> = overtaking.iter().copied().filter(|n| n % 2 == 0).collect();
        prop_assume!(single.windows(2).all(|two| two[1] - two[0] > by + 200));
        let due = |n: i64| (if single.contains(&n) { (n - by).max(50) } else { n }, n);
        let (arrivals, _) = arrive((0..4000).map(due).collect(), |_| false);
        let counts = judge(Width::Bits32, arrivals.iter().map(|n| number(Width::Bits32, n + i64::from(start))));
        prop_assert_eq!((counts.lost, counts.restarts), (0, 0));
    }

    #[test]
    fn a_sender_that_starts_again_untidily_restarts_as_often_as_it_says(
        width in width(),
        start in any::<u32>(),
        series in prop::collection::vec((70_i64..1500, any::<bool>(), 0_i64..20_000), 1..6),
        (swaps, by, doubles) in (2_i64..40, 1_i64..10, 2_i64..40),
        per_mille in prop_oneof![Just(0_u32), Just(20), Just(100)],
        seed in any::<u64>(),
    ) {
        let is_dropped = dropped(per_mille, seed);
        let (mut at, mut lost, mut numbers) = (i64::from(start), 0, Vec::new());
        let mut duplicates = 0;
        for (length, goes_ahead, further) in &series {
            let (ahead, behind) = match width {
                Width::Bits32 => ((1 << 24) + 2000 + further * 1000, 3000 + further * 1000),
                Width::Bits16 => (3200 + further, 2000 + further),
            };
            let begin = at;
            // Nobody knows what was lost at either end.
            let is_inner = |n: i64| (begin + 20..begin + length - 20).contains(&n);
            let mut sent: Vec<i64> = (at..at + length).filter(|n| !is_inner(*n) || !is_dropped(*n)).collect();
            lost += *length as u64 - sent.len() as u64;
            let last = sent.len() as i64 - by;
            for i in (0..last).step_by((swaps + by) as usize) {
                sent.swap(i as usize, (i + by) as usize);
            }
            for (i, n) in sent.into_iter().enumerate() {
                numbers.push(number(width, n));
                if i as i64 % doubles == 0 {
                    numbers.push(number(width, n));
                    duplicates += 1;
                }
            }
            at += length + if *goes_ahead { ahead } else { -behind };
        }
        let counts = judge(width, numbers);
        let restarts = series.len() as u64 - 1;
        prop_assert_eq!((counts.lost, counts.restarts), (lost, restarts));
        prop_assert_eq!(counts.duplicates, Some(duplicates));
    }

    #[test]
    fn wild_numbers_are_no_loss_and_no_restart(
        start in any::<u32>(),
        wild in prop::collection::btree_map(3_usize..997, any::<u32>(), 0..60),
        per_mille in prop_oneof![Just(0_u32), Just(20)],
        seed in any::<u64>(),
    ) {
        let is_dropped = dropped(per_mille, seed);
        let sent: Vec<i64> = (0..1000).filter(|n| *n == 0 || *n == 999 || !is_dropped(*n)).collect();
        let mut numbers = Vec::new();
        for (at, n) in sent.iter().enumerate() {
            numbers.push(start.wrapping_add(*n as u32));
            // Far from the flow's own ones: nearer ones could be its own.
            let far = |n: u32| (3000..u32::MAX - 3000).contains(&n.wrapping_sub(start));
            numbers.extend(wild.get(&at).filter(|n| far(**n) && at + 1 < sent.len()));
        }
        let forged = (numbers.len() - sent.len()) as u64;
        let counts = judge(Width::Bits32, numbers);
        prop_assert_eq!((counts.lost, counts.restarts), (1000 - sent.len() as u64, 0));
        let errors = counts.reverse_errors + counts.big_errors + counts.small_errors;
        prop_assert!(errors >= forged, "each of {} is counted: {} errors", forged, errors);
    }
}
