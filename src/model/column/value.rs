//! What a cell holds: its text, its order among others, and how it is made to fit.
//!
//! A cell that does not fit is shortened so that it still means something (see `shorten`); it is never cut.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::net::IpAddr;

use unicode_width::UnicodeWidthStr;

use super::Context;
use super::endpoint::{Suffix, endpoint};
use super::shorten::{shorten_end, shorten_endpoint, shorten_middle};
use crate::model::event::TimeOfDay;
use crate::model::flow::{FlowKey, Protocol};
use crate::model::tracker::{Series, Trace};
use crate::model::units;

/// What a cell holds, before it is text.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'a> {
    /// Not known; drawn as `-`, exported as null, sorted last.
    Unknown,
    /// A word.
    Text(&'a str),
    /// Words in a row; the end gives way where there is no room.
    Sentence(&'a str),
    /// An address, with what stands behind it on the screen: a port, or what an ICMP message is.
    /// Exports write the address alone; the port has its own column.
    Endpoint {
        /// The address.
        address: IpAddr,
        /// Port or ICMP message.
        suffix: Suffix,
        /// Host name, where it is known and asked for.
        name: Option<&'a str>,
    },
    /// A number that is a name rather than an amount: a port, a VLAN, a sequence number.
    Number(u64),
    /// The same, with what it stands for, where that is known.
    Named(u64, Option<&'static str>),
    /// A port of a protocol, or a protocol without ports: such cells are sorted last.
    Service(Option<u16>, Protocol),
    /// How many.
    Count(u64),
    /// How many bytes.
    Bytes(u64),
    /// Bytes per second.
    Rate(f64),
    /// Things per second.
    PerSecond(f64),
    /// A short time, ms.
    Milliseconds(f64),
    /// A time span, s.
    Seconds(f64),
    /// A share, percent.
    Percent(f64),
    /// What is the matter, in words; put in order by how bad it is.
    Verdict {
        /// Larger is worse.
        severity: f64,
        /// What is the matter.
        words: &'a str,
    },
    /// The latest intervals, as a sparkline.
    History(Trace<'a>),
    /// A time of day; `order` puts moments in order across midnight.
    Moment {
        /// Larger is later.
        order: u64,
        /// Local time.
        at: TimeOfDay,
    },
}

/// How bad it is to be beyond a threshold: no trouble is worse.
pub const BEYOND_A_THRESHOLD: f64 = 9999.0;

/// The cell of the source column.
pub fn source_of<'a>(key: &FlowKey, context: &Context<'a>) -> Value<'a> {
    let suffix = match key.protocol {
        Protocol::Tcp | Protocol::Udp => Suffix::Port(key.source_port),
        _ if key.source_port == 0 => Suffix::None,
        _ => Suffix::Identifier(key.source_port),
    };
    Value::endpoint(key.source, suffix, context)
}

/// The cell of the destination column.
pub fn destination_of<'a>(key: &FlowKey, context: &Context<'a>) -> Value<'a> {
    let port = key.destination_port;
    let suffix = match key.protocol {
        Protocol::Tcp | Protocol::Udp => Suffix::Port(port),
        Protocol::Icmp | Protocol::Icmpv6 => {
            let [kind, code] = port.to_be_bytes();
            Suffix::Icmp(kind, code)
        }
    };
    Value::endpoint(key.destination, suffix, context)
}

impl<'a> Value<'a> {
    pub(super) fn endpoint(address: IpAddr, suffix: Suffix, context: &Context<'a>) -> Value<'a> {
        let name = context.names.and_then(|names| names.get(&address));
        Value::Endpoint {
            address,
            suffix,
            name: name.map(|name| &**name),
        }
    }

    pub(super) fn milliseconds(ms: Option<f64>) -> Value<'a> {
        ms.map_or(Value::Unknown, Value::Milliseconds)
    }

