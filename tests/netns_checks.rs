//! Checks of the real program on packets that were sent one by one: exit codes, tables, and reports as another XML reader
//! finds them.

mod support;

use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use support::Background;
use support::frames::{FrameSender, Udp};
use support::pair::{Pair, RECEIVER_LINK};
use support::program::{self, Ended, Flowtop, flows, interface, number, volume};
use support::pty::{Control, PATIENCE, Pty};

const NUMBERED: &str = r#"{"OFFSET": 0}"#;
const ON_THE_LINK: [&str; 4] = ["-i", RECEIVER_LINK, "-t", "0.1"];
/// The user who calls sudo.
const CALLER: u32 = 65534;

/// Sends numbered packets of 100 bytes to a port.
fn send(pair: &Pair, port: u16, numbers: impl IntoIterator<Item = u32>) {
    let frame = |number| Udp::to_port(port).with_number(number, 0, 58).frame();
    let frames: Vec<_> = numbers.into_iter().map(frame).collect();
    FrameSender::on(pair).send_in_step(frames.iter().map(Vec::as_slice));
}

/// So many numbers from 0 on, but for these.
fn without(count: u32, lost: &[u32]) -> impl Iterator<Item = u32> {
    (0..count).filter(|number| !lost.contains(number))
}

fn asserted<'a>(checks: &[&'a str]) -> Vec<&'a str> {
    checks
        .iter()
        .flat_map(|check| ["--assert", check])
        .collect()
}

fn start(pair: &Pair, config: &str, arguments: &[&str]) -> Flowtop {
    let arguments = [&ON_THE_LINK, arguments].concat();
    Flowtop::start_with(&pair.receiver, config, &arguments, |command| {
        command.env_remove("SUDO_UID");
    })
}

fn end(run: Flowtop) -> Ended {
    run.signal(Signal::SIGTERM);
    run.wait()
}

