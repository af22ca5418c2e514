//! The information elements of flow records: one row each.
//!
//! Templates, records, type records and a table of docs/fleet.md are made of these rows. The number of an element of
//! flowtop's own is a contract: it never changes, and is never used again.

use std::net::IpAddr;

use super::element::{Element, Meaning, Unit};
use super::record::FlowRecord;
use super::value::{DataType, Value};
use crate::model::counts::{IpMetrics, Sequence};
use crate::model::flow::{Direction, Protocol};
use crate::model::tracker::statistics;

use DataType::{
    Ipv4, Ipv6, Milliseconds, Signed64, Text, Unsigned8, Unsigned16, Unsigned32, Unsigned64,
};
use Value::{Number, Signed};

/// A row: the element, and where its value is from; `None`: not known, or there is none of this flow.
pub struct FlowElement {
    /// The element.
    pub element: Element,
    /// Its value.
    pub value: for<'a> fn(&FlowRecord<'a>) -> Option<Value<'a>>,
}

const fn row(
    element: Element,
    value: for<'a> fn(&FlowRecord<'a>) -> Option<Value<'a>>,
) -> FlowElement {
    FlowElement { element, value }
}

const PACKETS: (Meaning, Unit) = (Meaning::DeltaCounter, Unit::Packets);
const OCTETS: (Meaning, Unit) = (Meaning::DeltaCounter, Unit::Octets);
const TIMES: (Meaning, Unit) = (Meaning::DeltaCounter, Unit::Nothing);
const TIME: (Meaning, Unit) = (Meaning::Quantity, Unit::Nanoseconds);

