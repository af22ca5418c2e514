//! flowtop: the quality of network flows, live in a terminal.

#![deny(unsafe_code)]

pub mod ahead;
pub mod app;
pub mod capture;
pub mod cli;
pub mod config;
pub mod demo;
pub mod export;
pub mod keymap;
pub mod model;
pub mod netlink;
pub mod netns;
pub mod probe;
pub mod recording;
pub mod runtime;
pub mod terminal;
pub mod ui;
