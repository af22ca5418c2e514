//! The demo against the kernel's own counters, and that nothing is left of it, however it ends.

mod support;

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::fd::{AsFd, AsRawFd};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use flowtop::demo::{Demo, INTERFACE, LedgerEntry};
use flowtop::model::flow::Protocol;
use flowtop::netns::{self, End, MissingCapability, Namespace};
use flowtop::probe::interfaces;
use support::pair::link;

/// How long the books are kept.
const WATCHED: Duration = Duration::from_secs(3);

fn packets(ledger: &[LedgerEntry], matches: impl Fn(&LedgerEntry) -> bool) -> u64 {
    let matching = ledger.iter().filter(|entry| matches(entry));
    matching.filter_map(|entry| entry.packets).sum()
}

/// The kernel's protocol counters (SNMP) of the watched namespace: `Udp.InDatagrams`, `Udp6InDatagrams`.
fn protocol_counters(namespace: &Namespace) -> HashMap<String, u64> {
    let read = || {
        let v4 = fs::read_to_string("/proc/thread-self/net/snmp")?;
        let v6 = fs::read_to_string("/proc/thread-self/net/snmp6")?;
        Ok((v4, v6))
    };
    let (v4, v6) = namespace.within(read).expect("read SNMP counters");
    let mut counters = HashMap::new();
    let lines: Vec<_> = v4.lines().collect();
    for pair in lines.chunks(2) {
        let (group, names) = pair[0].split_once(':').expect("a group");
        let (_, values) = pair[1].split_once(':').expect("its values");
        for (name, value) in names.split_whitespace().zip(values.split_whitespace()) {
            counters.insert(format!("{group}.{name}"), value.parse().unwrap_or(0));
        }
    }
    for line in v6.lines() {
        let mut words = line.split_whitespace();
        if let (Some(name), Some(value)) = (words.next(), words.next()) {
            counters.insert(name.to_owned(), value.parse().unwrap_or(0));
        }
    }
    counters
}

/// What came to the namespace by the kernel's counters: datagrams of both families, read or not
/// (all that is neither a segment nor ICMP), and echo requests of each.
fn arrived(counters: &HashMap<String, u64>) -> [u64; 3] {
    let sum = |names: &[&str]| names.iter().map(|name| counters[*name]).sum::<u64>();
    let delivered = sum(&["Ip.InDelivers", "Ip6InDelivers"]);
    let others = sum(&["Tcp.InSegs", "Icmp.InMsgs", "Icmp6InMsgs"]);
    let datagrams = delivered.saturating_sub(others);
    [
        datagrams,
        counters["Icmp.InEchos"],
        counters["Icmp6InEchos"],
    ]
}

#[test]
fn what_the_senders_wrote_down_is_what_the_kernel_received() {
    if !support::root() {
        return;
    }
    let mut demo = Demo::start().expect("start the demo");
    std::thread::sleep(WATCHED);
    // Later ones may find their socket closed.
    assert_eq!(protocol_counters(demo.namespace())["Udp.NoPorts"], 0);
    demo.quiet();
    let ledger = demo.ledger();
    let of = |protocol, v6| {
        packets(&ledger, |entry| {
            entry.protocol == protocol && entry.source.is_ipv6() == v6
        })
    };
    let [v4, v6] = [false, true].map(|v6| of(Protocol::Udp, v6));
    let sent = [
        v4 + v6,
        of(Protocol::Icmp, false),
        of(Protocol::Icmpv6, true),
    ];
    // The last of it may be on its way yet.
    let mut counters = protocol_counters(demo.namespace());
    let deadline = Instant::now() + Duration::from_secs(10);
    while arrived(&counters) != sent && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(1));
        counters = protocol_counters(demo.namespace());
    }
    assert_eq!(arrived(&counters), sent, "{counters:#?}");
    assert!(counters["Udp.InDatagrams"] <= v4 && counters["Udp6InDatagrams"] <= v6);
    for errors in ["Udp.InErrors", "Udp6InErrors", "Icmp.InErrors"] {
        assert_eq!(counters[errors], 0, "{errors}");
    }
    let device = link(demo.namespace(), INTERFACE)
        .counters
        .expect("counters");
    assert!(device.received_packets > packets(&ledger, |_| true));
    let payload: u64 = ledger.iter().map(|entry| entry.payload_bytes).sum();
    assert!(device.received_bytes > payload);
    assert!(device.received_bytes < 2 * payload, "{device:?}, {payload}");
}

