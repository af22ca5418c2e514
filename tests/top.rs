//! Records of a bounded size: which flows are listed, and that the sums over all of them stay what they are.

#[path = "frames/fixture.rs"]
#[allow(dead_code)]
mod fixture;
#[path = "support/record.rs"]
#[allow(dead_code)]
mod record;

use fixture::{at_rate, flow, losing, report};
use flowtop::export::{self, ConfigState, Record};
use flowtop::model::alert::Alerts;
use flowtop::model::column::{Context, Sort};
use flowtop::model::flow::Protocol;
use flowtop::model::preferences::Unit;
use flowtop::model::privileges::{Landlock, Privileges};
use flowtop::model::query::Query;
use flowtop::model::top::Top;
use flowtop::model::tracker::{Flow, Report};
use record::{flows, interfaces, number, volume};
use serde_json::Value;

/// Flows of three protocols on two interfaces, with numbers, without, and without a rate yet.
fn a_mixture() -> Report {
    let protocols = [Protocol::Udp, Protocol::Tcp, Protocol::Icmp];
    let flows = (0_u16..300).map(|i| {
        let source = format!("10.0.{}.{}", i >> 8, i & 255);
        let protocol = protocols[usize::from(i) % 3];
        let mut flow = at_rate(
            flow(protocol, &source, 1024, "10.9.0.1", i),
            f64::from(i.wrapping_mul(7919) % 1000),
        );
        flow.counts.packets = u64::from(i) * 1001 + 1;
        flow.counts.bytes = u64::from(i) * 98_765_432_109;
        flow.key.ifindex = 7 + u32::from(i % 2);
        match i % 5 {
            0 => flow.rates = None,
            1 | 2 => flow = losing(flow, i.into()),
            _ => {}
        }
        flow
    });
    let mut report = report(flows.collect());
    report.interfaces.push(fixture::interface(8, "veth2"));
    report
}

fn written(format: &str, report: &Report, top: Option<&Top>) -> String {
    let privileges = Privileges {
        user: "nobody".into(),
        uid: 65534,
        groups: Vec::new(),
        capabilities: Vec::new(),
        stays_root: None,
        no_new_privileges: true,
        landlock: Landlock::Full,
        seccomp: true,
    };
    let record = Record {
        time: "2026-11-23T10:00:01.000Z",
        intervals: 1,
        report,
        config: ConfigState::default(),
        privileges: &privileges,
        unit: Unit::Bytes,
        events: None,
        alerts: &Alerts::new(Vec::new()),
        columns: None,
        top,
        output: None,
        ipfix: None,
    };
    let mut bytes = Vec::new();
    let format = export::format(format).expect("a format");
    format.exporter.write(&record, &mut bytes).expect("written");
    String::from_utf8(bytes).expect("UTF-8")
}

fn record(report: &Report, top: Option<&Top>) -> Value {
    serde_json::from_str(&written("json", report, top)).expect("JSON")
}

fn top(report: &Report, order: &str, most: usize) -> Top {
    filtered(report, "", order, most)
}

fn filtered(report: &Report, filter: &str, order: &str, most: usize) -> Top {
    let sort = Sort::parse(order).expect("an order");
    let query = Query::parse(filter).expect("a filter");
    let (context, mut text) = (Context::default(), String::new());
    let is_wanted = |flow: &Flow| query.matches(flow, &context, &[], &mut text);
    Top::of(&report.flows, is_wanted, &sort, most, &context)
}

/// The sum of a field over these flows; of fields that are unknown in all of them there is none.
fn sum<'a>(flows: impl Iterator<Item = &'a Value>, pointer: &str) -> Option<f64> {
    let known: Vec<_> = flows
        .filter_map(|flow| flow.pointer(pointer)?.as_f64())
        .collect();
    (!known.is_empty()).then(|| known.iter().sum())
}

