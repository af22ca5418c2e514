//! Figures of an interval and of the jitter window, which may not be known.

use crate::model::counts::Metered;

/// Rates over the latest throughput interval.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Rates {
    /// Wire bytes per second.
    pub throughput: f64,
    /// Payload bytes per second.
    pub goodput: f64,
    /// Packets per second.
    pub packet_rate: f64,
}

impl Rates {
    /// Of what came within so many seconds.
    pub(super) fn of(came: &Metered, seconds: f64) -> Rates {
        Rates {
            throughput: float(came.bytes) / seconds,
            goodput: float(came.payload_bytes) / seconds,
            packet_rate: float(came.packets) / seconds,
        }
    }
}

impl std::ops::AddAssign for Rates {
    fn add_assign(&mut self, other: Rates) {
        self.throughput += other.throughput;
        self.goodput += other.goodput;
        self.packet_rate += other.packet_rate;
    }
}

/// A figure that may not be known, in one word: there may be a million flows.
#[derive(Debug, Clone, Copy)]
struct Figure(f64);

impl Figure {
    const UNKNOWN: Figure = Figure(f64::NAN);

    fn of(value: Option<f64>) -> Figure {
        value.map_or(Figure::UNKNOWN, Figure)
    }

    fn known(self) -> Option<f64> {
        (!self.0.is_nan()).then_some(self.0)
    }
}

impl PartialEq for Figure {
    fn eq(&self, other: &Figure) -> bool {
        self.known() == other.known()
    }
}

/// Inter-arrival statistics over the jitter window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interarrival {
    mean_ms: Figure,
    jitter_ms: Figure,
    /// Number of gaps in the window.
    pub samples: u64,
}

impl Interarrival {
    /// Mean gap and sample standard deviation, ms, of so many gaps.
    pub fn new(mean_ms: Option<f64>, jitter_ms: Option<f64>, samples: u64) -> Interarrival {
        Interarrival {
            mean_ms: Figure::of(mean_ms),
            jitter_ms: Figure::of(jitter_ms),
            samples,
        }
    }

    /// Mean gap and jitter, ms; NaN for what is unknown.
    pub(super) fn mean_and_jitter(&self) -> [f64; 2] {
        [self.mean_ms.0, self.jitter_ms.0]
    }

    /// Mean gap, ms; unknown without a gap.
    pub fn mean_ms(&self) -> Option<f64> {
        self.mean_ms.known()
    }

    /// Sample standard deviation of the gaps, ms; unknown below two gaps.
    pub fn jitter_ms(&self) -> Option<f64> {
        self.jitter_ms.known()
    }
}

impl Default for Interarrival {
    fn default() -> Interarrival {
        Interarrival::new(None, None, 0)
    }
}

/// Loss of late, percent of what was sent, as [`loss_percent`] has it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RecentLoss {
    interval: Figure,
    window: Figure,
}

impl RecentLoss {
    /// Of the latest interval, and of the jitter window.
    pub fn new(interval: Option<f64>, window: Option<f64>) -> RecentLoss {
        RecentLoss {
            interval: Figure::of(interval),
            window: Figure::of(window),
        }
    }

    /// Over the latest throughput interval; unknown where no number came or went missing in it.
    pub fn interval(&self) -> Option<f64> {
        self.interval.known()
    }

    /// The same over the jitter window.
    pub fn window(&self) -> Option<f64> {
        self.window.known()
    }
}

impl Default for RecentLoss {
    fn default() -> RecentLoss {
        RecentLoss::new(None, None)
    }
}

/// What a count that may go down has gained: more numbers may have come late than went missing.
pub fn gained(difference: i64) -> u64 {
    difference.max(0) as u64
}

/// Share of what is missing in what was sent, percent: 100 * lost / (lost + arrived). Unknown where nothing was sent.
pub fn loss_percent(lost: u64, arrived: u64) -> Option<f64> {
    match (lost, arrived) {
        (0, 0) => None,
        (0, _) => Some(0.0),
        _ => Some(100.0 * float(lost) / float(lost + arrived)),
    }
}

/// A count, which never has 64 bits: a processor turns a signed number into a float by one instruction.
pub fn float(count: u64) -> f64 {
    count as i64 as f64
}
