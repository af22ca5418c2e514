//! The program on hooks that it shares with others: what is theirs stays as it was, and nothing of ours stays behind.

mod support;

use std::time::{Duration, Instant};

use flowtop::netns::Namespace;
use nix::sys::signal::Signal;
use serde_json::Value;
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

fn ours(namespace: &Namespace) -> usize {
    let is_ours = |filter: &&Value| filter["options"]["handle"] == "0xf107";
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

/// Programs on the TCX ingress hook.
fn tcx_programs(pair: &Pair) -> u32 {
    use libbpf_rs::libbpf_sys::{BPF_TCX_INGRESS, bpf_prog_query_opts};
    let ifindex = pair.receiver_ifindex();
    let query = || {
        let mut options = bpf_prog_query_opts {
            sz: size_of::<bpf_prog_query_opts>() as _,
            ..Default::default()
        };
        // SAFETY: options that outlive the call and ask for no list, only for the number.
        let outcome = unsafe {
            libbpf_rs::libbpf_sys::bpf_prog_query_opts(
                ifindex as i32,
                BPF_TCX_INGRESS,
                &mut options,
            )
        };
        assert_eq!(outcome, 0, "ask for the programs on the hook");
        // SAFETY: both members of the union are the same number.
        Ok(unsafe { options.__bindgen_anon_1.count })
    };
    pair.receiver.within(query).expect("query")
}

fn send(pair: &Pair, packets: usize) {
    let frame = Udp::to_port(5000).with_payload(vec![0; 10]).frame();
    let frames = vec![frame; packets];
    FrameSender::on(pair).send_in_step(frames.iter().map(Vec::as_slice));
}

fn counted(record: &Value) -> u64 {
    number(&program::flow_to(record, "udp", 5000)["packets"])
}

fn wait_for(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
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
    assert_eq!(tcx_programs(&pair), 1);
    send(&pair, 300);
    run.settle(300);
    let record = run.last_record();
    assert_eq!(interface(&record, RECEIVER_LINK)["hook"], "tcx");
    assert_eq!(counted(&record), 300);
    assert_eq!(tcx_programs(&pair), 0);
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
fn a_filter_of_others_in_our_place_is_not_replaced() {
    if !support::root() {
        return;
    }
    let pair = shared_pair("clsact");
    add_filter_of_others(&pair.receiver, "prio 1 handle 0xf107 protocol all");
    let before = everything(&pair.receiver);
    let mut command = support::command(&pair.receiver, program::PROGRAM);
    command
        .args(ARGUMENTS)
        .arg("--json")
        .env("FLOWTOP_CLSACT", "1");
    let output = command.output().expect("run");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.starts_with("flowtop: attach to veth1: "), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    assert_eq!(everything(&pair.receiver), before);
}

#[test]
fn two_runs_on_one_interface_count_the_same_and_the_first_outlives_the_second() {
    if !support::root() {
        return;
    }
    let pair = Pair::quiet();
    let mut first = Flowtop::watch(&pair, "{}");
    let mut second = Flowtop::watch(&pair, "{}");
    assert_eq!(tcx_programs(&pair), 2);
    send(&pair, 200);
    first.settle(200);
    second.settle(200);
    assert_eq!(counted(&second.last_record()), 200);
    assert_eq!(tcx_programs(&pair), 1);
    send(&pair, 100);
    first.settle(300);
    assert_eq!(counted(&first.last_record()), 300);
}

#[test]
fn after_sigkill_nothing_of_ours_is_left_on_tcx() {
    if !support::root() {
        return;
    }
    let pair = shared_pair("clsact");
    let before = everything(&pair.receiver);
    let run = Flowtop::watch(&pair, "{}");
    run.signal(Signal::SIGKILL);
    assert_eq!(run.wait().code, None);
    wait_for("an empty hook", || tcx_programs(&pair) == 0);
    assert_eq!(everything(&pair.receiver), before);
}

#[test]
fn what_sigkill_left_on_clsact_is_replaced_by_the_next_run_and_gone_after_it() {
    if !support::root() {
        return;
    }
    let pair = shared_pair("clsact");
    let before = everything(&pair.receiver);
    let run = clsact(&pair.receiver);
    run.signal(Signal::SIGKILL);
    run.wait();
    assert_eq!(
        ours(&pair.receiver),
        2,
        "ours, and another one of that handle"
    );
    let mut run = clsact(&pair.receiver);
    assert_eq!(ours(&pair.receiver), 2, "replaced");
    send(&pair, 50);
    run.settle(50);
    assert_eq!(counted(&run.last_record()), 50);
    assert_eq!(everything(&pair.receiver), before);
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
    assert_eq!(tcx_programs(&pair), 0);
}

#[test]
fn an_interface_that_goes_down_and_is_renamed_keeps_its_totals() {
    if !support::root() {
        return;
    }
    let pair = Pair::quiet();
    let mut run = Flowtop::start(&pair.receiver, "{}", &["-t", "0.1"]);
    send(&pair, 20);
    run.settle(20);
    for words in ["set veth1 down", "set veth1 name uplink0", "set uplink0 up"] {
        ip(&pair.receiver, &format!("ip link {words}"));
    }
    run.until("the new name", |record| {
        let mut found = program::interfaces(record);
        found.any(|i| i["name"] == "uplink0" && i["state"] == "up")
    });
    send(&pair, 30);
    run.settle(50);
    let record = run.last_record();
    let flow = program::flow_to(&record, "udp", 5000);
    assert_eq!(
        (&flow["interface"], &flow["packets"]),
        (&"uplink0".into(), &50.into())
    );
}
