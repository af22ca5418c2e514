//! Recordings of the real program: a replay says what the run said, whatever happened in it and however it ended.

mod support;

#[path = "netns_recordings/judged.rs"]
mod judged;
#[path = "netns_recordings/served.rs"]
mod served;

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Output, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use support::Background;
use support::clock::wait_for;
use support::frames::{FrameSender, Udp};
use support::pair::{Pair, RECEIVER_LINK};
use support::program::{self, PROGRAM, interface, number};
use support::pty::{Control, Pty};
use tempfile::TempDir;

const RULES: &str = r#"{"RULES": {"voice": {"match": "- - - 5000 UDP", "HISTOGRAM": true}, "rest": "- - - - -"},
    "PATTERN": "0xFFFFFFFF", "OFFSET": 0, "FLOW_TIMEOUT": 0.5, "METRICS": ["ip"],
    "ALERTS": [{"column": "loss_percent", "above": 1}]}"#;

/// So many runs are killed.
const KILLS: usize = 100;

/// A run whose records go to a file while it is recorded.
struct Run {
    child: Background,
    folder: TempDir,
}

impl Run {
    fn start(pair: &Pair, config: &str, arguments: &[&str]) -> Run {
        let folder = tempfile::tempdir().expect("a folder");
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).expect("chmod");
        let run = Run::again(pair, folder, config, arguments);
        run.until("a hook", |record| {
            program::interfaces(record).any(|it| !it["hook"].is_null())
        });
        run
    }

    /// The same in a folder that is there already.
    fn again(pair: &Pair, folder: TempDir, config: &str, arguments: &[&str]) -> Run {
        let path = folder.path();
        fs::write(path.join("config.json"), config).expect("write the configuration");
        let mut command = support::command(&pair.receiver, PROGRAM);
        command.args(["-i", "veth*", "-t", "0.1", "--json", "--output"]);
        command
            .arg(path.join("live"))
            .arg("--record")
            .arg(path.join("past"));
        command
            .arg("-c")
            .arg(path.join("config.json"))
            .args(arguments);
        // All runs are the same user, who may go on in a folder of before.
        command.args(["--user", "63111"]).stdin(Stdio::null());
        let errors = fs::File::create(path.join("errors")).expect("create");
        let told = fs::File::create(path.join("told")).expect("create");
        let child = Background::spawn(command.stdout(told).stderr(errors));
        Run { child, folder }
    }

    fn past(&self) -> PathBuf {
        self.folder.path().join("past")
    }

    fn live(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.folder.path().join("live")).unwrap_or_default();
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        // A line that a kill cut off is no record.
        whole
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect()
    }

    /// Waits for a record that is as wanted.
    fn until(&self, what: &str, wanted: impl Fn(&Value) -> bool) {
        wait_for(what, || self.live().last().is_some_and(&wanted));
    }

    /// Waits until the link has counted so many packets.
    fn counted(&self, packets: u64) {
        self.until("its packets", |record| {
            let named = program::interfaces(record).find(|it| it["name"] == RECEIVER_LINK);
            named.is_some_and(|it| number(&it["packets"]) == packets)
        });
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.child.0.id() as i32)
    }

    fn end(&mut self, signal: Signal) {
        let status = self.stop(signal);
        assert!(
            signal == Signal::SIGKILL || status.success(),
            "{:?}",
            self.errors()
        );
    }

    fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).expect("kill");
    }

    fn stop(&mut self, signal: Signal) -> ExitStatus {
        self.signal(signal);
        self.child.0.wait().expect("wait")
    }

    fn errors(&self) -> String {
        fs::read_to_string(self.folder.path().join("errors")).expect("errors")
    }
}

fn replay(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(PROGRAM);
    command.arg("replay").arg(folder).args(arguments);
    command.stdin(Stdio::null()).output().expect("run flowtop")
}

/// The records of a replay, and what it wrote to standard error.
fn replayed(folder: &Path, arguments: &[&str]) -> (Vec<Value>, String) {
    let output = replay(folder, &[&["--json"], arguments].concat());
    let errors = String::from_utf8(output.stderr).expect("UTF-8");
    assert!(output.status.success(), "{errors}");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let records = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"));
    (records.collect(), errors)
}

/// A record without what names the run.
fn without_run(record: &Value) -> Value {
    let mut record = record.clone();
    let fields = record.as_object_mut().expect("an object");
    fields.remove("output");
    fields.remove("config");
    fields["kernel"]
        .as_object_mut()
        .expect("an object")
        .remove("privileges");
    record
}

fn assert_same(replayed: &[Value], live: &[Value]) {
    assert_eq!(replayed.len(), live.len());
    for (number, (replayed, live)) in replayed.iter().zip(live).enumerate() {
        assert_eq!(without_run(replayed), without_run(live), "record {number}");
    }
}

