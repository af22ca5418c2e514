//! A moment that the screen shows in place of the present: that of a pause, or one of the past.

use std::sync::Arc;

use super::journal::Journal;
use crate::model::alert::Alerts;
use crate::model::event::{EventLog, TimeOfDay};
use crate::model::past::Place;
use crate::model::tracker::Report;

/// Report, events and alerts of a moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Moment {
    report: Arc<Report>,
    log: EventLog,
    alerts: Alerts,
    at: TimeOfDay,
    place: Option<Place>,
}

impl Moment {
    /// A copy of the present state.
    pub(super) fn now(live: &Report, journal: &Journal) -> Moment {
        Moment {
            report: Arc::new(live.clone()),
            log: journal.log().clone(),
            alerts: journal.alerts().clone(),
            at: journal.now(),
            place: None,
        }
    }

    /// The state at a place in the past.
    pub fn past(report: &Report, journal: &Journal, place: Place) -> Moment {
        Moment {
            place: Some(place),
            ..Moment::now(report, journal)
        }
    }

    /// Its report.
    pub(super) fn report(&self) -> &Arc<Report> {
        &self.report
    }

    /// The events until then.
    pub(super) fn log(&self) -> &EventLog {
        &self.log
    }

    /// The alerts of then.
    pub(super) fn alerts(&self) -> &Alerts {
        &self.alerts
    }

    /// Its local time.
    pub fn at(&self) -> TimeOfDay {
        self.at
    }

    /// Where in the past it is; `None`: it is that of a pause.
    pub fn place(&self) -> Option<&Place> {
        self.place.as_ref()
    }
}
