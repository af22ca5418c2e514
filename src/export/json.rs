//! The headless record: one JSON object a line. A contract with scripts: fields are added, never changed.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::Formatter;

use super::{Exporter, Record};
use crate::model::alert::{AlertRule, Alerts};
use crate::model::event::Event;
use crate::model::harmless::harmless_json;
use crate::model::privileges::Privileges;
use crate::model::snapshot::{Malformed, Sequence, Volume};
use crate::model::top::{Remainder, Top};
use crate::model::tracker::{Flow, Interface, Report, RuleReport};

const SCHEMA: u32 = 1;

/// One object a line.
pub struct Json;

impl Exporter for Json {
    fn write(&self, record: &Record, out: &mut dyn Write) -> io::Result<()> {
        let mut json = serde_json::Serializer::with_formatter(&mut *out, Harmless);
        Line::of(record).serialize(&mut json)?;
        out.write_all(b"\n")
    }
}

/// What may not be shown is escaped: a record steers no terminal that it is looked at on.
struct Harmless;

impl Formatter for Harmless {
    fn write_string_fragment<W>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()>
    where
        W: ?Sized + Write,
    {
        writer.write_all(harmless_json(fragment).as_bytes())
    }
}

#[derive(Serialize)]
struct Line<'a> {
    schema: u32,
    time: &'a str,
    interval_s: f64,
    intervals: u64,
    interfaces: Vec<InterfaceRecord<'a>>,
    flows: Vec<FlowRecord<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remainder: Option<RemainderRecord>,
    rules: Vec<RuleRecord<'a>>,
    kernel: KernelRecord<'a>,
    config: ConfigRecord<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<OutputRecord>,
    #[serde(skip_serializing_if = "Option::is_none")]
    events: Option<Vec<EventRecord<'a>>>,
}

#[derive(Serialize)]
struct VolumeRecord {
    packets: u64,
    bytes: u64,
}

#[derive(Serialize)]
struct MalformedRecord {
    packets: u64,
    bytes: u64,
    reasons: BTreeMap<&'static str, u64>,
}

#[derive(Serialize)]
struct InterfaceRecord<'a> {
    name: &'a str,
    ifindex: u32,
    state: &'static str,
    hook: Option<&'static str>,
    packets: u64,
    bytes: u64,
    throughput: Option<f64>,
    goodput: Option<f64>,
    packet_rate: Option<f64>,
    flows: usize,
    seen: VolumeRecord,
    ended: VolumeRecord,
    other: VolumeRecord,
    filtered: VolumeRecord,
    untracked: VolumeRecord,
    malformed: MalformedRecord,
    fragments_unmatched: u64,
    packets_estimated: u64,
    device_drops: Option<u64>,
    /// Of its flows that this record does not list.
    #[serde(skip_serializing_if = "Option::is_none")]
    unlisted: Option<VolumeRecord>,
}

#[derive(Serialize)]
struct FlowRecord<'a> {
    interface: &'a str,
    vlan: Option<u16>,
    protocol: &'static str,
    source: std::net::IpAddr,
    source_port: u16,
    destination: std::net::IpAddr,
    destination_port: u16,
    packets: u64,
    bytes: u64,
    payload_bytes: u64,
    throughput: Option<f64>,
    goodput: Option<f64>,
    packet_rate: Option<f64>,
    interarrival_mean_ms: Option<f64>,
    jitter_ms: Option<f64>,
    interarrival_samples: u64,
    jitter_epochs: u32,
    sequence: Option<SequenceRecord>,
    rule: Option<&'a str>,
    alerts: Vec<String>,
    first_seen_s: f64,
    last_seen_s: f64,
}

#[derive(Serialize)]
struct SequenceRecord {
    current: Option<u32>,
    received: u64,
    lost: u64,
    loss_percent: Option<f64>,
    reverse_errors: u64,
    small_errors: u64,
    big_errors: u64,
    duplicates: Option<u64>,
    reordered: Option<u64>,
    restarts: u64,
    absent: u64,
}

