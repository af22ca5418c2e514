//! Many flows from two CPUs at once in a small table, and rules that change under traffic: nothing is counted twice and
//! nothing is lost.

mod support;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::time::Duration;

use flowtop::model::rule::{Rule, SequenceProfile};
use flowtop::model::snapshot::Volume;
use flowtop::model::tracker::{FlowTracker, Intervals, Report};
use flowtop::probe::sys::monotonic_ns;
use flowtop::probe::{Options, Probe};
use serde_json::Value;
use support::clock;
use support::frames::{FrameSender, Udp};
use support::pair::{self, Pair, RECEIVER_LINK};
use support::program::{self, Flowtop, flows, number, volume};

/// 64 slots; numbers at the start of payloads; a flow may be replaced two seconds after its last packet.
const ARGUMENTS: [&str; 6] = ["-i", RECEIVER_LINK, "-t", "1", "--max-flows", "32"];
const NUMBERED: &str = r#"{"PATTERN": "0xFFFFFFFF", "OFFSET": 0}"#;

/// Short flows of each of the two senders.
const SHORT_FLOWS: u32 = 50_000;
/// Packets of short flows between two rounds of the lasting ones.
const BURST: usize = 50;
const SHORT: u16 = 20_000;
/// To this port and the following go the lasting flows: these many of each sender, and these many of both.
const LASTING: u16 = 10_000;
const OWN: u16 = 8;
const SHARED: u16 = 4;

fn add(total: &mut Volume, frame: &[u8]) {
    *total += Volume {
        packets: 1,
        bytes: frame.len() as u64,
    };
}

/// One of two senders, on a CPU of its own.
struct Storm<'a> {
    sender: &'a FrameSender,
    which: u16,
    /// Rounds of lasting flows so far.
    rounds: u32,
    /// When the latest of them began, and the longest time between two, ns.
    latest: u64,
    longest_pause: u64,
    total: Volume,
}

