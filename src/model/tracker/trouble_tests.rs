//! Steady flows by chance, and changes that are planted in them: what is found, and what is not there.

use super::*;
use crate::model::counts::{Counts, GapSums, Sequence};
use crate::model::flow::FlowKey;
use crate::model::snapshot::{FlowSample, Snapshot};
use crate::model::tracker::{FlowTracker, Intervals, Watched};

const SECOND: u64 = 1_000_000_000;

/// Numbers by chance: xorshift64* (Vigna, An experimental exploration of Marsaglia's xorshift generators).
pub struct Dice(pub u64);

impl Dice {
    pub fn unit(&mut self) -> f64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Box and Muller: mean 0, deviation 1.
    fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.unit()).cos()
    }

    /// Mean 1.
    fn exponential(&mut self) -> f64 {
        -(1.0 - self.unit()).ln()
    }
}

/// How a sender behaves.
#[derive(Clone, Copy)]
pub struct Manner {
    /// Packets a second.
    pub rate: f64,
    /// Deviation of the gaps, in mean gaps; 1: gaps come as of a Poisson process.
    pub jitter: f64,
    /// Share of what is lost.
    pub loss: f64,
    /// Share of what is marked as having met congestion, where IP headers are looked at.
    pub marked: f64,
    /// Hop limits with which packets come, one by chance as often as the other; 0: IP headers are not looked at.
    pub ttl: [u8; 2],
}

/// Paced, and nothing is the matter with it.
pub const CALM: Manner = Manner {
    rate: 30.0,
    jitter: 0.1,
    loss: 0.0,
    marked: 0.0,
    ttl: [64, 64],
};

/// A sender and what the kernel counts of it.
struct Sender {
    sample: FlowSample,
    /// When its next packet comes, s.
    next: f64,
}

impl Sender {
    fn new(port: u16, dice: &mut Dice) -> Sender {
        let address = std::net::Ipv4Addr::new(10, 0, 0, 1);
        let key = FlowKey::incoming(1, Protocol::Udp, (address, port), (address, 1));
        let sequence = Some(Sequence {
            duplicates: Some(0),
            ..Sequence::default()
        });
        let counts = Counts {
            sequence,
            ..Counts::default()
        };
        let sample = FlowSample {
            counts,
            rules_version: 1,
            first_seen_ns: 1,
            ..FlowSample::new(port.into(), key)
        };
        Sender {
            sample,
            next: dice.unit(),
        }
    }

    /// Sends until this second is over.
    fn send(&mut self, until: f64, manner: Manner, dice: &mut Dice) {
        while self.next < until {
            if dice.unit() < manner.loss {
                self.sequence().lost += 1;
            } else {
                self.arrive();
                if manner.ttl != [0, 0] {
                    self.read_header(manner, dice);
                }
            }
            let gap = match manner.jitter {
                1.0.. => dice.exponential(),
                jitter => (1.0 + jitter * dice.normal()).max(0.0),
            };
            self.next += gap / manner.rate;
        }
    }

    fn arrive(&mut self) {
        let now_ns = (self.next * 1e9) as u64;
        let sample = &mut self.sample;
        let gap = now_ns - sample.last_seen_ns;
        if gap > 2 * SECOND {
            (sample.epoch, sample.gaps) = (sample.epoch + 1, GapSums::default());
        } else if sample.counts.packets > 0 {
            sample.gaps = sample.gaps.plus(GapSums {
                count: 1,
                sum: gap,
                squares: u128::from(gap).pow(2),
            });
        }
        sample.last_seen_ns = now_ns;
        sample.counts.packets += 1;
        sample.counts.bytes += 100;
        sample.counts.payload_bytes += 58;
        self.sequence().received += 1;
    }

    fn read_header(&mut self, manner: Manner, dice: &mut Dice) {
        let ip = self.sample.counts.ip.get_or_insert_default();
        let ttl = manner.ttl[usize::from(dice.unit() < 0.5)];
        let before = ip.ttl.replace(ttl);
        ip.ttl_changes += u64::from(before.is_some_and(|before| before != ttl));
        ip.ce += u64::from(dice.unit() < manner.marked);
    }

    fn sequence(&mut self) -> &mut Sequence {
        self.sample.counts.sequence.get_or_insert_default()
    }
}

/// Some flows and what the tracker says of them.
pub struct Run {
    dice: Dice,
    senders: Vec<Sender>,
    pub tracker: FlowTracker,
    second: u64,
}

