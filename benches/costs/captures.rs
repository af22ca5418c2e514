//! A capture, read to its end: by flowtop, and by other programs.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

use crate::sample::interleaved;
use crate::support::craft::{IPV4, ethernet, udp, v4};
use crate::support::program::PROGRAM;
use crate::table::{Line, Table, Target};
use crate::wire::is_there;

const ROUNDS: usize = 5;
const PACKETS: u64 = 5_000_000;
/// For what takes a minute otherwise.
const FEWER_PACKETS: u64 = 200_000;
/// Between two packets: a million a second.
const GAP_NS: u64 = 1000;
/// Bytes of frames in turn, without their checksum: seven of the shortest, four of a middle size, one of the longest (IMIX).
const SIZES: [usize; 12] = [60, 60, 590, 60, 60, 590, 60, 1514, 60, 590, 60, 590];

/// Offsets in a frame of UDP over IPv4.
const HEADERS: usize = 42;
const SOURCE: usize = 26;
const SOURCE_PORT: usize = 34;
const NUMBER: usize = HEADERS;

/// A file that is there until this is dropped.
struct Capture(PathBuf);

impl Drop for Capture {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

impl Capture {
    /// Packets, each of any flow of so many.
    fn of(packets: u64, flows: u32) -> Result<Capture> {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let capture = Capture(folder.join(format!("{packets}-{flows}.pcap")));
        let mut file = BufWriter::new(File::create(&capture.0)?);
        let header = [0xa1b2_3c4d, 0x0004_0002, 0, 0, 262_144, 1u32];
        file.write_all(&header.map(u32::to_ne_bytes).concat())?;
        let frame = |size| ethernet(IPV4, &v4(17, &udp((0, 5201), &vec![0; size - HEADERS])));
        let mut frames = SIZES.map(frame);
        let mut state = 42u64;
        for number in 0..packets {
            let frame = &mut frames[number as usize % SIZES.len()];
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1);
            let flow = (state >> 33) as u32 % flows;
            frame[SOURCE..SOURCE + 4].copy_from_slice(&(0x0a00_0002 + flow).to_be_bytes());
            frame[SOURCE_PORT..SOURCE_PORT + 2].copy_from_slice(&(flow as u16).to_be_bytes());
            frame[NUMBER..NUMBER + 4].copy_from_slice(&(number as u32).to_be_bytes());
            let ns = number * GAP_NS;
            let record = [ns / 1_000_000_000, ns % 1_000_000_000].map(|time| time as u32);
            file.write_all(&record.map(u32::to_ne_bytes).concat())?;
            file.write_all(&[(frame.len() as u32).to_ne_bytes(); 2].concat())?;
            file.write_all(frame)?;
        }
        file.flush()?;
        Ok(capture)
    }

    /// Lets a program read it to its end: seconds of its CPU time, all threads and the kernel's work for it included.
    fn read_by(&self, program: &str, arguments: &[&str]) -> Result<f64> {
        let before = seconds_of_children()?;
        let status = Command::new(program)
            .args(arguments)
            .arg(&self.0)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .with_context(|| format!("start {program}"))?;
        ensure!(status.success(), "{program}: {status}");
        Ok(seconds_of_children()? - before)
    }
}

fn seconds_of_children() -> Result<f64> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let all = usage.user_time() + usage.system_time();
    Ok(all.num_microseconds() as f64 / 1e6)
}

/// A program with its arguments; the last one, the file's name, follows.
type Reader = (&'static str, &'static [&'static str]);

/// All of a capture is less than an interval: one record.
const FLOWTOP: Reader = (PROGRAM, &["--json", "-t", "60", "-r"]);
const TCPDUMP: Reader = ("tcpdump", &["-Z", "root", "-w", "/dev/null", "-r"]);
const TSHARK: Reader = ("tshark", &["-q", "-z", "conv,udp", "-r"]);
const NDPI: Reader = ("ndpiReader", &["-q", "-i"]);

/// Measures flowtop beside those of the others that are installed.
pub fn measure(table: &mut Table) -> Result<()> {
    table.begin(
        "Captures: a file of UDP packets, read to its end",
        "A million packets a second, of 60, 590 and 1,514 bytes (7 : 4 : 1). Seconds of CPU time of the whole process. Baseline: the other program on the same file; tcpdump writes the packets to \
         /dev/null, tshark tells conversations.",
    );
    let mut missing = Vec::new();
    for (packets, flows, other, target) in [
        (PACKETS, 1000, TCPDUMP, Target::Ratio(1.0)),
        (PACKETS, 100_000, TCPDUMP, Target::Ratio(2.0)),
        (FEWER_PACKETS, 1000, TSHARK, Target::Ratio(0.05)),
        (FEWER_PACKETS, 1000, NDPI, Target::None),
    ] {
        if !is_there(other.0) {
            missing.push(other.0);
            continue;
        }
        let capture = Capture::of(packets, flows)?;
        let [baseline, flowtop] = interleaved(ROUNDS, |subject| {
            let (program, arguments) = [other, FLOWTOP][subject];
            capture.read_by(program, arguments)
        })?;
        table.add(&Line {
            what: format!("{packets} packets of {flows} flows, beside {}", other.0),
            unit: "s",
            baseline: Some(baseline),
            flowtop,
            target,
        });
    }
    if !missing.is_empty() {
        table.note(&format!("\nNot installed: {}.\n", missing.join(", ")));
    }
    Ok(())
}
