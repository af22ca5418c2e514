//! Samples of interfaces and of the table's state as rows of words.

use super::bytes::{Bad, Input, fold, put_text, unfold};
use super::rows::{put_rows, rows};
use crate::model::counts::{TableCounts, Volume};
use crate::model::snapshot::{Hook, InterfaceSample, LinkState, Malformed, TableSample};

/// There are indices for many more interfaces than the program has totals for.
const MOST_INTERFACES: usize = 1 << 16;
const REASONS: usize = Malformed::ALL.len();
const WORDS: usize = VOLUMES + 2 * 5 + 2 * REASONS;
/// Where the volumes begin.
const VOLUMES: usize = 9;

const HOOKS: [Hook; 3] = [Hook::Tcx, Hook::Clsact, Hook::Capture];
const STATES: [LinkState; 3] = [LinkState::Up, LinkState::Down, LinkState::Gone];

type Words = [u64; WORDS];

/// The words of a sample but for its index and its name; the first one is left for what is said of the name.
fn words_of(sample: &InterfaceSample) -> Words {
    let InterfaceSample {
        ifindex: _,
        name: _,
        state,
        hook,
        device_drops,
        seen,
        other,
        filtered,
        untracked,
        malformed,
        fragments_unmatched,
        estimated,
        cut_off,
    } = sample;
    let mut words = [0; WORDS];
    words[1..VOLUMES].copy_from_slice(&[
        place(&STATES, *state),
        hook.map_or(0, |hook| place(&HOOKS, hook) + 1),
        device_drops.is_some().into(),
        device_drops.unwrap_or(0),
        *fragments_unmatched,
        *estimated,
        // Where older ones say what a device had dropped before.
        0,
        0,
    ]);
    let volumes = [seen, other, filtered, untracked, cut_off];
    for (pair, volume) in words[VOLUMES..]
        .chunks_exact_mut(2)
        .zip(volumes.into_iter().chain(malformed))
    {
        pair.copy_from_slice(&[volume.packets, volume.bytes]);
    }
    words
}

fn sample_of(ifindex: u32, name: String, words: &Words) -> Result<InterfaceSample, Bad> {
    const NO_STATE: Bad = Bad("no interface is in such a state");
    let volume = |at: usize| Volume {
        packets: words[VOLUMES + 2 * at],
        bytes: words[VOLUMES + 2 * at + 1],
    };
    let hook = match words[2] {
        0 => None,
        at => Some(*HOOKS.get(at as usize - 1).ok_or(NO_STATE)?),
    };
    Ok(InterfaceSample {
        ifindex,
        name,
        state: *STATES.get(words[1] as usize).ok_or(NO_STATE)?,
        hook,
        // An older one says what the device had dropped at all, and before it was watched.
        device_drops: (words[3] == 1).then(|| words[4].checked_sub(words[8]).unwrap_or(words[4])),
        seen: volume(0),
        other: volume(1),
        filtered: volume(2),
        untracked: volume(3),
        malformed: std::array::from_fn(|reason| volume(5 + reason)),
        fragments_unmatched: words[5],
        estimated: words[6],
        cut_off: volume(4),
    })
}

fn place<T: PartialEq>(all: &[T], one: T) -> u64 {
    all.iter().position(|it| *it == one).unwrap_or(0) as u64
}

/// Appends samples, as differences from those before.
pub fn put_interfaces(out: &mut Vec<u8>, samples: &[InterfaceSample], before: &[InterfaceSample]) {
    let residues = |sample: &InterfaceSample| {
        let before = find(before, sample.ifindex);
        let words = words_of(sample);
        let known = before.map_or([0; WORDS], words_of);
        let mut residues: Words = std::array::from_fn(|at| fold(words[at].wrapping_sub(known[at])));
        residues[0] = before.is_none_or(|it| it.name != sample.name).into();
        residues
    };
    let ids: Vec<u64> = samples.iter().map(|it| it.ifindex.into()).collect();
    let rows: Vec<Words> = samples.iter().map(residues).collect();
    put_rows(out, &ids, &rows);
    let named = samples.iter().zip(&rows).filter(|(_, row)| row[0] == 1);
    named.for_each(|(sample, _)| put_text(out, &sample.name));
}

/// Reads samples.
pub fn interfaces(
    input: &mut Input<'_>,
    before: &[InterfaceSample],
) -> Result<Vec<InterfaceSample>, Bad> {
    let mut read: Vec<(u32, Words)> = Vec::new();
    rows(input, MOST_INTERFACES, |id, row| {
        let ifindex = u32::try_from(id).map_err(|_| Bad("no interface has such an index"))?;
        read.push((ifindex, *row));
        Ok(())
    })?;
    let sample = |(ifindex, residues): (u32, Words)| {
        let before = find(before, ifindex);
        let known = before.map_or([0; WORDS], words_of);
        let words = std::array::from_fn(|at| known[at].wrapping_add(unfold(residues[at])));
        let name = match (residues[0], before) {
            (0, Some(before)) => before.name.clone(),
            _ => input.name()?.to_owned(),
        };
        sample_of(ifindex, name, &words)
    };
    read.into_iter().map(sample).collect()
}

fn find(samples: &[InterfaceSample], ifindex: u32) -> Option<&InterfaceSample> {
    samples.iter().find(|it| it.ifindex == ifindex)
}

fn words_of_table(table: &TableSample) -> [u64; 7] {
    let TableSample {
        capacity,
        tracked,
        counts,
        memory_bytes,
    } = *table;
    let TableCounts {
        evicted,
        insert_failures,
        contended,
    } = counts;
    [
        capacity,
        tracked,
        evicted,
        insert_failures,
        contended,
        memory_bytes.is_some().into(),
        memory_bytes.unwrap_or(0),
    ]
}

/// Appends the state of the table, as differences from that before.
pub fn put_table(out: &mut Vec<u8>, table: &TableSample, before: &TableSample) {
    let (now, before) = (words_of_table(table), words_of_table(before));
    let residues: [u64; 7] = std::array::from_fn(|at| fold(now[at].wrapping_sub(before[at])));
    put_rows(out, &[0], &[residues]);
}

/// Reads the state of the table.
pub fn table(input: &mut Input<'_>, before: &TableSample) -> Result<TableSample, Bad> {
    let before = words_of_table(before);
    let mut read = None;
    rows(input, 1, |_, residues: &[u64; 7]| {
        let word = |at: usize| before[at].wrapping_add(unfold(residues[at]));
        read = Some(TableSample {
            capacity: word(0),
            tracked: word(1),
            counts: TableCounts {
                evicted: word(2),
                insert_failures: word(3),
                contended: word(4),
            },
            memory_bytes: (word(5) == 1).then_some(word(6)),
        });
        Ok(())
    })?;
    read.ok_or(Bad("the state of the table is missing"))
}