#[test]
fn every_sender_does_what_its_name_says() {
    if !support::root() {
        return;
    }
    let demo = Demo::start().expect("start the demo");
    let has_shown_itself = |entry: &LedgerEntry| match entry.name {
        "voice" => entry.packets >= Some(200),
        "lossy" => entry.skipped >= 3 && entry.gaps >= 2,
        "reordering" => entry.reordered >= 5,
        "duplicates" => entry.duplicates >= 5,
        "pausing" => entry.packets >= Some(75),
        "web" | "web6" => entry.payload_bytes > 300_000,
        _ => entry.packets >= Some(10),
    };
    let deadline = Instant::now() + Duration::from_secs(20);
    while !demo.ledger().iter().all(has_shown_itself) && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(20));
    }
    let ledger = demo.ledger();
    assert!(ledger.iter().all(has_shown_itself), "{ledger:#?}");
    assert!(ledger.iter().all(|entry| entry.refused == 0), "{ledger:#?}");
    let bytes: u64 = ledger.iter().map(|entry| entry.payload_bytes).sum();
    assert!(bytes < 20_000_000, "more than modest: {bytes} bytes");
}

#[test]
fn nothing_is_sent_before_the_traffic_begins() {
    if !support::root() {
        return;
    }
    let mut demo = Demo::prepare().expect("prepare the demo");
    let total = |demo: &Demo| demo.ledger().iter().map(|e| e.payload_bytes).sum::<u64>();
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(total(&demo), 0);
    let counters = protocol_counters(demo.namespace());
    assert_eq!(
        (counters["Udp.InDatagrams"], counters["Tcp.InSegs"]),
        (0, 0)
    );
    demo.begin().expect("begin");
    let deadline = Instant::now() + Duration::from_secs(5);
    while total(&demo) == 0 && Instant::now() < deadline {
        std::thread::yield_now();
    }
    assert!(total(&demo) > 0);
}

#[test]
fn the_traffic_needs_no_capability_and_neither_does_the_end() {
    if !support::root() {
        return;
    }
    let mut demo = Demo::prepare().expect("prepare the demo");
    let witness = Witness::of(demo.namespace());
    let unprivileged = std::thread::spawn(move || {
        support::drop_capabilities();
        demo.begin().expect("begin");
        let quiet = |entry: &LedgerEntry| entry.payload_bytes == 0 || entry.refused > 0;
        let deadline = Instant::now() + Duration::from_secs(5);
        while demo.ledger().iter().any(quiet) && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(10));
        }
        assert!(!demo.ledger().iter().any(quiet), "{:#?}", demo.ledger());
        demo.stop();
    });
    unprivileged.join().expect("no panic");
    assert!(witness.sees_it_go());
}

#[test]
fn without_privileges_the_missing_capability_is_named() {
    if !support::root() {
        return;
    }
    let unprivileged = std::thread::spawn(|| {
        support::drop_capabilities();
        Demo::prepare().expect_err("no capability")
    });
    let error = unprivileged.join().expect("no panic");
    assert_eq!(
        error.downcast_ref(),
        Some(&MissingCapability("CAP_SYS_ADMIN"))
    );
    let line = format!("{error:#}");
    assert!(
        line.starts_with(
            "build the demo: make a network namespace: CAP_SYS_ADMIN is missing (use sudo, or: setcap "
        ),
        "{line}"
    );
}

/// A namespace of the test's own with a veth pair into another namespace: the pair is there as long as the other
/// namespace is.
struct Witness {
    home: Namespace,
}

