//! What hooks counted on each interface, read in mapped memory: places are claimed, read and given back.
//!
//! An interface's place is found by its index, as `totals_of` in totals.h does it, and is the same on every CPU.

use std::collections::BTreeMap;
use std::mem::offset_of;
use std::sync::atomic::{Ordering, fence};

use anyhow::Result;

use super::abi::{self, INTERFACE_PROBES, INTERFACE_SLOTS, Incidents, interface, interface_totals};
use super::sys::MappedArray;
use crate::model::snapshot::InterfaceSample;

/// The totals of all CPUs.
#[derive(Debug)]
pub struct InterfaceTotals {
    interfaces: MappedArray<interface>,
    /// Of one CPU behind those of another.
    of_cpus: MappedArray<interface_totals>,
    /// In the same order: bytes of what found no room in the flow table.
    untracked_bytes: MappedArray<u64>,
    places: Places,
}

impl InterfaceTotals {
    /// Takes the arrays.
    pub fn new(
        interfaces: MappedArray<interface>,
        of_cpus: MappedArray<interface_totals>,
        untracked_bytes: MappedArray<u64>,
    ) -> InterfaceTotals {
        InterfaceTotals {
            interfaces,
            of_cpus,
            untracked_bytes,
            places: Places::default(),
        }
    }

    /// Gives an interface its place, or leaves it the one that it has; `is_bare`: its packets start with their IP header.
    /// An error says that no place is left.
    pub fn claim(&mut self, ifindex: u32, is_bare: bool) -> Result<()> {
        let Some(place) = self.places.claim(ifindex) else {
            anyhow::bail!("there is no room left for the totals of another interface");
        };
        for at in self.on_each_cpu(place) {
            self.of_cpus
                .half_word(at, offset_of!(interface_totals, is_bare))
                .store(is_bare.into(), Ordering::Release);
            self.of_cpus
                .half_word(at, offset_of!(interface_totals, ifindex))
                .store(ifindex, Ordering::Release);
        }
        Ok(())
    }

    /// All CPUs' totals of an interface; nothing where it has no place.
    pub fn read(&self, ifindex: u32) -> (InterfaceSample, Incidents) {
        let Some(place) = self.places.of(ifindex) else {
            let nothing = InterfaceSample {
                ifindex,
                ..InterfaceSample::default()
            };
            return (nothing, Incidents::default());
        };
        let (mut sample, incidents) = abi::decode_interface(ifindex, &self.interfaces.read(place));
        for at in self.on_each_cpu(place) {
            let (parts, untracked_bytes) = (self.of_cpus.read(at), self.untracked_bytes.read(at));
            fence(Ordering::Acquire);
            // Read last: a packet that comes meanwhile may be in it and in none of the parts yet, but not the other way round.
            let seen = self.of_cpus.read(at).seen;
            abi::add_totals(
                &mut sample,
                &interface_totals { seen, ..parts },
                untracked_bytes,
            );
        }
        (sample, incidents)
    }

    /// Gives the place back, empty. No program may be running any more that counts on this interface.
    pub fn release(&mut self, ifindex: u32) {
        let Some(place) = self.places.release(ifindex) else {
            return;
        };
        for at in self.on_each_cpu(place) {
            self.of_cpus.write(at, interface_totals::default());
            self.untracked_bytes.write(at, 0);
        }
        self.interfaces.write(place, interface::default());
    }

    fn on_each_cpu(&self, place: usize) -> impl Iterator<Item = usize> + use<> {
        (place..self.of_cpus.len()).step_by(INTERFACE_SLOTS)
    }
}

/// Which interface is where.
#[derive(Debug, Default)]
struct Places {
    by_interface: BTreeMap<u32, usize>,
    taken: Vec<bool>,
}

impl Places {
    fn of(&self, ifindex: u32) -> Option<usize> {
        self.by_interface.get(&ifindex).copied()
    }

    fn claim(&mut self, ifindex: u32) -> Option<usize> {
        self.taken.resize(INTERFACE_SLOTS, false);
        let place = self
            .of(ifindex)
            .or_else(|| probed(ifindex).find(|place| !self.taken[*place]))?;
        self.taken[place] = true;
        self.by_interface.insert(ifindex, place);
        Some(place)
    }

    fn release(&mut self, ifindex: u32) -> Option<usize> {
        let place = self.by_interface.remove(&ifindex)?;
        self.taken[place] = false;
        Some(place)
    }
}

/// Where an interface's totals may be: the same order as in totals.h; slot 0 is everybody else's.
fn probed(ifindex: u32) -> impl Iterator<Item = usize> {
    (0..INTERFACE_PROBES)
        .map(move |i| (ifindex as usize + i) % INTERFACE_SLOTS)
        .filter(|place| *place != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_given_back_are_enough_for_any_number_of_interfaces_that_come_and_go() {
        let mut places = Places::default();
        for ifindex in 1..5000 {
            let place = places.claim(ifindex).unwrap();
            assert!(probed(ifindex).any(|probed| probed == place));
            assert_eq!(places.of(ifindex), Some(place));
            if let Some(former) = ifindex.checked_sub(900).filter(|former| *former > 0) {
                assert!(places.release(former).is_some());
            }
        }
        assert_eq!(places.by_interface.len(), 900);
        assert_eq!(places.taken.iter().filter(|taken| **taken).count(), 900);
    }

    #[test]
    fn an_interface_keeps_its_place_when_one_before_it_is_given_back() {
        let mut places = Places::default();
        let slots = INTERFACE_SLOTS as u32;
        let [first, second] = [5, 5 + slots].map(|ifindex| places.claim(ifindex).unwrap());
        assert_eq!((first, second), (5, 6));
        places.release(5);
        assert_eq!(places.claim(5 + slots), Some(6));
        assert_eq!(places.claim(5 + 2 * slots), Some(5));
        // All eight that may hold this index, and then none.
        let more = (3..9)
            .map(|n| places.claim(5 + n * slots))
            .collect::<Vec<_>>();
        assert_eq!(more, (7..13).map(Some).collect::<Vec<_>>());
        assert_eq!(places.claim(5 + 9 * slots), None);
        assert!(places.release(5 + 9 * slots).is_none());
    }
}
