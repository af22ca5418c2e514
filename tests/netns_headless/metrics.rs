//! Groups of metrics, from a setting and frames of both families to a record: off, on, and started at zero.

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::support;
use crate::support::craft::{IPV4, IPV6, ethernet, udp, v4, v6};
use crate::support::frames::FrameSender;
use crate::support::pair::{Pair, RECEIVER_LINK};
use crate::support::program::{Flowtop, flow_to, interface};

const IPV4_PORT: u16 = 5004;
const IPV6_PORT: u16 = 5006;

/// Frames of one flow of each family, with these traffic classes and hop limits.
fn send(pair: &Pair, marks: &[(u8, u8)]) {
    let sender = FrameSender::on(pair);
    for (class, hops) in marks {
        let mut packet = v4(17, &udp((4000, IPV4_PORT), &[7; 20]));
        (packet[1], packet[8]) = (*class, *hops);
        sender.send(&ethernet(IPV4, &packet));
        let mut packet = v6(17, &udp((4000, IPV6_PORT), &[7; 20]));
        (packet[0], packet[1]) = (0x60 | class >> 4, class << 4);
        packet[7] = *hops;
        sender.send(&ethernet(IPV6, &packet));
    }
}

/// What a record says of both flows.
fn metrics(record: &Value) -> [&Value; 2] {
    [IPV4_PORT, IPV6_PORT].map(|port| &flow_to(record, "udp", port)["ip"])
}

/// What it is to say after so many frames, where the headers come to `metrics`: each is of one IP header, UDP's and 20 bytes.
fn expected(frames: u64, metrics: &Value) -> [Value; 2] {
    [20, 40].map(|header| {
        let mut of_flow = metrics.clone();
        of_flow["ip_bytes"] = json!(frames * (header + 8 + 20));
        of_flow
    })
}

#[test]
fn metrics_of_ip_headers_are_those_of_the_packets_and_start_at_zero_again() {
    if !support::root() {
        return;
    }
    let pair = Pair::quiet();
    let mut run = Flowtop::watch(&pair, r#"{"METRICS": ["ip"]}"#);
    // EF; EF with congestion met, twice; AF11 a hop nearer; then without a class, and as before.
    send(
        &pair,
        &[(0xb8, 61), (0xbb, 61), (0xbb, 61), (0x28, 62), (0x00, 61)],
    );
    run.settle(10);
    let of_headers =
        json!({"ce": 2, "ttl": 61, "ttl_changes": 2, "dscp": {"number": 0, "name": "CS0"}});
    assert_eq!(metrics(run.record()), expected(5, &of_headers).each_ref());
    run.signal(Signal::SIGUSR2);
    let record = run.until("zero", |r| interface(r, RECEIVER_LINK)["packets"] == 0);
    let of_headers =
        json!({"ce": 0, "ttl": 61, "ttl_changes": 0, "dscp": {"number": 0, "name": "CS0"}});
    assert_eq!(metrics(record), expected(0, &of_headers).each_ref());
    send(&pair, &[(0xbb, 60), (0x97, 60)]);
    run.settle(4);
    let of_headers =
        json!({"ce": 2, "ttl": 60, "ttl_changes": 1, "dscp": {"number": 37, "name": null}});
    let record = run.last_record();
    assert_eq!(metrics(&record), expected(2, &of_headers).each_ref());
}

#[test]
fn a_group_that_is_off_is_null_and_the_command_line_turns_it_on() {
    if !support::root() {
        return;
    }
    let pair = Pair::quiet();
    let off = Flowtop::watch(&pair, "{}");
    let arguments = ["-i", RECEIVER_LINK, "-t", "0.1", "--metrics", "ip"];
    let on = Flowtop::start(&pair.receiver, "{}", &arguments);
    send(&pair, &[(0x03, 9)]);
    for (mut run, is_on) in [(off, false), (on, true)] {
        run.settle(2);
        let record = run.last_record();
        assert!(
            metrics(&record).iter().all(|ip| ip.is_object() == is_on),
            "{record:#}"
        );
        assert!(is_on || metrics(&record) == [&Value::Null; 2], "{record:#}");
    }
}