impl Witness {
    fn of(namespace: &Namespace) -> Witness {
        let home = Namespace::create().expect("make a namespace");
        let end = |namespace, name, last| End {
            namespace,
            name,
            hardware_address: [2, 0, 0, 0, 1, last],
        };
        netns::join(&end(&home, "home", 1), &end(namespace, "witness", 2)).expect("make a pair");
        Witness { home }
    }

    fn sees_it(&self) -> bool {
        let links = self.home.within(|| Ok(interfaces::list()?)).expect("list");
        links.iter().any(|link| link.name == "home")
    }

    /// The kernel removes a namespace some time after its last user has gone.
    fn sees_it_go(&self) -> bool {
        let deadline = Instant::now() + Duration::from_secs(10);
        while self.sees_it() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(10));
        }
        !self.sees_it()
    }
}

fn threads_named(name: &str) -> usize {
    let tasks = fs::read_dir("/proc/self/task").expect("own threads");
    tasks
        .filter_map(|task| fs::read_to_string(task.ok()?.path().join("comm")).ok())
        .filter(|comm| comm.trim_end() == name)
        .count()
}

/// What could be left behind outside the process: named namespaces, mounts of them, links.
fn traces() -> (BTreeSet<String>, usize, bool) {
    let names = match fs::read_dir("/run/netns") {
        Ok(entries) => entries
            .flatten()
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .filter(|name| name.contains("flowtop"))
            .collect(),
        Err(_) => BTreeSet::new(),
    };
    let mounts = fs::read_to_string("/proc/self/mountinfo").expect("mounts");
    let mounts = mounts
        .lines()
        .filter(|line| line.contains("flowtop"))
        .count();
    let links = interfaces::list().expect("list links");
    (
        names,
        mounts,
        links.iter().any(|link| link.name == INTERFACE),
    )
}

#[test]
fn a_stopped_demo_leaves_no_thread_no_link_and_no_namespace() {
    if !support::root() {
        return;
    }
    let before = traces();
    let demo = Demo::start().expect("start the demo");
    let witness = Witness::of(demo.namespace());
    assert!(witness.sees_it());
    assert!(threads_named("flowtop-demo") >= 1);
    assert_eq!(traces(), before);
    let began = Instant::now();
    demo.stop();
    assert!(
        began.elapsed() < Duration::from_secs(1),
        "stopping takes too long"
    );
    assert!(witness.sees_it_go(), "the namespace is still there");
    assert_eq!(traces(), before);
}

#[test]
fn a_killed_demo_leaves_no_namespace_and_a_second_one_is_not_disturbed() {
    if !support::root() {
        return;
    }
    let before = traces();
    let other = Demo::start().expect("start the demo");
    let bystander = Witness::of(other.namespace());
    let mut child = Command::new(std::env::current_exe().expect("own path"))
        .args(["--ignored", "--exact", "--nocapture", "a_demo_to_be_killed"])
        .stdout(Stdio::piped())
        .spawn()
        .map(support::Background)
        .expect("start a child");
    let output = BufReader::new(child.0.stdout.take().expect("its output"));
    let descriptor = output
        .lines()
        .map_while(Result::ok)
        .find_map(|line| line.split_once("namespace ").map(|(_, fd)| fd.to_owned()))
        .expect("the child says where its namespace is");
    let path = format!("/proc/{}/fd/{descriptor}", child.0.id());
    let witness = Witness::of(&Namespace::open(path).expect("the child's namespace"));
    assert!(witness.sees_it());
    child.0.kill().expect("SIGKILL");
    child.0.wait().expect("its end");
    assert!(witness.sees_it_go(), "the namespace is still there");
    assert_eq!(traces(), before);
    assert!(bystander.sees_it());
    drop(other);
    assert!(bystander.sees_it_go());
}

/// Not a test: what the test above starts and kills.
#[test]
#[ignore = "started by another test"]
fn a_demo_to_be_killed() {
    let demo = Demo::start().expect("start the demo");
    println!("\nnamespace {}", demo.namespace().as_fd().as_raw_fd());
    std::thread::sleep(Duration::from_secs(30));
}
