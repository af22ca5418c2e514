//! A part of an order without the rest: what is seen of a million rows is sorted, and what is not only kept on its side.

use std::cmp::Ordering;
use std::ops::Range;

/// Sorts so far that the entries of one part are those that would be there if all were sorted, with those that belong before
/// it in front and the others behind.
pub fn sort_part<E: Copy>(
    entries: &mut [E],
    part: Range<usize>,
    compare: impl Fn(&E, &E) -> Ordering + Copy,
) {
    let part = part.start.min(entries.len())..part.end.min(entries.len());
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
