//! A flood of what is no request, beside slow clients and readers that stall: neither counts nor memory move. Some thousand in
//! `make test`, a million in `make test-long`.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::Result;
use flowtop::netns::Namespace;
use nix::sys::socket::{setsockopt, sockopt::RcvBuf};

use super::dice::Dice;
use super::support::frames::{FrameSender, Udp};
use super::support::program::Flowtop;
use super::support::scrape::{PORT, page};
use super::support::{self, clock::wait_for};
use super::{page_with, watch};

/// Flows that are shown: their page finds no room in a socket.
const FLOWS: u16 = 1000;

/// kB that one such page has, roughly: it comes and goes with each reading.
const PAGE_KIB: u64 = 4096;

fn requests() -> u32 {
    match std::env::var_os("FLOWTOP_LONG_TESTS") {
        Some(_) => 1_000_000,
        None => 4000,
    }
}

fn dial() -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, PORT))?;
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    Ok(stream)
}

/// Bytes that are hardly ever a request.
fn garbage(dice: &mut Dice) -> Vec<u8> {
    let valid = b"GET /healthz HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n";
    let bytes = |dice: &mut Dice, most| -> Vec<u8> {
        let count = dice.below(most);
        (0..count).map(|_| dice.roll() as u8).collect()
    };
    match dice.below(8) {
        0 => Vec::new(),
        1 => bytes(dice, 300),
        2 => [bytes(dice, 300), b"\r\n\r\n".to_vec()].concat(),
        3 => [b"GET / HTTP/1.1\r\na: ".as_slice(), &[b'a'; 9000]].concat(),
        4 => {
            let method = dice.one_of(&["POST", "DELETE", "PRI", "get"]);
            format!("{method} /metrics HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc").into_bytes()
        }
        5 => valid[..dice.below(valid.len())].to_vec(),
        6 => [b"HEAD / HTTP/1.1\r\n\r\n".repeat(9), bytes(dice, 40)].concat(),
        _ => {
            let mut request = valid.to_vec();
            let at = dice.below(request.len());
            request[at] = dice.roll() as u8;
            request
        }
    }
}

/// Sends garbage as long as there is some left; how many answers there were of each status.
fn throw(seed: u64, left: &AtomicU32) -> BTreeMap<String, u64> {
    let mut dice = Dice(seed);
    let mut answers = BTreeMap::new();
    let one_less = |left: u32| left.checked_sub(1);
    let take = || left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less);
    while take().is_ok() {
        let mut stream = dial().expect("it is listened");
        // It may be refused, or pushed out, before all of it is sent.
        let _ = stream.write_all(&garbage(&mut dice));
        let _ = stream.shutdown(Shutdown::Write);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let last = String::from_utf8_lossy(&answer).into_owned();
        let last = last
            .rfind("HTTP/1.1 ")
            .and_then(|at| last.get(at + 9..at + 12));
        *answers
            .entry(last.unwrap_or("none").to_owned())
            .or_default() += 1;
    }
    answers
}