fn send(pair: &Pair, port: u16, numbers: impl IntoIterator<Item = u32>) {
    let frame = |number| Udp::to_port(port).with_number(number, 0, 58).frame();
    let frames: Vec<_> = numbers.into_iter().map(frame).collect();
    FrameSender::on(pair).send_in_step(frames.iter().map(Vec::as_slice));
}

/// All that can happen to a run: losses, too many flows, other rules, a reset, a link that goes and comes back.
fn happen(pair: &Pair, run: &Run) {
    // Losses, histograms, thresholds.
    send(pair, 5000, [1, 2, 4, 5, 3, 9]);
    run.counted(6);
    // More flows than there is room for, which go, and some come again.
    let frames: Vec<_> = (6000..8000)
        .map(|port| Udp::to_port(port).frame())
        .collect();
    FrameSender::on(pair).send_in_step(frames.iter().map(Vec::as_slice));
    run.counted(2006);
    run.until("an empty table", |record| {
        record["kernel"]["flows_tracked"] == 0
    });
    send(pair, 6001, [3]);
    send(pair, 5000, [10, 11]);
    run.counted(2009);
    // Other rules, and totals from zero.
    let rules =
        r#"{"RULES": {"late": "- - - 6001 UDP", "voice": "- - - 5000 UDP"}, "FLOW_TIMEOUT": 0.5}"#;
    fs::write(run.folder.path().join("config.json"), rules).expect("write");
    run.until("the other rules", |record| {
        record["rules"][0]["name"] == "late"
    });
    send(pair, 6001, [4]);
    send(pair, 9000, [1]);
    run.counted(2011);
    run.signal(Signal::SIGUSR2);
    run.counted(0);
    send(pair, 5000, [12, 14]);
    run.counted(2);
    // The link goes and comes back.
    support::run(&pair.receiver, "ip", &["link", "delete", RECEIVER_LINK]);
    run.until("its end", |record| {
        interface(record, RECEIVER_LINK)["state"] == "gone"
    });
    flowtop::netns::join(&pair.sender_end(), &pair.receiver_end()).expect("another pair");
    flowtop::netns::set_up(&pair.sender_end(), &pair.receiver_end()).expect("up");
    run.until("its return", |record| {
        program::interfaces(record).any(|it| it["state"] == "up" && !it["hook"].is_null())
    });
}

#[test]
fn a_replay_says_what_the_run_said() {
    if !support::root() {
        return;
    }
    let pair = Pair::quiet();
    let mut run = Run::start(&pair, RULES, &["--max-flows", "16"]);
    happen(&pair, &run);
    run.end(Signal::SIGTERM);
    let live = run.live();
    let (all, errors) = replayed(&run.past(), &[]);
    assert_eq!(errors, "");
    assert_same(&all, &live);
    assert!(live.len() > 15, "{}", live.len());
    let full = |record: &Value| {
        let kernel = &record["kernel"];
        number(&kernel["insert_failures"]) + number(&kernel["flows_evicted"]) > 0
    };
    assert!(live.iter().any(full));

    assert_spans_and_listings(&run.past(), &live);
    assert_exported(&run, &live);
}

#[test]
fn a_reset_that_comes_with_the_end_of_an_interval_is_after_its_record() {
    if !support::root() {
        return;
    }
    let pair = Pair::quiet();
    let mut run = Run::start(&pair, RULES, &[]);
    let mut numbers = 0..;
    wait_for("intervals with resets everywhere", || {
        send(&pair, 5000, numbers.next());
        run.signal(Signal::SIGUSR2);
        run.live().len() > 30
    });
    run.end(Signal::SIGTERM);
    let (all, errors) = replayed(&run.past(), &[]);
    assert_eq!(errors, "");
    assert_same(&all, &run.live());
}

