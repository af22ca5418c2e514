//! Rules that change while two CPUs send as fast as they can: every packet is counted once, by the old rules or by the
//! new ones.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use flowtop::model::flow::Protocol;
use flowtop::model::rule::{Rule, SequenceProfile};
use flowtop::model::snapshot::{FlowSample, Snapshot, Volume};
use flowtop::model::tracker::{FlowTracker, Intervals, Report};
use flowtop::probe::sys::monotonic_ns;
use flowtop::probe::{Options, Probe};

use super::support::clock;
use super::support::frames::{FrameSender, Udp};
use super::support::pair::{self, Pair, RECEIVER_LINK};
use super::{add, support};

/// Flows of a sender: to this port and the following.
const PORT: u16 = 5000;
const FLOWS: u16 = 4;
/// Where the payload is in a frame.
const PAYLOAD: usize = 14 + 20 + 8;
/// Each payload has the same number in so many words, the word's own place in its highest bits: a number that is read
/// in another place is far away.
const WORDS: u32 = 5;
const PLACE_SHIFT: u32 = 28;

fn rule(name: &str, port: u16, profile: Option<SequenceProfile>) -> Rule {
    Rule {
        name: name.into(),
        sources: vec![],
        destinations: vec![],
        source_ports: vec![],
        destination_ports: vec![port..=port],
        protocols: vec![],
        profile,
        histogram: false,
        export: 0,
    }
}

/// Numbers are in this word of the payload. No gap is a big one, unless numbers are of different places.
fn numbered(word: u16) -> SequenceProfile {
    SequenceProfile {
        offset: Some(4 * word),
        threshold: 1 << 27,
        ..SequenceProfile::OFF
    }
}

/// A sender on a CPU of its own.
#[derive(Clone, Copy)]
struct Traffic<'a> {
    sender: &'a FrameSender,
    cpu: usize,
    source_port: u16,
    /// The number of the next round of its flows: its own, or both senders'.
    next: &'a AtomicU32,
    stop: &'a AtomicBool,
}

impl Traffic<'_> {
    /// Sends until told to stop. Returns what was sent.
    fn run(self) -> Volume {
        clock::pin(self.cpu);
        let mut total = Volume::default();
        let mut frames: Vec<_> = (PORT..PORT + FLOWS)
            .map(|port| {
                let mut udp = Udp::to_port(port).with_payload(vec![0; 4 * WORDS as usize]);
                udp.source_port = self.source_port;
                udp.frame()
            })
            .collect();
        for round in 0u32.. {
            if self.stop.load(Ordering::Relaxed) {
                break;
            }
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            for frame in &mut frames {
                for (place, word) in (0..WORDS).zip(frame[PAYLOAD..].chunks_exact_mut(4)) {
                    word.copy_from_slice(&(place << PLACE_SHIFT | number).to_be_bytes());
                }
                self.sender.send(frame);
                add(&mut total, frame);
            }
            if round % 32 == 0 {
                clock::wait_for_backlog(200);
            }
        }
        total
    }
}

/// Flows and everything beside them on the one interface.
fn sum(report: &Report) -> Volume {
    let interface = &report.interfaces[0];
    let counted = &interface.counted;
    report
        .flows
        .iter()
        .map(|flow| flow.counts.volume())
        .chain([
            interface.ended.volume(),
            counted.other,
            counted.filtered,
            counted.untracked,
        ])
        .chain(counted.malformed)
        .fold(Volume::default(), |sum, part| sum + part)
}

/// A probe on the receiving end, and what is made of its readings.
struct Watch {
    probe: Probe,
    tracker: FlowTracker,
    read_at: u64,
    /// What was read last of each life of a slot that has numbers.
    lives: HashMap<(u32, u32), FlowSample>,
}

const REFRESH: Duration = Duration::from_millis(50);

