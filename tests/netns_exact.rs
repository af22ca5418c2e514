//! The program on a veth pair: every frame of a script is counted once, in the right place, to the byte.

#[path = "netns_exact/beside.rs"]
mod beside;
#[path = "netns_exact/script.rs"]
mod script;
mod support;

use std::collections::BTreeMap;

use script::{Place, Step};
use serde_json::Value;
use support::frames::FrameSender;
use support::pair::{Pair, RECEIVER_LINK};
use support::program::{self, Flowtop, number, volume};

/// Packets, bytes and payload bytes.
type Counts = (u64, u64, u64);

/// What the sender wrote down: counts by place.
#[derive(Default)]
struct Log(BTreeMap<Place, Counts>);

impl Log {
    fn add(&mut self, step: &Step) {
        let counts = self.0.entry(step.place).or_default();
        counts.0 += 1;
        counts.1 += step.frame.len() as u64;
        counts.2 += step.payload_bytes;
    }

    fn sum(&self, wanted: impl Fn(&Place) -> bool) -> (u64, u64) {
        let found = self.0.iter().filter(|(place, _)| wanted(place));
        found.fold((0, 0), |sum, (_, counts)| {
            (sum.0 + counts.0, sum.1 + counts.1)
        })
    }

    fn flows(&self) -> BTreeMap<Place, Counts> {
        let is_flow = |place: &Place| matches!(place, Place::Flow { .. });
        let flows = self.0.iter().filter(|(place, _)| is_flow(place));
        flows.map(|(place, counts)| (*place, *counts)).collect()
    }
}

/// The flows of a record, as the log knows them.
fn counted_flows(record: &Value) -> BTreeMap<Place, Counts> {
    let entry = |flow: &Value| {
        let (packets, bytes) = volume(flow);
        let place = Place::Flow {
            protocol: script::protocol(flow["protocol"].as_str().expect("a protocol")),
            v6: flow["source"] == "fd00::2",
            vlan: flow["vlan"].as_u64().map(|vlan| vlan as u16),
            ports: (
                number(&flow["source_port"]) as u16,
                number(&flow["destination_port"]) as u16,
            ),
        };
        (place, (packets, bytes, number(&flow["payload_bytes"])))
    };
    program::flows(record).map(entry).collect()
}

/// Sends every step of the script, some more often than others. Returns what was sent.
fn send_script(pair: &Pair, rounds: usize) -> Log {
    let sender = FrameSender::on(pair);
    let script = script::steps();
    let mut log = Log::default();
    for round in 0..rounds {
        let steps = script.iter().enumerate();
        let due = steps.filter(|(number, _)| round <= number % rounds);
        let due: Vec<&Step> = due.map(|(_, step)| step).collect();
        sender.send_in_step(due.iter().map(|step| step.frame.as_slice()));
        due.into_iter().for_each(|step| log.add(step));
    }
    log
}

#[test]
fn every_frame_of_a_script_is_counted_once_in_its_place() {
    if !support::root() {
        return;
    }
    let pair = Pair::quiet();
    let mut run = Flowtop::watch(&pair, "{}");
    let log = send_script(&pair, 5);
    let sent = log.sum(|_| true);
    run.settle(sent.0);
    let record = run.last_record();
    let device = pair.received();
    assert_eq!((device.received_packets, device.received_bytes), sent);
    let interface = program::interface(&record, RECEIVER_LINK);
    assert_eq!(volume(interface), sent);
    assert_eq!(counted_flows(&record), log.flows());
    assert_eq!(volume(&interface["other"]), log.sum(|p| *p == Place::Other));
    let malformed = |p: &Place| matches!(p, Place::Malformed(_));
    assert_eq!(volume(&interface["malformed"]), log.sum(malformed));
    for (reason, packets) in interface["malformed"]["reasons"]
        .as_object()
        .expect("reasons")
    {
        let expected = log.sum(|place| matches!(place, Place::Malformed(r) if r == reason));
        assert_eq!(number(packets), expected.0, "{reason}");
    }
    let known = interface["malformed"]["reasons"]
        .as_object()
        .map(|r| r.len());
    assert_eq!(known, Some(9), "every reason came up");
    assert_eq!(number(&interface["flows"]), log.flows().len() as u64);
}

#[test]
fn frames_of_every_length_are_counted_to_the_byte() {
    if !support::root() {
        return;
    }
    let pair = Pair::quiet();
    let mut run = Flowtop::watch(&pair, "{}");
    let lengths = 0..=1472;
    let frames: Vec<Vec<u8>> = lengths
        .map(|length| {
            let udp = support::frames::Udp::to_port(5000);
            udp.with_payload(vec![0x5a; length]).frame()
        })
        .collect();
    let sender = FrameSender::on(&pair);
    sender.send_in_step(frames.iter().map(Vec::as_slice));
    run.settle(frames.len() as u64);
    let record = run.last_record();
    let flow = program::flow_to(&record, "udp", 5000);
    let bytes = frames.iter().map(|frame| frame.len() as u64).sum();
    assert_eq!(volume(flow), (1473, bytes));
    assert_eq!(number(&flow["payload_bytes"]), 1472 * 1473 / 2);
    assert_eq!(pair.received().received_bytes, bytes);
}

#[test]
fn an_aggregate_counts_as_the_segments_it_stands_for() {
    if !support::root() {
        return;
    }
    let pair = Pair::quiet();
    let mut run = Flowtop::watch(&pair, "{}");
    let sender = FrameSender::on(&pair);
    let (mut packets, mut payload_bytes) = (0, 0);
    for (v6, size, payload) in [
        (false, 1400, 14_000),
        (false, 1000, 4001),
        (true, 536, 1072),
    ] {
        let segment = support::craft::tcp((7, 80 + u16::from(v6)), 1, 0x18, &[], &vec![0; payload]);
        let (frame, headers) = match v6 {
            false => (script::over_v4(6, &segment), 54),
            true => (script::over_v6(6, &segment), 74),
        };
        sender.send_aggregate(&frame, v6, headers, size);
        packets += payload.div_ceil(usize::from(size)) as u64;
        payload_bytes += payload as u64;
    }
    assert_eq!(packets, 10 + 5 + 2);
    run.settle(packets);
    let record = run.last_record();
    assert_eq!(pair.received().received_packets, 3, "three buffers");
    let total: u64 = program::flows(&record)
        .map(|f| number(&f["payload_bytes"]))
        .sum();
    assert_eq!(total, payload_bytes);
    let bytes = payload_bytes + 15 * 54 + 2 * 74;
    assert_eq!(
        volume(program::interface(&record, RECEIVER_LINK)),
        (packets, bytes)
    );
}
