//! What a cell holds: its text, its order among others, and how it is made to fit.
//!
//! A cell that does not fit is shortened in the middle so that it still means something; it is never cut.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt::Write as _;
use std::net::IpAddr;

use unicode_width::UnicodeWidthStr;

use super::Context;
use crate::model::event::TimeOfDay;
use crate::model::flow::Protocol;
use crate::model::tracker::{Flow, Series};
use crate::model::units;

/// What a cell holds, before it is text.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'a> {
    /// Not known; drawn as `-`, exported as null, sorted last.
    Unknown,
    /// A word.
    Text(&'a str),
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
    /// The latest intervals, as a sparkline.
    History(&'a Series),
    /// A time of day; `order` puts moments in order across midnight.
    Moment {
        /// Larger is later.
        order: u64,
        /// Local time.
        at: TimeOfDay,
    },
}

/// What stands behind an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Suffix {
    /// Nothing.
    None,
    /// A TCP or UDP port.
    Port(u16),
    /// The identifier of an ICMP query.
    Identifier(u16),
    /// ICMP type and code.
    Icmp(u8, u8),
}

impl Suffix {
    fn text(self) -> String {
        match self {
            Suffix::None => String::new(),
            Suffix::Port(port) => format!(":{port}"),
            Suffix::Identifier(id) => format!(" #{id}"),
            Suffix::Icmp(8 | 128, 0) => " echo".to_owned(),
            Suffix::Icmp(0 | 129, 0) => " reply".to_owned(),
            Suffix::Icmp(kind, code) => format!(" {kind}/{code}"),
        }
    }
}

/// The cell of the source column.
pub(super) fn source<'a>(flow: &'a Flow, context: &Context<'a>) -> Value<'a> {
    let suffix = match flow.key.protocol {
        Protocol::Tcp | Protocol::Udp => Suffix::Port(flow.key.source_port),
        _ if flow.key.source_port == 0 => Suffix::None,
        _ => Suffix::Identifier(flow.key.source_port),
    };
    Value::endpoint(flow.key.source, suffix, context)
}

/// The cell of the destination column.
pub(super) fn destination<'a>(flow: &'a Flow, context: &Context<'a>) -> Value<'a> {
    let port = flow.key.destination_port;
    let suffix = match flow.key.protocol {
        Protocol::Tcp | Protocol::Udp => Suffix::Port(port),
        Protocol::Icmp | Protocol::Icmpv6 => {
            let [kind, code] = port.to_be_bytes();
            Suffix::Icmp(kind, code)
        }
    };
    Value::endpoint(flow.key.destination, suffix, context)
}

impl<'a> Value<'a> {
    fn endpoint(address: IpAddr, suffix: Suffix, context: &Context<'a>) -> Value<'a> {
        let name = context.names.and_then(|names| names.get(&address));
        Value::Endpoint {
            address,
            suffix,
            name: name.map(|name| &**name),
        }
    }

    pub(super) fn rate(rate: Option<f64>) -> Value<'a> {
        rate.map_or(Value::Unknown, Value::Rate)
    }