/// Clients that say a byte now and then, and readers that ask for the page and never read it, until this is over.
fn dawdle(is_over: &AtomicBool) -> Result<()> {
    let (mut slow, mut stalled): (Vec<TcpStream>, Vec<(TcpStream, Instant)>) = Default::default();
    while !is_over.load(Ordering::Relaxed) {
        slow.retain_mut(|stream| stream.write_all(b"G").is_ok());
        if slow.len() < 6 {
            slow.extend(dial());
        }
        stalled.retain(|(_, since)| since.elapsed() < Duration::from_secs(12));
        if stalled.len() < 3
            && let Ok(mut stream) = dial()
        {
            setsockopt(&stream, RcvBuf, &2048).expect("a small buffer");
            let _ = stream.write_all(b"GET /metrics HTTP/1.1\r\n\r\n");
            stalled.push((stream, Instant::now()));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

/// Sends packets of all flows in turn until this is over; how many.
fn send(sender: &FrameSender, is_over: &AtomicBool) -> u64 {
    let mut sent = 0;
    while !is_over.load(Ordering::Relaxed) || sent < u64::from(FLOWS) {
        let mut udp = Udp::to_port(5000);
        udp.source_port = (sent % u64::from(FLOWS)) as u16;
        sender.send(&udp.with_payload(vec![0; 20]).frame());
        sent += 1;
        std::thread::sleep(Duration::from_micros(500));
    }
    sent
}

/// The most that there was at any time.
#[derive(Debug, Default, Clone, Copy)]
struct Most {
    /// Until the next record of the run.
    record: Duration,
    /// Until a page had come.
    page: Duration,
    resident_kib: u64,
}

impl Most {
    fn look(&mut self, run: &mut Flowtop, namespace: &Namespace) {
        let began = Instant::now();
        run.record();
        self.record = self.record.max(began.elapsed());
        let began = Instant::now();
        page(namespace);
        self.page = self.page.max(began.elapsed());
        let resident = support::resident_kib(run.pid());
        self.resident_kib = self.resident_kib.max(resident);
    }
}

#[test]
fn a_flood_of_garbage_moves_neither_counts_nor_memory() {
    if !support::root() {
        return;
    }
    let config = format!(
        r#"{{"RULES": {{"{}": {{"match": "- - - - UDP", "EXPORT": {FLOWS}}}}}}}"#,
        "a long name, ".repeat(8)
    );
    let (pair, mut run) = watch(&config, &["--max-flows", "4096"]);
    let (namespace, sender) = (&pair.receiver, FrameSender::on(&pair));
    let (all, is_over) = (requests(), AtomicBool::new(false));
    let left = AtomicU32::new(all);
    let began = Instant::now();
    let mut most = [Most::default(); 2];
    let (sent, answers) = std::thread::scope(|scope| {
        let sent = scope.spawn(|| send(&sender, &is_over));
        wait_for("all flows", || {
            page(namespace).all("flowtop_flow_packets_total").count() == usize::from(FLOWS)
        });
        scope.spawn(|| namespace.within(|| dawdle(&is_over)));
        let left = &left;
        let thrown = [1, 2].map(|seed| {
            scope.spawn(move || namespace.within(|| Ok(throw(seed, left))).expect("answers"))
        });
        while thrown.iter().any(|thread| !thread.is_finished()) {
            let is_begun = left.load(Ordering::Relaxed) <= all / 4 * 3;
            most[usize::from(is_begun)].look(&mut run, namespace);
        }
        is_over.store(true, Ordering::Relaxed);
        let mut answers = BTreeMap::new();
        for (status, count) in thrown.into_iter().flat_map(|t| t.join().expect("it ends")) {
            *answers.entry(status).or_insert(0) += count;
        }
        (sent.join().expect("it ends"), answers)
    });
    println!(
        "{all} in {:.0?}: {answers:?}, beside {sent} packets; in the first quarter at most {:?}, then {:?}",
        began.elapsed(),
        most[0],
        most[1]
    );
    let last = page_with(&pair, sent);
    for name in ["interface_seen_packets", "rule_packets"] {
        assert_eq!(last.sum(&format!("flowtop_{name}_total")), sent, "{name}");
    }
    let refused = |reason: &str| {
        last.value(&format!(
            "flowtop_exporter_refused_total{{reason=\"{reason}\"}}"
        )) as u64
    };
    let answered = |status: &str| answers.get(status).copied().unwrap_or(0);
    assert!(refused("malformed") >= answered("400") + answered("405"));
    assert!(refused("too_large") >= answered("431"));
    assert!(answered("400") > u64::from(all / 8), "{answers:?}");
    let [first, later] = most.map(|most| most.resident_kib);
    assert!(later < first + 2 * PAGE_KIB, "{first} kB, then {later} kB");
    run.finish();
}
