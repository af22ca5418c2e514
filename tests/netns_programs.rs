//! The program on a veth pair between programs that others wrote: what it counts is what they report.

#[path = "netns_programs/iperf3.rs"]
mod iperf3;
#[path = "netns_programs/rtp.rs"]
mod rtp;
mod support;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd;

use flowtop::netns::Namespace;
use iperf3::Report;
use serde_json::Value;
use support::clock;
use support::pair::{Pair, RECEIVER_LINK, SENDER_LINK};
use support::program::{self, Flowtop, number, volume};
use support::relay::{Chain, Verdict};

/// Segments with a timestamp option: Ethernet, IP, TCP.
const V4_HEADERS: u64 = 14 + 20 + 32;
const V6_HEADERS: u64 = 14 + 40 + 32;
/// What a SYN has more: maximum segment size, SACK permitted and window scale, with fewer fillers.
const SYN_EXTRA: u64 = 8;

#[test]
fn pings_are_counted_one_by_one_and_none_is_lost() {
    if !support::root() {
        return;
    }
    let pair = Pair::new();
    let mut run = Flowtop::watch(&pair, "{}");
    let quick = ["-c", "20", "-i", "0.01", "-s", "100"];
    let ping = |more: &[&str]| support::run(&pair.sender, "ping", &[&quick[..], more].concat());
    let said = [ping(&["10.0.0.1"]), ping(&["-6", "fd00::1"])];
    for said in said {
        assert!(
            said.contains("20 packets transmitted, 20 received"),
            "{said}"
        );
    }
    run.settle(40);
    let record = run.last_record();
    let of = |protocol, port, headers: u64| {
        let flow = program::flow_to(&record, protocol, port);
        assert_eq!(volume(flow), (20, 20 * (headers + 100)));
        assert_eq!(number(&flow["payload_bytes"]), 20 * 100);
        let sequence = &flow["sequence"];
        assert_eq!(sequence["current"], 20, "{sequence}");
        assert_eq!(sequence["received"], 20, "{sequence}");
        assert_eq!(sequence["loss_percent"], 0.0, "{sequence}");
        assert_eq!(sequence["reverse_errors"], 0, "{sequence}");
    };
    of("icmp", 8 * 256, 14 + 20 + 8);
    of("icmpv6", 128 * 256, 14 + 40 + 8);
}

/// Of struct tcp_info, up to the bytes retransmitted.
const INFO_BYTES: usize = 216;

/// The kernel's own account of a connection (struct tcp_info).
fn tcp_info(socket: &TcpStream) -> [u8; INFO_BYTES] {
    let mut info = [0u8; INFO_BYTES];
    let mut length = info.len() as libc::socklen_t;
    // SAFETY: the buffer and its length outlive the call; the descriptor is open.
    let outcome = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            info.as_mut_ptr().cast(),
            &mut length,
        )
    };
    assert_eq!((outcome, length), (0, INFO_BYTES as u32));
    info
}

fn u32_at(info: &[u8; INFO_BYTES], at: usize) -> u64 {
    u64::from(u32::from_ne_bytes(
        info[at..at + 4].try_into().expect("four bytes"),
    ))
}

fn u64_at(info: &[u8; INFO_BYTES], at: usize) -> u64 {
    u64::from_ne_bytes(info[at..at + 8].try_into().expect("eight bytes"))
}

/// What the kernels at both ends say of a connection that carried data one way.
struct Transfer {
    /// Data that was written and read.
    bytes: u64,
    /// Segments that came, with data or without.
    segments: u64,
    /// Those with data.
    data_segments: u64,
    /// Data that was sent more than once.
    retransmitted: u64,
    /// Segments that were: a FIN, too.
    retransmissions: u64,
}

impl Transfer {
    /// With both ends on one CPU. What two CPUs send waits in two backlogs, and does overtake: the receiving kernel then
    /// counts segments out of order too.
    fn of(pair: &Pair, address: &str, bytes: usize) -> Transfer {
        let transfer = || {
            clock::pin(clock::cpus()[0]);
            Transfer::here(pair, address, bytes)
        };
        std::thread::scope(|scope| scope.spawn(transfer).join().expect("no panic"))
    }

