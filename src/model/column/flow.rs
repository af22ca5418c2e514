//! The columns of a flow, in the order in which they are listed to people.
//!
//! What each number means is defined in docs/numbers.md; a column only names it and says how wide it is.

use super::groups::{ip, join};
use super::value::{BEYOND_A_THRESHOLD, destination_of, source_of};
use super::{Column, Context, Value, Width};
use crate::model::counts::{Counts, Sequence};
use crate::model::histogram::Histogram;
use crate::model::tracker::Flow;

use Width::{Between, Fixed, Rate, Words};

fn sequence(counts: &Counts, count: fn(&Sequence) -> Option<u64>) -> Value<'static> {
    match counts.sequence.as_ref().and_then(count) {
        Some(count) => Value::Count(count),
        None => Value::Unknown,
    }
}

pub(super) fn seconds_since(now_ns: u64, then_ns: u64) -> Value<'static> {
    Value::Seconds(now_ns.saturating_sub(then_ns) as f64 / 1e9)
}

/// The column of what is the matter with a flow.
pub const TROUBLE: &str = "trouble";

/// What is the matter with a flow; unknown where nothing is. One beyond a threshold is in trouble whatever it was before.
pub fn verdict<'a>(flow: &'a Flow, context: &Context<'a>) -> Value<'a> {
    let alert = context.alerts.and_then(|alerts| alerts.words(&flow.key));
    match (alert, flow.trouble()) {
        (Some(words), _) => Value::Verdict {
            severity: BEYOND_A_THRESHOLD,
            words,
        },
        (None, Some(trouble)) => Value::Verdict {
            severity: trouble.severity,
            words: &trouble.words,
        },
        (None, None) => Value::Unknown,
    }
}

/// All flow columns.
pub static FLOW_COLUMNS: [Column; COUNTED.len() + ip::COLUMNS.len() + CIRCUMSTANCES.len()] =
    join(&[COUNTED, ip::COLUMNS, CIRCUMSTANCES]);

