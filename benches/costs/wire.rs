//! What a sender loses on the wire while somebody watches: between two namespaces, from a socket to a socket.

use std::io::Read;
use std::net::UdpSocket;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::sample::{Stopwatch, Summary, interleaved};
use crate::support::pair::{Pair, RECEIVER_LINK};
use crate::support::program::{self, Flowtop, number};
use crate::support::{clock, command};
use crate::table::{Line, Table, Target};

const ROUNDS: usize = 15;
const PORT: u16 = 5201;
/// With it a frame has 64 bytes.
const PAYLOAD: [u8; 22] = [0; 22];
const TIME: Duration = Duration::from_millis(500);
/// Most of the programs do not say when they have begun.
const SETTLING: Duration = Duration::from_millis(700);

/// A program that a user might run instead.
struct Tool {
    name: &'static str,
    program: &'static str,
    arguments: &'static [&'static str],
    /// Whether it says at its end how many packets it missed.
    tells: bool,
}

const TOOLS: [Tool; 3] = [
    Tool {
        name: "tcpdump, into nothing",
        program: "tcpdump",
        arguments: &["-n", "-i", RECEIVER_LINK, "-w", "/dev/null"],
        tells: true,
    },
    Tool {
        name: "iftop",
        program: "iftop",
        arguments: &["-t", "-n", "-N", "-P", "-i", RECEIVER_LINK],
        tells: false,
    },
    Tool {
        name: "bandwhich",
        program: "bandwhich",
        arguments: &["--raw", "-n", "-i", RECEIVER_LINK],
        tells: false,
    },
];

/// What watchers missed, in all rounds.
#[derive(Default)]
struct Missed {
    packets: u64,
    of: u64,
}

/// Measures flowtop, and those of the others that are installed.
pub fn measure(table: &mut Table) -> Result<()> {
    table.begin(
        "On the wire: UDP packets of 64 bytes a second, from one sender between two namespaces",
        "thousands a second of the sender's CPU, which receives them as well. Baseline: nobody watches.",
    );
    let tools: Vec<&Tool> = TOOLS.iter().filter(|tool| is_there(tool.program)).collect();
    let mut missed: [Missed; 5] = Default::default();
    let all: [Summary; 5] = interleaved(ROUNDS, |subject| {
        let counts = &mut missed[subject];
        match subject {
            0 => nobody(),
            1 => flowtop(counts),
            _ => match tools.get(subject - 2) {
                Some(tool) => watched_by(tool, counts),
                None => Ok(0.0),
            },
        }
    })?;
    let [alone, flowtop, others @ ..] = all;
    let mut add = |what: &str, rate, target| {
        table.add(&Line {
            what: what.to_owned(),
            unit: "k/s",
            baseline: Some(alone),
            flowtop: rate,
            target,
        });
    };
    add("flowtop", flowtop, Target::AtLeast(0.97));
    for (tool, rate) in tools.iter().zip(others) {
        add(tool.name, rate, Target::None);
    }
    let mut notes = format!(
        "\nMissed by flowtop: {} of {} packets",
        missed[1].packets, missed[1].of
    );
    for (tool, missed) in tools.iter().zip(&missed[2..]) {
        notes += &match tool.tells {
            true => format!("; by {}: {} of {}", tool.name, missed.packets, missed.of),
            false => format!("; {} does not say", tool.name),
        };
    }
    for tool in TOOLS.iter().filter(|tool| !is_there(tool.program)) {
        notes += &format!("; {} is not installed", tool.program);
    }
    notes += ".\n";
    print!("{notes}");
    table.text += &notes;
    Ok(())
}

fn is_there(program: &str) -> bool {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&folders).any(|folder| folder.join(program).is_file())
}

/// Sends as fast as it can for a while; returns how many packets, and thousands of them a second of its CPU. What is received is
/// thrown away by the receiving socket.
fn send(pair: &Pair) -> Result<(u64, f64)> {
    let _receiver = pair
        .receiver
        .within(|| Ok(UdpSocket::bind(("10.0.0.1", PORT))?))?;
    let socket = pair.sender.within(|| {
        let socket = UdpSocket::bind(("10.0.0.2", 0))?;
        socket.connect(("10.0.0.1", PORT))?;
        Ok(socket)
    })?;
    let flood = || {
        clock::pin(*clock::cpus().last().context("no CPU")?);
        let (begin, watch) = (Instant::now(), Stopwatch::start());
        let mut sent = 0u64;
        while begin.elapsed() < TIME {
            for _ in 0..64 {
                socket.send(&PAYLOAD)?;
                sent += 1;
            }
        }
        anyhow::Ok((sent, sent as f64 / watch.ms()))
    };
    std::thread::scope(|scope| scope.spawn(flood).join().expect("no panic"))
}

fn nobody() -> Result<f64> {
    Ok(send(&Pair::new())?.1)
}

fn flowtop(missed: &mut Missed) -> Result<f64> {
    let pair = Pair::new();
    let mut run = Flowtop::start(&pair.receiver, "{}", &["-i", RECEIVER_LINK]);
    let (sent, rate) = send(&pair)?;
    run.settle(sent);
    let record = run.last_record();
    let counted = number(&program::flow_to(&record, "udp", PORT)["packets"]);
    missed.packets += sent - counted;
    missed.of += sent;
    Ok(rate)
}

fn watched_by(tool: &Tool, missed: &mut Missed) -> Result<f64> {
    let pair = Pair::new();
    let mut child = command(&pair.receiver, tool.program)
        .args(tool.arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("start {}", tool.program))?;
    std::thread::sleep(SETTLING);
    ensure!(
        child.try_wait()?.is_none(),
        "{} ended at once",
        tool.program
    );
    let outcome = send(&pair);
    let said = end(&mut child)?;
    let (sent, rate) = outcome?;
    if tool.tells {
        missed.packets += sent.saturating_sub(captured(&said)?);
        missed.of += sent;
    }
    Ok(rate)
}

/// SIGINT, as a user would; what it wrote to standard error.
fn end(child: &mut Child) -> Result<String> {
    std::thread::sleep(SETTLING);
    kill(Pid::from_raw(child.id() as i32), Signal::SIGINT)?;
    let mut said = String::new();
    let mut errors = child.stderr.take().context("standard error")?;
    errors.read_to_string(&mut said)?;
    child.wait()?;
    Ok(said)
}

/// "12345 packets captured".
fn captured(said: &str) -> Result<u64> {
    said.lines()
        .find_map(|line| line.strip_suffix(" packets captured")?.parse().ok())
        .with_context(|| format!("no count in {said:?}"))
}
