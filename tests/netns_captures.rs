//! Traffic of every kind, counted live at the hook, captured there by tcpdump, and read back: the same packets give the same
//! numbers.

#[path = "netns_exact/beside.rs"]
mod beside;
#[path = "netns_programs/iperf3.rs"]
#[allow(dead_code)]
mod iperf3;
mod reference;
#[path = "netns_exact/script.rs"]
#[allow(dead_code)]
mod script;
mod support;

use std::collections::{BTreeMap, BTreeSet};

use flowtop::netns::Namespace;
use iperf3::Report;
use reference::gaps::Gaps;
use reference::packet::{FragmentTable, Gso, Link, Verdict as Kind, classify};
use serde_json::{Map, Value, json};
use support::clock;
use support::frames::{FrameSender, sequence_script};
use support::pair::{RECEIVER_LINK, SENDER_LINK, link};
use support::program::{self, Flowtop, number, volume};
use support::relay::{Chain, Verdict};
use support::tcpdump::{self, Direction, Tcpdump};

const NUMBERED: u16 = 6000;
const RULES: &str = r#"{"RULES": {
    "numbers": {"match": "- - - 6000 UDP", "OFFSET": 0},
    "iperf3": {"match": "- - - 5201 UDP", "PROFILE": "iperf3"},
    "rest": "- - - - -"}}"#;
/// A jitter window that is longer than the test.
const WINDOW: [&str; 2] = ["-j", "1000"];

/// Ports of the script to which frames have tags.
const TAGGED: [u64; 2] = [130, 140];
/// Outer tags of those that have several.
const STACKED: [u64; 3] = [40, 41, 42];

/// What a flow says that does not depend on when a packet came, nor on when a reading was.
const COUNTS: [&str; 6] = [
    "packets",
    "bytes",
    "payload_bytes",
    "sequence",
    "rule",
    "aggregates_seen",
];
/// Of sequence numbers, what belongs to an interval.
const OF_INTERVALS: [&str; 2] = ["loss_now_percent", "loss_window_percent"];
/// What names it.
const KEY: [&str; 6] = [
    "vlan",
    "protocol",
    "source",
    "source_port",
    "destination",
    "destination_port",
];

fn picked(value: &Value, names: &[&str]) -> Value {
    let pick = |name: &&str| ((*name).to_owned(), value[*name].clone());
    Value::Object(names.iter().map(pick).collect::<Map<_, _>>())
}

/// Flows by what names them, each with `names` of what is said of it.
fn flows_of(record: &Value, names: &[&str]) -> BTreeMap<String, Value> {
    let entry = |flow: &Value| {
        let mut said = picked(flow, names);
        if let Some(sequence) = said["sequence"].as_object_mut() {
            sequence.retain(|name, _| !OF_INTERVALS.contains(&name.as_str()));
        }
        (picked(flow, &KEY).to_string(), said)
    };
    program::flows(record).map(entry).collect()
}

/// What is counted of an interface.
fn totals(interface: &Value) -> Value {
    let names = [
        "packets",
        "bytes",
        "seen",
        "other",
        "filtered",
        "untracked",
        "malformed",
        "fragments_unmatched",
        "packets_estimated",
        "flows",
    ];
    picked(interface, &names)
}

/// Numbers of which some are missing, some late, some twice, and which start again.
fn numbers() -> Vec<u32> {
    let mut numbers: Vec<u32> = (0..3000).filter(|n| n % 41 != 7 && n % 500 > 12).collect();
    for at in (50..numbers.len() - 1).step_by(97) {
        numbers.swap(at, at + 1);
    }
    for at in (20..numbers.len()).step_by(131) {
        numbers.insert(at, numbers[at - 3]);
    }
    numbers.extend(0..200);
    numbers
}

/// What becomes of the n-th packet of data: TCP sends again what is lost, UDP does not.
fn fate(number: u64) -> Verdict {
    match number {
        n if n % 61 == 60 => Verdict::Drop,
        n if n % 53 == 9 => Verdict::Swap,
        _ => Verdict::Pass,
    }
}

