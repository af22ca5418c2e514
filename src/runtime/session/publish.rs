//! What a run hands to whoever serves metrics, if anybody does.

use super::Session;
use crate::cli::{Arguments, Exit, Failure};
use crate::config::Config;
use crate::config::source::Surroundings;
use crate::export::openmetrics::Page;
use crate::model::alert::Alerts;
use crate::model::tracker::FlowTracker;
use crate::runtime::ipfix::Prepared;
use crate::runtime::kept::ToKeep;
use crate::runtime::launch::Outputs;
use crate::runtime::metrics::{Certificates, Serving, listen_at};
use crate::runtime::setup::{self, Timing};
use crate::runtime::sink::Destination;
use crate::runtime::updates::{Outlet, Update};

/// Where a run with these arguments and this configuration brings its numbers.
pub(super) fn outputs(
    arguments: &Arguments,
    config: &Config,
    surroundings: &Surroundings,
    outlet: &Outlet,
) -> Result<Outputs, Failure> {
    let listener = config.listen.map(listen_at).transpose();
    let certificates = Certificates::read(config.listen_tls.clone(), surroundings);
    let to_file = || Destination::of(&arguments.output);
    Ok(Outputs {
        records: setup::wants_headless(arguments).then(to_file),
        serving: Serving {
            listener: listener.map_err(|text| Failure::new(Exit::Failed, text))?,
            certificates: certificates.map_err(|text| Failure::new(Exit::Config, text))?,
            users: config.listen_users.clone(),
        },
        ipfix: match arguments.read {
            Some(_) => {
                say_what_is_not_done(config, outlet);
                None
            }
            None => Prepared::of(config)?,
        },
        to_keep: ToKeep::default(),
    })
}

/// Flow records are of the time of this machine, which that of a capture's packets is not, and a capture is a record already.
fn say_what_is_not_done(config: &Config, outlet: &Outlet) {
    let unsent = config.ipfix.is_some();
    let unsent = unsent.then_some("IPFIX: no flow records are sent of a capture");
    let unrecorded = config.record.is_some();
    let unrecorded =
        unrecorded.then_some("RECORD: a capture is not recorded, as it can be read again");
    for text in unsent.into_iter().chain(unrecorded) {
        outlet.send(Update::Notice(text.to_owned()));
    }
}

/// The tracker of a run that began to count at this moment.
pub(super) fn tracker(timing: Timing, began_ns: u64, config: &Config) -> FlowTracker {
    let mut tracker = FlowTracker::new(timing.intervals(), began_ns);
    let (meter, report) = tracker.meter();
    meter.set(setup::bounds(config), report);
    tracker
}

impl Session {
    /// Serves metrics as the configuration in force says.
    pub(super) fn renew_metrics(&mut self) {
        let config = self.reload.config();
        self.metrics.admit(&config.listen_users);
        let surroundings = self.reload.surroundings();
        self.metrics
            .secure(config.listen_tls.as_ref(), surroundings);
        self.metrics.listen(config.listen);
        let (meter, report) = self.tracker.meter();
        meter.set(setup::bounds(config), report);
    }

    /// An interval is over: chooses which flows have series of their own.
    pub(super) fn choose_series(&mut self) {
        let (meter, report) = self.tracker.meter();
        meter.choose(report);
    }

    /// Hands over the latest numbers, about once a second. `alerts`: thresholds, where they are not the session's own.
    pub fn publish(&mut self, alerts: Option<&Alerts>) {
        let (meter, report) = self.tracker.meter();
        if !meter.is_on() || !self.metrics.is_due(report.taken_ns) {
            return;
        }
        let state = self.reload.state();
        let exposition = meter.exposition(report, alerts.unwrap_or(&self.alerts));
        self.metrics.publish(Page {
            exposition: exposition.unwrap_or_default(),
            config_generation: state.generation,
            config_has_error: state.error.is_some(),
            ipfix: self.ipfix_counts(),
            intervals_waiting: self.intervals_waiting(),
        });
    }
}
