//! The program itself, run headless in a namespace: started, listened to, ended.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use flowtop::netns::Namespace;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;

use super::Background;
use super::pair::{Pair, RECEIVER_LINK};
pub use super::record::*;

/// The program under test.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_flowtop");

/// Whatever is waited for comes sooner, on the slowest machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// A headless run with `--json`. It is killed when this is dropped.
#[derive(Debug)]
pub struct Flowtop {
    child: Background,
    records: Receiver<Value>,
    reader: Option<JoinHandle<()>>,
    /// Bytes of records so far: of a full table they are many megabytes.
    written: Arc<AtomicU64>,
    errors: Option<JoinHandle<()>>,
    said: Arc<Mutex<String>>,
    folder: TempDir,
    latest: Value,
}

/// Standard output of a run, and how much came of it.
struct Output(ChildStdout, Arc<AtomicU64>);

impl Read for Output {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.0.read(buffer)?;
        self.1.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

/// How a run ended.
#[derive(Debug)]
pub struct Ended {
    /// The last record.
    pub record: Value,
    /// Exit code; `None` after a signal.
    pub code: Option<i32>,
    /// What it wrote to standard error.
    pub errors: String,
}

impl Flowtop {
    /// Watches the receiving end of a pair with a configuration (a JSON text), ten records a second.
    pub fn watch(pair: &Pair, config: &str) -> Flowtop {
        let arguments = ["-i", RECEIVER_LINK, "-t", "0.1"];
        Flowtop::start(&pair.receiver, config, &arguments)
    }

    /// Runs in a namespace with a configuration and further arguments; returns when it counts on all its hooks.
    pub fn start(namespace: &Namespace, config: &str, arguments: &[&str]) -> Flowtop {
        Flowtop::start_with(namespace, config, arguments, |_| {})
    }

    /// The same, after `prepare` has seen the command.
    pub fn start_with(
        namespace: &Namespace,
        config: &str,
        arguments: &[&str],
        prepare: impl FnOnce(&mut Command),
    ) -> Flowtop {
        Flowtop::launch(namespace, config, arguments, prepare).with_hooks()
    }

    /// The same without waiting for a record.
    pub fn launch(
        namespace: &Namespace,
        config: &str,
        arguments: &[&str],
        prepare: impl FnOnce(&mut Command),
    ) -> Flowtop {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("config.json");
        std::fs::write(&path, config).expect("write the configuration");
        let mut command = super::command(namespace, PROGRAM);
        command.arg("--json").arg("-c").arg(path).args(arguments);
        prepare(&mut command);
        Flowtop::spawn(&mut command, folder)
    }

    /// A run that some other command becomes, `--json` among its arguments; `folder` is kept as long as the run.
    pub fn from_command(command: &mut Command, folder: TempDir) -> Flowtop {
        Flowtop::spawn(command, folder).with_hooks()
    }

    fn with_hooks(mut self) -> Flowtop {
        self.until("hooks on all interfaces", |record| {
            interfaces(record).all(|interface| !interface["hook"].is_null())
        });
        self
    }

    /// Watches the receiving end of a pair without a configuration, in a folder where there may be one later.
    pub fn watch_without_config(pair: &Pair) -> Flowtop {
        let folder = tempfile::tempdir().expect("a folder");
        let mut command = super::command(&pair.receiver, PROGRAM);
        command.args(["--json", "-i", RECEIVER_LINK, "-t", "0.1"]);
        command.current_dir(folder.path()).env_remove("SUDO_UID");
        command.env("XDG_CONFIG_HOME", folder.path().join("user"));
        Flowtop::spawn(&mut command, folder)
    }

