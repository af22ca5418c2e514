//! An RTP stream over a link that loses, swaps and repeats, and what its receiver makes of it.

use std::collections::BTreeSet;
use std::net::UdpSocket;
use std::time::Duration;

use nix::sys::socket::{setsockopt, sockopt};
use serde_json::Value;

use super::support::clock::Pacer;
use super::support::pair::RECEIVER_LINK;
use super::support::program::{self, Flowtop, number};
use super::support::relay::{Chain, Verdict};
use super::support::root;

const PORT: u16 = 5004;
/// Wraps around on the way.
const FIRST: u16 = 64_900;
const PACKETS: u16 = 2000;
const HEADER: usize = 12;
const PAYLOAD: usize = 160;
/// STUN and DTLS come on the ports of RTP, too: their first byte is not that of version 2.
const STRANGERS: [u8; 2] = [0x00, 0x16];

fn rtp(number: u16) -> Vec<u8> {
    let mut packet = vec![0x55; HEADER + PAYLOAD];
    packet[..2].copy_from_slice(&[0x80, 96]);
    packet[2..4].copy_from_slice(&number.to_be_bytes());
    packet[4..8].copy_from_slice(&(u32::from(number) * PAYLOAD as u32).to_be_bytes());
    packet
}

fn stranger(first: u8) -> Vec<u8> {
    let mut packet = vec![0xff; 40];
    packet[0] = first;
    packet
}

/// What a receiver of RTP says: RFC 3550, section 6.4.1 and appendix A.3.
#[derive(Debug, Default)]
struct Receiver {
    seen: BTreeSet<u64>,
    packets: u64,
    late: u64,
    duplicates: u64,
    strangers: u64,
}

impl Receiver {
    fn take(&mut self, packet: &[u8]) {
        if packet[0] >> 6 != 2 {
            self.strangers += 1;
            return;
        }
        self.packets += 1;
        let number = u16::from_be_bytes([packet[2], packet[3]]);
        let highest = self.highest().unwrap_or(u64::from(number));
        let ahead = number.wrapping_sub(highest as u16) as i16;
        let extended = highest.wrapping_add_signed(ahead.into());
        if !self.seen.insert(extended) {
            self.duplicates += 1;
        } else if extended < highest {
            self.late += 1;
        }
    }

    fn highest(&self) -> Option<u64> {
        self.seen.last().copied()
    }

    fn lost(&self) -> u64 {
        let base = self.seen.first().copied().expect("packets");
        self.highest().expect("packets") - base + 1 - self.seen.len() as u64
    }
}

/// Reads until so many packets have come.
fn receive(socket: &UdpSocket, packets: u64) -> Receiver {
    let mut receiver = Receiver::default();
    let mut buffer = [0; 2000];
    while receiver.packets + receiver.strangers < packets {
        let length = socket.recv(&mut buffer).expect("a packet in time");
        receiver.take(&buffer[..length]);
    }
    receiver
}

/// What becomes of the n-th packet. The first and the last come, in their places: what is lost before and behind them
/// nobody could tell.
fn fate(n: u16) -> Verdict {
    match n {
        n if n % 40 == 7 || (900..905).contains(&n) => Verdict::Drop,
        n if n % 33 == 5 && n + 1 < PACKETS => Verdict::Swap,
        _ => Verdict::Pass,
    }
}

fn is_repeated(n: u16) -> bool {
    n % 101 == 60 && fate(n) == Verdict::Pass
}

fn has_strangers(n: u16) -> bool {
    n % 250 == 100
}

fn count(of_all: impl Fn(u16) -> bool) -> u64 {
    (0..PACKETS).filter(|n| of_all(*n)).count() as u64
}

fn dropped() -> u64 {
    count(|n| fate(n) == Verdict::Drop)
}

fn strangers() -> u64 {
    count(has_strangers) * STRANGERS.len() as u64
}

/// The relay's part: packets of the stream as planned, all others pass.
fn judge(frame: &[u8]) -> Verdict {
    match frame.get(42..46) {
        Some(&[0x80, 96, high, low]) => fate(u16::from_be_bytes([high, low]).wrapping_sub(FIRST)),
        _ => Verdict::Pass,
    }
}

fn send_stream(socket: &UdpSocket) {
    let mut pacer = Pacer::start();
    let send = |packet: Vec<u8>| {
        let sent = socket.send_to(&packet, ("10.0.0.1", PORT));
        sent.expect("send");
    };
    for n in 0..PACKETS {
        for _ in 0..1 + u8::from(is_repeated(n)) {
            send(rtp(FIRST.wrapping_add(n)));
        }
        if has_strangers(n) {
            STRANGERS.into_iter().map(stranger).for_each(send);
        }
        pacer.wait(Duration::from_micros(300));
    }
}

fn sockets(chain: &Chain) -> (UdpSocket, UdpSocket) {
    let bind = |address| Ok(UdpSocket::bind(address)?);
    let listener = chain.receiver.within(|| bind("10.0.0.1:5004"));
    let listener = listener.expect("a socket");
    setsockopt(&listener, sockopt::RcvBufForce, &(16 << 20)).expect("room");
    let limit = Some(Duration::from_secs(30));
    listener.set_read_timeout(limit).expect("a time limit");
    let sender = chain.sender.within(|| bind("10.0.0.2:40000"));
    (listener, sender.expect("a socket"))
}

#[test]
fn an_rtp_stream_with_loss_is_counted_as_its_receiver_counts_it() {
    if !root() {
        return;
    }
    let chain = Chain::new();
    let config = r#"{"RULES": {"voice": {"match": "- - - 5004 UDP", "PROFILE": "rtp"}}}"#;
    let arguments = ["-i", RECEIVER_LINK, "-t", "0.1"];
    let mut run = Flowtop::start(&chain.receiver, config, &arguments);
    let (listener, sender) = sockets(&chain);
    let _relay = chain.relay(judge);
    let came = u64::from(PACKETS) - dropped() + count(is_repeated) + strangers();
    let receiver = std::thread::scope(|scope| {
        let receiver = scope.spawn(|| receive(&listener, came));
        send_stream(&sender);
        receiver.join().expect("no panic")
    });
    run.until("all packets", |record| {
        program::flows(record).any(|flow| number(&flow["packets"]) >= came)
    });
    let record = run.last_record();
    let flow = program::flow_to(&record, "udp", PORT);
    assert_eq!(
        (number(&flow["packets"]), &flow["rule"]),
        (came, &"voice".into())
    );
    assert_counted(&flow["sequence"], &receiver);
}

fn assert_counted(sequence: &Value, receiver: &Receiver) {
    assert_eq!(receiver.lost(), dropped());
    assert_eq!(receiver.duplicates, count(is_repeated));
    assert!(receiver.late > 20, "{receiver:?}");
    let highest = receiver.highest().expect("packets");
    for (name, number) in [
        ("current", highest & 0xffff),
        ("received", receiver.packets),
        ("lost", receiver.lost()),
        ("reordered", receiver.late),
        ("reverse_errors", receiver.late),
        ("duplicates", receiver.duplicates),
        ("absent", receiver.strangers),
        ("restarts", 0),
    ] {
        assert_eq!(sequence[name], number, "{name}: {sequence}");
    }
    let percent = 100.0 * receiver.lost() as f64 / f64::from(PACKETS);
    let said = sequence["loss_percent"].as_f64().expect("a share");
    assert!((said - percent).abs() < 0.01, "{said} {percent}");
}
