//! The program on hooks that it shares with others: what is theirs stays as it was, and nothing of ours stays behind.

mod support;

#[path = "netns_attach/chain.rs"]
mod chain;
#[path = "netns_attach/ends.rs"]
mod ends;
#[path = "netns_attach/links.rs"]
mod links;
#[path = "netns_attach/others.rs"]
mod others;
#[path = "netns_attach/refused.rs"]
mod refused;

use flowtop::netns::Namespace;
use serde_json::Value;
use support::clock::wait_for;
use support::frames::{FrameSender, Udp};
use support::pair::{Pair, RECEIVER_LINK};
use support::program::{self, Flowtop, interface, number};

const ARGUMENTS: [&str; 4] = ["-i", RECEIVER_LINK, "-t", "0.1"];
/// Matches every packet.
const ALL: [&str; 2] = ["bytecode", "1,6 0 0 4294967295"];

/// Runs a command of iproute2, its words separated by blanks.
fn ip(namespace: &Namespace, words: &str) -> String {
    let mut words = words.split(' ');
    let program = words.next().expect("a program");
    support::run(namespace, program, &words.collect::<Vec<_>>())
}

fn clsact(namespace: &Namespace) -> Flowtop {
    Flowtop::start_with(namespace, "{}", &ARGUMENTS, |command| {
        command.env("FLOWTOP_CLSACT", "1");
    })
}

/// Qdiscs, filters and links of a namespace, as iproute2 lists them.
fn everything(namespace: &Namespace) -> [String; 3] {
    [
        "tc -j qdisc show",
        "tc -j filter show dev veth1 ingress",
        "ip -j link show",
    ]
    .map(|words| ip(namespace, words))
}

/// The filters on the ingress of the link that have a handle.
fn filters(namespace: &Namespace) -> Vec<Value> {
    let text = ip(namespace, "tc -s -j filter show dev veth1 ingress");
    let all: Vec<Value> = serde_json::from_str(&text).expect("JSON");
    let is_filter = |filter: &Value| filter["options"]["handle"].is_string();
    all.into_iter().filter(is_filter).collect()
}

/// Filters with programs of ours.
fn ours(namespace: &Namespace) -> usize {
    let name = |filter: &Value| filter["options"]["bpf_name"].as_str().map(str::to_owned);
    let is_ours = |filter: &&Value| name(filter).is_some_and(|name| name.starts_with("flowtop_"));
    filters(namespace).iter().filter(is_ours).count()
}

/// A filter of somebody else's behind ours, which copies every packet to another device.
fn add_filter_of_others(namespace: &Namespace, words: &str) {
    let fixed = ["filter", "add", "dev", RECEIVER_LINK, "ingress"];
    let mirror = "action mirred egress mirror dev other0 continue";
    let words = [words.split(' ').collect(), vec!["bpf"], ALL.to_vec()].concat();
    let arguments = [&fixed[..], &words, &mirror.split(' ').collect::<Vec<_>>()].concat();
    support::run(namespace, "tc", &arguments);
}

/// A pair whose receiving end has an ingress qdisc and two filters of somebody else's.
fn shared_pair(qdisc: &str) -> Pair {
    let pair = Pair::quiet();
    ip(
        &pair.receiver,
        "ip link add other0 type veth peer name other1",
    );
    ip(&pair.receiver, "ip link set other0 up");
    ip(&pair.receiver, &format!("tc qdisc add dev veth1 {qdisc}"));
    add_filter_of_others(&pair.receiver, "prio 10 handle 0x1 protocol all");
    add_filter_of_others(&pair.receiver, "prio 11 handle 0xf107 protocol ip");
    pair
}

fn send(pair: &Pair, packets: usize) {
    let frame = Udp::to_port(5000).with_payload(vec![0; 10]).frame();
    let frames = vec![frame; packets];
    FrameSender::on(pair).send_in_step(frames.iter().map(Vec::as_slice));
}

