//! The families of metrics: one row each. Names and labels are a contract.

use super::family::Number::{self, Seconds, Whole};
use super::family::Samples::{
    self, Alerts, Build, Export, Flow, Interface, Malformed, One, Refused, Rule,
};
use super::family::{Family, Kind};
use crate::model::metrics::FlowSeries;

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
    "Packets: those of flows, other, filtered, untracked, malformed and cut off ones";

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

    Counter "flowtop_interface_cut_off_packets" INTERFACE,
    Interface(|i| i.cut_off.map(|volume| volume.packets)),
    "Packets that a capture has less of than their headers; of captures alone";

    Counter "flowtop_interface_cut_off_bytes" INTERFACE,
    Interface(|i| i.cut_off.map(|volume| volume.bytes)),
    "Bytes of packets that a capture has less of than their headers";

    Counter "flowtop_interface_device_drops" INTERFACE,
    Interface(|i| i.device_drops),
    "Packets that the device itself dropped on receive since it was watched, with those that nothing wanted after the hook";

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
    Flow(|f| f.jitter.map(Seconds)),
    "Jitter of the flow in its window";

    Gauge "flowtop_flow_interarrival_seconds" FLOW,
    Flow(|f| f.interarrival.map(Seconds)),
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

    Counter "flowtop_ipfix_records" NONE,
    Export(|counts| counts.records),
    "Records of flows and of counts that were sent to the collector of IPFIX";

    Counter "flowtop_ipfix_messages" NONE,
    Export(|counts| counts.messages),
    "Messages that were sent to the collector";

    Counter "flowtop_ipfix_bytes" NONE,
    Export(|counts| counts.bytes),
    "Bytes of these messages";

    Counter "flowtop_ipfix_lost_records" NONE,
    Export(|counts| counts.records_lost),
    "Records of flows that were not kept until the collector took them, or that could not be sent";

    Counter "flowtop_ipfix_lost_packets" NONE,
    Export(|counts| counts.packets_lost),
    "Packets in these records";

    Counter "flowtop_ipfix_lost_bytes" NONE,
    Export(|counts| counts.bytes_lost),
    "Bytes on the wire in these records";

    Counter "flowtop_ipfix_failures" NONE,
    Export(|counts| counts.failures),
    "Times that sending failed, or a connection could not be made or broke";

    Gauge "flowtop_ipfix_connected" NONE,
    Export(|counts| counts.is_connected.into()),
    "1 while there is a connection to the collector; by UDP always";

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

    Gauge "flowtop_exporter_waiting_intervals" NONE,
    One(|page, _| Some(Whole(page.intervals_waiting))),
    "Intervals that are over and wait for the output of records: until then jitter, thresholds and the choice of flows stand still";

    Gauge "flowtop_exporter_reading_age_seconds" NONE,
    One(|_, service| Some(Seconds(service.age_s))),
    "Time since the numbers of this page were read";
}