    fn here(pair: &Pair, address: &str, bytes: usize) -> Transfer {
        let listen = || Ok(TcpListener::bind(address)?);
        let listener = pair.receiver.within(listen).expect("listen");
        let connect = || Ok(TcpStream::connect(address)?);
        let mut sender = pair.sender.within(connect).expect("connect");
        let (mut receiver, _) = listener.accept().expect("accept");
        let reader = std::thread::spawn(move || {
            let received = std::io::copy(&mut receiver, &mut std::io::sink()).expect("read");
            (received, tcp_info(&receiver))
        });
        sender.write_all(&vec![0x61; bytes]).expect("write");
        sender.shutdown(std::net::Shutdown::Write).expect("FIN");
        let (received, info) = reader.join().expect("no panic");
        assert_eq!(received, bytes as u64);
        assert_eq!(sender.read(&mut [0]).expect("its FIN"), 0);
        let sent = tcp_info(&sender);
        Transfer {
            bytes: received,
            segments: u32_at(&info, 140),
            data_segments: u32_at(&info, 152),
            retransmitted: u64_at(&sent, 208),
            retransmissions: u32_at(&sent, 100),
        }
    }

    /// A busy machine retransmits now and then: the data is then counted again, as far as it came.
    fn assert_payload(&self, payload: u64, sequence: &Value) {
        let most = self.bytes + self.retransmitted;
        assert!(
            (self.bytes..=most).contains(&payload),
            "{payload}, {}",
            self.bytes
        );
        if self.retransmissions > 0 {
            return;
        }
        // SYN and, unless it comes with data, FIN take part as well.
        let tracked = number(&sequence["received"]) - self.data_segments;
        assert!(
            tracked == 1 || tracked == 2,
            "{sequence}, {}",
            self.data_segments
        );
        assert_eq!(sequence["lost"], 0, "{sequence}");
        assert_eq!(sequence["reverse_errors"], 0, "{sequence}");
    }
}

#[test]
fn tcp_is_counted_in_segments_as_the_receiving_kernel_counts_them() {
    if !support::root() {
        return;
    }
    expect_segments(&Pair::new(), 2);
}

#[test]
fn tcp_in_buffers_of_more_than_64_kib_is_counted_in_segments_too() {
    if !support::root() {
        return;
    }
    let pair = Pair::new();
    // Of IPv6, that is: the kernel then puts a header of 8 bytes between IP's and TCP's, which no packet has on a wire.
    for (namespace, link) in [(&pair.sender, SENDER_LINK), (&pair.receiver, RECEIVER_LINK)] {
        let sizes = ["gso_max_size", "190000", "gro_max_size", "190000"];
        let command = [&["link", "set", link][..], &sizes].concat();
        support::run(namespace, "ip", &command);
    }
    expect_segments(&pair, 2);
}

/// Data over both families: as many packets as the kernel counts, to the byte, in buffers of more than so many packets.
fn expect_segments(pair: &Pair, in_a_buffer: u64) {
    let mut run = Flowtop::watch(pair, "{}");
    for (address, port, headers) in [
        ("10.0.0.1:7001", 7001, V4_HEADERS),
        ("[fd00::1]:7002", 7002, V6_HEADERS),
    ] {
        let before = pair.received().received_packets;
        let transfer = Transfer::of(pair, address, 10_000_001);
        // The receiver's account was read before its own FIN was sent, and acknowledged.
        let packets = transfer.segments + 1;
        let record = run.until("all segments", |record| {
            let mut flows = program::flows(record);
            flows
                .any(|flow| flow["destination_port"] == port && number(&flow["packets"]) >= packets)
        });
        let flow = program::flow_to(record, "tcp", port);
        let payload = number(&flow["payload_bytes"]);
        let bytes = payload + packets * headers + SYN_EXTRA;
        assert_eq!(volume(flow), (packets, bytes));
        let buffers = pair.received().received_packets - before;
        assert!(
            packets > in_a_buffer * buffers,
            "{packets} packets in {buffers} buffers"
        );
        transfer.assert_payload(payload, &flow["sequence"]);
    }
    run.last_record();
}

/// TCP segments that were sent more than once in a namespace, as its kernel says: iperf3's own figure is of the moment
/// at which it ended, and the end of what it sent may not be acknowledged by then.
fn segments_sent_again(namespace: &Namespace) -> u64 {
    let output = support::command(namespace, "cat")
        .arg("/proc/net/snmp")
        .output();
    let text = String::from_utf8(output.expect("cat").stdout).expect("text");
    let mut lines = text.lines().filter_map(|line| line.strip_prefix("Tcp: "));
    let [names, values] = [lines.next(), lines.next()].map(|line| line.expect("a line").split(' '));
    let mut found = names.zip(values).filter(|(name, _)| *name == "RetransSegs");
    found
        .next()
        .and_then(|(_, value)| value.parse().ok())
        .expect("a number")
}

