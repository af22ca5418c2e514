//! Reading the filter language. Positions in errors count characters, as a cursor does.

use std::net::IpAddr;
use std::ops::RangeInclusive;

use ipnet::IpNet;

use super::{Comparison, Ends, Query, QueryError, Term, Test};
use crate::model::column::{Column, by_name};
use crate::model::flow::Protocol;
use crate::model::glob::Glob;
use crate::model::preferences::Unit;

/// The fields that take a value behind a colon, with what they take; for the help.
pub const FIELDS: [(&str, &str); 10] = [
    ("src", "source address or prefix, or a list"),
    ("dst", "destination address or prefix, or a list"),
    ("host", "either address"),
    ("port", "either port, a range 5000-5010, or a list"),
    ("sport", "source port"),
    ("dport", "destination port"),
    ("proto", "tcp, udp, icmp (both families), icmpv6"),
    ("iface", "interface, * and ? allowed"),
    ("rule", "name of a rule, * and ? allowed"),
    ("vlan", "VLAN id, a range, or none"),
];

/// A piece of the text and where it starts, in characters.
#[derive(Clone, Copy)]
struct Piece<'a> {
    text: &'a str,
    start: usize,
}

impl<'a> Piece<'a> {
    fn error(self, message: impl Into<String>) -> QueryError {
        let length = self.text.chars().count().max(1);
        QueryError {
            start: self.start,
            end: self.start + length,
            message: message.into(),
        }
    }

    /// The text up to this byte, and from `skip` bytes behind it on.
    fn split_at(self, byte: usize, skip: usize) -> (Piece<'a>, Piece<'a>) {
        let (head, tail) = (&self.text[..byte], &self.text[byte + skip..]);
        let start = self.start + self.text[..byte + skip].chars().count();
        let head = Piece { text: head, ..self };
        (head, Piece { text: tail, start })
    }

    fn split(self, separator: char) -> Vec<Piece<'a>> {
        let mut pieces = Vec::new();
        let mut rest = self;
        while let Some(byte) = rest.text.find(separator) {
            let (head, tail) = rest.split_at(byte, separator.len_utf8());
            pieces.push(head);
            rest = tail;
        }
        pieces.push(rest);
        pieces
    }
}

pub(super) fn query(text: &str) -> Result<Query, QueryError> {
    let all = Piece { text, start: 0 };
    let words = all.split(' ').into_iter().filter(|p| !p.text.is_empty());
    let terms = words.map(term).collect::<Result<_, _>>()?;
    Ok(Query { terms })
}

fn term(piece: Piece) -> Result<Term, QueryError> {
    let negated = piece.text.starts_with('!');
    let (_, rest) = piece.split_at(0, usize::from(negated));
    if rest.text.is_empty() {
        return Err(piece.error("! needs a term behind it"));
    }
    let test = test(rest)?;
    Ok(Term { negated, test })
}

fn test(piece: Piece) -> Result<Test, QueryError> {
    if let Some(byte) = piece.text.find(['<', '>', '=']) {
        return amount(piece, byte);
    }
    if let Some(byte) = piece.text.find(':') {
        let (name, value) = piece.split_at(byte, 1);
        if FIELDS.iter().any(|(field, _)| *field == name.text) {
            return field(name, value);
        }
        // `2001:db8` and `10.0.0.1:443` are words; `foo:1` is a mistake.
        let letters = name.text.chars().all(|c| c.is_ascii_alphabetic());
        if letters && name.text.chars().any(|c| !c.is_ascii_hexdigit()) {
            let fields: Vec<_> = FIELDS.iter().map(|(field, _)| *field).collect();
            return Err(name.error(format!("no such field (there are {})", fields.join(", "))));
        }
    }
    Ok(Test::Word(piece.text.to_ascii_lowercase()))
}

