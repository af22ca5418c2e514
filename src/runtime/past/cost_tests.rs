//! What keeping the last minutes costs, and how long a jump takes: printed, not asserted.
//!
//! `cargo test --release --lib past::player::tests::cost -- --ignored --nocapture`

use super::viewer::Viewer;
use super::*;
use crate::model::counts::{Counts, GapSums, Sequence};
use crate::model::flow::{FlowKey, Protocol};
use crate::model::snapshot::{FlowSample, Snapshot, TableSample};
use crate::model::tracker::{FlowTracker, Intervals};
use crate::recording::{Encoder, Entry};
use crate::runtime::past::memory::Memory;
use crate::runtime::recorder::KEY_EVERY_NS;

const SECOND_NS: u64 = 1_000_000_000;
const BEGAN_WALL_NS: i64 = 1_764_000_000_000_000_000;
const INTERVALS: Intervals = Intervals {
    refresh_ns: SECOND_NS,
    jitter_ns: SECOND_NS,
};

fn flow(slot: u32) -> FlowSample {
    FlowSample {
        counts: Counts {
            sequence: Some(Sequence::default()),
            ..Counts::default()
        },
        first_seen_ns: SECOND_NS,
        last_seen_ns: SECOND_NS,
        ..FlowSample::new(
            slot,
            FlowKey::incoming(
                1,
                Protocol::Udp,
                (
                    [10, 0, (slot >> 8) as u8, slot as u8],
                    (slot % 50_000) as u16 + 1024,
                ),
                ([10, 1, 0, 1], 5004),
            ),
        )
    }
}

/// Each flow sends about fifty packets a second, and some of them lose one now and then.
fn count(sample: &mut FlowSample, second: u64) {
    let noise = u64::from(sample.slot).wrapping_mul(0x9e37_79b9) ^ second.wrapping_mul(0x85eb_ca6b);
    let packets = 48 + noise % 5;
    sample.counts.packets += packets;
    sample.counts.bytes += packets * 214;
    sample.counts.payload_bytes += packets * 172;
    if let Some(sequence) = &mut sample.counts.sequence {
        sequence.received += packets;
        sequence.current = Some(sequence.received as u32);
        sequence.lost += u64::from(noise.is_multiple_of(997));
    }
    sample.gaps.count += packets;
    sample.gaps.sum += packets * 20_000_000 + noise % 1_000_000;
    let gap = u128::from(20_000_000 + noise % 100_000);
    sample.gaps.squares =
        (sample.gaps.squares + gap * gap * u128::from(packets)) % GapSums::MODULUS;
    sample.last_seen_ns = second * SECOND_NS + noise % SECOND_NS;
}

/// Eleven minutes of them, and what making it took a second: time and bytes.
fn keep(flows: u32, active: u32) -> (Memory, Duration, usize) {
    const SECONDS: u32 = 660;
    let mut memory = Memory::default();
    let mut encoder = Encoder::new(SECOND_NS, INTERVALS, "{}".into()).expect("zstd");
    let mut tracker = FlowTracker::new(INTERVALS, SECOND_NS);
    let mut samples: Vec<FlowSample> = (0..flows).map(flow).collect();
    let (mut took, mut bytes) = (Duration::ZERO, 0);
    for second in 1..=u64::from(SECONDS) {
        let wall_ns = BEGAN_WALL_NS + (second * SECOND_NS) as i64;
        if (second * SECOND_NS - SECOND_NS).is_multiple_of(KEY_EVERY_NS) {
            let began = Instant::now();
            let key = encoder.key(wall_ns, &tracker.carried()).expect("zstd");
            took += began.elapsed();
            bytes += key.len();
            memory.begin(wall_ns, &key);
        }
        let counted = if second == 1 { flows } else { active } as usize;
        let counting = samples.iter_mut().take(counted);
        counting.for_each(|it| count(it, second));
        let entry = Entry::Snapshot {
            snapshot: Box::new(Snapshot {
                taken_ns: (second + 1) * SECOND_NS,
                flows: samples[..counted].to_vec(),
                table: TableSample {
                    capacity: 65_536,
                    tracked: flows.into(),
                    ..TableSample::default()
                },
                ..Snapshot::default()
            }),
            closes: 1,
        };
        entry.apply(&mut tracker);
        let began = Instant::now();
        encoder.losing(&entry);
        let frame = encoder.frame(wall_ns, &entry).expect("zstd");
        took += began.elapsed();
        bytes += frame.len();
        memory.append(wall_ns, &frame);
    }
    (memory, took / SECONDS, bytes / SECONDS as usize)
}

#[test]
#[ignore = "it takes minutes and asserts nothing"]
fn what_it_costs() {
    for (flows, active) in [(14, 14), (4096, 4096), (65_536, 6_554), (65_536, 65_536)] {
        let (memory, took, bytes) = keep(flows, active);
        println!(
            "{flows} flows, {active} active: {took:?} and {bytes} bytes a second, {} s kept",
            (memory.names().len() as u64 - 1) * KEY_EVERY_NS / SECOND_NS
        );
        let mut viewer = Viewer::of(memory, false);
        viewer.player.patience = PATIENCE;
        for (what, travel) in [
            ("to the end", Travel::End),
            ("a minute back", Travel::Minute(Way::Back)),
            ("an interval back", Travel::Interval(Way::Back)),
            ("a minute on", Travel::Minute(Way::On)),
        ] {
            let began = Instant::now();
            viewer.player.travel(travel, 1);
            let first = began.elapsed();
            viewer.settle();
            println!(
                "  {what}: shown after {first:?}, whole after {:?}",
                began.elapsed()
            );
        }
    }
}