#[test]
fn what_iperf3_receives_over_tcp_is_what_is_counted() {
    if !support::root() {
        return;
    }
    let pair = Pair::new();
    let mut run = Flowtop::watch(&pair, "{}");
    for (address, headers) in [("10.0.0.1", V4_HEADERS), ("fd00::1", V6_HEADERS)] {
        let arguments = ["-c", address, "-n", "20M"];
        let report = Report::of(&pair.sender, &pair.receiver, &arguments);
        let port = report.client_port();
        // Its control connection is a flow of its own.
        let is_data = |flow: &Value| flow["source_port"] == port && flow["protocol"] == "tcp";
        let cookie = 37;
        let received = report.received_bytes() + cookie;
        let record = run.until("its bytes", |record| {
            let mut flows = program::flows(record);
            flows.any(|flow| is_data(flow) && number(&flow["payload_bytes"]) >= received)
        });
        let flow = program::only(record, is_data);
        let (packets, bytes) = volume(flow);
        let payload = number(&flow["payload_bytes"]);
        let again = segments_sent_again(&pair.sender) * 1448;
        let sent = report.sent_bytes() + again + cookie;
        assert!(
            (received..=sent).contains(&payload),
            "{received} {payload} {sent}"
        );
        assert_eq!(bytes, payload + packets * headers + SYN_EXTRA);
        assert!(packets >= payload / 1448);
    }
    run.last_record();
}

const IPERF3: &str = r#"{"RULES": {"iperf3": {"match": "- - - 5201 UDP", "PROFILE": "iperf3"}, "rest": "- - - - -"}}"#;

/// Lets TCP (the end of the test) wait until the datagrams have been read.
fn is_tcp(frame: &[u8]) -> bool {
    let v4 = frame[12..14] == [0x08, 0x00] && frame[23] == 6;
    v4 || frame[12..14] == [0x86, 0xdd] && frame[20] == 6
}

/// Measures at a pace at which the receiving socket has room for what comes in the time that a busy machine may keep the
/// server waiting. Goes over a relay that treats the n-th datagram by `fate`; report and count must agree.
fn compare_udp(address: &str, fate: fn(u64) -> Verdict) -> Report {
    let chain = Chain::new();
    let arguments = ["-i", RECEIVER_LINK, "-t", "0.1"];
    let run = Flowtop::start(&chain.receiver, IPERF3, &arguments);
    let mut datagrams = 0;
    let relay = chain.relay(move |frame| {
        if is_tcp(frame) {
            return if datagrams < 2 {
                Verdict::Pass
            } else {
                Verdict::Later
            };
        }
        datagrams += u64::from(frame.len() > 100);
        if frame.len() > 100 {
            fate(datagrams)
        } else {
            Verdict::Pass
        }
    });
    let arguments = ["-c", address, "-u", "-b", "320k", "-l", "100", "-t", "3"];
    let report = Report::of(&chain.sender, &chain.receiver, &arguments);
    drop(relay);
    let record = run.last_record();
    let flow = program::flow_to(&record, "udp", 5201);
    let sequence = &flow["sequence"];
    let (sent, lost, out_of_order) = report.datagrams();
    assert_eq!(number(&sequence["current"]), sent, "{sequence}");
    assert_eq!(number(&sequence["received"]), sent - lost, "{sequence}");
    assert_eq!(number(&sequence["lost"]), lost, "{sequence}");
    assert_eq!(number(&sequence["reordered"]), out_of_order, "{sequence}");
    // It says hello with four bytes before it begins.
    assert_eq!(sequence["absent"], 1, "{sequence}");
    assert_eq!(number(&flow["packets"]), sent - lost + 1);
    assert_eq!(number(&flow["payload_bytes"]), (sent - lost) * 100 + 4);
    assert_eq!(flow["rule"], "iperf3");
    report
}

#[test]
fn what_iperf3_receives_over_udp_is_what_is_counted() {
    if !support::root() {
        return;
    }
    let (sent, ..) = compare_udp("10.0.0.1", |_| Verdict::Pass).datagrams();
    assert!(sent > 1000, "{sent}");
}

#[test]
fn what_iperf3_calls_lost_and_out_of_order_is_called_so_here() {
    if !support::root() {
        return;
    }
    let fate = |number| match number {
        n if n % 50 == 0 => Verdict::Drop,
        n if n % 150 == 76 => Verdict::Drop,
        n if n % 37 == 5 => Verdict::Swap,
        _ => Verdict::Pass,
    };
    let (sent, lost, out_of_order) = compare_udp("fd00::1", fate).datagrams();
    assert!(
        lost >= sent / 50 && out_of_order >= sent / 50,
        "{sent} {lost} {out_of_order}"
    );
}
