//! The program on a veth pair: gaps between arrivals, against tcpdump's timestamps on the same interface; and a sender
//! that is moved from CPU to CPU.

#[path = "netns_jitter/capture.rs"]
mod capture;
mod support;

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use capture::{Arrival, Capture};
use serde_json::Value;
use support::clock;
use support::craft::{self, IPV4, ethernet, v4};
use support::frames::{FrameSender, Udp};
use support::pair::{Pair, RECEIVER_LINK};
use support::program::{self, Flowtop, number};

/// These tests want the machine for themselves.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// A jitter window longer than the test, and numbers at the start of payloads.
const ARGUMENTS: [&str; 6] = ["-i", RECEIVER_LINK, "-t", "0.2", "-j", "100"];
const NUMBERED: &str = r#"{"PATTERN": "0xFFFFFFFF", "OFFSET": 0}"#;

const PACED: u16 = 5001;
const JITTERED: u16 = 5002;
const BURSTS: u16 = 5003;
const PAUSED: u16 = 5004;
const MOVED: u16 = 5005;

fn micros(micros: u64) -> Duration {
    Duration::from_micros(micros)
}

/// The same numbers on each run, evenly spread below `limit`.
fn scattered(limit: u64) -> impl Iterator<Item = u64> {
    let step = |state: &u64| Some(state.wrapping_mul(6364136223846793005).wrapping_add(1));
    std::iter::successors(Some(42u64), step).map(move |state| (state >> 33) % limit)
}

/// Sends a packet to the port, then waits, for each of the gaps.
fn send(sender: &FrameSender, port: u16, gaps: impl Iterator<Item = Duration>) {
    let frame = Udp::to_port(port).with_number(0, 0, 200).frame();
    let script: Vec<_> = gaps.map(|gap| (frame.as_slice(), gap)).collect();
    sender.send_with_gaps(script);
}

/// Mean and sample standard deviation of the gaps, ms.
fn statistics(arrivals: &[Arrival]) -> (f64, f64) {
    let gaps: Vec<f64> = arrivals
        .windows(2)
        .map(|pair| (pair[1].from as f64 - pair[0].from as f64) / 1e6)
        .collect();
    let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
    let squares = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>();
    (mean, (squares / (gaps.len() - 1) as f64).sqrt())
}

/// How far mean and standard deviation may be from those by the stamps before the hook, ms. Each arrival may be later by
/// what lies between its two stamps, each gap differ by the more of those of its ends; and the deviation of a sum is at
/// most the sum of the deviations.
fn room(arrivals: &[Arrival]) -> (f64, f64) {
    let late = |arrival: &Arrival| (arrival.to - arrival.from) as f64 / 1e6;
    let gaps = (arrivals.len() - 1) as f64;
    let ends = late(&arrivals[0]).max(late(&arrivals[arrivals.len() - 1]));
    let squares = arrivals
        .windows(2)
        .map(|pair| late(&pair[0]).max(late(&pair[1])).powi(2))
        .sum::<f64>();
    (ends / gaps, (squares / (gaps - 1.0)).sqrt())
}

/// The same gaps, mean and standard deviation, but for what cannot be known between two stamps.
fn assert_like(flow: &Value, arrivals: &[Arrival], what: &str) {
    let (mean, deviation) = statistics(arrivals);
    let (room_of_mean, room) = room(arrivals);
    let found_mean = flow["interarrival_mean_ms"].as_f64().expect("a mean");
    let found_deviation = flow["jitter_ms"].as_f64().expect("a deviation");
    println!(
        "{what}: mean {mean} {found_mean} ({room_of_mean}), deviation {deviation} {found_deviation} ({room})"
    );
    assert_eq!(
        number(&flow["interarrival_samples"]),
        arrivals.len() as u64 - 1,
        "{what}"
    );
    assert_eq!(flow["aggregates_seen"], false, "{what}");
    assert!(
        (found_mean - mean).abs() <= room_of_mean,
        "{what}: mean {found_mean} ms, tcpdump {mean} ms, {room_of_mean}"
    );
    assert!(
        (found_deviation - deviation).abs() <= room,
        "{what}: deviation {found_deviation} ms, tcpdump {deviation} ms, {room}"
    );
}

#[test]
fn mean_and_deviation_of_the_gaps_are_those_of_tcpdump() {
    if !support::root() {
        return;
    }
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let pair = Pair::quiet();
    let run = Flowtop::start(&pair.receiver, "{}", &ARGUMENTS);
    let capture = Capture::start(&pair, 1500);
    let sender = FrameSender::on(&pair);
    send(&sender, PACED, std::iter::repeat_n(micros(2000), 500));
    send(&sender, JITTERED, scattered(5000).map(micros).take(500));
    let burst = |n: u64| micros(if n % 10 == 9 { 20_000 } else { 50 });
    send(&sender, BURSTS, (0..500).map(burst));
    let arrivals = capture.arrivals();
    let record = run.last_record();
    for (port, what) in [(PACED, "paced"), (JITTERED, "jittered"), (BURSTS, "bursts")] {
        let flow = program::flow_to(&record, "udp", port);
        assert_eq!(arrivals[&port].len(), 500, "tcpdump saw all");
        assert_like(flow, &arrivals[&port], what);
        assert_eq!(flow["jitter_epochs"], 1, "{what}");
    }
}

