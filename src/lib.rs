//! flowtop: the quality of network flows, live in a terminal.

#![deny(unsafe_code)]

pub mod keymap;
pub mod model;
