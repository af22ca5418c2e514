//! flowtop: the quality of network flows, live in a terminal.

#![deny(unsafe_code)]

pub mod app;
pub mod keymap;
pub mod model;
pub mod terminal;
pub mod ui;
