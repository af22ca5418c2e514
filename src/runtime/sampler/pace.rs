//! When it is time for what comes in a capture.

use std::time::{Duration, Instant};

use crate::model::capture::Pace;

/// The pace, and the moment from which it is so.
#[derive(Debug)]
pub struct Clock {
    pace: Pace,
    /// A moment, and the time of the packets then, ns.
    anchor: (Instant, u64),
}

impl Clock {
    /// At this pace.
    pub fn new(pace: Pace) -> Clock {
        Clock {
            pace,
            anchor: (Instant::now(), 0),
        }
    }

    /// At this pace from now on, with the packets at `ns`.
    pub fn set(&mut self, pace: Pace, ns: u64) {
        self.pace = pace;
        self.anchor = (Instant::now(), ns);
    }

    /// The pace.
    pub fn pace(&self) -> Pace {
        self.pace
    }

    /// The time of the packets, no later than `latest_ns`; `None`: it is that of whatever comes.
    pub fn now_ns(&self, latest_ns: u64) -> Option<u64> {
        let (since, from_ns) = self.anchor;
        match (self.pace.is_held, self.pace.speed) {
            (true, _) => Some(from_ns),
            (false, None) => None,
            (false, Some(times)) => {
                let passed_ns = since.elapsed().as_nanos() as u64;
                let now_ns = from_ns.saturating_add(passed_ns.saturating_mul(times.into()));
                Some(now_ns.min(latest_ns))
            }
        }
    }

    /// How long until it is time for what comes at `ns`; `None`: until somebody says so.
    pub fn patience(&self, ns: u64) -> Option<Duration> {
        match (self.pace.is_held, self.pace.speed) {
            (true, _) => None,
            (false, None) => Some(Duration::ZERO),
            (false, Some(times)) => {
                let (since, from_ns) = self.anchor;
                let ns = ns.saturating_sub(from_ns) / u64::from(times);
                Some(Duration::from_nanos(ns).saturating_sub(since.elapsed()))
            }
        }
    }
}
