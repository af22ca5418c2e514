//! A flow record: what came of a flow since its last record.

use crate::model::counts::{Counts, GapSums};
use crate::model::flow::FlowKey;

/// Why a record was made: `flowEndReason` of the registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndReason {
    /// No packet for so long that the flow has left the table.
    Idle = 1,
    /// The flow goes on; the interval is over.
    Active = 2,
    /// The run has ended, or rules exclude the flow.
    Forced = 4,
    /// Another flow has taken its place in the table.
    NoRoom = 5,
}

/// What a record says. Counts are totals, which elements make differences of.
#[derive(Debug, Clone, Copy)]
pub struct FlowRecord<'a> {
    /// Whose it is.
    pub key: &'a FlowKey,
    /// Current name of the interface, where it is known.
    pub interface: Option<&'a str>,
    /// The rule that it matches, if there are rules.
    pub rule: Option<&'a str>,
    /// What was counted by now.
    pub now: &'a Counts,
    /// What was counted when the record before was made.
    pub then: &'a Counts,
    /// Gaps between arrivals since then.
    pub gaps: GapSums,
    /// The first packet of the flow, or the last one of the record before: ms since 1970.
    pub start_ms: u64,
    /// The latest packet, ms since 1970.
    pub end_ms: u64,
    /// Why it was made.
    pub reason: EndReason,
}
