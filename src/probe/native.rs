//! The kernel program in this process: the same source, compiled for the host, for packets that come from a capture.
//!
//! Owns its arrays and shows it packets, one at a time, each with its own time. There is one a process, on one thread.
#![allow(unsafe_code)]

use std::ffi::c_void;
use std::ptr::NonNull;
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result};
use plain::Plain;

use super::Options;
use super::abi::{INTERFACE_SLOTS, PROFILES, VERDICTS, settings};
use super::entries::Entries;
use super::focus::Focus;
use super::groups::GroupRecords;
use super::rules::{BANKS, PORTS, RuleTable};
use super::stores::{self, Store};
use super::sys::MappedArray;
use super::table::{FlowTable, words_of_sets};
use super::tables::Tables;
use super::totals::InterfaceTotals;
use crate::model::flow::FlowKey;
use crate::model::rule::{Rule, SequenceProfile};
use crate::model::snapshot::{Hook, InterfaceSample, LinkState, Snapshot};

/// Who shows packets to the program: its maps are there once.
static ENGINE: Mutex<()> = Mutex::new(());

/// From so many flows on it is worth some ms to have their slots in large pages.
const MANY_FLOWS: u64 = 4096;

/// `HASH_KEYS` of table.h.
const HASH_KEYS: usize = 12;
/// Words of a `search_room` of payload.h, and some.
const SEARCH_WORDS: usize = 256;
const VERDICT_WORDS: usize = 8;

/// What a packet starts with: `enum native_link` of native.c.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Start {
    /// An Ethernet header.
    Ethernet,
    /// An IP header.
    Ip,
    /// Nothing that the program reads: the packet is counted as other.
    Unknown,
}

/// A packet of a capture.
#[derive(Debug, Clone, Copy)]
pub struct Packet<'a> {
    /// What was kept of it.
    pub bytes: &'a [u8],
    /// Bytes that it had on the wire; no fewer than were kept.
    pub length: u32,
    /// When it came, ns; never 0.
    pub arrival_ns: u64,
    /// The interface that it came in on, which has been [claimed](Native::claim).
    pub ifindex: u32,
    /// What it starts with.
    pub start: Start,
    /// Packets that it stands for; 0: not told.
    pub gso_segs: u32,
    /// Payload bytes of each of them; 0: no aggregate.
    pub gso_size: u32,
}

impl Packet<'_> {
    #[inline]
    fn native(&self) -> NativePacket {
        let kept = u32::try_from(self.bytes.len()).unwrap_or(u32::MAX);
        NativePacket {
            bytes: self.bytes.as_ptr(),
            arrival: self.arrival_ns,
            kept,
            length: self.length.max(kept),
            ifindex: self.ifindex,
            link: self.start as u32,
            gso_segments: self.gso_segs,
            gso_size: self.gso_size,
        }
    }
}

/// `struct native_packet` of native.c.
#[repr(C)]
struct NativePacket {
    bytes: *const u8,
    arrival: u64,
    kept: u32,
    length: u32,
    ifindex: u32,
    link: u32,
    gso_segments: u32,
    gso_size: u32,
}

const _: () = assert!(size_of::<NativePacket>() == 40);

/// `arrays` of native.c, in its order.
#[derive(Debug, Clone, Copy)]
#[repr(u32)]
enum Array {
    Flows,
    OfOwners,
    OfOthers,
    Interfaces,
    Totals,
    Verdicts,
    RulePorts,
    RuleBanks,
    Profiles,
    SearchRooms,
    IpMetrics,
    ClaimedSets,
    UntrackedBytes,
}

// SAFETY: these are what native.c has.
unsafe extern "C" {
    fn flowtop_native_place(array: u32, memory: *mut c_void, entries: u32);
    fn flowtop_native_begin(keys: *const u32, shift: u32, groups: u32);
    fn flowtop_native_settings() -> *mut settings;
    fn flowtop_native_expect(packet: *const NativePacket);
    fn flowtop_native_show(packet: *const NativePacket);
}

