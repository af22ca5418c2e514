//! The program without a screen: its records, its ends, its signals, and a configuration that changes while it runs.

#[path = "netns_headless/contract.rs"]
mod contract;
#[path = "netns_headless/metrics.rs"]
mod metrics;
#[path = "netns_headless/reload.rs"]
mod reload;
mod support;
#[path = "netns_headless/top.rs"]
mod top;
#[path = "netns_headless/withdrawn.rs"]
mod withdrawn;

use std::io::{BufRead, BufReader, Read};
use std::os::fd::AsRawFd;
use std::process::Stdio;
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::signal::Signal;
use serde_json::Value;
use support::Background;
use support::clock::wait_for;
use support::frames::{FrameSender, Udp};
use support::pair::{Pair, RECEIVER_LINK};
use support::program::{self, Ended, Flowtop, flows, interface, number, volume};

const NUMBERED: &str = r#"{"PATTERN": "0xFFFFFFFF", "OFFSET": 0}"#;

/// Sends numbered packets of 100 bytes to a port.
fn send(pair: &Pair, port: u16, numbers: impl IntoIterator<Item = u32>) {
    let frame = |number| Udp::to_port(port).with_number(number, 0, 58).frame();
    let frames: Vec<_> = numbers.into_iter().map(frame).collect();
    FrameSender::on(pair).send_in_step(frames.iter().map(Vec::as_slice));
}

fn records(output: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(output).expect("UTF-8");
    let parse = |line: &str| serde_json::from_str(line).expect("a record a line");
    text.lines().map(parse).collect()
}

#[test]
fn every_record_keeps_the_contract_and_the_last_one_has_the_totals_of_the_run() {
    if !support::root() {
        return;
    }
    let pair = Pair::quiet();
    let mut run = Flowtop::watch(&pair, NUMBERED);
    contract::assert_record(run.record());
    let mut sent = 0;
    for number in [1, 2, 4, 5] {
        send(&pair, 5000, [number]);
        let tcp = support::craft::tcp((1, 80), number * 10, 0x10, &[], &[7; 10]);
        let tcp = support::craft::v4(6, &tcp);
        FrameSender::on(&pair).send(&support::craft::ethernet(support::craft::IPV4, &tcp));
        sent += 2;
        run.settle(sent);
        contract::assert_record(run.record());
        program::assert_adds_up(run.record());
    }
    let Ended { record, errors, .. } = run.finish();
    contract::assert_record(&record);
    assert_eq!(errors, "");
    assert_eq!(
        volume(interface(&record, RECEIVER_LINK)),
        (8, 4 * 100 + 4 * 64)
    );
    let flow = program::flow_to(&record, "udp", 5000);
    assert_eq!(volume(flow), (4, 400));
    assert_eq!(flow["payload_bytes"], 4 * 58);
    assert_eq!(flow["sequence"]["loss_percent"], 20.0);
    assert_eq!(flow["sequence"]["current"], 5);
    assert_eq!(program::flow_to(&record, "tcp", 80)["sequence"]["lost"], 10);
}

#[test]
fn a_run_ends_after_its_count_and_after_its_duration() {
    if !support::root() {
        return;
    }
    let pair = Pair::quiet();
    let common = ["--json", "-i", RECEIVER_LINK, "-t"];
    let run = |more: &[&str]| {
        let began = Instant::now();
        let output = program::run_to_end(&pair.receiver, &[&common[..], more].concat());
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!((output.status.code(), errors.as_str()), (Some(0), ""));
        (records(&output.stdout), began.elapsed())
    };
    let (counted, took) = run(&["0.5", "--count", "3"]);
    assert_eq!(counted.len(), 3);
    assert!(took > Duration::from_millis(1400), "{took:?}");
    // So long that a machine that stands still for seconds leaves time for more intervals than usual ones would be.
    let (lasted, took) = run(&["0.3", "--duration", "6.1"]);
    let seconds = |record: &Value| record["interval_s"].as_f64().expect("seconds");
    let sum: f64 = lasted.iter().map(seconds).sum();
    assert!(
        took > Duration::from_millis(6100) && sum > 5.9,
        "{took:?} {sum}"
    );
    assert!(sum < took.as_secs_f64(), "{took:?} {sum}");
    assert!((8..=21).contains(&lasted.len()), "{lasted:#?}");
}

#[test]
fn a_slow_reader_gets_as_many_records_as_were_asked_for() {
    read_slowly(OFlag::empty());
}

/// Another process that has the same pipe, or the same terminal, may have asked for that.
#[test]
fn a_slow_reader_of_an_output_that_does_not_block_gets_them_too() {
    read_slowly(OFlag::O_NONBLOCK);
}

