//! What there is on a machine beside us: for `flowtop doctor`, and for finding out what hooks a kernel has.
//!
//! Only looks, except for filters of ours that killed runs left behind.

pub mod chain;
pub mod ethtool;