/// Everything at once, over both families; returns when nothing more comes. All packets come in on one CPU: on two, tcpdump and
/// the hook may see them in another order.
fn send_all(chain: &Chain) {
    let cpu = clock::cpus()[0];
    let mut data = 0;
    let relay = chain.relay(move |frame| {
        clock::pin(cpu);
        // What programs tell each other and how they answer goes through.
        if frame.len() < 300 {
            return Verdict::Pass;
        }
        data += 1;
        fate(data)
    });
    let frames = FrameSender::open(&chain.middle, "right");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            clock::pin(cpu);
            let script = script::steps();
            frames.send_in_step(script.iter().map(|step| step.frame.as_slice()));
            let numbered = sequence_script(&numbers(), NUMBERED, 100);
            frames.send_in_step(numbered.iter().map(Vec::as_slice));
        });
        for address in ["10.0.0.1", "fd00::1"] {
            scope.spawn(move || ping(chain, address));
        }
        scope.spawn(|| {
            for address in ["10.0.0.1", "fd00::1"] {
                let tcp = ["-c", address, "-n", "1M"];
                Report::of(&chain.sender, &chain.receiver, &tcp);
                let udp = ["-c", address, "-u", "-b", "4M", "-l", "1000", "-n", "500K"];
                Report::of(&chain.sender, &chain.receiver, &udp);
            }
        });
    });
    drop(relay);
    clock::wait_for_backlog(0);
}

/// In one packet and in three fragments, of which some are lost.
fn ping(chain: &Chain, address: &str) {
    for size in ["100", "3000"] {
        let mut ping = support::command(&chain.sender, "ping");
        ping.args(["-c", "20", "-i", "0.01", "-W", "1", "-s", size, address]);
        ping.output().expect("ping");
    }
}

fn without_offloads(chain: &Chain) {
    for (namespace, link) in [
        (&chain.sender, SENDER_LINK),
        (&chain.receiver, RECEIVER_LINK),
    ] {
        let off = ["tso", "off", "gso", "off", "gro", "off"];
        support::run(namespace, "ethtool", &[&["-K", link][..], &off].concat());
    }
}

/// What the file says, by the reference: packets and gaps of each flow.
fn from_time_stamps(file: &[u8]) -> BTreeMap<String, (u64, Gaps)> {
    let mut fragments = FragmentTable::new();
    let mut flows = BTreeMap::<String, (u64, Gaps)>::new();
    for (moment, frame) in tcpdump::records(file) {
        let kind = classify(frame, Link::Ethernet, Gso::default(), &mut fragments).verdict;
        let Kind::Flow(packet) = kind else {
            continue;
        };
        let key = json!({
            "vlan": packet.vlan,
            "protocol": packet.protocol.name(),
            "source": packet.source,
            "source_port": packet.source_port,
            "destination": packet.destination,
            "destination_port": packet.destination_port,
        });
        let (packets, gaps) = flows.entry(key.to_string()).or_default();
        *packets += 1;
        gaps.observe(moment);
    }
    flows
}

/// What is read back has the gaps of the time stamps, all of them.
fn assert_gaps(record: &Value, file: &[u8]) {
    let names = [
        "packets",
        "interarrival_mean_ms",
        "jitter_ms",
        "interarrival_samples",
        "jitter_epochs",
    ];
    let found = flows_of(record, &names);
    let wanted = from_time_stamps(file);
    assert!(found.keys().eq(wanted.keys()), "{found:#?}\n{wanted:#?}");
    for (key, (packets, gaps)) in wanted {
        let found = &found[&key];
        assert_eq!(number(&found["packets"]), packets, "{key}");
        assert_eq!(found["jitter_epochs"], gaps.epoch(), "{key}");
        assert_eq!(
            number(&found["interarrival_samples"]),
            gaps.gaps.len() as u64,
            "{key}"
        );
        for (name, wanted) in [
            ("interarrival_mean_ms", gaps.mean()),
            ("jitter_ms", gaps.deviation()),
        ] {
            let (found, wanted) = (found[name].as_f64(), wanted.map(|ns| ns / 1e6));
            let difference = found.zip(wanted).map_or(0.0, |(a, b)| (a - b).abs());
            assert!(
                found.is_some() == wanted.is_some() && difference < 1e-6,
                "{name} of {key}: {found:?}, {wanted:?}"
            );
        }
    }
}

/// A folder with a configuration, for captures that are read back with it.
struct Reader(tempfile::TempDir);

impl Reader {
    fn new() -> Reader {
        let reader = Reader(tempfile::tempdir().expect("a folder"));
        std::fs::write(reader.path("rules.json"), RULES).expect("write");
        reader
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).display().to_string()
    }

    /// The record of all of a file.
    fn read(&self, file: &[u8]) -> Value {
        let [capture, rules] = ["capture.pcap", "rules.json"].map(|name| self.path(name));
        std::fs::write(&capture, file).expect("write");
        let arguments = ["-r", &capture, "-c", &rules, "--json", "-t", "60"];
        let here = Namespace::current().expect("a namespace");
        let output = program::run_to_end(&here, &[&arguments[..], &WINDOW].concat());
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
        let text = String::from_utf8(output.stdout).expect("UTF-8");
        let last = text.lines().next_back().expect("a record");
        let record = serde_json::from_str(last).expect("JSON");
        program::assert_adds_up(&record);
        record
    }
}

