//! The program on a veth pair: sequence numbers of a script, and what is to be made of them, worked out by hand.

#[path = "netns_sequence/cases.rs"]
mod cases;
mod support;

use cases::{Case, Expected};
use serde_json::Value;
use support::frames::{FrameSender, Udp};
use support::pair::{Pair, RECEIVER_LINK, SENDER_LINK};
use support::program::{self, Flowtop, number};

/// Numbers at the start, behind a pattern, at a distance from a pattern, and far away.
const CONFIG: &str = r#"{
  "RULES": {
    "start": {"match": "- - - 6000-6099 UDP", "OFFSET": 0},
    "behind": {"match": "- - - 6100-6199 UDP", "PATTERN": "0xCAFEF00D", "OFFSET": 4},
    "far": {"match": "- - - 6200-6299 UDP", "PATTERN": "0xCAFEF00D", "OFFSET": 3000},
    "none": {"match": "- - - 6300-6399 UDP", "PATTERN": "0xCAFEF00D", "OFFSET": -1},
    "strict": {"match": "- - - 6400-6499 UDP", "OFFSET": 1, "SEQUENCE_THRESHOLD": 2}
  }
}"#;

fn found(flow: &Value) -> Expected {
    let sequence = &flow["sequence"];
    let of = |name: &str| number(&sequence[name]);
    Expected {
        current: sequence["current"].as_u64().map(|n| n as u32),
        received: of("received"),
        lost: of("lost"),
        small: of("small_errors"),
        big: of("big_errors"),
        reverse: of("reverse_errors"),
        reordered: of("reordered"),
        duplicates: of("duplicates"),
        restarts: of("restarts"),
        absent: of("absent"),
    }
}

fn loss_percent(expected: &Expected) -> Option<f64> {
    let sent = expected.lost + expected.received - expected.duplicates;
    (sent > 0).then(|| 100.0 * expected.lost as f64 / sent as f64)
}

/// A pair whose links take jumbo frames.
fn jumbo_pair() -> Pair {
    let pair = Pair::quiet();
    for (namespace, link) in [(&pair.sender, SENDER_LINK), (&pair.receiver, RECEIVER_LINK)] {
        support::run(namespace, "ip", &["link", "set", link, "mtu", "9000"]);
    }
    pair
}

fn frames_of(case: &Case, port: u16) -> Vec<Vec<u8>> {
    let payloads = case.payloads.iter();
    payloads
        .map(|payload| Udp::to_port(port).with_payload(payload.clone()).frame())
        .collect()
}

fn judge(cases: &[Case], record: &Value) {
    for case in cases {
        let flow = program::flow_to(record, "udp", case.port);
        let name = case.name;
        assert_eq!(found(flow), case.expected, "{name}");
        assert_eq!(
            number(&flow["packets"]),
            case.payloads.len() as u64,
            "{name}"
        );
        let percent = flow["sequence"]["loss_percent"].as_f64();
        match (percent, loss_percent(&case.expected)) {
            (None, None) => {}
            (Some(found), Some(expected)) => assert!((found - expected).abs() < 1e-9, "{name}"),
            (found, expected) => panic!("{name}: {found:?}, not {expected:?}"),
        }
    }
}

/// Sends the frames of all cases, which `turns` puts in order, and judges what came of them.
fn judge_scripts(turns: impl Fn(Vec<Vec<Vec<u8>>>) -> Vec<Vec<Vec<u8>>>) {
    if !support::root() {
        return;
    }
    let pair = jumbo_pair();
    let mut run = Flowtop::watch(&pair, CONFIG);
    let cases = cases::all();
    let sender = FrameSender::on(&pair);
    let scripts = cases.iter().map(|case| frames_of(case, case.port));
    for turn in turns(scripts.collect()) {
        sender.send_in_step(turn.iter().map(Vec::as_slice));
    }
    run.settle(cases.iter().map(|case| case.payloads.len() as u64).sum());
    judge(&cases, &run.last_record());
}

#[test]
fn every_script_of_numbers_is_judged_as_by_hand() {
    judge_scripts(|scripts| scripts);
}

#[test]
fn scripts_interleaved_packet_by_packet_are_judged_the_same() {
    judge_scripts(|scripts| {
        let longest = scripts.iter().map(Vec::len).max().unwrap_or(0);
        let turn = |at| scripts.iter().filter_map(move |s| s.get(at)).cloned();
        (0..longest).map(|at| turn(at).collect()).collect()
    });
}

#[test]
fn echo_requests_are_tracked_by_their_own_number_of_16_bits() {
    if !support::root() {
        return;
    }
    let pair = Pair::quiet();
    let mut run = Flowtop::watch(&pair, "{}");
    // One is missing across the wrap, one comes twice, one comes late.
    let numbers = [65533u16, 65534, 0, 1, 1, 4, 3];
    let sender = FrameSender::on(&pair);
    for number in numbers {
        let message = support::craft::icmp(8, 0, 5, number, &[7; 8]);
        sender.send(&support::craft::ethernet(
            support::craft::IPV4,
            &support::craft::v4(1, &message),
        ));
    }
    run.settle(7);
    let record = run.last_record();
    let expected = Expected {
        current: Some(4),
        received: 7,
        lost: 2,
        small: 2,
        reverse: 1,
        reordered: 1,
        duplicates: 1,
        ..Expected::default()
    };
    assert_eq!(found(program::flow_to(&record, "icmp", 0x800)), expected);
}