/// What Python's own reader makes of a report: the suite's attributes, and of each case its name and what is in it.
fn read_report(path: &Path) -> Value {
    const READER: &str = "
import json, sys, xml.etree.ElementTree as tree
root = tree.parse(sys.argv[1]).getroot()
suite, = root
inside = lambda case: [[it.tag, it.attrib, it.text] for it in case]
cases = [[case.attrib['name'], inside(case)] for case in suite]
print(json.dumps({'tag': root.tag, 'totals': root.attrib, 'suite': suite.attrib, 'cases': cases}))
";
    let mut python = Command::new("python3");
    let output = python.args(["-c", READER]).arg(path).output();
    let output = output.expect("python3");
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

#[test]
fn known_losses_decide_how_a_run_ends_and_are_told_by_table_and_report() {
    if !support::root() {
        return;
    }
    let pair = Pair::quiet();
    let folder = tempfile::tempdir().expect("a folder");
    let report = folder.path().join("report.xml");
    std::fs::write(
        &report,
        "older and much longer than what comes".repeat(1000),
    )
    .expect("write");
    let hostile = "rule:]]&\"'\u{1}\u{fffe} => flows=0";
    let checks = asserted(&[
        "port:5201 => loss<0.1",
        "port:5201 => loss=0.15 lost=3 packets=1997 bytes=199700 flows=1",
        "=> flows=2 loss<=0.15",
        "port:9 => loss<1",
        "=> untracked=0 malformed=0 seen=2997",
        hostile,
    ]);
    let arguments = [&["--report", report.to_str().expect("UTF-8")], &checks[..]].concat();
    let mut run = start(&pair, NUMBERED, &arguments);
    send(&pair, 5201, without(2000, &[100, 500, 501]));
    send(&pair, 5202, 0..1000);
    run.settle(2997);
    let Ended {
        record,
        code,
        errors,
    } = end(run);
    assert_eq!(code, Some(3), "{errors}");
    program::assert_adds_up(&record);
    let losing = program::flow_to(&record, "udp", 5201);
    assert_eq!(losing["sequence"]["lost"], 3, "the records say the same");
    assert_table_of_losses(&errors);
    assert_report_of_losses(&report);
}

/// The flow of the losses.
const LOSING: &str = "udp 10.0.0.2:40000 > 10.0.0.1:5201 veth1";

fn assert_table_of_losses(errors: &str) {
    let lines: Vec<&str> = errors.lines().collect();
    assert!(lines[0].starts_with("flowtop: checks over "), "{errors}");
    assert_eq!(lines[2], "fails        1       1  port:5201 => loss<0.1");
    assert_eq!(lines[3].trim(), format!("worst: loss 0.15%, {LOSING}"));
    assert!(lines[4].starts_with("holds        1       0  "), "{errors}");
    assert!(lines[6].starts_with("holds        2       0  "), "{errors}");
    assert!(lines[8].starts_with("fails        0       0  "), "{errors}");
    assert_eq!(lines.last(), Some(&"flowtop: 2 of 6 checks do not hold"));
}

fn assert_report_of_losses(report: &Path) {
    let found = read_report(report);
    assert_eq!(found["tag"], "testsuites");
    for of in ["totals", "suite"] {
        let attributes = &found[of];
        assert_eq!(
            (&attributes["tests"], &attributes["failures"]),
            (&json!("6"), &json!("2"))
        );
        assert_eq!(attributes["errors"], "0");
        let time = attributes["time"]
            .as_str()
            .and_then(|it| it.parse::<f64>().ok());
        assert!(time.is_some_and(|seconds| seconds > 0.0), "{attributes}");
    }
    let cases = found["cases"].as_array().expect("cases");
    let inside = |name: &str| {
        let case = cases.iter().find(|case| case[0] == name);
        case.unwrap_or_else(|| panic!("no {name}: {found:#}"))[1].clone()
    };
    let failure = &inside("port:5201 => loss<0.1")[0];
    assert_eq!(failure[0], "failure");
    assert_eq!(
        failure[1]["message"],
        format!("1 of 1 flows, worst: loss 0.15%, {LOSING}")
    );
    assert!(
        failure[2]
            .as_str()
            .is_some_and(|text| text.contains(LOSING)),
        "{failure}"
    );
    assert_eq!(
        inside("port:9 => loss<1")[0][1]["message"],
        "no flow is taken"
    );
    let held = &inside("=> flows=2 loss<=0.15")[0];
    assert_eq!((&held[0], &held[1]), (&json!("system-out"), &json!({})));
    let text = held[2].as_str().expect("text");
    assert!(
        text.starts_with(&format!("flows: 2 taken, 0 failed\nloss 0.15%, {LOSING}\n")),
        "{text}"
    );
    let hostile = &inside("rule:]]&\"'\u{fffd}\u{fffd} => flows=0")[0];
    assert_eq!(hostile[2], "flows: 0 taken, 0 failed");
}

#[test]
fn flows_that_ended_or_are_in_the_remainder_alone_are_judged() {
    if !support::root() {
        return;
    }
    let pair = Pair::quiet();
    let config = r#"{"OFFSET": 0, "FLOW_TIMEOUT": 0.5}"#;
    let checks = asserted(&[
        "=> loss<1",
        "=> loss<=10 flows=2",
        "port:5201 => packets=90",
    ]);
    let mut run = start(&pair, config, &[&["--top", "1"], &checks[..]].concat());
    send(&pair, 5201, without(100, &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]));
    run.until("a flow that ends", |record| {
        volume(&interface(record, RECEIVER_LINK)["ended"]).0 == 90
    });
    send(&pair, 5202, 0..100);
    run.settle(190);
    let Ended { code, errors, .. } = end(run);
    assert_eq!(code, Some(3), "{errors}");
    let lines: Vec<&str> = errors.lines().collect();
    assert!(
        lines[2].starts_with("fails        2       1  => loss<1"),
        "{errors}"
    );
    assert!(
        lines[3].contains("loss 10%") && lines[3].contains(":5201"),
        "{errors}"
    );
    assert_eq!(lines.last(), Some(&"flowtop: 1 of 3 checks does not hold"));
}

