//! A part of an order without the rest: what is seen of a million rows is sorted, and what is not only kept on its side.

use std::cmp::Ordering;
use std::ops::Range;

/// Samples for each square root of the entries' number.
const SAMPLES: f64 = 4.0;
/// How far off a sample's place may be, in its standard deviations.
const DEVIATIONS: f64 = 4.0;
/// Fewer entries are not worth a sample.
const FEW: usize = 4096;

/// Sorts so far that the entries of one part are those that would be there if all were sorted, with those that belong before
/// it in front and the others behind.
pub fn sort_part<E: Copy>(
    entries: &mut [E],
    part: Range<usize>,
    compare: impl Fn(&E, &E) -> Ordering + Copy,
) {
    let part = part.start.min(entries.len())..part.end.min(entries.len());
    let (entries, part) = narrow(entries, part, compare);
    let entries = match part.start {
        0 => entries,
        start if start >= entries.len() => return,
        start => {
            entries.select_nth_unstable_by(start, compare);
            &mut entries[start..]
        }
    };
    if part.len() < entries.len() {
        entries.select_nth_unstable_by(part.len(), compare);
    }
    entries[..part.len()].sort_unstable_by(compare);
}

/// Narrows a selection down in one pass, by a sample (Floyd and Rivest 1975, algorithm 489): what is surely before the part
/// goes in front, what is surely behind it to the end. Returns what is left in the middle, and the part's place there.
fn narrow<E: Copy>(
    entries: &mut [E],
    part: Range<usize>,
    compare: impl Fn(&E, &E) -> Ordering + Copy,
) -> (&mut [E], Range<usize>) {
    let count = entries.len();
    if count < FEW || part.len() > count / 8 {
        return (entries, part);
    }
    let step = ((count as f64).sqrt() / SAMPLES) as usize;
    let mut sample: Vec<E> = entries.iter().step_by(step).copied().collect();
    sample.sort_unstable_by(compare);
    // The place of a rank among the samples, less or more so much that it is hardly ever beyond.
    let place = |rank: usize, sign: f64| {
        let share = rank as f64 / count as f64;
        let deviation = (share * (1.0 - share) * sample.len() as f64).sqrt();
        share * sample.len() as f64 + sign * (DEVIATIONS * deviation + DEVIATIONS)
    };
    let lowest = Some(place(part.start, -1.0)).filter(|at| *at >= 0.0);
    let lowest = lowest.map(|at| sample[at as usize]);
    let highest = sample.get(place(part.end, 1.0) as usize).copied();
    let back = match highest {
        Some(highest) => bring_forward(entries, |entry| compare(entry, &highest).is_le()),
        None => count,
    };
    let front = match lowest {
        Some(lowest) => bring_forward(&mut entries[..back], |e| compare(e, &lowest).is_lt()),
        None => 0,
    };
    match front <= part.start && part.end <= back {
        true => (
            &mut entries[front..back],
            part.start - front..part.end - front,
        ),
        false => (entries, part),
    }
}

/// Puts the entries that belong there in front of the others, and returns how many they are.
fn bring_forward<E>(entries: &mut [E], belongs: impl Fn(&E) -> bool) -> usize {
    let mut front = 0;
    for at in 0..entries.len() {
        if belongs(&entries[at]) {
            entries.swap(at, front);
            front += 1;
        }
    }
    front
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_as_if_all_were_sorted() {
        // No order, and many that are equal but for their second part; in order; backwards; all the same.
        let entry = |i: u32| (i * 7919 % 13, i * 31 % 1000);
        for count in [1000, 30_000] {
            as_if_sorted((0..count).map(entry).collect());
            as_if_sorted((0..count).map(|i| (i, 0)).collect());
            as_if_sorted((0..count).map(|i| (count - i, 0)).collect());
            as_if_sorted((0..count).map(|_| (7, 7)).collect());
        }
    }

    fn as_if_sorted(all: Vec<(u32, u32)>) {
        let count = all.len();
        let mut sorted = all.clone();
        sorted.sort_unstable();
        let (half, end) = (count / 2, count);
        for part in [
            0..end,
            0..10,
            half..half + 40,
            end - 10..end,
            end - 1..end,
            0..0,
            end..end,
            7..end + 4000,
            30..half,
        ] {
            let mut found = all.clone();
            sort_part(&mut found, part.clone(), Ord::cmp);
            let part = part.start..part.end.min(count);
            assert_eq!(found[part.clone()], sorted[part.clone()], "{part:?}");
            found[..part.start].sort_unstable();
            found[part.end..].sort_unstable();
            assert_eq!(found, sorted, "{part:?}");
        }
    }
}
