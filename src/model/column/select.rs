//! A part of an order without the rest: what is seen of a million rows is sorted, and what is not only kept on its side.

use std::cmp::Ordering;
use std::ops::Range;

/// Like [`sort_part`], for entries that are ordered by a class that is cheap to read, and within a class by a costlier
/// comparison: `sort_within` sorts a part of the entries of one class.
pub fn sort_part_by_class<E: Copy, C: Ord>(
    entries: &mut [E],
    part: Range<usize>,
    class: impl Fn(&E) -> C + Copy,
    mut sort_within: impl FnMut(&mut [E], Range<usize>),
) {
    let count = entries.len();
    let (mut start, mut end) = (part.start.min(count), part.end.min(count));
    if (1..count).contains(&start) {
        let its = gather_class(entries, start, class);
        let within = start - its.start..end.min(its.end) - its.start;
        start = its.end;
        sort_within(&mut entries[its], within);
    }
    if start >= end {
        return;
    }
    if end < count {
        let its = gather_class(&mut entries[start..], end - start, class);
        let (first, last) = (start + its.start, start + its.end);
        sort_within(&mut entries[first..last], 0..end - first);
        end = first;
    }
    let whole = &mut entries[start..end];
    whole.sort_unstable_by_key(class);
    let classes = whole.chunk_by_mut(|one, other| class(one) == class(other));
    for its in classes.filter(|its| its.len() > 1) {
        let all = 0..its.len();
        sort_within(its, all);
    }
}

/// Brings together all entries of the class that would be at this place if all were sorted, with lower classes in front and
/// higher ones behind. Returns where they are.
fn gather_class<E, C: Ord>(
    entries: &mut [E],
    place: usize,
    class: impl Fn(&E) -> C + Copy,
) -> Range<usize> {
    entries.select_nth_unstable_by_key(place, class);
    let its = class(&entries[place]);
    let (before, from) = entries.split_at_mut(place);
    let start = put_first(before, |entry| class(entry) < its);
    let end = place + put_first(from, |entry| class(entry) == its);
    start..end
}

/// Swaps entries so that those of which this holds come first. Returns how many they are.
fn put_first<E>(entries: &mut [E], holds: impl Fn(&E) -> bool) -> usize {
    let mut count = 0;
    for at in 0..entries.len() {
        if holds(&entries[at]) {
            entries.swap(count, at);
            count += 1;
        }
    }
    count
}

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
            let mut found = all.clone();
            let range = part.start.min(count)..part.end;
            sort_part_by_class(
                &mut found,
                range,
                |entry| entry.0,
                |its, within| {
                    assert!(
                        its.is_sorted_by_key(|entry| entry.0) && its[0].0 == its[its.len() - 1].0
                    );
                    sort_part(its, within, Ord::cmp);
                },
            );
            assert_eq!(found[part.clone()], sorted[part.clone()], "{part:?}");
            found[..part.start].sort_unstable();
            found[part.end..].sort_unstable();
            assert_eq!(found, sorted, "{part:?}, by class");
        }
    }
}
