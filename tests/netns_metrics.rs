//! Metrics of the program as scrapers get them: their sums under flows that come and go, who is served where, and what
//! those who do harm achieve.

#[path = "support/dice.rs"]
mod dice;
#[path = "netns_metrics/garbage.rs"]
mod garbage;
#[path = "netns_metrics/harm.rs"]
mod harm;
#[path = "netns_metrics/secured.rs"]
mod secured;
#[path = "netns_metrics/served.rs"]
mod served;
mod support;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use support::clock::{self, wait_for};
use support::exposition::Page;
use support::frames::{FrameSender, Udp};
use support::pair::{Pair, RECEIVER_LINK};
use support::program::Flowtop;
use support::raise_loopback;
use support::scrape::{get, page};

/// A pair with a run on it, which can be reached by loopback.
fn start(config: &str, more: &[&str]) -> (Pair, Flowtop) {
    let pair = Pair::quiet();
    raise_loopback(&pair.receiver);
    let arguments = [&["-i", RECEIVER_LINK, "-t", "0.5"], more].concat();
    let run = Flowtop::start(&pair.receiver, config, &arguments);
    (pair, run)
}

/// A pair in which a run serves metrics.
fn watch(config: &str, more: &[&str]) -> (Pair, Flowtop) {
    let (pair, run) = start(config, &[&["--listen", "9788"], more].concat());
    wait_for_page(&pair);
    (pair, run)
}

fn wait_for_page(pair: &Pair) {
    wait_for("a page", || {
        get(&pair.receiver, "/metrics", "").status == 200
    });
}

/// The page in which the interface has so many packets, by the hook's own count.
fn page_with(pair: &Pair, packets: u64) -> Page {
    let mut latest = Page::default();
    wait_for("a page with all packets", || {
        latest = page(&pair.receiver);
        latest.sum("flowtop_interface_seen_packets_total") >= packets
            && latest.sum("flowtop_interface_packets_total") >= packets
    });
    latest
}

/// What counters have gained from page to page, as a database finds it out.
#[derive(Default)]
struct Gains {
    latest: BTreeMap<String, f64>,
    gained: BTreeMap<String, u64>,
}

impl Gains {
    fn read(&mut self, page: &Page) {
        for (sample, value) in &page.samples {
            let name = sample.split('{').next().unwrap_or_default();
            if !name.ends_with("_total") {
                continue;
            }
            let before = self.latest.insert(sample.clone(), *value).unwrap_or(0.0);
            assert!(*value >= before, "{sample} fell from {before} to {value}");
            *self.gained.entry(name.to_owned()).or_default() += (value - before) as u64;
        }
    }

    fn of(&self, name: &str) -> u64 {
        let name = format!("flowtop_{name}_total");
        *self
            .gained
            .get(&name)
            .unwrap_or_else(|| panic!("no {name}"))
    }
}

/// Short flows: new ones all the time.
const SHORT_FLOWS: u32 = 30_000;
/// Lasting flows, of which fewer are shown than there are.
const LASTING: u16 = 12;
const SHOWN: u64 = 5;

/// Sends lasting flows, each of another rate, and short ones between them; returns packets and bytes.
fn storm(pair: &Pair) -> (u64, u64) {
    let sender = FrameSender::on(pair);
    let (mut packets, mut bytes) = (0, 0);
    let mut send = |frame: &[u8]| {
        sender.send(frame);
        packets += 1;
        bytes += frame.len() as u64;
    };
    for round in 0..SHORT_FLOWS / 100 {
        for flow in 0..100 {
            let flow = round * 100 + flow;
            let mut udp = Udp::to_port(20_000 + (flow >> 15) as u16);
            udp.source_port = (flow & 0x7fff) as u16;
            send(&udp.with_payload(vec![0; (flow % 100) as usize]).frame());
        }
        for port in 0..LASTING {
            // One grows while the others stay as they are: it takes a place in the end.
            let many = if port == 0 {
                round / 8
            } else {
                u32::from(port)
            };
            for number in 0..many {
                let number = round * 1000 + number;
                send(
                    &Udp::to_port(10_000 + port)
                        .with_number(number, 0, 64)
                        .frame(),
                );
            }
        }
        clock::wait_for_backlog(200);
        std::thread::sleep(Duration::from_millis(20));
    }
    (packets, bytes)
}