#[test]
fn the_listed_flows_and_the_remainder_are_together_what_all_flows_are() {
    let report = a_mixture();
    let all = record(&report, None);
    assert!(all.get("remainder").is_none() && all["interfaces"][0].get("unlisted").is_none());
    let limits = [0, 1, 17, 299, 300, 1000].map(|most| ("", 300, most));
    // Of the 300 flows every third is of UDP.
    let filters = [("udp", 100, 1000), ("udp", 100, 17), ("sctp", 0, 1000)];
    for (filter, wanted, most) in limits.into_iter().chain(filters) {
        let some = record(
            &report,
            Some(&filtered(&report, filter, "-throughput", most)),
        );
        let rest = &some["remainder"];
        assert_eq!(flows(&some).count(), most.min(wanted), "{filter}");
        assert_eq!(number(&rest["flows"]) as usize, 300 - most.min(wanted));
        if !filter.is_empty() {
            assert!(flows(&some).all(|flow| flow["protocol"] == filter));
        }
        let fields = ["packets", "bytes", "payload_bytes"];
        for field in fields
            .into_iter()
            .chain(["throughput", "goodput", "packet_rate"])
        {
            let pointer = format!("/{field}");
            let listed = sum(flows(&some), &pointer).unwrap_or(0.0);
            let together = listed + rest[field].as_f64().unwrap_or(0.0);
            let expected = sum(flows(&all), &pointer).expect("a sum");
            assert!((together - expected).abs() < 1e-6 * expected, "{field}");
        }
        // Numbers and TCP's bytes are not added up with one another.
        for (name, tcp) in [("sequence", false), ("sequence_tcp", true)] {
            let of = |flow: &&Value| (flow["protocol"] == "tcp") == tcp;
            for field in ["received", "lost", "reverse_errors", "duplicates", "absent"] {
                let pointer = format!("/sequence/{field}");
                let listed = sum(flows(&some).filter(of), &pointer).unwrap_or(0.0);
                let together = listed + rest[name][field].as_f64().unwrap_or(0.0);
                let expected = sum(flows(&all).filter(of), &pointer);
                assert_eq!(together, expected.unwrap_or(0.0), "{name}.{field}");
            }
            assert_eq!(
                rest[name].get("current").unwrap_or(&Value::Null),
                &Value::Null
            );
        }
        for interface in interfaces(&some) {
            let its = |record| {
                let its = move |flow: &&Value| {
                    number(&flow["destination_port"]) % 2 == number(&interface["ifindex"]) - 7
                };
                let its: Vec<_> = flows(record).filter(its).map(volume).collect();
                its.into_iter().fold((0, 0), |a, b| (a.0 + b.0, a.1 + b.1))
            };
            let (listed, unlisted) = (its(&some), volume(&interface["unlisted"]));
            let together = (listed.0 + unlisted.0, listed.1 + unlisted.1);
            assert_eq!(together, its(&all));
        }
    }
}

#[test]
fn the_flows_are_the_first_of_the_order_and_unknown_cells_come_last() {
    let report = a_mixture();
    let key = |flow: &Value| {
        let rate = flow["throughput"].as_f64();
        (rate.is_none(), -(rate.unwrap_or(0.0) as i64))
    };
    let all = record(&report, None);
    let mut keys: Vec<_> = flows(&all).map(key).collect();
    keys.sort();
    let some = record(&report, Some(&top(&report, "-throughput", 250)));
    assert_eq!(flows(&some).map(key).collect::<Vec<_>>(), keys[..250]);
    let text = written("txt", &report, Some(&top(&report, "packets", 3)));
    let lines: Vec<_> = text.lines().collect();
    let (last, table) = lines.split_last().expect("lines");
    assert_eq!(*last, "");
    let (rest, table) = table.split_last().expect("lines");
    assert!(rest.starts_with("and 297 more flows  "), "{rest}");
    let first: Vec<_> = table[table.len() - 3..]
        .iter()
        .map(|line| line.split_whitespace().nth(1))
        .collect();
    let expected = ["10.0.0.0:1024", "10.0.0.1:1024", "10.0.0.2"].map(Some);
    assert_eq!(first, expected);
}
