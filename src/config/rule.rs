//! The text form of a rule: `source destination source-port destination-port protocol`.
//!
//! `-` means any, a field may be a list `[a,b,c]`. Owns reading that text into a
//! [`Rule`] with every error and its place, and writing a rule back as text.
//! Knows nothing of files: places are byte offsets in the rule's own text.

use std::collections::HashSet;
use std::fmt::Display;
use std::hash::Hash;
use std::net::IpAddr;
use std::ops::RangeInclusive;

use ipnet::IpNet;

use super::diagnostic::excerpt;
use crate::model::flow::Protocol;
use crate::model::rule::{MAX_RULE_TERMS, Rule};
use crate::model::similar::suggestion;

/// The names of the five fields, in their order.
pub const FIELDS: [&str; 5] = [
    "source",
    "destination",
    "source-port",
    "destination-port",
    "protocol",
];

/// One error in the text of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleError {
    /// Byte offset in the rule's text.
    pub at: usize,
    /// What is wrong there.
    pub message: String,
}

/// A part of the rule's text and where it begins.
#[derive(Clone, Copy)]
struct FieldText<'a> {
    at: usize,
    text: &'a str,
}

/// Reads the five fields, or finds all errors in them. The rule has no profile of its own.
pub fn parse(name: &str, text: &str) -> Result<Rule, Vec<RuleError>> {
    let pieces = split(text).map_err(|error| vec![error])?;
    let mut errors = Vec::new();
    let [source, destination, source_port, destination_port, protocol] = pieces;
    let mut rule = Rule {
        name: name.to_string(),
        sources: list(source, address, &mut errors),
        destinations: list(destination, address, &mut errors),
        source_ports: list(source_port, port, &mut errors),
        destination_ports: list(destination_port, port, &mut errors),
        protocols: Vec::new(),
        profile: None,
        histogram: false,
        export: 0,
    };
    for group in list(protocol, protocols, &mut errors) {
        rule.protocols.extend_from_slice(group);
    }
    rule.protocols.sort();
    rule.protocols.dedup();
    if errors.is_empty() {
        errors.extend(impossible(&rule, &pieces));
    }
    if errors.is_empty() {
        Ok(rule)
    } else {
        Err(errors)
    }
}

/// The rule as text that [`parse`] reads back to the same fields.
pub fn to_text(rule: &Rule) -> String {
    let ports = |ports: &[RangeInclusive<u16>]| bracketed(ports.iter().map(port_text));
    [
        bracketed(rule.sources.iter().map(address_text)),
        bracketed(rule.destinations.iter().map(address_text)),
        ports(&rule.source_ports),
        ports(&rule.destination_ports),
        bracketed(protocol_words(&rule.protocols).into_iter()),
    ]
    .join(" ")
}

/// The words that a rule uses for these protocols; ICMP stands for both families.
pub fn protocol_words(protocols: &[Protocol]) -> Vec<&'static str> {
    let both = protocols.contains(&Protocol::Icmp);
    protocols
        .iter()
        .filter_map(|protocol| match protocol {
            Protocol::Tcp => Some("TCP"),
            Protocol::Udp => Some("UDP"),
            Protocol::Icmp => Some("ICMP"),
            Protocol::Icmpv6 => (!both).then_some("ICMPV6"),
        })
        .collect()
}

/// An address without its prefix length where that is the whole address.
pub fn address_text(net: &IpNet) -> String {
    if net.prefix_len() == net.max_prefix_len() {
        net.addr().to_string()
    } else {
        net.to_string()
    }
}

/// A port, or a range of ports.
pub fn port_text(range: &RangeInclusive<u16>) -> String {
    if range.start() == range.end() {
        range.start().to_string()
    } else {
        format!("{}-{}", range.start(), range.end())
    }
}

fn bracketed(items: impl Iterator<Item = impl Display>) -> String {
    let items: Vec<String> = items.map(|item| item.to_string()).collect();
    match items.as_slice() {
        [] => "-".into(),
        [one] => one.clone(),
        _ => format!("[{}]", items.join(",")),
    }
}

