//! The group `ip`: what the IP headers of a flow said.

use super::group::group_record;
use super::record::{Kind, Latest, Record, Sum32, record};

/// The group's metrics: type, kind, header of the column and its cells, and what it is. Its record, columns and object in
/// JSON are made of this list.
macro_rules! ip_metrics {
    ($make:ident) => {
        $make! {
            Ip ip IpMetrics: "What the IP headers of a flow said."
            ce: u64 = Sum32, "CE", 6, "packets marked as having met congestion (ECN 11)";
            ttl: Option<u8> = Latest, "ttl", 4, "hop limit (IPv4: time to live) of the latest packet";
            ttl_changes: u64 = Sum32, "ttl chg", 8, "times that `ttl` changed: the path did";
        }
    };
}

ip_metrics!(group_record);
pub(in crate::model) use ip_metrics;
