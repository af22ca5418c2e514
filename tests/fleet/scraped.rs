//! Eight hosts in Prometheus and VictoriaMetrics: what these have of all hosts is what their senders sent and what the hosts
//! counted, to the packet and byte, under flows that come and go.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};
use std::time::SystemTime;

use nix::sys::signal::Signal;

use super::databases::{DIRECT, Database, OF_FLOWS, OPEN, SCRAPED, eventually, page, wait_for};
use super::files::{queries, variables, with_all};
use super::hosts::{CONFIG, Fleet, HOSTS, MAX_SERIES};
use super::support::frames::Udp;
use super::support::root;
use super::traffic::{Account, FLOODED, LOSSY, Sent, send, storm};

/// Fifty seconds of traffic, with so many brief flows in each hundredth.
const TICKS: u32 = 5_000;
const FLOOD: u32 = 200;

#[test]
#[ignore = "needs databases: make test-fleet"]
fn databases_have_of_a_fleet_what_its_hosts_counted() {
    if !root() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let mut fleet = Fleet::start(HOSTS, CONFIG);
    let targets = fleet.targets();
    let hub = fleet.hub.try_clone().expect("a descriptor");
    let victoria = Database::victoria(&hub, folder.path(), &targets);
    let prometheus = Database::prometheus(&hub, folder.path(), &targets);
    let up = |database: &Database, job: &str| {
        database.query(&format!("up{{job=\"{job}\"}} == 1")).len() == HOSTS
    };
    wait_for("both to scrape all hosts", || {
        up(&prometheus, SCRAPED) && up(&victoria, SCRAPED) && up(&victoria, DIRECT)
    });
    let both = [
        (&prometheus, SCRAPED),
        (&victoria, SCRAPED),
        (&victoria, DIRECT),
    ];

    let account = storm(&fleet, TICKS, FLOOD);
    for (host, sent) in fleet.hosts.iter_mut().zip(account.hosts) {
        host.settle(sent.packets);
    }
    for (database, job) in both {
        all_come(database, job, &targets, &account.hosts);
        the_sum_over_series_is_what_was_sent(database, job, &targets, &account);
        the_bound_holds(database, job, &targets);
    }
    assert_eq!(account.brief_flows, 1_000_000);
    one_query_finds_the_flow_that_loses(&victoria, &targets, &account);
    alerts_are_of_that_host(&prometheus, &targets);
    every_query_of_the_dashboard_has_data(&prometheus, account.midst.expect("traffic"));
    pages_are_right(&hub, &targets[FLOODED]);

    let again = reset_and_restart(&mut fleet, &both, &targets, &account);
    for (database, job) in both {
        resets_are_those_two(database, job, &targets);
    }
    for job in [SCRAPED, DIRECT] {
        increases_go_over_resets(&victoria, job, &targets, &account, &again);
    }
}

fn selector(name: &str, job: &str) -> String {
    format!("flowtop_{name}{{job=\"{job}\"}}")
}

/// A figure of each host by its `instance`.
fn by_target(targets: &[String], figure: impl Fn(usize) -> u64) -> BTreeMap<String, f64> {
    let targets = targets.iter().cloned().enumerate();
    targets
        .map(|(index, target)| (target, figure(index) as f64))
        .collect()
}

/// Waits until a query finds these figures of all hosts, now that nothing is sent.
fn comes_to(database: &Database, query: &str, expected: &BTreeMap<String, f64>) {
    let mut found = BTreeMap::new();
    let is_so = eventually(|| {
        found = database.by("instance", query);
        found == *expected
    });
    assert!(is_so, "{query}: {found:#?} instead of {expected:#?}");
}

/// Waits until a database has scraped the last packet of each host.
fn all_come(database: &Database, job: &str, targets: &[String], sent: &[Sent; HOSTS]) {
    let expected = by_target(targets, |index| sent[index].packets);
    for kind in ["seen_packets", "packets"] {
        let name = selector(&format!("interface_{kind}_total"), job);
        comes_to(database, &name, &expected);
    }
}