#[test]
fn a_pause_of_more_than_two_seconds_begins_a_new_epoch_and_drops_the_gaps_before_it() {
    if !support::root() {
        return;
    }
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let pair = Pair::quiet();
    let mut run = Flowtop::start(&pair.receiver, "{}", &ARGUMENTS);
    let capture = Capture::start(&pair, 400);
    let sender = FrameSender::on(&pair);
    // Not long enough to count as a pause; then the pause; then slower than before.
    let before = (0..200).map(|n| if n == 100 { 1_800_000 } else { 1000 });
    send(&sender, PAUSED, before.map(micros));
    // From when the last one has gone, not from when it should have.
    std::thread::sleep(Duration::from_millis(2500));
    send(&sender, PAUSED, scattered(6000).take(200).map(micros));
    run.settle(400);
    let arrivals = capture.arrivals();
    let arrivals = &arrivals[&PAUSED];
    // A busy machine may make pauses of its own.
    let is_pause = |n: &usize| arrivals[*n].from - arrivals[n - 1].from > 2_000_000_000;
    assert!(is_pause(&200), "it paused");
    let pauses: Vec<_> = (1..arrivals.len()).filter(is_pause).collect();
    let record = run.last_record();
    let flow = program::flow_to(&record, "udp", PAUSED);
    assert_eq!(flow["packets"], 400);
    assert_eq!(flow["jitter_epochs"], pauses.len() + 1);
    let latest = pauses[pauses.len() - 1];
    assert_like(flow, &arrivals[latest..], "after the pause");
}

/// Numbered packets of each kind that is tracked; each burst goes out on another CPU, when the one before has been
/// worked off.
fn send_from_cpu_to_cpu(pair: &Pair, bursts: u32) {
    let sender = FrameSender::on(pair);
    let cpus = clock::cpus();
    let mut pacer = clock::Pacer::start();
    for burst in 0..bursts {
        clock::wait_for_backlog(0);
        clock::pin(cpus[burst as usize % cpus.len()]);
        for number in 3 * burst..3 * burst + 3 {
            pacer.wait(micros(1000 + u64::from(number * 7 % 1000)));
            sender.send(&Udp::to_port(MOVED).with_number(number, 0, 100).frame());
            let segment = craft::tcp((40000, MOVED), number * 1000, 0x10, &[], &[7; 1000]);
            sender.send(&ethernet(IPV4, &v4(6, &segment)));
            let echo = craft::icmp(8, 0, 1, number as u16, &[7; 40]);
            sender.send(&ethernet(IPV4, &v4(1, &echo)));
        }
    }
}

#[test]
fn a_sender_that_is_moved_from_cpu_to_cpu_shows_no_false_gap_and_no_false_loss() {
    if !support::root() {
        return;
    }
    assert!(clock::cpus().len() > 1, "this test needs two CPUs");
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let pair = Pair::quiet();
    let mut run = Flowtop::start(&pair.receiver, NUMBERED, &ARGUMENTS);
    let capture = Capture::start(&pair, 900);
    std::thread::scope(|scope| {
        scope.spawn(|| send_from_cpu_to_cpu(&pair, 300));
    });
    run.settle(2700);
    let arrivals = capture.arrivals();
    let record = run.last_record();
    assert_like(
        program::flow_to(&record, "udp", MOVED),
        &arrivals[&MOVED],
        "moved",
    );
    for (protocol, port, current) in [
        ("udp", MOVED, 899),
        ("tcp", MOVED, 899_999),
        ("icmp", 0x800, 899),
    ] {
        let flow = program::flow_to(&record, protocol, port);
        let sequence = &flow["sequence"];
        assert_eq!(flow["packets"], 900, "{protocol}");
        assert_eq!(sequence["current"], current, "{protocol}: {sequence}");
        assert_eq!(sequence["received"], 900, "{protocol}: {sequence}");
        for event in [
            "lost",
            "reverse_errors",
            "small_errors",
            "big_errors",
            "restarts",
        ] {
            assert_eq!(sequence[event], 0, "{protocol}, {event}: {sequence}");
        }
        assert_ne!(sequence["duplicates"], 1, "{protocol}: {sequence}");
    }
    assert_eq!(record["kernel"]["sequence_contended"], 0);
}
