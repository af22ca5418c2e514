//! How numbers are written for people: three significant digits, SI prefixes, a unit beside them.
//!
//! Every function returns text of one fixed width for all usual values, so that digits and units
//! stay in their places from one refresh to the next. Rates use powers of 1000. One space is between number and unit.

use super::preferences::Unit;

const PREFIXES: [&str; 7] = ["", "k", "M", "G", "T", "P", "E"];

/// Drawn where a number is not known.
pub const UNKNOWN: &str = "-";

/// Three significant digits in up to four cells: `0`, `1.23`, `12.3`, `123`.
fn digits(value: f64) -> String {
    match value {
        0.0 => "0".to_owned(),
        v if v < 9.995 => format!("{v:.2}"),
        v if v < 99.95 => format!("{v:.1}"),
        v => format!("{v:.0}"),
    }
}

/// The value divided until its three digits are below 1000, and how often.
fn scaled(value: f64) -> (f64, usize) {
    let mut value = value.max(0.0);
    let mut power = 0;
    while value >= 999.5 && power + 1 < PREFIXES.len() {
        value /= 1000.0;
        power += 1;
    }
    (value, power)
}

/// In the width of four digits, a space, a prefix and the unit.
fn with_prefix(value: f64, unit: &str) -> String {
    let (value, power) = scaled(value);
    let text = format!("{} {}{unit}", digits(value), PREFIXES[power]);
    format!("{text:>width$}", width = 6 + unit.len())
}

/// A rate in bytes per second, in the unit that was asked for: `1.23 MB/s`, `  123 B/s`, `9.84 Mbit/s`.
pub fn rate(bytes_per_second: f64, unit: Unit) -> String {
    match unit {
        Unit::Bytes => with_prefix(bytes_per_second, "B/s"),
        Unit::Bits => with_prefix(bytes_per_second * 8.0, "bit/s"),
    }
}

/// The cells that [`rate`] takes.
pub const fn rate_width(unit: Unit) -> u16 {
    match unit {
        Unit::Bytes => 9,
        Unit::Bits => 11,
    }
}

/// A number of bytes: `1.23 MB`.
pub fn bytes(bytes: u64) -> String {
    if bytes < 1000 {
        return format!("{bytes:>5} B");
    }
    with_prefix(bytes as f64, "B")
}

/// A packet rate with its unit: `5.00 kpkt/s`.
pub fn packet_rate(packets_per_second: f64) -> String {
    with_prefix(packets_per_second, "pkt/s")
}

/// Events per second, without a unit: `5.00k`, `  123`.
pub fn per_second(value: f64) -> String {
    let (value, power) = scaled(value);
    let text = format!("{}{}", digits(value), PREFIXES[power]);
    format!("{text:>5}")
}

/// A number of things: exact below 100,000, `5,001`, then `1.23M`.
pub fn count(count: u64) -> String {
    if count < 100_000 {
        return exact(count);
    }
    let (value, power) = scaled(count as f64);
    format!("{}{}", digits(value), PREFIXES[power])
}

