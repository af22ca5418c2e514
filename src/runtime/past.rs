//! The past, as a dashboard goes through it: a thread of its own reads, decodes and counts, and hands over moments, so that
//! nobody else waits for the disk.

mod course;
mod goal;
mod keeper;
mod memory;
mod player;
mod requests;
mod source;
pub mod visit;
mod words;

pub use keeper::{Keeper, Keeping};
pub use player::{Begin, Player};
pub use requests::play;
pub use source::Source;

/// A minute, ns.
const MINUTE_NS: i64 = 60_000_000_000;

/// What a moment needs before it, so that its windows, histories and alerts are those of the run, ns.
pub const LEAD_NS: i64 = 600_000_000_000;