#[derive(Serialize)]
struct RemainderRecord {
    flows: usize,
    packets: u64,
    bytes: u64,
    payload_bytes: u64,
    throughput: Option<f64>,
    goodput: Option<f64>,
    packet_rate: Option<f64>,
    sequence: Option<SequenceRecord>,
    sequence_tcp: Option<SequenceRecord>,
}

#[derive(Serialize)]
struct RuleRecord<'a> {
    name: &'a str,
    packets: u64,
    bytes: u64,
    flows: usize,
}

#[derive(Serialize)]
struct PrivilegesRecord<'a> {
    user: &'a str,
    uid: u32,
    groups: &'a [String],
    capabilities: Vec<&'a str>,
    no_new_privileges: bool,
    landlock: &'static str,
    seccomp: bool,
}

#[derive(Serialize)]
struct KernelRecord<'a> {
    flows_tracked: u64,
    flows_evicted: u64,
    insert_failures: u64,
    sequence_contended: u64,
    map_memory_bytes: Option<u64>,
    privileges: PrivilegesRecord<'a>,
}

#[derive(Serialize)]
struct EventRecord<'a> {
    time: String,
    kind: &'static str,
    text: &'a str,
}

#[derive(Serialize)]
struct ConfigRecord<'a> {
    path: Option<&'a str>,
    generation: u64,
    error: Option<&'a str>,
}

#[derive(Serialize)]
struct OutputRecord {
    pauses: u64,
    joined_intervals: u64,
}

impl<'a> Line<'a> {
    fn of(record: &Record<'a>) -> Line<'a> {
        let report = record.report;
        Line {
            schema: SCHEMA,
            time: record.time,
            interval_s: report.interval_s,
            intervals: record.intervals,
            interfaces: report
                .interfaces
                .iter()
                .map(|it| interface(it, record.top))
                .collect(),
            flows: record
                .flows()
                .map(|flow| flow_record(flow, report, record.alerts))
                .collect(),
            remainder: record.top.map(|top| remainder(&top.remainder)),
            rules: report.rules.iter().map(rule).collect(),
            kernel: KernelRecord {
                flows_tracked: report.table.tracked,
                flows_evicted: report.table.evicted,
                insert_failures: report.table.insert_failures,
                sequence_contended: report.table.contended,
                map_memory_bytes: report.table.memory_bytes,
                privileges: privileges(record.privileges),
            },
            config: ConfigRecord {
                path: record.config.path,
                generation: record.config.generation,
                error: record.config.error,
            },
            output: record.output.map(|output| OutputRecord {
                pauses: output.pauses,
                joined_intervals: output.joined_intervals,
            }),
            events: record.events.map(|list| list.iter().map(event).collect()),
        }
    }
}

fn event(event: &Event) -> EventRecord<'_> {
    EventRecord {
        time: event.at.to_string(),
        kind: event.kind.name(),
        text: &event.text,
    }
}

fn privileges(privileges: &Privileges) -> PrivilegesRecord<'_> {
    let names = privileges.capabilities.iter().map(|(name, _)| &**name);
    PrivilegesRecord {
        user: &privileges.user,
        uid: privileges.uid,
        groups: &privileges.groups,
        capabilities: names.collect(),
        no_new_privileges: privileges.no_new_privileges,
        landlock: privileges.landlock.name(),
        seccomp: privileges.seccomp,
    }
}

fn volume(volume: Volume) -> VolumeRecord {
    VolumeRecord {
        packets: volume.packets,
        bytes: volume.bytes,
    }
}

