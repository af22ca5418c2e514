//! Entries as bytes: what each says is told as a difference from what was recorded before.

use std::sync::Arc;

use super::bytes::{Bad, Input, fold, put, put_text, unfold};
use super::entry::{Entry, MOST_SLOTS};
use super::flows::{flows, put_flows};
use super::histograms::{histograms, put_histograms};
use super::interfaces::{interfaces, put_interfaces, put_table, table};
use super::state::State;
use crate::model::snapshot::Snapshot;
use crate::model::tracker::Intervals;

/// More interfaces than can be forgotten at once.
const MOST_FORGOTTEN: u64 = 1 << 16;
const MOST_RULES: u64 = 255;
const SNAPSHOT: u64 = 1;
const CLOSE: u64 = 2;
const RULES: u64 = 3;
const INTERVALS: u64 = 4;
const RESET: u64 = 5;
const CONFIG: u64 = 6;
/// No entry: what a key frame carries goes on.
pub const CARRIES_MORE: u64 = 7;

/// Appends an entry; `state` is what was recorded before.
pub fn put_entry(out: &mut Vec<u8>, entry: &Entry, state: &State) {
    match entry {
        Entry::Snapshot { snapshot, closes } => {
            put(out, SNAPSHOT);
            put(out, *closes);
            put_snapshot(out, snapshot, state);
        }
        Entry::Close(intervals) => {
            put(out, CLOSE);
            put(out, *intervals);
        }
        Entry::Rules(version, rules) => {
            put(out, RULES);
            put(out, (*version).into());
            put(out, rules.len() as u64);
            for (name, histogram) in rules {
                put_text(out, name);
                put(out, (*histogram).into());
            }
        }
        Entry::Intervals(intervals) => {
            put(out, INTERVALS);
            put(out, intervals.refresh_ns);
            put(out, intervals.jitter_ns);
        }
        Entry::Reset => put(out, RESET),
        Entry::Config(text) => {
            put(out, CONFIG);
            put_text(out, text);
        }
    }
}

/// Reads one; `state` is what was read before.
pub fn read_entry(input: &mut Input<'_>, state: &State) -> Result<Entry, Bad> {
    Ok(match input.number()? {
        SNAPSHOT => Entry::Snapshot {
            closes: input.number()?,
            snapshot: Box::new(read_snapshot(input, state)?),
        },
        CLOSE => Entry::Close(input.number()?),
        RULES => {
            let version = input.up_to(u8::MAX.into())? as u8;
            let count = input.up_to(MOST_RULES)?;
            let mut rule = || Ok((Arc::from(input.name()?), input.up_to(1)? == 1));
            let rules: Result<_, Bad> = (0..count).map(|_| rule()).collect();
            Entry::Rules(version, rules?)
        }
        INTERVALS => Entry::Intervals(Intervals {
            refresh_ns: input.number()?.max(1),
            jitter_ns: input.number()?.max(1),
        }),
        RESET => Entry::Reset,
        CONFIG => Entry::Config(Arc::from(input.text()?)),
        _ => return Err(Bad("there is no such entry")),
    })
}

fn put_snapshot(out: &mut Vec<u8>, snapshot: &Snapshot, state: &State) {
    let Snapshot {
        taken_ns,
        flows,
        newcomers: _, // They only save looking for them.
        freed,
        interfaces,
        forgotten,
        table,
        histograms,
        capture: _, // Only live runs are recorded.
    } = snapshot;
    put(out, fold(taken_ns.wrapping_sub(state.taken_ns)));
    put_table(out, table, &state.table);
    put_flows(out, flows, *taken_ns, &state.flows);
    put_slots(out, freed);
    put_interfaces(out, interfaces, &state.interfaces);
    put(out, forgotten.len() as u64);
    forgotten.iter().for_each(|it| put(out, (*it).into()));
    put_histograms(out, histograms, &state.histograms);
}

/// Appends numbers of slots.
pub fn put_slots(out: &mut Vec<u8>, slots: &[u32]) {
    put(out, slots.len() as u64);
    let mut before = 0;
    for slot in slots {
        put(out, fold(u64::from(*slot).wrapping_sub(before)));
        before = (*slot).into();
    }
}

fn read_snapshot(input: &mut Input<'_>, state: &State) -> Result<Snapshot, Bad> {
    let taken_ns = state.taken_ns.wrapping_add(unfold(input.number()?));
    let table = table(input, &state.table)?;
    if table.capacity > MOST_SLOTS {
        return Err(Bad("no table is so large"));
    }
    let flows = flows(input, table.capacity, taken_ns, &state.flows)?;
    let freed = read_slots(input, table.capacity)?;
    let interfaces = interfaces(input, &state.interfaces)?;
    let count = input.up_to(MOST_FORGOTTEN)?;
    let forgotten = (0..count).map(|_| Ok(input.up_to(u32::MAX.into())? as u32));
    Ok(Snapshot {
        taken_ns,
        flows,
        newcomers: None,
        freed,
        interfaces,
        forgotten: forgotten.collect::<Result<_, _>>()?,
        table,
        histograms: histograms(input, &state.histograms)?,
        capture: None,
    })
}

/// Reads numbers of slots of a table that has so many.
pub fn read_slots(input: &mut Input<'_>, slots: u64) -> Result<Vec<u32>, Bad> {
    let mut slot = 0_u64;
    let read = (0..input.count()?).map(|_| {
        slot = slot.wrapping_add(unfold(input.number()?));
        match slot < slots {
            true => Ok(slot as u32),
            false => Err(Bad("a slot is outside of the table")),
        }
    });
    read.collect()
}
