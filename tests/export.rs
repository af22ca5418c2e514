//! What is written of a report in each format, figure by figure.

#[path = "frames/fixture.rs"]
#[allow(dead_code)]
mod fixture;

use std::sync::Arc;

use fixture::{at_rate, flow, losing, report, ruled};
use flowtop::export::{ConfigState, Record, format};
use flowtop::model::alert::{AlertRule, Alerts, Side};
use flowtop::model::column::{Context, FLOW_COLUMNS, by_id};
use flowtop::model::counts::IpMetrics;
use flowtop::model::event::{Event, EventKind, EventLog, TimeOfDay};
use flowtop::model::flow::Protocol;
use flowtop::model::histogram::{Histogram, bucket_of};
use flowtop::model::preferences::Unit;
use flowtop::model::privileges::{Landlock, Privileges};
use flowtop::model::snapshot::{LinkState, Volume};
use flowtop::model::tracker::{Interarrival, Report, RuleGaps};
use serde_json::{Value, json};

fn volume(packets: u64) -> Volume {
    Volume {
        packets,
        bytes: packets * 60,
    }
}

/// Three gaps of 100 ns, and one of 30 ms.
fn histogram() -> Histogram {
    let mut histogram = Histogram::default();
    histogram.counts[bucket_of(100)] = 3;
    histogram.counts[bucket_of(30_000_000)] = 1;
    histogram.longest = 30_000_000;
    histogram
}

/// Two interfaces; a UDP flow that loses, a TCP flow that is faster, and one of which little is known yet.
fn small() -> Report {
    let mut voice = losing(
        at_rate(
            flow(Protocol::Udp, "10.0.0.2", 40000, "10.0.0.1", 5004),
            500_000.0,
        ),
        3,
    );
    voice.key.vlan = Some(9);
    voice.rule = Some(Arc::from("voice"));
    voice.interarrival = Interarrival::new(Some(0.2), Some(0.011), 4999);
    voice.histogram = Some(Box::new(histogram()));
    let web = losing(
        at_rate(
            flow(Protocol::Tcp, "10.0.0.3", 50000, "10.0.0.1", 443),
            2_000_000.0,
        ),
        0,
    );
    let mut young = flow(Protocol::Icmpv6, "fe80::1", 0, "ff02::1", 134 << 8);
    young.rates = None;
    young.interarrival = Interarrival::default();
    let mut report = ruled(report(vec![voice, web, young]), 2);
    let mut gaps = RuleGaps::default();
    (gaps.all, gaps.flows) = (histogram(), 1);
    report.rules[0].gaps = Some(Box::new(gaps));
    report.interval_s = 1.25;
    let counted = &mut report.interfaces[0].counted;
    counted.seen = volume(5100);
    counted.filtered = volume(7);
    counted.untracked = volume(8);
    counted.malformed[1] = volume(2);
    counted.malformed[8] = volume(1);
    counted.device_drops = Some(4);
    (counted.fragments_unmatched, counted.estimated) = (5, 6);
    report.interfaces[0].ended = volume(11).into();
    let mut gone = fixture::interface(9, "wlan0");
    (gone.state, gone.hook, gone.rates, gone.flows) = (LinkState::Gone, None, None, 0);
    gone.counted.other = Volume::default();
    report.interfaces.push(gone);
    report.table.tracked = 3;
    report.table.counts.evicted = 1;
    report.table.counts.insert_failures = 8;
    report.table.counts.contended = 2;
    report.table.memory_bytes = Some(46_558_664);
    report
}

/// With an alert for what is lost.
fn alerts(report: &Report) -> Alerts {
    let lost = by_id("lost").expect("a column");
    let mut alerts = Alerts::new(vec![AlertRule::new(lost, Side::Above, 2.0)]);
    alerts.advance(report);
    alerts
}

fn written(name: &str, report: &Report, config: ConfigState, events: Option<&[Event]>) -> String {
    written_in(Unit::Bytes, name, report, config, events)
}

fn written_in(
    unit: Unit,
    name: &str,
    report: &Report,
    config: ConfigState,
    events: Option<&[Event]>,
) -> String {
    written_with(None, (unit, name), report, config, events)
}

