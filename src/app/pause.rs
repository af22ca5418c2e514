//! What a paused screen shows: the state at the moment of the pause.

use std::sync::Arc;

use super::journal::Journal;
use crate::model::alert::Alerts;
use crate::model::event::{EventLog, TimeOfDay};
use crate::model::tracker::Report;

/// Report, events and alerts at the moment of the pause.
#[derive(Debug, Clone)]
pub struct Paused {
    report: Arc<Report>,
    log: EventLog,
    alerts: Alerts,
    since: TimeOfDay,
}

impl Paused {
    /// A copy of the present state.
    pub(super) fn new(live: &Report, journal: &Journal) -> Paused {
        Paused {
            report: Arc::new(live.clone()),
            log: journal.log().clone(),
            alerts: journal.alerts().clone(),
            since: journal.now(),
        }
    }

    /// The report of the pause.
    pub(super) fn report(&self) -> &Arc<Report> {
        &self.report
    }

    /// The events until the pause.
    pub(super) fn log(&self) -> &EventLog {
        &self.log
    }

    /// The alerts of the pause.
    pub(super) fn alerts(&self) -> &Alerts {
        &self.alerts
    }

    /// Local time of the pause.
    pub fn since(&self) -> TimeOfDay {
        self.since
    }
}