/// An exact number with separators: `5,001`.
pub fn exact(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A short time given in milliseconds: ` 200 µs`, `1.23 ms`, ` 1.50 s`.
pub fn milliseconds(ms: f64) -> String {
    let ns = ms.max(0.0) * 1e6;
    let (value, unit) = match ns {
        0.0 => (0.0, "ms"),
        n if n < 999.5 => (n, "ns"),
        n if n < 999.5e3 => (n / 1e3, "µs"),
        n if n < 999.5e6 => (n / 1e6, "ms"),
        n => (n / 1e9, "s"),
    };
    let text = format!("{} {unit}", digits(value));
    format!("{text:>7}")
}

/// A share in percent: `0%`, `<.01%`, `0.06%`, `12.3%`, `100%`.
pub fn percent(percent: f64) -> String {
    match percent {
        p if p <= 0.0 => "0%".to_owned(),
        p if p < 0.005 => "<.01%".to_owned(),
        p => format!("{}%", digits(p)),
    }
}

/// A number with its unit, without zeros that say nothing: `2 ms` for `2.00 ms`.
pub fn without_zeros(text: &str) -> String {
    let end = text.find(|c: char| c != '.' && !c.is_ascii_digit());
    let (number, unit) = text.split_at(end.unwrap_or(text.len()));
    match number.contains('.') {
        true => format!(
            "{}{unit}",
            number.trim_end_matches('0').trim_end_matches('.')
        ),
        false => text.to_owned(),
    }
}

/// A time span in seconds, coarse: `0.4 s`, `12 s`, `3m05s`, `2h05m`, `3d04h`.
pub fn duration(seconds: f64) -> String {
    let seconds = seconds.max(0.0);
    if seconds < 9.95 {
        return format!("{seconds:.1} s");
    }
    let whole = seconds.round() as u64;
    match whole {
        s if s < 60 => format!("{s} s"),
        s if s < 3600 => format!("{}m{:02}s", s / 60, s % 60),
        s if s < 86_400 => format!("{}h{:02}m", s / 3600, s / 60 % 60),
        s => format!("{}d{:02}h", s / 86_400, s / 3600 % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_have_three_digits_and_keep_their_width() {
        for (value, bytes, bits) in [
            (0.0, "    0 B/s", "    0 bit/s"),
            (0.5, " 0.50 B/s", " 4.00 bit/s"),
            (999.4, "  999 B/s", "8.00 kbit/s"),
            (999.6, "1.00 kB/s", "8.00 kbit/s"),
            (9_994.0, "9.99 kB/s", "80.0 kbit/s"),
            (9_996.0, "10.0 kB/s", "80.0 kbit/s"),
            (99_960.0, " 100 kB/s", " 800 kbit/s"),
            (1.25e9, "1.25 GB/s", "10.0 Gbit/s"),
        ] {
            assert_eq!(rate(value, Unit::Bytes), bytes);
            assert_eq!(rate(value, Unit::Bits), bits);
        }
        for exponent in 0..60 {
            let value = 1.7_f64.powi(exponent);
            for unit in [Unit::Bytes, Unit::Bits] {
                assert_eq!(rate(value, unit).len(), usize::from(rate_width(unit)));
            }
        }
    }

    #[test]
    fn times_choose_their_unit() {
        for (ms, text) in [
            (0.0, "   0 ms"),
            (0.000_05, "50.0 ns"),
            (0.2, " 200 µs"),
            (0.011, "11.0 µs"),
            (1.234, "1.23 ms"),
            (999.6, " 1.00 s"),
        ] {
            assert_eq!(milliseconds(ms), text);
        }
    }

    #[test]
    fn counts_are_exact_as_long_as_they_fit() {
        assert_eq!(count(99_999), "99,999");
        assert_eq!(count(100_000), "100k");
        assert_eq!(count(1_234_567), "1.23M");
        assert_eq!(exact(1_234_567), "1,234,567");
        assert_eq!(exact(999), "999");
        assert_eq!(bytes(1_234_567), "1.23 MB");
        assert_eq!(bytes(42), "   42 B");
        assert_eq!(per_second(5000.0), "5.00k");
        assert_eq!(per_second(12.0), " 12.0");
    }

    #[test]
    fn a_small_loss_is_never_shown_as_none() {
        assert_eq!(percent(0.0), "0%");
        assert_eq!(percent(0.001), "<.01%");
        assert_eq!(percent(0.06), "0.06%");
        assert_eq!(percent(12.34), "12.3%");
        assert_eq!(percent(100.0), "100%");
    }

    #[test]
    fn durations_are_coarse() {
        let texts = [0.44, 12.3, 185.0, 7500.0, 273_600.0].map(duration);
        assert_eq!(texts, ["0.4 s", "12 s", "3m05s", "2h05m", "3d04h"]);
        // As rounded, so never 10.0 s, 60 s or 24h00m.
        let texts = [9.94, 9.95, 59.4, 59.6, 3599.6, 86_399.6].map(duration);
        assert_eq!(texts, ["9.9 s", "10 s", "59 s", "1m00s", "1h00m", "1d00h"]);
        assert_eq!(duration(-1.0), "0.0 s");
    }
}