fn read_slowly(flags: OFlag) {
    if !support::root() {
        return;
    }
    let pair = Pair::quiet();
    support::raise_loopback(&pair.receiver);
    let (reader, writer) = nix::unistd::pipe().expect("a pipe");
    let smallest = FcntlArg::F_SETPIPE_SZ(1);
    let room = fcntl(&writer, smallest).expect("a small pipe") as usize;
    fcntl(&writer, FcntlArg::F_SETFL(flags)).expect("flags");
    let mut command = support::command(&pair.receiver, program::PROGRAM);
    command.args(["--json", "-i", RECEIVER_LINK, "-t", "0.1", "--count", "12"]);
    command.args(["--listen", "9788"]);
    command.stdout(Stdio::from(writer));
    let mut child = Background::spawn(&mut command);
    drop(command);
    let waiting = || {
        let mut bytes: libc::c_int = 0;
        // SAFETY: the call writes one int.
        let outcome = unsafe { libc::ioctl(reader.as_raw_fd(), libc::FIONREAD, &mut bytes) };
        assert_eq!(outcome, 0);
        bytes as usize
    };
    // Until there is no room for a further record, and three intervals longer: each has counted another packet, and nothing
    // was written.
    let mut sent = 0;
    wait_for("a full pipe", || {
        let bytes = waiting();
        if bytes < room / 2 {
            return false;
        }
        for _ in 0..3 {
            send(&pair, 5000, [sent]);
            sent += 1;
            wait_for("a packet that is counted", || {
                let page = support::scrape::page(&pair.receiver);
                page.sum("flowtop_interface_seen_packets_total") == u64::from(sent)
            });
        }
        waiting() == bytes
    });
    let page = support::scrape::page(&pair.receiver);
    assert!(page.sum("flowtop_exporter_waiting_intervals") > 0);
    let mut output = Vec::new();
    let read = std::fs::File::from(reader).read_to_end(&mut output);
    read.expect("records");
    assert_eq!(child.0.wait().expect("wait").code(), Some(0));
    let records = records(&output);
    assert_eq!(records.len(), 12);
    let joined = |record: &&Value| number(&record["intervals"]) > 1;
    assert!(records.iter().any(|record| joined(&record)), "{records:#?}");
}

#[test]
fn a_hang_up_that_is_ignored_as_by_nohup_ends_nothing() {
    if !support::root() {
        return;
    }
    let pair = Pair::quiet();
    let mut command = support::command(&pair.receiver, "env");
    command.args(["--ignore-signal=HUP", program::PROGRAM, "--json"]);
    command.args(["-i", RECEIVER_LINK, "-t", "0.1"]);
    let folder = tempfile::tempdir().expect("a folder");
    let mut run = Flowtop::from_command(&mut command, folder);
    run.signal(Signal::SIGHUP);
    // More of them than may have been under way.
    for _ in 0..10 {
        run.record();
    }
    run.finish();
}

