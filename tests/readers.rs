//! Readers that are slow, stop or go away, processes that are stopped, clocks that are set: no packet and no rate is
//! wrong after that.

mod support;

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, pipe2};
use serde_json::Value;
use support::Background;
use support::clock::wait_for;
use support::frames::{FrameSender, Udp};
use support::pair::{Pair, RECEIVER_LINK};
use support::program::{self, Flowtop, PROGRAM, interface, number};
use support::root;

/// Room for a few records.
const SMALL_PIPE: i32 = 4096;

fn send(pair: &Pair, packets: usize) {
    let frame = Udp::to_port(5000).with_payload(vec![0; 58]).frame();
    FrameSender::on(pair).send_in_step(vec![frame.as_slice(); packets]);
}

/// A run whose records nobody has read yet.
struct Unread {
    child: Background,
    output: ChildStdout,
}

impl Unread {
    fn start(pair: &Pair) -> Unread {
        let (output, writer) = pipe2(OFlag::O_CLOEXEC).expect("a pipe");
        // Before anything is in it: what is in use cannot be taken away.
        let size = fcntl(&writer, FcntlArg::F_SETPIPE_SZ(SMALL_PIPE)).expect("a small pipe");
        assert_eq!(size, SMALL_PIPE);
        let mut command = support::command(&pair.receiver, PROGRAM);
        command.args(["--json", "-i", RECEIVER_LINK, "-t", "0.1"]);
        command.current_dir("/").stdin(Stdio::null());
        command.stdout(Stdio::from(writer)).stderr(Stdio::piped());
        Unread {
            child: Background::spawn(&mut command),
            output: output.into(),
        }
    }

    /// What each of its threads is called, and the system call that it waits in.
    fn threads(&self) -> Vec<(String, String)> {
        let threads = std::fs::read_dir(format!("/proc/{}/task", self.child.0.id()));
        let read = |path: PathBuf| std::fs::read_to_string(path).unwrap_or_default();
        let told = |thread: std::fs::DirEntry| {
            let path = thread.path();
            (read(path.join("comm")), read(path.join("syscall")))
        };
        threads.expect("threads").flatten().map(told).collect()
    }

    /// Waits until a record finds no room.
    fn until_blocked(&self) {
        let write = format!("{} ", libc::SYS_write);
        wait_for("a full pipe", || {
            let mut threads = self.threads().into_iter();
            threads.any(|(name, call)| name == "writer\n" && call.starts_with(&write))
        });
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.0.id() as i32), signal).expect("kill");
    }

    /// All of its records, of a run that has been told to end, and does.
    fn read_to_the_end(&mut self) -> Vec<Value> {
        let lines = BufReader::new(&mut self.output).lines();
        let records = lines
            .map(|line| serde_json::from_str(&line.expect("a line")).expect("a record"))
            .collect();
        assert_eq!(self.ended(), (Some(0), String::new()));
        records
    }

    fn ended(&mut self) -> (Option<i32>, String) {
        let mut status = None;
        wait_for("the end", || {
            status = self.child.0.try_wait().expect("wait");
            status.is_some()
        });
        let mut said = String::new();
        let mut errors = self.child.0.stderr.take().expect("a pipe");
        errors.read_to_string(&mut said).expect("text");
        (status.and_then(|status| status.code()), said)
    }
}

fn seconds(record: &Value) -> f64 {
    record["interval_s"].as_f64().expect("seconds")
}

/// The bytes of the interface that came in this interval, by its rate.
fn bytes_by_rate(record: &Value) -> f64 {
    let rate = interface(record, RECEIVER_LINK)["throughput"].as_f64();
    rate.expect("a rate") * seconds(record)
}

/// Each record's rate is what its total grew by, over the time that it says.
fn assert_rates_fit(records: &[Value]) {
    for pair in records.windows(2) {
        let bytes = |record| number(&interface(record, RECEIVER_LINK)["bytes"]) as f64;
        let grown = bytes(&pair[1]) - bytes(&pair[0]);
        let by_rate = bytes_by_rate(&pair[1]);
        assert!(
            (grown - by_rate).abs() < 0.01 * grown.max(1.0),
            "{grown} {by_rate}"
        );
    }
}

