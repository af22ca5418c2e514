//! Metrics of what was recorded. Counters count what is gone through, and begin at zero where that begins: what scrapers make of
//! two of their values is what came between the two.

use std::net::SocketAddr;

use super::{Certificates, Metrics, Serving, listen_at};
use crate::cli::{Exit, Failure};
use crate::config::Config;
use crate::export::ConfigState;
use crate::export::openmetrics::Page;
use crate::model::alert::Alerts;
use crate::model::privileges::Privileges;
use crate::model::tracker::FlowTracker;
use crate::probe::privileges::confine::Identity;
use crate::runtime::updates::Outlet;
use crate::runtime::{rights, setup};

/// The thread that serves them, where somebody asked for it, and what it may still do.
pub fn serve(
    address: Option<SocketAddr>,
    identity: Option<Identity>,
    outlet: Outlet,
) -> Result<Option<(Metrics, Privileges)>, Failure> {
    let Some(address) = address else {
        return Ok(None);
    };
    let failed = |text| Failure::new(Exit::Failed, text);
    let serving = Serving {
        listener: Some(listen_at(address).map_err(failed)?),
        certificates: Certificates::none(),
        users: Vec::new(),
    };
    let started = Metrics::start(serving, outlet, rights::of_metrics(identity));
    let started = started.map_err(|error| failed(format!("serve metrics: {error:#}")))?;
    Ok(Some(started))
}

/// Counters begin at zero, and the flows are chosen that have series.
pub fn begin(tracker: &mut FlowTracker, config: &Config) {
    let (meter, report) = tracker.meter();
    meter.set(None, report);
    meter.set(Some(setup::bounds_of(config)), report);
    meter.choose(report);
}

/// Another configuration is in force.
pub fn configure(tracker: &mut FlowTracker, config: &Config) {
    let (meter, report) = tracker.meter();
    if meter.is_on() {
        meter.set(Some(setup::bounds_of(config)), report);
    }
}

/// An interval is over: chooses which flows have series.
pub fn choose(tracker: &mut FlowTracker) {
    let (meter, report) = tracker.meter();
    meter.choose(report);
}

/// What is served of this moment; `None`: nobody asked for it.
pub fn page(tracker: &mut FlowTracker, alerts: &Alerts) -> Option<Page> {
    let (meter, report) = tracker.meter();
    let state = ConfigState::default();
    Some(Page {
        exposition: meter.exposition(report, alerts)?,
        config_generation: state.generation,
        config_has_error: state.error.is_some(),
        ipfix: None,
        intervals_waiting: 0,
    })
}