    pub(super) fn per_second(rate: Option<f64>) -> Value<'a> {
        rate.map_or(Value::Unknown, Value::PerSecond)
    }

    pub(super) fn milliseconds(ms: Option<f64>) -> Value<'a> {
        ms.map_or(Value::Unknown, Value::Milliseconds)
    }

    /// The amount, where the cell holds one; a history counts as its latest value.
    pub fn number(&self) -> Option<f64> {
        match *self {
            Value::Unknown | Value::Text(_) | Value::Endpoint { .. } => None,
            Value::Number(n) | Value::Count(n) | Value::Bytes(n) => Some(n as f64),
            Value::Rate(x) | Value::PerSecond(x) | Value::Milliseconds(x) => Some(x),
            Value::Seconds(x) | Value::Percent(x) => Some(x),
            Value::History(series) => series.iter().next_back().flatten().map(f64::from),
            Value::Moment { order, .. } => Some(order as f64),
        }
    }

    /// Order among cells of one column, smallest first; unknown ones compare equal.
    pub fn compare(&self, other: &Value) -> Ordering {
        match (self, other) {
            (Value::Text(a), Value::Text(b)) => a.cmp(b),
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
            Value::Text(_) | Value::Endpoint { .. } => false,
            other => other.number().is_none(),
        }
    }

    /// The whole text of the cell, whatever its width.
    pub fn text(&self, context: &Context) -> Cow<'a, str> {
        match *self {
            Value::Unknown => Cow::Borrowed(units::UNKNOWN),
            Value::Text(text) => Cow::Borrowed(text),
            Value::Endpoint {
                address,
                suffix,
                name,
            } => Cow::Owned(endpoint(address, suffix, name)),
            Value::Number(n) => Cow::Owned(n.to_string()),
            Value::Count(n) => Cow::Owned(units::count(n)),
            Value::Bytes(n) => Cow::Owned(units::bytes(n)),
            Value::Rate(x) => Cow::Owned(units::rate(x, context.unit)),
            Value::PerSecond(x) => Cow::Owned(units::per_second(x)),
            Value::Milliseconds(x) => Cow::Owned(units::milliseconds(x)),
            Value::Seconds(x) => Cow::Owned(units::duration(x)),
            Value::Percent(x) => Cow::Owned(units::percent(x)),
            Value::History(series) => Cow::Owned(sparkline(series, Series::CAPACITY)),
            Value::Moment { at, .. } => Cow::Owned(at.to_string()),
        }
    }

    /// The text of the cell in at most `width` cells.
    pub fn fit(&self, width: usize, context: &Context) -> Cow<'a, str> {
        if let Value::History(series) = self {
            return Cow::Owned(sparkline(series, width));
        }
        let text = self.text(context);
        if text.width() <= width {
            return text;
        }
        Cow::Owned(match *self {
            Value::Endpoint {
                address,
                suffix,
                name,
            } => shorten_endpoint(address, suffix, name, width),
            Value::Text(text) => shorten_middle(text, width),
            _ => "#".repeat(width),
        })
    }
}

fn endpoint(address: IpAddr, suffix: Suffix, name: Option<&str>) -> String {
    match (name, address, suffix) {
        (Some(name), _, _) => format!("{name}{}", suffix.text()),
        (None, IpAddr::V6(v6), Suffix::Port(port)) => format!("[{v6}]:{port}"),
        (None, address, _) => format!("{address}{}", suffix.text()),
    }
}

/// An endpoint in at most `width` cells: the port stays whole, the middle of the address gives way.
pub fn shorten_endpoint(
    address: IpAddr,
    suffix: Suffix,
    name: Option<&str>,
    width: usize,
) -> String {
    let full = endpoint(address, suffix, name);
    if full.width() <= width {
        return full;
    }
    let suffix_text = suffix.text();
    let room = width.saturating_sub(suffix_text.len());
    if let Some(name) = name {
        return format!("{}{suffix_text}", shorten_middle(name, room));
    }
    let brackets = address.is_ipv6() && matches!(suffix, Suffix::Port(_));
    let room = if brackets {
        room.saturating_sub(2)
    } else {
        room
    };
    match shorten_address(address, room) {
        Some(short) if brackets => format!("[{short}]{suffix_text}"),
        Some(short) => format!("{short}{suffix_text}"),
        None => shorten_middle(&full, width),
    }
}

