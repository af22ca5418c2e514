//! Series of numbers by chance: sequence.h counts what the reference counts, after each number.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use flowtop::model::rule::SequenceWidth;
use flowtop::model::snapshot::Sequence;

use crate::dice::Dice;
use crate::host;
use crate::reference::sequence::NumberTracker;

/// What tests/host/series.c says after each number.
const COUNTS: usize = 32;
/// Series a test, and numbers in each.
const SERIES: usize = 2000;
const NUMBERS: usize = 120;

/// Steps at which a number means something else: windows, what is near, what is a gap, what is late, halves of all numbers.
const STEPS: [i64; 13] = [
    1,
    2,
    15,
    16,
    64,
    96,
    100,
    385,
    1024,
    3000,
    20_000,
    1 << 15,
    1 << 24,
];
const WIDE_STEPS: [i64; 2] = [50_000_000, 1 << 31];

/// The numbers of one flow.
struct Series {
    width: SequenceWidth,
    threshold: u32,
    numbers: Vec<u32>,
}

/// Senders, paths and what is wild: each goes on where it was.
struct Senders {
    dice: Dice,
    width: SequenceWidth,
    next: [i64; 3],
    current: usize,
    /// In how many packets once something other than the next number comes.
    calm: usize,
}

impl Senders {
    fn series(seed: u64, width: SequenceWidth) -> Series {
        let mut dice = Dice(seed);
        let threshold = dice.one_of(&[1, 2, 10, 97, 5000]);
        let start = dice.one_of(&[0, 70, 5000, 65_500, 1 << 31, (1 << 32) - 40]);
        let calm = dice.one_of(&[2, 3, 6, 20, 60]);
        let mut senders = Senders {
            dice,
            width,
            next: [start; 3],
            current: 0,
            calm,
        };
        Series {
            width,
            threshold,
            numbers: (0..NUMBERS).map(|_| senders.number()).collect(),
        }
    }

    /// A number far or near of a bound, ahead or behind.
    fn step(&mut self) -> i64 {
        let wide = match self.width {
            SequenceWidth::Bits32 => &WIDE_STEPS[..],
            SequenceWidth::Bits16 => &[],
        };
        let steps = [&STEPS, wide].concat();
        let bound = self.dice.one_of(&steps) + self.dice.below(5) as i64 - 2;
        let near = self.dice.below(20) as i64;
        let step = if self.dice.below(3) == 0 { near } else { bound };
        if self.dice.below(2) == 0 { step } else { -step }
    }

    fn number(&mut self) -> u32 {
        let own = self.next[self.current];
        let number = match self.dice.below(self.calm * 6) {
            // Another sender begins or is far away from now on; numbers are lost, late or double; another path.
            0 => {
                let from = self.dice.one_of(&self.next);
                self.current = self.dice.below(3);
                from + self.step()
            }
            1 => {
                self.current = self.dice.below(3);
                self.next[self.current]
            }
            2 => own + self.dice.below(4) as i64,
            3 => own - self.dice.below(20) as i64,
            // It is not where its sender goes on.
            4 => {
                let wild = own + self.step();
                return self.cut(wild);
            }
            5 => {
                let from = self.dice.one_of(&self.next);
                let late = from - self.dice.below(100) as i64;
                return self.cut(late);
            }
            // Two paths that take turns.
            6 => {
                self.current = (self.current + 1) % 2;
                self.next[self.current]
            }
            _ => own,
        };
        self.next[self.current] = number + 1;
        self.cut(number)
    }

    /// As the packet carries it.
    fn cut(&self, number: i64) -> u32 {
        match self.width {
            SequenceWidth::Bits32 => number as u32,
            SequenceWidth::Bits16 => (number as u16).into(),
        }
    }
}

impl Series {
    fn words(&self) -> Vec<u8> {
        let width = match self.width {
            SequenceWidth::Bits32 => 32,
            SequenceWidth::Bits16 => 16,
        };
        let head = [width, self.threshold, self.numbers.len() as u32];
        let words = head.iter().chain(&self.numbers);
        words.flat_map(|word| word.to_ne_bytes()).collect()
    }

    /// Fails at the first number of which the two count something else.
    fn compare(&self, said: &[u8]) {
        let mut reference = NumberTracker::new(self.width, self.threshold);
        for (at, said) in said.chunks_exact(COUNTS).enumerate() {
            reference.observe(Some(self.numbers[at]));
            let (said, wanted) = (decode(said, self.width), of_interest(reference.counts()));
            assert_eq!(
                said,
                wanted,
                "sequence.h, then the reference: {:?}, threshold {}: {:?}",
                self.width,
                self.threshold,
                &self.numbers[..=at]
            );
        }
    }
}

/// lost, small, big, reverse, duplicates, restarts, current.
type Counts = [u64; 7];

fn decode(said: &[u8], width: SequenceWidth) -> Counts {
    let word = |at: usize| u32::from_ne_bytes(said[at..at + 4].try_into().expect("a word"));
    let lost = u64::from_ne_bytes(said[..8].try_into().expect("two words"));
    let expected = word(28);
    let current = match width {
        SequenceWidth::Bits32 => expected.wrapping_sub(1),
        SequenceWidth::Bits16 => (expected as u16).wrapping_sub(1).into(),
    };
    let [small, big, reverse, duplicates, restarts] = [8, 12, 16, 20, 24].map(word).map(u64::from);
    [
        lost,
        small,
        big,
        reverse,
        duplicates,
        restarts,
        current.into(),
    ]
}

fn of_interest(counts: Sequence) -> Counts {
    [
        counts.lost,
        counts.small_errors,
        counts.big_errors,
        counts.reverse_errors,
        counts.duplicates.expect("they are counted"),
        counts.restarts,
        counts.current.expect("there was a number").into(),
    ]
}

fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| host::compile("tests/host/series.c", "host-series", &[]))
}

fn ask(all: &[Series]) -> Vec<u8> {
    let mut questions = tempfile::tempfile().expect("a file");
    for series in all {
        questions.write_all(&series.words()).expect("write");
    }
    std::io::Seek::rewind(&mut questions).expect("go to its start");
    let mut command = Command::new(program());
    command.stdin(questions).stderr(Stdio::inherit());
    let output = command.output().expect("run the program");
    assert!(output.status.success(), "{}", output.status);
    output.stdout
}

fn compare_series(width: SequenceWidth) {
    let all: Vec<_> = (0..SERIES as u64)
        .map(|seed| Senders::series(seed, width))
        .collect();
    let said = ask(&all);
    assert_eq!(said.len(), SERIES * NUMBERS * COUNTS);
    for (series, said) in all.iter().zip(said.chunks_exact(NUMBERS * COUNTS)) {
        series.compare(said);
    }
}

#[test]
fn numbers_of_32_bits_are_counted_as_the_reference_counts_them() {
    compare_series(SequenceWidth::Bits32);
}

#[test]
fn numbers_of_16_bits_are_counted_as_the_reference_counts_them() {
    compare_series(SequenceWidth::Bits16);
}
