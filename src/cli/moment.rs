//! Moments as people write them: a date and a time of the day, with or without a zone, or how long ago.

use std::time::Duration;

use jiff::civil::{DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::config::interval::{self, Limits};

/// A moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// At this time by the clocks of this place.
    Local(DateTime),
    /// The latest time that these clocks showed this.
    Daily(Time),
    /// At this very moment.
    Exact(Timestamp),
    /// So long ago.
    Ago(Duration),
}

impl Moment {
    /// The moment that is written so; the error says what would be right.
    pub fn parse(text: &str) -> Result<Moment, String> {
        if let Some(ago) = text.strip_prefix('-') {
            return interval::read(ago, Limits::RUN).map(Moment::Ago);
        }
        let exact = || text.parse().ok().map(Moment::Exact);
        let local = || text.parse().ok().map(Moment::Local);
        let daily = || text.parse().ok().map(Moment::Daily);
        exact().or_else(local).or_else(daily).ok_or_else(|| {
            "expected a time such as '2026-11-25 03:10', 03:10 or 2026-11-25T02:10:00Z, or how long ago, such as -2h"
                .to_owned()
        })
    }

    /// When that is, seen from `now`; the error says why it never was.
    pub fn at(self, now: Timestamp) -> Result<Timestamp, String> {
        let zone = TimeZone::system();
        let never = |error: jiff::Error| format!("command line: there is no such time: {error}");
        match self {
            Moment::Exact(moment) => Ok(moment),
            Moment::Local(local) => zone.to_timestamp(local).map_err(never),
            Moment::Ago(ago) => {
                let ago = SignedDuration::try_from(ago).map_err(never)?;
                now.checked_sub(ago).map_err(never)
            }
            Moment::Daily(time) => {
                let today = zone.to_datetime(now).date();
                let moment = zone.to_timestamp(today.to_datetime(time)).map_err(never)?;
                match moment <= now {
                    true => Ok(moment),
                    false => {
                        let yesterday = today.yesterday().map_err(never)?;
                        zone.to_timestamp(yesterday.to_datetime(time))
                            .map_err(never)
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_a_date_a_time_of_the_day_or_some_time_ago() {
        let now: Timestamp = "2026-11-25T12:00:00Z".parse().expect("a time");
        let at = |text: &str| Moment::parse(text).and_then(|moment| moment.at(now));
        let is = |text: &str, exact: &str| {
            assert_eq!(at(text), Ok(exact.parse().expect("a time")), "{text}");
        };
        is("-2h", "2026-11-25T10:00:00Z");
        is("-90", "2026-11-25T11:58:30Z");
        is("2026-11-25T03:10:00Z", "2026-11-25T03:10:00Z");
        is("2026-11-25T03:10:00+01:00", "2026-11-25T02:10:00Z");
        let local: DateTime = "2026-11-25T03:10".parse().expect("a time");
        let expected = TimeZone::system().to_timestamp(local).expect("it was");
        assert_eq!(at("2026-11-25 03:10"), Ok(expected));
        // The one of yesterday, where it is not that late yet.
        let daily = at("23:59").expect("a time");
        assert!(daily <= now && now.duration_since(daily).as_hours() < 24);
        for wrong in ["", "-", "-2x", "25.11.", "soon", "2026-13-01 00:00"] {
            assert!(Moment::parse(wrong).is_err(), "{wrong}");
        }
    }
}
