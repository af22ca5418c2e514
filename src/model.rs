//! What flowtop knows about flows, as pure data and pure functions.
//!
//! No I/O, no clock, no terminal, no libbpf: everything here is a function of what is handed in,
//! so that each number can be tested against the definitions in docs/numbers.md.

pub mod alert;
pub mod appearance;
pub mod capture;
pub mod check;
pub mod column;
pub mod counts;
pub mod doubt;
pub mod event;
pub mod flow;
pub mod flow_groups;
pub mod glob;
pub mod groups;
pub mod harmless;
pub mod histogram;
pub mod ipfix;
pub mod metrics;
pub mod observer;
pub mod past;
pub mod preferences;
pub mod privileges;
pub mod query;
pub mod rule;
pub mod service;
pub mod similar;
pub mod snapshot;
pub mod summary;
pub mod top;
pub mod tracker;
pub mod units;
pub mod wrap;

#[cfg(test)]
#[path = "model/random_tests.rs"]
mod random;