    fn spawn(command: &mut Command, folder: TempDir) -> Flowtop {
        command.stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = Background::spawn(command);
        let written = Arc::new(AtomicU64::new(0));
        let output = child.0.stdout.take().expect("standard output");
        let output = BufReader::new(Output(output, written.clone()));
        let mut errors = child.0.stderr.take().expect("standard error");
        let (sender, records) = channel();
        let reader = std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                let record = serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {line}"));
                if sender.send(record).is_err() {
                    return;
                }
            }
        });
        let said = Arc::new(Mutex::new(String::new()));
        let heard = said.clone();
        let errors = std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = errors.read(&mut bytes) {
                let text = String::from_utf8_lossy(&bytes[..count]);
                heard.lock().expect("no panic").push_str(&text);
            }
        });
        Flowtop {
            child,
            records,
            reader: Some(reader),
            written,
            errors: Some(errors),
            said,
            folder,
            latest: Value::Null,
        }
    }

    /// The configuration file of this run.
    pub fn config_path(&self) -> PathBuf {
        self.folder.path().join("config.json")
    }

    /// Replaces the configuration file by renaming another one over it.
    pub fn rename_config(&self, text: &str) {
        replace(&self.config_path(), text);
    }

    /// The next record.
    pub fn record(&mut self) -> &Value {
        match self.records.recv_timeout(PATIENCE) {
            Ok(record) => self.latest = record,
            Err(RecvTimeoutError::Timeout) => panic!("no record for {PATIENCE:?}"),
            Err(RecvTimeoutError::Disconnected) => {
                let _ = self.child.0.kill();
                panic!("the run ended: {}", self.take_errors())
            }
        }
        &self.latest
    }

    /// The next record that is as `wanted`; fails where there is none for a long time.
    pub fn until(&mut self, what: &str, wanted: impl Fn(&Value) -> bool) -> &Value {
        let deadline = Instant::now() + PATIENCE;
        while !wanted(self.record()) {
            let late = Instant::now() > deadline;
            assert!(!late, "waited in vain for {what}: {:#}", self.latest);
        }
        &self.latest
    }

    /// Waits until so many packets were counted on one interface, or none came for some seconds: the test will tell.
    pub fn settle(&mut self, packets: u64) {
        let mut silent_since = Instant::now();
        let mut counted = 0;
        loop {
            let now = interfaces(self.record())
                .map(|i| number(&i["packets"]))
                .max();
            if now.unwrap_or(0) != counted {
                (counted, silent_since) = (now.unwrap_or(0), Instant::now());
            }
            if counted >= packets || silent_since.elapsed() > Duration::from_secs(3) {
                return;
            }
        }
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).expect("kill");
    }

    /// Stops it by SIGSTOP; returns when none of its threads does anything more.
    pub fn stop(&self) {
        self.signal(Signal::SIGSTOP);
        let is_stopped = |thread: std::io::Result<std::fs::DirEntry>| {
            let stat =
                thread.and_then(|thread| std::fs::read_to_string(thread.path().join("stat")));
            let stat = stat.expect("a thread");
            stat.rsplit(')')
                .next()
                .is_some_and(|rest| rest.starts_with(" T"))
        };
        let threads = || std::fs::read_dir(format!("/proc/{}/task", self.pid())).expect("threads");
        let deadline = Instant::now() + PATIENCE;
        while !threads().all(is_stopped) {
            assert!(Instant::now() < deadline, "it does not stop");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Its process.
    pub fn pid(&self) -> Pid {
        Pid::from_raw(self.child.0.id() as i32)
    }

    /// Ends the run by SIGTERM; every record must add up.
    pub fn finish(self) -> Ended {
        self.signal(Signal::SIGTERM);
        let ended = self.wait();
        assert_eq!(ended.code, Some(0), "{}", ended.errors);
        assert_adds_up(&ended.record);
        ended
    }

    /// Ends the run by SIGTERM and returns the last record.
    pub fn last_record(self) -> Value {
        self.finish().record
    }

    /// Waits until it ends by itself, and for all that it has written until then.
    pub fn wait(mut self) -> Ended {
        let mut written = 0;
        loop {
            match self.records.recv_timeout(PATIENCE) {
                Ok(record) => self.latest = record,
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {
                    let before =
                        std::mem::replace(&mut written, self.written.load(Ordering::Relaxed));
                    if before == written && self.child.0.try_wait().expect("wait").is_none() {
                        let _ = self.child.0.kill();
                        panic!("the run does not end: {}", self.take_errors());
                    }
                }
            }
        }
        let reader = self.reader.take().expect("a reader");
        reader.join().expect("each line is a record");
        let status = self.child.0.wait().expect("wait");
        Ended {
            record: std::mem::take(&mut self.latest),
            code: status.code(),
            errors: self.take_errors(),
        }
    }

    fn take_errors(&mut self) -> String {
        if let Some(thread) = self.errors.take() {
            thread.join().expect("no panic");
        }
        self.said()
    }

    /// What it has written to standard error so far.
    pub fn said(&self) -> String {
        self.said.lock().expect("no panic").clone()
    }
}

/// Replaces a configuration file by renaming another one over it.
pub fn replace(path: &Path, text: &str) {
    let new = path.with_extension("json.new");
    std::fs::write(&new, text).expect("write the configuration");
    std::fs::rename(new, path).expect("rename");
}

/// Runs the program to its end with these arguments and nothing else.
pub fn run_to_end(namespace: &Namespace, arguments: &[&str]) -> std::process::Output {
    let mut command = super::command(namespace, PROGRAM);
    command.args(arguments).stdin(Stdio::null());
    command.output().expect("run flowtop")
}