fn counted(record: &Value) -> u64 {
    number(&program::flow_to(record, "udp", 5000)["packets"])
}

#[test]
fn beside_filters_of_others_tcx_counts_and_leaves_everything_as_it_was() {
    if !support::root() {
        return;
    }
    let pair = shared_pair("clsact");
    let before = everything(&pair.receiver);
    let mut run = Flowtop::watch(&pair, "{}");
    assert_eq!(everything(&pair.receiver), before, "while it runs");
    assert_eq!(chain::length(&pair), 1);
    send(&pair, 300);
    run.settle(300);
    let record = run.last_record();
    assert_eq!(interface(&record, RECEIVER_LINK)["hook"], "tcx");
    assert_eq!(counted(&record), 300);
    assert_eq!(chain::length(&pair), 0);
    assert_eq!(everything(&pair.receiver), before);
    // What is behind us has seen all of it.
    for filter in filters(&pair.receiver) {
        let stats = &filter["options"]["actions"][0]["stats"];
        assert_eq!(stats["packets"], 300, "{filter:#}");
    }
}

#[test]
fn beside_filters_of_others_clsact_counts_and_takes_only_its_own_filter_away() {
    if !support::root() {
        return;
    }
    for qdisc in ["clsact", "ingress"] {
        let pair = shared_pair(qdisc);
        let before = everything(&pair.receiver);
        let mut run = clsact(&pair.receiver);
        let of_all = filters(&pair.receiver);
        assert_eq!(of_all.len(), 3, "{qdisc}: {of_all:#?}");
        assert_eq!(of_all[0]["pref"], 1, "first of all");
        send(&pair, 300);
        run.settle(300);
        let record = run.last_record();
        assert_eq!(interface(&record, RECEIVER_LINK)["hook"], "clsact");
        assert_eq!(counted(&record), 300, "{qdisc}");
        assert_eq!(everything(&pair.receiver), before, "{qdisc}");
        for filter in filters(&pair.receiver) {
            let stats = &filter["options"]["actions"][0]["stats"];
            assert_eq!(stats["packets"], 300, "{qdisc}: {filter:#}");
        }
    }
}

#[test]
fn names_and_globs_choose_the_interfaces_and_those_that_come_later() {
    if !support::root() {
        return;
    }
    let pair = Pair::quiet();
    ip(&pair.receiver, "ip link add wan0 type veth peer name wan1");
    ip(&pair.receiver, "ip link add lan0 type veth peer name lan1");
    let arguments = ["-i", "veth1,wan*", "-i", "la?1", "-t", "0.1"];
    let mut run = Flowtop::start(&pair.receiver, "{}", &arguments);
    let names = |record: &Value| {
        let name = |i: &Value| i["name"].as_str().expect("a name").to_owned();
        let mut names: Vec<_> = program::interfaces(record).map(name).collect();
        names.sort_unstable();
        names
    };
    assert_eq!(names(run.record()), ["lan1", "veth1", "wan0", "wan1"]);
    ip(&pair.receiver, "ip link add wan2 type veth peer name x2");
    run.until("the new one", |record| {
        names(record).contains(&"wan2".into())
    });
    ip(&pair.receiver, "ip link delete lan0");
    run.until("the end of another", |record| {
        interface(record, "lan1")["state"] == "gone" && interface(record, "lan1")["hook"].is_null()
    });
    send(&pair, 10);
    run.settle(10);
    assert_eq!(counted(&run.last_record()), 10);
}

#[test]
fn a_missing_interface_is_an_error_of_its_own() {
    if !support::root() {
        return;
    }
    let pair = Pair::quiet();
    let output = program::run_to_end(&pair.receiver, &["--json", "-i", "veth1,eth9"]);
    assert_eq!(output.status.code(), Some(69));
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        "flowtop: attach to eth9: no such interface (see: ip link)\n"
    );
    assert!(output.stdout.is_empty());
    assert_eq!(chain::length(&pair), 0);
}