/// The program, its maps, and the interfaces of what it is shown.
#[derive(Debug)]
pub struct Native {
    tables: Tables,
    totals: InterfaceTotals,
    /// What is not counted: names, states, drops.
    interfaces: Vec<InterfaceSample>,
    has_large_pages: bool,
    /// Only for the program.
    _rooms: [MappedArray<u64>; 2],
    _only: MutexGuard<'static, ()>,
}

impl Native {
    /// Makes the maps. Without rules every packet is a flow's. Waits for another one of this process to end.
    pub fn start(options: &Options) -> Result<Native> {
        let only = ENGINE.lock().unwrap_or_else(PoisonError::into_inner);
        stores::clear();
        let slots = options.slots();
        let (flows, of_owners) = (place(Array::Flows, slots)?, place(Array::OfOwners, slots)?);
        let of_others = place(Array::OfOthers, slots)?;
        let (groups, bits) = GroupRecords::of_process(options.groups, slots)?;
        if let Some(records) = groups.ip() {
            tell_place(Array::IpMetrics, records, records.len());
        }
        let claimed = place(Array::ClaimedSets, words_of_sets(slots))?;
        begin(slots, bits)?;
        // SAFETY: a function without conditions.
        let settings = NonNull::new(unsafe { flowtop_native_settings() });
        let settings = settings.context("the program has no settings")?;
        // SAFETY: the program's own variable, which it reads on the thread that has this value.
        let settings = unsafe { MappedArray::of_value(settings) };
        let table = FlowTable::new(
            flows,
            of_owners,
            of_others,
            groups,
            settings,
            options.ageing(),
            claimed,
        );
        let mut tables = Tables {
            flows: table,
            rules: rule_table()?,
            focus: Focus::new(Entries::Process(Store::Histograms)),
            memory_bytes: None,
        };
        tables.apply_rules(&[], &SequenceProfile::OFF, |_| ())?;
        Ok(Native {
            tables,
            totals: InterfaceTotals::new(
                place(Array::Interfaces, INTERFACE_SLOTS)?,
                place(Array::Totals, INTERFACE_SLOTS)?,
                place(Array::UntrackedBytes, INTERFACE_SLOTS)?,
            ),
            interfaces: Vec::new(),
            has_large_pages: false,
            _rooms: [
                place_words(Array::Verdicts, VERDICTS, VERDICT_WORDS)?,
                place_words(Array::SearchRooms, 1, SEARCH_WORDS)?,
            ],
            _only: only,
        })
    }

    /// Gives an interface its own totals. An error says that there is no room for another one.
    pub fn claim(&mut self, ifindex: u32, name: String) -> Result<()> {
        self.totals.claim(ifindex, false)?;
        self.interfaces.push(InterfaceSample {
            ifindex,
            name,
            state: LinkState::Up,
            hook: Some(Hook::Capture),
            ..InterfaceSample::default()
        });
        Ok(())
    }

    /// Packets of an interface that are known to be missing.
    pub fn set_drops(&mut self, ifindex: u32, drops: u64) {
        let mut of_it = self.interfaces.iter_mut();
        if let Some(interface) = of_it.find(|interface| interface.ifindex == ifindex) {
            interface.device_drops = Some(drops);
        }
    }

    /// A packet is to be shown after a few others, whatever its time: what it needs of memory is asked for.
    #[inline]
    pub fn expect(&self, packet: &Packet<'_>) {
        // SAFETY: so many bytes are there, of which the program keeps none; its arrays are those that `start` made.
        unsafe { flowtop_native_expect(&packet.native()) }
    }

    /// Counts a packet.
    #[inline]
    pub fn show(&mut self, packet: &Packet<'_>) {
        // SAFETY: as above.
        unsafe { flowtop_native_show(&packet.native()) }
    }

