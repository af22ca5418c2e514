//! The tables of flows: one for each view that lists flows or groups of them.

use super::View;
use super::table::Table;
use crate::model::column::Sort;
use crate::model::flow::FlowKey;
use crate::model::tracker::Flow;

/// A table for each view of flows; they share everything else.
#[derive(Debug)]
pub struct FlowTables {
    flows: Table<FlowKey, Flow>,
    losses: Table<FlowKey, Flow>,
    /// Those that are in groups; nobody sees them in this order.
    grouped: Table<FlowKey, Flow>,
}

impl FlowTables {
    /// Empty ones; the Flows view will be in this order.
    pub(super) fn new(sort: Sort) -> FlowTables {
        FlowTables {
            flows: Table::new(sort),
            losses: Table::new(Sort::parse("-loss_percent").unwrap_or(sort)),
            grouped: Table::new(Sort::default()),
        }
    }

    /// That of this view; of views without flows, that of the Flows view.
    pub(super) fn of(&self, view: View) -> &Table<FlowKey, Flow> {
        match view {
            View::Loss => &self.losses,
            View::Groups => &self.grouped,
            _ => &self.flows,
        }
    }

    /// The same, to be changed.
    pub(super) fn of_mut(&mut self, view: View) -> &mut Table<FlowKey, Flow> {
        match view {
            View::Loss => &mut self.losses,
            View::Groups => &mut self.grouped,
            _ => &mut self.flows,
        }
    }
}
