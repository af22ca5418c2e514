//! Columns that belong together: an object within a flow's in JSON.

use crate::model::counts::Counts;

/// Cells that are there together or not at all: null where the flow has none of them.
#[derive(Debug)]
pub struct Part {
    /// The object's name.
    pub name: &'static str,
    /// Whether there are any.
    pub is_known: fn(&Counts) -> bool,
    /// Columns, in order.
    pub cells: &'static [&'static str],
}