const COUNTED: &[Column] = &[
    Column::<Flow>::new(
        "protocol",
        "proto",
        "tcp, udp, icmp or icmpv6",
        Fixed(6),
        |f, _| Value::Text(f.key.protocol.name()),
    )
    .left()
    .priority(20),
    Column::<Flow>::new(
        "source",
        "source",
        "source address and port",
        Width::Endpoint,
        |f, context| source_of(&f.key, context),
    )
    .left()
    .priority(1),
    Column::<Flow>::new(
        "source_port",
        "sport",
        "source port, or the identifier of an ICMP query",
        Fixed(6),
        |f, _| Value::Number(f.key.source_port.into()),
    )
    .priority(90),
    Column::<Flow>::new(
        "destination",
        "destination",
        "destination address and port",
        Width::Endpoint,
        |f, context| destination_of(&f.key, context),
    )
    .left()
    .priority(0),
    Column::<Flow>::new(
        "destination_port",
        "dport",
        "destination port, or the ICMP type * 256 + code",
        Fixed(6),
        |f, _| Value::Number(f.key.destination_port.into()),
    )
    .priority(90),
    Column::<Flow>::new(
        "interface",
        "interface",
        "interface that the packets came in on",
        Between(10, 15),
        |f, _| Value::Text(&f.interface),
    )
    .left()
    .priority(40),
    Column::<Flow>::new("vlan", "vlan", "outer VLAN id", Fixed(5), |f, _| {
        f.key
            .vlan
            .map_or(Value::Unknown, |id| Value::Number(id.into()))
    })
    .priority(80),
    Column::<Flow>::of_rates(
        "throughput",
        "thruput",
        "bytes on the wire per second, over the latest interval",
        Rate,
        |r| Value::Rate(r.throughput),
    )
    .alias("rate")
    .priority(2),
    Column::<Flow>::of_rates(
        "goodput",
        "goodput",
        "payload per second, over the latest interval",
        Rate,
        |r| Value::Rate(r.goodput),
    )
    .priority(35),
    Column::<Flow>::of_rates(
        "packet_rate",
        "pkt/s",
        "packets per second, over the latest interval",
        Fixed(6),
        |r| Value::PerSecond(r.packet_rate),
    )
    .alias("pps")
    .priority(30),
    Column::<Flow>::new(
        "interarrival_mean",
        "IAT",
        "mean time between arrivals, over the jitter window; packets that come as one aggregate are one arrival",
        Fixed(7),
        |f, _| Value::milliseconds(f.interarrival.mean_ms()),
    )
    .alias("iat")
    .json("interarrival_mean_ms")
    .priority(25),
    Column::<Flow>::new(
        "jitter",
        "jitter",
        "jitter (sd): standard deviation of the time between packets, not RFC 3550's",
        Fixed(7),
        |f, _| Value::milliseconds(f.interarrival.jitter_ms()),
    )
    .alias("jitter_ms")
    .json("jitter_ms")
    .priority(10),
    Column::<Flow>::of_histogram(
        "iat_p50",
        "IAT p50",
        "median time between packets, where the flow keeps a histogram",
        |h| h.percentile_ms(50.0),
    )
    .json("interarrival_p50_ms")
    .priority(37),
    Column::<Flow>::of_histogram("iat_p95", "IAT p95", "95th percentile of that time", |h| {
        h.percentile_ms(95.0)
    })
    .json("interarrival_p95_ms")
    .priority(38),
    Column::<Flow>::of_histogram("iat_p99", "IAT p99", "99th percentile of that time", |h| {
        h.percentile_ms(99.0)
    })
    .json("interarrival_p99_ms")
    .priority(39),
    Column::<Flow>::of_histogram(
        "iat_max",
        "IAT max",
        "the longest such time, exact",
        Histogram::longest_ms,
    )
    .json("interarrival_max_ms")
    .priority(23),
    Column::<Flow>::new(
        "jitter_history",
        "trend",
        "jitter of the latest intervals, each row to its own scale",
        Between(8, 30),
        |f, _| Value::History(f.history.jitter()),
    )
    .priority(22),
    Column::<Flow>::of_counts(
        "packets",
        "packets",
        "packets since the start or the last reset",
        Fixed(8),
        |c| Value::Count(c.packets),
    )
    .priority(60),
    Column::<Flow>::of_counts(
        "bytes",
        "bytes",
        "bytes on the wire since the start or the last reset",
        Fixed(7),
        |c| Value::Bytes(c.bytes),
    )
    .priority(61),
    Column::<Flow>::of_counts(
        "payload_bytes",
        "payload",
        "payload bytes since the start or the last reset",
        Fixed(8),
        |c| Value::Bytes(c.payload_bytes),
    )
    .priority(62),
    Column::<Flow>::new(
        "loss_percent",
        "loss",
        "share of what was sent that did not come",
        Fixed(6),
        |f, _| Value::percent(f.loss_percent()),
    )
    .alias("loss")
    .priority(3),
    Column::<Flow>::new(
        TROUBLE,
        "trouble",
        "how the flow is far from its own past, or which threshold it is beyond",
        Words(16, 26, 44),
        verdict,
    )
    .left()
    .priority(36),
    Column::<Flow>::new(
        "loss_now",
        "loss now",
        "share of what was sent in the latest interval that did not come",
        Fixed(9),
        |f, _| Value::percent(f.recent_loss.interval()),
    )
    .json("loss_now_percent")
    .priority(13),
    Column::<Flow>::new(
        "loss_window",
        "loss win",
        "share of what was sent in the jitter window that did not come",
        Fixed(9),
        |f, _| Value::percent(f.recent_loss.window()),
    )
    .json("loss_window_percent")
    .priority(47),
    Column::<Flow>::of_counts(
        "lost",
        "lost",
        "numbers that did not come; TCP: bytes",
        Fixed(6),
        |c| sequence(c, |s| Some(s.lost)),
    )
    .priority(11),
    Column::<Flow>::new(
        "loss_history",
        "trend",
        "what went missing in the latest intervals, each row to its own scale",
        Between(8, 30),
        |f, _| Value::History(f.history.lost.all()),
    )
    .priority(12),
    Column::<Flow>::of_counts(
        "received",
        "received",
        "packets with a readable sequence number",
        Fixed(9),
        |c| sequence(c, |s| Some(s.received)),
    )
    .priority(28),
    // Of a flow: the numbers of several do not add up.
    Column::<Flow>::new(
        "sequence",
        "sequence",
        "highest sequence number seen",
        Fixed(10),
        |f, _| match f.counts.sequence.and_then(|s| s.current) {
            Some(current) => Value::Number(current.into()),
            None => Value::Unknown,
        },
    )
    .json("current")
    .priority(46),
    Column::<Flow>::of_counts(
        "reordered",
        "reord",
        "packets that came after a later one",
        Fixed(6),
        |c| sequence(c, |s| s.reordered()),
    )
    .priority(21),
    Column::<Flow>::of_counts(
        "duplicates",
        "dup",
        "packets whose number had come before",
        Fixed(6),
        |c| sequence(c, |s| s.duplicates),
    )
    .priority(24),
    Column::<Flow>::of_counts(
        "reverse_errors",
        "rev",
        "packets behind the expected number; TCP: retransmitted or reordered",
        Fixed(6),
        |c| sequence(c, |s| Some(s.reverse_errors)),
    )
    .priority(22),
    Column::<Flow>::of_counts(
        "small_errors",
        "small",
        "gaps up to SEQUENCE_THRESHOLD",
        Fixed(6),
        |c| sequence(c, |s| Some(s.small_errors)),
    )
    .priority(26),
    Column::<Flow>::of_counts(
        "big_errors",
        "big",
        "gaps beyond SEQUENCE_THRESHOLD",
        Fixed(6),
        |c| sequence(c, |s| Some(s.big_errors)),
    )
    .priority(27),
    Column::<Flow>::of_counts(
        "restarts",
        "rest",
        "times the sender began a new series of numbers",
        Fixed(6),
        |c| sequence(c, |s| Some(s.restarts)),
    )
    .priority(48),
    Column::<Flow>::of_counts(
        "absent",
        "absent",
        "packets without a number at the configured place",
        Fixed(7),
        |c| sequence(c, |s| Some(s.absent)),
    )
    .priority(49),
];

