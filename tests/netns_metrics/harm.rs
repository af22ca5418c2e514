//! Requests and readers that do harm: others are served, packets are counted, and what was refused is told.

use std::io::{Read, Write};
use std::net::TcpStream;

use flowtop::netns::Namespace;

use super::support::frames::{FrameSender, Udp};
use super::support::scrape::{PORT, ask, connect, page, read_answer};
use super::support::{self, clock::wait_for};
use super::{page_with, watch};

/// Connections at the same time.
const MOST: usize = 16;

fn refused(namespace: &Namespace, reason: &str) -> u64 {
    let page = page(namespace);
    page.value(&format!(
        "flowtop_exporter_refused_total{{reason=\"{reason}\"}}"
    )) as u64
}

/// Reads until the other end closes; what came.
fn until_closed(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    // A reset ends it, too.
    let _ = stream.read_to_end(&mut bytes);
    bytes
}

#[test]
fn what_is_no_request_is_refused_and_told() {
    if !support::root() {
        return;
    }
    let (pair, run) = watch("{}", &[]);
    let namespace = &pair.receiver;
    let send = |bytes: &[u8]| {
        let mut stream = connect(namespace, PORT).expect("connect");
        // It may be refused before all of it is sent.
        let _ = stream.write_all(bytes);
        until_closed(&mut stream)
    };
    let too_long = [b"GET / HTTP/1.1\r\nname: ".as_slice(), &[b'a'; 9000]].concat();
    for (bytes, status) in [
        (b"\x16\x03\x01\x00\x01\r\n\r\n".as_slice(), "400"),
        (
            b"GET /metrics HTTP/1.1\r\nContent-Length: 9\r\n\r\n123456789",
            "400",
        ),
        (b"DELETE /metrics HTTP/1.1\r\n\r\n", "405"),
        (too_long.as_slice(), "431"),
    ] {
        let answer = String::from_utf8_lossy(&send(bytes)).into_owned();
        let expected = format!("HTTP/1.1 {status} ");
        assert!(answer.starts_with(&expected), "{status}: {answer}");
    }
    assert_eq!(refused(namespace, "malformed"), 3);
    assert_eq!(refused(namespace, "too_large"), 1);
    run.finish();
}

#[test]
fn who_says_nothing_gives_way_and_who_is_slow_is_cut_off() {
    if !support::root() {
        return;
    }
    let (pair, run) = watch("{}", &[]);
    let namespace = &pair.receiver;
    // All places are taken by those who say hardly anything: others are served all the same.
    let mut slow: Vec<TcpStream> = (0..MOST)
        .map(|_| {
            let mut stream = connect(namespace, PORT).expect("connect");
            stream.write_all(b"GET / HT").expect("it is taken");
            stream
        })
        .collect();
    wait_for("a page beside them", || {
        refused(namespace, "connections") > 0
    });
    // One was pushed out; the others are cut off when their time is over, whatever they say meanwhile.
    let mut closed = 0;
    for stream in &mut slow {
        let _ = stream.write_all(b"T");
        closed += usize::from(until_closed(stream).is_empty());
    }
    assert_eq!(closed, MOST, "somebody was answered");
    assert!(refused(namespace, "late") > 0);
    run.finish();
}

#[test]
fn a_reader_that_stalls_holds_up_nobody() {
    if !support::root() {
        return;
    }
    // A page that no socket's memory takes.
    let config = format!(
        r#"{{"RULES": {{"{}": {{"match": "- - - - UDP", "EXPORT": 1000000}}}}, "MAX_SERIES": 1000000}}"#,
        "a long name, ".repeat(8)
    );
    let (pair, mut run) = watch(&config, &["--max-flows", "20000"]);
    let namespace = &pair.receiver;
    let sender = FrameSender::on(&pair);
    let mut sent = 0;
    wait_for("thousands of flows", || {
        for flow in 0..9000_u16 {
            let mut udp = Udp::to_port(5000);
            udp.source_port = flow;
            sender.send(&udp.with_payload(vec![0; 20]).frame());
            sent += 1;
        }
        page(namespace).all("flowtop_flow_packets_total").count() == 9000
    });
    let mut stalled: Vec<TcpStream> = (0..4)
        .map(|_| {
            let mut stream = connect(namespace, PORT).expect("connect");
            let request = b"GET /metrics HTTP/1.1\r\n\r\n";
            stream.write_all(request).expect("it is taken");
            stream
        })
        .collect();
    let before = sent;
    let mut rounds = 0;
    wait_for("them to be cut off", || {
        sender.send(&Udp::to_port(5000).with_payload(vec![0; 20]).frame());
        sent += 1;
        rounds += 1;
        run.record();
        refused(namespace, "unread") == 4
    });
    assert!(rounds >= 2, "others waited: {rounds} pages");
    assert!(sent > before);
    assert_eq!(
        page_with(&pair, sent).sum("flowtop_rule_packets_total"),
        sent
    );
    // What they read now is a part of a page, and no more comes.
    for stream in &mut stalled {
        assert!(
            read_answer(stream, false).is_err(),
            "the whole page had room"
        );
    }
    let mut stream = connect(namespace, PORT).expect("connect");
    let answer = ask(&mut stream, "GET /metrics HTTP/1.1\r\n\r\n").expect("an answer");
    assert!(answer.body.len() > 5_000_000, "{}", answer.body.len());
    run.finish();
}