impl Run {
    pub fn new(flows: u16, seed: u64) -> Run {
        let mut dice = Dice(seed);
        let senders = (0..flows)
            .map(|port| Sender::new(port, &mut dice))
            .collect();
        let intervals = Intervals {
            refresh_ns: SECOND,
            jitter_ns: SECOND,
        };
        Run {
            dice,
            senders,
            tracker: FlowTracker::new(intervals, 0),
            second: 0,
        }
    }

    /// An interval in which each flow is sent as `manner` says of its number; a rate of 0: it is not.
    pub fn pass(&mut self, manner: impl Fn(u16) -> Manner) {
        self.second += 1;
        let mut flows = Vec::new();
        for (port, sender) in (0..).zip(&mut self.senders) {
            let before = sender.sample.counts.packets;
            match manner(port) {
                manner if manner.rate > 0.0 => {
                    sender.send(self.second as f64, manner, &mut self.dice)
                }
                _ => sender.next = self.second as f64 + self.dice.unit(),
            }
            if sender.sample.counts.packets > before {
                flows.push(sender.sample);
            }
        }
        self.tracker.advance_and_close(&Snapshot {
            taken_ns: self.second * SECOND,
            flows,
            ..Snapshot::default()
        });
    }

    pub fn troubles(&self) -> impl Iterator<Item = (u16, &Trouble)> {
        let flows = self.tracker.report().flows.iter();
        flows.filter_map(|flow| Some((flow.key.source_port, flow.trouble()?)))
    }

    /// In which of so many seconds anything is the matter, where `manner` says of each how all flows are sent.
    pub fn seconds_of_trouble(&mut self, seconds: u64, manner: impl Fn(u64) -> Manner) -> Vec<u64> {
        let is_told = |second: &u64| {
            self.pass(|_| manner(*second));
            self.troubles().next().is_some()
        };
        (0..seconds).filter(is_told).collect()
    }
}

/// Of all kinds: slow and fast, paced and by chance, some with losses and marks, or on two ways, which is nothing new.
fn steady(port: u16) -> Manner {
    Manner {
        rate: [2.0, 4.0, 7.0, 10.0, 15.0][usize::from(port) % 5],
        jitter: [0.001, 0.05, 0.3, 1.0][usize::from(port / 5) % 4],
        loss: [0.0, 0.0, 0.001, 0.01, 0.05][usize::from(port / 20) % 5],
        marked: [0.0, 0.001, 0.01, 0.1][usize::from(port / 100) % 4],
        ttl: [64, if port.is_multiple_of(7) { 62 } else { 64 }],
    }
}

#[test]
fn a_thousand_steady_flows_are_in_no_trouble() {
    let is_long = std::env::var_os("FLOWTOP_LONG_TESTS").is_some();
    let mut run = Run::new(1000, 7);
    let mut alarms = Vec::new();
    let mut known = std::collections::HashSet::new();
    for _ in 0..if is_long { 3600 } else { 360 } {
        run.pass(steady);
        let now: std::collections::HashSet<u16> = run.troubles().map(|(port, _)| port).collect();
        let new = run.troubles().filter(|(port, _)| !known.contains(port));
        alarms.extend(new.map(|(port, trouble)| (run.second, port, trouble.words.clone())));
        known = now;
    }
    // At most one an hour.
    let (count, some) = (alarms.len(), alarms.iter().take(10).collect::<Vec<_>>());
    assert!(count <= usize::from(is_long), "{count}: {some:?}");
}

