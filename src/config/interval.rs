//! Durations as people write them: seconds, fractions allowed, or with units: `1m30s`.
//!
//! Owns the limits of every such setting, so that file and command line agree.

use std::time::Duration;

const DAY: f64 = 86_400.0;

/// From the shortest to the longest time that a setting takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// Shortest time, s; 0 means: anything above zero.
    pub shortest: f64,
    /// Longest time, s.
    pub longest: f64,
}

impl Limits {
    /// The throughput interval.
    pub const THROUGHPUT: Limits = Limits::new(0.1, DAY);
    /// The jitter window.
    pub const JITTER: Limits = Limits::new(0.0, DAY);
    /// The time after which an idle flow is aged out.
    pub const FLOW_TIMEOUT: Limits = Limits::new(0.1, 7.0 * DAY);
    /// How long trouble must last before it is an alert.
    pub const ALERT: Limits = Limits::new(0.0, DAY);
    /// The time between two flow records.
    pub const EXPORT: Limits = Limits::new(0.1, DAY);
    /// The length of a run.
    pub const RUN: Limits = Limits::new(0.0, 3650.0 * DAY);

    const fn new(shortest: f64, longest: f64) -> Limits {
        Limits { shortest, longest }
    }
}

/// Units of time, from the longest, in s.
const UNITS: [(&str, f64); 5] = [
    ("d", DAY),
    ("h", 3600.0),
    ("m", 60.0),
    ("s", 1.0),
    ("ms", 1e-3),
];

/// Reads seconds such as `0.5`, or a time such as `1m30s`; the error says what would be right.
pub fn read(text: &str, limits: Limits) -> Result<Duration, String> {
    let plain = text.parse().ok();
    let seconds: f64 = plain.or_else(|| seconds_of(text)).ok_or_else(|| {
        "expected a number of seconds such as 0.5, or a time such as 1m30s or 2h".to_string()
    })?;
    if !seconds.is_finite() {
        return Err("expected a finite number of seconds".into());
    }
    if seconds < limits.shortest {
        return Err(format!("must be at least {} s", limits.shortest));
    }
    if seconds > limits.longest {
        return Err(format!("must be at most {} s", limits.longest));
    }
    match Duration::try_from_secs_f64(seconds) {
        Ok(duration) if !duration.is_zero() => Ok(duration),
        _ => Err("must be more than 0 s".into()),
    }
}

/// The seconds of numbers with units, the longest first and each once.
fn seconds_of(text: &str) -> Option<f64> {
    let is_digit = |c: char| c.is_ascii_digit() || c == '.';
    let (mut rest, mut seconds) = (text, 0.0);
    let mut units = UNITS.iter();
    while !rest.is_empty() {
        let (number, behind) = rest.split_at(rest.find(|c| !is_digit(c))?);
        let (unit, behind) = behind.split_at(behind.find(is_digit).unwrap_or(behind.len()));
        let (_, length) = units.find(|(known, _)| *known == unit)?;
        seconds += number.parse::<f64>().ok()? * length;
        rest = behind;
    }
    Some(seconds)
}
