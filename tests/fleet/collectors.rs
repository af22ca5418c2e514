//! IPFIX: nfcapd, nfacctd, ipfixDump and tshark, each by its own run of the same traffic.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::thread::JoinHandle;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use super::databases::{eventually, wait_for};
use super::files::documented;
use super::support::craft::{IPV4, IPV6, ethernet, tag, tcp, udp, v4, v6};
use super::support::frames::{FrameSender, sequence_script};
use super::support::pair::{Pair, RECEIVER_LINK};
use super::support::program::{Flowtop, flows, number};
use super::support::{Background, command, raise_loopback, root, run};

const TO_NFCAPD: u16 = 4739;
const TO_NFACCTD: u16 = 4740;
/// So many flows of a few packets. A collector's buffer holds the messages of two intervals, should it have no CPU for so long.
const FLOWS: u16 = 600;

/// What a run counted of its flows, and what a collector has of them.
#[derive(Debug, Default, PartialEq, Eq)]
struct Sums {
    packets: u64,
    ip_bytes: u64,
    bytes: u64,
    lost: u64,
}

fn counted(record: &Value) -> Sums {
    let sum = |of: fn(&Value) -> &Value| flows(record).filter_map(|flow| of(flow).as_u64()).sum();
    Sums {
        packets: sum(|flow| &flow["packets"]),
        ip_bytes: sum(|flow| &flow["ip"]["ip_bytes"]),
        bytes: sum(|flow| &flow["bytes"]),
        lost: sum(|flow| &flow["sequence"]["lost"]),
    }
}

fn frames() -> Vec<Vec<u8>> {
    let mut frames = sequence_script(&[1, 2, 3, 7, 5, 8, 8, 9, 20, 21], 5004, 40);
    for flow in 0..FLOWS {
        let packet = match flow % 3 {
            0 => ethernet(IPV4, &v4(17, &udp((10_000 + flow, 53), b"x"))),
            1 => ethernet(
                0x8100,
                &tag(9, IPV6, &v6(17, &udp((10_000 + flow, 53), &[7; 90]))),
            ),
            _ => ethernet(
                IPV4,
                &v4(6, &tcp((10_000 + flow, 80), 1, 0x10, &[], &[7; 10])),
            ),
        };
        frames.push(packet);
    }
    for frame in &mut frames {
        // As a network has them: short ones are padded.
        frame.resize(frame.len().max(60), 0);
    }
    frames
}

/// A collector that is stopped when this is dropped.
fn start(pair: &Pair, program: &str, words: &[&str]) -> Background {
    Background::spawn(command(&pair.receiver, program).args(words))
}

/// Bytes that wait on a UDP port of the namespace; `None`: nobody listens there.
fn unread(pair: &Pair, port: u16) -> Option<u64> {
    let table = run(&pair.receiver, "cat", &["/proc/net/udp"]);
    let line = table.lines().find(|line| {
        let local = line.split_whitespace().nth(1).unwrap_or_default();
        local.ends_with(&format!(":{port:04X}"))
    })?;
    let queues = line.split_whitespace().nth(4)?;
    u64::from_str_radix(queues.split_once(':')?.1, 16).ok()
}

fn end(collector: &mut Background, signal: Signal) {
    let pid = Pid::from_raw(collector.0.id() as i32);
    kill(pid, signal).expect("a signal");
    collector.0.wait().expect("its end");
}

fn output(program: &str, words: &[&str]) -> String {
    let output = Command::new(program).args(words).output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error} (make test-fleet)"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {words:?}: {errors}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

fn path(folder: &Path, name: &str) -> String {
    folder.join(name).to_str().expect("UTF-8").to_owned()
}

/// All of them, in the namespace that is watched.
struct Collectors {
    nfcapd: Background,
    nfacctd: Background,
    tcpdump: Background,
    /// Where each gets its records.
    addresses: [String; 3],
    /// What comes by TCP, for ipfixDump.
    stream: JoinHandle<Vec<u8>>,
}

