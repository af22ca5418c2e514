//! Which rows there are and in which order: filter, sort, pinned rows first.
//!
//! Runs at each refresh over all flows, so it allocates nothing per flow.

use super::App;
use crate::model::column::{Context, Width};
use crate::model::tracker::Report;

/// Where all addresses are IPv4, no endpoint is wider: `255.255.255.255:65535`.
const IPV4_ENDPOINT: u16 = 21;

impl App {
    /// Arranges the rows of the present view for this report.
    pub(super) fn arrange(&mut self, shown: &Report) {
        self.interface_count = shown.interfaces.len();
        let page = self.screen().map_or(1, |screen| screen.page());
        self.arrange_flows(shown, page);
        self.arrange_interfaces(shown, page);
        let any_v6 = self.names.is_some() || shown.flows.iter().any(|f| f.key.source.is_ipv6());
        self.endpoint_width = if any_v6 {
            Width::ENDPOINT_MAX
        } else {
            IPV4_ENDPOINT
        };
    }

    fn arrange_flows(&mut self, shown: &Report, page: usize) {
        let names = self.names.take();
        let context = Context {
            unit: self.preferences.unit,
            now_ns: shown.taken_ns,
            names: names.as_ref(),
        };
        let table = self.flow_table_mut();
        let mut rows = table.take_rows();
        rows.clear();
        rows.extend(0..u32::try_from(shown.flows.len()).unwrap_or(u32::MAX));
        let hidden = shown.flows.len() - rows.len();
        table
            .sort
            .apply(&mut rows, &shown.flows, &context, |flow| flow.key);
        table.set_rows(rows, page, |row| shown.flows[row as usize].key);
        self.hidden = hidden;
        self.names = names;
    }

    fn arrange_interfaces(&mut self, shown: &Report, page: usize) {
        let context = self.context(shown);
        let mut rows: Vec<u32> = (0..shown.interfaces.len() as u32).collect();
        let sort = self.interfaces.sort;
        sort.apply(&mut rows, &shown.interfaces, &context, |i| i.ifindex);
        let key = |row: u32| shown.interfaces[row as usize].ifindex;
        self.interfaces.set_rows(rows, page, key);
    }
}
