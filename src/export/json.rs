//! The headless record: one JSON object a line. A contract with scripts: fields are added, never changed.

mod flow;

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::Formatter;

use self::flow::{FlowList, Sums, buckets};
use super::{Exporter, Record};
use crate::model::capture::CaptureSample;
use crate::model::event::Event;
use crate::model::harmless::harmless_json;
use crate::model::histogram::Histogram;
use crate::model::ipfix::ExportCounts;
use crate::model::privileges::Privileges;
use crate::model::snapshot::{Hook, Malformed, Volume};
use crate::model::top::Top;
use crate::model::tracker::{Interface, RuleReport};

const SCHEMA: u32 = 1;

/// One object a line.
pub struct Json;

impl Exporter for Json {
    fn write(&self, record: &Record, out: &mut dyn Write) -> io::Result<()> {
        let mut json = serde_json::Serializer::with_formatter(&mut *out, Harmless);
        RecordLine::of(record).serialize(&mut json)?;
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
struct RecordLine<'a> {
    schema: u32,
    time: &'a str,
    interval_s: f64,
    intervals: u64,
    interfaces: Vec<InterfaceRecord<'a>>,
    flows: FlowList<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remainder: Option<Sums<'a>>,
    rules: Vec<RuleRecord<'a>>,
    kernel: KernelRecord<'a>,
    config: ConfigRecord<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<OutputRecord>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ipfix: Option<IpfixRecord>,
    #[serde(skip_serializing_if = "Option::is_none")]
    capture: Option<CaptureRecord>,
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
    #[serde(skip_serializing_if = "Option::is_none")]
    cut_off: Option<VolumeRecord>,
    fragments_unmatched: u64,
    packets_estimated: u64,
    device_drops: Option<u64>,
    /// Of its flows that this record does not list.
    #[serde(skip_serializing_if = "Option::is_none")]
    unlisted: Option<VolumeRecord>,
}

#[derive(Serialize)]
struct RuleRecord<'a> {
    name: &'a str,
    packets: u64,
    bytes: u64,
    flows: usize,
    interarrival_p50_ms: Option<f64>,
    interarrival_p95_ms: Option<f64>,
    interarrival_p99_ms: Option<f64>,
    interarrival_max_ms: Option<f64>,
    interarrival_buckets: Option<Vec<(f64, f64, u64)>>,
    flows_without_histogram: Option<usize>,
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
struct CaptureRecord {
    packets: u64,
    unplaced: u64,
    clock_steps: u64,
    bytes_read: u64,
    truncated: bool,
}

#[derive(Serialize)]
struct OutputRecord {
    pauses: u64,
    joined_intervals: u64,
}

#[derive(Serialize)]
struct IpfixRecord {
    records: u64,
    messages: u64,
    bytes: u64,
    records_lost: u64,
    packets_lost: u64,
    bytes_lost: u64,
    failures: u64,
    connected: bool,
}

impl<'a> RecordLine<'a> {
    fn of(record: &Record<'a>) -> RecordLine<'a> {
        let report = record.report;
        RecordLine {
            schema: SCHEMA,
            time: record.time,
            interval_s: report.interval_s,
            intervals: record.intervals,
            interfaces: report
                .interfaces
                .iter()
                .map(|it| interface(it, record.top))
                .collect(),
            flows: FlowList(*record),
            remainder: record.top.map(|top| Sums(&top.remainder)),
            rules: report.rules.iter().map(rule).collect(),
            kernel: KernelRecord {
                flows_tracked: report.table.tracked,
                flows_evicted: report.table.counts.evicted,
                insert_failures: report.table.counts.insert_failures,
                sequence_contended: report.table.counts.contended,
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
            ipfix: record.ipfix.map(ipfix),
            capture: report.capture.as_ref().map(capture),
            events: record.events.map(|list| list.iter().map(event).collect()),
        }
    }
}

fn ipfix(counts: ExportCounts) -> IpfixRecord {
    let ExportCounts {
        records,
        flow_records: _,
        messages,
        bytes,
        records_lost,
        packets_lost,
        bytes_lost,
        failures,
        is_connected,
    } = counts;
    IpfixRecord {
        records,
        messages,
        bytes,
        records_lost,
        packets_lost,
        bytes_lost,
        failures,
        connected: is_connected,
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

fn capture(capture: &CaptureSample) -> CaptureRecord {
    CaptureRecord {
        packets: capture.packets,
        unplaced: capture.unplaced,
        clock_steps: capture.clock_steps,
        bytes_read: capture.bytes_read,
        truncated: capture.is_truncated,
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
        packets: interface.counts.packets,
        bytes: interface.counts.bytes,
        throughput: interface.rates.map(|r| r.throughput),
        goodput: interface.rates.map(|r| r.goodput),
        packet_rate: interface.rates.map(|r| r.packet_rate),
        flows: interface.flows,
        seen: volume(counted.seen),
        ended: volume(interface.ended.volume()),
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
        cut_off: (interface.hook == Some(Hook::Capture)).then(|| volume(counted.cut_off)),
        fragments_unmatched: counted.fragments_unmatched,
        packets_estimated: counted.estimated,
        device_drops: counted.device_drops,
        unlisted: top.map(|top| {
            let volume_of = top.unlisted.get(&interface.ifindex);
            volume(volume_of.copied().unwrap_or_default())
        }),
    }
}

fn rule(rule: &RuleReport) -> RuleRecord<'_> {
    let gaps = rule.gaps.as_ref().map(|gaps| &gaps.all);
    let percentile = |percentile| gaps.and_then(|gaps| gaps.percentile_ms(percentile));
    RuleRecord {
        name: &rule.name,
        packets: rule.counts.packets,
        bytes: rule.counts.bytes,
        flows: rule.flows,
        interarrival_p50_ms: percentile(50.0),
        interarrival_p95_ms: percentile(95.0),
        interarrival_p99_ms: percentile(99.0),
        interarrival_max_ms: gaps.and_then(Histogram::longest_ms),
        interarrival_buckets: gaps.map(buckets),
        flows_without_histogram: rule.flows_without_histogram(),
    }
}
