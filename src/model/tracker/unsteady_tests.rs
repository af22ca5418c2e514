//! Flows to which all sorts of things happen by chance, as a kernel counts them.

use super::advance::tests::{SECOND, sample, snapshot, with_numbers};
use crate::model::random::Random;
use crate::model::snapshot::{FlowSample, Sequence, Snapshot};

const FLOWS: usize = 150;

/// What the kernel counts of one flow.
#[derive(Clone, Copy, Default)]
struct Counted {
    generation: u32,
    packets: u64,
    lost: u64,
    epoch: u32,
    at_ns: u64,
}

impl Counted {
    fn sample(&self, slot: u32) -> FlowSample {
        let of = sample(slot, self.generation, (slot % 140) as u16, self.packets);
        let numbers = Sequence {
            received: self.packets,
            lost: self.lost,
            small_errors: self.lost,
            duplicates: Some(0),
            ..Sequence::default()
        };
        let of = with_numbers(of, (!slot.is_multiple_of(3)).then_some(numbers));
        FlowSample {
            epoch: self.epoch,
            last_seen_ns: self.at_ns,
            ..of
        }
    }
}

/// Flows that come and go, pause, slow down and lose packets.
pub struct World {
    /// Where its chances come from.
    pub random: Random,
    counted: [Counted; FLOWS],
}

impl World {
    /// No packet has come yet.
    pub fn silent() -> World {
        World {
            random: Random(3),
            counted: [Counted::default(); FLOWS],
        }
    }

    /// What is counted at the end of this second.
    pub fn read(&mut self, second: u64) -> Snapshot {
        let now_ns = second * SECOND;
        let (mut samples, mut freed) = (Vec::new(), Vec::new());
        for slot in 0..FLOWS {
            let mut it = self.counted[slot];
            match self.random.below(100) {
                0 if it.packets > 0 => {
                    freed.push(slot as u32);
                    it = Counted {
                        generation: it.generation + 1,
                        ..Counted::default()
                    };
                }
                0..4 => continue,
                _ => {
                    // Now and then so few that something is the matter with it.
                    let is_slow = (second / 50 + slot as u64).is_multiple_of(9);
                    it.packets += if is_slow { 2 } else { 20 } + self.random.below(5);
                    it.lost += u64::from(self.random.one_in(2000));
                    let silence_ns = now_ns.saturating_sub(it.at_ns);
                    it.epoch += u32::from(silence_ns > 3 * SECOND);
                    // It came while this was read, or before the latest snapshot, when it had not been counted.
                    it.at_ns = now_ns + SECOND / 20 - self.random.below(SECOND * 22 / 20);
                    samples.push(it.sample(slot as u32));
                }
            }
            self.counted[slot] = it;
        }
        snapshot(second, &samples, &freed)
    }
}
