//! Checks of recordings: what they came to live, and over spans and several runs what was counted there.

use super::*;

/// Has all figures that a flow, or an interface, has over a run: none of them is so, and the table says what they are.
const ALL_OF_FLOWS: &str = "port:5000 => packets=0 bytes=0 lost=99 loss=99 jitter=0 iat=0 samples=0 iat_p50=0 \
    iat_p99=0 iat_max=0 rate=0 goodput=0 pps=0 age=0 idle=99 reordered=99 duplicates=99 ttl_changes=99 ip_bytes=0";
const ALL_OF_INTERFACES: &str = "=> packets=1 bytes=1 ended=1 other=99 filtered=99 untracked=1 malformed=99 \
    seen=1 drops=99 rate=1 goodput=1 pps=1";

/// A report without when it was written.
fn report(path: &Path) -> String {
    let text = fs::read_to_string(path).expect("a report");
    let (before, behind) = text.split_once("timestamp=\"").expect("a time");
    let (_, behind) = behind.split_once('"').expect("its end");
    format!("{before}{behind}")
}

/// Standard output and standard error of a replay that ends with this code.
fn judged(folder: &Path, arguments: &[&str], code: i32) -> (String, String) {
    let output = replay(folder, arguments);
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    let (out, errors) = (text(output.stdout), text(output.stderr));
    assert_eq!(output.status.code(), Some(code), "{out}{errors}");
    (out, errors)
}

/// The table and the report of a replay are those of the run.
fn assert_judged_as_live(run: &mut Run, arguments: &[&str]) {
    let live = run.folder.path().join("live.xml");
    assert_eq!(run.stop(Signal::SIGTERM).code(), Some(3));
    let told = fs::read_to_string(run.folder.path().join("told")).expect("a table");
    assert!(told.lines().count() > 5, "{told}");
    let again = run.folder.path().join("again.xml");
    let again = again.to_str().expect("UTF-8");
    let arguments = [arguments, &["--report", again]].concat();
    let (out, errors) = judged(&run.past(), &arguments, 3);
    assert_eq!(out, told);
    assert_eq!(errors, last_line(&run.errors()));
    assert_eq!(report(Path::new(again)), report(&live));
    // With records, the table is where those are not.
    let (out, errors) = judged(&run.past(), &[&["--json"], &arguments[..]].concat(), 3);
    assert_eq!(out.lines().count(), run.live().len());
    assert_eq!(errors, told + &last_line(&run.errors()));
}

fn last_line(text: &str) -> String {
    text.lines().last().expect("a line").to_owned() + "\n"
}

/// A run with these checks, and a report.
fn checked(pair: &Pair, config: &str, checks: &[&str], more: &[&str]) -> Run {
    let folder = tempfile::tempdir().expect("a folder");
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).expect("chmod");
    let report = folder.path().join("live.xml");
    let report = ["--report", report.to_str().expect("UTF-8")];
    let arguments = [more, &report, &asserted(checks)].concat();
    let run = Run::again(pair, folder, config, &arguments);
    run.until("a hook", |record| {
        program::interfaces(record).any(|it| !it["hook"].is_null())
    });
    run
}

fn asserted<'a>(checks: &[&'a str]) -> Vec<&'a str> {
    checks
        .iter()
        .flat_map(|check| ["--assert", check])
        .collect()
}

#[test]
fn checks_come_to_what_they_came_to_live() {
    if !support::root() {
        return;
    }
    let checks = [
        ALL_OF_FLOWS,
        ALL_OF_INTERFACES,
        "=> flows=0",
        "port:6001 => packets=2 bytes=1",
        "rule:voice => loss<50",
        "port:5999 => flows=1",
        "=> seen>0",
    ];
    // With a reset, other rules, and a link that goes.
    let pair = Pair::quiet();
    let mut run = checked(&pair, RULES, &checks, &["--max-flows", "16"]);
    happen(&pair, &run);
    assert_judged_as_live(&mut run, &asserted(&checks));

    // Flows that come, go, are evicted and come again.
    let pair = Pair::quiet();
    let mut run = checked(&pair, RULES, &checks, &["--max-flows", "16"]);
    send(&pair, 5000, [1, 2, 4, 5, 3, 9]);
    run.counted(6);
    let frames: Vec<_> = (6000..7000)
        .map(|port| Udp::to_port(port).frame())
        .collect();
    FrameSender::on(&pair).send_in_step(frames.iter().map(Vec::as_slice));
    run.counted(1006);
    run.until("an empty table", |record| {
        record["kernel"]["flows_tracked"] == 0
    });
    send(&pair, 6001, [3]);
    send(&pair, 5000, [10, 12]);
    run.counted(1009);
    let is_full = |record: &Value| number(&record["kernel"]["insert_failures"]) > 0;
    assert!(run.live().iter().any(is_full));
    assert_judged_as_live(&mut run, &asserted(&checks));
}

