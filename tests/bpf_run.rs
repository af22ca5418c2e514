//! The kernel program, run on single frames by BPF_PROG_TEST_RUN, against the independent reference model.
//!
//! Every frame goes to both. Afterwards each flow's packets, bytes, payload bytes, arrivals and sequence
//! numbers, and each interface's totals by reason, must be the same to the last digit.

mod reference;
mod support;

#[path = "bpf_run/arrivals.rs"]
mod arrivals;
#[path = "bpf_run/conservation.rs"]
mod conservation;
#[path = "bpf_run/contended.rs"]
mod contended;
#[path = "bpf_run/duel.rs"]
mod duel;
#[path = "bpf_run/generated.rs"]
mod generated;
#[path = "bpf_run/groups.rs"]
mod groups;
#[path = "bpf_run/in_force.rs"]
mod in_force;
#[path = "bpf_run/in_process.rs"]
mod in_process;
#[path = "bpf_run/listed.rs"]
mod listed;
#[path = "bpf_run/owners.rs"]
mod owners;
#[path = "bpf_run/readmitted.rs"]
mod readmitted;
#[path = "bpf_run/room.rs"]
mod room;
#[path = "bpf_run/settled.rs"]
mod settled;
#[path = "bpf_run/truncated.rs"]
mod truncated;
#[path = "bpf_run/tunnels.rs"]
mod tunnels;
#[path = "bpf_run/wire.rs"]
mod wire;