#[test]
fn a_reader_that_stops_reading_misses_no_packet_and_is_told_how_many_intervals_a_record_covers() {
    if !root() {
        return;
    }
    let pair = Pair::quiet();
    let mut run = Unread::start(&pair);
    run.until_blocked();
    let began = Instant::now();
    for _ in 0..10 {
        send(&pair, 50);
        std::thread::sleep(Duration::from_millis(100));
    }
    let blocked = began.elapsed().as_secs_f64();
    run.signal(Signal::SIGTERM);
    let records = run.read_to_the_end();
    let last = records.last().expect("a record");
    assert_eq!(number(&interface(last, RECEIVER_LINK)["packets"]), 500);
    program::assert_adds_up(last);
    assert_rates_fit(&records);
    // Records cover the time in which nobody read, and one of them says that it is of several intervals. How many readings
    // there were in it is the machine's affair.
    let covered: f64 = records.iter().map(seconds).sum();
    assert!(covered >= blocked, "{covered} {blocked}");
    assert!(
        records
            .iter()
            .any(|record| number(&record["intervals"]) > 1)
    );
    for record in &records {
        let intervals = number(&record["intervals"]) as f64;
        // Readings that come late are one interval, but a longer one.
        assert!(seconds(record) > 0.1 * (intervals - 1.0), "{record:#}");
    }
}

/// The record that waited is written as the signal comes: an interval that closes just then must not be missing between
/// the last two records. Which of the two is first differs by some microseconds from run to run.
#[test]
fn a_run_that_ends_as_its_reader_comes_back_tells_every_interval() {
    if !root() {
        return;
    }
    let pair = Pair::quiet();
    for microseconds in (0..360).step_by(24) {
        let mut run = Unread::start(&pair);
        run.until_blocked();
        send(&pair, 5);
        // An interval passes, which nobody can see.
        std::thread::sleep(Duration::from_millis(150));
        run.signal(Signal::SIGTERM);
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_micros(microseconds) {
            std::hint::spin_loop();
        }
        let records = run.read_to_the_end();
        let last = records.last().expect("a record");
        assert_eq!(number(&interface(last, RECEIVER_LINK)["packets"]), 5);
        assert_rates_fit(&records);
    }
}

/// The second signal may come before counting has ended, in the grace period that this takes, and after it. They are two
/// different ones, as the kernel may deliver two of a kind as one.
#[test]
fn a_run_that_nobody_reads_ends_when_it_is_told_twice_and_says_what_is_lost() {
    if !root() {
        return;
    }
    let pair = Pair::quiet();
    let mut runs: Vec<_> = (0..8).map(|_| Unread::start(&pair)).collect();
    runs.iter().for_each(Unread::until_blocked);
    for (number, run) in runs.iter().enumerate() {
        run.signal(Signal::SIGTERM);
        std::thread::sleep(Duration::from_millis(4 * number as u64));
        run.signal(Signal::SIGINT);
    }
    let expected = "flowtop: write to standard output: nobody reads, and the last record is lost\n";
    for run in &mut runs {
        assert_eq!(run.ended(), (Some(1), expected.to_owned()));
    }
}