    /// See [`Probe::apply_rules`](super::Probe::apply_rules).
    pub fn apply_rules(&mut self, rules: &[Rule], global: &SequenceProfile) -> Result<u8> {
        // No packet is under way.
        self.tables.apply_rules(rules, global, |_| ())
    }

    /// See [`Probe::focus`](super::Probe::focus).
    pub fn focus(&mut self, keys: Vec<FlowKey>) {
        self.tables.focus(keys);
    }

    /// All histograms begin anew.
    pub fn reset_histograms(&mut self) {
        self.tables.focus.reset();
    }

    /// Changes the time after which idle flows leave, and the refresh period.
    pub fn set_ageing(&mut self, flow_timeout: std::time::Duration, refresh: std::time::Duration) {
        self.tables.set_ageing(flow_timeout, refresh);
    }

    /// Reads everything that was counted, at this time of the packets. None that is still to be shown arrived before
    /// `settled_ns`.
    pub fn snapshot(&mut self, now_ns: u64, settled_ns: u64) -> Snapshot {
        let mut snapshot = self.tables.read(now_ns, settled_ns);
        if !self.has_large_pages && snapshot.table.tracked >= MANY_FLOWS {
            self.tables.flows.use_large_pages();
            self.has_large_pages = true;
        }
        for known in &self.interfaces {
            let (counted, incidents) = self.totals.read(known.ifindex);
            let counts = &mut snapshot.table.counts;
            counts.evicted += incidents.evicted;
            counts.contended += incidents.contended;
            counts.insert_failures += counted.untracked.packets;
            snapshot.interfaces.push(InterfaceSample {
                name: known.name.clone(),
                state: known.state,
                hook: known.hook,
                device_drops: known.device_drops,
                ..counted
            });
        }
        snapshot
    }

    /// What was counted on an interface: for test runs.
    pub fn interface_totals(&self, ifindex: u32) -> InterfaceSample {
        self.totals.read(ifindex).0
    }

    /// The next snapshot has all flows, also those that had no packet since the latest one.
    pub fn read_all_again(&mut self) {
        self.tables.flows.read_all_again();
    }

    /// Takes back a snapshot that nobody needs any more: the next one is written into its memory.
    pub fn recycle(&mut self, snapshot: Snapshot) {
        self.tables.recycle(snapshot);
    }
}

/// Draws the seed of this run's hash.
fn begin(slots: usize, groups: u32) -> Result<()> {
    let mut keys = [0; HASH_KEYS];
    for key in &mut keys {
        *key = getrandom::u32().context("draw the seed of the flow table's hash")?;
    }
    // SAFETY: there are so many keys.
    unsafe { flowtop_native_begin(keys.as_ptr(), u64::BITS - slots.ilog2(), groups) };
    Ok(())
}

fn rule_table() -> Result<RuleTable> {
    let banks = BANKS as usize;
    Ok(RuleTable::new(
        Entries::Process(Store::Addresses),
        place(Array::RulePorts, banks * 2 * PORTS)?,
        place(Array::RuleBanks, banks)?,
        place(Array::Profiles, banks * PROFILES)?,
    ))
}

/// Makes an array and tells the program where it is.
fn place<T: Plain + Copy>(array: Array, len: usize) -> Result<MappedArray<T>> {
    let values = MappedArray::of_process(len)?;
    tell_place(array, &values, len);
    Ok(values)
}

/// The same for values of so many words that only the program knows.
fn place_words(array: Array, len: usize, words: usize) -> Result<MappedArray<u64>> {
    let values = MappedArray::of_process(len * words)?;
    tell_place(array, &values, len);
    Ok(values)
}

fn tell_place<T: Plain + Copy>(array: Array, values: &MappedArray<T>, entries: usize) {
    // SAFETY: there are so many entries, and the one who has the array keeps the program from using it later.
    unsafe { flowtop_native_place(array as u32, values.start().as_ptr(), entries as u32) };
}
