//! The fields of a record and their types, as scripts rely on them. Further fields are welcome.

use serde_json::Value;

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Bool,
    Count,
    CountOrNull,
    Number,
    NumberOrNull,
    Text,
    TextOrNull,
    OneOf(&'static [&'static str]),
    Object(&'static [(&'static str, Kind)]),
    ObjectOrNull(&'static [(&'static str, Kind)]),
    List(&'static [(&'static str, Kind)]),
}

use Kind::*;

const VOLUME: Kind = Object(&[("packets", Count), ("bytes", Count)]);

const RECORD: &[(&str, Kind)] = &[
    ("schema", Count),
    ("time", Text),
    ("interval_s", Number),
    ("interfaces", List(INTERFACE)),
    ("flows", List(FLOW)),
    ("rules", List(RULE)),
    (
        "kernel",
        Object(&[
            ("flows_tracked", Count),
            ("flows_evicted", Count),
            ("insert_failures", Count),
            ("map_memory_bytes", Count),
        ]),
    ),
    (
        "config",
        Object(&[
            ("path", TextOrNull),
            ("generation", Count),
            ("error", TextOrNull),
        ]),
    ),
    (
        "output",
        Object(&[("pauses", Count), ("joined_intervals", Count)]),
    ),
];

const INTERFACE: &[(&str, Kind)] = &[
    ("name", Text),
    ("ifindex", Count),
    ("state", OneOf(&["up", "down", "gone"])),
    ("hook", OneOf(&["tcx", "clsact"])),
    ("packets", Count),
    ("bytes", Count),
    ("throughput", NumberOrNull),
    ("packet_rate", NumberOrNull),
    ("flows", Count),
    ("ended", VOLUME),
    ("other", VOLUME),
    ("filtered", VOLUME),
    ("untracked", VOLUME),
    ("malformed", VOLUME),
];

const FLOW: &[(&str, Kind)] = &[
    ("interface", Text),
    ("vlan", CountOrNull),
    ("protocol", OneOf(&["tcp", "udp", "icmp", "icmpv6"])),
    ("source", Text),
    ("source_port", Count),
    ("destination", Text),
    ("destination_port", Count),
    ("packets", Count),
    ("bytes", Count),
    ("payload_bytes", Count),
    ("throughput", NumberOrNull),
    ("goodput", NumberOrNull),
    ("packet_rate", NumberOrNull),
    ("interarrival_mean_ms", NumberOrNull),
    ("jitter_ms", NumberOrNull),
    ("interarrival_samples", Count),
    ("aggregates_seen", Bool),
    ("jitter_epochs", Count),
    ("sequence", ObjectOrNull(SEQUENCE)),
    ("rule", TextOrNull),
    ("alerts", List(&[])),
    ("trouble", TextOrNull),
    ("first_seen_s", Number),
    ("last_seen_s", Number),
];

const RULE: &[(&str, Kind)] = &[
    ("name", Text),
    ("packets", Count),
    ("bytes", Count),
    ("flows", Count),
];

const SEQUENCE: &[(&str, Kind)] = &[
    ("current", CountOrNull),
    ("received", Count),
    ("lost", Count),
    ("loss_percent", NumberOrNull),
    ("loss_now_percent", NumberOrNull),
    ("loss_window_percent", NumberOrNull),
    ("reverse_errors", Count),
    ("small_errors", Count),
    ("big_errors", Count),
    ("duplicates", CountOrNull),
    ("reordered", CountOrNull),
    ("restarts", Count),
    ("absent", Count),
];

fn assert_fields(value: &Value, fields: &[(&str, Kind)], whose: &str) {
    for (name, kind) in fields {
        let field = value.get(name);
        let field = field.unwrap_or_else(|| panic!("{whose} has no field {name}: {value:#}"));
        assert_kind(field, *kind, &format!("{whose}.{name}"));
    }
}

fn assert_kind(value: &Value, kind: Kind, whose: &str) {
    let holds = match kind {
        Bool => value.is_boolean(),
        Count => value.is_u64(),
        CountOrNull => value.is_u64() || value.is_null(),
        Number => value.is_number(),
        NumberOrNull => value.is_number() || value.is_null(),
        Text => value.is_string(),
        TextOrNull => value.is_string() || value.is_null(),
        OneOf(words) => value.as_str().is_some_and(|word| words.contains(&word)),
        Object(_) => value.is_object(),
        ObjectOrNull(_) => value.is_object() || value.is_null(),
        List(_) => value.is_array(),
    };
    assert!(holds, "{whose} is {value}, which is not {kind:?}");
    match kind {
        Object(fields) => assert_fields(value, fields, whose),
        ObjectOrNull(fields) if value.is_object() => assert_fields(value, fields, whose),
        List(fields) => {
            let items = value.as_array().expect("a list");
            items
                .iter()
                .for_each(|item| assert_fields(item, fields, whose));
        }
        _ => {}
    }
}

/// The record has every field of the contract, each of its type.
pub fn assert_record(record: &Value) {
    assert_fields(record, RECORD, "record");
    assert_eq!(record["schema"], 1);
    let time = record["time"].as_str().expect("a time");
    assert!(
        time.len() == 24 && time.ends_with('Z'),
        "RFC 3339 with milliseconds: {time}"
    );
    assert!(record["interval_s"].as_f64() > Some(0.0));
}
