//! Moments for people, by the clocks of this place.

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

fn zoned(wall_ns: i64, zone: &TimeZone) -> Zoned {
    let time = Timestamp::from_nanosecond(wall_ns.into()).unwrap_or_default();
    time.to_zoned(zone.clone())
}

/// `2026-11-25` and `03:10:07`
pub fn day_and_time(wall_ns: i64, zone: &TimeZone) -> [String; 2] {
    let moment = zoned(wall_ns, zone);
    ["%F", "%T"].map(|format| moment.strftime(format).to_string())
}

/// Both ends of a span: without the day where it is the same one.
pub fn ends((from_ns, to_ns): (i64, i64), zone: &TimeZone) -> [String; 2] {
    let ends = [zoned(from_ns, zone), zoned(to_ns, zone)];
    let format = match ends[0].date() == ends[1].date() {
        true => "%H:%M",
        false => "%b %-d %H:%M",
    };
    ends.map(|end| end.strftime(format).to_string())
}