impl Watch {
    /// Moves the thread into the receiver's namespace.
    fn start(pair: &Pair, rules: &[Rule], global: &SequenceProfile) -> Watch {
        pair.receiver.enter().expect("enter the namespace");
        let options = Options {
            max_flows: 64,
            refresh: REFRESH,
            ..Options::default()
        };
        let mut probe = Probe::load(&options).expect("load");
        probe.apply_rules(rules, global).expect("rules");
        let link = pair::link(&pair.receiver, RECEIVER_LINK);
        probe.attach(&link).expect("attach");
        let intervals = Intervals {
            refresh_ns: REFRESH.as_nanos() as u64,
            jitter_ns: 1_000_000_000,
        };
        Watch {
            probe,
            tracker: FlowTracker::new(intervals, monotonic_ns()),
            read_at: 0,
            lives: HashMap::new(),
        }
    }

    /// Puts other rules in force, and reads if it is time to.
    fn change(&mut self, rules: &[Rule], global: &SequenceProfile) {
        self.probe.apply_rules(rules, global).expect("other rules");
        if monotonic_ns() >= self.read_at + REFRESH.as_nanos() as u64 {
            self.read();
        }
    }

    fn read(&mut self) {
        self.read_at = monotonic_ns();
        let snapshot = self.probe.snapshot();
        self.take(&snapshot);
    }

    fn take(&mut self, snapshot: &Snapshot) {
        self.tracker.advance(snapshot);
        // Rules that exclude a flow take its numbers out of sight.
        for flow in snapshot
            .flows
            .iter()
            .filter(|f| f.counts.sequence.is_some())
        {
            self.lives.insert((flow.slot, flow.generation), *flow);
        }
    }

    /// Reads until flows have left.
    fn await_ended(&mut self) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while self.tracker.report().interfaces[0].ended.packets == 0 {
            assert!(Instant::now() < deadline, "no flow leaves");
            std::thread::sleep(REFRESH);
            self.read();
        }
    }

    fn finish(mut self) -> (Report, Vec<FlowSample>) {
        clock::wait_for_backlog(0);
        let last = self.probe.finish();
        self.take(&last);
        let report = self.tracker.report().clone();
        (report, self.lives.into_values().collect())
    }
}

/// What was sent, and what was counted.
struct Outcome {
    sent: Volume,
    report: Report,
    lives: Vec<FlowSample>,
}

/// Lets two CPUs send while `change` changes the rules; both send the same flows, or each its own.
fn under_traffic(
    same_flows: bool,
    rules: &[Rule],
    global: &SequenceProfile,
    change: impl FnOnce(&mut Watch) + Send,
) -> Outcome {
    let pair = Pair::quiet();
    let sender = FrameSender::on(&pair);
    let (stop, numbers) = (AtomicBool::new(false), [0, 0].map(AtomicU32::new));
    let cpus = clock::cpus();
    let (tell, told) = channel();
    let (tell_end, end) = channel();
    std::thread::scope(|scope| {
        let pair = &pair;
        let watch = scope.spawn(move || {
            let mut watch = Watch::start(pair, rules, global);
            tell.send("attached").expect("a listener");
            change(&mut watch);
            tell.send("changed").expect("a listener");
            end.recv().expect("the end of the traffic");
            watch.finish()
        });
        told.recv().expect("attached");
        let senders = [0, 1].map(|n| {
            let which = if same_flows { 0 } else { n };
            let traffic = Traffic {
                sender: &sender,
                cpu: cpus[n % cpus.len()],
                source_port: 40_000 + which as u16,
                next: &numbers[which],
                stop: &stop,
            };
            scope.spawn(move || traffic.run())
        });
        let changed = told.recv();
        stop.store(true, Ordering::Relaxed);
        let sent = senders.map(|thread| thread.join().expect("no panic"));
        changed.expect("changed");
        tell_end.send(()).expect("a listener");
        let (report, lives) = watch.join().expect("no panic");
        let sent = sent[0] + sent[1];
        Outcome {
            sent,
            report,
            lives,
        }
    })
}

