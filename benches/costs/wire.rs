//! What a sender loses on the wire while somebody watches: between two namespaces, from a socket to a socket.

use std::io::Read;
use std::net::UdpSocket;
use std::os::fd::AsFd;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use flowtop::probe::attach::{Attachment, Ways};
use libbpf_rs::num_possible_cpus;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::drive::Driver;
use crate::sample::{Stopwatch, Summary};
use crate::support::pair::{Pair, RECEIVER_LINK, SENDER_LINK, link};
use crate::support::program::{self, Flowtop, number};
use crate::support::{clock, command};
use crate::table::{Line, Table, Target};

/// So many pairs of links, one that nobody watches and one that somebody does: where the kernel happens to put them moves a
/// packet by as much as a small program costs.
const LINKS: usize = 7;
/// So many pairs of samples on each.
const ROUNDS: usize = 15;
const PORT: u16 = 5201;
/// With it a frame has 64 bytes.
const PAYLOAD: [u8; 22] = [0; 22];
/// Short, so that what disturbs one sample disturbs the next one as well.
const TIME: Duration = Duration::from_millis(50);
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

/// Programs that do less, on the same hook: what there is to lose.
const PARTS: [(&str, &str); 3] = [
    ("- a program that does nothing", "empty"),
    ("- one that reads the clock once", "clock_only"),
    (
        "- one that parses and adds in a per-CPU hash map",
        "hash_only",
    ),
];

/// What a watcher missed.
#[derive(Default)]
struct Missed {
    packets: u64,
    of: u64,
}

/// Measures flowtop, and those of the others that are installed: one after the other, each beside its own baseline.
pub fn measure(driver: &Driver, table: &mut Table) -> Result<()> {
    table.begin(
        "On the wire: UDP packets of 64 bytes a second, from one sender between two namespaces",
        "thousands a second of the sender's CPU, which receives them as well, but where another CPU does. Those that found no room on their way \
         to the link do not count. Baseline: the same in turn on a link that nobody watches, or where a program only reads the clock.",
    );
    let mut add = |what: &str, [alone, watched]: [Summary; 2], target| {
        table.add(&Line {
            what: what.to_owned(),
            unit: "k/s",
            baseline: Some(alone),
            flowtop: watched,
            target,
        });
    };
    for (what, program) in PARTS {
        if let Some(rates) = with_program(driver, program)? {
            add(what, rates, Target::None);
        }
    }
    let mut missed = Missed::default();
    for (what, taken_in) in [
        ("flowtop", TakenIn::BySender),
        ("flowtop, another CPU receives", TakenIn::ByAnother),
    ] {
        if matches!(taken_in, TakenIn::ByAnother) && num_possible_cpus()? == 1 {
            continue;
        }
        if let Some(rates) = flowtop(taken_in, None, &mut missed)? {
            add(what, rates, Target::None);
        }
        if let Some(rates) = flowtop(taken_in, Some(driver), &mut missed)? {
            let what = format!("{what}, against the clock alone");
            add(&what, rates, Target::AtLeast(0.98));
        }
    }
    let mut notes = format!(
        "\nMissed by flowtop: {} of {} packets",
        missed.packets, missed.of
    );
    for tool in &TOOLS {
        if !is_there(tool.program) {
            notes += &format!("; {} is not installed", tool.program);
            continue;
        }
        let (rates, missed) = watched_by(tool)?;
        add(tool.name, rates, Target::None);
        notes += &match tool.tells {
            true => format!("; by {}: {} of {}", tool.name, missed.packets, missed.of),
            false => format!("; {} does not say", tool.name),
        };
    }
    notes += ".\n";
    table.note(&notes);
    Ok(())
}

/// Whether a program is installed.
pub fn is_there(program: &str) -> bool {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&folders).any(|folder| folder.join(program).is_file())
}

/// Which CPU takes in what was sent.
#[derive(Clone, Copy)]
enum TakenIn {
    BySender,
    /// As on a host whose queues are spread over its CPUs: here by receive packet steering.
    ByAnother,
}

fn sending_cpu() -> Result<usize> {
    clock::cpus().pop().context("no CPU")
}

/// Moves what the pair's link receives to CPU 0 or 1.
fn steer(pair: &Pair, cpu: usize) -> Result<()> {
    // Which devices sysfs shows depends on who mounts it.
    const STEER: &str =
        "mount -t sysfs sysfs /sys && echo $2 > /sys/class/net/$1/queues/rx-0/rps_cpus";
    let mask = (1 << cpu).to_string();
    let arguments = ["--mount", "sh", "-c", STEER, "sh", RECEIVER_LINK, &mask];
    let status = command(&pair.receiver, "unshare").args(arguments).status();
    ensure!(status.context("start unshare")?.success());
    Ok(())
}

/// A link from a socket to a socket. What is received is thrown away by the receiving one, as nobody reads.
struct Wire {
    pair: Pair,
    socket: UdpSocket,
    _receiver: UdpSocket,
    taken_in: TakenIn,
    /// Packets that the link has received.
    arrived: u64,
}

