//! What stands behind a field or a comparison: addresses, ports, names, numbers with units.

use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;

use ipnet::IpNet;

use super::lexer::Piece;
use super::state::{self, STATES, State};
use super::{Comparison, Ends, QueryError, Subject, Test};
use crate::model::column::{
    Column, FLOW_COLUMNS, INTERFACE_COLUMNS, INTERFACE_COUNTS, Width, by_name,
};
use crate::model::event::EventKind;
use crate::model::flow::Protocol;
use crate::model::glob::Glob;
use crate::model::preferences::Unit;
use crate::model::similar::suggestion;
use crate::model::tracker::Interface;

/// The fields that take a value behind a colon, with what they take; for the help.
pub const FIELDS: [(&str, &str); 13] = [
    ("src", "source address or prefix, or a list"),
    ("dst", "destination address or prefix, or a list"),
    ("host", "either address"),
    ("net", "either address: a prefix, or a list"),
    ("port", "either port, a range 5000-5010, or a list"),
    ("sport", "source port"),
    ("dport", "destination port"),
    ("proto", "tcp, udp, icmp (both families), icmpv6"),
    ("iface", "interface, * and ? allowed"),
    ("rule", "name of a rule, * and ? allowed"),
    ("vlan", "VLAN id, a range, or none"),
    ("is", state::HELP),
    (
        "kind",
        "kind of an event, in their view: gap, alert, config, ..., or a list",
    ),
];

/// The names of all fields.
pub(super) fn fields() -> impl Iterator<Item = &'static str> {
    FIELDS.iter().map(|(field, _)| *field)
}

/// A field and its value.
pub(super) fn field(name: &str, value: Piece) -> Result<Test, QueryError> {
    let items = value.split(',');
    Ok(match name {
        "src" => Test::Address(Ends::Source, each(items, network)?),
        "dst" => Test::Address(Ends::Destination, each(items, network)?),
        "host" | "net" => Test::Address(Ends::Either, each(items, network)?),
        "sport" => Test::Port(Ends::Source, each(items, port_range)?),
        "dport" => Test::Port(Ends::Destination, each(items, port_range)?),
        "port" => Test::Port(Ends::Either, each(items, port_range)?),
        "proto" => Test::Protocol(each(items, protocol)?.concat()),
        "iface" => Test::Interface(each(items, glob)?),
        "rule" => Test::Rule(each(items, glob)?),
        "is" => Test::Is(each(items, state)?),
        "kind" => Test::Kind(each(items, kind)?),
        _ => Test::Vlan(each(items, vlan)?),
    })
}

fn each<T>(
    items: Vec<Piece>,
    read: impl Fn(Piece) -> Result<T, QueryError>,
) -> Result<Vec<T>, QueryError> {
    items.into_iter().map(read).collect()
}

fn network(piece: Piece) -> Result<IpNet, QueryError> {
    if let Ok(end) = piece.text.parse::<SocketAddr>() {
        let (address, port) = (end.ip(), end.port());
        return Err(piece.error(format!("a port is told apart ({address} port:{port})")));
    }
    let text = piece.text.trim_start_matches('[').trim_end_matches(']');
    let address = text.parse::<IpAddr>().map(IpNet::from);
    address
        .or_else(|_| text.parse::<IpNet>())
        .map_err(|_| piece.error("not an address or prefix (10.0.0.1, 10.0.0.0/8, 2001:db8::/32)"))
}

fn range(piece: Piece, what: &str, max: u16) -> Result<RangeInclusive<u16>, QueryError> {
    let number = |piece: Piece| match piece.text.parse::<u16>() {
        Ok(number) if number <= max => Ok(number),
        _ => Err(piece.error(format!("not a {what} (0 to {max}, or a range a-b)"))),
    };
    let Some(byte) = piece.text.find('-') else {
        let single = number(piece)?;
        return Ok(single..=single);
    };
    let (low, high) = piece.split_at(byte, 1);
    let (low, high) = (number(low)?, number(high)?);
    if low > high {
        return Err(piece.error("the range runs backwards"));
    }
    Ok(low..=high)
}

fn port_range(piece: Piece) -> Result<RangeInclusive<u16>, QueryError> {
    range(piece, "port", u16::MAX)
}

fn vlan(piece: Piece) -> Result<Option<RangeInclusive<u16>>, QueryError> {
    match piece.text {
        "none" => Ok(None),
        _ => range(piece, "VLAN id", 4095).map(Some),
    }
}

/// An error that names the most similar of these words, or else all of them.
fn not_among(piece: Piece, what: &str, words: &[&str]) -> QueryError {
    let hint = match suggestion(piece.text, words.iter().copied()) {
        hint if hint.is_empty() => format!(" ({})", words.join(", ")),
        hint => hint,
    };
    piece.error(format!("not a {what}{hint}"))
}