#[test]
fn sums_over_series_are_what_was_sent_under_flows_that_come_and_go() {
    if !support::root() {
        return;
    }
    let config = format!(
        r#"{{"RULES": {{"lasting": {{"match": "- - - 10000-10999 UDP", "OFFSET": 0, "EXPORT": {SHOWN}}},
            "short": {{"match": "- - - 20000-20001 UDP", "EXPORT": 3}}}}, "MAX_SERIES": 72, "FLOW_TIMEOUT": 1}}"#
    );
    let (pair, run) = watch(&config, &["--max-flows", "64"]);
    let mut gains = Gains::default();
    gains.read(&page(&pair.receiver));
    let (packets, bytes) = std::thread::scope(|scope| {
        let storm = scope.spawn(|| storm(&pair));
        while !storm.is_finished() {
            let page = page(&pair.receiver);
            gains.read(&page);
            let series = page.value("flowtop_exporter_flow_series");
            assert!(series <= 72.0, "{series}");
            let shown: u64 = page.all("flowtop_flow_packets_total").count() as u64;
            assert!(shown <= 72 / 9, "{shown}");
            std::thread::sleep(Duration::from_millis(300));
        }
        storm.join().expect("it sends")
    });
    let last = page_with(&pair, packets);
    gains.read(&last);
    assert_eq!(gains.of("interface_seen_packets"), packets);
    assert_eq!(gains.of("interface_seen_bytes"), bytes);
    for (unit, sent) in [("packets", packets), ("bytes", bytes)] {
        let of = |name: &str| gains.of(&format!("{name}_{unit}"));
        let outside: u64 = ["other", "filtered", "untracked", "malformed"]
            .iter()
            .map(|kind| of(&format!("interface_{kind}")))
            .sum();
        assert_eq!(of("rule") + outside, sent, "{unit}");
        assert_eq!(of("flow") + of("flow_other") + outside, sent, "{unit}");
        assert_eq!(of("interface"), sent, "{unit}");
    }
    // Each round of the largest flows but the growing one skips most of a thousand numbers.
    assert!(gains.of("rule_lost") > 0);
    for kind in [
        "lost",
        "recovered",
        "duplicates",
        "reverse_errors",
        "payload_bytes",
    ] {
        let of = |name: &str| gains.of(&format!("{name}_{kind}"));
        assert_eq!(of("flow") + of("flow_other"), of("rule"), "{kind}");
    }
    assert!(gains.of("table_evicted") > 0, "no flow gave way");
    assert!(last.all("flowtop_flow_packets_total").next().is_some());
    let ended = run.finish();
    assert_eq!(ended.errors, "");
}

#[test]
fn a_reset_begins_at_zero_and_goes_on() {
    if !support::root() {
        return;
    }
    let (pair, run) = watch(
        r#"{"RULES": {"all": {"match": "- - - - -", "EXPORT": 9}}}"#,
        &[],
    );
    let sender = FrameSender::on(&pair);
    let send = |packets: u32| {
        for number in 0..packets {
            sender.send(&Udp::to_port(5000).with_number(number, 0, 64).frame());
        }
    };
    let flow = || {
        page(&pair.receiver)
            .all("flowtop_flow_packets_total")
            .next()
    };
    let began = Instant::now();
    let mut sent = 0;
    wait_for("a flow of its own", || {
        sent += 10;
        send(10);
        flow().is_some()
    });
    assert!(
        began.elapsed() > Duration::from_secs(1),
        "it has not lasted"
    );
    page_with(&pair, sent);
    run.signal(Signal::SIGUSR2);
    wait_for("zero", || {
        page(&pair.receiver).sum("flowtop_interface_seen_packets_total") == 0
    });
    let reset = page(&pair.receiver);
    for name in [
        "interface_packets",
        "rule_packets",
        "flow_packets",
        "flow_other_packets",
    ] {
        assert_eq!(reset.sum(&format!("flowtop_{name}_total")), 0, "{name}");
    }
    send(7);
    let after = page_with(&pair, 7);
    assert_eq!(
        after.sum("flowtop_flow_packets_total"),
        7,
        "the flow is shown on"
    );
    assert_eq!(after.sum("flowtop_rule_packets_total"), 7);
    run.finish();
}
