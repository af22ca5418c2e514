//! A run that plays a capture: the time of its packets, its pace, and its readings one by one.

use jiff::Timestamp;

use super::Session;
use crate::model::snapshot::Snapshot;
use crate::runtime::happening::Happening;
use crate::runtime::updates::Update;

impl Session {
    /// Whether packets come from a capture.
    pub fn is_capture(&self) -> bool {
        self.arguments.read.is_some()
    }

    /// The time of what is shown: when the tracker last took something in, by the clock of a capture's packets where there is one.
    pub fn time(&self) -> Timestamp {
        let capture = self.tracker.report().capture;
        let time_ns = capture.map_or(self.time_ns.into(), |capture| capture.wall_ns);
        Timestamp::from_nanosecond(time_ns).unwrap_or_default()
    }

    /// How long a capture has been played, in packet time.
    pub fn packet_seconds(&self) -> Option<f64> {
        let report = self.tracker.report();
        let played_ns = report.taken_ns.saturating_sub(self.sampler.began_ns);
        report.capture.map(|_| played_ns as f64 / 1e9)
    }

    /// What is to be handled now; `has_read`: a reading was.
    pub(super) fn next_update(&mut self, has_read: bool) -> Option<Update> {
        if self.is_capture() && (has_read || self.holds_intervals) {
            let is_urgent = |update: &Update| matches!(update, Update::End { .. });
            let at = self.received.iter().position(is_urgent)?;
            return self.received.remove(at);
        }
        // An interval that is over ends before totals start at zero.
        let is_zero = matches!(self.received.front(), Some(Update::Zero));
        let ends_one = self.intervals_over() > 0 && !self.is_last_interval();
        if is_zero && ends_one && !self.holds_intervals {
            return None;
        }
        self.received.pop_front()
    }

    /// There is nothing more to play: on a screen the last interval is over before its time.
    pub(super) fn play_to_the_end(
        &mut self,
        last: Option<Box<Snapshot>>,
        happenings: &mut Vec<Happening>,
    ) {
        if !self.is_headless() {
            let closes = last.is_some() && self.waiting.is_none();
            self.count(last, closes.into());
            if !closes {
                self.tracker.close_interval();
            }
            happenings.push(Happening::IntervalClosed(1));
        }
        happenings.push(Happening::Played);
    }
}
