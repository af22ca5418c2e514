//! Flow records and the collectors that others use: what these have of a run is what the run itself counted. `make test-fleet`
//! installs them and runs this.

mod support;

#[path = "fleet/collectors.rs"]
mod collectors;
