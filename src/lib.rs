//! flowtop: the quality of network flows, live in a terminal.

#![deny(unsafe_code)]

pub mod demo;
pub mod model;
pub mod netlink;
pub mod netns;
pub mod probe;
