//! Disks without room, on small file systems that only the processes of one mount namespace see: the run goes on, each
//! record is whole, and all of them together are what was sent.

mod support;

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use support::Background;
use support::clock::wait_for;
use support::frames::{FrameSender, Udp};
use support::pair::{Pair, RECEIVER_LINK};
use support::program::{self, PROGRAM, interface, number};
use support::root;
use tempfile::TempDir;

/// Waits behind a small file system until its standard input is closed.
const MOUNT: &str = r#"mount -t tmpfs -o "size=$2" tmpfs "$1" && echo ready && exec cat"#;

/// A small disk.
struct Disk {
    holder: Background,
    mounted_on: TempDir,
}

impl Disk {
    fn new(size: &str) -> Disk {
        let mounted_on = tempfile::tempdir().expect("a folder");
        let mut command = Command::new("unshare");
        command.args(["--mount", "--propagation", "private", "sh", "-c", MOUNT]);
        command.arg("sh").arg(mounted_on.path()).arg(size);
        let mut holder = Background::spawn(command.stdin(Stdio::piped()).stdout(Stdio::piped()));
        let output = holder.0.stdout.take().expect("standard output");
        let mut line = String::new();
        let read = BufReader::new(output).read_line(&mut line);
        assert!(read.is_ok() && line == "ready\n", "no disk: {line}");
        Disk { holder, mounted_on }
    }

    /// A file on the disk, for the processes of the test.
    fn file(&self, name: &str) -> PathBuf {
        self.holder.path(self.mounted_on.path()).join(name)
    }

    /// Leaves no room.
    fn fill(&self) {
        let mut ballast = File::create(self.file("ballast")).expect("create");
        while ballast.write_all(&[0; 4096]).is_ok() {}
    }

    fn empty(&self) {
        fs::remove_file(self.file("ballast")).expect("remove");
    }
}

/// A run that writes to a disk.
struct Run {
    child: Background,
    folder: TempDir,
}

impl Run {
    /// `script` is given the program and its arguments, in the disk's folder.
    fn start(pair: &Pair, disk: &Disk, script: &str, arguments: &[&str]) -> Run {
        let folder = tempfile::tempdir().expect("a folder");
        let errors = File::create(folder.path().join("errors")).expect("create");
        let mut command = support::command(&pair.receiver, "nsenter");
        command.arg(format!("--mount=/proc/{}/ns/mnt", disk.holder.0.id()));
        command.args(["--", "sh", "-c", &format!("cd \"$0\" && {script}")]);
        command.arg(disk.mounted_on.path()).arg(PROGRAM);
        command.args(["--json", "-i", RECEIVER_LINK, "-t", "0.1"]);
        command.args(arguments).stdin(Stdio::null()).stderr(errors);
        let child = Background::spawn(&mut command);
        Run { child, folder }
    }

    /// What it wrote to standard error so far.
    fn said(&self) -> String {
        fs::read_to_string(self.folder.path().join("errors")).expect("errors")
    }

    fn until_it_says(&self, what: &str) {
        wait_for(what, || self.said().contains(what));
    }

    fn stop(&mut self) -> Option<i32> {
        let process = Pid::from_raw(self.child.0.id() as i32);
        kill(process, Signal::SIGTERM).expect("kill");
        let mut status = None;
        wait_for("the end", || {
            status = self.child.0.try_wait().expect("wait");
            status.is_some()
        });
        status.and_then(|status| status.code())
    }
}

fn send(pair: &Pair, packets: usize) {
    let frame = Udp::to_port(5000).with_payload(vec![0; 58]).frame();
    FrameSender::on(pair).send_in_step(vec![frame.as_slice(); packets]);
}

