//! Which slots of the table a pass has to visit: those that were not free at their last visit, and those of sets in which the
//! program has brought in a flow since. All others are free.

use std::sync::atomic::{Ordering, fence};

use crate::probe::abi::FLOWS_PER_SET;
use crate::probe::sys::MappedArray;

/// Bits of a word.
const BITS: usize = u64::BITS as usize;

/// The slots that are not known to be free.
#[derive(Debug)]
pub struct Occupied {
    /// `claimed_sets` of claim.h: a bit for each set.
    claimed: MappedArray<u64>,
    /// A bit for each slot.
    slots: Vec<u64>,
}

/// Words of `claimed_sets` for so many slots.
pub const fn words_of_sets(slots: usize) -> usize {
    slots.div_ceil(FLOWS_PER_SET * BITS)
}

impl Occupied {
    /// So many slots, all of them free.
    pub fn new(claimed: MappedArray<u64>, slots: usize) -> Occupied {
        let slots = vec![0; slots.div_ceil(BITS)];
        Occupied { claimed, slots }
    }

    /// Writes down the slots to visit, in their order.
    pub fn list(&mut self, list: &mut Vec<u32>) {
        self.take_claims();
        list.clear();
        for (word, slots) in (0_u32..).zip(&self.slots) {
            let mut left = *slots;
            while left != 0 {
                list.push(word * u64::BITS + left.trailing_zeros());
                left &= left - 1;
            }
        }
    }

    /// A slot was free at its visit.
    pub fn leave(&mut self, slot: usize) {
        self.slots[slot / BITS] &= !(1 << (slot % BITS));
    }

    /// From here on the slots of sets with new flows are visited. A flow whose claim is not told yet is told of to the next pass.
    fn take_claims(&mut self) {
        for at in 0..self.claimed.len() {
            let word = self.claimed.word(at, 0);
            if word.load(Ordering::Relaxed) == 0 {
                continue;
            }
            let mut sets = word.swap(0, Ordering::AcqRel);
            // A claim that found its bit set and added none comes before this: its slot is looked at behind.
            fence(Ordering::SeqCst);
            while sets != 0 {
                let first = (at * BITS + sets.trailing_zeros() as usize) * FLOWS_PER_SET;
                if let Some(slots) = self.slots.get_mut(first / BITS) {
                    *slots |= ((1 << FLOWS_PER_SET) - 1) << (first % BITS);
                }
                sets &= sets - 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{FLOWS_PER_SET, Occupied, words_of_sets};
    use crate::probe::sys::MappedArray;

    const SLOTS: usize = 130 * FLOWS_PER_SET;

    fn listed(occupied: &mut Occupied) -> Vec<u32> {
        let mut list = vec![7];
        occupied.list(&mut list);
        list
    }

    /// The slots of these sets.
    fn slots_of(sets: &[usize]) -> Vec<u32> {
        let slots = |set: &usize| set * FLOWS_PER_SET..(set + 1) * FLOWS_PER_SET;
        sets.iter()
            .flat_map(slots)
            .map(|slot| slot as u32)
            .collect()
    }

    #[test]
    fn slots_are_visited_from_a_claim_in_their_set_until_they_are_free() {
        let claimed = MappedArray::of_process(words_of_sets(SLOTS)).unwrap();
        let mut occupied = Occupied::new(claimed, SLOTS);
        assert!(listed(&mut occupied).is_empty());
        occupied.claimed.write(0, 1 << 63 | 1 << 9 | 1);
        occupied.claimed.write(2, 1 << 1);
        let mut expected = slots_of(&[0, 9, 63, 129]);
        for _ in 0..2 {
            assert_eq!(listed(&mut occupied), expected);
            assert_eq!(occupied.claimed.read(0), 0);
        }
        for left in [0, 9 * FLOWS_PER_SET + 5, SLOTS - 1] {
            occupied.leave(left);
            expected.retain(|slot| *slot as usize != left);
        }
        assert_eq!(listed(&mut occupied), expected);
        occupied.claimed.write(0, 1);
        expected.insert(0, 0);
        assert_eq!(listed(&mut occupied), expected);
    }

    #[test]
    fn the_least_table_has_a_word_of_sets() {
        let words = [2, 64, 65, 128, 129].map(|sets| words_of_sets(sets * FLOWS_PER_SET));
        assert_eq!(words, [1, 1, 2, 2, 3]);
    }
}