/// What the dashboard exports at the end of the recording, and at its beginning, is what the run said then.
fn assert_exported(run: &Run, live: &[Value]) {
    let folder = run.folder.path();
    let mut command = Command::new(PROGRAM);
    // At a moment that stands still: the end of a run that ended just now would be followed.
    command.args(["replay", "past", "--at"]).current_dir(folder);
    command.arg(live[0]["time"].as_str().expect("a time"));
    let mut pty = Pty::start(&mut command, (120, 40), Control::Controlling);
    pty.wait_for_text("replay");
    let begins = (live[0].clone(), "S");
    let ends = (live[live.len() - 1].clone(), "E");
    for (then, key) in [ends, begins] {
        pty.press(key);
        pty.wait_for("the moment", |pty| {
            pty.text().contains("at its end") == (key == "E")
        });
        pty.press("e");
        pty.wait_for_text("wrote ");
        let exported = |path: &Path| path.extension().is_some_and(|it| it == "json");
        let entries = fs::read_dir(folder).expect("a folder");
        let mut paths = entries.map(|entry| entry.expect("an entry").path());
        let named = |path: &PathBuf| path.to_string_lossy().contains("flowtop-") && exported(path);
        let path = paths.find(named).expect("an export");
        let text = fs::read_to_string(&path).expect("text");
        let record: Value = serde_json::from_str(&text).expect("JSON");
        for part in ["time", "interfaces", "rules", "kernel"] {
            assert_eq!(
                without_run(&record)[part],
                without_run(&then)[part],
                "{part}"
            );
        }
        let flows = |record: &Value| {
            let mut flows: Vec<String> = program::flows(record).map(Value::to_string).collect();
            flows.sort_unstable();
            flows
        };
        assert_eq!(flows(&record), flows(&then));
        fs::remove_file(path).expect("removed");
        pty.press("Esc");
        pty.wait_until_gone("wrote ");
    }
    pty.press("q");
    assert!(pty.wait_for_exit(Duration::from_secs(10)).success());
    pty.assert_restored();
    // Where there is nothing, the nearest is shown; what is not known of it is said.
    for entry in fs::read_dir(run.past()).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|it| it == "flowidx") {
            fs::write(path, "no index").expect("written");
        }
    }
    for (at, says) in [
        ("2020-01-01 00:00", "what is recorded begins later, at 20"),
        ("2020-01-01 00:00", "no index beside 1 of its files"),
        ("2099-01-01 00:00", "nothing was recorded then"),
    ] {
        let mut command = Command::new(PROGRAM);
        command
            .args(["replay", "past", "--at", at])
            .current_dir(folder);
        let mut pty = Pty::start(&mut command, (180, 40), Control::Controlling);
        pty.wait_for_text(says);
    }
}

/// A span has the records that the run wrote in it, and a listing what it asks for.
fn assert_spans_and_listings(past: &Path, live: &[Value]) {
    let time = |at: usize| live[at]["time"].as_str().expect("a time");
    let (from, to) = (time(8), time(15));
    let (some, _) = replayed(past, &["--from", from, "--to", to]);
    let is_in = |record: &&Value| (from..=to).contains(&record["time"].as_str().expect("a time"));
    let expected: Vec<Value> = live.iter().filter(is_in).cloned().collect();
    assert!(!expected.is_empty());
    // Milliseconds are all that a time says.
    assert!(some.len() + 1 >= expected.len() && some.len() <= expected.len());
    for record in &some {
        assert!(
            expected
                .iter()
                .any(|it| without_run(it) == without_run(record))
        );
    }
    let (listed, _) = replayed(past, &["--top", "1", "--sort", "-packets"]);
    assert!(
        listed
            .iter()
            .all(|record| program::flows(record).count() <= 1)
    );
    let text = replay(past, &["--text"]);
    assert!(text.status.success());
    assert!(String::from_utf8_lossy(&text.stdout).lines().count() > live.len());
}

#[test]
fn what_killed_runs_recorded_can_be_read_to_the_end_of_each() {
    if !support::root() {
        return;
    }
    // Most of the time they wait for an interval to end.
    std::thread::scope(|scope| {
        for _ in 0..5 {
            scope.spawn(|| kill_and_read(KILLS / 5));
        }
    });
}

/// Kills runs that record into one folder, so many one after the other, and looks at what there is of each.
fn kill_and_read(kills: usize) {
    let pair = Pair::quiet();
    let mut run = Run::start(&pair, "{}", &[]);
    let mut begins = vec![0];
    for number in 0..kills {
        let begin = begins.last().copied().expect("a beginning");
        send(&pair, 5000, 1..50);
        let wanted = begin + 1 + number % 3;
        wait_for("some records", || run.live().len() >= wanted);
        // What is on disk does not wait for more.
        let first = run.live()[begin]["time"].clone();
        wait_for("a record on disk", || {
            let (recorded, _) = replayed(&run.past(), &[]);
            recorded.iter().any(|record| record["time"] == first)
        });
        run.end(Signal::SIGKILL);
        begins.push(run.live().len());
        run = Run::again(&pair, run.folder, "{}", &[]);
    }
    run.end(Signal::SIGKILL);
    let live = run.live();
    let (all, errors) = replayed(&run.past(), &[]);
    let told = errors.lines();
    let is_cut = |line: &str| {
        line.contains("ends in the middle of a frame") || line.contains("it ends before")
    };
    assert!(told.clone().all(is_cut), "{errors}");
    let at: HashMap<_, _> = all.iter().map(|it| (it["time"].as_str(), it)).collect();
    for of_run in begins.windows(2) {
        let found = live[of_run[0]..of_run[1]].iter().map(|record| {
            let found = at.get(&record["time"].as_str());
            found
                .inspect(|it| assert_eq!(without_run(it), without_run(record)))
                .is_some()
        });
        let found: Vec<bool> = found.collect();
        // What is missing, as the writer of records was ahead, is missing at the end.
        assert!(found[0]);
        assert!(
            found.is_sorted_by(|before, after| before >= after),
            "{found:?}"
        );
    }
}

