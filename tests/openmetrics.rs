//! Pages of metrics: what each family says, in both formats, read by a parser of the tests' own.

#[path = "support/exposition.rs"]
#[allow(dead_code)]
mod exposition;

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::sync::Arc;

use flowtop::export::openmetrics::{FAMILIES, Format, Kind, Page, Service, encode};
use flowtop::model::flow::{Direction, FlowKey, Protocol};
use flowtop::model::ipfix::ExportCounts;
use flowtop::model::metrics::{
    AlertFigure, Exposition, FlowSeries, Growth, Identity, InterfaceSeries, RuleFigures,
    RuleSeries, SERIES_OF_A_FLOW, Spread,
};
use flowtop::model::snapshot::{TableCounts, TableSample, Volume};

/// A name that has to be escaped.
const RULE: &str = "voice \"x\\\nüber";

fn growth(first: u64) -> Growth {
    Growth {
        packets: first,
        bytes: first + 1,
        payload_bytes: first + 2,
        lost: first + 3,
        recovered: first + 4,
        lost_bytes: first + 5,
        recovered_bytes: first + 6,
        duplicates: first + 7,
        reverse_errors: first + 8,
        reordered: first + 9,
    }
}

fn flow(protocol: Protocol, is_of_stream: Option<bool>, port: u16) -> FlowSeries {
    FlowSeries {
        identity: Identity {
            interface: Arc::from("eth0"),
            rule: Some(Arc::from(RULE)),
            key: FlowKey {
                ifindex: 0,
                direction: Direction::In,
                vlan: (port == 3).then_some(17),
                tunnel: None,
                protocol,
                source: Ipv4Addr::new(10, 0, 0, 1).into(),
                destination: "2001:db8::1".parse().expect("an address"),
                source_port: port,
                destination_port: 80,
            },
        },
        growth: growth(u64::from(port) * 1000),
        is_of_stream,
        jitter: Some(0.001_25),
        interarrival: Some(0.02),
    }
}

/// A volume of so many packets.
fn volume(packets: u64) -> Volume {
    Volume {
        packets,
        bytes: packets + 1,
    }
}

fn interface() -> InterfaceSeries {
    InterfaceSeries {
        flows: 9,
        all: volume(10),
        payload_bytes: 20,
        seen: volume(30),
        other: volume(40),
        filtered: volume(50),
        untracked: volume(60),
        malformed: std::array::from_fn(|reason| volume(70 + 2 * reason as u64)),
        cut_off: Some(volume(90)),
        device_drops: Some(u64::MAX),
    }
}

fn page() -> Page {
    let unknown = InterfaceSeries::default();
    let rule = |name: Option<&str>, first| RuleSeries {
        rule: name.map(Arc::from),
        interface: Arc::from("eth0"),
        flows: 3,
        all: growth(first),
        rest: growth(first + 100),
    };
    let spread = Spread {
        median: 0.5,
        p95: 1e-9,
        max: 12_345.25,
    };
    let figures = |name: Option<&str>, jitter| RuleFigures {
        rule: name.map(Arc::from),
        jitter,
        interarrival: Some(spread),
    };
    Page {
        exposition: Exposition {
            interfaces: vec![("eth0".into(), interface()), ("wlan0".into(), unknown)],
            rules: vec![rule(None, 100), rule(Some(RULE), 500)],
            figures: vec![figures(None, None), figures(Some(RULE), Some(spread))],
            alerts: vec![AlertFigure {
                rule: Some(Arc::from(RULE)),
                alert: "loss above 1".into(),
                flows: 2,
            }],
            flows: vec![
                flow(Protocol::Udp, Some(false), 1),
                flow(Protocol::Tcp, Some(true), 2),
                flow(Protocol::Icmp, None, 3),
            ],
            most_series: 77,
            table: TableSample {
                capacity: 128,
                tracked: 5,
                counts: TableCounts {
                    evicted: 1,
                    insert_failures: 2,
                    contended: 3,
                },
                memory_bytes: Some(4096),
            },
        },
        config_generation: 2,
        config_has_error: true,
        ipfix: Some(ExportCounts {
            records: 11,
            flow_records: 10,
            messages: 12,
            bytes: 13,
            records_lost: 14,
            packets_lost: 15,
            bytes_lost: 16,
            failures: 17,
            is_connected: true,
        }),
        intervals_waiting: 6,
    }
}

fn written(format: Format) -> exposition::Page {
    let service = Service {
        scrapes: 8,
        refused: [1, 2, 3, 4, 5, 6, 7],
        age_s: 0.25,
    };
    let text = String::from_utf8(encode(&page(), &service, format, false)).expect("UTF-8");
    assert_eq!(text.ends_with("# EOF\n"), format == Format::OpenMetrics);
    exposition::Page::read(&text)
}

#[test]
fn both_formats_say_the_same() {
    let (open, text) = (written(Format::OpenMetrics), written(Format::Text));
    assert_eq!(open.samples, text.samples);
    assert_eq!(open.types.len(), FAMILIES.len());
    assert_eq!(open.types["flowtop_build"], "info");
    assert_eq!(text.types["flowtop_build_info"], "gauge");
}

