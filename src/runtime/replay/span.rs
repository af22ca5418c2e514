//! Which segments a span of time needs, whatever the clock did while they were recorded.
//!
//! The name of a segment says when it was begun, and no more: the clock may have been set back since, or forward. What times
//! are in it its index says, mark by mark; where that does not go to its end, the segment itself is looked through.

use std::collections::BTreeMap;

use super::segments::Segments;
use crate::recording::{Reader, SegmentName};

/// All that there is, ns since 1970.
pub const ALL: (i64, i64) = (i64::MIN, i64::MAX);

/// Run by run, the segments of each in their order: those with something of this span, ns since 1970, and of what came before
/// it in the same run as much as windows and thresholds look back, which `lead_of` says of a run.
pub fn needed(
    segments: &Segments,
    all: &[SegmentName],
    span: (i64, i64),
    lead_of: impl Fn(&[SegmentName]) -> i64,
) -> Vec<SegmentName> {
    let runs = by_run(all);
    if span == ALL {
        return runs.concat();
    }
    let of_run = |run: &Vec<SegmentName>| {
        let times = run.iter().enumerate();
        let times: Vec<_> = times
            .map(|(at, name)| times_of(segments, name, run.get(at + 1)))
            .collect();
        let needed = with_lead(&times, span, || lead_of(run));
        let needed = run.iter().zip(needed).filter(|(_, is_needed)| *is_needed);
        needed.map(|(name, _)| *name).collect::<Vec<_>>()
    };
    runs.iter().flat_map(of_run).collect()
}

/// In the order in which the runs began, as far as their clocks tell.
fn by_run(all: &[SegmentName]) -> Vec<Vec<SegmentName>> {
    let mut runs: BTreeMap<u64, Vec<SegmentName>> = BTreeMap::new();
    for name in all {
        runs.entry(name.run).or_default().push(*name);
    }
    let mut runs: Vec<_> = runs.into_values().collect();
    runs.iter_mut()
        .for_each(|run| run.sort_by_key(|name| name.number));
    runs.sort();
    runs
}

/// Whether each of these segments is needed, by the times of each.
fn with_lead(
    times: &[Vec<(i64, i64)>],
    span: (i64, i64),
    lead_ns: impl FnOnce() -> i64,
) -> Vec<bool> {
    let length = |times: &[(i64, i64)]| -> i64 {
        let lengths = times.iter().map(|(from, to)| to.saturating_sub(*from));
        lengths.fold(0, i64::saturating_add)
    };
    let is_in_it = |(from, to): &(i64, i64)| *from <= span.1 && *to >= span.0;
    let mut needed = vec![false; times.len()];
    if !times.iter().flatten().any(is_in_it) {
        return needed;
    }
    let lead_ns = lead_ns();
    for (at, its_times) in times.iter().enumerate() {
        let Some(first) = its_times.iter().position(is_in_it) else {
            continue;
        };
        needed[at] = true;
        let before = span.0.saturating_sub(its_times[first].0).max(0);
        let mut lead = before.saturating_add(length(&its_times[..first]));
        for before in (0..at).rev() {
            if lead >= lead_ns {
                break;
            }
            needed[before] = true;
            lead = lead.saturating_add(length(&times[before]));
        }
    }
    needed
}

/// From when to when there is something in a segment, once for each time that its clock was set; `next`: the one behind it.
fn times_of(
    segments: &Segments,
    name: &SegmentName,
    next: Option<&SegmentName>,
) -> Vec<(i64, i64)> {
    let index = segments.read_index(name);
    if let Some(marks) = index.filter(|marks| segments.is_whole(marks, name, next)) {
        return marks
            .iter()
            .map(|mark| (mark.from_ns, mark.to_ns))
            .collect();
    }
    let looked_through = segments.in_parts(name).and_then(|it| Reader::times_of(&it));
    // Whoever reads one that cannot be read tells what is wrong.
    looked_through.unwrap_or_else(|_| {
        let ns = |ms: u64| {
            i64::try_from(ms)
                .unwrap_or(i64::MAX)
                .saturating_mul(1_000_000)
        };
        vec![(
            ns(name.began_ms),
            next.map_or(i64::MAX, |next| ns(next.began_ms)),
        )]
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR_NS: i64 = 3_600_000_000_000;

    /// Which of segments with these times, each from an hour to another, a span of hours needs.
    fn needs(times: &[&[(f64, f64)]], span: (f64, f64)) -> Vec<usize> {
        let ns = |hour: f64| (hour * HOUR_NS as f64) as i64;
        let both = |(from, to): (f64, f64)| (ns(from), ns(to));
        let times: Vec<Vec<_>> = times
            .iter()
            .map(|times| times.iter().map(|it| both(*it)).collect())
            .collect();
        let needed = with_lead(&times, both(span), || HOUR_NS / 6);
        (0..times.len()).filter(|at| needed[*at]).collect()
    }

    #[test]
    fn a_span_needs_the_segments_that_it_touches_and_some_time_before_it() {
        let times: &[&[_]] = &[&[(0.0, 1.0)], &[(1.0, 2.0)], &[(2.0, 2.05)], &[(2.05, 3.0)]];
        assert_eq!(needs(times, (0.5, 1.0)), [0, 1]);
        assert_eq!(needs(times, (1.5, 1.6)), [1]);
        assert_eq!(needs(times, (1.1, 1.2)), [0, 1]);
        assert_eq!(needs(times, (2.1, 2.2)), [1, 2, 3]);
        assert_eq!(needs(times, (-2.0, -1.0)), [0; 0]);
        assert_eq!(needs(times, (4.0, 5.0)), [0; 0]);
        assert_eq!(needs(times, (2.5, 1.5)), [0; 0]);
        assert_eq!(needs(times, (-9e9, 9e9)), [0, 1, 2, 3]);
    }

    #[test]
    fn a_clock_that_is_set_hides_no_time_and_what_is_before_a_span_is_what_came_before() {
        // Set back within a segment, and between two of them; and set forward for a while.
        let times: &[&[_]] = &[
            &[(8.0, 9.0), (8.0, 8.5)],
            &[(7.0, 7.9)],
            &[(7.9, 8.1), (20.0, 20.1), (8.2, 9.0)],
        ];
        assert_eq!(needs(times, (8.3, 8.4)), [0, 2]);
        assert_eq!(needs(times, (7.5, 7.6)), [1]);
        assert_eq!(needs(times, (7.1, 7.2)), [0, 1]);
        assert_eq!(needs(times, (20.05, 20.06)), [2]);
        assert_eq!(needs(times, (8.15, 8.16)), [0]);
    }
}