#[test]
fn a_run_whose_checks_hold_is_0_however_it_ends_and_its_table_is_where_no_records_are() {
    if !support::root() {
        return;
    }
    let pair = Pair::quiet();
    let folder = tempfile::tempdir().expect("a folder");
    let records = folder.path().join("records");
    let owner = Some(CALLER);
    chown(folder.path(), owner, owner).expect("chown");
    let common = [
        "--count",
        "2",
        "--assert",
        "=> flows=0",
        "--assert",
        "=> drops=0",
    ];
    for (more, table_is_out) in [
        (&["--json"][..], false),
        (&["--text"], false),
        (
            &["--json", "--output", records.to_str().expect("UTF-8")],
            true,
        ),
    ] {
        let mut command = support::command(&pair.receiver, program::PROGRAM);
        command.args(ON_THE_LINK).args(common).args(more);
        command
            .env("SUDO_UID", CALLER.to_string())
            .stdin(Stdio::null());
        let Output {
            status,
            stdout,
            stderr,
        } = command.output().expect("flowtop");
        let (out, errors) = (
            String::from_utf8_lossy(&stdout),
            String::from_utf8_lossy(&stderr),
        );
        assert_eq!(status.code(), Some(0), "{errors}");
        let (table, other) = if table_is_out {
            (&out, &errors)
        } else {
            (&errors, &out)
        };
        assert_eq!(table.lines().last(), Some("flowtop: all 2 checks hold"));
        assert!(!other.contains("flowtop: "), "{other}");
    }
    let records = std::fs::read_to_string(records).expect("records");
    assert_eq!(records.lines().count(), 2);
}

#[test]
fn packets_without_room_in_the_table_make_checks_unsure() {
    if !support::root() {
        return;
    }
    let pair = Pair::quiet();
    let folder = tempfile::tempdir().expect("a folder");
    let report = folder.path().join("report.xml");
    let checks = asserted(&["=> packets>=1", "iface:eth* => flows=0", "=> untracked=0"]);
    let few = [
        "--max-flows",
        "8",
        "--report",
        report.to_str().expect("UTF-8"),
    ];
    let mut run = start(&pair, "{}", &[&few, &checks[..]].concat());
    let frames: Vec<_> = (1..1000).map(|port| Udp::to_port(port).frame()).collect();
    FrameSender::on(&pair).send_in_step(frames.iter().map(Vec::as_slice));
    run.settle(999);
    let Ended {
        record,
        code,
        errors,
    } = end(run);
    assert_eq!(code, Some(3), "{errors}");
    let untracked = volume(&interface(&record, RECEIVER_LINK)["untracked"]).0;
    assert!(untracked > 0, "{record:#}");
    let found = read_report(&report);
    let counts = (&found["totals"]["failures"], &found["totals"]["errors"]);
    assert_eq!(counts, (&json!("1"), &json!("1")));
    let case = &found["cases"][0];
    assert_eq!(
        (&case[0], &case[1][0][0]),
        (&json!("=> packets>=1"), &json!("error"))
    );
    let message = case[1][0][1]["message"].as_str().expect("a message");
    assert!(
        message.starts_with(&format!("{untracked} packets are untracked")),
        "{message}"
    );
    let other = &found["cases"][1][1][0][0];
    assert_eq!(
        other, "system-out",
        "flows of no other interface are missing"
    );
    assert!(errors.contains("\nunsure "), "{errors}");
}

#[test]
fn what_the_device_drops_is_counted_from_the_start_to_the_very_end() {
    if !support::root() {
        return;
    }
    let pair = Pair::quiet();
    // Of a protocol that nobody takes: the device counts them as dropped.
    let mut frame = Udp::to_port(5000).frame();
    frame[12..14].copy_from_slice(&[0x88, 0xb5]);
    let sender = FrameSender::on(&pair);
    (0..7).for_each(|_| sender.send(&frame));
    let checks = asserted(&["=> drops=3 other=3", "=> drops=0"]);
    let mut run = start(&pair, "{}", &checks);
    (0..3).for_each(|_| sender.send(&frame));
    run.settle(3);
    let Ended { code, errors, .. } = end(run);
    assert_eq!(code, Some(3));
    let lines: Vec<&str> = errors.lines().collect();
    assert!(lines[2].starts_with("holds        1       0"), "{errors}");
    assert!(lines[4].starts_with("fails        1       1"), "{errors}");
}

/// A run that writes records of JSON; what it says on standard error, line by line.
struct Listened {
    child: Background,
    errors: BufReader<std::process::ChildStderr>,
}

impl Listened {
    fn start(pair: &Pair, arguments: &[&str]) -> Listened {
        let mut command = support::command(&pair.receiver, program::PROGRAM);
        command.args(ON_THE_LINK).arg("--json").args(arguments);
        command.env_remove("SUDO_UID").stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = Background::spawn(&mut command);
        let errors = BufReader::new(child.0.stderr.take().expect("standard error"));
        Listened { child, errors }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.errors.read_line(&mut line).expect("UTF-8");
        line.trim_end().to_owned()
    }