/// Samples without `flowtop_`, and the values that they have; without one: no such sample. `RULE`, `UDP`, `TCP` and `ICMP`
/// stand for labels.
const EXPECTED: &str = r#"
interface_packets_total{interface="eth0"} 10
interface_bytes_total{interface="eth0"} 11
interface_payload_bytes_total{interface="eth0"} 20
interface_seen_bytes_total{interface="eth0"} 31
interface_flows{interface="eth0"} 9
interface_other_packets_total{interface="eth0"} 40
interface_filtered_packets_total{interface="eth0"} 50
interface_untracked_bytes_total{interface="eth0"} 61
interface_malformed_packets_total{interface="eth0",reason="frame"} 70
interface_malformed_bytes_total{interface="eth0",reason="udp_length"} 87
interface_cut_off_packets_total{interface="eth0"} 90
interface_cut_off_bytes_total{interface="eth0"} 91
interface_cut_off_packets_total{interface="wlan0"}
interface_device_drops_total{interface="eth0"} 18446744073709551615
interface_device_drops_total{interface="wlan0"}
rule_packets_total{rule="",interface="eth0"} 100
rule_lost_total{RULE,interface="eth0"} 503
rule_reordered_total{RULE,interface="eth0"} 509
flow_other_lost_bytes_total{RULE,interface="eth0"} 605
rule_jitter_seconds{RULE,quantile="0.95"} 0.000000001
rule_jitter_seconds{rule="",quantile="0.5"}
rule_interarrival_seconds{rule="",quantile="1"} 12345.25
rule_alerts{RULE,alert="loss above 1"} 2
flow_packets_total{interface="eth0",RULE,UDP} 1000
flow_lost_total{interface="eth0",RULE,UDP} 1003
flow_lost_bytes_total{interface="eth0",RULE,UDP}
flow_lost_total{interface="eth0",RULE,TCP}
flow_lost_bytes_total{interface="eth0",RULE,TCP} 2005
flow_reverse_errors_total{interface="eth0",RULE,TCP} 2008
flow_reverse_errors_total{interface="eth0",RULE,ICMP}
flow_jitter_seconds{interface="eth0",RULE,ICMP} 0.00125
table_evicted_total 1
table_memory_bytes 4096
config_generation 2
config_error 1
exporter_waiting_intervals 6
ipfix_records_total 11
ipfix_messages_total 12
ipfix_bytes_total 13
ipfix_lost_records_total 14
ipfix_lost_packets_total 15
ipfix_lost_bytes_total 16
ipfix_failures_total 17
ipfix_connected 1
exporter_refused_total{reason="connections"} 5
exporter_flow_series_limit 77
exporter_reading_age_seconds 0.25
"#;

#[test]
fn each_value_is_in_the_series_whose_it_is() {
    let page = written(Format::Text);
    let of = |protocol: &str, port: u16| {
        format!(
            r#"protocol="{protocol}",source="10.0.0.1",source_port="{port}",destination="2001:db8::1",destination_port="80""#
        )
    };
    let expected = EXPECTED
        .replace("RULE", r#"rule="voice \"x\\\nüber""#)
        .replace("UDP", &of("udp", 1))
        .replace("TCP", &of("tcp", 2))
        .replace("ICMP", &(of("icmp", 3) + ",vlan=\"17\""));
    for line in expected.lines().filter(|line| !line.is_empty()) {
        let (sample, value) = match line.ends_with('}') {
            true => (line, None),
            false => line
                .rsplit_once(' ')
                .map(|(s, v)| (s, Some(v)))
                .expect(line),
        };
        let found = page.samples.get(&format!("flowtop_{sample}"));
        let value = value.map(|value| value.parse::<f64>().expect(line));
        assert_eq!(found.copied(), value, "{line}");
    }
    let (labels, _) = page.all("flowtop_rule_alerts").next().expect("a sample");
    assert_eq!(labels["rule"], RULE, "escaped and back");
    let (labels, _) = page.all("flowtop_build_info").next().expect("a sample");
    assert_eq!(labels["version"], env!("CARGO_PKG_VERSION"));
}

#[test]
fn a_flow_has_no_more_series_than_the_bound_reckons_with() {
    let of_flows: BTreeSet<&str> = FAMILIES
        .iter()
        .filter(|f| f.is_of_flows())
        .map(|f| f.name)
        .collect();
    let page = written(Format::Text);
    let of_port = |port: &str| {
        let is_its = |sample: &&String| {
            let name = sample.split("_total{").next().unwrap_or_default();
            let name = name.split('{').next().unwrap_or_default();
            of_flows.contains(name) && sample.contains(&format!("source_port=\"{port}\""))
        };
        page.samples.keys().filter(is_its).count()
    };
    assert_eq!(["1", "2", "3"].map(of_port), [9, 8, 5]);
    assert_eq!(SERIES_OF_A_FLOW, 9);
    assert_eq!(page.value("flowtop_exporter_flow_series"), 22.0);
}

#[test]
fn names_are_those_that_others_rely_on() {
    let names: BTreeSet<String> = FAMILIES
        .iter()
        .map(|family| format!("{}{}", family.name, family.kind.suffix()))
        .collect();
    let of = |prefix: &str, kinds: &[&str]| -> Vec<String> {
        kinds
            .iter()
            .map(|kind| format!("flowtop_{prefix}_{kind}_total"))
            .collect()
    };
    let interface = [
        "packets",
        "bytes",
        "payload_bytes",
        "other_packets",
        "filtered_packets",
        "untracked_packets",
        "malformed_packets",
    ];
    let mut contract = of("interface", &interface);
    contract.extend(of(
        "rule",
        &["packets", "bytes", "lost", "duplicates", "reordered"],
    ));
    contract.extend(of("flow", &["packets", "bytes", "lost"]));
    contract.extend(of("flow_other", &["packets", "bytes", "lost"]));
    contract
        .extend(["flowtop_rule_jitter_seconds", "flowtop_flow_jitter_seconds"].map(str::to_owned));
    for name in contract {
        assert!(names.contains(&name), "{name}");
    }
    assert_eq!(names.len(), FAMILIES.len(), "a name is there twice");
    for family in FAMILIES {
        assert!(family.kind == Kind::Counter || !family.name.ends_with("_total"));
        assert!(!family.labels.contains(&"quantile") || family.kind == Kind::Summary);
    }
}