/// Series of flows end; their last values and the remainder's are all that came.
fn the_sum_over_series_is_what_was_sent(
    database: &Database,
    job: &str,
    targets: &[String],
    account: &Account,
) {
    for unit in ["packets", "bytes"] {
        let names = format!(
            "flowtop_flow_{unit}_total|flowtop_flow_other_{unit}_total\
             |flowtop_interface_(other|filtered|untracked|malformed)_{unit}_total"
        );
        let all = format!("last_over_time({{__name__=~\"{names}\", job=\"{job}\"}}[1h])");
        let expected = by_target(targets, |index| {
            let sent = account.hosts[index];
            if unit == "packets" {
                sent.packets
            } else {
                sent.bytes
            }
        });
        // The series of a page do not come to the second database at once.
        let sums = format!("sum by (instance) ({all})");
        comes_to(database, &sums, &expected);
        let seen = selector(&format!("interface_seen_{unit}_total"), job);
        comes_to(database, &seen, &expected);
    }
    let shown = format!(
        "count(last_over_time(flowtop_flow_packets_total{{job=\"{job}\", instance=\"{}\"}}[1h]))",
        targets[FLOODED]
    );
    let shown = database.query(&shown)[0].1;
    assert!(
        shown > 15.0,
        "flows that come and go have had {shown} series only"
    );
}

fn the_bound_holds(database: &Database, job: &str, targets: &[String]) {
    for target in targets {
        let series = format!("{{{OF_FLOWS}, job=\"{job}\", instance=\"{target}\"}}");
        let counted = database.query(&format!("max_over_time(count({series})[5m:1s])"))[0].1;
        let told = format!(
            "max_over_time(flowtop_exporter_flow_series{{job=\"{job}\", instance=\"{target}\"}}[5m])"
        );
        let told = database.query(&told)[0].1;
        assert!(told <= MAX_SERIES && told > 9.0, "{target}: {told}");
        assert!(counted <= MAX_SERIES, "{target}: {counted}");
    }
}

fn one_query_finds_the_flow_that_loses(victoria: &Database, targets: &[String], account: &Account) {
    let query = "topk(1, (rate(flowtop_flow_lost_total[5m]) - rate(flowtop_flow_recovered_total[5m])) / \
                 (rate(flowtop_flow_packets_total[5m]) + rate(flowtop_flow_lost_total[5m]) - rate(flowtop_flow_recovered_total[5m])))";
    let found = victoria.query(query);
    let [(labels, loss)] = &found[..] else {
        panic!("{found:?}");
    };
    assert_eq!(labels["instance"], targets[LOSSY.0]);
    assert_eq!(labels["destination_port"], LOSSY.1.to_string());
    let (lost, all) = account.lossy;
    let expected = lost as f64 / all as f64;
    eprintln!(
        "the sender left out {expected:.6} of a flow's packets, VictoriaMetrics finds {loss:.6}"
    );
    assert!(
        (loss / expected - 1.0).abs() < 0.01,
        "{loss} instead of {expected}"
    );
}

fn alerts_are_of_that_host(prometheus: &Database, targets: &[String]) {
    let alerts = prometheus.by(
        "instance",
        "count by (instance) (ALERTS{alertname=\"FlowtopFlowLoss\"})",
    );
    assert_eq!(
        alerts.into_keys().collect::<Vec<_>>(),
        [targets[LOSSY.0].clone()]
    );
}

/// As it would have been shown amid the traffic.
fn every_query_of_the_dashboard_has_data(prometheus: &Database, midst: SystemTime) {
    let queries = queries();
    assert!(queries.len() > 50, "{}", queries.len());
    for (panel, query) in queries {
        let rows = prometheus.query_at(midst, &with_all(&query));
        assert!(!rows.is_empty(), "{panel}: no data for {query}");
        assert!(
            rows.iter().any(|(_, value)| !value.is_nan()),
            "{panel}: {query}"
        );
    }
    for (selector, label) in variables() {
        assert!(
            prometheus.has_values(&with_all(&selector), &label),
            "{selector} {label}"
        );
    }
}

