//! Scripts of numbers with what they come to, by the definitions of the metrics: `d` is the distance from the number
//! that was due; with the threshold of 10 a gap is small up to d = 9.

/// The word that stands before or near the numbers.
const PATTERN: [u8; 4] = [0xca, 0xfe, 0xf0, 0x0d];

/// What a script comes to. Zero where not said otherwise.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expected {
    /// Highest number of the series.
    pub current: Option<u32>,
    /// Packets with a number.
    pub received: u64,
    /// Numbers that never came.
    pub lost: u64,
    /// Small gaps.
    pub small: u64,
    /// Big gaps.
    pub big: u64,
    /// Late ones.
    pub reverse: u64,
    /// Late ones, by their other name.
    pub reordered: u64,
    /// Numbers that came before.
    pub duplicates: u64,
    /// New series.
    pub restarts: u64,
    /// Packets without a number.
    pub absent: u64,
}

/// A flow of its own, by its port.
pub struct Case {
    /// What it is about.
    pub name: &'static str,
    /// Destination port.
    pub port: u16,
    /// The packets.
    pub payloads: Vec<Vec<u8>>,
    /// What they come to.
    pub expected: Expected,
}

/// All scripts.
pub fn all() -> Vec<Case> {
    let mut cases = at_the_start();
    cases.extend(series());
    cases.extend(two_series());
    cases.extend(behind_a_pattern());
    cases.extend(elsewhere());
    cases
}

/// A payload of `length` bytes with the pattern and the number at their places.
fn with_pattern(length: usize, pattern: usize, at: usize, number: u32) -> Vec<u8> {
    let mut payload = with_number(length, at, number);
    payload[pattern..pattern + 4].copy_from_slice(&PATTERN);
    payload
}

fn with_number(length: usize, at: usize, number: u32) -> Vec<u8> {
    let mut payload = vec![0x11; length];
    payload[at..at + 4].copy_from_slice(&number.to_be_bytes());
    payload
}

fn numbers(name: &'static str, port: u16, numbers: &[u32], expected: Expected) -> Case {
    let payloads = numbers.iter().map(|number| with_number(20, 0, *number));
    Case {
        name,
        port,
        payloads: payloads.collect(),
        expected: Expected {
            received: numbers.len() as u64,
            ..expected
        },
    }
}

fn ends_with(current: u32) -> Expected {
    Expected {
        current: Some(current),
        ..Expected::default()
    }
}

fn small(current: u32, small: u64, lost: u64) -> Expected {
    Expected {
        small,
        lost,
        ..ends_with(current)
    }
}

fn big(current: u32, big: u64, lost: u64) -> Expected {
    Expected {
        big,
        lost,
        ..ends_with(current)
    }
}

fn late(late: u64, before: Expected) -> Expected {
    Expected {
        reverse: late,
        reordered: late,
        ..before
    }
}

#[allow(clippy::too_many_lines, reason = "a table of cases")]
fn at_the_start() -> Vec<Case> {
    let twice = |duplicates, before| Expected {
        duplicates,
        ..before
    };
    let up_to_65: Vec<u32> = (1..=65).filter(|n| *n != 2).chain([2]).collect();
    let far_behind: Vec<u32> = (1..=300).filter(|n| *n != 2).chain([2]).collect();
    vec![
        numbers("in order", 6000, &[1, 2, 3, 4, 5], ends_with(5)),
        numbers("a gap", 6001, &[1, 2, 5], small(5, 1, 2)),
        numbers("the largest small gap", 6002, &[1, 11], small(11, 1, 9)),
        numbers("the smallest big gap", 6003, &[1, 12], big(12, 1, 10)),
        numbers(
            "both gaps",
            6004,
            &[1, 3, 93],
            Expected {
                small: 1,
                ..big(93, 1, 90)
            },
        ),
        numbers(
            "duplicates",
            6005,
            &[1, 2, 2, 3, 1, 3],
            twice(3, ends_with(3)),
        ),
        numbers(
            "a late one",
            6006,
            &[1, 2, 4, 5, 3],
            late(1, small(5, 1, 0)),
        ),
        numbers(
            "a late one twice",
            6007,
            &[1, 3, 2, 2, 4],
            twice(1, late(1, small(4, 1, 0))),
        ),
        numbers("swapped", 6008, &[2, 1, 4, 3], late(2, small(4, 1, 0))),
        numbers(
            "late, still in the window",
            6009,
            &up_to_65,
            late(1, small(65, 1, 0)),
        ),
        numbers(
            "late, beyond the window",
            6010,
            &far_behind,
            late(1, small(300, 1, 0)),
        ),
        numbers(
            "wrap-around",
            6011,
            &[0xffff_fffe, 0xffff_ffff, 0, 1],
            ends_with(1),
        ),
        numbers(
            "a gap over the wrap",
            6012,
            &[0xffff_ffff, 2, 0],
            late(1, small(2, 1, 1)),
        ),
        numbers("one packet", 6013, &[7], ends_with(7)),
    ]
}

fn series() -> Vec<Case> {
    let restarted = |restarts, before| Expected { restarts, ..before };
    vec![
        numbers(
            "a restart",
            6020,
            &[5000, 5001, 1, 2, 3],
            restarted(1, ends_with(3)),
        ),
        numbers(
            "a stray from the past",
            6021,
            &[5000, 5001, 1, 5002],
            late(1, ends_with(5002)),
        ),
        numbers(
            "a jump far ahead",
            6022,
            &[1, 2, 20_000_000, 20_000_001],
            restarted(1, ends_with(20_000_001)),
        ),
        numbers(
            "a stray from the future",
            6023,
            &[1, 2, 20_000_000, 3, 4],
            big(4, 1, 0),
        ),
        numbers(
            "far, but not a restart",
            6024,
            &[1, 1 << 24, (1 << 24) + 1],
            big((1 << 24) + 1, 1, (1 << 24) - 2),
        ),
        numbers(
            "back, but not a restart",
            6025,
            &[2000, 977, 2001],
            late(1, ends_with(2001)),
        ),
    ]
}

