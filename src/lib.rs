//! flowtop: the quality of network flows, live in a terminal.

#![deny(unsafe_code)]

pub mod demo;
pub mod model;
pub mod netlink;
pub mod netns;
/// The side that faces the kernel.
pub mod probe {
    pub mod interfaces;
}