/// The protocols that this name means.
pub(super) fn protocol(piece: Piece) -> Result<Vec<Protocol>, QueryError> {
    match Protocol::ALL.into_iter().find(|p| piece.is(p.name())) {
        Some(Protocol::Icmp) => Ok(vec![Protocol::Icmp, Protocol::Icmpv6]),
        Some(protocol) => Ok(vec![protocol]),
        None if piece.is("icmp6") => Ok(vec![Protocol::Icmpv6]),
        None => Err(not_among(
            piece,
            "protocol",
            &Protocol::ALL.map(Protocol::name),
        )),
    }
}

fn state(piece: Piece) -> Result<&'static State, QueryError> {
    let found = STATES.iter().find(|state| piece.is(state.name));
    found.ok_or_else(|| {
        let names: Vec<_> = STATES.iter().map(|state| state.name).collect();
        not_among(piece, "state", &names)
    })
}

fn kind(piece: Piece) -> Result<EventKind, QueryError> {
    let found = EventKind::ALL.iter().find(|kind| piece.is(kind.name()));
    found.copied().ok_or_else(|| {
        let names = EventKind::ALL.map(EventKind::name);
        not_among(piece, "kind of event", &names)
    })
}

fn glob(piece: Piece) -> Result<Glob, QueryError> {
    match piece.text {
        "" => Err(piece.error("a name is missing here")),
        text => Ok(Glob::from(text)),
    }
}

/// What is compared with a number.
#[derive(Clone, Copy)]
pub(super) enum Measure {
    OfFlow(&'static Column),
    OfInterface(&'static Column<Interface>),
    /// How many flows are taken.
    Taken,
}

impl Measure {
    /// What has this name.
    pub(super) fn named(subject: Subject, name: Piece) -> Option<Measure> {
        match subject {
            Subject::FlowsOfRun if name.is(TAKEN) => Some(Measure::Taken),
            Subject::Flows | Subject::FlowsOfRun => amount(name).map(Measure::OfFlow),
            Subject::Interfaces => interface_amount(name).map(Measure::OfInterface),
        }
    }

    /// Why there is nothing of this name, with the most similar one.
    pub(super) fn missing(subject: Subject, name: Piece) -> QueryError {
        let (names, some): (Vec<String>, _) = match subject {
            Subject::Interfaces => (
                interface_amounts().flat_map(names_of).collect(),
                "untracked, malformed, filtered, other, drops, ...",
            ),
            Subject::Flows | Subject::FlowsOfRun => (
                amounts().flat_map(names_of).collect(),
                "loss, jitter, rate, goodput, pps, ...",
            ),
        };
        let hint = match suggestion(name.text, names.iter().map(String::as_str)) {
            hint if hint.is_empty() => format!(" ({some})"),
            hint => hint,
        };
        name.error(format!("not a number to compare{hint}"))
    }

    /// The term that compares it with this value, whose unit may stand apart.
    pub(super) fn compared(
        self,
        comparison: Comparison,
        value: Piece,
        apart: Option<Piece>,
    ) -> Result<Test, QueryError> {
        Ok(match self {
            Measure::OfFlow(column) => {
                let (number, unit) = number(value, apart, column)?;
                Test::Amount(column, comparison, number, unit)
            }
            Measure::OfInterface(column) => {
                let (number, unit) = number(value, apart, column)?;
                Test::Counted(column, comparison, number, unit)
            }
            Measure::Taken => match (value.text.parse::<u64>(), apart) {
                (Ok(count), None) => Test::Taken(comparison, count as f64),
                _ => return Err(value.error("not a number of flows (flows>=10)")),
            },
        })
    }
}

/// The name of the number of flows that a check takes.
const TAKEN: &str = "flows";

/// The columns that can be compared with a number.
fn amounts() -> impl Iterator<Item = &'static Column> {
    comparable(&FLOW_COLUMNS)
}

/// The same of interfaces, but for the number of flows: a check has that of those which it takes.
pub fn interface_amounts() -> impl Iterator<Item = &'static Column<Interface>> {
    let all = comparable(&INTERFACE_COLUMNS).chain(comparable(&INTERFACE_COUNTS));
    all.filter(|column| column.id != TAKEN)
}

fn comparable<T>(columns: &'static [Column<T>]) -> impl Iterator<Item = &'static Column<T>> {
    let amounts = columns.iter().filter(|column| column.is_amount());
    amounts.filter(|column| !column.is_history())
}

/// Its id, its short name, and its header as one word.
fn names_of<T>(column: &'static Column<T>) -> impl Iterator<Item = String> {
    let names = [Some(column.id), column.alias].into_iter().flatten();
    let header = column.title.replace(' ', "_");
    names.map(str::to_owned).chain([header])
}

/// The column of numbers with this id, short name or header.
pub(super) fn amount(name: Piece) -> Option<&'static Column> {
    let exact = by_name(name.text).filter(|column| column.is_amount());
    exact.or_else(|| amounts().find(|column| has_name(column, name)))
}

/// The same of interfaces.
fn interface_amount(name: Piece) -> Option<&'static Column<Interface>> {
    interface_amounts().find(|column| has_name(column, name))
}

fn has_name<T>(column: &'static Column<T>, name: Piece) -> bool {
    names_of(column).any(|known| name.is(&known))
}