    /// The rest of what it says, and its exit code.
    fn rest(mut self) -> (String, Option<i32>) {
        let mut text = String::new();
        self.errors.read_to_string(&mut text).expect("UTF-8");
        (text, self.child.0.wait().expect("wait").code())
    }
}

/// The records that are still to come.
fn records(child: &mut Child) -> impl Iterator<Item = Value> + use<> {
    let output = BufReader::new(child.stdout.take().expect("standard output"));
    let lines = output.lines().map(|line| line.expect("UTF-8"));
    lines.map(|line| serde_json::from_str(&line).expect("a record"))
}

#[test]
fn a_run_that_waits_for_a_flow_begins_with_its_first_packet() {
    if !support::root() {
        return;
    }
    let pair = Pair::quiet();
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("config.json");
    std::fs::write(&config, NUMBERED).expect("write");
    let waiting = [
        "-c",
        config.to_str().expect("UTF-8"),
        "--wait-for",
        "port:5201",
    ];
    let checks = asserted(&[
        "port:5201 => loss=0 packets=500 flows=1",
        "port:5201 => rate>1",
    ]);
    let mut run = Listened::start(&pair, &[&waiting, &checks[..]].concat());
    assert_eq!(run.line(), "flowtop: waits for a flow of port:5201");
    send(&pair, 80, 0..100);
    send(&pair, 5201, 0..500);
    assert_eq!(run.line(), "flowtop: the first such flow has come");
    let is_it = |flow: &&Value| flow["destination_port"] == 5201;
    let mut records = records(&mut run.child.0);
    let first = records.next().expect("a record");
    assert!(flows(&first).any(|flow| is_it(&flow)), "{first:#}");
    let mut counted = first;
    while flows(&counted).find(is_it).map(volume) != Some((500, 50_000)) {
        counted = records.next().expect("all packets");
    }
    kill(Pid::from_raw(run.child.0.id() as i32), Signal::SIGTERM).expect("kill");
    program::assert_adds_up(&records.last().expect("a last record"));
    let (errors, code) = run.rest();
    assert_eq!(code, Some(0), "{errors}");
}

#[test]
fn a_dashboard_that_waits_shows_what_comes_meanwhile_and_counts_none_of_it() {
    if !support::root() {
        return;
    }
    let pair = Pair::quiet();
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = support::command(&pair.receiver, program::PROGRAM);
    command.args(ON_THE_LINK).args(["--wait-for", "port:5201"]);
    command.args(["--assert", "port:5201 => packets=20"]);
    command
        .current_dir(folder.path())
        .env("HOME", folder.path());
    command.env("XDG_CONFIG_HOME", folder.path());
    let mut pty = Pty::start(&mut command, (120, 30), Control::Controlling);
    pty.wait_for_text("waits for a flow of port:5201");
    send(&pair, 80, 0..30);
    pty.wait_for_text("10.0.0.1:80");
    send(&pair, 5201, 0..20);
    pty.wait_for_text("the first such flow has come");
    pty.wait_for_text("10.0.0.1:5201");
    pty.press("q");
    let status = pty.wait_for_exit(PATIENCE);
    let left = pty.after_leaving();
    assert_eq!(status.code(), Some(0), "{left}");
    assert!(left.contains("flowtop: the check holds"), "{left}");
}

#[test]
fn a_run_that_waits_in_vain_ends_in_time_and_is_3() {
    if !support::root() {
        return;
    }
    let pair = Pair::quiet();
    let mut run = Listened::start(&pair, &["--wait-for", "port:5201", "--duration", "0.5"]);
    assert_eq!(run.line(), "flowtop: waits for a flow of port:5201");
    send(&pair, 80, 0..10);
    let last: Vec<Value> = records(&mut run.child.0).collect();
    let [last] = &last[..] else {
        panic!("one record: {last:#?}");
    };
    assert_eq!(number(&interface(last, RECEIVER_LINK)["packets"]), 0);
    let (errors, code) = run.rest();
    assert_eq!(
        (errors.as_str(), code),
        ("flowtop: no flow of port:5201 came\n", Some(3))
    );
}

#[test]
fn a_reader_that_goes_away_does_not_make_checks_hold() {
    if !support::root() {
        return;
    }
    let pair = Pair::quiet();
    let mut run = Listened::start(&pair, &["--assert", "=> flows>=1"]);
    let mut output = BufReader::new(run.child.0.stdout.take().expect("standard output"));
    output.read_line(&mut String::new()).expect("a record");
    drop(output);
    let (errors, code) = run.rest();
    assert_eq!(code, Some(3), "{errors}");
    assert!(
        errors.ends_with("flowtop: 1 of 1 check does not hold\n"),
        "{errors}"
    );
}