/// Nothing was lost in any of these.
fn two_series() -> Vec<Case> {
    let chain = |parts: &[std::ops::RangeInclusive<u32>]| -> Vec<u32> {
        parts.iter().cloned().flatten().collect()
    };
    let restarted = |before| Expected {
        restarts: 1,
        ..before
    };
    let new = 1_500_000_000;
    let neighbours = chain(&[1..=99, 102..=4998, 100..=101, 4999..=5000]);
    let doubled = chain(&[1..=1000, new..=new, new..=new + 20]);
    let swapped = chain(&[
        1..=1000,
        new..=new,
        new + 2..=new + 2,
        new + 1..=new + 1,
        new + 3..=new + 20,
    ]);
    // Bursts of four by a way that is 2000 packets shorter, between the last ones by the longer way.
    let bursts = (0..500).flat_map(|i| [3001 + 4 * i, 1001 + 4 * i]);
    let bursts = bursts.flat_map(|first| first..first + 4);
    let shorter: Vec<u32> = (1..=1000).chain(bursts).chain(5001..=6000).collect();
    vec![
        numbers(
            "two neighbours late",
            6030,
            &neighbours,
            late(2, small(5000, 1, 0)),
        ),
        numbers(
            "a new series, its first number doubled",
            6031,
            &doubled,
            Expected {
                duplicates: 1,
                ..restarted(ends_with(new + 20))
            },
        ),
        numbers(
            "a new series, two of its first numbers swapped",
            6032,
            &swapped,
            late(1, restarted(small(new + 20, 1, 0))),
        ),
        numbers(
            "a path that becomes shorter",
            6033,
            &shorter,
            late(2000, big(6000, 1, 0)),
        ),
    ]
}

fn pattern(name: &'static str, port: u16, payloads: Vec<Vec<u8>>, expected: Expected) -> Case {
    Case {
        name,
        port,
        payloads,
        expected,
    }
}

fn received(received: u64, before: Expected) -> Expected {
    Expected { received, ..before }
}

#[allow(clippy::too_many_lines, reason = "a table of cases")]
fn behind_a_pattern() -> Vec<Case> {
    let at = |place: usize, number| with_pattern(place + 40, place, place + 4, number);
    let places = |places: [usize; 3]| (1..).zip(places).map(|(n, place)| at(place, n)).collect();
    let absent = |absent, before| Expected { absent, ..before };
    let mut first_counts = at(50, 2);
    first_counts[10..14].copy_from_slice(&PATTERN);
    first_counts[14..18].copy_from_slice(&3u32.to_be_bytes());
    let overlapping = [&[0xca, 0xfe, 0xca, 0xfe, 0xf0, 0x0d][..], &[0, 0, 0, 2]].concat();
    let cut_off = with_pattern(104, 96, 100, 2)[..103].to_vec();
    vec![
        pattern(
            "odd places",
            6100,
            places([7, 13, 201]),
            received(3, ends_with(3)),
        ),
        pattern(
            "across blocks",
            6101,
            places([61, 62, 63]),
            received(3, ends_with(3)),
        ),
        pattern(
            "it moves back",
            6102,
            places([900, 3, 450]),
            received(3, ends_with(3)),
        ),
        pattern(
            "in a jumbo frame",
            6103,
            places([1, 4998, 4999]),
            received(3, ends_with(3)),
        ),
        pattern(
            "beyond what is searched",
            6104,
            vec![at(4999, 1), at(5000, 2), at(4999, 3)],
            absent(1, received(2, small(3, 1, 1))),
        ),
        pattern(
            "twice",
            6105,
            vec![at(10, 1), at(10, 2), first_counts],
            received(3, ends_with(3)),
        ),
        pattern(
            "absent",
            6106,
            vec![at(0, 1), vec![0; 1400], vec![], at(0, 2)],
            absent(2, received(2, ends_with(2))),
        ),
        pattern(
            "a false start",
            6107,
            vec![at(2, 1), overlapping],
            received(2, ends_with(2)),
        ),
        pattern(
            "at the very end",
            6108,
            vec![
                with_pattern(100, 92, 96, 1),
                cut_off,
                with_pattern(104, 96, 100, 2),
            ],
            absent(1, received(2, ends_with(2))),
        ),
    ]
}

fn elsewhere() -> Vec<Case> {
    let far = |place: usize, n| with_pattern(8800, place, place + 3000, n);
    let on_it = |place| with_pattern(place + 4, place, 0, 0);
    let word = u32::from_be_bytes(PATTERN);
    let second = |number| with_number(9, 1, number);
    vec![
        pattern(
            "far behind the pattern",
            6200,
            vec![far(0, 1), far(4999, 2), with_pattern(3003, 0, 8, 3)],
            Expected {
                absent: 1,
                ..received(2, ends_with(2))
            },
        ),
        pattern(
            "the pattern is the number",
            6300,
            vec![on_it(9), on_it(1200)],
            Expected {
                duplicates: 1,
                ..received(2, ends_with(word))
            },
        ),
        pattern(
            "too short for the number",
            6014,
            vec![with_number(4, 0, 1), vec![0; 3], with_number(4, 0, 2)],
            Expected {
                absent: 1,
                ..received(2, ends_with(2))
            },
        ),
        pattern(
            "a threshold of its own",
            6400,
            vec![second(1), second(3), second(6)],
            Expected {
                big: 1,
                ..received(3, small(6, 1, 3))
            },
        ),
    ]
}
