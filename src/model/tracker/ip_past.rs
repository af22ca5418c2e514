//! What the IP headers of a flow said in its latest intervals, where the group `ip` is counted: the path that it takes,
//! and how many packets were marked as having met congestion.

use super::Series;
use super::trouble::{IN_A_ROW, LEAST_PAST, NEW_PAST};
use crate::model::counts::{CounterSet, IpMetrics};

/// The latest intervals in which packets came.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct IpPast {
    /// Packets that were marked (CE) in each.
    pub marked: Series,
    /// All that was counted when the interval began.
    then: IpMetrics,
    /// The hop limit that it had for long.
    usual_ttl: Option<u8>,
    /// Intervals in a row in which the hop limit stayed, and in which it changed.
    steady: usize,
    restless: usize,
}

impl IpPast {
    /// Appends an interval, at whose end this was counted. Whether the past has to be looked at.
    pub fn record(&mut self, now: &IpMetrics) -> bool {
        let came = now.since(&self.then);
        self.then = *now;
        self.marked.push(Some(came.ce as f64));
        (self.steady, self.restless) = match came.ttl_changes {
            0 => (self.steady + 1, 0),
            _ => (0, self.restless + 1),
        };
        let is_known = self.usual_ttl.is_some();
        if self.steady >= if is_known { NEW_PAST } else { LEAST_PAST } {
            self.usual_ttl = now.ttl;
        } else if self.restless >= IN_A_ROW {
            // Packets take several ways: none is usual.
            self.usual_ttl = None;
        }
        came.ce > 0 || self.change_of_path().is_some()
    }

    /// The hop limits that it had for long and has now, where these are not the same.
    pub fn change_of_path(&self) -> Option<(u8, u8)> {
        let (usual, now) = (self.usual_ttl?, self.then.ttl?);
        (usual != now).then_some((usual, now))
    }

    /// Nothing of what was counted up to now came in an interval.
    pub fn begin_at(&mut self, now: &IpMetrics) {
        self.then = *now;
    }

    /// All totals are about to be set to zero, and are these now: what came in this interval stays in it.
    pub fn begin_at_zero(&mut self, now: &IpMetrics) {
        self.then = self.then.since(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_before_a_reset_are_of_their_interval() {
        let marked = |ce| IpMetrics {
            ce,
            ttl: Some(64),
            ..IpMetrics::default()
        };
        let mut past = IpPast::default();
        past.record(&marked(7));
        past.begin_at_zero(&marked(10));
        assert!(past.record(&marked(2)));
        assert_eq!(past.marked.latest(), Some(5.0));
        assert!(!past.record(&marked(2)));
    }
}
