//! What a kernel counts, and each burst that it comes of.

use super::*;
use crate::model::random::Random;

/// Flow by slot: the first two flows have two slots each.
pub const PORTS: [u16; 8] = [0, 1, 2, 3, 4, 5, 0, 1];
/// Its sequence numbers are not tracked; duplicates are not known of the next one.
pub const UNTRACKED: u16 = 4;
pub const BYTE_STREAM: u16 = 5;
/// Flows by turns.
pub const INTERFACES: [u32; 2] = [7, 9];

/// What came into one slot between two snapshots.
pub struct Burst {
    pub second: u64,
    pub port: u16,
    pub volume: Volume,
    pub payload_bytes: u64,
    begins_epoch: bool,
    /// Gaps, and how many of each.
    gaps: Vec<(u64, u64)>,
    /// Counts that came with it; how many numbers that were lost before came late.
    pub sequence: Option<Sequence>,
    pub found: u64,
}

/// The kernel's side: what each slot has counted, what each hook has, and how that came.
pub struct World {
    pub random: Random,
    pub second: u64,
    pub slots: Vec<Option<FlowSample>>,
    hooks: Vec<InterfaceSample>,
    pub table: TableSample,
    pub bursts: Vec<Burst>,
    /// What came outside the flows: second, interface and volume.
    pub outside: Vec<(u64, u32, Volume)>,
}

impl World {
    pub fn new() -> World {
        let hook = |ifindex| InterfaceSample {
            ifindex,
            name: format!("veth{ifindex}"),
            state: LinkState::Up,
            ..InterfaceSample::default()
        };
        World {
            random: Random(7),
            second: 0,
            slots: vec![None; PORTS.len()],
            hooks: INTERFACES.map(hook).to_vec(),
            table: TableSample::default(),
            bursts: Vec::new(),
            outside: Vec::new(),
        }
    }

    fn burst(&mut self, port: u16) -> Burst {
        let random = &mut self.random;
        let mut gaps: Vec<(u64, u64)> = (0..random.below(4))
            .map(|_| (random.below(2 * SECOND), 1 + random.below(5)))
            .collect();
        if random.one_in(6) {
            // So many that the squares wrap now and then.
            gaps.push((1_900_000_000 + random.below(1000), 40_000));
        }
        let packets = 1 + gaps.iter().map(|(_, times)| times).sum::<u64>();
        let mut count = || random.below(5);
        let sequence = Sequence {
            current: Some(count() as u32),
            // No more duplicates than numbers.
            received: 4 + count(),
            lost: 3 * count(),
            reverse_errors: count(),
            small_errors: count(),
            big_errors: count(),
            duplicates: (port != BYTE_STREAM).then(&mut count),
            restarts: count(),
            absent: count(),
        };
        Burst {
            second: self.second,
            port,
            volume: Volume {
                packets,
                bytes: packets * 100 + random.below(100),
            },
            payload_bytes: packets * 50 + random.below(50),
            begins_epoch: random.one_in(9),
            gaps,
            sequence: (port != UNTRACKED).then_some(sequence),
            found: random.below(8),
        }
    }

    /// What the slot counts when a burst comes in.
    fn count(&mut self, slot: usize, burst: &mut Burst) -> FlowSample {
        let port = PORTS[slot];
        let before = self.slots[slot].unwrap_or_else(|| {
            let mut first = sample(slot as u32, 1, port, 0);
            first.key.ifindex = INTERFACES[usize::from(port) % 2];
            first.first_seen_ns = self.second * SECOND - slot as u64;
            first.counts.sequence = burst.sequence.map(|now| Sequence {
                duplicates: now.duplicates.map(|_| 0),
                ..Sequence::default()
            });
            first
        });
        let mut now = FlowSample {
            counts: Counts {
                packets: before.counts.packets + burst.volume.packets,
                bytes: before.counts.bytes + burst.volume.bytes,
                payload_bytes: before.counts.payload_bytes + burst.payload_bytes,
                ..before.counts
            },
            last_seen_ns: self.second * SECOND - slot as u64,
            ..before
        };
        if burst.begins_epoch {
            (now.epoch, now.gaps) = (before.epoch + 1, GapSums::default());
        }
        for (gap, times) in &burst.gaps {
            now.gaps = now.gaps.plus(GapSums {
                count: *times,
                sum: gap * times,
                squares: u128::from(*gap).pow(2) * u128::from(*times),
            });
        }
        if let (Some(known), Some(more)) = (&mut now.counts.sequence, &burst.sequence) {
            burst.found = burst.found.min(known.lost + more.lost);
            known.current = more.current;
            known.received += more.received;
            known.lost += more.lost;
            known.lost -= burst.found;
            known.reverse_errors += more.reverse_errors;
            known.small_errors += more.small_errors;
            known.big_errors += more.big_errors;
            known.duplicates = known.duplicates.map(|n| n + more.duplicates.unwrap_or(0));
            known.restarts += more.restarts;
            known.absent += more.absent;
        }
        self.slots[slot] = Some(now);
        now
    }