/// Whether this is the name of a number of what the query is about.
pub fn is_measure(subject: Subject, name: &str) -> bool {
    Measure::named(subject, Piece::of(name)).is_some()
}

/// Whether it is nothing but a number, so that a unit may stand apart.
pub(super) fn is_plain_number(piece: Piece) -> bool {
    piece.text.parse::<f64>().is_ok() && piece.text.ends_with(|c: char| c.is_ascii_digit())
}

/// Whether it is a unit, be it of another column.
pub(super) fn is_unit(piece: Piece) -> bool {
    let text = piece.text;
    !text.is_empty() && amounts().any(|column| factor(text, column).is_some())
}

/// A number with a suffix, or with a unit that stands apart; times become those of the column (ms, or s for ages).
fn number<T>(
    piece: Piece,
    apart: Option<Piece>,
    column: &Column<T>,
) -> Result<(f64, Option<Unit>), QueryError> {
    const RIGHT: &str = "not a number (5, 1.5k, 10M, 1G, 5ms, 1%, 10Mbit, 10Mbps)";
    let end = piece
        .text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(piece.text.len());
    let number: f64 = piece.text[..end].parse().map_err(|_| piece.error(RIGHT))?;
    let (text, place) = match apart {
        Some(unit) => (unit.text, unit),
        None => (&piece.text[end..], piece),
    };
    match (factor(text, column), apart) {
        (Some((factor, unit)), _) => Ok((number * factor, unit)),
        (None, Some(unit)) => {
            Err(place.error(format!("{} is no unit of {}", unit.text, column.id)))
        }
        (None, None) => Err(place.error(RIGHT)),
    }
}

/// What the numbers of a column are amounts of, which decides about the units that they may be told in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Quantity {
    /// Bits or bytes per second.
    Rate,
    Bytes,
    Milliseconds,
    Seconds,
    Percent,
    /// Packets, or how often something happened; also per second.
    Count,
}

impl Quantity {
    /// The names in JSON end with the unit.
    fn of<T>(column: &Column<T>) -> Quantity {
        match column.json.rsplit('_').next() {
            _ if column.width == Width::Rate => Quantity::Rate,
            // What of TCP is lost is told in bytes.
            Some("bytes" | "lost") => Quantity::Bytes,
            Some("ms") => Quantity::Milliseconds,
            Some("s") => Quantity::Seconds,
            Some("percent") => Quantity::Percent,
            _ => Quantity::Count,
        }
    }
}

/// What the unit multiplies a number of this column by, and the unit of a rate.
fn factor<T>(suffix: &str, column: &Column<T>) -> Option<(f64, Option<Unit>)> {
    use Quantity::{Bytes, Milliseconds, Percent, Rate, Seconds};
    let quantity = Quantity::of(column);
    let is_per_second = quantity == Rate || column.id == "packet_rate";
    if suffix.ends_with("/s") && !is_per_second {
        return None;
    }
    let (prefix, unit) = match of_rate(suffix) {
        Some(_) if quantity != Rate => return None,
        Some((prefix, unit)) => (prefix, Some(unit)),
        None => of_bits_or_bytes(suffix),
    };
    let is_its_unit = match unit {
        None => true,
        Some(Unit::Bits) => quantity == Rate,
        Some(Unit::Bytes) => matches!(quantity, Rate | Bytes),
    };
    let factor = match (prefix, quantity) {
        _ if !is_its_unit => return None,
        ("", _) | ("%", Percent) | ("ms", Milliseconds) | ("s", Seconds) => 1.0,
        ("k" | "K", _) | ("s", Milliseconds) => 1e3,
        ("M", _) => 1e6,
        ("G", _) => 1e9,
        ("T", _) => 1e12,
        ("us" | "µs", Milliseconds) | ("ms", Seconds) => 1e-3,
        ("us" | "µs", Seconds) => 1e-6,
        ("m", Seconds) => 60.0,
        ("h", Seconds) => 3600.0,
        ("m", _) if unit.is_some() => 1e6,
        ("g", _) if unit.is_some() => 1e9,
        _ => return None,
    };
    Some((factor, unit))
}

/// Takes the unit off a rate's suffix: `Mbps`, `MBps`.
fn of_rate(suffix: &str) -> Option<(&str, Unit)> {
    let bits = suffix.strip_suffix("bps").map(|it| (it, Unit::Bits));
    bits.or_else(|| Some((suffix.strip_suffix("Bps")?, Unit::Bytes)))
}

/// Takes the unit off a suffix: `Mbit/s`, `Mb`, `MB/s`.
fn of_bits_or_bytes(suffix: &str) -> (&str, Option<Unit>) {
    let suffix = suffix.trim_end_matches("/s");
    match suffix.strip_suffix("bit").or(suffix.strip_suffix('b')) {
        Some(prefix) => (prefix, Some(Unit::Bits)),
        None => match suffix.strip_suffix('B') {
            Some(prefix) => (prefix, Some(Unit::Bytes)),
            None => (suffix, None),
        },
    }
}
