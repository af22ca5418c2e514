//! flowtop among the engines that fleets run: collectors, Prometheus and VictoriaMetrics have of a run what it counted itself,
//! what is in `packaging` works on them, and so does what docs/fleet.md says. `make test-fleet` installs what is needed and
//! runs this.

mod support;

#[path = "fleet/collectors.rs"]
mod collectors;
#[path = "fleet/databases.rs"]
mod databases;
#[path = "fleet/files.rs"]
mod files;
#[path = "fleet/hosts.rs"]
mod hosts;
#[path = "fleet/scraped.rs"]
mod scraped;
#[path = "fleet/sizes.rs"]
mod sizes;
#[path = "fleet/traffic.rs"]
mod traffic;
