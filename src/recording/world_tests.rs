//! What tests of recordings record.

use std::sync::Arc;

use super::Entry;
use crate::model::counts::{Counts, Dscp, GapSums, IpMetrics, Sequence, Volume};
use crate::model::flow::{Direction, FlowKey, Protocol};
use crate::model::histogram::Histogram;
use crate::model::snapshot::*;
use crate::model::tracker::Intervals;

/// The intervals of all runs here.
pub const INTERVALS: Intervals = Intervals {
    refresh_ns: 1_000_000_000,
    jitter_ns: 1_000_000_000,
};
/// When these began, CLOCK_MONOTONIC ns.
pub const BEGAN_NS: u64 = 77_000_000_000;
const SLOTS: u32 = 24;

/// A table whose flows come, count, go and change hands as a script says.
pub struct World {
    now_ns: u64,
    flows: Vec<Option<FlowSample>>,
    lives: u32,
    interfaces: Vec<InterfaceSample>,
    rules_version: u8,
    snapshot: Snapshot,
}

impl World {
    /// An empty table.
    pub fn new() -> World {
        World {
            now_ns: BEGAN_NS,
            flows: vec![None; SLOTS as usize],
            lives: 0,
            interfaces: Vec::new(),
            rules_version: 1,
            snapshot: Snapshot::default(),
        }
    }

    /// The entry that a step of the script leads to.
    pub fn step(&mut self, [what, slot, much, more]: [u8; 4]) -> Entry {
        match what % 32 {
            0 => Entry::Reset,
            1 => Entry::Close(u64::from(much) + 1),
            2 => {
                self.rules_version = self.rules_version % 7 + 1;
                let rule = |kind, name: u8| {
                    let text = format!("{kind} {}", name % 3);
                    (Arc::from(text), name.is_multiple_of(2))
                };
                let rules = vec![rule("one", much), rule("other", more)];
                Entry::Rules(self.rules_version, rules)
            }
            3 => Entry::Intervals(Intervals {
                jitter_ns: u64::from(much) * 100_000_000 + 1,
                ..INTERVALS
            }),
            4 => Entry::Config(Arc::from(format!("{{\"MAX_FLOWS\": {much}}}"))),
            _ => {
                let count = usize::from(more % 8);
                for at in 0..count {
                    let slot = (usize::from(slot) + at * 5) % SLOTS as usize;
                    self.touch(slot, what, much.wrapping_mul(at as u8 + 1));
                }
                self.read(much)
            }
        }
    }

    fn touch(&mut self, slot: usize, what: u8, much: u8) {
        let present =
            |sample: &FlowSample| self.snapshot.flows.iter().any(|it| it.slot == sample.slot);
        if self.flows[slot].as_ref().is_some_and(present) {
            return;
        }
        if what.is_multiple_of(5)
            && let Some(sample) = self.flows[slot].take()
        {
            self.snapshot.flows.push(sample);
            self.snapshot.freed.push(slot as u32);
            return;
        }
        if what.is_multiple_of(7) {
            self.flows[slot] = None;
        }
        let now = self.now_ns;
        let lives = &mut self.lives;
        let version = self.rules_version;
        let sample = self.flows[slot].get_or_insert_with(|| {
            *lives += 1;
            fresh(slot as u32, *lives, much, now)
        });
        count(sample, much, now + u64::from(what) * 3_000_000);
        sample.rules_version = version;
        self.snapshot.flows.push(*sample);
    }

