//! The group `ip`: what the IP headers of a flow said.

use super::counter_set::{CounterKind, CounterSet, LatestValue, Sum32, Sum64, counter_set};
use super::group::{Named, group_counters};

/// The group's metrics: type, kind, header of the column and its cells, and what it is. Its counters, columns and object in
/// JSON are made of this list.
macro_rules! ip_metrics {
    ($make:ident) => {
        $make! {
            Ip ip IpMetrics: "What the IP headers of a flow said."
            ce: u64 = Sum32, "CE", 6, "packets marked as having met congestion (ECN 11)";
            ttl: Option<u8> = LatestValue, "ttl", 4, "hop limit (IPv4: time to live) of the latest packet";
            ttl_changes: u64 = Sum32, "ttl chg", 8, "times that `ttl` changed: the path did";
            dscp: Option<Dscp> = LatestValue, "dscp", 9, "service class that the latest packet asks for";
            ip_bytes: u64 = Sum64, "IP bytes", 9, "bytes of the IP packets: without Ethernet header, VLAN tags and padding";
        }
    };
}

ip_metrics!(group_counters);
pub(in crate::model) use ip_metrics;

/// A differentiated services code point (RFC 2474).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dscp(pub u8);

impl Named for Dscp {
    fn number(self) -> u64 {
        self.0.into()
    }

    /// RFC 2474 (CS), RFC 2597 (AF), RFC 3246 (EF), RFC 5865 (VA), RFC 8622 (LE).
    fn name(self) -> Option<&'static str> {
        const NAMES: [(u8, &str); 23] = [
            (0, "CS0"),
            (1, "LE"),
            (8, "CS1"),
            (10, "AF11"),
            (12, "AF12"),
            (14, "AF13"),
            (16, "CS2"),
            (18, "AF21"),
            (20, "AF22"),
            (22, "AF23"),
            (24, "CS3"),
            (26, "AF31"),
            (28, "AF32"),
            (30, "AF33"),
            (32, "CS4"),
            (34, "AF41"),
            (36, "AF42"),
            (38, "AF43"),
            (40, "CS5"),
            (44, "VA"),
            (46, "EF"),
            (48, "CS6"),
            (56, "CS7"),
        ];
        let found = NAMES.iter().find(|(number, _)| *number == self.0);
        found.map(|(_, name)| *name)
    }
}
