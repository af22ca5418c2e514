//! The columns of the rules, below the interfaces.

use super::flow::seconds_since;
use super::{Column, Value, Width};
use crate::model::tracker::RuleReport;

use Width::{Between, Fixed};

/// All rule columns.
pub static RULE_COLUMNS: [Column<RuleReport>; 5] = [
    Column::<RuleReport>::new(
        "rule",
        "rule",
        "name in the configuration",
        Between(12, 60),
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
    .priority(1),
    Column::<RuleReport>::of_counts("bytes", "bytes", "their bytes", Fixed(7), |c| {
        Value::Bytes(c.bytes)
    })
    .priority(4),
    Column::<RuleReport>::new("flows", "flows", "such flows listed", Fixed(6), |r, _| {
        Value::Count(r.flows as u64)
    })
    .priority(2),
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
    .priority(3),
];
