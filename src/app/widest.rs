//! How wide endpoints are: columns of addresses get no more room than that.

use crate::model::column::{Column, Context, Width, by_id};
use crate::model::tracker::Flow;

/// The widest endpoint with an IPv4 address: `255.255.255.255:65535`.
const IPV4_ENDPOINT: u16 = 21;

/// The width of the widest endpoint so far.
#[derive(Debug)]
pub(super) struct WidestEndpoint {
    /// In cells.
    pub cells: u16,
    /// Flows first seen before this have been measured, ns.
    measured_ns: u64,
}

impl WidestEndpoint {
    /// Before any flow.
    pub const IPV4: WidestEndpoint = WidestEndpoint {
        cells: IPV4_ENDPOINT,
        measured_ns: 0,
    };

    /// Begins a pass over a report of this time; returns since when flows have not been measured.
    pub fn begin(&mut self, taken_ns: u64) -> u64 {
        let measured_ns = std::mem::replace(&mut self.measured_ns, taken_ns);
        match measured_ns > taken_ns {
            true => 0,
            false => measured_ns,
        }
    }

    /// Never narrows: columns would jump with each flow that comes and goes.
    pub fn measure(&mut self, flow: &Flow) {
        if self.cells >= Width::ENDPOINT_MAX || flow.key.source.is_ipv4() {
            return;
        }
        let context = Context::default();
        let text = |column: &Column| column.value(flow, &context).text(&context);
        for column in ["source", "destination"].into_iter().filter_map(by_id) {
            let cells = text(column).chars().count() as u16;
            self.cells = self.cells.max(cells);
        }
    }
}
