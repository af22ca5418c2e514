//! Aggregates that real devices make: of tunnels, and of more than 64 KiB. What is counted is what their packets weigh.

mod support;

use std::io::Write;
use std::net::{TcpListener, TcpStream};

use flowtop::netns::Namespace;
use serde_json::Value;
use support::pair::{self, Pair, RECEIVER_LINK, SENDER_LINK};
use support::program::{self, Flowtop, number, volume};
use support::run;

const BYTES: usize = 8_000_000;
const VXLAN_PORT: u16 = 4789;

/// A pair without IPv6 but for what a test asks for, each end with an address that knows the other's.
fn quiet_pair() -> Pair {
    let pair = Pair::quiet();
    for (namespace, link, ours, theirs, mac) in [
        (&pair.sender, SENDER_LINK, 2, 1, pair::RECEIVER_MAC),
        (&pair.receiver, RECEIVER_LINK, 1, 2, pair::SENDER_MAC),
    ] {
        let mac = mac.map(|byte| format!("{byte:02x}")).join(":");
        let address = format!("10.0.0.{ours}/24");
        ip(namespace, &format!("address add {address} dev {link}"));
        let neighbour = format!("neighbour add 10.0.0.{theirs} lladdr {mac} dev {link}");
        ip(namespace, &neighbour);
    }
    pair
}

fn ip(namespace: &Namespace, arguments: &str) {
    let arguments: Vec<&str> = arguments.split(' ').collect();
    run(namespace, "ip", &arguments);
}

/// A VXLAN device at each end, over the addresses of this net: vx, 10.9.0.x.
fn join_by_vxlan(pair: &Pair, net: &str) {
    for (namespace, link, ours, theirs) in [
        (&pair.sender, SENDER_LINK, 2, 1),
        (&pair.receiver, RECEIVER_LINK, 1, 2),
    ] {
        let ends = format!("local {net}{ours} remote {net}{theirs} dev {link}");
        let vxlan = format!("link add vx type vxlan id 5 dstport {VXLAN_PORT} {ends}");
        ip(namespace, &vxlan);
        for line in [
            format!("link set vx address 02:00:00:00:09:0{ours}"),
            format!("address add 10.9.0.{ours}/24 dev vx"),
            format!("neighbour add 10.9.0.{theirs} lladdr 02:00:00:00:09:0{theirs} dev vx"),
            "link set vx addrgenmode none".into(),
            "link set vx up".into(),
        ] {
            ip(namespace, &line);
        }
    }
}

/// Sends data from one end to the other, and returns when it was read.
fn transfer(pair: &Pair, address: &str, bytes: usize) {
    let listen = || Ok(TcpListener::bind(address)?);
    let listener = pair.receiver.within(listen).expect("listen");
    let connect = || Ok(TcpStream::connect(address)?);
    let mut sender = pair.sender.within(connect).expect("connect");
    let (mut receiver, _) = listener.accept().expect("accept");
    let reader = std::thread::spawn(move || std::io::copy(&mut receiver, &mut std::io::sink()));
    sender.write_all(&vec![0x61; bytes]).expect("write");
    drop(sender);
    let received = reader.join().expect("no panic").expect("read");
    assert_eq!(received, bytes as u64);
}

/// The tunnel's flows of a record, added up: the sender takes a port for each flow inside.
fn tunnel(record: &Value) -> (u64, u64, u64, u64) {
    let flows = program::flows(record).filter(|flow| {
        flow["interface"] == RECEIVER_LINK && flow["destination_port"] == VXLAN_PORT
    });
    flows.fold((0, 0, 0, 0), |sum, flow| {
        let (packets, bytes) = volume(flow);
        let payload = number(&flow["payload_bytes"]);
        let arrivals = number(&flow["interarrival_samples"]) + 1;
        (
            sum.0 + packets,
            sum.1 + bytes,
            sum.2 + payload,
            sum.3 + arrivals,
        )
    })
}

/// Data through the tunnel: outside there are as many packets as inside, each with the tunnel's headers in front.
fn expect_as_inside(pair: &Pair, headers: u64) {
    let watched = format!("{RECEIVER_LINK},vx");
    let arguments = ["-i", &watched, "-t", "0.1", "-j", "60"];
    let mut run = Flowtop::start(&pair.receiver, "{}", &arguments);
    transfer(pair, "10.9.0.1:7000", BYTES);
    run.settle(BYTES as u64 / 1460);
    let record = run.last_record();
    let (packets, bytes) = volume(program::interface(&record, "vx"));
    assert!(packets > BYTES as u64 / 1460, "{packets}");
    let outside = tunnel(&record);
    assert_eq!((outside.0, outside.1), (packets, bytes + packets * headers));
    // All behind the outer UDP header is its payload: VXLAN's own header and what is inside.
    assert_eq!(outside.2, bytes + packets * 8);
    assert!(
        packets > 2 * outside.3,
        "{packets} packets in {}",
        outside.3
    );
    // As it is inside: the data of TCP comes in aggregates, its acknowledgements do not.
    for link in [RECEIVER_LINK, "vx"] {
        let its = program::flows(&record).filter(|flow| flow["interface"] == link);
        let busiest = its.max_by_key(|flow| volume(flow).1).expect("a flow");
        assert_eq!(busiest["aggregates_seen"], true, "{busiest}");
    }
    let interface = program::interface(&record, RECEIVER_LINK);
    assert_eq!(number(&interface["packets_estimated"]), 0);
}

#[test]
fn vxlan_that_is_cut_behind_the_hook_counts_as_its_packets() {
    if !support::root() {
        return;
    }
    let pair = quiet_pair();
    join_by_vxlan(&pair, "10.0.0.");
    expect_as_inside(&pair, 14 + 20 + 8 + 8);
}

#[test]
fn vxlan_over_ipv6_counts_as_its_packets() {
    if !support::root() {
        return;
    }
    let pair = Pair::new();
    join_by_vxlan(&pair, "fd00::");
    expect_as_inside(&pair, 14 + 40 + 8 + 8);
}

#[test]
fn vxlan_that_was_put_together_before_the_hook_counts_as_what_the_sender_sent() {
    if !support::root() {
        return;
    }
    let pair = quiet_pair();
    join_by_vxlan(&pair, "10.0.0.");
    // Every packet by itself on the link, and aggregates again behind it.
    let off = [
        "-K",
        SENDER_LINK,
        "tso",
        "off",
        "tx-udp_tnl-segmentation",
        "off",
    ];
    run(&pair.sender, "ethtool", &off);
    run(
        &pair.receiver,
        "ethtool",
        &["-K", RECEIVER_LINK, "gro", "on"],
    );
    let sent = || {
        pair::link(&pair.sender, SENDER_LINK)
            .counters
            .expect("counters")
    };
    let arguments = ["-i", RECEIVER_LINK, "-t", "0.1", "-j", "60"];
    let mut run = Flowtop::start(&pair.receiver, "{}", &arguments);
    let before = sent();
    transfer(&pair, "10.9.0.1:7000", BYTES);
    let after = sent();
    let packets = after.sent_packets - before.sent_packets;
    // A veth that puts aggregates together counts packets without their Ethernet header.
    let bytes = after.sent_bytes - before.sent_bytes + 14 * packets;
    run.settle(packets);
    let record = run.last_record();
    let outside = tunnel(&record);
    assert!(
        packets > 2 * outside.3,
        "{packets} packets in {}",
        outside.3
    );
    assert_eq!((outside.0, outside.1), (packets, bytes));
}