/// Whole groups of the address from both ends with `…` between them, as many as fit.
fn shorten_address(address: IpAddr, width: usize) -> Option<String> {
    let text = address.to_string();
    if text.len() <= width {
        return Some(text);
    }
    let separator = if address.is_ipv6() { ':' } else { '.' };
    let groups: Vec<&str> = text.split(separator).collect();
    let candidates = (1..groups.len()).rev().flat_map(|kept| {
        let tail = kept.div_ceil(2).min(kept);
        [(kept - tail, tail), (tail, kept - tail)]
    });
    for (head, tail) in candidates {
        let mut short = String::new();
        for group in &groups[..head] {
            let _ = write!(short, "{group}{separator}");
        }
        short.push('…');
        for group in &groups[groups.len() - tail..] {
            let _ = write!(short, "{separator}{group}");
        }
        if short.width() <= width && !short.contains(":::") {
            return Some(short);
        }
    }
    None
}

/// Text in at most `width` cells: both ends stay, `…` stands for the middle.
pub fn shorten_middle(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    if width == 0 {
        return String::new();
    }
    let room = width - 1;
    let head = take_width(text.chars(), room / 2);
    let tail = take_width(text.chars().rev(), room - room / 2);
    let tail: String = tail.chars().rev().collect();
    let (head, tail) = (head.trim_end_matches('…'), tail.trim_start_matches('…'));
    format!("{head}…{tail}")
}

fn take_width(chars: impl Iterator<Item = char>, width: usize) -> String {
    let mut taken = String::new();
    for c in chars {
        taken.push(c);
        if taken.width() > width {
            taken.pop();
            break;
        }
    }
    taken
}

/// The latest `width` values as bars, scaled to the largest of them; a blank where there is no value.
pub fn sparkline(series: &Series, width: usize) -> String {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let skip = series.iter().len().saturating_sub(width);
    let max = series.iter().skip(skip).flatten().fold(0.0_f32, f32::max);
    let bar = |value: Option<f32>| match value {
        None => ' ',
        Some(_) if max <= 0.0 => BARS[0],
        Some(v) => BARS[((v.max(0.0) / max * 7.0).round() as usize).min(7)],
    };
    series.iter().skip(skip).map(bar).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn short(address: &str, port: u16, width: usize) -> String {
        let address = address.parse().expect("an address");
        shorten_endpoint(address, Suffix::Port(port), None, width)
    }

    #[test]
    fn addresses_lose_whole_groups_from_the_middle() {
        let v6 = "2001:db8:85a3:1234:5678:8a2e:370:7334";
        assert_eq!(
            short(v6, 443, 60),
            "[2001:db8:85a3:1234:5678:8a2e:370:7334]:443"
        );
        assert_eq!(short(v6, 443, 30), "[2001:db8:…:8a2e:370:7334]:443");
        assert_eq!(short(v6, 443, 21), "[2001:…:370:7334]:443");
        assert_eq!(
            short(v6, 51234, 17),
            "[2001:…:7334]:51234"[..0].to_owned() + "[…:7334]:51234"
        );
        assert_eq!(short("192.168.100.200", 51234, 21), "192.168.100.200:51234");
        assert_eq!(short("192.168.100.200", 51234, 16), "192.….200:51234");
        assert_eq!(short("192.168.100.200", 51234, 14), "….200:51234");
    }

    #[test]
    fn nothing_is_wider_than_its_cell() {
        for address in [
            "fe80::1",
            "2001:db8:85a3:1234:5678:8a2e:370:7334",
            "10.200.30.4",
        ] {
            for width in 1..50 {
                assert!(
                    short(address, 65535, width).width() <= width,
                    "{address} {width}"
                );
            }
        }
    }

    #[test]
    fn a_sparkline_shows_the_latest_values_and_gaps() {
        let mut series = Series::default();
        for value in [Some(9.0), Some(0.0), None, Some(1.0), Some(2.0)] {
            series.push(value);
        }
        assert_eq!(sparkline(&series, 4), "▁ ▅█");
        assert_eq!(sparkline(&series, 9), "█▁ ▂▃");
    }

    #[test]
    fn unknown_is_neither_zero_nor_text() {
        assert!(Value::Unknown.is_unknown());
        assert_eq!(Value::Unknown.text(&Context::default()), "-");
        assert!(!Value::Count(0).is_unknown());
    }
}
