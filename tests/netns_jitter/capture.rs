//! tcpdump on the same interface: its timestamps are taken right before the hook, and are the reference.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;
use std::thread::JoinHandle;

use super::support::pair::{Pair, RECEIVER_LINK};
use super::support::{self, Background};

/// Of a pcap file with nanoseconds.
const MAGIC: u32 = 0xa1b2_3c4d;
const FILE_HEADER: usize = 24;
const RECORD_HEADER: usize = 16;
/// Destination port of UDP over IPv4 without options.
const PORT: usize = 14 + 20 + 2;

/// A capture of UDP packets under way.
pub struct Capture {
    tcpdump: Background,
    file: JoinHandle<Vec<u8>>,
}

/// Arrivals, ns since the epoch, by destination port.
pub type Arrivals = BTreeMap<u16, Vec<u64>>;

impl Capture {
    /// Returns when tcpdump listens. It ends by itself after so many packets.
    pub fn start(pair: &Pair, packets: usize) -> Capture {
        // Not in immediate mode: to be woken by each packet takes ten microseconds, between its stamp and the hook.
        let mut command = support::command(&pair.receiver, "tcpdump");
        command.args([
            "-i",
            RECEIVER_LINK,
            "-n",
            "-U",
            "-w",
            "-",
            "-s",
            "64",
            "-Z",
            "root",
        ]);
        command.args(["--time-stamp-precision=nano", "-B", "8192"]);
        command.args(["-c", &packets.to_string(), "udp"]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut tcpdump = Background::spawn(&mut command);
        let mut output = tcpdump.0.stdout.take().expect("standard output");
        let file = std::thread::spawn(move || {
            let mut bytes = Vec::new();
            output.read_to_end(&mut bytes).expect("read");
            bytes
        });
        let errors = BufReader::new(tcpdump.0.stderr.take().expect("standard error"));
        let mut lines = errors.lines().map_while(Result::ok);
        assert!(
            lines.any(|line| line.contains("listening on")),
            "tcpdump does not listen"
        );
        // Whatever it says at the end must find a reader.
        std::thread::spawn(move || lines.for_each(drop));
        Capture { tcpdump, file }
    }

    /// Waits for its end.
    pub fn arrivals(mut self) -> Arrivals {
        let file = self.file.join().expect("no panic");
        assert!(self.tcpdump.0.wait().expect("wait").success());
        let word = |at: usize| u32::from_ne_bytes(file[at..at + 4].try_into().expect("four bytes"));
        assert_eq!(word(0), MAGIC, "nanoseconds in this machine's order");
        let mut arrivals = Arrivals::new();
        let mut at = FILE_HEADER;
        while at < file.len() {
            let moment = u64::from(word(at)) * 1_000_000_000 + u64::from(word(at + 4));
            let packet = at + RECORD_HEADER;
            let port = u16::from_be_bytes([file[packet + PORT], file[packet + PORT + 1]]);
            arrivals.entry(port).or_default().push(moment);
            at = packet + word(at + 8) as usize;
        }
        arrivals
    }
}
