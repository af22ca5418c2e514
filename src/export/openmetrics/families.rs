//! The families of metrics: one row each. Names and labels are a contract.

use super::{Page, Service};
use crate::model::metrics::{FlowSeries, InterfaceSeries, RuleFigures, RuleSeries, Spread};
use crate::model::snapshot::Volume;
use Number::{Real, Whole};
use Samples::{Alerts, Build, Flow, Interface, Malformed, One, Refused, Rule};

/// A value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Number {
    /// A count.
    Whole(u64),
    /// A measurement.
    Real(f64),
}

/// How the values of a family behave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only grows, but for resets. Samples end with `_total`.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Quantiles of what is now, without sum and count.
    Summary,
    /// Says something in its labels; the value is 1. Samples end with `_info`.
    Info,
}

impl Kind {
    /// The name in documents, and in OpenMetrics.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Summary => "summary",
            Kind::Info => "info",
        }
    }

    /// What names of samples end with.
    pub const fn suffix(self) -> &'static str {
        match self {
            Kind::Counter => "_total",
            Kind::Info => "_info",
            Kind::Gauge | Kind::Summary => "",
        }
    }
}

/// A row of the table.
pub struct Family {
    /// The name, without what its samples end with.
    pub name: &'static str,
    /// How its values behave.
    pub kind: Kind,
    /// The labels that samples have, in their order.
    pub labels: &'static [&'static str],
    /// What it says.
    pub help: &'static str,
    /// Where the values come from.
    pub(super) samples: Samples,
}

impl Family {
    /// The unit that the name ends with, if it does.
    pub fn unit(&self) -> Option<&'static str> {
        let is_unit = |unit: &&str| {
            let rest = self.name.strip_suffix(*unit);
            rest.is_some_and(|rest| rest.ends_with('_'))
        };
        ["bytes", "seconds"].into_iter().find(is_unit)
    }

    /// Whether it has a sample for each flow that has series of its own.
    pub fn is_of_flows(&self) -> bool {
        matches!(self.samples, Flow(_))
    }
}

/// What a family has samples of, and the value of each; `None`: not known.
pub(super) enum Samples {
    One(fn(&Page, &Service) -> Option<Number>),
    Interface(fn(&InterfaceSeries) -> Option<u64>),
    Malformed(fn(&Volume) -> u64),
    Rule(fn(&RuleSeries) -> u64),
    Spread(fn(&RuleFigures) -> Option<Spread>),
    Alerts,
    Flow(fn(&FlowSeries) -> Option<Number>),
    /// How many samples all of those have.
    SeriesOfFlows,
    Build,
    Refused,
}

/// Labels of a flow. Where it is in a VLAN, `vlan` comes behind.
const FLOW: &[&str] = &[
    "interface",
    "rule",
    "protocol",
    "source",
    "source_port",
    "destination",
    "destination_port",
];

fn of_numbers(flow: &FlowSeries, count: u64) -> Option<Number> {
    (flow.is_of_stream == Some(false)).then_some(Whole(count))
}

fn of_streams(flow: &FlowSeries, count: u64) -> Option<Number> {
    (flow.is_of_stream == Some(true)).then_some(Whole(count))
}

/// All other labels.
const NONE: &[&str] = &[];
const INTERFACE: &[&str] = &["interface"];
const MALFORMED: &[&str] = &["interface", "reason"];
const RULE: &[&str] = &["rule", "interface"];
const QUANTILE: &[&str] = &["rule", "quantile"];
const ALERT: &[&str] = &["rule", "alert"];
const VERSION: &[&str] = &["version"];
const REASON: &[&str] = &["reason"];

/// Kind, name, labels; values; help.
macro_rules! families {
    ($($kind:ident $name:literal $labels:ident, $samples:expr, $help:literal;)+) => {
        /// All families, in the order in which they are written.
        pub static FAMILIES: &[Family] = &[$(Family {
            name: $name,
            kind: Kind::$kind,
            labels: $labels,
            help: $help,
            samples: $samples,
        },)+];
    };
}