fn split(text: &str) -> Result<[FieldText<'_>; 5], RuleError> {
    let mut pieces = Vec::new();
    let mut start = None;
    let mut open = None;
    for (at, c) in text.char_indices() {
        match c {
            '[' => open = open.or(Some(at)),
            ']' => open = None,
            c if c.is_whitespace() => {
                if let Some(open) = open {
                    return Err(broken_list(text, open, at));
                }
                if let Some(at_start) = start.take() {
                    pieces.push(piece(text, at_start, at));
                }
                continue;
            }
            _ => {}
        }
        start = start.or(Some(at));
    }
    pieces.extend(start.map(|start| piece(text, start, text.len())));
    <[FieldText; 5]>::try_from(pieces).map_err(|pieces| RuleError {
        at: pieces.get(FIELDS.len()).map_or(0, |extra| extra.at),
        message: format!(
            "a rule has five fields ({}), this one has {}",
            FIELDS.join(" "),
            pieces.len()
        ),
    })
}

fn piece(text: &str, start: usize, end: usize) -> FieldText<'_> {
    FieldText {
        at: start,
        text: &text[start..end],
    }
}

/// White space inside brackets: either a list with spaces in it, or one that is never closed.
fn broken_list(text: &str, open: usize, space: usize) -> RuleError {
    let rest = &text[open + 1..];
    match rest.find(['[', ']']) {
        Some(end) if rest[end..].starts_with(']') => {
            let list: String = rest[..end].split_whitespace().collect();
            RuleError {
                at: space,
                message: format!("a space inside a list: write [{}]", excerpt(&list)),
            }
        }
        _ => RuleError {
            at: open,
            message: "the list that begins here is not closed: ] is missing".into(),
        },
    }
}

/// The items of a field; `-` is none of them, which means any.
fn list<T: Clone + Eq + Hash>(
    field: FieldText<'_>,
    read: fn(&str) -> Result<T, String>,
    errors: &mut Vec<RuleError>,
) -> Vec<T> {
    let (inside, at) = match field.text.strip_prefix('[') {
        Some(rest) => (rest, field.at + 1),
        None if field.text == "-" => return Vec::new(),
        None => (field.text, field.at),
    };
    let bracketed = at != field.at;
    let inside = match inside.strip_suffix(']') {
        Some(inside) if bracketed => inside,
        None if !bracketed => inside,
        _ => {
            let message = "a list is written [a,b,c], with one bracket at each end".into();
            errors.push(RuleError {
                at: field.at,
                message,
            });
            return Vec::new();
        }
    };
    let mut at = at;
    let mut seen = HashSet::new();
    let mut items = Vec::new();
    if inside.is_empty() {
        errors.push(RuleError {
            at: field.at,
            message: "the list is empty (write - for any)".into(),
        });
        return Vec::new();
    }
    let separator = |c: char| bracketed && c == ',';
    for text in inside.split(separator) {
        match item(text, bracketed, read) {
            Ok(item) if seen.insert(item.clone()) => items.push(item),
            Ok(_) => {}
            Err(message) => errors.push(RuleError { at, message }),
        }
        at += text.len() + 1;
    }
    items
}

fn item<T>(text: &str, in_list: bool, read: fn(&str) -> Result<T, String>) -> Result<T, String> {
    match text {
        "" if in_list => Err("an item of the list is empty".into()),
        "-" if in_list => Err("- means any, it can't be one item of a list".into()),
        _ if !in_list && text.contains(',') => Err(format!(
            "a list is written in brackets: [{}]",
            excerpt(text)
        )),
        _ => read(text),
    }
}