/// timeout(1), for one, sends each signal twice.
#[test]
fn a_signal_that_comes_twice_takes_no_record_from_a_slow_reader() {
    if !root() {
        return;
    }
    let pair = Pair::quiet();
    let flows: Vec<_> = (1..2000).map(|port| Udp::to_port(port).frame()).collect();
    let mut run = Unread::start(&pair);
    run.until_blocked();
    FrameSender::on(&pair).send_in_step(flows.iter().map(Vec::as_slice));
    run.signal(Signal::SIGTERM);
    run.signal(Signal::SIGINT);
    // Longer than a reader that stands still is waited for.
    let mut slowly = Vec::new();
    let began = Instant::now();
    while began.elapsed() < Duration::from_millis(1500) {
        let mut bytes = [0; SMALL_PIPE as usize];
        let read = run.output.read(&mut bytes).expect("bytes");
        assert!(read > 0, "the run ended");
        slowly.extend(&bytes[..read]);
        std::thread::sleep(Duration::from_millis(10));
    }
    run.output.read_to_end(&mut slowly).expect("bytes");
    assert_eq!(run.ended(), (Some(0), String::new()));
    let last = slowly.trim_ascii_end().rsplit(|byte| *byte == b'\n').next();
    let last: Value = serde_json::from_slice(last.expect("a line")).expect("a record");
    assert_eq!(program::flows(&last).count(), flows.len());
}

#[test]
fn a_blocked_reader_that_goes_away_ends_the_run_quietly() {
    if !root() {
        return;
    }
    let pair = Pair::quiet();
    let mut run = Unread::start(&pair);
    run.until_blocked();
    let (another, _) = nix::unistd::pipe().expect("a pipe");
    run.output = another.into();
    assert_eq!(run.ended(), (Some(0), String::new()));
}

#[test]
fn a_process_that_was_stopped_has_the_right_totals_and_rates_afterwards() {
    if !root() {
        return;
    }
    let pair = Pair::quiet();
    let mut run = Flowtop::watch(&pair, "{}");
    send(&pair, 100);
    run.settle(100);
    let before = run.record().clone();
    run.stop();
    let stopped = Instant::now();
    // Ten bursts over three seconds.
    for _ in 0..10 {
        send(&pair, 30);
        std::thread::sleep(Duration::from_millis(300));
    }
    let stopped = stopped.elapsed().as_secs_f64();
    run.signal(Signal::SIGCONT);
    let mut records = vec![before];
    loop {
        let record = run.record().clone();
        records.push(record);
        let last = records.last().expect("one");
        if number(&interface(last, RECEIVER_LINK)["packets"]) == 400 && records.len() > 3 {
            break;
        }
        assert!(records.len() < 100, "{last:#}");
    }
    assert_rates_fit(&records);
    let longest = records.iter().map(seconds).fold(0.0, f64::max);
    assert!(longest >= stopped, "{longest} {stopped}");
    assert!(longest < stopped + 20.0, "{longest} {stopped}");
    let last = run.last_record();
    program::assert_adds_up(&last);
    let flow = program::flow_to(&last, "udp", 5000);
    assert_eq!(number(&flow["packets"]), 400);
}

/// A library that sets the clock of the day back by an hour, forth by two, and so on, each time it is asked for.
fn unsteady_clock(folder: &Path) -> PathBuf {
    let source = folder.join("clock.c");
    let library = folder.join("clock.so");
    let text = r#"
        #define _GNU_SOURCE
        #include <sys/syscall.h>
        #include <time.h>
        #include <unistd.h>
        int clock_gettime(clockid_t clock, struct timespec *now)
        {
            static int asked;
            int outcome = syscall(SYS_clock_gettime, clock, now);
            if (clock == CLOCK_REALTIME)
                now->tv_sec += __sync_fetch_and_add(&asked, 1) % 2 ? 3600 : -3600;
            return outcome;
        }
    "#;
    std::fs::write(&source, text).expect("write");
    let mut cc = Command::new("cc");
    cc.args(["-shared", "-fPIC", "-o"])
        .arg(&library)
        .arg(&source);
    assert!(cc.status().expect("cc").success());
    library
}

/// Has the program run in a time namespace whose monotonic clock is so many seconds ahead, as containers may.
fn ahead_of_the_machine(command: &mut Command, seconds: i64) {
    let offset = format!("monotonic {seconds} 0\n");
    let enter = move || {
        unshare(CloneFlags::from_bits_retain(libc::CLONE_NEWTIME))?;
        std::fs::write("/proc/self/timens_offsets", &offset)?;
        let clock = std::fs::File::open("/proc/self/ns/time_for_children")?;
        Ok(setns(
            clock,
            CloneFlags::from_bits_retain(libc::CLONE_NEWTIME),
        )?)
    };
    // SAFETY: between fork and exec the closure makes system calls; paths are short enough for the stack.
    unsafe { command.pre_exec(enter) };
}