/// Behind the latest record, whose time is rounded, and before the next one.
fn a_moment_later(run: &Run) -> String {
    let live = run.live();
    let time = live.last().expect("a record")["time"].as_str();
    let time: jiff::Timestamp = time.expect("a time").parse().expect("a time");
    (time + Duration::from_millis(1)).to_string()
}

/// What the link, and the flow to port 5000, had counted in a record: packets seen, packets and losses.
fn counts(record: &Value) -> [u64; 3] {
    let seen = number(&interface(record, RECEIVER_LINK)["seen"]["packets"]);
    let flow = program::flow_to(record, "udp", 5000);
    [
        seen,
        number(&flow["packets"]),
        number(&flow["sequence"]["lost"]),
    ]
}

/// Checks that hold where that much came, and no more, of so many flows in all.
fn that_much([seen, packets, lost]: [u64; 3], flows: u64) -> Vec<String> {
    vec![
        format!(
            "port:5000 => packets={packets} lost={lost} bytes={} flows=1",
            packets * 100
        ),
        format!("=> flows={flows} packets>0"),
        format!("=> seen={seen} packets={seen} untracked=0"),
    ]
}

fn holding(checks: &[String]) -> Vec<&str> {
    checks
        .iter()
        .flat_map(|check| ["--assert", check.as_str()])
        .collect()
}