const CIRCUMSTANCES: &[Column] = &[
    Column::<Flow>::new(
        "rule",
        "rule",
        "rule of the configuration that the flow matches",
        Between(8, 20),
        |f, _| f.rule.as_deref().map_or(Value::Unknown, Value::Text),
    )
    .left()
    .priority(65),
    Column::<Flow>::new(
        "age",
        "age",
        "time since the first packet",
        Fixed(6),
        |f, c| seconds_since(c.now_ns, f.first_seen_ns),
    )
    .json("first_seen_s")
    .priority(66),
    Column::<Flow>::new(
        "idle",
        "idle",
        "time since the latest packet",
        Fixed(6),
        |f, c| seconds_since(c.now_ns, f.last_seen_ns),
    )
    .json("last_seen_s")
    .priority(64),
    Column::<Flow>::new(
        "jitter_epochs",
        "epochs",
        "times the flow started anew after a pause of more than 2 s, and its first start",
        Fixed(7),
        |f, _| Value::Count(f.jitter_epochs.into()),
    )
    .priority(70),
    Column::<Flow>::new(
        "samples",
        "samples",
        "times between packets in the jitter window",
        Fixed(8),
        |f, _| Value::Count(f.interarrival.samples),
    )
    .json("interarrival_samples")
    .priority(71),
];
