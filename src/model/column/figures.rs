//! The columns of what some flows come to: of groups, and of rules.

use super::source::HasFigures;
use super::{Column, Value, Width};

use Width::{Fixed, Rate};

/// They are the same for all rows that stand for flows.
pub(super) struct Figures<T>(std::marker::PhantomData<T>);

impl<T: HasFigures + 'static> Figures<T> {
    pub(super) const COLUMNS: [Column<T>; 9] = [
        Column::of_figures(
            "throughput",
            "thruput",
            "bytes on the wire per second of its flows, over the latest interval",
            Rate,
            |f| f.rates.map_or(Value::Unknown, |r| Value::Rate(r.throughput)),
        )
        .priority(1),
        Column::of_figures(
            "goodput",
            "goodput",
            "payload of its flows per second",
            Rate,
            |f| f.rates.map_or(Value::Unknown, |r| Value::Rate(r.goodput)),
        )
        .priority(30),
        Column::of_figures("packet_rate", "pkt/s", "packets of its flows per second", Fixed(6), |f| {
            f.rates.map_or(Value::Unknown, |r| Value::PerSecond(r.packet_rate))
        })
        .priority(20),
        Column::of_figures(
            "loss_percent",
            "loss",
            "share of the packets sent in all of its flows together that did not come; not of TCP, which numbers bytes",
            Fixed(6),
            |f| Value::percent(f.loss_percent()),
        )
        .priority(4),
        Column::of_figures(
            "loss_max",
            "loss max",
            "the largest loss of any of its flows, TCP's among them",
            Fixed(9),
            |f| Value::percent(f.worst_loss),
        )
        .priority(5),
        Column::of_figures(
            "tcp_loss_percent",
            "TCP loss",
            "share of the bytes sent in all of its flows of TCP together that are missing here",
            Fixed(9),
            |f| Value::percent(f.tcp_loss_percent()),
        )
        .priority(11),
        Column::of_figures(
            "jitter",
            "jitter",
            "the median of its flows' jitter",
            Fixed(7),
            |f| Value::milliseconds(f.jitter_ms),
        )
        .priority(6),
        Column::of_figures(
            "jitter_max",
            "jitter max",
            "the largest jitter of any of its flows",
            Fixed(11),
            |f| Value::milliseconds(f.worst_jitter_ms),
        )
        .priority(7),
        Column::of_figures(
            "trouble",
            "trouble",
            "how many of its flows are in trouble",
            Fixed(8),
            |f| Value::Count(f.in_trouble as u64),
        )
        .priority(12),
    ];
}