/// With these columns.
fn written_with(
    columns: Option<&str>,
    (unit, name): (Unit, &str),
    report: &Report,
    config: ConfigState,
    events: Option<&[Event]>,
) -> String {
    let privileges = Privileges {
        user: "nobody".into(),
        uid: 65534,
        groups: vec!["adm".into()],
        capabilities: vec![("net_admin".into(), "clsact")],
        stays_root: None,
        no_new_privileges: true,
        landlock: Landlock::Full,
        seccomp: true,
    };
    let chosen: Option<Vec<_>> = columns.map(|ids| {
        let ids = ids.split(',');
        ids.map(|id| by_id(id).expect("a column")).collect()
    });
    let record = Record {
        time: "2026-11-23T10:00:01.000Z",
        intervals: 2,
        report,
        config,
        privileges: &privileges,
        unit,
        events,
        alerts: &alerts(report),
        columns: chosen.as_deref(),
        top: None,
        output: None,
        ipfix: None,
    };
    let mut bytes = Vec::new();
    let format = format(name).expect("a format");
    format.exporter.write(&record, &mut bytes).expect("written");
    String::from_utf8(bytes).expect("UTF-8")
}

fn plain(name: &str) -> String {
    written(name, &small(), ConfigState::default(), None)
}

fn parsed(text: &str) -> Value {
    assert_eq!(text.matches('\n').count(), 1, "an object is a line");
    serde_json::from_str(text).expect("JSON")
}

#[test]
fn json_has_the_metrics_of_a_group_that_is_on_as_columns_have_them() {
    let mut report = small();
    report.flows[0].counts.ip = Some(IpMetrics::default());
    let record = parsed(&written("json", &report, ConfigState::default(), None));
    let (on, off) = (&record["flows"][0]["ip"], &record["flows"][1]["ip"]);
    assert_eq!(*off, Value::Null);
    let on = on.as_object().expect("an object");
    let mut fields: Vec<&str> = on.keys().map(String::as_str).collect();
    let mut metrics = IpMetrics::FIELDS.to_vec();
    fields.sort_unstable();
    metrics.sort_unstable();
    assert_eq!(fields, metrics);
    for (id, found) in on {
        let column = by_id(id).expect("a column of that name");
        let cell = column.value(&report.flows[0], &Context::default());
        assert_eq!(found.as_f64(), cell.number(), "{id}");
    }
}

#[test]
fn json_has_every_figure_of_a_flow() {
    let record = parsed(&plain("json"));
    let voice = json!({
        "interface": "veth1", "vlan": 9, "protocol": "udp", "source": "10.0.0.2", "source_port": 40000,
        "destination": "10.0.0.1", "destination_port": 5004, "packets": 5000, "bytes": 500_000,
        "payload_bytes": 290_000, "throughput": 500_000.0, "goodput": 450_000.0, "packet_rate": 500.0,
        "interarrival_mean_ms": 0.2, "jitter_ms": 0.011, "interarrival_p50_ms": 0.0001005,
        "interarrival_p95_ms": 30.0, "interarrival_p99_ms": 30.0, "interarrival_max_ms": 30.0,
        "interarrival_buckets": [[0.0001, 0.000101, 3], [29.884416, 30.408703, 1]],
        "interarrival_samples": 4999, "aggregates_seen": false, "jitter_epochs": 1,
        "sequence": {
            "current": 3_000_005_003_u32, "received": 5000, "lost": 3, "loss_percent": 0.06,
            "loss_now_percent": null, "loss_window_percent": null, "reverse_errors": 4,
            "small_errors": 2, "big_errors": 1, "duplicates": 3, "reordered": 4, "restarts": 0, "absent": 0,
        },
        "ip": null, "rule": "voice", "alerts": ["lost above 2"], "trouble": null, "first_seen_s": 4.02, "last_seen_s": 0.0002,
    });
    let mut found = record["flows"][0].clone();
    let percent = found["sequence"]["loss_percent"].as_f64().expect("known");
    assert!((percent - 100.0 * 3.0 / 5000.0).abs() < 1e-9);
    found["sequence"]["loss_percent"] = json!(0.06);
    assert_eq!(found, voice);
    let young = &record["flows"][2];
    for unknown in [
        "vlan",
        "throughput",
        "goodput",
        "packet_rate",
        "interarrival_mean_ms",
        "jitter_ms",
        "interarrival_p50_ms",
        "interarrival_max_ms",
        "interarrival_buckets",
        "sequence",
        "rule",
    ] {
        assert_eq!(young[unknown], Value::Null, "{unknown}");
    }
    assert_eq!(young["alerts"], json!([]));
    let stream = &record["flows"][1]["sequence"];
    assert_eq!(
        (&stream["duplicates"], &stream["reordered"]),
        (&Value::Null, &Value::Null)
    );
}