#[test]
fn changes_that_are_planted_are_found_within_three_intervals_and_in_words() {
    let before = |port: u16| Manner {
        rate: 30.0 + f64::from(port % 50),
        jitter: [0.02, 0.1, 0.2][usize::from(port) % 3],
        ..CALM
    };
    type Planted = (&'static str, fn(Manner) -> Manner);
    let changes: [Planted; 6] = [
        ("CE ", |before| Manner {
            marked: 0.2,
            ..before
        }),
        ("path changed: TTL 64 to 62", |before| Manner {
            ttl: [62, 62],
            ..before
        }),
        ("loss ", |before| Manner {
            loss: 0.15,
            ..before
        }),
        ("jitter ", |before| Manner {
            jitter: 5.0 * before.jitter,
            ..before
        }),
        ("rate fell to ", |before| Manner {
            rate: 0.2 * before.rate,
            ..before
        }),
        ("silent for ", |before| Manner {
            rate: 0.0,
            ..before
        }),
    ];
    for (words, change) in changes {
        let mut run = Run::new(200, 11);
        (0..60).for_each(|_| run.pass(before));
        assert_eq!(run.troubles().count(), 0);
        let mut found = std::collections::HashSet::new();
        for _ in 0..3 {
            run.pass(|port| change(before(port)));
            let told = run
                .troubles()
                .filter(|(_, trouble)| trouble.words.contains(words));
            found.extend(told.map(|(port, _)| port));
        }
        assert!(found.len() >= 190, "{words}: {} of 200", found.len());
        // As it was: nothing is the matter any more.
        (0..10).for_each(|_| run.pass(before));
        let left: Vec<_> = run.troubles().collect();
        assert!(left.is_empty(), "{words}: {left:?}");
    }
}

#[test]
fn what_came_once_or_stays_changed_is_in_no_trouble() {
    let paced = |rate| Manner { rate, ..CALM };
    let mut run = Run::new(2, 5);
    let mut lasted = 0;
    for second in 0..120 {
        run.pass(|port| match (port, second) {
            (0, 0) => paced(5.0),
            (0, _) => paced(0.0),
            (_, ..40) => paced(100.0),
            (_, _) => paced(10.0),
        });
        let now: Vec<_> = run.troubles().map(|(port, _)| port).collect();
        assert!(now.is_empty() || now == [1], "{now:?}");
        lasted += now.len();
    }
    assert!((25..=NEW_PAST).contains(&lasted), "{lasted} intervals");
}

const SILENT: [u8; 2] = [1, 0];

/// When a flow is in trouble whose packets have these hop limits in these seconds, or do not come.
fn told_of_path(ttl: impl Fn(u64) -> [u8; 2], seconds: u64) -> Vec<u64> {
    Run::new(1, 3).seconds_of_trouble(seconds, |second| {
        let ttl = ttl(second);
        let rate = if ttl == SILENT { 0.0 } else { CALM.rate };
        Manner { rate, ttl, ..CALM }
    })
}

#[test]
fn another_path_is_told_until_it_is_the_usual_one_or_none_is() {
    let stays = |second| if second < 30 { [64, 64] } else { [62, 62] };
    let told = told_of_path(stays, 120);
    assert_eq!(told, Vec::from_iter(30..30 + NEW_PAST as u64));
    let for_a_while = |second| match second {
        30..35 => [62, 62],
        _ => [64, 64],
    };
    assert_eq!(told_of_path(for_a_while, 120), Vec::from_iter(30..35));
    // Balanced over two ways from then on: none of them is another one.
    let two_ways = |second| if second < 30 { [64, 64] } else { [64, 62] };
    let told = told_of_path(two_ways, 120);
    assert!(
        told.len() < IN_A_ROW && told.iter().all(|at| *at < 33),
        "{told:?}"
    );
    // Too short for anything to be usual, and what is silent has no path meanwhile.
    let pauses = |second| match second {
        30.. => [62, 62],
        odd if odd % 2 == 1 => SILENT,
        _ => [64, 64],
    };
    assert_eq!(told_of_path(pauses, 40), [0; 0]);
    let soon = |second| if second < 10 { [64, 64] } else { [62, 62] };
    assert_eq!(told_of_path(soon, 120), [0; 0]);
}

#[test]
fn totals_that_begin_at_zero_are_no_change_of_the_path_and_no_marks() {
    let mut run = Run::new(1, 3);
    for second in 0..120 {
        let ttl = if second < 5 { [64, 62] } else { [64, 64] };
        let marked = if second < 5 { 0.9 } else { 0.0 };
        run.pass(|_| Manner {
            ttl,
            marked,
            ..CALM
        });
        if second > 20 && second % 7 == 0 {
            run.tracker.reset();
        }
        assert_eq!(run.troubles().count(), 0, "in second {second}");
    }
    // And what comes behind one is told like any other.
    run.pass(|_| Manner {
        ttl: [60, 60],
        ..CALM
    });
    let told: Vec<_> = run.troubles().map(|(_, trouble)| &trouble.words).collect();
    assert_eq!(told, ["path changed: TTL 64 to 60"]);
}

#[test]
fn where_ip_headers_are_not_looked_at_nothing_is_kept_of_them() {
    let mut run = Run::new(1, 3);
    let silent = Manner { rate: 0.0, ..CALM };
    for manner in [CALM; 40].into_iter().chain([silent; 10]) {
        run.pass(|_| Manner {
            ttl: [0, 0],
            ..manner
        });
        let flow = &run.tracker.report().flows[0];
        assert_eq!(flow.trouble().is_some(), flow.watched != Watched::default());
    }
    assert_eq!(run.troubles().count(), 1, "it has stopped");
}
