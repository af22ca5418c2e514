//! Flow records of real runs, by both transports: what collectors get adds up to what the run itself counted, whether they are
//! there all the time or not.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::time::Duration;

use flowtop::netns::Namespace;
use nix::sys::signal::Signal;
use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::RcvBuf;
use serde_json::Value;

mod support;

use support::craft::{IPV4, IPV6, ethernet, tag, tcp, udp, v4, v6};
use support::frames::{FrameSender, sequence_script};
use support::ipfix::{OWN, Reader, Record};
use support::pair::{Pair, RECEIVER_LINK};
use support::program::{Ended, Flowtop, flows, number};

const VOICE: u16 = 5004;
const SHORT: u16 = 5006;
const TAGGED: u16 = 5008;
const WEB: u16 = 80;

/// Ethernet's shortest frame, without its check sequence.
const SHORTEST: usize = 60;

fn pair() -> Pair {
    let pair = Pair::quiet();
    support::raise_loopback(&pair.receiver);
    pair
}

fn run(pair: &Pair, collector: &str) -> Flowtop {
    let config = format!(
        r#"{{"OFFSET": 0, "IPFIX": {{"COLLECTOR": "{collector}", "INTERVAL": 0.3, "DOMAIN": 9}}}}"#
    );
    Flowtop::start(&pair.receiver, &config, &["-i", RECEIVER_LINK, "-t", "0.1"])
}

/// Frames of several kinds: one flow loses, repeats and reorders; one is of short frames with padding, one of tagged ones, one of
/// TCP with a hole in it.
fn frames() -> Vec<Vec<u8>> {
    let mut frames = sequence_script(&[1, 2, 3, 7, 5, 8, 8, 9, 20], VOICE, 40);
    for _ in 0..5 {
        let mut short = ethernet(IPV4, &v4(17, &udp((4000, SHORT), b"x")));
        short.resize(SHORTEST, 0);
        // Expedited forwarding, and a bit of ECN.
        short[15] = 46 << 2 | 1;
        frames.push(short);
        let tagged = v6(17, &udp((4000, TAGGED), &[7; 100]));
        frames.push(ethernet(0x8100, &tag(42, IPV6, &tagged)));
    }
    for number in [1000, 1010, 1030] {
        let segment = tcp((4000, WEB), number, 0x10, &[], &[7; 10]);
        frames.push(ethernet(IPV4, &v4(6, &segment)));
    }
    frames
}

/// What is known of a flow by its destination port, of a record of JSON or of many of IPFIX: packets, bytes, bytes of IP packets,
/// payload, lost, duplicates, reordered.
type Sums = BTreeMap<u64, [i64; 7]>;

fn counted(record: &Value) -> Sums {
    let of = |flow: &Value| {
        let sequence = &flow["sequence"];
        [
            &flow["packets"],
            &flow["bytes"],
            &flow["ip"]["ip_bytes"],
            &flow["payload_bytes"],
            &sequence["lost"],
            &sequence["duplicates"],
            &sequence["reordered"],
        ]
        .map(|value| value.as_i64().unwrap_or(0))
    };
    flows(record)
        .map(|flow| (number(&flow["destination_port"]), of(flow)))
        .collect()
}

fn exported<'a>(records: impl Iterator<Item = &'a Record>) -> Sums {
    let mut sums = Sums::new();
    for record in records {
        let of_flow = sums.entry(record.number(11)).or_default();
        let lost = record.signed(OWN | 2) + record.signed(OWN | 3);
        let counts = [2, 352, 1, OWN | 1].map(|element| record.number(element) as i64);
        let judged = [4, 5].map(|element| record.signed(OWN | element));
        let all = [counts.as_slice(), &[lost], &judged].concat();
        of_flow
            .iter_mut()
            .zip(all)
            .for_each(|(sum, more)| *sum += more);
    }
    sums
}

fn assert_all_is_said(ended: &Ended, sums: &Sums) {
    assert_eq!(*sums, counted(&ended.record), "{}", ended.errors);
    assert_eq!(ended.code, Some(0));
}

/// All datagrams that are there.
fn received(collector: &UdpSocket) -> Vec<Vec<u8>> {
    collector.set_nonblocking(true).expect("do not wait");
    let mut message = [0; 2048];
    let next = || {
        let length = collector.recv(&mut message).ok()?;
        Some(message[..length].to_vec())
    };
    std::iter::from_fn(next).collect()
}