#[test]
fn json_has_every_figure_of_the_interfaces_the_rules_and_the_run() {
    let mut record = parsed(&plain("json"));
    record["flows"] = Value::Null;
    let empty = json!({"packets": 0, "bytes": 0});
    let expected = json!({
        "schema": 1, "time": "2026-11-23T10:00:01.000Z", "interval_s": 1.25, "intervals": 2,
        "interfaces": [
            {
                "name": "veth1", "ifindex": 7, "state": "up", "hook": "tcx", "packets": 5001, "bytes": 500_142,
                "throughput": 1_234_567.0, "goodput": 1_000_000.0, "packet_rate": 5001.0, "flows": 3,
                "seen": {"packets": 5100, "bytes": 306_000}, "ended": {"packets": 11, "bytes": 660},
                "other": {"packets": 1, "bytes": 42}, "filtered": {"packets": 7, "bytes": 420},
                "untracked": {"packets": 8, "bytes": 480},
                "malformed": {"packets": 3, "bytes": 180, "reasons": {"ip_truncated": 2, "udp_length": 1}},
                "device_drops": 4, "fragments_unmatched": 5, "packets_estimated": 6,
            },
            {
                "name": "wlan0", "ifindex": 9, "state": "gone", "hook": null, "packets": 5001, "bytes": 500_142,
                "throughput": null, "goodput": null, "packet_rate": null, "flows": 0,
                "seen": empty, "ended": empty, "other": empty, "filtered": empty, "untracked": empty,
                "malformed": {"packets": 0, "bytes": 0, "reasons": {}}, "device_drops": null,
                "fragments_unmatched": 0, "packets_estimated": 0,
            },
        ],
        "flows": null,
        "rules": [
            {
                "name": "voice", "packets": 1234, "bytes": 123_400, "flows": 2,
                "interarrival_p50_ms": 0.0001005, "interarrival_p95_ms": 30.0, "interarrival_p99_ms": 30.0,
                "interarrival_max_ms": 30.0, "interarrival_buckets": [[0.0001, 0.000101, 3], [29.884416, 30.408703, 1]],
                "flows_without_histogram": 1,
            },
            {
                "name": "10.0.0.0/8 [192.168.1.1,192.168.1.2] - 5000-5010 UDP", "packets": 56_789_012_345_u64,
                "bytes": 78_901_234_567_890_u64, "flows": 65536,
                "interarrival_p50_ms": null, "interarrival_p95_ms": null, "interarrival_p99_ms": null,
                "interarrival_max_ms": null, "interarrival_buckets": null, "flows_without_histogram": null,
            },
        ],
        "kernel": {
            "flows_tracked": 3, "flows_evicted": 1, "insert_failures": 8, "sequence_contended": 2,
            "map_memory_bytes": 46_558_664,
            "privileges": {
                "user": "nobody", "uid": 65534, "groups": ["adm"], "capabilities": ["net_admin"],
                "no_new_privileges": true, "landlock": "full", "seccomp": true,
            },
        },
        "config": {"path": null, "generation": 0, "error": null},
    });
    assert_eq!(record, expected);
}

#[test]
fn json_says_what_happened_where_it_is_asked_for() {
    let mut log = EventLog::default();
    let at = TimeOfDay {
        hour: 10,
        minute: 2,
        second: 3,
    };
    log.push(at, EventKind::Restart, None, "a new series".into());
    let config = ConfigState {
        path: Some("config.json"),
        generation: 3,
        error: Some("line 2: no"),
    };
    let record = parsed(&written("json", &small(), config, Some(log.events())));
    let event = json!({"time": "10:02:03", "kind": "restart", "text": "a new series"});
    assert_eq!(record["events"], json!([event]));
    let config = json!({"path": "config.json", "generation": 3, "error": "line 2: no"});
    assert_eq!(record["config"], config);
}