    pub(super) fn percent(percent: Option<f64>) -> Value<'a> {
        percent.map_or(Value::Unknown, Value::Percent)
    }

    /// The amount, where the cell holds one; a history counts as its latest value.
    pub fn number(&self) -> Option<f64> {
        match *self {
            Value::Unknown | Value::Text(_) | Value::Sentence(_) | Value::Endpoint { .. } => None,
            Value::Service(port, _) => port.map(f64::from),
            Value::Number(n) | Value::Named(n, _) | Value::Count(n) | Value::Bytes(n) => {
                Some(n as f64)
            }
            Value::Rate(x) | Value::PerSecond(x) | Value::Milliseconds(x) => Some(x),
            Value::Seconds(x) | Value::Percent(x) => Some(x),
            Value::History(trace) => trace.latest().map(f64::from),
            Value::Moment { order, .. } => Some(order as f64),
            Value::Verdict { severity, .. } => Some(severity),
        }
    }

    /// A cell of the same kind with another amount: a bound beside the value that is beyond it, say.
    pub fn with_amount(&self, amount: f64) -> Value<'static> {
        match self {
            Value::Bytes(_) => Value::Bytes(amount as u64),
            Value::Rate(_) => Value::Rate(amount),
            Value::PerSecond(_) => Value::PerSecond(amount),
            Value::Milliseconds(_) => Value::Milliseconds(amount),
            Value::Seconds(_) => Value::Seconds(amount),
            Value::Percent(_) => Value::Percent(amount),
            _ => Value::Count(amount as u64),
        }
    }

    /// Order among cells of one column, smallest first; unknown ones compare equal.
    pub fn compare(&self, other: &Value) -> Ordering {
        match (self, other) {
            (Value::Text(a), Value::Text(b)) | (Value::Sentence(a), Value::Sentence(b)) => a.cmp(b),
            (
                Value::Endpoint {
                    address: a,
                    suffix: sa,
                    ..
                },
                Value::Endpoint {
                    address: b,
                    suffix: sb,
                    ..
                },
            ) => a.cmp(b).then(sa.cmp(sb)),
            (a, b) => match (a.number(), b.number()) {
                (Some(a), Some(b)) => a.total_cmp(&b),
                _ => Ordering::Equal,
            },
        }
    }

    /// Whether nothing is known of it: such cells are sorted last in either direction.
    pub fn is_unknown(&self) -> bool {
        match self {
            Value::Text(_) | Value::Sentence(_) | Value::Endpoint { .. } => false,
            other => other.number().is_none(),
        }
    }

    /// The whole text of the cell, whatever its width.
    pub fn text(&self, context: &Context) -> Cow<'a, str> {
        match *self {
            Value::Unknown => Cow::Borrowed(units::UNKNOWN),
            Value::Text(text) | Value::Sentence(text) | Value::Verdict { words: text, .. } => {
                Cow::Borrowed(text)
            }
            Value::Endpoint {
                address,
                suffix,
                name,
            } => Cow::Owned(endpoint(address, suffix, name)),
            Value::Number(n) | Value::Named(n, None) => Cow::Owned(n.to_string()),
            Value::Named(n, Some(name)) => Cow::Owned(format!("{name} ({n})")),
            Value::Service(Some(port), protocol) => {
                let services = context.services;
                let name = services.and_then(|services| services.name(port, protocol));
                let name = name.map_or(String::new(), |name| format!(" {name}"));
                Cow::Owned(format!("{port}/{protocol}{name}"))
            }
            Value::Service(None, protocol) => Cow::Borrowed(protocol.name()),
            Value::Count(n) => Cow::Owned(units::count(n)),
            Value::Bytes(n) => Cow::Owned(units::bytes(n)),
            Value::Rate(x) => Cow::Owned(units::rate(x, context.unit)),
            Value::PerSecond(x) => Cow::Owned(units::per_second(x)),
            Value::Milliseconds(x) => Cow::Owned(units::milliseconds(x)),
            Value::Seconds(x) => Cow::Owned(units::duration(x)),
            Value::Percent(x) => Cow::Owned(units::percent(x)),
            Value::History(trace) => Cow::Owned(sparkline(trace, Series::CAPACITY)),
            Value::Moment { at, .. } => Cow::Owned(at.to_string()),
        }
    }

    /// The text of the cell in at most `width` cells.
    pub fn fit(&self, width: usize, context: &Context) -> Cow<'a, str> {
        if let Value::History(trace) = *self {
            return Cow::Owned(sparkline(trace, width));
        }
        let text = self.text(context);
        if text.width() <= width {
            return text;
        }
        let hashes = || "#".repeat(width);
        Cow::Owned(match *self {
            Value::Endpoint {
                address,
                suffix,
                name,
            } => shorten_endpoint(address, suffix, name, width),
            Value::Text(text) => shorten_middle(text, width),
            Value::Service(..) => shorten_end(&text, width),
            Value::Sentence(text) | Value::Verdict { words: text, .. } => shorten_end(text, width),
            // Of a span of many days the hours give way.
            Value::Seconds(_) => match text.split_once('d') {
                Some((days, _)) if days.len() < width => format!("{days}d"),
                _ => hashes(),
            },
            _ => hashes(),
        })
    }
}