impl Collectors {
    fn start(pair: &Pair, folder: &Path) -> Collectors {
        let in_folder = |name: &str| path(folder, name);
        fs::create_dir(in_folder("nfdump")).expect("a folder");
        let port = TO_NFCAPD.to_string();
        let words = [
            "-w",
            &in_folder("nfdump"),
            "-p",
            &port,
            "-b",
            "127.0.0.1",
            "-t",
            "3600",
        ];
        let nfcapd = start(pair, "nfcapd", &words);
        let nfacctd = start_nfacctd(pair, folder);
        let filter = format!("udp port {TO_NFCAPD}");
        let words = ["-i", "lo", "-U", "-w", &in_folder("lo.pcap"), &filter];
        let tcpdump = start(pair, "tcpdump", &words);
        let open = || Ok(TcpListener::bind("127.0.0.1:0")?);
        let listener = pair.receiver.within(open).expect("a listener");
        let to_tcp = format!("tcp://{}", listener.local_addr().expect("an address"));
        let stream = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a connection");
            let mut bytes = Vec::new();
            stream.read_to_end(&mut bytes).expect("the stream");
            bytes
        });
        wait_for("nfcapd", || unread(pair, TO_NFCAPD).is_some());
        wait_for("nfacctd", || unread(pair, TO_NFACCTD).is_some());
        let is_begun = |name: &str| fs::metadata(name).is_ok_and(|file| file.len() > 0);
        wait_for("tcpdump", || is_begun(&in_folder("lo.pcap")));
        let addresses = [
            format!("127.0.0.1:{TO_NFCAPD}"),
            format!("127.0.0.1:{TO_NFACCTD}"),
            to_tcp,
        ];
        Collectors {
            nfcapd,
            nfacctd,
            tcpdump,
            addresses,
            stream,
        }
    }
}

/// A run for each of them on the same traffic; what each counted in the end.
fn export_to(addresses: &[String; 3], pair: &Pair) -> [Sums; 3] {
    let mut runs = addresses.each_ref().map(|collector| {
        let config = format!(
            r#"{{"OFFSET": 0, "RULES": {{"voice": "- - - 5004 UDP", "others": "- - - - -"}},
                "IPFIX": {{"COLLECTOR": "{collector}", "INTERVAL": 1}}}}"#
        );
        Flowtop::start(&pair.receiver, &config, &["-i", RECEIVER_LINK, "-t", "0.2"])
    });
    let (sender, frames) = (FrameSender::on(pair), frames());
    for times in 1..=2 {
        sender.send_all(&frames);
        for run in &mut runs {
            run.settle(times * frames.len() as u64);
            run.until("all of them exported", |record| {
                record["ipfix"]["records"].as_u64() > Some(times * u64::from(FLOWS))
            });
        }
    }
    runs.map(|run| {
        let record = run.last_record();
        assert_eq!(number(&record["ipfix"]["records_lost"]), 0);
        assert!(counted(&record).lost > 0);
        counted(&record)
    })
}

#[test]
#[ignore = "needs collectors: make test-fleet"]
fn collectors_have_of_a_run_what_it_counted() {
    if !root() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let in_folder = |name: &str| path(folder.path(), name);
    let pair = Pair::quiet();
    raise_loopback(&pair.receiver);
    let mut collectors = Collectors::start(&pair, folder.path());
    let [to_nfcapd, to_nfacctd, to_tcp] = export_to(&collectors.addresses, &pair);
    wait_for("nfcapd to read", || unread(&pair, TO_NFCAPD) == Some(0));
    end(&mut collectors.nfcapd, Signal::SIGTERM);
    check_nfdump(&in_folder("nfdump"), &to_nfcapd);
    check_nfacctd(&in_folder("flows.json"), &to_nfacctd);
    end(&mut collectors.nfacctd, Signal::SIGINT);
    end(&mut collectors.tcpdump, Signal::SIGTERM);
    check_tshark(&in_folder("lo.pcap"), &to_nfcapd);
    let stream = collectors.stream.join().expect("the stream");
    fs::write(in_folder("stream"), stream).expect("written");
    check_ipfix_dump(&in_folder("stream"), &to_tcp);
}

