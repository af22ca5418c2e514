//! Many flows from two CPUs at once in a small table, and rules that change under traffic: nothing is counted twice and
//! nothing is lost.

#[path = "netns_stress/rules.rs"]
mod rules;
mod support;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use flowtop::model::snapshot::Volume;
use serde_json::Value;
use support::clock;
use support::frames::{FrameSender, Udp};
use support::pair::{Pair, RECEIVER_LINK};
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
        let all = usize::from(2 * OWN + SHARED);
        let is_decided = |record: &Value| {
            let untracked = &program::interface(record, RECEIVER_LINK)["untracked"];
            lasting_flows(record).len() == all || volume(untracked).0 > 0
        };
        // Whoever waits for a record without a packet may be replaced.
        let record = std::thread::scope(|scope| {
            let record = scope.spawn(|| run.until("the lasting flows", is_decided).clone());
            while !record.is_finished() {
                storms.iter_mut().for_each(Storm::keep_lasting);
                std::thread::sleep(Duration::from_millis(50));
            }
            record.join().expect("a record")
        });
        if lasting_flows(&record).len() == all {
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
