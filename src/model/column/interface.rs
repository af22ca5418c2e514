//! The columns of the Interfaces view.
//!
//! `other`, `filtered`, `untracked`, `malformed`, `ended` and the flows add up to `packets`.

use super::{Column, Value, Width};
use crate::model::tracker::Interface;

use Width::{Between, Fixed, Rate};

/// All interface columns.
pub static INTERFACE_COLUMNS: [Column<Interface>; 16] = [
    Column::<Interface>::new(
        "name",
        "interface",
        "name of the device",
        Between(10, 15),
        |i, _| Value::Text(&i.name),
    )
    .left()
    .priority(0),
    Column::<Interface>::new("state", "state", "link state", Fixed(6), |i, _| {
        Value::Text(i.state.name())
    })
    .left()
    .priority(1),
    Column::<Interface>::new(
        "hook",
        "hook",
        "how flowtop is attached",
        Fixed(7),
        |i, _| {
            i.hook
                .map_or(Value::Unknown, |hook| Value::Text(hook.name()))
        },
    )
    .left()
    .priority(20),
    Column::<Interface>::of_rates(
        "throughput",
        "thruput",
        "bytes on the wire per second",
        Rate,
        |r| Value::Rate(r.throughput),
    )
    .alias("rate")
    .priority(2),
    Column::<Interface>::new(
        "throughput_history",
        "trend",
        "throughput of the latest intervals, each row to its own scale",
        Between(8, 60),
        |i, _| Value::History(i.throughput_history.all()),
    )
    .priority(22),
    Column::<Interface>::of_rates(
        "goodput",
        "goodput",
        "payload of the flows per second",
        Rate,
        |r| Value::Rate(r.goodput),
    )
    .priority(25),
    Column::<Interface>::of_rates(
        "packet_rate",
        "pkt/s",
        "packets per second",
        Fixed(6),
        |r| Value::PerSecond(r.packet_rate),
    )
    .alias("pps")
    .priority(3),
    Column::<Interface>::new("flows", "flows", "flows listed", Fixed(6), |i, _| {
        Value::Count(i.flows as u64)
    })
    .priority(4),
    Column::<Interface>::of_counts("packets", "packets", "all packets", Fixed(8), |c| {
        Value::Count(c.packets)
    })
    .priority(26),
    Column::<Interface>::of_counts("bytes", "bytes", "all bytes", Fixed(7), |c| {
        Value::Bytes(c.bytes)
    })
    .priority(27),
    Column::<Interface>::new(
        "ended",
        "ended",
        "packets of flows that left the table",
        Fixed(7),
        |i, _| Value::Count(i.ended.packets),
    )
    .priority(28),
    Column::<Interface>::new(
        "other",
        "other",
        "packets that are not flows: ARP and other protocols",
        Fixed(7),
        |i, _| Value::Count(i.counted.other.packets),
    )
    .priority(10),
    Column::<Interface>::new(
        "filtered",
        "filtered",
        "packets that no rule matches",
        Fixed(9),
        |i, _| Value::Count(i.counted.filtered.packets),
    )
    .priority(12),
    Column::<Interface>::new(
        "untracked",
        "untracked",
        "packets for which the flow table had no room",
        Fixed(10),
        |i, _| Value::Count(i.counted.untracked.packets),
    )
    .priority(5),
    Column::<Interface>::new(
        "malformed",
        "malformed",
        "packets that contradict themselves; by reason in the detail",
        Fixed(10),
        |i, _| Value::Count(i.counted.malformed_total().packets),
    )
    .priority(6),
    Column::<Interface>::new(
        "device_drops",
        "drops",
        "packets that the device itself dropped on receive",
        Fixed(6),
        |i, _| i.counted.device_drops.map_or(Value::Unknown, Value::Count),
    )
    .priority(7),
];

/// What else is counted of an interface, for checks: of no view.
pub static INTERFACE_COUNTS: [Column<Interface>; 3] = [
    Column::<Interface>::new(
        "seen",
        "seen",
        "packets that came to the hook",
        Fixed(8),
        |i, _| Value::Count(i.counted.seen.packets),
    ),
    Column::<Interface>::new(
        "fragments_unmatched",
        "unmatched",
        "later fragments whose first one was not known",
        Fixed(10),
        |i, _| Value::Count(i.counted.fragments_unmatched),
    ),
    Column::<Interface>::new(
        "packets_estimated",
        "estimated",
        "packets of aggregates whose bytes are an estimate",
        Fixed(10),
        |i, _| Value::Count(i.counted.estimated),
    ),
];