    /// A second goes by; most flows have bursts, and all pause now and then.
    pub fn pass(&mut self) -> Snapshot {
        self.second += 1;
        let mut flows = Vec::new();
        for (slot, port) in PORTS.into_iter().enumerate() {
            let pauses = self.second / 10 % 4 == u64::from(port) / 2;
            if pauses || self.random.one_in(3) {
                continue;
            }
            let mut burst = self.burst(port);
            flows.push(self.count(slot, &mut burst));
            self.bursts.push(burst);
        }
        for hook in &mut self.hooks {
            let mut more = || Volume {
                packets: self.random.below(10),
                bytes: self.random.below(1000),
            };
            let parts = [more(), more(), more(), more(), more()];
            hook.other += parts[0];
            hook.filtered += parts[1];
            hook.untracked += parts[2];
            hook.malformed[0] += parts[3];
            hook.malformed[8] += parts[4];
            let sum = parts.into_iter().fold(Volume::default(), |sum, v| sum + v);
            self.outside.push((self.second, hook.ifindex, sum));
        }
        self.table.counts.evicted += self.random.below(3);
        self.table.counts.insert_failures += self.random.below(3);
        self.table.counts.contended += self.random.below(3);
        self.table.tracked = self.slots.iter().flatten().count() as u64;
        Snapshot {
            taken_ns: self.second * SECOND,
            flows,
            interfaces: self.hooks.clone(),
            table: self.table,
            ..Snapshot::default()
        }
    }

    pub fn bursts_of(&self, port: u16, after: u64) -> impl Iterator<Item = &Burst> {
        let bursts = self.bursts.iter();
        bursts.filter(move |burst| burst.port == port && burst.second > after)
    }

    /// Numbers that went missing after this second, less those that came late, and numbers that came.
    pub fn numbers(&self, port: u16, after: u64) -> (f64, f64) {
        let mut numbers = (0.0, 0.0);
        for burst in self.bursts_of(port, after) {
            if let Some(sequence) = burst.sequence {
                numbers.0 += sequence.lost as f64 - burst.found as f64;
                numbers.1 += match sequence.duplicates {
                    Some(duplicates) => sequence.received as f64 - duplicates as f64,
                    None => burst.payload_bytes as f64,
                };
            }
        }
        numbers
    }

    /// Number, mean and deviation (ms) of the gaps that came after this second.
    pub fn interarrival(&self, port: u16, after: u64) -> (u64, Option<f64>, Option<f64>) {
        let mut gaps: Vec<(u64, u64)> = Vec::new();
        for burst in self.bursts_of(port, after) {
            if burst.begins_epoch {
                gaps.clear();
            }
            gaps.extend(&burst.gaps);
        }
        let sum = |of: &dyn Fn(f64) -> f64| -> f64 {
            let parts = gaps
                .iter()
                .map(|(gap, times)| of(*gap as f64 / 1e6) * *times as f64);
            parts.sum()
        };
        let n: u64 = gaps.iter().map(|(_, times)| times).sum();
        let mean = sum(&|gap| gap) / n as f64;
        let deviation = (sum(&|gap| (gap - mean).powi(2)) / (n as f64 - 1.0)).sqrt();
        (n, (n > 0).then_some(mean), (n > 1).then_some(deviation))
    }
}

/// The share of what was sent that is missing, percent. What comes late takes back losses, and no more.
pub fn share((lost, arrived): (f64, f64)) -> Option<f64> {
    let lost = f64::max(lost, 0.0);
    (lost + arrived > 0.0).then(|| lost / (lost + arrived) * 100.0)
}

pub fn volume_of<'a>(bursts: impl Iterator<Item = &'a Burst>) -> (Volume, u64) {
    bursts.fold(Default::default(), |(volume, payload), burst| {
        (volume + burst.volume, payload + burst.payload_bytes)
    })
}