    fn read(&mut self, much: u8) -> Entry {
        self.now_ns += 1_000_000_000 + u64::from(much) * 12_345;
        self.snapshot.taken_ns = self.now_ns;
        for ifindex in 1..=u32::from(much % 3) {
            if !self.interfaces.iter().any(|it| it.ifindex == ifindex) {
                self.interfaces.push(InterfaceSample {
                    ifindex,
                    name: format!("eth{}", u32::from(much) + ifindex),
                    hook: Some(Hook::Tcx),
                    state: LinkState::Up,
                    ..InterfaceSample::default()
                });
            }
        }
        for interface in &mut self.interfaces {
            interface.seen += Volume {
                packets: 9,
                bytes: 900 + u64::from(much),
            };
            interface.malformed[usize::from(much) % 9].packets += 1;
            interface.device_drops = (!much.is_multiple_of(4)).then_some(much.into());
        }
        self.snapshot.interfaces = self.interfaces.clone();
        if much.is_multiple_of(16)
            && let Some(last) = self.interfaces.pop()
        {
            self.snapshot.forgotten.push(last.ifindex);
        }
        self.snapshot.table = TableSample {
            capacity: SLOTS.into(),
            tracked: self.flows.iter().flatten().count() as u64,
            memory_bytes: Some(5000),
            ..TableSample::default()
        };
        for sample in self.flows.iter().flatten().take(usize::from(much % 4)) {
            let mut histogram = Histogram::default();
            histogram.counts[usize::from(much)] = sample.counts.packets;
            histogram.longest = much.into();
            self.snapshot.histograms.push(HistogramSample {
                key: sample.key,
                is_last: much % 8 == 3,
                histogram,
            });
        }
        Entry::Snapshot {
            snapshot: Box::new(std::mem::take(&mut self.snapshot)),
            closes: u64::from(much % 2),
        }
    }
}

fn fresh(slot: u32, life: u32, much: u8, now: u64) -> FlowSample {
    let is_v6 = much.is_multiple_of(2);
    FlowSample {
        slot,
        generation: life,
        key: FlowKey {
            ifindex: u32::from(much % 3),
            direction: if much.is_multiple_of(5) {
                Direction::Out
            } else {
                Direction::In
            },
            vlan: (much.is_multiple_of(3)).then_some(much.into()),
            tunnel: std::num::NonZeroU32::new(u32::from(much % 4) * 0x4000_0000),
            protocol: Protocol::ALL[usize::from(much) % 4],
            source: match is_v6 {
                true => [much; 16].into(),
                false => [much; 4].into(),
            },
            destination: match is_v6 {
                true => [0xff; 16].into(),
                false => [10, 0, 0, much].into(),
            },
            source_port: u16::from(much) * 257,
            destination_port: u16::from(much % 6),
        },
        counts: Counts {
            sequence: (!much.is_multiple_of(3)).then(Sequence::default),
            ip: (much.is_multiple_of(4)).then(IpMetrics::default),
            ..Counts::default()
        },
        epoch: 1,
        gaps: GapSums::default(),
        profile: much % 5,
        rule: (!much.is_multiple_of(4)).then_some(much % 2),
        rules_version: 1,
        first_seen_ns: now + 5,
        last_seen_ns: now + 5,
    }
}

fn count(sample: &mut FlowSample, much: u8, now: u64) {
    let packets = u64::from(much) + 1;
    let counts = &mut sample.counts;
    counts.packets += packets;
    counts.bytes += packets * 1000 + u64::from(much % 3);
    counts.payload_bytes += packets * 958;
    if let Some(sequence) = &mut counts.sequence {
        sequence.received += packets;
        sequence.current = Some(u32::from(much).wrapping_mul(0x0101_0101));
        // It may go down.
        sequence.lost = (sequence.lost + u64::from(much % 7)).saturating_sub(3);
        let duplicates = sequence.duplicates.unwrap_or(0) + u64::from(much);
        sequence.duplicates = (sample.key.protocol != Protocol::Tcp).then_some(duplicates);
        sequence.reverse_errors += 1;
    }
    if let Some(ip) = &mut counts.ip {
        ip.ttl = Some(much);
        ip.dscp = Some(Dscp(much % 64));
        ip.ip_bytes += packets * 986;
    }
    sample.epoch += u32::from(much.is_multiple_of(16));
    sample.gaps.count += packets;
    sample.gaps.sum += packets * 1_000_000 + u64::from(much);
    let gap = 1_000_000_000_u128 + u128::from(much);
    sample.gaps.squares = (sample.gaps.squares + gap * gap * 300_000) % GapSums::MODULUS;
    sample.last_seen_ns = now;
}
