//! What keeping the last minutes costs, and how long a jump takes: printed, not asserted.
//!
//! `cargo test --release --lib past::player::tests::cost -- --ignored --nocapture`

use nix::time::{ClockId, clock_gettime};

use super::viewer::Viewer;
use super::*;
use crate::config::Record;
use crate::model::counts::{Counts, GapSums, Sequence};
use crate::model::flow::{FlowKey, Protocol};
use crate::model::snapshot::{FlowSample, Snapshot, TableSample};
use crate::model::tracker::{FlowTracker, Intervals};
use crate::recording::{Encoder, Entry, Header, KeyFrames};
use crate::runtime::past::memory::Memory;
use crate::runtime::recording_folder::RecordingFolder;
use crate::runtime::replay::Segments;

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

/// Takes the blocks of a recording.
trait Keeps {
    fn put_key(&mut self, taken_ns: u64, wall_ns: i64, block: &[u8]);
    fn put_frame(&mut self, wall_ns: i64, block: &[u8]);
}

impl Keeps for Memory {
    fn put_key(&mut self, taken_ns: u64, wall_ns: i64, block: &[u8]) {
        self.begin(taken_ns, wall_ns, block);
    }

    fn put_frame(&mut self, wall_ns: i64, block: &[u8]) {
        self.append(wall_ns, block);
    }
}

/// A folder, and the number of its next segment.
impl Keeps for (RecordingFolder, u64) {
    fn put_key(&mut self, _: u64, wall_ns: i64, block: &[u8]) {
        let (folder, number) = self;
        if folder.has_room((wall_ns / 1_000_000) as u64) {
            return folder.append(block).expect("room");
        }
        let header = Header {
            run: 1,
            number: *number,
            began_wall_ns: wall_ns,
        };
        folder.begin(&header, wall_ns as u64, block).expect("room");
        *number += 1;
    }

    fn put_frame(&mut self, _: i64, block: &[u8]) {
        self.0.append(block).expect("room");
    }
}

/// So many seconds of them, and what making them took a second: time and bytes.
fn keep(keeper: &mut impl Keeps, flows: u32, active: u32, seconds: u32) -> (Duration, usize) {
    let mut encoder = Encoder::new(SECOND_NS, INTERVALS, "{}".into()).expect("zstd");
    let mut tracker = FlowTracker::new(INTERVALS, SECOND_NS);
    let mut samples: Vec<FlowSample> = (0..flows).map(flow).collect();
    let (mut took, mut bytes) = (Duration::ZERO, 0);
    let mut key_frames = KeyFrames::begin(SECOND_NS);
    let mut is_key_due = true;
    for second in 1..=u64::from(seconds) {
        let wall_ns = BEGAN_WALL_NS + (second * SECOND_NS) as i64;
        if is_key_due {
            let began = Instant::now();
            let key = encoder.key(wall_ns, &tracker.carried()).expect("zstd");
            took += began.elapsed();
            bytes += key.len();
            keeper.put_key(encoder.taken_ns(), wall_ns, &key);
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
        is_key_due = key_frames.are_due(&entry, tracker.report(), false);
        let began = Instant::now();
        encoder.losing(&entry);
        let frame = encoder.frame(wall_ns, &entry).expect("zstd");
        took += began.elapsed();
        bytes += frame.len();
        keeper.put_frame(wall_ns, &frame);
    }
    (took / seconds, bytes / seconds as usize)
}

/// Of this thread.
fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).expect("a clock");
    Duration::new(time.tv_sec() as u64, time.tv_nsec() as u32)
}

fn look_around(source: impl Source) {
    let kept_ms = source.end_ns() / 1_000_000 - source.names()[0].began_ms as i64;
    println!("  {} s kept", kept_ms / 1000);
    let mut viewer = Viewer::of(source, false);
    viewer.player.patience = PATIENCE;
    for (what, travel, times) in [
        ("to the end", Travel::End, 1),
        ("a minute back", Travel::Minute(Way::Back), 1),
        ("an interval back", Travel::Interval(Way::Back), 1),
        ("two minutes back", Travel::Minute(Way::Back), 2),
        ("to the beginning", Travel::Start, 1),
        ("a minute on", Travel::Minute(Way::On), 1),
    ] {
        let (began, began_cpu) = (Instant::now(), cpu_time());
        viewer.player.travel(travel, times);
        let (first, first_cpu) = (began.elapsed(), cpu_time() - began_cpu);
        viewer.settle();
        println!(
            "  {what}: shown after {first:?} ({first_cpu:?} of a CPU), whole after {:?} ({:?})",
            began.elapsed(),
            cpu_time() - began_cpu
        );
        viewer.inlet.receive();
    }
}

const FLOWS: [(u32, u32); 4] = [(14, 14), (4096, 4096), (65_536, 6_554), (65_536, 65_536)];

#[test]
#[ignore = "it takes minutes and asserts nothing"]
fn what_it_costs_in_memory() {
    for (flows, active) in FLOWS {
        let mut memory = Memory::default();
        let (took, bytes) = keep(&mut memory, flows, active, 660);
        println!("{flows} flows, {active} active: {took:?} and {bytes} bytes a second");
        look_around(memory);
    }
}

#[test]
#[ignore = "it takes minutes and asserts nothing"]
fn what_it_costs_in_a_folder() {
    for (flows, active) in FLOWS {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path();
        let record = Record::to(path);
        let kept = RecordingFolder::open(&record, false, None);
        let mut kept = (kept.expect("a folder"), 0);
        kept.0.prepare().expect("a list");
        let (took, bytes) = keep(&mut kept, flows, active, 660);
        println!("{flows} flows, {active} active: {took:?} and {bytes} bytes a second");
        let (mut segments, _) = Segments::open(path).expect("a folder");
        segments.refresh().expect("a list");
        look_around(segments);
    }
}
