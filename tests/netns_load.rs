//! As much as this machine can send, and more flows than the table has room for: every packet is counted, and the
//! process needs no more memory for it.
//!
//! FLOWTOP_LONG_TESTS=1 (`make test-long`) takes a minute where `make test` takes some seconds.

mod support;

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use flowtop::model::snapshot::Volume;
use nix::sys::signal::Signal;
use nix::unistd::Pid;
use serde_json::Value;
use support::clock;
use support::frames::{FrameSender, Udp};
use support::hook;
use support::pair::{self, Pair, RECEIVER_LINK, SENDER_LINK};
use support::program::{self, Flowtop, flows, interface, number, volume};
use support::resident_kib;

/// Numbers at the start of payloads.
const NUMBERED: &str = r#"{"PATTERN": "0xFFFFFFFF", "OFFSET": 0}"#;
/// Ethernet, IPv4 and UDP.
const HEADERS: usize = 14 + 20 + 8;
/// The shortest frame on a wire, without its check sequence.
const SHORTEST: usize = 64;

/// One load at a time.
fn alone() -> MutexGuard<'static, ()> {
    static LOAD: Mutex<()> = Mutex::new(());
    LOAD.lock().unwrap_or_else(PoisonError::into_inner)
}

fn is_long() -> bool {
    std::env::var_os("FLOWTOP_LONG_TESTS").is_some()
}

/// Memory that is kept for each packet or flow that was would be many times as much in the end. Half as much again is
/// what readings take that are under way.
fn assert_flat(resident: &[u64]) {
    let (before, after) = (resident[0], resident[resident.len() - 1]);
    assert!(after <= before + before / 2, "memory in KiB: {resident:?}");
}

/// One of two senders: the same flows again and again, each with its next number.
struct Volley {
    frames: Vec<Vec<u8>>,
    times: u32,
}

impl Volley {
    const FLOWS: u16 = 64;

    fn new(which: u16) -> Volley {
        let frame = |n| {
            let udp = Udp::to_port(5000 + Volley::FLOWS * which + n);
            udp.with_number(0, 0, SHORTEST - HEADERS).frame()
        };
        Volley {
            frames: (0..Volley::FLOWS).map(frame).collect(),
            times: 0,
        }
    }

    fn send(&mut self, sender: &FrameSender) {
        for frame in &mut self.frames {
            frame[HEADERS..HEADERS + 4].copy_from_slice(&self.times.to_be_bytes());
        }
        sender.send_at_once(&self.frames);
        self.times += 1;
    }

    fn sent(&self) -> u64 {
        u64::from(self.times) * self.frames.len() as u64
    }
}

#[test]
fn at_full_rate_on_all_cpus_what_was_sent_is_counted_to_the_packet() {
    if !support::root() {
        return;
    }
    let _alone = alone();
    let time = Duration::from_secs(if is_long() { 60 } else { 5 });
    let pair = Pair::quiet();
    let mut run = Flowtop::watch(&pair, NUMBERED);
    let end = Instant::now() + time;
    let cpus = clock::cpus();
    let mut volleys = [Volley::new(0), Volley::new(1)];
    let mut resident = Vec::new();
    std::thread::scope(|scope| {
        for (volley, cpu) in volleys.iter_mut().zip(cpus.iter().cycle()) {
            let sender = FrameSender::on(&pair);
            scope.spawn(move || {
                clock::pin(*cpu);
                while Instant::now() < end {
                    volley.send(&sender);
                }
            });
        }
        while Instant::now() < end {
            run.record();
            resident.push(resident_kib(run.pid()));
        }
    });
    clock::wait_for_backlog(0);
    let sent = volleys.iter().map(Volley::sent).sum::<u64>();
    let counters = pair::link(&pair.sender, SENDER_LINK).counters;
    let dropped = counters.expect("counters").sent_dropped;
    run.settle(sent - dropped);
    let record = run.last_record();
    let seconds = time.as_secs_f64();
    println!(
        "{sent} packets sent in {seconds} s, {:.0} a second, {dropped} of them dropped by the link; memory {:?} KiB",
        sent as f64 / seconds,
        (resident.first(), resident.last()),
    );
    assert!(sent > 100_000, "{sent} packets are no load");
    // What overflowed the receiving CPU's backlog never came to the hook.
    let arrived = sent - dropped;
    assert_eq!(pair.received().received_packets, arrived);
    let seen = volume(interface(&record, RECEIVER_LINK));
    assert_eq!(seen, (arrived, arrived * SHORTEST as u64));
    assert_flows(&record, &volleys, dropped);
    assert_flat(&resident);
}

