//! How wide endpoints are: columns of addresses get no more room than that.

use crate::model::column::{Column, Context, Width, by_id};
use crate::model::tracker::{Flow, Report};

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

    /// Begins a pass over this report. Returns since when, ns, flows have not been measured; `None` where none of them is wider.
    pub fn begin(&mut self, shown: &Report) -> Option<u64> {
        let measured_ns = std::mem::replace(&mut self.measured_ns, shown.taken_ns);
        let since_ns = match measured_ns > shown.taken_ns {
            true => 0,
            false => measured_ns,
        };
        let newest_ns = shown.newest_ipv6_ns;
        let has_new = newest_ns.is_none_or(|newest_ns| newest_ns >= since_ns);
        (has_new && self.cells < Width::ENDPOINT_MAX).then_some(since_ns)
    }

    /// Never narrows: columns would jump with each flow that comes and goes.
    pub fn measure(&mut self, flow: &Flow) {
        if flow.key.source.is_ipv4() {
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