/// All of them, in the order in which they are in a record.
pub static FLOW_ELEMENTS: &[FlowElement] = &[
    row(
        Element::standard(8, "sourceIPv4Address", Ipv4, "source address"),
        |r| ipv4(r.key.source),
    ),
    row(
        Element::standard(12, "destinationIPv4Address", Ipv4, "destination address"),
        |r| ipv4(r.key.destination),
    ),
    row(
        Element::standard(27, "sourceIPv6Address", Ipv6, "source address"),
        |r| ipv6(r.key.source),
    ),
    row(
        Element::standard(28, "destinationIPv6Address", Ipv6, "destination address"),
        |r| ipv6(r.key.destination),
    ),
    row(
        Element::standard(
            7,
            "sourceTransportPort",
            Unsigned16,
            "source port of TCP and UDP",
        ),
        |r| has_ports(r).then_some(Number(r.key.source_port.into())),
    ),
    row(
        Element::standard(
            11,
            "destinationTransportPort",
            Unsigned16,
            "destination port of TCP and UDP",
        ),
        |r| has_ports(r).then_some(Number(r.key.destination_port.into())),
    ),
    row(
        Element::standard(32, "icmpTypeCodeIPv4", Unsigned16, "type * 256 + code"),
        |r| kind_of(r, Protocol::Icmp),
    ),
    row(
        Element::standard(
            139,
            "icmpTypeCodeIPv6",
            Unsigned16,
            "ICMPv6: type * 256 + code",
        ),
        |r| kind_of(r, Protocol::Icmpv6),
    ),
    row(
        Element::standard(4, "protocolIdentifier", Unsigned8, "protocol"),
        |r| Some(Number(r.key.protocol.number().into())),
    ),
    row(
        Element::standard(60, "ipVersion", Unsigned8, "4 or 6"),
        |r| Some(Number(if r.key.source.is_ipv4() { 4 } else { 6 })),
    ),
    row(
        Element::standard(10, "ingressInterface", Unsigned32, "index of the interface"),
        |r| Some(Number(r.key.ifindex.into())),
    ),
    row(
        Element::standard(82, "interfaceName", Text, "its name"),
        |r| r.interface.map(Value::Text),
    ),
    row(
        Element::standard(61, "flowDirection", Unsigned8, "0: the packets came in"),
        |r| Some(Number((r.key.direction == Direction::Out).into())),
    ),
    row(
        Element::standard(58, "vlanId", Unsigned16, "id of the outer VLAN tag"),
        |r| r.key.vlan.map(|id| Number(id.into())),
    ),
    row(
        Element::standard(
            152,
            "flowStartMilliseconds",
            Milliseconds,
            "first packet of the flow; later on the last one of the record before",
        ),
        |r| Some(Number(r.start_ms)),
    ),
    row(
        Element::standard(153, "flowEndMilliseconds", Milliseconds, "latest packet"),
        |r| Some(Number(r.end_ms)),
    ),
    row(
        Element::standard(2, "packetDeltaCount", Unsigned64, "packets"),
        |r| Some(Number(r.now.packets - r.then.packets)),
    ),
    row(
        Element::standard(1, "octetDeltaCount", Unsigned64, "bytes of the IP packets"),
        |r| of_ip(r, |ip| ip.ip_bytes),
    ),
    row(
        Element::standard(
            352,
            "layer2OctetDeltaCount",
            Unsigned64,
            "bytes on the wire, as `bytes` elsewhere",
        ),
        |r| Some(Number(r.now.bytes - r.then.bytes)),
    ),
    row(
        Element::standard(192, "ipTTL", Unsigned8, "hop limit of the latest packet"),
        |r| r.now.ip?.ttl.map(|ttl| Number(ttl.into())),
    ),
    row(
        Element::standard(195, "ipDiffServCodePoint", Unsigned8, "DSCP, the latest"),
        |r| r.now.ip?.dscp.map(|dscp| Number(dscp.0.into())),
    ),
    row(
        Element::standard(
            136,
            "flowEndReason",
            Unsigned8,
            "1: idle; 2: it goes on, the interval is over; 4: the run has ended, or rules exclude it; 5: another flow took its place",
        ),
        |r| Some(Number(r.reason as u64)),
    ),
    row(
        Element::own(
            1,
            "payloadOctetDeltaCount",
            Unsigned64,
            OCTETS,
            "bytes behind the TCP, UDP or ICMP header",
        ),
        |r| Some(Number(r.now.payload_bytes - r.then.payload_bytes)),
    ),
    row(
        Element::own(
            2,
            "lostPacketDeltaCount",
            Signed64,
            PACKETS,
            "sequence numbers that did not come; below 0 where more came late",
        ),
        |r| lost(r, false),
    ),
    row(
        Element::own(
            3,
            "lostOctetDeltaCount",
            Signed64,
            OCTETS,
            "TCP: bytes that did not come; below 0 where more came late",
        ),
        |r| lost(r, true),
    ),
    row(
        Element::own(
            4,
            "duplicatePacketDeltaCount",
            Unsigned64,
            PACKETS,
            "packets whose number had come before",
        ),
        |r| of_numbers(r, |s| s.duplicates),
    ),
    row(
        Element::own(
            5,
            "reorderedPacketDeltaCount",
            Unsigned64,
            PACKETS,
            "packets that came after a later one",
        ),
        |r| of_numbers(r, Sequence::reordered),
    ),
    row(
        Element::own(
            6,
            "lateSegmentDeltaCount",
            Unsigned64,
            PACKETS,
            "TCP: segments that were retransmitted or reordered",
        ),
        |r| of_numbers(r, |s| s.is_of_stream().then_some(s.reverse_errors)),
    ),
    row(
        Element::own(
            7,
            "sequencedPacketDeltaCount",
            Unsigned64,
            PACKETS,
            "packets with a readable sequence number",
        ),
        |r| of_numbers(r, |s| Some(s.received)),
    ),
    row(
        Element::own(
            8,
            "unsequencedPacketDeltaCount",
            Unsigned64,
            PACKETS,
            "packets without a number at the configured place",
        ),
        |r| of_numbers(r, |s| Some(s.absent)),
    ),
    row(
        Element::own(
            9,
            "smallGapDeltaCount",
            Unsigned64,
            TIMES,
            "gaps in the numbers up to SEQUENCE_THRESHOLD",
        ),
        |r| of_numbers(r, |s| Some(s.small_errors)),
    ),
    row(
        Element::own(
            10,
            "largeGapDeltaCount",
            Unsigned64,
            TIMES,
            "gaps in the numbers beyond SEQUENCE_THRESHOLD",
        ),
        |r| of_numbers(r, |s| Some(s.big_errors)),
    ),
    row(
        Element::own(
            11,
            "sequenceRestartDeltaCount",
            Signed64,
            TIMES,
            "times the sender began anew; below 0 where that was taken back",
        ),
        |r| {
            let then = r.then.sequence.map_or(0, |s| s.restarts);
            let now = r.now.sequence?.restarts;
            Some(Signed(now.wrapping_sub(then) as i64))
        },
    ),
    row(
        Element::own(
            12,
            "interarrivalMeanNanoseconds",
            Unsigned64,
            TIME,
            "mean time between arrivals, those of the record alone",
        ),
        |r| nanoseconds(statistics(r.gaps).mean_ms()),
    ),
    row(
        Element::own(
            13,
            "interarrivalDeviationNanoseconds",
            Unsigned64,
            TIME,
            "jitter: standard deviation of that time, not RFC 3550's",
        ),
        |r| nanoseconds(statistics(r.gaps).jitter_ms()),
    ),
    row(
        Element::own(
            14,
            "interarrivalDeltaCount",
            Unsigned64,
            TIMES,
            "times between arrivals that these two are of",
        ),
        |r| Some(Number(r.gaps.count)),
    ),
    row(
        Element::own(
            15,
            "congestionMarkedPacketDeltaCount",
            Unsigned64,
            PACKETS,
            "packets marked as having met congestion (ECN 11)",
        ),
        |r| of_ip(r, |ip| ip.ce),
    ),
    row(
        Element::own(
            16,
            "hopLimitChangeDeltaCount",
            Unsigned64,
            TIMES,
            "times that the hop limit changed",
        ),
        |r| of_ip(r, |ip| ip.ttl_changes),
    ),
    row(
        Element::own(
            17,
            "icmpIdentifier",
            Unsigned16,
            (Meaning::Identifier, Unit::Nothing),
            "identifier of an ICMP query",
        ),
        |r| (!has_ports(r)).then_some(Number(r.key.source_port.into())),
    ),
    row(
        Element::own(
            18,
            "ruleName",
            Text,
            (Meaning::Identifier, Unit::Nothing),
            "rule of the configuration that the flow matches",
        ),
        |r| r.rule.map(Value::Text),
    ),
];

