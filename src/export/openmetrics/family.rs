//! What a family of metrics is.

use super::{Page, Service};
use crate::model::ipfix::ExportCounts;
use crate::model::metrics::{FlowSeries, InterfaceSeries, RuleFigures, RuleSeries, Spread};
use crate::model::snapshot::Volume;

/// A value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Number {
    /// A count.
    Whole(u64),
    /// A time, s.
    Seconds(f64),
}

/// How the values of a family behave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only grows, but for resets. Samples end with `_total`.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Quantiles of what is now, without sum and count.
    Summary,
    /// Says something in its labels; the value is 1. Samples end with `_info`.
    Info,
}

impl Kind {
    /// The name in documents, and in OpenMetrics.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Summary => "summary",
            Kind::Info => "info",
        }
    }

    /// What names of samples end with.
    pub const fn suffix(self) -> &'static str {
        match self {
            Kind::Counter => "_total",
            Kind::Info => "_info",
            Kind::Gauge | Kind::Summary => "",
        }
    }
}

/// A row of the table.
pub struct Family {
    /// The name, without what its samples end with.
    pub name: &'static str,
    /// How its values behave.
    pub kind: Kind,
    /// The labels that samples have, in their order.
    pub labels: &'static [&'static str],
    /// What it says.
    pub help: &'static str,
    /// Where the values come from.
    pub(super) samples: Samples,
}

impl Family {
    /// The unit that the name ends with, if it does.
    pub fn unit(&self) -> Option<&'static str> {
        let is_unit = |unit: &&str| {
            let rest = self.name.strip_suffix(*unit);
            rest.is_some_and(|rest| rest.ends_with('_'))
        };
        ["bytes", "seconds"].into_iter().find(is_unit)
    }

    /// Whether it has a sample for each flow that has series of its own.
    pub fn is_of_flows(&self) -> bool {
        matches!(self.samples, Samples::Flow(_))
    }
}

/// What a family has samples of, and the value of each; `None`: not known.
pub(super) enum Samples {
    One(fn(&Page, &Service) -> Option<Number>),
    /// How the export of flow records goes.
    Export(fn(&ExportCounts) -> u64),
    Interface(fn(&InterfaceSeries) -> Option<u64>),
    Malformed(fn(&Volume) -> u64),
    Rule(fn(&RuleSeries) -> u64),
    Spread(fn(&RuleFigures) -> Option<Spread>),
    Alerts,
    Flow(fn(&FlowSeries) -> Option<Number>),
    /// How many samples all of those have.
    SeriesOfFlows,
    Build,
    Refused,
}