families! {
    Counter "flowtop_interface_packets" INTERFACE,
    Interface(|i| Some(i.all.packets)),
    "Packets: those of flows, other, filtered, untracked and malformed ones";

    Counter "flowtop_interface_bytes" INTERFACE,
    Interface(|i| Some(i.all.bytes)),
    "Bytes on the wire of these packets";

    Counter "flowtop_interface_payload_bytes" INTERFACE,
    Interface(|i| Some(i.payload_bytes)),
    "Payload bytes of flows";

    Counter "flowtop_interface_seen_packets" INTERFACE,
    Interface(|i| Some(i.seen.packets)),
    "Packets that the hook saw, counted before anything else was decided";

    Counter "flowtop_interface_seen_bytes" INTERFACE,
    Interface(|i| Some(i.seen.bytes)),
    "Bytes on the wire that the hook saw";

    Gauge "flowtop_interface_flows" INTERFACE,
    Interface(|i| Some(i.flows)),
    "Flows listed";

    Counter "flowtop_interface_other_packets" INTERFACE,
    Interface(|i| Some(i.other.packets)),
    "Packets that are not flows";

    Counter "flowtop_interface_other_bytes" INTERFACE,
    Interface(|i| Some(i.other.bytes)),
    "Bytes of packets that are not flows";

    Counter "flowtop_interface_filtered_packets" INTERFACE,
    Interface(|i| Some(i.filtered.packets)),
    "Packets that no rule matched";

    Counter "flowtop_interface_filtered_bytes" INTERFACE,
    Interface(|i| Some(i.filtered.bytes)),
    "Bytes of packets that no rule matched";

    Counter "flowtop_interface_untracked_packets" INTERFACE,
    Interface(|i| Some(i.untracked.packets)),
    "Packets of flows for which the table had no room";

    Counter "flowtop_interface_untracked_bytes" INTERFACE,
    Interface(|i| Some(i.untracked.bytes)),
    "Bytes of packets of flows for which the table had no room";

    Counter "flowtop_interface_malformed_packets" MALFORMED,
    Malformed(|volume| volume.packets),
    "Malformed packets by reason";

    Counter "flowtop_interface_malformed_bytes" MALFORMED,
    Malformed(|volume| volume.bytes),
    "Bytes of malformed packets by reason";

    Counter "flowtop_interface_device_drops" INTERFACE,
    Interface(|i| i.device_drops),
    "Packets that the device itself dropped on receive";

    Gauge "flowtop_rule_flows" RULE,
    Rule(|r| r.flows),
    "Flows listed of the rule";

    Counter "flowtop_rule_packets" RULE,
    Rule(|r| r.all.packets),
    "Packets of the rule's flows";

    Counter "flowtop_rule_bytes" RULE,
    Rule(|r| r.all.bytes),
    "Bytes on the wire of the rule's flows";

    Counter "flowtop_rule_payload_bytes" RULE,
    Rule(|r| r.all.payload_bytes),
    "Payload bytes of the rule's flows";

    Counter "flowtop_rule_lost" RULE,
    Rule(|r| r.all.lost),
    "Numbers that went missing in the rule's flows, TCP apart; those included that came late";

    Counter "flowtop_rule_recovered" RULE,
    Rule(|r| r.all.recovered),
    "Lost numbers that came late in the rule's flows, TCP apart";

    Counter "flowtop_rule_lost_bytes" RULE,
    Rule(|r| r.all.lost_bytes),
    "Bytes of TCP that went missing in the rule's flows; those included that came late";

    Counter "flowtop_rule_recovered_bytes" RULE,
    Rule(|r| r.all.recovered_bytes),
    "Lost bytes of TCP that came late in the rule's flows";

    Counter "flowtop_rule_duplicates" RULE,
    Rule(|r| r.all.duplicates),
    "Numbers seen before in the rule's flows, TCP apart";

    Counter "flowtop_rule_reordered" RULE,
    Rule(|r| r.all.reordered),
    "Packets that came after a later one in the rule's flows, TCP apart";

    Counter "flowtop_rule_reverse_errors" RULE,
    Rule(|r| r.all.reverse_errors),
    "Late packets of the rule's flows; of TCP segments that were retransmitted or reordered";

    Summary "flowtop_rule_jitter_seconds" QUANTILE,
    Samples::Spread(|r| r.jitter),
    "Jitter of the rule's flows now, over them; 1: the largest";

    Summary "flowtop_rule_interarrival_seconds" QUANTILE,
    Samples::Spread(|r| r.interarrival),
    "Mean inter-arrival time of the rule's flows now, over them; 1: the largest";

    Gauge "flowtop_rule_alerts" ALERT,
    Alerts,
    "Flows of the rule that are beyond the threshold now";

    Counter "flowtop_flow_packets" FLOW,
    Flow(|f| Some(Whole(f.growth.packets))),
    "Packets of the flow";

    Counter "flowtop_flow_bytes" FLOW,
    Flow(|f| Some(Whole(f.growth.bytes))),
    "Bytes on the wire of the flow";

    Counter "flowtop_flow_payload_bytes" FLOW,
    Flow(|f| Some(Whole(f.growth.payload_bytes))),
    "Payload bytes of the flow";

    Counter "flowtop_flow_lost" FLOW,
    Flow(|f| of_numbers(f, f.growth.lost)),
    "Numbers of the flow that went missing, those included that came late; not of TCP";

    Counter "flowtop_flow_recovered" FLOW,
    Flow(|f| of_numbers(f, f.growth.recovered)),
    "Lost numbers of the flow that came late; not of TCP";

    Counter "flowtop_flow_lost_bytes" FLOW,
    Flow(|f| of_streams(f, f.growth.lost_bytes)),
    "Bytes of a flow of TCP that went missing, those included that came late";

    Counter "flowtop_flow_recovered_bytes" FLOW,
    Flow(|f| of_streams(f, f.growth.recovered_bytes)),
    "Lost bytes of a flow of TCP that came late";

    Counter "flowtop_flow_duplicates" FLOW,
    Flow(|f| of_numbers(f, f.growth.duplicates)),
    "Numbers of the flow that were seen before; not of TCP";

    Counter "flowtop_flow_reverse_errors" FLOW,
    Flow(|f| f.is_of_stream.map(|_| Whole(f.growth.reverse_errors))),
    "Late packets of the flow; of TCP segments that were retransmitted or reordered";

    Gauge "flowtop_flow_jitter_seconds" FLOW,
    Flow(|f| f.jitter.map(Real)),
    "Jitter of the flow in its window";

    Gauge "flowtop_flow_interarrival_seconds" FLOW,
    Flow(|f| f.interarrival.map(Real)),
    "Mean inter-arrival time of the flow in its window";

    Counter "flowtop_flow_other_packets" RULE,
    Rule(|r| r.rest.packets),
    "Packets of flows that have no series of their own";

    Counter "flowtop_flow_other_bytes" RULE,
    Rule(|r| r.rest.bytes),
    "Bytes on the wire of flows that have no series of their own";

    Counter "flowtop_flow_other_payload_bytes" RULE,
    Rule(|r| r.rest.payload_bytes),
    "Payload bytes of flows that have no series of their own";

    Counter "flowtop_flow_other_lost" RULE,
    Rule(|r| r.rest.lost),
    "Numbers that went missing in flows that have no series of their own, TCP apart; those included that came late";

    Counter "flowtop_flow_other_recovered" RULE,
    Rule(|r| r.rest.recovered),
    "Lost numbers that came late in flows that have no series of their own, TCP apart";

    Counter "flowtop_flow_other_lost_bytes" RULE,
    Rule(|r| r.rest.lost_bytes),
    "Bytes of TCP that went missing in flows that have no series of their own; those included that came late";

    Counter "flowtop_flow_other_recovered_bytes" RULE,
    Rule(|r| r.rest.recovered_bytes),
    "Lost bytes of TCP that came late in flows that have no series of their own";

    Counter "flowtop_flow_other_duplicates" RULE,
    Rule(|r| r.rest.duplicates),
    "Numbers seen before in flows that have no series of their own, TCP apart";

    Counter "flowtop_flow_other_reverse_errors" RULE,
    Rule(|r| r.rest.reverse_errors),
    "Late packets of flows that have no series of their own; of TCP segments that were retransmitted or reordered";

    Gauge "flowtop_table_flows" NONE,
    One(|page, _| Some(Whole(page.exposition.table.tracked))),
    "Flows in the table";

    Gauge "flowtop_table_slots" NONE,
    One(|page, _| Some(Whole(page.exposition.table.capacity))),
    "Slots of the table";

    Counter "flowtop_table_evicted" NONE,
    One(|page, _| Some(Whole(page.exposition.table.counts.evicted))),
    "Flows that gave way to another one, after their last numbers were read";

    Counter "flowtop_table_insert_failures" NONE,
    One(|page, _| Some(Whole(page.exposition.table.counts.insert_failures))),
    "Packets that found no room in the table";

    Counter "flowtop_table_contended" NONE,
    One(|page, _| Some(Whole(page.exposition.table.counts.contended))),
    "Sequence numbers that were not judged because another CPU held the flow";

    Gauge "flowtop_table_memory_bytes" NONE,
    One(|page, _| page.exposition.table.memory_bytes.map(Whole)),
    "Memory of the table, as the kernel accounts it";

    Gauge "flowtop_config_generation" NONE,
    One(|page, _| Some(Whole(page.config_generation))),
    "Configurations that came into force so far";

    Gauge "flowtop_config_error" NONE,
    One(|page, _| Some(Whole(page.config_has_error.into()))),
    "1 while the configuration file is wrong, and the one in force another";

    Info "flowtop_build" VERSION,
    Build,
    "The version of flowtop";

    Gauge "flowtop_exporter_flow_series" NONE,
    Samples::SeriesOfFlows,
    "Series of flows in this page";

    Gauge "flowtop_exporter_flow_series_limit" NONE,
    One(|page, _| Some(Whole(page.exposition.most_series.into()))),
    "Series that flows may have at most (MAX_SERIES)";

    Counter "flowtop_exporter_scrapes" NONE,
    One(|_, service| Some(Whole(service.scrapes))),
    "Pages that were asked for, this one included";

    Counter "flowtop_exporter_refused" REASON,
    Refused,
    "Requests and connections that got no page";

    Gauge "flowtop_exporter_reading_age_seconds" NONE,
    One(|_, service| Some(Real(service.age_s))),
    "Time since the numbers of this page were read";
}