/// The latest `width` values as bars, scaled to the largest of them; a blank where there is no value.
pub fn sparkline(trace: Trace, width: usize) -> String {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let skip = trace.iter().len().saturating_sub(width);
    let max = trace.iter().skip(skip).flatten().fold(0.0_f32, f32::max);
    let bar = |value: Option<f32>| match value {
        None => ' ',
        Some(_) if max <= 0.0 => BARS[0],
        Some(v) => BARS[((v.max(0.0) / max * 7.0).round() as usize).min(7)],
    };
    trace.iter().skip(skip).map(bar).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sparkline_shows_the_latest_values_and_gaps() {
        let mut series = Series::default();
        for value in [Some(9.0), Some(0.0), None, Some(1.0), Some(2.0)] {
            series.push(value);
        }
        assert_eq!(sparkline(series.all(), 4), "▁ ▅█");
        assert_eq!(sparkline(series.all(), 9), "█▁ ▂▃");
    }

    #[test]
    fn unknown_is_neither_zero_nor_text() {
        assert!(Value::Unknown.is_unknown());
        assert_eq!(Value::Unknown.text(&Context::default()), "-");
        assert!(!Value::Count(0).is_unknown());
        assert!(!Value::Sentence("").is_unknown());
    }

    #[test]
    fn a_span_of_many_days_has_no_hours_where_there_is_no_room_for_them() {
        let fit = |seconds, width| Value::Seconds(seconds).fit(width, &Context::default());
        let days = 86_400.0;
        assert_eq!(fit(99.9 * days, 6), "99d21h");
        assert_eq!(fit(100.2 * days, 6), "100d");
        assert_eq!(fit(100.2 * days, 11), "100d04h");
        assert_eq!(fit(100.2 * days, 3), "###");
        assert_eq!(fit(7500.0, 4), "####");
    }

    #[test]
    fn values_are_compared_as_what_they_are() {
        let (few, many) = (Value::Seconds(2.0), Value::Seconds(10.0));
        assert!(few.compare(&many).is_lt() && many.compare(&few).is_gt());
        assert!(few.compare(&few).is_eq() && few.compare(&Value::Unknown).is_eq());
        assert!(Value::Text("2").compare(&Value::Text("10")).is_gt());
        let at = |host: [u8; 4], port| Value::Endpoint {
            address: host.into(),
            suffix: Suffix::Port(port),
            name: None,
        };
        let (near, far) = ([10, 0, 0, 9], [10, 0, 0, 10]);
        assert!(at(near, 9).compare(&at(near, 10)).is_lt());
        assert!(at(near, 10).compare(&at(far, 9)).is_lt());
    }
}