#[test]
fn datagrams_say_all_that_was_counted() {
    if !support::root() {
        return;
    }
    let pair = pair();
    let open = || Ok(UdpSocket::bind("127.0.0.1:0")?);
    let collector = pair.receiver.within(open).expect("a socket");
    let address = collector.local_addr().expect("an address").to_string();
    let mut run = run(&pair, &address);
    let sender = FrameSender::on(&pair);
    let frames = frames();
    sender.send_all(&frames);
    run.settle(frames.len() as u64);
    // Flows that go on have records before the end.
    run.until("flow records", |record| {
        record["ipfix"]["records"].as_u64() > Some(40)
    });
    sender.send_all(&frames);
    run.settle(2 * frames.len() as u64);
    let ended = run.finish();
    let mut reader = Reader::default();
    let (mut messages, mut bytes) = (0, 0);
    for message in received(&collector) {
        reader.receive(&message);
        (messages, bytes) = (messages + 1, bytes + message.len() as u64);
    }
    assert_all_is_said(&ended, &exported(reader.flows()));
    assert_eq!(reader.missing, 0);
    let said = &ended.record["ipfix"];
    assert_eq!(number(&said["records"]), reader.records.len() as u64);
    assert_eq!(
        (number(&said["messages"]), number(&said["bytes"])),
        (messages, bytes)
    );
    assert_eq!(number(&said["records_lost"]), 0);
    // What the export says of itself is of flows alone, as far as they had gone out.
    let of_export = reader.records.iter().rfind(|record| record.has(42));
    let sent = of_export.expect("counts of the export").number(42);
    let flows = reader.flows().count() as u64;
    assert!((1..=flows).contains(&sent), "{sent} of {flows}");
    assert!(reader.flows().all(|record| record.domain == 9));
    let reasons: Vec<u64> = reader.flows().map(|record| record.number(136)).collect();
    assert!(reasons.contains(&2) && reasons.contains(&4), "{reasons:?}");
    let short = reader
        .flows()
        .find(|record| record.number(11) == u64::from(SHORT));
    let short = short.expect("the flow of short frames");
    let heads = [192, 195].map(|element| short.number(element));
    assert_eq!(heads, [64, 46], "its hop limit and service class");
    let sizes = [1, 352].map(|element| short.number(element) / short.number(2));
    assert_eq!(
        sizes,
        [20 + 8 + 1, SHORTEST as u64],
        "padding is in one of them"
    );
}

#[test]
fn templates_come_again_at_once_where_datagrams_were_refused() {
    if !support::root() {
        return;
    }
    let pair = pair();
    let address = format!("127.0.0.1:{}", free_port(&pair.receiver));
    let mut run = run(&pair, &address);
    let sender = FrameSender::on(&pair);
    let frames = frames();
    sender.send_all(&frames);
    run.settle(frames.len() as u64);
    run.until("trouble", |record| {
        record["ipfix"]["failures"].as_u64() > Some(1)
    });
    let open = || Ok(UdpSocket::bind(&address)?);
    let collector = pair.receiver.within(open).expect("a socket");
    sender.send_all(&frames);
    run.settle(2 * frames.len() as u64);
    run.finish();
    let mut reader = Reader::default();
    for message in received(&collector) {
        // The first messages may be the rest of an interval whose templates were refused.
        if reader.can_read(&message) {
            reader.receive(&message);
        }
    }
    let flows: Vec<u64> = reader.flows().map(|flow| flow.number(11)).collect();
    assert!(flows.contains(&u64::from(VOICE)), "{flows:?}");
}

/// A port of the namespace that nobody listens on.
fn free_port(namespace: &Namespace) -> u16 {
    let port = || Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port());
    namespace.within(port).expect("a port")
}

/// Reads from a connection until what came is as `wanted`, or it is closed.
fn read_until(stream: &mut TcpStream, reader: &mut Reader, wanted: impl Fn(&Reader) -> bool) {
    let timeout = Some(Duration::from_secs(30));
    stream.set_read_timeout(timeout).expect("a timeout");
    let (mut kept, mut bytes) = (Vec::new(), [0; 65536]);
    while !wanted(reader) {
        let length = match stream.read(&mut bytes) {
            Ok(0) => break,
            Ok(length) => length,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => panic!("{error}: {:?}", exported(reader.flows())),
        };
        kept.extend_from_slice(&bytes[..length]);
        kept = reader.receive_stream(&kept).to_vec();
    }
}

fn packets(reader: &Reader) -> u64 {
    reader.flows().map(|record| record.number(2)).sum()
}