fn address(text: &str) -> Result<IpNet, String> {
    let (address, prefix) = match text.split_once('/') {
        Some((address, prefix)) => (address, Some(prefix)),
        None => (text, None),
    };
    let address: IpAddr = address
        .parse()
        .map_err(|_| format!("\"{}\" is not an IPv4 or IPv6 address", excerpt(address)))?;
    let longest = if address.is_ipv4() { 32 } else { 128 };
    let length = match prefix {
        None => longest,
        Some(digits) => number(digits)
            .ok_or_else(|| format!("\"{}\" is not a prefix length", excerpt(digits)))?,
    };
    u8::try_from(length)
        .ok()
        .and_then(|length| IpNet::new(address, length).ok())
        .map(|net| net.trunc())
        .ok_or_else(|| {
            let family = if address.is_ipv4() { "IPv4" } else { "IPv6" };
            let length = excerpt(prefix.unwrap_or_default());
            format!("prefix length {length} is too long, {family} has {longest} bits")
        })
}

fn port(text: &str) -> Result<RangeInclusive<u16>, String> {
    let one = |digits: &str| {
        let port = number(digits)
            .ok_or_else(|| format!("\"{}\" is not a port or a range of ports", excerpt(text)))?;
        u16::try_from(port).map_err(|_| format!("port {} is larger than 65535", excerpt(digits)))
    };
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (one(first)?, one(last)?);
    if first > last {
        return Err(format!("port range {first}-{last} is empty"));
    }
    Ok(first..=last)
}

/// Decimal digits and nothing else; a number that does not fit becomes the largest one.
fn number(digits: &str) -> Option<u64> {
    let all_digits = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    all_digits.then(|| digits.parse().unwrap_or(u64::MAX))
}

fn protocols(text: &str) -> Result<&'static [Protocol], String> {
    const WORDS: [(&str, &[Protocol]); 4] = [
        ("TCP", &[Protocol::Tcp]),
        ("UDP", &[Protocol::Udp]),
        ("ICMP", &[Protocol::Icmp, Protocol::Icmpv6]),
        ("ICMPV6", &[Protocol::Icmpv6]),
    ];
    WORDS
        .iter()
        .find(|(word, _)| word.eq_ignore_ascii_case(text))
        .map(|(_, protocols)| *protocols)
        .ok_or_else(|| {
            format!(
                "\"{}\" is not a protocol: TCP, UDP, ICMP or ICMPV6{}",
                excerpt(text),
                suggestion(text, WORDS.iter().map(|(word, _)| *word))
            )
        })
}

/// Why no packet could ever match, or the kernel program could not hold the rule.
fn impossible(rule: &Rule, pieces: &[FieldText<'_>; 5]) -> Option<RuleError> {
    let [_, destination, source_port, destination_port, _] = pieces;
    let families = |nets: &[IpNet], v4: bool| {
        nets.is_empty() || nets.iter().any(|net| net.addr().is_ipv4() == v4)
    };
    let common = |v4| families(&rule.sources, v4) && families(&rule.destinations, v4);
    let ports = [
        (&rule.source_ports, source_port),
        (&rule.destination_ports, destination_port),
    ];
    let with_ports = ports.iter().find(|(ports, _)| !ports.is_empty());
    let has_ports = |protocol: &Protocol| protocol.has_ports();
    let portless = !rule.protocols.is_empty() && !rule.protocols.iter().any(has_ports);
    if !common(true) && !common(false) {
        let message =
            "never matches: source and destination are of different families (IPv4, IPv6)";
        return Some(error_at(destination, message));
    }
    match with_ports {
        Some((_, piece)) if portless => Some(error_at(
            piece,
            "never matches: ICMP has no ports (write - here)",
        )),
        _ if rule.terms() > MAX_RULE_TERMS => Some(RuleError {
            at: 0,
            message: format!(
                "the lists multiply to {} terms, at most {MAX_RULE_TERMS} are possible",
                rule.terms()
            ),
        }),
        _ => None,
    }
}

fn error_at(piece: &FieldText<'_>, message: &str) -> RuleError {
    RuleError {
        at: piece.at,
        message: message.into(),
    }
}
