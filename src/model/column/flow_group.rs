//! The columns of groups of flows, and of the flows in them.

use super::endpoint::Suffix;
use super::figures::Figures;
use super::groups::join;
use super::{Column, Context, Sort, Value, Width, by_id};
use crate::model::flow_groups::{FlowGroup, GroupKey};
use crate::model::tracker::Flow;

use Width::Fixed;

/// All columns of groups.
pub static GROUP_COLUMNS: [Column<FlowGroup>; 2 + Figures::<FlowGroup>::COLUMNS.len() + 2] =
    join(&[&FIRST, &Figures::<FlowGroup>::COLUMNS, &TOTALS]);

const FIRST: [Column<FlowGroup>; 2] = [
    Column::<FlowGroup>::new(
        "group",
        "group",
        "what the flows have in common",
        Width::Name(20, 30, 48),
        name,
    )
    .left()
    .priority(0),
    Column::<FlowGroup>::of_figures("flows", "flows", "how many flows", Fixed(6), |f| {
        Value::Count(f.flows as u64)
    })
    .priority(2),
];

const TOTALS: [Column<FlowGroup>; 2] = [
    Column::<FlowGroup>::of_figures(
        "packets",
        "packets",
        "packets of its flows since the start or the last reset",
        Fixed(8),
        |f| Value::Count(f.volume.packets),
    )
    .priority(40),
    Column::<FlowGroup>::of_figures("bytes", "bytes", "their bytes", Fixed(7), |f| {
        Value::Bytes(f.volume.bytes)
    })
    .priority(41),
];

fn name<'a>(group: &'a FlowGroup, context: &Context<'a>) -> Value<'a> {
    if let Some(address) = group.key.address() {
        return Value::endpoint(address, Suffix::None, context);
    }
    match &group.key {
        GroupKey::Rule(Some(name)) | GroupKey::Interface(name) => Value::Text(name),
        GroupKey::Rule(None) => Value::Text("no rule"),
        GroupKey::Network(net) => Value::Endpoint {
            address: net.addr(),
            suffix: Suffix::Prefix(net.prefix_len()),
            name: None,
        },
        GroupKey::Port(port, protocol) => Value::Service(Some(*port), *protocol),
        GroupKey::Portless(protocol) => Value::Service(None, *protocol),
    }
}

/// The order of the flows in a group, by what the groups are in order by.
pub fn order_within(groups: &Sort<FlowGroup>) -> Sort<Flow> {
    let id = match groups.column.id {
        "group" => "source",
        "flows" => "throughput",
        "loss_max" | "tcp_loss_percent" => "loss_percent",
        "jitter_max" => "jitter",
        same => same,
    };
    by_id(id).map_or_else(Sort::default, |column| Sort {
        column,
        descending: groups.descending,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_groups_are_in_order_by_the_flows_in_them_can_be_too() {
        for column in &GROUP_COLUMNS {
            for descending in [false, true] {
                let sort = order_within(&Sort { column, descending });
                assert_eq!(sort.descending, descending);
                let alike = [column.id, "source", "throughput", "loss_percent", "jitter"];
                assert!(alike.contains(&sort.column.id), "{column:?}: {sort:?}");
            }
        }
    }
}