fn field(name: Piece, value: Piece) -> Result<Test, QueryError> {
    if value.text.is_empty() {
        return Err(name.error(format!("{}: needs a value", name.text)));
    }
    let items = value.split(',');
    Ok(match name.text {
        "src" => Test::Address(Ends::Source, each(items, network)?),
        "dst" => Test::Address(Ends::Destination, each(items, network)?),
        "host" => Test::Address(Ends::Either, each(items, network)?),
        "sport" => Test::Port(Ends::Source, each(items, port_range)?),
        "dport" => Test::Port(Ends::Destination, each(items, port_range)?),
        "port" => Test::Port(Ends::Either, each(items, port_range)?),
        "proto" => Test::Protocol(each(items, protocol)?.concat()),
        "iface" => Test::Interface(each(items, glob)?),
        "rule" => Test::Rule(each(items, glob)?),
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

fn protocol(piece: Piece) -> Result<Vec<Protocol>, QueryError> {
    let name = piece.text.to_ascii_lowercase();
    match Protocol::ALL.into_iter().find(|p| p.name() == name) {
        Some(Protocol::Icmp) => Ok(vec![Protocol::Icmp, Protocol::Icmpv6]),
        Some(protocol) => Ok(vec![protocol]),
        None => Err(piece.error("not a protocol (tcp, udp, icmp, icmpv6)")),
    }
}

fn glob(piece: Piece) -> Result<Glob, QueryError> {
    match piece.text {
        "" => Err(piece.error("a name is missing here")),
        text => Ok(Glob::from(text)),
    }
}

fn amount(piece: Piece, byte: usize) -> Result<Test, QueryError> {
    const SIGNS: [(&str, Comparison); 5] = [
        (">=", Comparison::GreaterOrEqual),
        ("<=", Comparison::LessOrEqual),
        (">", Comparison::Greater),
        ("<", Comparison::Less),
        ("=", Comparison::Equal),
    ];
    let sign = SIGNS
        .iter()
        .find(|(sign, _)| piece.text[byte..].starts_with(sign));
    let Some((sign, comparison)) = sign else {
        return Err(piece.error("not a comparison (loss>1)"));
    };
    let (name, value) = piece.split_at(byte, sign.len());
    let column = by_name(name.text).filter(|column| column.is_amount());
    let Some(column) = column else {
        return Err(name.error("not a number to compare (loss, jitter, rate, goodput, pps, ...)"));
    };
    let (number, unit) = number(value, column)?;
    Ok(Test::Amount(column, *comparison, number, unit))
}

/// A number with a suffix; times become those of the column (ms, or s for ages).
fn number(piece: Piece, column: &Column) -> Result<(f64, Option<Unit>), QueryError> {
    let wrong = || piece.error("not a number (5, 1.5k, 10M, 1G, 5ms, 1%, 10Mbit)");
    let end = piece
        .text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(piece.text.len());
    let number: f64 = piece.text[..end].parse().map_err(|_| wrong())?;
    let seconds = matches!(column.id, "age" | "idle");
    let ms = if seconds { 1e-3 } else { 1.0 };
    let suffix = piece.text[end..].trim_end_matches("/s");
    let (suffix, unit) = match suffix.strip_suffix("bit").or(suffix.strip_suffix('b')) {
        Some(prefix) => (prefix, Some(Unit::Bits)),
        None => match suffix.strip_suffix('B') {
            Some(prefix) => (prefix, Some(Unit::Bytes)),
            None => (suffix, None),
        },
    };
    let factor = match suffix {
        "" | "%" => 1.0,
        "k" | "K" => 1e3,
        "M" => 1e6,
        "G" => 1e9,
        "T" => 1e12,
        "us" | "µs" => ms * 1e-3,
        "ms" => ms,
        "s" => ms * 1e3,
        "m" if seconds => 60.0,
        "h" if seconds => 3600.0,
        _ => return Err(wrong()),
    };
    Ok((number * factor, unit))
}