/// Who opens a recording that is being written sees what comes, as it comes.
fn assert_followed(pair: &Pair, run: &Run) {
    let mut command = Command::new(PROGRAM);
    command
        .args(["replay", "past"])
        .current_dir(run.folder.path());
    let mut pty = Pty::start(&mut command, (120, 40), Control::Controlling);
    pty.wait_for_text("replay");
    send(pair, 5000, 1..7);
    pty.wait_for_text("10.0.0.2:40000");
}

/// Damage in the middle is told, and the rest is read; a file of a newer version is told.
fn assert_damage_is_told(past: &Path) {
    let is_segment = |it: &PathBuf| it.extension().is_some_and(|it| it == "flowrec");
    let files = fs::read_dir(past).expect("a folder");
    let mut paths = files.map(|it| it.expect("an entry").path());
    let segment = paths.find(is_segment).expect("a segment");
    let whole = fs::read(&segment).expect("read");
    let mut bytes = whole.clone();
    bytes[whole.len() / 4 * 3] ^= 0x10;
    fs::write(&segment, &bytes).expect("write");
    let output = replay(past, &["--json"]);
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert!(
        errors.contains("at byte ") && errors.lines().count() == 2,
        "{errors}"
    );
    assert!(!output.stdout.is_empty());
    bytes = whole;
    bytes[8] = 77;
    fs::write(&segment, &bytes).expect("write");
    let errors = String::from_utf8_lossy(&replay(past, &["--json"]).stderr).into_owned();
    assert!(
        errors.contains("a newer flowtop wrote it (format 77; this one reads 1)"),
        "{errors}"
    );
}

#[test]
fn a_recording_is_its_owners_alone_and_one_run_records_at_a_time() {
    if !support::root() {
        return;
    }
    let pair = Pair::quiet();
    let mut run = Run::start(&pair, "{}", &[]);
    let folder = fs::metadata(run.past()).expect("a folder");
    assert_eq!(folder.mode() & 0o777, 0o700);
    assert_ne!(folder.uid(), 0);
    wait_for("some records", || run.live().len() > 10);
    let past = run.past();
    let files = || {
        fs::read_dir(&past)
            .expect("a folder")
            .map(|it| it.expect("an entry"))
    };
    let is_segment = |it: &fs::DirEntry| it.path().extension().is_some_and(|it| it == "flowrec");
    let segments = || files().filter(is_segment);
    for file in files() {
        let metadata = file.metadata().expect("a file");
        assert_eq!(
            (metadata.mode() & 0o777, metadata.uid()),
            (0o600, folder.uid())
        );
    }
    assert_eq!((segments().count(), files().count()), (1, 2));
    let second = program::run_to_end(
        &pair.receiver,
        &["--json", "--record", run.past().to_str().expect("UTF-8")],
    );
    let errors = String::from_utf8_lossy(&second.stderr).into_owned();
    assert_eq!(second.status.code(), Some(1));
    assert!(
        errors.ends_with("another run records there\n") && errors.lines().count() == 1,
        "{errors}"
    );
    assert_followed(&pair, &run);
    // Who reads along sees what is there.
    let (all, _) = replayed(&run.past(), &[]);
    assert!(!all.is_empty());
    run.end(Signal::SIGTERM);
    let said = format!(
        "flowtop: records to {}: 1.00 GB or 7 days of it
",
        past.display()
    );
    assert_eq!(run.errors(), said);
    assert_damage_is_told(&run.past());
}

#[test]
fn what_is_no_recording_is_told_in_one_line() {
    let folder = tempfile::tempdir().expect("a folder");
    let empty = folder.path();
    let file = empty.join("file");
    let refused = |folder: &Path, arguments: &[&str], says: &str| {
        let output = replay(folder, arguments);
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{errors}");
        assert!(
            errors.contains(says) && errors.lines().count() == 1,
            "{errors}"
        );
        assert!(output.stdout.is_empty());
    };
    refused(
        empty,
        &["--json"],
        "there is no recording (record one: flowtop --record DIR)",
    );
    refused(
        &empty.join("none"),
        &["--text"],
        "No such file or directory",
    );
    fs::write(&file, "").expect("write");
    refused(&file, &["--text"], "Not a directory");
    refused(empty, &[], "--json");
    refused(
        empty,
        &["--from", "-1h"],
        "need --json or --text (the dashboard: --at)",
    );
    refused(
        empty,
        &["--json", "--from", "soon"],
        "expected a time such as",
    );
}