/// Nobody has anything to say about a page: promtool, and the parser of prometheus_client.
fn pages_are_right(hub: &flowtop::netns::Namespace, target: &str) {
    let text = page(hub, target, "text/plain;version=0.0.4");
    assert_eq!(complaints(&["promtool", "check", "metrics"], &text), "");
    let open = page(hub, target, OPEN);
    assert!(open.ends_with("# EOF\n"));
    let parse = "import sys; from prometheus_client.openmetrics import parser as p; \
                 print(sum(len(f.samples) for f in p.text_string_to_metric_families(sys.stdin.read())))";
    let samples = complaints(&["/usr/bin/python3", "-c", parse], &open);
    let lines = open.lines().filter(|line| !line.starts_with('#')).count();
    assert_eq!(samples.trim(), lines.to_string());
    // It does complain.
    let wrong = open.replacen("# EOF\n", "", 1);
    assert!(complaints(&["/usr/bin/python3", "-c", parse], &wrong).contains("EOF"));
}

/// What a program writes, to either output, about a text.
fn complaints(program: &[&str], text: &str) -> String {
    let mut file = tempfile::tempfile().expect("a file");
    std::io::Write::write_all(&mut file, text.as_bytes()).expect("written");
    std::io::Seek::rewind(&mut file).expect("rewind");
    let mut command = Command::new(program[0]);
    command.args(&program[1..]).stdin(Stdio::from(file));
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{program:?}: {error} (make test-fleet)"));
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

/// The hosts that are reset, and started again.
const RESET: usize = 6;
const RESTARTED: usize = 7;

/// Resets one host and restarts another one, and sends some more to both; what they have been sent since.
fn reset_and_restart(
    fleet: &mut Fleet,
    both: &[(&Database, &str)],
    targets: &[String],
    account: &Account,
) -> [Sent; HOSTS] {
    fleet.hosts[RESET].run().signal(Signal::SIGUSR2);
    let ended = fleet.hosts[RESTARTED].end();
    assert_eq!(ended.errors, "");
    fleet.hosts[RESTARTED].begin();
    let mut sent = account.hosts;
    sent[RESET] = Sent::default();
    sent[RESTARTED] = Sent::default();
    // Zero is scraped before anything else: so increases are exact.
    for (database, job) in both {
        all_come(database, job, targets, &sent);
    }
    for host in [RESET, RESTARTED] {
        for number in 0..2_000 {
            let frame = Udp::to_port(10_000).with_number(number, 0, 160).frame();
            send(&fleet.hosts[host].sender, &mut sent[host], &frame);
            if number % 100 == 0 {
                super::support::clock::wait_for_backlog(100);
            }
        }
    }
    for (database, job) in both {
        all_come(database, job, targets, &sent);
    }
    sent
}

fn resets_are_those_two(database: &Database, job: &str, targets: &[String]) {
    let families =
        format!("count by (__name__) ({{__name__=~\"flowtop_.+_total\", job=\"{job}\"}})");
    let families = database.by("__name__", &families);
    assert!(families.len() > 30, "{families:?}");
    let mut most = BTreeMap::new();
    for family in families.into_keys() {
        let resets = format!("max by (instance) (resets({family}{{job=\"{job}\"}}[1h]))");
        for (target, resets) in database.by("instance", &resets) {
            let most: &mut f64 = most.entry(target).or_default();
            *most = most.max(resets);
        }
    }
    let expected = by_target(targets, |index| {
        u64::from([RESET, RESTARTED].contains(&index))
    });
    assert_eq!(most, expected, "{job}");
}

/// What a counter has gained is all that was sent, before and after.
fn increases_go_over_resets(
    victoria: &Database,
    job: &str,
    targets: &[String],
    account: &Account,
    again: &[Sent; HOSTS],
) {
    let names = "flowtop_flow_packets_total|flowtop_flow_other_packets_total\
                 |flowtop_interface_(other|filtered|untracked|malformed)_packets_total";
    for name in ["flowtop_interface_seen_packets_total", names] {
        let all = format!("{{__name__=~\"{name}\", job=\"{job}\"}}");
        let expected = by_target(targets, |index| match index {
            RESET | RESTARTED => account.hosts[index].packets + again[index].packets,
            _ => again[index].packets,
        });
        let gained = format!("sum by (instance) (increase_pure({all}[1h]))");
        comes_to(victoria, &gained, &expected);
    }
}
