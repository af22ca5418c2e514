//! The past, as a dashboard goes through it: a thread of its own reads, decodes and counts, and hands over moments, so that
//! nobody else waits for the disk.

mod course;
mod goal;
mod keeper;
mod memory;
mod player;
mod requests;
mod source;
pub mod visit;
mod words;

pub use keeper::{Keeper, Keeping};
pub use player::{Begin, Player};
pub use requests::play;
pub use source::Source;

use std::time::Duration;

use crate::config::Config;
use crate::model::tracker::Series;

/// A minute, ns.
const MINUTE_NS: i64 = 60_000_000_000;

/// What a moment needs before it at least, and what a live dashboard keeps, ns.
const LEAD_NS: i64 = 600_000_000_000;

/// The configuration that a recording says was in force; the default one where it says nothing, or what is not known here, as a
/// newer flowtop may.
pub fn recorded_config(text: Option<&str>) -> Config {
    let loaded = text.map(|text| Config::load(text, "the recording's configuration"));
    loaded.and_then(Result::ok).unwrap_or_default()
}

/// What a moment of a run with these settings needs before it, so that its windows, what is the matter with flows, and alerts are
/// those of the run, ns.
pub fn lead_ns(config: &Config) -> i64 {
    let longest = config.alerts.iter().map(|alert| alert.at_least_s);
    let spans = [
        config.jitter_window(),
        config
            .throughput_interval
            .saturating_mul(Series::CAPACITY as u32),
        Duration::from_secs_f64(longest.fold(0.0, f64::max)),
    ];
    let ns = spans.map(|span| i64::try_from(span.as_nanos()).unwrap_or(i64::MAX));
    ns.into_iter().fold(LEAD_NS, i64::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_needs_what_its_windows_troubles_and_alerts_look_back() {
        let lead_s = |text: &str| {
            let config = Config::load(text, "a test").expect("a configuration");
            lead_ns(&config) / 1_000_000_000
        };
        assert_eq!(lead_s("{}"), 600);
        assert_eq!(lead_s(r#"{"THROUGHPUT_INTERVAL": 60}"#), 3600);
        assert_eq!(lead_s(r#"{"JITTER_INTERVAL": 900}"#), 900);
        let alert = r#"{"ALERTS": [{"column": "loss_percent", "above": 1, "for": 1800}]}"#;
        assert_eq!(lead_s(alert), 1800);
    }
}