/// By the configuration of the document, but for places and times.
fn start_nfacctd(pair: &Pair, folder: &Path) -> Background {
    let list = path(folder, "flowtop.lst");
    fs::write(&list, documented("name=lost_packets")).expect("written");
    let config = documented("nfacctd_ip")
        .replace("0.0.0.0", "127.0.0.1")
        .replace("4739", &TO_NFACCTD.to_string())
        .replace("/etc/pmacct/flowtop.lst", &list)
        .replace("/var/lib/pmacct/flows.json", &path(folder, "flows.json"))
        .replace("refresh_time: 10", "refresh_time: 1");
    let name = path(folder, "nfacctd.conf");
    fs::write(&name, config).expect("written");
    start(pair, "nfacctd", &["-f", &name])
}

fn check_nfdump(folder: &str, counted: &Sums) {
    let text = output("nfdump", &["-R", folder, "-I"]);
    let figures: BTreeMap<_, _> = text
        .lines()
        .filter_map(|line| line.split_once(": "))
        .collect();
    let figure = |name: &str| figures[name].trim().parse::<u64>().expect("a number");
    assert_eq!(figure("Sequence failures"), 0, "{text}");
    assert_eq!(figure("Packets"), counted.packets, "{text}");
    assert_eq!(figure("Bytes"), counted.ip_bytes, "{text}");
}

fn check_nfacctd(file: &str, counted: &Sums) {
    // Each purge of its cache appends lines.
    let read = || {
        let text = fs::read_to_string(file).unwrap_or_default();
        let rows = text
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let mut sums = Sums::default();
        for row in rows {
            let own = |name: &str| row[name].as_str().and_then(|it| it.parse::<u64>().ok());
            sums.packets += number(&row["packets"]);
            sums.ip_bytes += number(&row["bytes"]);
            sums.bytes += own("wire_bytes").expect("an own element");
            sums.lost += own("lost_packets").expect("one") + own("lost_bytes").expect("one");
            assert!(["voice", "others"].contains(&row["rule"].as_str().unwrap_or_default()));
        }
        sums
    };
    eventually(|| read() == *counted);
    assert_eq!(read(), *counted);
}

fn check_tshark(file: &str, counted: &Sums) {
    let decode = format!("udp.port=={TO_NFCAPD},cflow");
    let with = |words: &[&str]| output("tshark", &[&["-r", file, "-d", &decode], words].concat());
    assert_eq!(with(&["-Y", "_ws.malformed or _ws.expert"]), "");
    let fields = ["-T", "fields", "-e", "cflow.packets", "-e", "cflow.octets"];
    let text = with(&fields);
    let mut sums = [0, 0];
    for line in text.lines() {
        for (sum, cell) in sums.iter_mut().zip(line.split('\t')) {
            let numbers = cell.split(',').filter(|it| !it.is_empty());
            *sum += numbers
                .map(|it| it.parse::<u64>().expect("a number"))
                .sum::<u64>();
        }
    }
    assert_eq!(sums, [counted.packets, counted.ip_bytes]);
}

/// It knows flowtop's own elements by what the stream says of them alone.
fn check_ipfix_dump(file: &str, counted: &Sums) {
    let text = output("ipfixDump", &["--in", file, "--rfc5610"]);
    let mut sums = BTreeMap::<&str, i64>::new();
    let mut own = 0;
    for line in text.lines() {
        let Some((element, value)) = line.trim().split_once(" : ") else {
            continue;
        };
        let Some((element, name)) = element.split_once(')') else {
            continue;
        };
        let name = name.trim().trim_start_matches("(S)").trim();
        own += u64::from(element.starts_with("(32473/"));
        let is_named = name.starts_with(|c: char| c.is_ascii_lowercase());
        assert!(is_named && !name.contains("undefined"), "no name: {line}");
        if let Ok(value) = value.parse::<i64>() {
            *sums.entry(name).or_default() += value;
        }
    }
    assert!(own > 0, "{text}");
    let lost = sums["lostPacketDeltaCount"] + sums["lostOctetDeltaCount"];
    let found = Sums {
        packets: sums["packetDeltaCount"] as u64,
        ip_bytes: sums["octetDeltaCount"] as u64,
        bytes: sums["layer2OctetDeltaCount"] as u64,
        lost: lost as u64,
    };
    assert_eq!(found, *counted);
}