/// Each flow has all its packets, but for those that the link dropped: these are missing numbers.
fn assert_flows(record: &Value, volleys: &[Volley; 2], dropped: u64) {
    let mut missing = 0;
    for flow in flows(record) {
        let which = (number(&flow["destination_port"]) - 5000) / u64::from(Volley::FLOWS);
        let sent = u64::from(volleys[which as usize].times);
        let sequence = &flow["sequence"];
        let at_the_ends = sent - volume(flow).0 - number(&sequence["lost"]);
        assert!(at_the_ends == 0 || dropped > 0, "{flow}");
        assert_eq!(number(&sequence["duplicates"]), 0, "{flow}");
        assert_eq!(number(&sequence["reordered"]), 0, "{flow}");
        missing += sent - volume(flow).0;
    }
    assert_eq!(flows(record).count(), 2 * usize::from(Volley::FLOWS));
    assert_eq!(missing, dropped);
}

/// Flows of one packet each, and how often between them the lasting flows have their turn.
const DISTINCT: u32 = 1_000_000;
const BETWEEN: u32 = 500;
const LASTING: u16 = 10;
const LASTING_PORT: u16 = 10_000;
const SHORT_PORT: u16 = 20_000;

/// One of two senders: half of the short flows at a steady pace, and lasting ones of its own.
struct Flood {
    which: u16,
    rounds: u32,
    sent: Volume,
}

impl Flood {
    fn add(&mut self, frames: &[Vec<u8>]) {
        for frame in frames {
            self.sent += Volume {
                packets: 1,
                bytes: frame.len() as u64,
            };
        }
    }

    fn keep_lasting(&mut self, sender: &FrameSender) {
        let port = LASTING_PORT + LASTING * self.which;
        let frame = |port| Udp::to_port(port).with_number(self.rounds, 0, 64).frame();
        let frames: Vec<_> = (port..port + LASTING).map(frame).collect();
        sender.send_at_once(&frames);
        self.rounds += 1;
        self.add(&frames);
    }

    /// So many flows that nobody sent before, half a million of them in ten seconds. The lasting ones then go on until
    /// nobody is at work: the other sender may be through seconds later, on a busy machine.
    fn run(&mut self, sender: &FrameSender, flows: u32, at_work: Arc<()>) {
        let mut frame = Udp::to_port(SHORT_PORT + self.which)
            .with_payload(vec![0; SHORTEST - HEADERS])
            .frame();
        let rounds = self.rounds..self.rounds + flows / BETWEEN;
        let pause = Duration::from_secs(10) / (DISTINCT / 2 / BETWEEN);
        let mut pacer = clock::Pacer::start();
        for round in rounds {
            pacer.wait(pause);
            self.keep_lasting(sender);
            let frames: Vec<Vec<u8>> = (0..BETWEEN)
                .map(|n| {
                    // An address for each flow, of the network 10.64.0.0/10.
                    let flow = round * BETWEEN + n;
                    let source = 0x0a40_0000 | flow;
                    frame[26..30].copy_from_slice(&source.to_be_bytes());
                    frame.clone()
                })
                .collect();
            for some in frames.chunks(100) {
                // Others send on this machine, too.
                clock::wait_for_backlog(400);
                sender.send_at_once(some);
            }
            self.add(&frames);
        }
        let others = Arc::downgrade(&at_work);
        drop(at_work);
        while others.strong_count() > 0 {
            pacer.wait(pause);
            self.keep_lasting(sender);
        }
    }
}