#[test]
fn a_collector_that_comes_late_and_goes_for_a_while_misses_nothing() {
    if !support::root() {
        return;
    }
    let pair = pair();
    let port = free_port(&pair.receiver);
    let mut run = run(&pair, &format!("tcp://127.0.0.1:{port}"));
    let sender = FrameSender::on(&pair);
    let frames = frames();
    let all = frames.len() as u64;
    sender.send_all(&frames);
    run.settle(all);
    run.until("an attempt that failed", |record| {
        record["ipfix"]["failures"].as_u64() > Some(0) && record["ipfix"]["connected"] == false
    });
    let open = || Ok(TcpListener::bind(("127.0.0.1", port))?);
    let listener = pair.receiver.within(open).expect("a listener");
    let (mut stream, _) = listener.accept().expect("a connection");
    let mut first = Reader::default();
    read_until(&mut stream, &mut first, |reader| packets(reader) == all);
    drop(stream);
    let (mut stream, _) = listener.accept().expect("another connection");
    sender.send_all(&frames);
    run.settle(2 * all);
    let ending = std::thread::spawn(|| run.finish());
    let mut second = Reader::default();
    read_until(&mut stream, &mut second, |_| false);
    let ended = ending.join().expect("the end");
    assert_all_is_said(&ended, &exported(first.flows().chain(second.flows())));
    assert_eq!(
        (first.missing, second.missing),
        (0, 0),
        "each session counts from 0"
    );
    assert_eq!(first.names(), second.names());
    let said = &ended.record["ipfix"];
    assert_eq!(number(&said["records_lost"]), 0);
    for text in ["ipfix: connect to", "connected"] {
        assert!(ended.errors.contains(text), "{}", ended.errors);
    }
}

#[test]
fn what_nobody_took_is_counted_and_said() {
    if !support::root() {
        return;
    }
    let pair = pair();
    let port = free_port(&pair.receiver);
    let mut run = run(&pair, &format!("tcp://127.0.0.1:{port}"));
    let frames = frames();
    FrameSender::on(&pair).send_all(&frames);
    run.settle(frames.len() as u64);
    let ended = run.finish();
    assert_eq!(ended.code, Some(0));
    let said = &ended.record["ipfix"];
    let bytes: i64 = counted(&ended.record).values().map(|sums| sums[1]).sum();
    assert_eq!(number(&said["records"]), 0);
    assert_eq!(number(&said["packets_lost"]), frames.len() as u64);
    assert_eq!(said["bytes_lost"].as_i64(), Some(bytes));
    let text = format!("of {} packets could not be sent", frames.len());
    assert!(ended.errors.contains(&text), "{}", ended.errors);
}

#[test]
fn a_second_signal_ends_the_wait_for_a_collector_that_takes_its_time() {
    if !support::root() {
        return;
    }
    const FLOWS: u16 = 20_000;
    let pair = pair();
    let port = free_port(&pair.receiver);
    let open = || {
        // Little is on its way at a time.
        std::fs::write("/proc/sys/net/ipv4/tcp_wmem", "4096 16384 65536")?;
        let listener = TcpListener::bind(("127.0.0.1", port))?;
        setsockopt(&listener, RcvBuf, &4096)?;
        Ok(listener)
    };
    let listener = pair.receiver.within(open).expect("a listener");
    let config =
        format!(r#"{{"IPFIX": {{"COLLECTOR": "tcp://127.0.0.1:{port}", "INTERVAL": 600}}}}"#);
    let arguments = ["-i", RECEIVER_LINK, "-t", "0.5", "--top", "1"];
    let mut run = Flowtop::start(&pair.receiver, &config, &arguments);
    let (mut stream, _) = listener.accept().expect("a connection");
    let frames = (1..=FLOWS).map(|port| ethernet(IPV4, &v4(17, &udp((port, SHORT), b"x"))));
    FrameSender::on(&pair).send_all(&frames.collect::<Vec<_>>());
    run.settle(FLOWS.into());
    // All records would take minutes.
    let collector = std::thread::spawn(move || {
        let mut bytes = [0; 4096];
        while let Ok(1..) = stream.read(&mut bytes) {
            std::thread::sleep(Duration::from_millis(50));
        }
    });
    run.signal(Signal::SIGTERM);
    run.signal(Signal::SIGINT);
    let ended = run.wait();
    let said = &ended.record["ipfix"];
    // One packet of each flow; and there are records of the export itself.
    let (records, lost) = (number(&said["records"]), number(&said["packets_lost"]));
    assert!(lost > 0 && records + lost >= u64::from(FLOWS), "{said}");
    assert!(
        ended.errors.contains("could not be sent"),
        "{}",
        ended.errors
    );
    collector.join().expect("a collector");
}
