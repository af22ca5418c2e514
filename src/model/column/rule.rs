//! The columns of the rules, below the interfaces.

use super::figures::Figures;
use super::flow::seconds_since;
use super::groups::join;
use super::{Column, Value, Width};
use crate::model::histogram::Histogram;
use crate::model::tracker::RuleReport;

use Width::Fixed;

/// All rule columns.
pub static RULE_COLUMNS: [Column<RuleReport>;
    COUNTED.len() + Figures::<RuleReport>::COLUMNS.len() + OTHERS.len()] =
    join(&[&COUNTED, &Figures::<RuleReport>::COLUMNS, &OTHERS]);

const COUNTED: [Column<RuleReport>; 4] = [
    Column::<RuleReport>::new(
        "rule",
        "rule",
        "name in the configuration",
        Width::Name(12, 28, 60),
        |r, _| Value::Text(&r.name),
    )
    .left()
    .priority(0),
    Column::<RuleReport>::of_counts(
        "packets",
        "packets",
        "packets of the flows whose first matching rule it is",
        Fixed(8),
        |c| Value::Count(c.packets),
    )
    .priority(2),
    Column::<RuleReport>::of_counts("bytes", "bytes", "their bytes", Fixed(7), |c| {
        Value::Bytes(c.bytes)
    })
    .priority(41),
    Column::<RuleReport>::new("flows", "flows", "such flows listed", Fixed(6), |r, _| {
        Value::Count(r.flows as u64)
    })
    .priority(3),
];

const OTHERS: [Column<RuleReport>; 5] = [
    Column::<RuleReport>::of_histogram(
        "iat_p50",
        "IAT p50",
        "median time between packets of a flow, where the rule asks for histograms",
        |h| h.percentile_ms(50.0),
    )
    .priority(16),
    Column::<RuleReport>::of_histogram(
        "iat_p99",
        "IAT p99",
        "99th percentile of that time",
        |h| h.percentile_ms(99.0),
    )
    .priority(15),
    Column::<RuleReport>::of_histogram(
        "iat_max",
        "IAT max",
        "the longest such time, exact",
        Histogram::longest_ms,
    )
    .priority(17),
    Column::<RuleReport>::new(
        "without_histogram",
        "no hist",
        "such flows listed that have no histogram although the rule asks for it, as there was no room for more",
        Fixed(8),
        |r, _| r.flows_without_histogram().map_or(Value::Unknown, |n| Value::Count(n as u64)),
    )
    .priority(18),
    Column::<RuleReport>::new(
        "last_match",
        "last match",
        "time since the latest packet",
        Fixed(11),
        |r, context| match r.counts.packets {
            0 => Value::Unknown,
            _ => seconds_since(context.now_ns, r.last_match_ns),
        },
    )
    .priority(10),
];