#[test]
fn of_a_million_flows_in_a_small_table_lasting_ones_are_exact_and_no_packet_is_lost() {
    if !support::root() {
        return;
    }
    let _alone = alone();
    let pair = Pair::quiet();
    // 65,536 slots. No record before the end: all flows of a full table are many megabytes.
    let table = ["-i", RECEIVER_LINK, "--max-flows", "32768"];
    let arguments = [&table[..], &["-t", "600"]].concat();
    let run = Flowtop::launch(&pair.receiver, NUMBERED, &arguments, |_| {});
    wait_for_program(&pair);
    // Another one says by short records what it has read: its memory is looked at.
    let arguments = [&table[..], &["-t", "1", "--top", "1"]].concat();
    let mut measured = Flowtop::start(&pair.receiver, NUMBERED, &arguments);
    // Kept between the floods: to open and close one waits for grace periods, seconds on a busy machine.
    let senders = [FrameSender::on(&pair), FrameSender::on(&pair)];
    let mut floods = [0, 1].map(|which| Flood {
        which,
        rounds: 0,
        sent: Volume::default(),
    });
    // The first flood fills the table; what comes then takes the place of others.
    let again = if is_long() { DISTINCT } else { DISTINCT / 8 };
    let resident = [DISTINCT / 8, DISTINCT, again, again, again, again, again].map(|flows| {
        flood_from_both(&senders, &mut floods, flows / 2, || {
            // Two readings of all that came: as much memory as they take is there from then on.
            measured.settle(pair.received().received_packets);
            measured.record();
            resident_kib(measured.pid())
        })
    });
    clock::wait_for_backlog(0);
    let sent = floods[0].sent + floods[1].sent;
    assert_eq!(
        pair.received().received_packets,
        sent.packets,
        "the link dropped"
    );
    let of_interface = |record| volume(interface(record, RECEIVER_LINK));
    assert_eq!(
        of_interface(&measured.last_record()),
        (sent.packets, sent.bytes)
    );
    run.signal(Signal::SIGTERM);
    let ended = run.wait();
    let record = ended.record;
    program::assert_adds_up(&record);
    let interface = interface(&record, RECEIVER_LINK);
    assert_eq!(volume(interface), (sent.packets, sent.bytes));
    let kernel = &record["kernel"];
    println!(
        "{} packets; untracked {}, ended {}, {kernel}; memory {resident:?} KiB",
        sent.packets, interface["untracked"]["packets"], interface["ended"]["packets"],
    );
    assert_steady(&record);
    assert_lasting(&record, &floods);
    assert_flat(&resident);
    assert!(number(&kernel["flows_evicted"]) > 0, "{kernel}");
    assert!(number(&interface["ended"]["packets"]) > 0, "{interface}");
    assert!(
        number(&interface["untracked"]["packets"]) > 0,
        "{interface}"
    );
}