impl Wire {
    fn new(taken_in: TakenIn) -> Result<Wire> {
        let pair = Pair::new();
        if let TakenIn::ByAnother = taken_in {
            steer(&pair, if sending_cpu()? == 0 { 1 } else { 0 })?;
        }
        let receiver = pair
            .receiver
            .within(|| Ok(UdpSocket::bind(("10.0.0.1", PORT))?))?;
        let socket = pair.sender.within(|| {
            let socket = UdpSocket::bind(("10.0.0.2", 0))?;
            socket.connect(("10.0.0.1", PORT))?;
            Ok(socket)
        })?;
        Ok(Wire {
            pair,
            socket,
            _receiver: receiver,
            taken_in,
            arrived: 0,
        })
    }

    /// Sends as fast as it can for a while; returns thousands of packets a second of its CPU, of those that arrived.
    fn flood(&mut self) -> Result<f64> {
        let flood = || {
            clock::pin(sending_cpu()?);
            let (begin, watch) = (Instant::now(), Stopwatch::start());
            let mut sent = 0u64;
            while begin.elapsed() < TIME {
                for _ in 0..64 {
                    self.socket.send(&PAYLOAD)?;
                    sent += 1;
                }
            }
            anyhow::Ok((sent, watch.ms()))
        };
        let before = self.dropped();
        let (sent, ms) = std::thread::scope(|scope| scope.spawn(flood).join().expect("no panic"))?;
        let arrived = sent - (self.dropped() - before);
        clock::wait_for_backlog(0);
        self.arrived += arrived;
        Ok(arrived as f64 / ms)
    }

    /// Packets that found no room in the queue of the CPU that receives them.
    fn dropped(&self) -> u64 {
        let link = link(&self.pair.sender, SENDER_LINK);
        link.counters.expect("counters").sent_dropped
    }
}

/// Rates of the baseline, and where somebody watches.
type Rates = [Vec<f64>; 2];

/// Adds those of one more link that nobody watches and of this one, in turn.
fn beside_nobody(watched: &mut Wire, rates: &mut Rates) -> Result<()> {
    beside(&mut Wire::new(watched.taken_in)?, watched, rates)
}

/// Adds those of both links, in turn. The first round does not count.
fn beside(other: &mut Wire, watched: &mut Wire, rates: &mut Rates) -> Result<()> {
    for round in 0..=ROUNDS {
        let pair = [other.flood()?, watched.flood()?];
        if round > 0 {
            rates
                .iter_mut()
                .zip(pair)
                .for_each(|(of, rate)| of.push(rate));
        }
    }
    Ok(())
}

/// Puts a program of the baselines on what the wire receives, for as long as what is returned is there. Nothing where the kernel
/// has no TCX.
fn attach(driver: &Driver, name: &str, wire: &Wire) -> Result<Option<impl Sized + use<>>> {
    let ifindex = wire.pair.receiver_ifindex();
    let program = driver.program(name)?;
    let program = program.as_fd();
    wire.pair
        .receiver
        .within(|| match Ways::new(false).attach(program, ifindex)? {
            Attachment::Tcx(link) => Ok(Some(link)),
            Attachment::Clsact(_) => Ok(None),
        })
}

/// Nothing where the kernel has no TCX.
fn with_program(driver: &Driver, name: &str) -> Result<Option<[Summary; 2]>> {
    let mut rates = Rates::default();
    for _ in 0..LINKS {
        let mut wire = Wire::new(TakenIn::BySender)?;
        let Some(_link) = attach(driver, name, &wire)? else {
            return Ok(None);
        };
        beside_nobody(&mut wire, &mut rates)?;
    }
    Ok(Some(rates.map(Summary::of)))
}

/// Beside a link that nobody watches, or one where a program of these baselines only reads the clock: nothing where the kernel
/// has no TCX for that.
fn flowtop(
    taken_in: TakenIn,
    clock: Option<&Driver>,
    missed: &mut Missed,
) -> Result<Option<[Summary; 2]>> {
    let mut rates = Rates::default();
    for _ in 0..LINKS {
        let (mut other, mut wire) = (Wire::new(taken_in)?, Wire::new(taken_in)?);
        let mut run = Flowtop::start(&wire.pair.receiver, "{}", &["-i", RECEIVER_LINK]);
        let link = match clock {
            Some(driver) => attach(driver, "clock_only", &other)?,
            None => None,
        };
        if clock.is_some() && link.is_none() {
            return Ok(None);
        }
        beside(&mut other, &mut wire, &mut rates)?;
        run.settle(wire.arrived);
        let record = run.last_record();
        missed.packets += wire.arrived - number(&program::flow_to(&record, "udp", PORT)["packets"]);
        missed.of += wire.arrived;
    }
    Ok(Some(rates.map(Summary::of)))
}

fn watched_by(tool: &Tool) -> Result<([Summary; 2], Missed)> {
    let mut rates = Rates::default();
    let mut missed = Missed::default();
    for _ in 0..LINKS {
        let mut wire = Wire::new(TakenIn::BySender)?;
        let mut child = command(&wire.pair.receiver, tool.program)
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
        let outcome = beside_nobody(&mut wire, &mut rates);
        let said = end(&mut child)?;
        outcome?;
        if tool.tells {
            missed.packets += wire.arrived.saturating_sub(captured(&said)?);
            missed.of += wire.arrived;
        }
    }
    Ok((rates.map(Summary::of), missed))
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