#[test]
fn a_span_is_judged_by_what_came_in_it_and_several_runs_by_all_of_them() {
    if !support::root() {
        return;
    }
    let config = RULES.replace(r#""FLOW_TIMEOUT": 0.5"#, r#""FLOW_TIMEOUT": 60"#);
    let pair = Pair::quiet();
    let mut run = Run::start(&pair, &config, &[]);
    send(&pair, 5000, [1, 2, 4, 5, 9]);
    send(&pair, 5999, [1]);
    run.counted(6);
    let from = a_moment_later(&run);
    let then = counts(run.live().last().expect("a record"));
    send(&pair, 5000, [10, 11, 14, 15]);
    send(&pair, 6000, [1, 2, 3]);
    run.counted(13);
    let to = a_moment_later(&run);
    let now = counts(run.live().last().expect("a record"));
    assert_eq!((then, now), ([6, 5, 4], [13, 9, 6]));
    send(&pair, 5000, [16, 90]);
    send(&pair, 6001, [1]);
    run.counted(16);
    run.end(Signal::SIGTERM);
    let past = run.past();
    let span = ["--from", &from, "--to", &to];
    let came = [0, 1, 2].map(|at| now[at] - then[at]);
    let checks = that_much(came, 2);
    let (out, errors) = judged(&past, &[&span[..], &holding(&checks)].concat(), 0);
    assert!(out.ends_with("flowtop: all 3 checks hold\n"), "{out}");
    assert_eq!(errors, "");
    // All of the run is another matter, and a time without a record holds nothing.
    judged(&past, &holding(&checks), 3);
    let none = ["--from", "2020-01-01", "--to", "2020-01-02"];
    let (out, _) = judged(&past, &[&none[..], &["--assert", "=> flows=0"]].concat(), 3);
    assert!(
        out.contains("unsure") && out.contains("nothing was recorded then"),
        "{out}"
    );

    let mut run = Run::again(&pair, run.folder, &config, &[]);
    run.until("its own packets", |record| {
        interface(record, RECEIVER_LINK)["seen"]["packets"] == 0
    });
    send(&pair, 5000, [1, 2, 4]);
    run.counted(3);
    run.end(Signal::SIGTERM);
    // 16 and 3 packets of four flows, one of which is in both; of it 11 of 90 numbers, and 3 of 4.
    let checks = that_much([19, 14, 80], 4);
    judged(&past, &holding(&checks), 0);
    // From before the end of the first one on, and beyond the last.
    let span = ["--from", &to, "--to", "2099-01-01"];
    let checks = that_much([6, 5, 74], 2);
    judged(&past, &[&span[..], &holding(&checks)].concat(), 0);
}

#[test]
fn checks_are_those_of_the_recording_unless_others_are_asked_for() {
    if !support::root() {
        return;
    }
    let pair = Pair::quiet();
    let mut run = Run::start(&pair, r#"{"ASSERT": ["port:5000 => flows=0"]}"#, &[]);
    send(&pair, 5000, 1..=50);
    run.counted(50);
    assert_eq!(run.stop(Signal::SIGTERM).code(), Some(3));
    let past = run.past();
    let told = fs::read_to_string(run.folder.path().join("told")).expect("a table");
    let path = run.folder.path().join("report.xml");
    let path = path.to_str().expect("UTF-8");
    let (out, _) = judged(&past, &["--report", path], 3);
    assert_eq!(out, told);
    let (_, errors) = judged(&past, &["--json"], 3);
    assert!(errors.starts_with(&told), "{errors}");
    let (out, errors) = judged(&past, &["--text", "--assert", "port:5000 => flows=1"], 0);
    assert!(errors.ends_with("flowtop: the check holds\n"), "{errors}");
    assert!(!out.contains("flowtop: ") && out.lines().count() > 3);

    // A run with others in the same folder: it is told, and those of the first one are judged.
    let config = r#"{"ASSERT": ["port:5000 => flows=7"]}"#;
    let before = run.live().len();
    let mut run = Run::again(&pair, run.folder, config, &[]);
    wait_for("a record of its own", || run.live().len() > before);
    assert_eq!(run.stop(Signal::SIGTERM).code(), Some(3));
    let (_, errors) = judged(&past, &["--json"], 3);
    assert!(errors.contains("ASSERT is another one here"), "{errors}");
    assert!(errors.contains("port:5000 => flows=0"), "{errors}");
    let (_, errors) = judged(&past, &["--assert", "port:5000 => flows=1"], 0);
    assert_eq!(errors, "");

    // Whoever reads the records only to some place has them judged all the same.
    let mut command = Command::new(PROGRAM);
    command
        .arg("replay")
        .arg(&past)
        .args(["--json", "--assert", "port:5000 => packets=50"]);
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut child = child.spawn().expect("run flowtop");
    drop(child.stdout.take());
    assert_eq!(child.wait().expect("wait").code(), Some(0));
    child = command
        .stdout(fs::File::create("/dev/full").expect("open"))
        .spawn()
        .expect("run");
    assert_eq!(child.wait().expect("wait").code(), Some(1));
    assert_damage_makes_unsure(&past);
}

/// Where some of it cannot be read, no check holds, and that decides how the replay ends.
fn assert_damage_makes_unsure(past: &Path) {
    let files = fs::read_dir(past)
        .expect("a folder")
        .map(|it| it.expect("an entry").path());
    let is_segment = |it: &PathBuf| it.extension().is_some_and(|it| it == "flowrec");
    let mut segments: Vec<PathBuf> = files.filter(is_segment).collect();
    segments.sort();
    let mut bytes = fs::read(&segments[0]).expect("read");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    fs::write(&segments[0], &bytes).expect("write");
    let (out, errors) = judged(past, &["--assert", "=> untracked=0"], 1);
    assert!(out.contains("\nunsure "), "{out}");
    assert!(
        out.contains("a part of the recording is missing, or could not be read"),
        "{out}"
    );
    assert!(
        errors.contains("at byte ") && errors.contains("not all of the recording"),
        "{errors}"
    );
}

#[test]
fn mistakes_are_told_before_anything_is_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let refused = |arguments: &[&str], code, says: &str| {
        let (out, errors) = judged(folder.path(), arguments, code);
        assert!(
            errors.contains(says) && errors.lines().count() == 1,
            "{errors}"
        );
        assert_eq!(out, "");
    };
    refused(&["--assert", "udp => los<1"], 2, "at character 8");
    refused(
        &["--assert", "udp => loss<1", "--at", "10:00"],
        2,
        "cannot be used with",
    );
    refused(
        &["--assert", "udp => loss<1", "--filter", "udp"],
        2,
        "they need --json or --text",
    );
    let missing = folder.path().join("none/report.xml");
    let missing = missing.to_str().expect("UTF-8");
    let check = ["--assert", "udp => loss<1"];
    refused(
        &[&check[..], &["--report", missing]].concat(),
        1,
        "write the report to ",
    );
    refused(&check, 2, "there is no recording");
    refused(&["--listen", "70000"], 2, "not a port");
}
