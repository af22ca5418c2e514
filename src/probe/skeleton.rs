//! What libbpf-cargo generates from src/bpf.
#![allow(
    unsafe_code,
    missing_docs,
    clippy::all,
    clippy::too_many_lines,
    clippy::unwrap_used,
    clippy::undocumented_unsafe_blocks
)]
include!(concat!(env!("OUT_DIR"), "/flowtop.skel.rs"));