#[test]
fn csv_has_a_cell_for_each_column_that_is_no_history() {
    let text = plain("csv");
    let rows: Vec<Vec<&str>> = text.lines().map(|line| line.split(',').collect()).collect();
    let histories = ["jitter_history", "loss_history"];
    let ids = FLOW_COLUMNS.iter().map(|column| column.id);
    let expected: Vec<_> = ids.filter(|id| !histories.contains(id)).collect();
    assert_eq!((rows.len(), &rows[0]), (4, &expected));
    let cell = |row: usize, id: &str| {
        let at = rows[0].iter().position(|title| *title == id);
        rows[row][at.expect("a column")]
    };
    for (id, voice, young) in [
        ("protocol", "udp", "icmpv6"),
        ("source", "10.0.0.2", "fe80::1"),
        ("source_port", "40000", "0"),
        ("destination", "10.0.0.1", "ff02::1"),
        ("destination_port", "5004", "34304"),
        ("interface", "veth1", "veth1"),
        ("vlan", "9", ""),
        ("throughput", "500000", ""),
        ("jitter", "0.011", ""),
        ("packets", "5000", "5000"),
        ("loss_percent", "0.06", ""),
        ("lost", "3", ""),
        ("rule", "voice", ""),
        ("trouble", "lost > 2", ""),
        ("age", "4.02", "4.02"),
        ("idle", "0.0002", "0.0002"),
    ] {
        assert_eq!((cell(1, id), cell(3, id)), (voice, young), "{id}");
    }
}

#[test]
fn text_is_a_table_with_the_busiest_flows_first() {
    let text = plain("txt");
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        lines[..3],
        [
            "2026-11-23T10:00:01.000Z",
            "veth1  up  tcx  1.23 MB/s  3 flows  5001 packets  ended 11  other 1  filtered 7  untracked 8  malformed 3",
            "wlan0  gone  not attached  -  0 flows  5001 packets",
        ]
    );
    // Each cell stands below its title: text from its first letter on, numbers up to the last one.
    let begins = |line: &str, word: &str| line.find(word).expect("a word");
    let ends = |line: &str, word: &str| begins(line, word) + word.len();
    let titles = lines[3];
    let sources: Vec<_> = ["10.0.0.3", "10.0.0.2", "fe80::1"]
        .iter()
        .zip(&lines[4..])
        .map(|(source, line)| begins(line, source))
        .collect();
    assert_eq!(sources, [begins(titles, "source"); 3]);
    assert_eq!(ends(lines[4], "2.00 MB/s"), ends(titles, "thruput"));
    assert_eq!(ends(lines[5], "500 kB/s"), ends(titles, "thruput"));
    assert_eq!((lines[7], lines.len()), ("", 8));
}

#[test]
fn text_has_rates_in_the_unit_that_is_chosen() {
    let text = written_in(Unit::Bits, "txt", &small(), ConfigState::default(), None);
    let lines: Vec<&str> = text.lines().collect();
    for (line, rate) in [(1, "9.88 Mbit/s"), (4, "16.0 Mbit/s"), (5, "4.00 Mbit/s")] {
        assert!(lines[line].contains(rate), "{}", lines[line]);
    }
}

#[test]
fn text_has_percentiles_where_a_flow_keeps_a_histogram() {
    let mut report = small();
    let titles = |report: &Report| {
        let text = written("txt", report, ConfigState::default(), None);
        text.lines().nth(3).expect("titles").to_owned()
    };
    assert!(titles(&report).contains("jitter  IAT p50  IAT p95  IAT p99"));
    report
        .flows
        .iter_mut()
        .for_each(|flow| flow.histogram = None);
    assert!(!titles(&report).contains("IAT p"));
}

#[test]
fn text_has_the_columns_that_were_asked_for_in_their_order() {
    let ids = "throughput,jitter_history,source,iat_p99,packets";
    let config = ConfigState::default();
    let text = written_with(Some(ids), (Unit::Bytes, "txt"), &small(), config, None);
    let lines: Vec<Vec<&str>> = text
        .lines()
        .map(|line| line.split("  ").collect())
        .collect();
    let cells = |line: usize| {
        let cells = lines[line].iter().map(|cell| cell.trim());
        cells.filter(|cell| !cell.is_empty()).collect::<Vec<_>>()
    };
    // A history is drawn, and has no place among words.
    assert_eq!(cells(3), ["thruput", "source", "IAT p99", "packets"]);
    assert_eq!(cells(4)[..2], ["2.00 MB/s", "10.0.0.3:50000"]);
}

#[test]
fn text_says_what_is_wrong_with_the_configuration() {
    let config = ConfigState {
        error: Some("line 2: no"),
        ..ConfigState::default()
    };
    let text = written("txt", &small(), config, None);
    let line = text.lines().nth(1);
    assert_eq!(line, Some("configuration refused: line 2: no"));
}