/// Both have the same flows, as far as `wanted`, with the same counts.
fn assert_same(live: &Value, read: &Value, wanted: impl Fn(&Value) -> bool) {
    let [live, read] = [live, read].map(|record| {
        let mut record = record.clone();
        let flows = record["flows"].as_array_mut().expect("flows");
        flows.retain(&wanted);
        flows_of(&record, &COUNTS)
    });
    let keys = [&live, &read].map(|flows| flows.keys().collect::<BTreeSet<_>>());
    let differ = keys[0].symmetric_difference(&keys[1]);
    assert!(keys[0] == keys[1], "{:#?}", differ.collect::<Vec<_>>());
    live.iter()
        .for_each(|(key, of_flow)| assert_eq!(of_flow, &read[key], "{key}"));
}

#[test]
fn captures_of_what_was_counted_live_have_the_same_counts_and_the_jitter_of_their_time_stamps() {
    if !support::root() {
        return;
    }
    let chain = Chain::new();
    without_offloads(&chain);
    let arguments = [&["-i", RECEIVER_LINK, "-t", "0.2"][..], &WINDOW].concat();
    let mut run = Flowtop::start(&chain.receiver, RULES, &arguments);
    let tcpdump =
        |link, arguments: &[&str]| Tcpdump::start(&chain.receiver, link, Direction::In, arguments);
    let whole = tcpdump(RECEIVER_LINK, &[]);
    let short = tcpdump(RECEIVER_LINK, &["-s", "96"]);
    let cooked = ["LINUX_SLL", "LINUX_SLL2"].map(|kind| tcpdump("any", &["-y", kind]));
    let received = || {
        let counters = link(&chain.receiver, RECEIVER_LINK).counters;
        counters.expect("counters").received_packets
    };
    assert_eq!(received(), 0, "nobody sends yet");
    send_all(&chain);
    run.settle(received());
    let live = run.last_record();
    let reader = Reader::new();
    let interface = program::interface(&live, RECEIVER_LINK);
    assert_eq!(volume(interface).0, received());

    let file = whole.file_of(received());
    let read = reader.read(&file);
    assert_eq!(totals(interface), totals(program::interface(&read, "if0")));
    assert_same(&live, &read, |_| true);
    assert_gaps(&read, &file);
    assert_varied(&read);

    // Three chains of extension headers are longer than what was kept; one of them is too long to be well formed.
    let read = reader.read(&short.file_of(received()));
    let cut_off = &program::interface(&read, "if0")["cut_off"];
    assert_eq!(number(&cut_off["packets"]), 3);
    assert_same(&live, &read, |flow| flow["destination_port"] != 110);

    let [first, second] = cooked.map(|tcpdump| reader.read(&tcpdump.file_of(received())));
    // libpcap has room for one tag in the first version, and for none in the second.
    assert_same(&live, &first, |flow| {
        flow["vlan"]
            .as_u64()
            .is_none_or(|vlan| !STACKED.contains(&vlan))
    });
    assert_same(&live, &second, |flow| {
        !TAGGED.contains(&number(&flow["destination_port"]))
    });
}

/// There was something of everything to compare.
fn assert_varied(record: &Value) {
    let sum = |protocol: &str, pointer: &str| {
        let of_protocol = program::flows(record).filter(|flow| flow["protocol"] == protocol);
        of_protocol
            .filter_map(|flow| flow.pointer(pointer)?.as_u64())
            .sum::<u64>()
    };
    for (protocol, pointer) in [
        ("tcp", "/sequence/small_errors"),
        ("tcp", "/sequence/reverse_errors"),
        ("udp", "/sequence/lost"),
        ("udp", "/sequence/reordered"),
        ("udp", "/sequence/duplicates"),
        ("udp", "/sequence/restarts"),
        ("udp", "/vlan"),
        ("icmp", "/packets"),
        ("icmpv6", "/packets"),
    ] {
        assert!(
            sum(protocol, pointer) > 0,
            "{protocol} {pointer}: {record:#}"
        );
    }
    let interface = program::interface(record, "if0");
    assert!(volume(&interface["malformed"]).0 > 0 && volume(&interface["other"]).0 > 0);
}
