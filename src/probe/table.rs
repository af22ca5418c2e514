//! Reads the flow table in mapped memory, retires idle flows and frees what has rested.
//!
//! Owns the mappings and what each slot looked like last time. No system call in a pass. Knows nothing of rates.

mod occupied;
mod reading;
mod words;

use std::mem::offset_of;
use std::sync::atomic::Ordering;
use std::time::Duration;

use self::occupied::Occupied;
pub use self::occupied::words_of_sets;

use super::abi::{flow_counters, flow_shared, flow_slot, settings};
use super::control::{Control, SlotState};
use super::groups::GroupRecords;
use super::sys::MappedArray;
use crate::model::snapshot::{FlowSample, Newcomers, Snapshot};

const CONTROL: usize = offset_of!(flow_slot, control);
const LAST_ARRIVAL: usize = offset_of!(flow_slot, last_arrival);

/// The program stamps an arrival before it has judged and counted the packet. A flow that was read so soon after its last
/// arrival, ns, is read once more; so is one that a packet of the same time may still come of.
const JUDGED_NS: u64 = 10_000_000;

/// How many visits before its turn the beginning of a slot is asked for: a page, as the tables of pages are waited for, too. What comes
/// between leaves room for it in the nearest cache.
const SLOTS_AHEAD: usize = 32;

/// The same of all else that will be read of a flow, if it has changed.
const FLOWS_AHEAD: usize = 8;

/// What a slot looked like when it was read last.
#[derive(Debug, Clone, Copy, Default)]
struct Known {
    generation: u32,
    last_arrival: u64,
    /// The read may have come between the last arrival and its judgement.
    is_fresh: bool,
}

/// How long flows stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ageing {
    /// A flow idle for longer is retired, ns.
    pub timeout_ns: u64,
    /// A retired slot rests this long before it is free again, ns: one refresh period. A flow idle for twice this
    /// may be replaced by a new one.
    pub rest_ns: u64,
}

impl Ageing {
    /// For a timeout of idle flows and a refresh period.
    pub fn new(flow_timeout: Duration, refresh: Duration) -> Ageing {
        Ageing {
            timeout_ns: flow_timeout.as_nanos() as u64,
            rest_ns: refresh.as_nanos() as u64,
        }
    }
}

/// The flow table as user space sees it.
#[derive(Debug)]
pub struct FlowTable {
    slots: MappedArray<flow_slot>,
    of_owners: MappedArray<flow_counters>,
    of_others: MappedArray<flow_shared>,
    groups: GroupRecords,
    settings: MappedArray<settings>,
    known: Vec<Known>,
    /// When the flow of a slot was found retired; 0: it is not. Apart, as few are.
    retired_at: Vec<u64>,
    ageing: Ageing,
    occupied: Occupied,
    /// Room for the slots that a pass visits.
    visited: Vec<u32>,
    tracked: u64,
    /// When the latest pass began.
    scanned_ns: u64,
    /// Room for the flows of the next pass.
    spare: Vec<FlowSample>,
}

impl FlowTable {
    /// See [`MappedArray::use_large_pages`].
    pub fn use_large_pages(&self) {
        self.slots.use_large_pages();
        self.of_owners.use_large_pages();
    }

    /// Takes the mapped arrays.
    pub fn new(
        slots: MappedArray<flow_slot>,
        of_owners: MappedArray<flow_counters>,
        of_others: MappedArray<flow_shared>,
        groups: GroupRecords,
        settings: MappedArray<settings>,
        ageing: Ageing,
        claimed: MappedArray<u64>,
    ) -> FlowTable {
        let known = vec![Known::default(); slots.len()];
        let retired_at = vec![0; slots.len()];
        let occupied = Occupied::new(claimed, slots.len());
        let mut table = FlowTable {
            slots,
            of_owners,
            of_others,
            groups,
            settings,
            known,
            retired_at,
            ageing,
            occupied,
            visited: Vec::new(),
            tracked: 0,
            scanned_ns: 0,
            spare: Vec::new(),
        };
        table.set_ageing(ageing);
        table
    }

    /// Slots in the table.
    pub fn capacity(&self) -> usize {
        self.slots.len()
    }

    /// Flows in the table at the latest pass.
    pub fn tracked(&self) -> u64 {
        self.tracked
    }

    /// Changes how long flows stay; takes effect with the next packet and the next pass.
    pub fn set_ageing(&mut self, ageing: Ageing) {
        self.ageing = ageing;
        self.settings
            .word(0, offset_of!(settings, evict_idle_ns))
            .store(2 * ageing.rest_ns, Ordering::Release);
    }

    /// The settings that the kernel program reads with every packet.
    pub fn settings(&self) -> &MappedArray<settings> {
        &self.settings
    }

    /// Takes the memory of a snapshot's flows that nobody needs any more: new memory would cost more than the reading.
    pub fn recycle(&mut self, flows: Vec<FlowSample>) {
        self.spare = flows;
        self.spare.clear();
    }

    /// The next pass reads all flows, also those that had no packet since the latest one.
    pub fn read_all_again(&mut self) {
        self.known
            .iter_mut()
            .for_each(|known| known.is_fresh = true);
    }

