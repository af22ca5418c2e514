//! The group `ip`: what the IP headers of a flow said.

use super::group::group_record;
use super::record::{Record, record};

/// The group's metrics: type, kind, header of the column and its cells, and what it is. Its record, columns and object in
/// JSON are made of this list.
macro_rules! ip_metrics {
    ($make:ident) => {
        $make! {
            Ip ip IpMetrics: "What the IP headers of a flow said."
        }
    };
}

ip_metrics!(group_record);
pub(in crate::model) use ip_metrics;
