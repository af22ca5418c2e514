//! tcpdump: it sees what comes in right before the hook does, what goes out when it does, and stamps it.

use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use flowtop::netns::Namespace;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::Background;

/// Of a pcap file with nanoseconds.
const MAGIC: u32 = 0xa1b2_3c4d;
const FILE_HEADER: usize = 24;
const RECORD_HEADER: usize = 16;

/// Whatever is waited for comes sooner, on the slowest machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// Which packets of a link are captured.
#[derive(Debug, Clone, Copy)]
pub enum Direction {
    /// Those that come in.
    In,
    /// Those that go out.
    Out,
}

/// A capture under way.
#[derive(Debug)]
pub struct Tcpdump {
    child: Background,
    /// One for each packet that was written.
    written: Receiver<()>,
    file: JoinHandle<Vec<u8>>,
}

impl Tcpdump {
    /// Returns when it listens to a link, or to `any`. Further arguments may choose packets.
    pub fn start(
        namespace: &Namespace,
        link: &str,
        direction: Direction,
        arguments: &[&str],
    ) -> Tcpdump {
        // Not in immediate mode: to be woken by each packet takes ten microseconds, between its stamp and the hook.
        let mut command = super::command(namespace, "tcpdump");
        let direction = match direction {
            Direction::In => "in",
            Direction::Out => "out",
        };
        command.args(["-i", link, "-Q", direction, "-n", "-U", "-w", "-"]);
        command.args(["-Z", "root", "-B", "16384"]);
        command.arg("--time-stamp-precision=nano").args(arguments);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = Background::spawn(&mut command);
        let mut output = child.0.stdout.take().expect("standard output");
        let (sender, written) = channel();
        let file = std::thread::spawn(move || {
            let mut bytes = Vec::new();
            let mut piece = vec![0; 1 << 16];
            let mut at = FILE_HEADER;
            loop {
                let length = output.read(&mut piece).expect("read");
                if length == 0 {
                    return bytes;
                }
                bytes.extend_from_slice(&piece[..length]);
                while let Some((_, next)) = record(&bytes, at) {
                    at = next;
                    // Nobody waits any more.
                    let _ = sender.send(());
                }
            }
        });
        let errors = BufReader::new(child.0.stderr.take().expect("standard error"));
        let mut lines = errors.lines().map_while(Result::ok);
        assert!(
            lines.any(|line| line.contains("listening on")),
            "tcpdump does not listen"
        );
        // Whatever it says at the end must find a reader.
        std::thread::spawn(move || lines.for_each(drop));
        Tcpdump {
            child,
            written,
            file,
        }
    }

    /// The file, as soon as so many packets are in it.
    pub fn file_of(mut self, packets: u64) -> Vec<u8> {
        for number in 0..packets {
            let written = self.written.recv_timeout(PATIENCE);
            assert!(written.is_ok(), "{number} packets of {packets}");
        }
        kill(Pid::from_raw(self.child.0.id() as i32), Signal::SIGINT).expect("kill");
        assert!(self.child.0.wait().expect("wait").success());
        let file = self.file.join().expect("no panic");
        assert_eq!(records(&file).count() as u64, packets);
        file
    }
}

fn word(file: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(*file.get(at..)?.first_chunk()?))
}

/// The record that begins there, ns since 1970 and bytes, and where the next one does.
fn record(file: &[u8], at: usize) -> Option<((u64, &[u8]), usize)> {
    let nanoseconds = u64::from(word(file, at)?) * 1_000_000_000 + u64::from(word(file, at + 4)?);
    let start = at + RECORD_HEADER;
    let end = start + word(file, at + 8)? as usize;
    Some(((nanoseconds, file.get(start..end)?), end))
}

/// When its packets came, ns since 1970, and what was kept of them.
pub fn records(file: &[u8]) -> impl Iterator<Item = (u64, &[u8])> {
    assert_eq!(
        word(file, 0),
        Some(MAGIC),
        "nanoseconds in this machine's order"
    );
    let mut at = FILE_HEADER;
    std::iter::from_fn(move || {
        let (found, next) = record(file, at)?;
        at = next;
        Some(found)
    })
}