/// Returns when a program is on the receiver's hook.
fn wait_for_program(pair: &Pair) {
    let ifindex = pair.receiver_ifindex();
    let deadline = Instant::now() + Duration::from_secs(30);
    while hook::programs(&pair.receiver, ifindex).is_empty() {
        assert!(Instant::now() < deadline, "nothing on the hook");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Returns what `then` says, which is asked when both are through and the lasting flows go on.
fn flood_from_both<T>(
    senders: &[FrameSender; 2],
    floods: &mut [Flood; 2],
    flows: u32,
    then: impl FnOnce() -> T,
) -> T {
    let cpus = clock::cpus();
    std::thread::scope(|scope| {
        let at_work = Arc::new(());
        for ((flood, sender), cpu) in floods.iter_mut().zip(senders).zip(cpus.iter().cycle()) {
            let at_work = Arc::clone(&at_work);
            scope.spawn(move || {
                clock::pin(*cpu);
                flood.run(sender, flows, at_work);
            });
        }
        while Arc::strong_count(&at_work) > 1 {
            std::thread::sleep(Duration::from_millis(1));
        }
        let said = then();
        drop(at_work);
        said
    })
}

/// A flow whose packets come more than two seconds apart may be replaced, and is no lasting one then: those that were
/// not replaced tell.
fn assert_steady(record: &Value) {
    let stood_still = flows(record).find(|flow| number(&flow["jitter_epochs"]) > 1);
    assert_eq!(stood_still, None, "the machine stood still");
}

fn assert_lasting(record: &Value, floods: &[Flood; 2]) {
    let is_lasting = |flow: &&Value| number(&flow["destination_port"]) < u64::from(SHORT_PORT);
    let lasting: Vec<_> = flows(record).filter(is_lasting).collect();
    assert_eq!(lasting.len(), 2 * usize::from(LASTING));
    for flow in lasting {
        let which = (number(&flow["destination_port"]) as u16 - LASTING_PORT) / LASTING;
        let packets = u64::from(floods[usize::from(which)].rounds);
        assert_eq!(volume(flow).0, packets, "{flow}");
        assert_eq!(number(&flow["sequence"]["current"]), packets - 1, "{flow}");
        assert_eq!(number(&flow["sequence"]["lost"]), 0, "{flow}");
    }
}

/// Flows that all have a packet in each interval, so that each reading is large.
const BUSY: u16 = 20_000;

#[test]
fn a_reader_that_stands_still_costs_neither_memory_nor_packets() {
    if !support::root() {
        return;
    }
    let _alone = alone();
    let pair = Pair::quiet();
    let sender = FrameSender::on(&pair);
    let mut command = support::command(&pair.receiver, program::PROGRAM);
    let arguments = "--json -i veth1 -t 0.2 --max-flows 65536";
    command.args(arguments.split(' '));
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    let mut run = support::Background::spawn(&mut command);
    let pid = Pid::from_raw(run.0.id() as i32);
    let mut output = BufReader::new(run.0.stdout.take().expect("standard output"));
    let mut line = String::new();
    output.read_line(&mut line).expect("a first record");
    let frame = |port| Udp::to_port(port).with_payload(vec![0; 10]).frame();
    let frames: Vec<_> = (0..BUSY).map(|n| frame(10_000 + n)).collect();
    let send = || {
        for some in frames.chunks(100) {
            clock::wait_for_backlog(400);
            sender.send_at_once(some);
        }
    };
    // From here on nobody reads. The first record of so many flows fills the pipe.
    let mut rounds = 0;
    let mut resident = Vec::new();
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(10) {
        send();
        rounds += 1;
        if begun.elapsed() > Duration::from_secs(4) {
            resident.push(resident_kib(pid));
        }
    }
    clock::wait_for_backlog(0);
    assert_flat(&resident);
    // The reader is back: a record says how many intervals it stands for.
    let mut read = || {
        line.clear();
        let bytes = output.read_line(&mut line).expect("records");
        (bytes > 0).then(|| serde_json::from_str::<Value>(&line).expect("JSON"))
    };
    let most_intervals = (0..20)
        .map(|_| number(&read().expect("a record")["intervals"]))
        .find(|intervals| *intervals > 10);
    assert!(most_intervals.is_some(), "20 records of few intervals");
    nix::sys::signal::kill(pid, Signal::SIGTERM).expect("kill");
    let last = std::iter::from_fn(read).last().expect("a last record");
    assert!(run.0.wait().expect("wait").success());
    program::assert_adds_up(&last);
    let sent = u64::from(BUSY) * rounds;
    assert_eq!(volume(interface(&last, RECEIVER_LINK)).0, sent);
    assert_eq!(flows(&last).count(), usize::from(BUSY));
    println!("a record of {most_intervals:?} intervals; memory {resident:?} KiB");
}