/// Ten bursts in a second.
fn send_500(pair: &Pair) {
    for _ in 0..10 {
        send(pair, 50);
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// The records of a text, each of which must be whole.
fn records(text: &str) -> Vec<Value> {
    assert!(text.ends_with('\n'), "half a record at the end");
    let parse = |line: &str| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
    text.lines().map(parse).collect()
}

/// All packets are there, intervals without a record of their own are told, and each rate is what a total grew by.
fn assert_complete(records: &[Value], packets: u64, pauses: u64) {
    let last = records.last().expect("a record");
    assert_eq!(number(&interface(last, RECEIVER_LINK)["packets"]), packets);
    program::assert_adds_up(last);
    let joined = records
        .iter()
        .map(|record| number(&record["intervals"]) - 1);
    let joined: u64 = joined.sum();
    assert!(joined >= 5, "{joined} intervals of a second and more");
    assert_eq!(last["output"]["joined_intervals"], joined);
    assert_eq!(last["output"]["pauses"], pauses);
    assert_rates_fit(records);
}

/// Each record's rate is what its total grew by since the one before.
fn assert_rates_fit(records: &[Value]) {
    for pair in records.windows(2) {
        let of = |record| interface(record, RECEIVER_LINK);
        let grown = number(&of(&pair[1])["bytes"]) - number(&of(&pair[0])["bytes"]);
        let rate = of(&pair[1])["throughput"].as_f64().expect("a rate");
        let by_rate = rate * pair[1]["interval_s"].as_f64().expect("seconds");
        assert!((grown as f64 - by_rate).abs() < 0.01, "{grown} {by_rate}");
    }
}

#[test]
fn standard_output_on_a_full_disk_waits_for_room_and_the_next_record_joins_what_was_missed() {
    if !root() {
        return;
    }
    let (pair, disk) = (Pair::quiet(), Disk::new("256k"));
    let mut run = Run::start(&pair, &disk, "exec \"$@\" >>records", &[]);
    let text = || fs::read_to_string(disk.file("records")).unwrap_or_default();
    wait_for("a record", || text().contains('\n'));
    disk.fill();
    run.until_it_says("No space left on device");
    send_500(&pair);
    disk.empty();
    run.until_it_says("there is room again");
    let lines = text().lines().count();
    wait_for("further records", || text().lines().count() > lines + 1);
    assert_eq!(run.stop(), Some(0), "{}", run.said());
    assert_complete(&records(&text()), 500, 1);
    let expected = "flowtop: write to standard output: No space left on device (os error 28) \
                    (counting goes on; what follows waits for room)\n\
                    flowtop: write to standard output: there is room again\n";
    assert_eq!(run.said(), expected);
}

#[test]
fn a_file_as_large_as_it_may_get_is_waited_for_like_a_full_disk() {
    if !root() {
        return;
    }
    let (pair, disk) = (Pair::quiet(), Disk::new("1m"));
    // In blocks of 512 bytes.
    let mut run = Run::start(&pair, &disk, "ulimit -f 16 && exec \"$@\" >>records", &[]);
    let file = disk.file("records");
    run.until_it_says("File too large");
    send_500(&pair);
    let mut text = fs::read_to_string(&file).expect("records");
    assert_eq!(text.len(), 16 * 512);
    // As logrotate does it where it copies and truncates.
    let emptied = OpenOptions::new().write(true).open(&file);
    emptied.and_then(|file| file.set_len(0)).expect("truncate");
    run.until_it_says("there is room again");
    assert_eq!(run.stop(), Some(0), "{}", run.said());
    text += &fs::read_to_string(&file).expect("records");
    assert_complete(&records(&text), 500, 1);
}

#[test]
fn a_run_that_is_to_end_does_not_wait_for_room() {
    if !root() {
        return;
    }
    let (pair, disk) = (Pair::quiet(), Disk::new("64k"));
    disk.fill();
    let mut run = Run::start(&pair, &disk, "exec \"$@\" >>records", &[]);
    run.until_it_says("No space left on device");
    assert_eq!(run.stop(), Some(1), "{}", run.said());
    let lines: Vec<_> = run.said().lines().map(str::to_owned).collect();
    let expected = "flowtop: write to standard output: No space left on device (os error 28), \
                    and the last records are lost";
    assert_eq!(lines.last().map(String::as_str), Some(expected));
    assert_eq!(lines.len(), 2, "{lines:?}");
}

#[test]
fn a_file_of_records_holds_whole_ones_while_there_is_no_room_and_goes_on_with_the_next() {
    if !root() {
        return;
    }
    let (pair, disk) = (Pair::quiet(), Disk::new("256k"));
    let mut run = Run::start(&pair, &disk, "exec \"$@\"", &["--output", "records"]);
    let text = || fs::read_to_string(disk.file("records")).unwrap_or_default();
    wait_for("a record", || text().contains('\n'));
    disk.fill();
    run.until_it_says("write to records: No space left on device");
    send_500(&pair);
    records(&text());
    disk.empty();
    run.until_it_says("write to records: there is room again");
    assert_eq!(run.stop(), Some(0), "{}", run.said());
    assert_complete(&records(&text()), 500, 1);
}

#[test]
fn a_recording_pauses_while_there_is_no_room_and_goes_on_with_all_that_was_counted() {
    if !root() {
        return;
    }
    let (pair, disk) = (Pair::quiet(), Disk::new("1m"));
    let arguments = ["--record", "past"];
    let mut run = Run::start(&pair, &disk, "exec \"$@\" >/dev/null", &arguments);
    let segments = || {
        let files = fs::read_dir(disk.file("past")).into_iter().flatten();
        let names = files.map(|file| file.expect("an entry").file_name());
        names
            .filter(|name| name.to_string_lossy().ends_with(".flowrec"))
            .count()
    };
    wait_for("a recording", || segments() == 1);
    send(&pair, 7);
    disk.fill();
    run.until_it_says("record to past: No space left on device");
    send_500(&pair);
    disk.empty();
    run.until_it_says("record to past: there is room again");
    send(&pair, 3);
    assert_eq!(run.stop(), Some(0), "{}", run.said());
    let expected = "flowtop: records to past: 1.00 GB or 7 days of it\n\
                    flowtop: record to past: No space left on device (os error 28) \
                    (recording pauses, and is tried again; counting goes on)\n\
                    flowtop: record to past: there is room again\n";
    assert_eq!(run.said(), expected);
    let mut replay = Command::new(PROGRAM);
    replay.arg("replay").arg(disk.file("past")).arg("--json");
    let output = replay.output().expect("run flowtop");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    assert!(
        errors.contains(" readings before this found no room"),
        "{errors}"
    );
    let all = records(&String::from_utf8_lossy(&output.stdout));
    let last = all.last().expect("a record");
    assert_eq!(number(&interface(last, RECEIVER_LINK)["packets"]), 510);
    program::assert_adds_up(last);
    // No check is sure of what is missing, and that is no failure of the replay.
    let output = replay.args(["--assert", "=> untracked=0"]).output();
    let output = output.expect("run flowtop");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{errors}");
    let told = "a part of the recording is missing, or could not be read";
    assert!(
        errors.contains("\nunsure ") && errors.contains(told),
        "{errors}"
    );
}

#[test]
fn files_of_records_are_bounded_in_size_and_number_and_miss_none_between_them() {
    if !root() {
        return;
    }
    let (pair, disk) = (Pair::quiet(), Disk::new("1m"));
    let arguments = ["--output", "records", "--rotate", "8K:4"];
    let mut run = Run::start(&pair, &disk, "exec \"$@\"", &arguments);
    let text = |name: &str| fs::read_to_string(disk.file(name)).unwrap_or_default();
    wait_for("four files", || {
        send(&pair, 5);
        !text("records.3").is_empty()
    });
    assert_eq!(run.stop(), Some(0), "{}", run.said());
    assert_eq!(run.said(), "");
    let entries = fs::read_dir(disk.file("")).expect("the disk");
    assert_eq!(entries.count(), 4);
    let mut all = Vec::new();
    for name in ["records.3", "records.2", "records.1", "records"] {
        let text = text(name);
        assert!(text.len() <= 8000, "{name}: {} bytes", text.len());
        all.extend(records(&text));
    }
    assert_rates_fit(&all);
}