#[test]
fn in_a_time_namespace_ages_are_true_and_silent_flows_leave_in_time() {
    if !root() {
        return;
    }
    let up_for = support::clock::now_ns() / 1_000_000_000;
    for ahead in [100_000, -(up_for as i64 / 2)] {
        let pair = Pair::quiet();
        let began = Instant::now();
        let mut run = Flowtop::start_with(
            &pair.receiver,
            r#"{"FLOW_TIMEOUT": 2}"#,
            &["-i", RECEIVER_LINK, "-t", "0.1"],
            |command| ahead_of_the_machine(command, ahead),
        );
        send(&pair, 10);
        let age = |record: &Value, of: &str| {
            let flow = program::flows(record).next();
            flow.map(|flow| flow[of].as_f64().expect("seconds"))
        };
        let aged = run.until("a flow that is silent", |record| {
            age(record, "last_seen_s").is_some_and(|age| age > 0.5)
        });
        let took = began.elapsed().as_secs_f64();
        assert!(age(aged, "last_seen_s") < Some(took), "{aged:#}");
        assert!(age(aged, "first_seen_s") < Some(took), "{aged:#}");
        assert!(seconds(aged) < took, "{aged:#}");
        let left = run.until("its end", |record| program::flows(record).count() == 0);
        let ended = &interface(left, RECEIVER_LINK)["ended"];
        assert_eq!(number(&ended["packets"]), 10, "{left:#}");
        run.last_record();
    }
}

#[test]
fn a_clock_that_is_set_changes_the_time_of_day_and_no_rate() {
    if !root() {
        return;
    }
    let pair = Pair::quiet();
    let folder = tempfile::tempdir().expect("a folder");
    let library = unsteady_clock(folder.path());
    let mut run = Flowtop::start_with(
        &pair.receiver,
        "{}",
        &["-i", RECEIVER_LINK, "-t", "0.1", "-j", "5"],
        |command| _ = command.env("LD_PRELOAD", &library),
    );
    let began = Instant::now();
    let mut records = vec![run.record().clone()];
    for _ in 0..10 {
        send(&pair, 10);
        records.push(run.record().clone());
    }
    // Each record: what comes in one that is left out is in no rate that is looked at.
    let packets = |record: &Value| number(&interface(record, RECEIVER_LINK)["packets"]);
    while packets(&records[records.len() - 1]) < 100 {
        assert!(records.len() < 200, "{:#}", records[records.len() - 1]);
        records.push(run.record().clone());
    }
    let took = began.elapsed().as_secs_f64();
    let hours: std::collections::BTreeSet<_> = records
        .iter()
        .map(|record| record["time"].as_str().expect("a time")[..13].to_owned())
        .collect();
    assert!(hours.len() > 1, "the clock was not set: {hours:?}");
    assert_rates_fit(&records);
    for record in &records {
        assert!(
            seconds(record) > 0.0 && seconds(record) < took + 1.0,
            "{record:#}"
        );
    }
    let flow = program::flow_to(records.last().expect("one"), "udp", 5000);
    let ms = |name: &str| flow[name].as_f64().expect("milliseconds");
    // All gaps lie within the time that sending took.
    assert!(ms("interarrival_mean_ms") * 99.0 <= took * 1e3, "{flow:#}");
    assert!(ms("jitter_ms") <= took * 1e3, "{flow:#}");
    for age in ["first_seen_s", "last_seen_s"] {
        let age = flow[age].as_f64().expect("seconds");
        assert!((0.0..took + 1.0).contains(&age), "{flow:#}");
    }
    run.last_record();
}