fn has_ports(record: &FlowRecord<'_>) -> bool {
    record.key.protocol.has_ports()
}

fn ipv4(address: IpAddr) -> Option<Value<'static>> {
    match address {
        IpAddr::V4(address) => Some(Value::Ipv4(address)),
        IpAddr::V6(_) => None,
    }
}

fn ipv6(address: IpAddr) -> Option<Value<'static>> {
    match address {
        IpAddr::V4(_) => None,
        IpAddr::V6(address) => Some(Value::Ipv6(address)),
    }
}

fn kind_of(record: &FlowRecord<'_>, protocol: Protocol) -> Option<Value<'static>> {
    let key = record.key;
    (key.protocol == protocol).then_some(Number(key.destination_port.into()))
}

/// What a count of the group `ip` has grown by.
fn of_ip(record: &FlowRecord<'_>, count: fn(&IpMetrics) -> u64) -> Option<Value<'static>> {
    let then = record.then.ip.as_ref().map_or(0, count);
    Some(Number(count(record.now.ip.as_ref()?) - then))
}

/// What a count of sequence tracking has grown by.
fn of_numbers(
    record: &FlowRecord<'_>,
    count: fn(&Sequence) -> Option<u64>,
) -> Option<Value<'static>> {
    let then = record.then.sequence.as_ref().and_then(count).unwrap_or(0);
    let now = count(record.now.sequence.as_ref()?)?;
    Some(Number(now.wrapping_sub(then)))
}

/// What is missing, in packets or, of a stream, in bytes.
fn lost(record: &FlowRecord<'_>, of_stream: bool) -> Option<Value<'static>> {
    let now = record
        .now
        .sequence
        .filter(|s| s.is_of_stream() == of_stream)?;
    let then = record.then.sequence.map_or(0, |s| s.lost);
    Some(Signed(now.lost.wrapping_sub(then) as i64))
}

fn nanoseconds(ms: Option<f64>) -> Option<Value<'static>> {
    ms.map(|ms| Number((ms * 1e6).round().max(0.0) as u64))
}
