//! What the words behind options mean; the errors say what would be right.

use std::net::SocketAddr;
use std::time::Duration;

use super::Rotation;
use crate::config::interval::{self, Limits};
use crate::config::listen;
use crate::model::check::Check;
use crate::model::column::{Column, Sort, by_name, ids};
use crate::model::groups::Group;
use crate::model::ipfix::Collector;
use crate::model::query::Query;
use crate::model::similar::suggestion;

pub(super) fn group(name: &str) -> Result<Group, String> {
    let found = Group::ALL.into_iter().find(|group| group.name() == name);
    found.ok_or_else(|| format!("there are: {}", Group::ALL.map(Group::name).join(", ")))
}

pub(super) fn collector(text: &str) -> Result<Collector, String> {
    Collector::parse(text)
}

/// Columns of flows, in the order in which they are shown.
#[derive(Debug, Clone, PartialEq)]
pub struct ColumnList(pub Vec<&'static Column>);

fn column(name: &str) -> Result<&'static Column, String> {
    by_name(name).ok_or_else(|| {
        let hint = suggestion(name, ids());
        format!("there is no such column{hint}")
    })
}

pub(super) fn order(text: &str) -> Result<Sort, String> {
    Sort::parse_with(text, column)
}

pub(super) fn columns(text: &str) -> Result<ColumnList, String> {
    let mut columns = Vec::new();
    for name in text.split(',').map(str::trim) {
        let column = column(name).map_err(|error| format!("\"{name}\": {error}"))?;
        if columns.contains(&column) {
            return Err(format!("\"{name}\" is there twice"));
        }
        columns.push(column);
    }
    Ok(ColumnList(columns))
}

fn query(text: &str) -> Result<Query, String> {
    Query::parse(text).map_err(|error| error.told_of(text))
}

/// Checks a filter; the error says where the mistake is.
pub(super) fn filter(text: &str) -> Result<String, String> {
    query(text).map(|_| text.to_owned())
}

/// Checks a filter of flows that a run waits for.
pub(super) fn first_flow(text: &str) -> Result<String, String> {
    match query(text)?.word_of_later() {
        Some(word) => Err(format!(
            "no flow is {word} before the run begins (wait for its ends, rule or figures)"
        )),
        None => Ok(text.to_owned()),
    }
}

/// Reads a check; the error says where the mistake is.
pub(super) fn check(text: &str) -> Result<Check, String> {
    Check::parse(text).map_err(|error| error.told_of(text))
}

pub(super) fn listen_address(word: &str) -> Result<SocketAddr, String> {
    listen::read(word)
}

pub(super) fn throughput_interval(word: &str) -> Result<Duration, String> {
    interval::read(word, Limits::THROUGHPUT)
}

pub(super) fn jitter_interval(word: &str) -> Result<Duration, String> {
    interval::read(word, Limits::JITTER)
}

pub(super) fn rotation(word: &str) -> Result<Rotation, String> {
    let read = |(size, files): (&str, &str)| {
        let (number, unit) = match size.as_bytes().last()? {
            b'K' => (&size[..size.len() - 1], 1000),
            b'M' => (&size[..size.len() - 1], 1_000_000),
            b'G' => (&size[..size.len() - 1], 1_000_000_000),
            _ => (size, 1),
        };
        let size = number.parse::<u64>().ok()?.checked_mul(unit)?;
        let files = files.parse().ok().filter(|n| (2..=1000).contains(n))?;
        (size > 0).then_some(Rotation { size, files })
    };
    word.split_once(':').and_then(read).ok_or_else(|| {
        "expected a size and 2 to 1000 files, such as 100M:10 (K, M, G: powers of 1000)".into()
    })
}

pub(super) fn duration(word: &str) -> Result<Duration, String> {
    interval::read(word, Limits::RUN)
}