/// Rules that take in different flows, and read their numbers in different places.
fn rule_sets() -> [Vec<Rule>; 4] {
    [
        vec![],
        vec![rule("a", 5000, Some(numbered(0)))],
        vec![rule("b", 5001, None), rule("a", 5000, None)],
        vec![rule("c", 5002, Some(numbered(1))), rule("d", 5003, None)],
    ]
}

#[test]
fn a_thousand_changes_of_the_rules_under_traffic_lose_no_packet() {
    if !support::root() {
        return;
    }
    let sets = rule_sets();
    let off = SequenceProfile::OFF;
    let Outcome {
        sent,
        report,
        lives,
    } = under_traffic(false, &[], &off, |watch| {
        for set in sets.iter().cycle().take(1000) {
            watch.change(set, &off);
        }
        // All of these flows leave, however long they were excluded at a time until now.
        watch.change(&[rule("none", 1, None)], &off);
        watch.await_ended();
    });
    let interface = &report.interfaces[0];
    println!("{} packets, {interface:#?}", sent.packets);
    assert_eq!(interface.counted.seen, sent);
    assert_eq!(sum(&report), sent);
    assert!(interface.counted.filtered.packets > 0, "{interface:?}");
    assert!(interface.ended.packets > 0, "{interface:?}");
    for life in &lives {
        let sequence = life.counts.sequence.expect("numbers");
        let errors = (
            sequence.lost,
            sequence.reverse_errors,
            sequence.restarts,
            sequence.absent,
        );
        assert_eq!(errors, (0, 0, 0, 0), "{life:?}");
    }
}

/// Two sets that take in every packet, each by other rules: what is half of one and half of the other takes in none.
/// Two flows have their numbers in another place; two have other rules only. What is in no rule has another place, too.
fn opposite_sets() -> [Vec<Rule>; 2] {
    let tcp_only = |n: u16| Rule {
        protocols: vec![Protocol::Tcp],
        ..rule(&format!("tcp {n}"), PORT, Some(numbered(4)))
    };
    let set = |prefix: &str, words: [u16; 4]| {
        (0..FLOWS)
            .map(|n| Rule {
                sources: vec![prefix.parse().expect("a prefix")],
                ..rule(
                    &format!("{n}"),
                    PORT + n,
                    Some(numbered(words[usize::from(n)])),
                )
            })
            .collect::<Vec<_>>()
    };
    let first = set("10.0.0.0/24", [0, 1, 2, 3]);
    let second = set("10.0.0.2/32", [1, 0, 2, 3]);
    [first, (0..FLOWS).map(tcp_only).chain(second).collect()]
}

#[test]
fn a_packet_is_judged_by_the_old_rules_or_the_new_ones_and_never_by_both() {
    if !support::root() {
        return;
    }
    let sets = opposite_sets();
    let global = numbered(4);
    let Outcome {
        sent,
        report,
        lives,
    } = under_traffic(true, &sets[0], &global, |watch| {
        for set in sets.iter().cycle().skip(1).take(500) {
            watch.change(set, &global);
            watch.read();
        }
    });
    let interface = &report.interfaces[0];
    println!("{} packets, {} lives", sent.packets, lives.len());
    assert_eq!(interface.counted.seen, sent);
    assert_eq!(sum(&report), sent);
    assert_eq!(interface.counted.filtered, Volume::default());
    assert!(lives.len() > 100, "{}", lives.len());
    for life in &lives {
        let rule = u16::from(life.rule.expect("a rule"));
        let flow = life.key.destination_port - PORT;
        assert_eq!(rule % FLOWS, flow, "{life:?}");
        let sequence = life.counts.sequence.expect("numbers");
        let place = match flow {
            0 | 1 => flow ^ (rule / FLOWS),
            other => other,
        };
        let current = sequence.current.expect("a number");
        assert_eq!(current >> PLACE_SHIFT, u32::from(place), "{life:?}");
        let strange = (sequence.big_errors, sequence.restarts, sequence.absent);
        assert_eq!(strange, (0, 0, 0), "{life:?}");
    }
}
