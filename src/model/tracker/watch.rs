//! What only some flows have beside their figures: in a box, so that all others pay nothing for it.

use super::Trouble;
use super::ip_past::IpPast;
use crate::model::counts::IpMetrics;

/// What is the matter with a flow, and the past of what is optional.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Watch {
    trouble: Option<Trouble>,
    ip: Option<IpPast>,
}

/// Of a flow; there is none where it would be empty.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Watched(Option<Box<Watch>>);

impl Watched {
    /// What is the matter with the flow.
    pub(super) fn trouble(&self) -> Option<&Trouble> {
        self.0.as_ref()?.trouble.as_ref()
    }

    /// What the flow's IP headers said, where that is counted.
    pub(super) fn ip(&self) -> Option<&IpPast> {
        self.0.as_ref()?.ip.as_ref()
    }

    /// Says what is the matter with the flow now.
    pub(super) fn set_trouble(&mut self, trouble: Option<Trouble>) {
        if trouble.is_some() {
            self.0.get_or_insert_default().trouble = trouble;
        } else if let Some(watch) = &mut self.0 {
            watch.trouble = None;
            if watch.ip.is_none() {
                self.0 = None;
            }
        }
    }

    /// Appends what the IP headers of an interval with packets said. Whether the past has to be looked at.
    pub(super) fn record_ip(&mut self, now: &IpMetrics) -> bool {
        self.its_ip().record(now)
    }

    /// Intervals begin here; this is what the flow's IP headers have said before, if that is counted.
    pub(super) fn begin_at(&mut self, counted: Option<&IpMetrics>) {
        if let Some(counted) = counted {
            self.its_ip().begin_at(counted);
        }
    }

    /// All totals are about to be set to zero; this is what the flow's IP headers have said, if that is counted.
    pub(super) fn begin_at_zero(&mut self, counted: Option<&IpMetrics>) {
        if let Some(counted) = counted {
            self.its_ip().begin_at_zero(counted);
        }
    }

    fn its_ip(&mut self) -> &mut IpPast {
        let watch = self.0.get_or_insert_default();
        watch.ip.get_or_insert_default()
    }
}