fn interface<'a>(interface: &'a Interface, top: Option<&Top>) -> InterfaceRecord<'a> {
    let counted = &interface.counted;
    let malformed = counted.malformed_total();
    let reasons = Malformed::ALL.iter().zip(&counted.malformed);
    InterfaceRecord {
        name: &interface.name,
        ifindex: interface.ifindex,
        state: interface.state.name(),
        hook: interface.hook.map(|hook| hook.name()),
        packets: interface.volume.packets,
        bytes: interface.volume.bytes,
        throughput: interface.rates.map(|r| r.throughput),
        goodput: interface.rates.map(|r| r.goodput),
        packet_rate: interface.rates.map(|r| r.packet_rate),
        flows: interface.flows,
        seen: volume(counted.seen),
        ended: volume(interface.ended),
        other: volume(counted.other),
        filtered: volume(counted.filtered),
        untracked: volume(counted.untracked),
        malformed: MalformedRecord {
            packets: malformed.packets,
            bytes: malformed.bytes,
            reasons: reasons
                .filter(|(_, volume)| volume.packets > 0)
                .map(|(reason, volume)| (reason.name(), volume.packets))
                .collect(),
        },
        fragments_unmatched: counted.fragments_unmatched,
        packets_estimated: counted.estimated,
        device_drops: counted.device_drops,
        unlisted: top.map(|top| {
            let volume_of = top.unlisted.get(&interface.ifindex);
            volume(volume_of.copied().unwrap_or_default())
        }),
    }
}

fn remainder(rest: &Remainder) -> RemainderRecord {
    RemainderRecord {
        flows: rest.flows,
        packets: rest.volume.packets,
        bytes: rest.volume.bytes,
        payload_bytes: rest.payload_bytes,
        throughput: rest.rates.map(|r| r.throughput),
        goodput: rest.rates.map(|r| r.goodput),
        packet_rate: rest.rates.map(|r| r.packet_rate),
        sequence: rest.numbers.map(|sum| sequence(&sum, None)),
        sequence_tcp: rest.tcp.map(|sum| sequence(&sum, None)),
    }
}

fn flow_record<'a>(flow: &'a Flow, report: &Report, alerts: &Alerts) -> FlowRecord<'a> {
    let seconds_ago = |ns: u64| report.taken_ns.saturating_sub(ns) as f64 / 1e9;
    FlowRecord {
        interface: &flow.interface,
        vlan: flow.key.vlan,
        protocol: flow.key.protocol.name(),
        source: flow.key.source,
        source_port: flow.key.source_port,
        destination: flow.key.destination,
        destination_port: flow.key.destination_port,
        packets: flow.volume.packets,
        bytes: flow.volume.bytes,
        payload_bytes: flow.payload_bytes,
        throughput: flow.rates.map(|r| r.throughput),
        goodput: flow.rates.map(|r| r.goodput),
        packet_rate: flow.rates.map(|r| r.packet_rate),
        interarrival_mean_ms: flow.interarrival.mean_ms(),
        jitter_ms: flow.interarrival.jitter_ms(),
        interarrival_samples: flow.interarrival.samples,
        jitter_epochs: flow.jitter_epochs,
        sequence: flow.sequence.map(|s| sequence(&s, flow.loss_percent())),
        rule: flow.rule.as_deref(),
        alerts: alerts.raised(&flow.key).map(AlertRule::describe).collect(),
        first_seen_s: seconds_ago(flow.first_seen_ns),
        last_seen_s: seconds_ago(flow.last_seen_ns),
    }
}

fn rule(rule: &RuleReport) -> RuleRecord<'_> {
    RuleRecord {
        name: &rule.name,
        packets: rule.volume.packets,
        bytes: rule.volume.bytes,
        flows: rule.flows,
    }
}

fn sequence(sequence: &Sequence, loss_percent: Option<f64>) -> SequenceRecord {
    SequenceRecord {
        current: sequence.current,
        received: sequence.received,
        lost: sequence.lost,
        loss_percent,
        reverse_errors: sequence.reverse_errors,
        small_errors: sequence.small_errors,
        big_errors: sequence.big_errors,
        duplicates: sequence.duplicates,
        reordered: sequence.reordered(),
        restarts: sequence.restarts,
        absent: sequence.absent,
    }
}
