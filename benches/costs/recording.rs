//! What a recording costs: a reading becomes a frame in the thread that records, and frames become what was known at a
//! moment in the one that replays.

use std::sync::Arc;

use anyhow::{Context, Result};
use flowtop::model::snapshot::{FlowSample, Snapshot, TableSample};
use flowtop::model::tracker::{FlowTracker, Intervals};
use flowtop::recording::{Encoder, Entry, Event, Header, KeyFrames, Reader};

use crate::model::{ROUNDS, add, sample};
use crate::sample::{Stopwatch, Summary};
use crate::table::{Table, Target};

const FLOWS: u32 = 65_536;
const SECOND: u64 = 1_000_000_000;
const INTERVALS: Intervals = Intervals {
    refresh_ns: SECOND,
    jitter_ns: SECOND,
};
/// The same flows with one in ten, and then all of them active.
pub fn measure(table: &mut Table) -> Result<()> {
    table.begin(
        "Recordings",
        "65,536 flows, a reading a second, of sizes and gaps that are no two alike; CPU time and bytes of a second are those \
         from one key frame to the next, shared out.",
    );
    for (what, share, most_ms, most_mb) in [
        ("a tenth active", 10, 10.0, 0.2),
        ("all active", 1, 30.0, 1.5),
    ] {
        let part = Part::of(share)?;
        let per_second = part.bytes / part.seconds as f64;
        let mut line = |of: &str, unit, value, target| {
            add(table, &format!("{of}, {what}"), unit, None, value, target);
        };
        line("Recording a second", "ms", part.took, Target::Most(most_ms));
        let megabytes = Summary::once(per_second / 1e6);
        line(
            "Written in a second",
            "MB",
            megabytes,
            Target::Most(most_mb),
        );
        let of_a_flow = Summary::once(part.bytes_of_frames / (part.seconds * part.active) as f64);
        line(
            "Written for an active flow and second",
            "bytes",
            of_a_flow,
            Target::Most(25.0),
        );
        line(
            "Jump to a moment just before the next key frame",
            "ms",
            part.jump()?,
            Target::Most(200.0),
        );
    }
    Ok(())
}

/// A part of a recording, which begins with a key frame and ends before the next one.
struct Part {
    segment: Vec<u8>,
    active: u64,
    /// From this key frame to the next.
    seconds: u64,
    /// ms of a second.
    took: Summary,
    bytes: f64,
    bytes_of_frames: f64,
}

impl Part {
    /// In which one flow of `share` has packets.
    fn of(share: usize) -> Result<Part> {
        let mut encoder = Encoder::new(0, INTERVALS, Arc::from("{}"))?;
        let mut tracker = FlowTracker::new(INTERVALS, 0);
        let mut dice = Dice(1);
        let mut key_frames = KeyFrames::begin(0);
        let mut snapshot = all_flows();
        let mut entry = |snapshot: &mut Snapshot| {
            snapshot.taken_ns += SECOND;
            let now = snapshot.taken_ns;
            snapshot
                .flows
                .iter_mut()
                .for_each(|flow| count(flow, now, &mut dice));
            let entry = Entry::Snapshot {
                snapshot: Box::new(snapshot.clone()),
                closes: 1,
            };
            entry.apply(&mut tracker);
            let is_last = key_frames.are_due(&entry, tracker.report(), now == SECOND);
            (now, entry, tracker.carried(), is_last)
        };
        let (now, all, carried, _) = entry(&mut snapshot);
        encoder.frame(now as i64, &all)?;
        let mut active = 0;
        snapshot.flows.retain(|_| {
            active += 1;
            active % share == 0
        });
        let header = Header {
            run: 1,
            number: 0,
            began_wall_ns: 0,
        };
        let mut segment = header.bytes().to_vec();
        let watch = Stopwatch::start();
        segment.extend(encoder.key(now as i64, &carried)?);
        encoder.has_key();
        let key_ms = watch.ms();
        let before = segment.len();
        let mut samples = Vec::new();
        loop {
            let (now, entry, _, is_last) = entry(&mut snapshot);
            let watch = Stopwatch::start();
            segment.extend(encoder.frame(now as i64, &entry)?);
            samples.push(watch.ms());
            if is_last {
                break;
            }
        }
        let seconds = samples.len() as u64;
        for sample in &mut samples {
            *sample += key_ms / seconds as f64;
        }
        Ok(Part {
            active: snapshot.flows.len() as u64,
            seconds,
            took: Summary::of(samples),
            bytes: segment.len() as f64,
            bytes_of_frames: (segment.len() - before) as f64,
            segment,
        })
    }

    /// From the key frame to the last reading, ms.
    fn jump(&self) -> Result<Summary> {
        let samples = (0..ROUNDS).map(|_| {
            let watch = Stopwatch::start();
            let mut reader = Reader::default();
            let opened = reader.open(&self.segment);
            opened.map_err(|error| anyhow::anyhow!("open a segment: {error}"))?;
            let mut tracker = None;
            while let Some(event) = reader.next(&self.segment) {
                match (event, &mut tracker) {
                    (Event::Begin { tracker: begun, .. }, _) => tracker = Some(begun),
                    (Event::Entry { entry, .. }, Some(tracker)) => entry.apply(tracker),
                    other => anyhow::bail!("{other:?}"),
                }
            }
            let taken_ns = tracker.context("no tracker")?.report().taken_ns;
            anyhow::ensure!(
                taken_ns == (self.seconds + 1) * SECOND,
                "it ends at {taken_ns}"
            );
            Ok(watch.ms())
        });
        Ok(Summary::of(samples.collect::<Result<_>>()?))
    }
}

fn all_flows() -> Snapshot {
    Snapshot {
        flows: (0..FLOWS).map(sample).collect(),
        table: TableSample {
            capacity: u64::from(2 * FLOWS),
            ..TableSample::default()
        },
        ..Snapshot::default()
    }
}

/// A second of packets with sizes and gaps as they come.
fn count(flow: &mut FlowSample, now: u64, dice: &mut Dice) {
    let packets = 1 + dice.below(97);
    let last = now - dice.below(SECOND / packets);
    let elapsed = last - flow.last_seen_ns;
    let gap = u128::from(elapsed / packets);
    let payload = (0..packets).map(|_| dice.below(1400)).sum::<u64>();
    flow.counts.packets += packets;
    flow.counts.bytes += packets * 66 + payload;
    flow.counts.payload_bytes += payload;
    flow.gaps.count += packets;
    flow.gaps.sum += elapsed;
    flow.gaps.squares += u128::from(packets) * gap * (gap + u128::from(dice.below(1 << 24)));
    flow.last_seen_ns = last;
    if let Some(sequence) = &mut flow.counts.sequence {
        sequence.received += packets;
        sequence.current = Some(
            sequence
                .current
                .unwrap_or_default()
                .wrapping_add(payload as u32),
        );
    }
}

/// Steele and Vigna's SplitMix64: the same numbers in each run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}