    /// One pass over the table, now by the clock of all arrivals: what changed, what left; retires and frees on the way. No
    /// packet that is still to be counted arrived before `settled_ns`.
    pub fn scan(&mut self, now_ns: u64, settled_ns: u64) -> Snapshot {
        let mut snapshot = Snapshot {
            taken_ns: now_ns,
            flows: std::mem::take(&mut self.spare),
            newcomers: Some(Newcomers {
                since_ns: std::mem::replace(&mut self.scanned_ns, now_ns),
                places: Vec::new(),
            }),
            ..Snapshot::default()
        };
        self.tracked = 0;
        let mut visited = std::mem::take(&mut self.visited);
        self.occupied.list(&mut visited);
        for at in 0..visited.len() {
            self.ask_ahead(&visited[at..]);
            self.visit(visited[at] as usize, settled_ns, &mut snapshot);
        }
        self.visited = visited;
        // From here on a flow that has been silent since the pass began may be replaced: all of it has been read. A packet that came
        // just before may not have been counted then, nor its flow brought in.
        self.settings
            .word(0, offset_of!(settings, scanned_at))
            .store(settled_ns.saturating_sub(JUDGED_NS), Ordering::Release);
        snapshot
    }

    fn control(&self, index: usize) -> Control {
        Control(self.slots.word(index, CONTROL).load(Ordering::Acquire))
    }

    /// Asks for what will be read of the slots whose turn comes.
    #[inline]
    fn ask_ahead(&self, slots: &[u32]) {
        if let Some(slot) = slots.get(SLOTS_AHEAD) {
            self.slots.ask_for(*slot as usize, 0);
        }
        let Some(slot) = slots.get(FLOWS_AHEAD) else {
            return;
        };
        let slot = *slot as usize;
        let last_arrival = self.slots.word(slot, LAST_ARRIVAL);
        if last_arrival.load(Ordering::Relaxed) != self.known[slot].last_arrival {
            self.slots.ask_for(slot, 1);
            self.of_owners.ask_for(slot, 0);
            if self.control(slot).is_shared() {
                self.of_others.ask_for(slot, 0);
                self.of_others.ask_for(slot, 1);
            }
            self.groups.ask_for(slot);
        }
    }

    #[inline]
    fn visit(&mut self, slot: usize, settled_ns: u64, snapshot: &mut Snapshot) {
        let control = self.control(slot);
        match control.state() {
            SlotState::Free => self.occupied.leave(slot),
            SlotState::Claimed => {}
            SlotState::Live => {
                self.tracked += 1;
                self.report_change(slot, control, settled_ns, snapshot);
                self.retire_if_idle(slot, control, snapshot.taken_ns);
            }
            SlotState::Retired => self.free_if_rested(slot, control, settled_ns, snapshot),
        }
    }

    #[inline]
    fn report_change(
        &mut self,
        index: usize,
        control: Control,
        settled_ns: u64,
        snapshot: &mut Snapshot,
    ) {
        let last_arrival = self.slots.word(index, LAST_ARRIVAL).load(Ordering::Acquire);
        let known = self.known[index];
        let is_known =
            known.generation == control.generation() && known.last_arrival == last_arrival;
        if is_known && !known.is_fresh {
            return;
        }
        if !self.read_flow(index, control, &mut snapshot.flows) {
            return;
        }
        if known.generation != control.generation() {
            let place = snapshot.flows.len() as u32 - 1;
            let newcomers = snapshot.newcomers.iter_mut();
            newcomers.for_each(|newcomers| newcomers.places.push(place));
        }
        self.known[index] = Known {
            generation: control.generation(),
            last_arrival,
            is_fresh: snapshot.taken_ns.saturating_sub(last_arrival) < JUDGED_NS
                || last_arrival >= settled_ns,
        };
    }

    fn retire_if_idle(&mut self, index: usize, control: Control, now: u64) {
        let known = self.known[index];
        let idle = now.saturating_sub(known.last_arrival) > self.ageing.timeout_ns;
        if known.generation != control.generation() || !idle || control.is_locked() {
            return;
        }
        let retired = control.with_state(SlotState::Retired);
        let word = self.slots.word(index, CONTROL);
        if word
            .compare_exchange(control.0, retired.0, Ordering::AcqRel, Ordering::Relaxed)
            .is_ok()
        {
            self.retired_at[index] = now;
        }
    }

    /// A packet that found the flow just before it was retired may still have been counted: the last numbers are
    /// read after the rest.
    fn free_if_rested(
        &mut self,
        index: usize,
        control: Control,
        settled_ns: u64,
        snapshot: &mut Snapshot,
    ) {
        let now = snapshot.taken_ns;
        if self.retired_at[index] == 0 || self.known[index].generation != control.generation() {
            // Retired by the kernel program, because new rules exclude it.
            self.report_change(index, control, settled_ns, snapshot);
            self.retired_at[index] = now;
            return;
        }
        if now - self.retired_at[index] < self.ageing.rest_ns {
            return;
        }
        self.read_flow(index, control, &mut snapshot.flows);
        snapshot.freed.push(index as u32);
        self.retired_at[index] = 0;
        self.known[index] = Known {
            generation: control.generation(),
            ..Known::default()
        };
        self.slots
            .word(index, CONTROL)
            .fetch_and(Control::LEFT_BEHIND, Ordering::AcqRel);
    }
}
