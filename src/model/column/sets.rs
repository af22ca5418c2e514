//! Which columns of a flow are where, by their ids: in the views, and in JSON.

use super::Column;
use super::groups::ip;
use super::part::Part;
use crate::model::groups::Group;

/// The columns of a new dashboard.
pub const DEFAULT: &[&str] = &[
    "protocol",
    "source",
    "destination",
    "interface",
    "throughput",
    "goodput",
    "packet_rate",
    "interarrival_mean",
    "jitter",
    "iat_p50",
    "iat_p95",
    "iat_p99",
    "loss_percent",
    "lost",
    "jitter_history",
    "trouble",
];

/// The columns that the key `l` and `-l` add.
pub const LOSS: &[&str] = &[
    "sequence",
    "received",
    "lost",
    "loss_percent",
    "reverse_errors",
    "small_errors",
    "big_errors",
    "duplicates",
];

/// The columns of the Loss view.
pub const LOSS_VIEW: &[&str] = &[
    "protocol",
    "source",
    "destination",
    "interface",
    "loss_percent",
    "lost",
    "loss_history",
    "received",
    "sequence",
    "reordered",
    "duplicates",
    "reverse_errors",
    "small_errors",
    "big_errors",
    "restarts",
    "absent",
];

/// A member of a flow's object in JSON.
#[derive(Debug, Clone, Copy)]
pub enum Member {
    /// The cell of this column.
    Cell(&'static str),
    /// An object of cells.
    Part(&'static Part),
    /// The buckets of its histogram.
    Buckets,
    /// Whether aggregates came.
    Aggregates,
    /// The thresholds that the flow violates.
    Alerts,
}

impl Member {
    /// The columns of its cells.
    pub const fn cells(&self) -> &[&'static str] {
        match self {
            Member::Cell(id) => std::slice::from_ref(id),
            Member::Part(part) => part.cells,
            Member::Buckets | Member::Aggregates | Member::Alerts => &[],
        }
    }
}

/// What sequence tracking found out.
pub static SEQUENCE: Part = Part {
    name: "sequence",
    is_known: |counts| counts.sequence.is_some(),
    cells: &[
        "sequence",
        "received",
        "lost",
        "loss_percent",
        "loss_now",
        "loss_window",
        "reverse_errors",
        "small_errors",
        "big_errors",
        "duplicates",
        "reordered",
        "restarts",
        "absent",
    ],
};

/// What there is of a group of metrics.
pub fn part_of(group: Group) -> &'static Part {
    match group {
        Group::Ip => &ip::PART,
    }
}

/// A flow in JSON, and the sums over flows as far as they add up. Each column that is no history is in it.
pub const MEMBERS: &[Member] = &[
    Member::Cell("interface"),
    Member::Cell("vlan"),
    Member::Cell("protocol"),
    Member::Cell("source"),
    Member::Cell("source_port"),
    Member::Cell("destination"),
    Member::Cell("destination_port"),
    Member::Cell("packets"),
    Member::Cell("bytes"),
    Member::Cell("payload_bytes"),
    Member::Cell("throughput"),
    Member::Cell("goodput"),
    Member::Cell("packet_rate"),
    Member::Cell("interarrival_mean"),
    Member::Cell("jitter"),
    Member::Cell("iat_p50"),
    Member::Cell("iat_p95"),
    Member::Cell("iat_p99"),
    Member::Cell("iat_max"),
    Member::Buckets,
    Member::Cell("samples"),
    Member::Aggregates,
    Member::Cell("jitter_epochs"),
    Member::Part(&SEQUENCE),
    Member::Part(&ip::PART),
    Member::Cell("rule"),
    Member::Alerts,
    Member::Cell("trouble"),
    Member::Cell("age"),
    Member::Cell("idle"),
];

/// The place of a column in a flow's object in JSON, parts and names parted by dots; histories have none.
pub fn json_path(column: &Column) -> Option<String> {
    let its = MEMBERS
        .iter()
        .find(|member| member.cells().contains(&column.id))?;
    Some(match its {
        Member::Part(part) => format!("{}.{}", part.name, column.json),
        _ => column.json.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::column::{FLOW_COLUMNS, by_id};
    use crate::model::counts::{Counts, IpMetrics, Sequence};

    #[test]
    fn the_sets_name_columns_that_exist() {
        let of_json = MEMBERS.iter().flat_map(Member::cells).copied();
        let of_views = [DEFAULT, LOSS, LOSS_VIEW].concat();
        for id in of_views.into_iter().chain(of_json) {
            assert!(by_id(id).is_some(), "{id}");
        }
    }

    #[test]
    fn each_column_has_a_place_in_json_and_so_has_each_counter() {
        let columns = FLOW_COLUMNS.iter().filter(|column| !column.is_history());
        let mut paths: Vec<_> = columns
            .map(|column| json_path(column).unwrap_or_else(|| panic!("{column:?}")))
            .collect();
        paths.sort_unstable();
        assert!(paths.windows(2).all(|pair| pair[0] != pair[1]), "{paths:?}");
        let parts = [("sequence", Sequence::FIELDS), ("ip", IpMetrics::FIELDS)];
        let counters = Counts::FIELDS.iter().flat_map(|field| {
            let part = parts.iter().find(|(name, _)| name == field);
            match part {
                Some((part, fields)) => fields.iter().map(|f| format!("{part}.{f}")).collect(),
                None => vec![(*field).to_owned()],
            }
        });
        for counter in counters {
            assert!(paths.contains(&counter), "{counter}");
        }
    }
}