impl Storm<'_> {
    fn send(&mut self, frame: &[u8]) {
        self.sender.send(frame);
        add(&mut self.total, frame);
    }

    /// A numbered packet of each lasting flow.
    fn keep_lasting(&mut self) {
        let began = clock::now_ns();
        if self.rounds > 0 {
            self.longest_pause = self.longest_pause.max(began - self.latest);
        }
        self.latest = began;
        let own = LASTING + OWN * self.which;
        let shared = LASTING + 2 * OWN;
        for port in (own..own + OWN).chain(shared..shared + SHARED) {
            self.send(&lasting(port).with_number(self.rounds, 0, 64).frame());
        }
        self.rounds += 1;
    }

    /// All short flows, of one, two or three packets each. Lasting flows last until the other sender has finished, too.
    fn run(&mut self, running: &AtomicUsize) {
        let mut pacer = clock::Pacer::start();
        let mut since_round = BURST;
        for flow in 0..SHORT_FLOWS {
            let mut udp = Udp::to_port(SHORT + 2 * (flow >> 15) as u16 + self.which);
            udp.source_port = (flow & 0x7fff) as u16;
            let frame = udp.with_payload(vec![0; (flow % 100) as usize]).frame();
            for _ in 0..=flow % 3 {
                self.send(&frame);
                since_round += 1;
            }
            if since_round >= BURST {
                since_round = 0;
                clock::wait_for_backlog(200);
                self.keep_lasting();
                pacer.wait(Duration::from_millis(2));
            }
        }
        running.fetch_sub(1, Ordering::Relaxed);
        while running.load(Ordering::Relaxed) > 0 {
            clock::wait_for_backlog(200);
            self.keep_lasting();
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

fn lasting(port: u16) -> Udp {
    Udp::to_port(port)
}

fn lasting_flows(record: &Value) -> Vec<&Value> {
    let is_lasting = |flow: &&Value| number(&flow["destination_port"]) < u64::from(SHORT);
    flows(record).filter(is_lasting).collect()
}

/// A run whose table holds the lasting flows, and what was sent so far. Should too many of them share a part of the
/// table, another run shares it out in another way.
fn start_with_lasting(pair: &Pair, storms: &mut [Storm; 2]) -> Flowtop {
    for _ in 0..5 {
        for storm in storms.iter_mut() {
            (storm.rounds, storm.longest_pause) = (0, 0);
            storm.total = Volume::default();
        }
        let mut run = Flowtop::start(&pair.receiver, NUMBERED, &ARGUMENTS);
        storms.iter_mut().for_each(Storm::keep_lasting);
        let packets = 2 * u64::from(OWN + SHARED);
        let record = run.until("the lasting flows", |record| {
            volume(program::interface(record, RECEIVER_LINK)).0 >= packets
        });
        if lasting_flows(record).len() == usize::from(2 * OWN + SHARED) {
            return run;
        }
    }
    panic!("the table does not hold {} flows", 2 * OWN + SHARED);
}

fn assert_lasting(record: &Value, rounds: [u32; 2]) {
    let found = lasting_flows(record);
    assert_eq!(found.len(), usize::from(2 * OWN + SHARED));
    for flow in found {
        let place = number(&flow["destination_port"]) as u16 - LASTING;
        let packets = match place / OWN {
            which @ (0 | 1) => rounds[usize::from(which)],
            _ => rounds[0] + rounds[1],
        };
        let packets = u64::from(packets);
        assert_eq!(volume(flow), (packets, packets * (14 + 28 + 64)), "{flow}");
        assert_eq!(number(&flow["payload_bytes"]), packets * 64, "{flow}");
        if place < 2 * OWN {
            let sequence = &flow["sequence"];
            assert_eq!(number(&sequence["current"]), packets - 1, "{flow}");
            assert_eq!(
                (&sequence["lost"], &sequence["duplicates"]),
                (&0.into(), &0.into())
            );
        }
    }
}

#[test]
fn a_storm_of_short_flows_loses_no_packet_and_leaves_lasting_flows_exact() {
    if !support::root() {
        return;
    }
    let pair = Pair::quiet();
    let sender = FrameSender::on(&pair);
    let mut storms = [0, 1].map(|which| Storm {
        sender: &sender,
        which,
        rounds: 0,
        latest: 0,
        longest_pause: 0,
        total: Volume::default(),
    });
    let mut run = start_with_lasting(&pair, &mut storms);
    let (cpus, running) = (clock::cpus(), &AtomicUsize::new(2));
    std::thread::scope(|scope| {
        for (storm, cpu) in storms.iter_mut().zip(cpus.iter().cycle()) {
            scope.spawn(move || {
                clock::pin(*cpu);
                storm.run(running);
            });
        }
    });
    let sent = storms[0].total + storms[1].total;
    run.settle(sent.packets);
    let record = run.last_record();
    let interface = program::interface(&record, RECEIVER_LINK);
    assert_eq!(volume(interface), (sent.packets, sent.bytes));
    let pause = storms.iter().map(|storm| storm.longest_pause).max();
    assert!(
        pause < Some(1_900_000_000),
        "the machine stood still: {pause:?} ns"
    );
    assert_lasting(&record, storms.map(|storm| storm.rounds));
    let kernel = &record["kernel"];
    assert!(number(&kernel["flows_evicted"]) > 0, "{kernel}");
    assert!(number(&interface["ended"]["packets"]) > 0, "{interface}");
    assert!(
        number(&interface["untracked"]["packets"]) > 0,
        "{interface}"
    );
    assert_eq!(kernel["insert_failures"], interface["untracked"]["packets"]);
}

#[test]
fn what_no_rule_matches_is_filtered_and_counted() {
    if !support::root() {
        return;
    }
    let pair = Pair::quiet();
    let config = r#"{"RULES": {"one": "10.0.0.0/24 10.0.0.1 - [5000,5002] UDP"}}"#;
    let mut run = Flowtop::watch(&pair, config);
    let sender = FrameSender::on(&pair);
    let frames: Vec<_> = (5000..5004)
        .flat_map(|port| vec![Udp::to_port(port).with_payload(vec![0; 58]).frame(); 25])
        .collect();
    sender.send_in_step(frames.iter().map(Vec::as_slice));
    run.settle(100);
    let record = run.last_record();
    let interface = program::interface(&record, RECEIVER_LINK);
    assert_eq!(volume(&interface["filtered"]), (50, 5000));
    for port in [5000, 5002] {
        let flow = program::flow_to(&record, "udp", port);
        assert_eq!((volume(flow), &flow["rule"]), ((25, 2500), &"one".into()));
    }
    assert_eq!(flows(&record).count(), 2);
}

fn rule(name: &str, port: u16, profile: Option<SequenceProfile>) -> Rule {
    Rule {
        name: name.into(),
        sources: vec![],
        destinations: vec![],
        source_ports: vec![],
        destination_ports: vec![port..=port],
        protocols: vec![],
        profile,
    }
}

/// Rules that take in different flows, and read their numbers in different places.
fn rule_sets() -> [Vec<Rule>; 4] {
    let numbered = SequenceProfile {
        offset: Some(0),
        ..SequenceProfile::OFF
    };
    [
        vec![],
        vec![rule("a", 5000, Some(numbered))],
        vec![rule("b", 5001, None), rule("a", 5000, None)],
        vec![rule("c", 5002, Some(numbered)), rule("d", 5003, None)],
    ]
}

/// Sends four flows from one CPU until told to stop. Returns what was sent.
fn send_until(sender: &FrameSender, cpu: usize, stop: &AtomicBool) -> Volume {
    clock::pin(cpu);
    let mut total = Volume::default();
    let mut pacer = clock::Pacer::start();
    for number in 0.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        for port in 5000..5004 {
            let frame = Udp::to_port(port).with_number(number, 0, 20).frame();
            sender.send(&frame);
            add(&mut total, &frame);
        }
        if number % 8 == 0 {
            clock::wait_for_backlog(200);
        }
        pacer.wait(Duration::from_micros(100));
    }
    total
}

/// Flows and everything beside them on the one interface.
fn sum(report: &Report) -> Volume {
    let interface = &report.interfaces[0];
    let counted = &interface.counted;
    report
        .flows
        .iter()
        .map(|flow| flow.volume)
        .chain([
            interface.ended,
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
}

const REFRESH: Duration = Duration::from_millis(50);

impl Watch {
    /// Moves the thread into the receiver's namespace.
    fn start(pair: &Pair) -> Watch {
        pair.receiver.enter().expect("enter the namespace");
        let options = Options {
            max_flows: 64,
            refresh: REFRESH,
            ..Options::default()
        };
        let mut probe = Probe::load(&options).expect("load");
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
        }
    }

    /// Puts other rules in force so many times, and reads whenever it is time to.
    fn change_rules(&mut self, times: usize) {
        for set in rule_sets().iter().cycle().take(times) {
            let changed = self.probe.apply_rules(set, &SequenceProfile::OFF);
            changed.expect("other rules");
            if monotonic_ns() >= self.read_at + REFRESH.as_nanos() as u64 {
                self.read_at = monotonic_ns();
                self.tracker.advance(&self.probe.snapshot());
            }
        }
    }

    fn finish(mut self) -> Report {
        clock::wait_for_backlog(0);
        self.tracker.advance(&self.probe.finish());
        self.tracker.report().clone()
    }
}

/// Changes the rules so many times while two CPUs send. Returns what was sent and what was counted.
fn change_rules_under_traffic(pair: &Pair, times: usize) -> (Volume, Report) {
    let sender = FrameSender::on(pair);
    let stop = AtomicBool::new(false);
    let cpus = clock::cpus();
    let (tell, told) = channel();
    let (tell_end, end) = channel();
    std::thread::scope(|scope| {
        let watch = scope.spawn(move || {
            let mut watch = Watch::start(pair);
            tell.send("attached").expect("a listener");
            watch.change_rules(times);
            tell.send("changed").expect("a listener");
            end.recv().expect("the end of the traffic");
            watch.finish()
        });
        told.recv().expect("attached");
        let senders = [0, 1].map(|n| {
            let (sender, stop, cpu) = (&sender, &stop, cpus[n % cpus.len()]);
            scope.spawn(move || send_until(sender, cpu, stop))
        });
        let changed = told.recv();
        stop.store(true, Ordering::Relaxed);
        let sent = senders.map(|thread| thread.join().expect("no panic"));
        changed.expect("changed");
        tell_end.send(()).expect("a listener");
        (sent[0] + sent[1], watch.join().expect("no panic"))
    })
}

#[test]
fn hundreds_of_changes_of_the_rules_under_traffic_lose_no_packet() {
    if !support::root() {
        return;
    }
    let pair = Pair::quiet();
    let (sent, report) = change_rules_under_traffic(&pair, 250);
    let interface = &report.interfaces[0];
    println!("{} packets, {interface:#?}", sent.packets);
    assert_eq!(interface.counted.seen, sent);
    assert_eq!(sum(&report), sent);
    assert!(interface.counted.filtered.packets > 0, "{interface:?}");
    assert!(interface.ended.packets > 0, "{interface:?}");
}