#[test]
fn a_reader_that_goes_away_ends_the_run_without_a_word() {
    if !support::root() {
        return;
    }
    let pair = Pair::quiet();
    let mut command = support::command(&pair.receiver, program::PROGRAM);
    command.args(["--json", "-i", RECEIVER_LINK, "-t", "0.1"]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = Background::spawn(&mut command);
    let mut output = BufReader::new(child.0.stdout.take().expect("standard output"));
    output.read_line(&mut String::new()).expect("a record");
    drop(output);
    let errors = child.0.stderr.take().expect("standard error");
    let said: Vec<_> = BufReader::new(errors)
        .lines()
        .map_while(Result::ok)
        .collect();
    assert_eq!(child.0.wait().expect("wait").code(), Some(0));
    assert!(said.is_empty(), "{said:?}");
}

#[test]
fn a_pipe_without_json_gets_plain_tables() {
    if !support::root() {
        return;
    }
    let pair = Pair::quiet();
    let arguments = ["-i", RECEIVER_LINK, "-t", "0.2", "--count", "2"];
    let output = program::run_to_end(&pair.receiver, &arguments);
    assert_eq!(output.status.code(), Some(0));
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let lines = text
        .lines()
        .filter(|line| line.starts_with("veth1  up  tcx "));
    assert_eq!(lines.count(), 2, "{text}");
    assert!(!text.contains(['{', '\x1b']), "{text}");
}

#[test]
fn a_run_lasts_as_long_as_it_was_asked_to_whatever_is_left_behind_its_last_interval() {
    if !support::root() {
        return;
    }
    let pair = Pair::quiet();
    for (duration, most) in [("1", 2), ("1.02", 2), ("1.1", 2), ("1.2", 3)] {
        let arguments = ["-i", RECEIVER_LINK, "--json", "-t", "0.5", "--duration"];
        let output = program::run_to_end(&pair.receiver, &[&arguments[..], &[duration]].concat());
        let all = records(&output.stdout);
        let length = |record: &Value| record["interval_s"].as_f64().expect("a length");
        let lengths: Vec<f64> = all.iter().map(length).collect();
        let asked: f64 = duration.parse().expect("a number");
        assert!(lengths.iter().sum::<f64>() >= asked, "{lengths:?}");
        assert!(lengths.len() <= most, "{lengths:?}");
    }
}

#[test]
fn sigusr2_starts_all_totals_at_zero_and_loses_nothing_after_it() {
    if !support::root() {
        return;
    }
    let pair = Pair::quiet();
    let mut run = Flowtop::watch(&pair, NUMBERED);
    send(&pair, 5000, (1..=100).filter(|number| *number != 50));
    run.settle(99);
    assert_eq!(
        program::flow_to(run.record(), "udp", 5000)["sequence"]["lost"],
        1
    );
    run.signal(Signal::SIGUSR2);
    let record = run.until("zero", |r| interface(r, RECEIVER_LINK)["packets"] == 0);
    program::assert_adds_up(record);
    let flow = program::flow_to(record, "udp", 5000);
    assert_eq!(
        (volume(flow), &flow["sequence"]["lost"]),
        ((0, 0), &0.into())
    );
    send(&pair, 5000, (101..=130).filter(|number| *number != 110));
    run.settle(29);
    let record = run.last_record();
    assert_eq!(volume(interface(&record, RECEIVER_LINK)), (29, 2900));
    let flow = program::flow_to(&record, "udp", 5000);
    let sequence = &flow["sequence"];
    assert_eq!(
        (volume(flow), &flow["payload_bytes"]),
        ((29, 2900), &(29 * 58).into())
    );
    assert_eq!(
        (&sequence["received"], &sequence["lost"]),
        (&29.into(), &1.into())
    );
    assert_eq!(sequence["current"], 130);
}

#[test]
fn what_came_before_a_reset_and_was_not_read_yet_is_gone_with_it() {
    if !support::root() {
        return;
    }
    let pair = Pair::quiet();
    let mut run = Flowtop::watch(&pair, NUMBERED);
    send(&pair, 5000, [1000]);
    run.settle(1);
    for round in 0..5 {
        // Each second one is missing.
        send(&pair, 5000, (2000 + round * 40..).step_by(2).take(20));
        run.signal(Signal::SIGUSR2);
        let record = run.until("zero", |r| interface(r, RECEIVER_LINK)["packets"] == 0);
        program::assert_adds_up(record);
        let sequence = &program::flow_to(record, "udp", 5000)["sequence"];
        let [received, lost] = ["received", "lost"].map(|name| &sequence[name]);
        assert_eq!((received, lost), (&0.into(), &0.into()));
    }
    let record = run.last_record();
    let flow = program::flow_to(&record, "udp", 5000);
    assert_eq!(
        (volume(flow), &flow["sequence"]["lost"]),
        ((0, 0), &0.into())
    );
}

#[test]
fn a_flow_that_was_silent_for_its_timeout_leaves_and_what_it_had_stays_counted() {
    if !support::root() {
        return;
    }
    let pair = Pair::quiet();
    let mut run = Flowtop::watch(&pair, r#"{"FLOW_TIMEOUT": 1}"#);
    send(&pair, 5000, 0..10);
    run.settle(10);
    let record = run.until("its end", |record| flows(record).count() == 0);
    assert_eq!(
        volume(&interface(record, RECEIVER_LINK)["ended"]),
        (10, 1000)
    );
    assert_eq!(record["kernel"]["flows_tracked"], 0);
    send(&pair, 5000, 0..5);
    let record = run.until("more", |r| interface(r, RECEIVER_LINK)["packets"] == 15);
    assert_eq!(volume(program::flow_to(record, "udp", 5000)), (5, 500));
    // It may have left again by now.
    let record = run.last_record();
    let all = interface(&record, RECEIVER_LINK);
    assert_eq!(volume(all), (15, 1500));
    let listed: u64 = flows(&record).map(|flow| volume(flow).0).sum();
    assert_eq!(listed + volume(&all["ended"]).0, 15);
}

#[test]
fn without_proc_the_memory_of_the_maps_is_not_known_and_all_else_is() {
    if !support::root() {
        return;
    }
    let pair = Pair::quiet();
    let mut command = support::command(&pair.receiver, "unshare");
    let script = "mount -t tmpfs tmpfs /proc && exec \"$@\"";
    command.args(["--mount", "sh", "-c", script, "sh", program::PROGRAM]);
    command.args(["--json", "-i", RECEIVER_LINK, "-t", "0.1"]);
    let mut run = Flowtop::from_command(&mut command, tempfile::tempdir().expect("a folder"));
    send(&pair, 5000, 0..10);
    run.settle(10);
    let record = run.last_record();
    assert_eq!(record["kernel"]["map_memory_bytes"], Value::Null);
    assert_eq!(record["kernel"]["flows_tracked"], 1);
}
