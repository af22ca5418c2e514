//! One flow out of its slot: read until nothing has changed meanwhile.

use std::mem::offset_of;
use std::sync::atomic::{Ordering, fence};

use plain::Plain;

use super::{CONTROL, FlowTable, LAST_ARRIVAL};
use crate::model::snapshot::FlowSample;
use crate::probe::abi::{self, flow_counters, flow_shared, flow_slot, shared_gaps};
use crate::probe::control::Control;
use crate::probe::sys::MappedArray;

/// Where the second cache line of a slot begins.
const SECOND_LINE: usize = offset_of!(flow_slot, first_arrival);
const OWNER: usize = offset_of!(flow_counters, owner);

impl FlowTable {
    /// Adds the flow in a slot, but where it was replaced while it was read: the next pass sees its successor. Returns
    /// whether it did.
    #[inline(always)]
    pub(super) fn read_flow(
        &self,
        index: usize,
        control: Control,
        flows: &mut Vec<FlowSample>,
    ) -> bool {
        let now = self.read_once(index, control, flows);
        now.is_some_and(|now| {
            now.is_same_epoch(control) || self.read_again(index, control, now, flows)
        })
    }

    /// Reads what has changed while it was read.
    #[cold]
    #[inline(never)]
    fn read_again(
        &self,
        index: usize,
        mut before: Control,
        mut now: Control,
        flows: &mut Vec<FlowSample>,
    ) -> bool {
        let generation = before.generation();
        while !now.is_same_epoch(before) {
            flows.pop();
            if now.generation() != generation {
                return false;
            }
            before = now;
            match self.read_once(index, before, flows) {
                Some(behind) => now = behind,
                None => return false,
            }
        }
        true
    }

    /// Adds a slot's flow. Returns what its control word says behind that: what was added is right where this is the same epoch.
    /// `None` where there is no flow, and none was added.
    ///
    /// It is written where it stays, a few words at a time, as they are read: more than a processor has registers would be written
    /// twice.
    #[inline(always)]
    fn read_once(
        &self,
        index: usize,
        control: Control,
        flows: &mut Vec<FlowSample>,
    ) -> Option<Control> {
        let first_line = self.slots.read_part(index, LAST_ARRIVAL..SECOND_LINE);
        let place = flows.len();
        flows.push(abi::begin(index as u32, control, &first_line)?);
        let sample = &mut flows[place];
        let second_line = self
            .slots
            .read_part(index, SECOND_LINE..size_of::<flow_slot>());
        abi::describe(sample, control, &second_line);
        let of_owner = read_behind(&self.of_owners, index, OWNER);
        abi::count(sample, control, &of_owner);
        if control.is_shared() {
            self.add_others(index, control, sample);
        }
        abi::finish(sample);
        self.groups
            .read(index, control.generation(), &mut sample.counts);
        // Behind the fence of read_behind: all that was read was there before what the word says now, but for groups, each word of
        // which says of which life it is.
        let word = self.slots.word(index, CONTROL);
        Some(Control(word.load(Ordering::Acquire)))
    }

    /// Not inlined: mostly there are none.
    #[inline(never)]
    fn add_others(&self, index: usize, control: Control, sample: &mut FlowSample) {
        let of_others = read_behind(&self.of_others, index, carry_of(control));
        abi::add_others(sample, control, &of_others);
    }
}

/// Where a carry of the squares goes that other CPUs than the owner gathered.
fn carry_of(control: Control) -> usize {
    offset_of!(flow_shared, gaps)
        + control.shared_gaps() * size_of::<shared_gaps>()
        + offset_of!(shared_gaps, squares_high)
}

/// Counters of a slot, behind their word at `offset`, which changes with each carry of the squares, and the owner's with each new
/// epoch, too: where it did meanwhile, they are read again. Loads that follow are behind all of this one's.
fn read_behind<T: Plain + Copy>(counters: &MappedArray<T>, index: usize, offset: usize) -> T {
    let word = counters.word(index, offset);
    let mut before = word.load(Ordering::Acquire);
    loop {
        let read = counters.read(index);
        fence(Ordering::Acquire);
        let now = word.load(Ordering::Acquire);
        if now == before {
            return read;
        }
        before = now;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::probe::abi::flow_key;
    use crate::probe::control::SlotState;
    use crate::probe::groups::GroupRecords;
    use crate::probe::table::{Ageing, words_of_sets};

    const SLOTS: usize = 8;
    const SLOT: usize = 3;

    /// The word of a flow in this life of its slot and this jitter epoch.
    fn live(generation: u64, epoch: u64) -> Control {
        Control(epoch << 48 | generation << 16).with_state(SlotState::Live)
    }

    /// A table with this word in a slot that is of this protocol, and 7 packets there.
    fn table(control: Control, protocol: u8) -> FlowTable {
        let slots = MappedArray::of_process(SLOTS).unwrap();
        let key = flow_key {
            protocol,
            family: 4,
            ..Default::default()
        };
        let control = control.0;
        slots.write(
            SLOT,
            flow_slot {
                control,
                key,
                last_arrival: 40,
                first_arrival: 20,
                ..Default::default()
            },
        );
        let of_owners = MappedArray::of_process(SLOTS).unwrap();
        of_owners.write(
            SLOT,
            flow_counters {
                packets: 7,
                ..Default::default()
            },
        );
        FlowTable::new(
            slots,
            of_owners,
            MappedArray::of_process(SLOTS).unwrap(),
            GroupRecords::default(),
            MappedArray::of_process(1).unwrap(),
            Ageing::new(Duration::from_secs(30), Duration::from_secs(1)),
            MappedArray::of_process(words_of_sets(SLOTS)).unwrap(),
        )
    }

    /// What a reading adds that finds this word first.
    fn read(table: &FlowTable, control: Control) -> (bool, Vec<FlowSample>) {
        let mut flows = Vec::new();
        let is_read = table.read_flow(SLOT, control, &mut flows);
        (is_read, flows)
    }

    #[test]
    fn a_flow_whose_epoch_changes_meanwhile_is_read_once_more_and_listed_once() {
        let now = live(5, 2);
        let table = table(now, 17);
        for before in [now, live(5, 1), live(5, 0xffff)] {
            let (is_read, flows) = read(&table, before);
            let [flow] = &flows[..] else {
                panic!("{before:?}: {flows:?}");
            };
            assert!(is_read);
            assert_eq!((flow.slot, flow.generation, flow.epoch), (3, 5, 3));
            assert_eq!((flow.first_seen_ns, flow.last_seen_ns), (20, 40));
            assert_eq!(flow.counts.packets, 7);
        }
    }

    #[test]
    fn nothing_is_listed_of_a_flow_that_was_replaced_meanwhile_or_is_none() {
        let of_another = table(live(6, 1), 17);
        assert_eq!(read(&of_another, live(5, 1)), (false, Vec::new()));
        let of_none = table(live(5, 1), 99);
        assert_eq!(read(&of_none, live(5, 1)), (false, Vec::new()));
    }
}