#[test]
fn under_sudo_a_report_is_the_callers_and_only_where_the_caller_may_write() {
    if !support::root() {
        return;
    }
    let pair = Pair::quiet();
    let folder = tempfile::tempdir().expect("a folder");
    let open = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(folder.path(), open).expect("chmod");
    let report = folder.path().join("report.xml");
    let run = || {
        let mut command = support::command(&pair.receiver, program::PROGRAM);
        command
            .args(ON_THE_LINK)
            .args(["--json", "--count", "1", "--assert", "=> flows=0"]);
        command.arg("--report").arg(&report).stdin(Stdio::null());
        command
            .env("SUDO_UID", CALLER.to_string())
            .output()
            .expect("flowtop")
    };
    let refused = run();
    let text = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(
        text.contains("write the report to ") && text.contains("Permission denied"),
        "{text}"
    );
    assert!(refused.stdout.is_empty() && !report.exists());
    assert!(![Some(0), Some(3)].contains(&refused.status.code()));

    chown(folder.path(), Some(CALLER), Some(CALLER)).expect("chown");
    let done = run();
    assert_eq!(done.status.code(), Some(0), "{done:?}");
    let metadata = report.metadata().expect("a report");
    assert_eq!((metadata.uid(), metadata.mode() & 0o777), (CALLER, 0o600));
    assert_eq!(read_report(&report)["totals"]["tests"], "1");
    // A link that somebody planted is not followed.
    std::fs::remove_file(&report).expect("remove");
    std::os::unix::fs::symlink("elsewhere", &report).expect("a link");
    assert!(run().stdout.is_empty() && !folder.path().join("elsewhere").exists());
}

/// The job of docs/labs.md, in a folder of its own and with names of namespaces that nobody else sees.
fn job(one_in: Option<&str>) -> (Output, Value) {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/labs.md"));
    let text = text.expect("docs/labs.md");
    let script = text
        .split("```sh\n")
        .nth(1)
        .and_then(|rest| rest.split("```").next());
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("lab.sh"), script.expect("a script")).expect("write");
    let programs = tempfile::tempdir().expect("a folder");
    support::program_in(programs.path(), None);
    let path = std::env::var("PATH").expect("a path");
    let path = format!("{}:{path}", programs.path().display());
    let alone = "mkdir -p /run/netns && mount -t tmpfs tmpfs /run/netns && exec sh lab.sh";
    let mut command = Command::new("unshare");
    command.args(["--mount", "--propagation", "private", "sh", "-c", alone]);
    command.current_dir(folder.path()).env("PATH", path);
    command
        .env_remove("SUDO_UID")
        .env_remove("ONE_IN")
        .stdin(Stdio::null());
    command.envs(one_in.map(|one_in| ("ONE_IN", one_in)));
    let output = command.output().expect("unshare");
    let report = folder.path().join("report.xml");
    assert!(report.exists(), "{output:?}");
    (output, read_report(&report))
}

#[test]
fn the_job_of_the_documents_passes_and_fails_where_one_packet_in_a_thousand_is_lost() {
    if !support::root() {
        return;
    }
    let lossy = std::thread::spawn(|| job(Some("1000")));
    let (output, report) = job(None);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(
        (&report["totals"]["tests"], &report["totals"]["failures"]),
        (&json!("2"), &json!("0"))
    );
    let (output, report) = lossy.join().expect("no panic");
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    assert_eq!(report["totals"]["failures"], "1", "{report:#}");
    let failure = &report["cases"][0][1][0];
    assert_eq!(failure[0], "failure", "{report:#}");
    // One packet in a thousand was taken away, of all that there were from the first one on.
    let message = failure[1]["message"].as_str().expect("a message");
    let number = |before: &str, behind: char| -> f64 {
        let text = message.split(before).nth(1).expect(before);
        let text = text.split(behind).next().expect(before).replace(',', "");
        text.parse().expect(before)
    };
    let share = number("loss ", '%') / 100.0;
    let sent = number("packets ", ' ') / (1.0 - share);
    assert!((sent * share - sent / 1000.0).abs() < 1.5, "{message}");
}
