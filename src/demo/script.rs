//! What the demo's senders do with their sequence numbers, and when: tables, and one pure function.
//!
//! Knows no socket and no clock. The numbers follow metrics.md: what is skipped here is lost there.

use std::time::Duration;

/// What is sent at one moment, as offsets from the sender's next number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScriptStep {
    /// The numbers, in the order in which they are sent.
    pub offsets: &'static [u32],
    /// How far the next number moves.
    pub advance: u32,
    /// Numbers that are never sent.
    pub skipped: u32,
    /// Packets that carry a number for the second time.
    pub duplicates: u32,
    /// Packets that are sent after a higher number.
    pub reordered: u32,
}

impl ScriptStep {
    const fn in_order(offsets: &'static [u32]) -> ScriptStep {
        ScriptStep {
            offsets,
            advance: offsets.len() as u32,
            skipped: 0,
            duplicates: 0,
            reordered: 0,
        }
    }

    const fn skip(offsets: &'static [u32; 1]) -> ScriptStep {
        ScriptStep {
            advance: offsets[0] + 1,
            skipped: offsets[0],
            ..ScriptStep::in_order(offsets)
        }
    }
}

const ONE: ScriptStep = ScriptStep::in_order(&[0]);
const FRAME: ScriptStep = ScriptStep::in_order(&[0, 1, 2, 3, 4, 5]);
const KEY_FRAME: ScriptStep =
    ScriptStep::in_order(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]);
const SKIP_ONE: ScriptStep = ScriptStep::skip(&[1]);
const SKIP_THREE: ScriptStep = ScriptStep::skip(&[3]);
const SKIP_FORTY: ScriptStep = ScriptStep::skip(&[40]);
const SWAPPED: ScriptStep = ScriptStep {
    reordered: 1,
    ..ScriptStep::in_order(&[1, 0])
};
const LATE_BY_TWO: ScriptStep = ScriptStep {
    reordered: 1,
    ..ScriptStep::in_order(&[1, 2, 0])
};
const TWICE: ScriptStep = ScriptStep {
    advance: 1,
    duplicates: 1,
    ..ScriptStep::in_order(&[0, 0])
};
const TWICE_LATER: ScriptStep = ScriptStep {
    advance: 2,
    duplicates: 1,
    ..ScriptStep::in_order(&[0, 1, 0])
};

/// What a sender does over time.
#[derive(Debug, Clone, Copy)]
pub struct Rhythm {
    /// From one step to the next.
    every: Duration,
    /// What is sent at most steps.
    usual: ScriptStep,
    /// What is sent instead at each n-th step; the first row that applies.
    instead: &'static [(u64, ScriptStep)],
    /// After so many steps the sender rests for so long.
    rest: Option<(u64, Duration)>,
}

impl Rhythm {
    /// A step each `milliseconds`.
    const fn every(milliseconds: u64, usual: ScriptStep) -> Rhythm {
        Rhythm {
            every: Duration::from_millis(milliseconds),
            usual,
            instead: &[],
            rest: None,
        }
    }

    /// ScriptStep number `index`, from 0.
    pub fn step(&self, index: u64) -> &ScriptStep {
        let instead = self
            .instead
            .iter()
            .find(|(n, _)| (index + 1).is_multiple_of(*n));
        instead.map_or(&self.usual, |(_, step)| step)
    }

    /// How long to wait from step `index` to the next.
    pub fn wait(&self, index: u64) -> Duration {
        match self.rest {
            Some((steps, rest)) if (index + 1).is_multiple_of(steps) => rest,
            _ => self.every,
        }
    }
}

/// 100 packets a second, as a voice call has.
pub const VOICE: Rhythm = Rhythm::every(10, ONE);
/// Bursts of 6 packets, each tenth of 16.
pub const BURSTS: Rhythm = Rhythm {
    instead: &[(10, KEY_FRAME)],
    ..Rhythm::every(100, FRAME)
};
/// A few percent missing: small gaps, and a big one each 8 seconds.
pub const LOSSY: Rhythm = Rhythm {
    instead: &[(400, SKIP_FORTY), (150, SKIP_THREE), (50, SKIP_ONE)],
    ..Rhythm::every(20, ONE)
};
/// A packet behind a later one, or behind two.
pub const REORDERING: Rhythm = Rhythm {
    instead: &[(160, LATE_BY_TWO), (20, SWAPPED)],
    ..Rhythm::every(20, ONE)
};
/// A number twice in a row, or again after the next one.
pub const DUPLICATES: Rhythm = Rhythm {
    instead: &[(100, TWICE_LATER), (20, TWICE)],
    ..Rhythm::every(20, ONE)
};
/// 50 packets a second.
pub const STEADY: Rhythm = Rhythm::every(20, ONE);
/// Three seconds on, 2.75 seconds off: longer than the 2 seconds after which jitter starts anew.
pub const PAUSING: Rhythm = Rhythm {
    rest: Some((75, Duration::from_millis(2750))),
    ..Rhythm::every(40, ONE)
};
/// Five echo requests a second.
pub const PING: Rhythm = Rhythm::every(200, ONE);

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    const ALL: [Rhythm; 8] = [
        VOICE, BURSTS, LOSSY, REORDERING, DUPLICATES, STEADY, PAUSING, PING,
    ];

    /// Looks at the numbers alone, as a receiver does.
    fn received(numbers: &[u64]) -> (u64, u64, u64) {
        let (mut seen, mut highest) = (HashSet::new(), 0);
        let (mut duplicates, mut late) = (0, 0);
        for number in numbers {
            match seen.insert(*number) {
                false => duplicates += 1,
                true if *number < highest => late += 1,
                true => highest = *number,
            }
        }
        (highest + 1 - seen.len() as u64, duplicates, late)
    }

    #[test]
    fn what_a_step_says_about_itself_is_what_its_numbers_show() {
        for rhythm in ALL {
            let (mut next, mut numbers) = (0, Vec::new());
            let mut said = (0, 0, 0);
            for index in 0..2000 {
                let step = rhythm.step(index);
                numbers.extend(step.offsets.iter().map(|offset| next + u64::from(*offset)));
                next += u64::from(step.advance);
                said.0 += u64::from(step.skipped);
                said.1 += u64::from(step.duplicates);
                said.2 += u64::from(step.reordered);
                if index % 50 == 49 {
                    assert_eq!(received(&numbers), said, "{rhythm:?} to step {index}");
                }
            }
        }
    }

    #[test]
    fn the_pausing_sender_is_silent_for_two_and_a_half_to_three_seconds() {
        let long: Vec<_> = (0..300)
            .map(|index| PAUSING.wait(index))
            .filter(|wait| *wait > Duration::from_secs(2))
            .collect();
        assert_eq!(long.len(), 4);
        assert!(
            long.iter()
                .all(|wait| (2500..3000).contains(&wait.as_millis()))
        );
    }
}
