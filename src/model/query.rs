//! The filter language: `port:443 src:10.0.0.0/8 proto:udp loss>1 jitter>5ms !dns`.
//!
//! Terms parted by spaces must all be true, as with `and`; `or` binds less, `!` and `not` more, and
//! brackets most. Words are looked for in what is shown of a flow; fields take values, lists, ranges and
//! prefixes, behind a colon or as tcpdump has it; amounts are compared with any column of numbers,
//! by id, alias or header. What cannot be read is an error with its place, never a filter.

mod checked;
mod lexer;
mod others;
mod parse;
mod state;
mod value;

use std::fmt::Write as _;
use std::net::IpAddr;
use std::ops::RangeInclusive;

use ipnet::IpNet;

use super::column::{Column, Context, Value};
use super::event::EventKind;
use super::flow::{FlowKey, Protocol};
use super::glob::Glob;
use super::preferences::Unit;
use super::tracker::{Flow, Interface};

pub use checked::{Row, Standing};
pub use state::State;
pub use value::{FIELDS, interface_amounts, is_measure};

/// Why a filter cannot be read, and where: characters `start..end` of the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueryError {
    /// First character of the mistake.
    pub start: usize,
    /// The character behind it.
    pub end: usize,
    /// What is wrong and what would be right.
    pub message: String,
}

impl QueryError {
    /// It in words, with the part of this text that is wrong and the number of its first character.
    pub fn told_of(&self, text: &str) -> String {
        let length = self.end.saturating_sub(self.start);
        let wrong: String = text.chars().skip(self.start).take(length).collect();
        let (place, message) = (self.start + 1, &self.message);
        match wrong.trim().is_empty() {
            true => format!("{message}, at character {place}"),
            false => format!("{wrong}: {message}, at character {place}"),
        }
    }
}

/// A filter that was understood. The empty one matches everything.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Query {
    all: Vec<Node>,
}

/// What the terms of a query are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// Flows as they are at a moment: a filter.
    Flows,
    /// Flows over a whole run, and how many of them are taken: of a check.
    FlowsOfRun,
    /// Interfaces over a whole run: of a check.
    Interfaces,
}

/// A term, or terms in brackets or with `or` between them. Negations are those of terms alone.
#[derive(Debug, Clone, PartialEq)]
enum Node {
    Term(Term),
    All(Vec<Node>),
    Any(Vec<Node>),
}

#[derive(Debug, Clone, PartialEq)]
struct Term {
    negated: bool,
    test: Test,
}

/// Which end of a flow is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ends {
    Source,
    Destination,
    Either,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Less,
    LessOrEqual,
    Equal,
    NotEqual,
    GreaterOrEqual,
    Greater,
}

#[derive(Debug, Clone, PartialEq)]
enum Test {
    /// In lower case. Of flows the name of a protocol means those of it.
    Word(String, Vec<Protocol>),
    Address(Ends, Vec<IpNet>),
    Port(Ends, Vec<RangeInclusive<u16>>),
    Protocol(Vec<Protocol>),
    Interface(Vec<Glob>),
    Rule(Vec<Glob>),
    /// `None` in the list: untagged.
    Vlan(Vec<Option<RangeInclusive<u16>>>),
    Is(Vec<&'static State>),
    /// Of events alone.
    Kind(Vec<EventKind>),
    /// The unit is that of a rate's number; `None`: the unit that is shown.
    Amount(&'static Column, Comparison, f64, Option<Unit>),
    /// The same of an interface.
    Counted(&'static Column<Interface>, Comparison, f64, Option<Unit>),
    /// How many flows a check takes.
    Taken(Comparison, f64),
}

impl Query {
    /// The characters that a filter may have.
    pub const LONGEST: usize = 1024;

    /// Reads a filter, in time that grows with its length and no faster.
    pub fn parse(text: &str) -> Result<Query, QueryError> {
        Query::about(Subject::Flows, text)
    }

    /// Reads a filter, or one half of a check.
    pub fn about(subject: Subject, text: &str) -> Result<Query, QueryError> {
        if text.chars().nth(Query::LONGEST).is_some() {
            return Err(QueryError {
                start: Query::LONGEST,
                end: usize::MAX,
                message: Query::too_long(),
            });
        }
        parse::query(subject, text)
    }

    /// What there is to say of more characters than that.
    pub fn too_long() -> String {
        format!("a filter has {} characters at most", Query::LONGEST)
    }

    /// Whether everything matches.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Whether it is a choice between terms, which binds less than terms beside each other.
    pub fn is_choice(&self) -> bool {
        matches!(self.all[..], [Node::Any(_)])
    }

    /// Whether this flow matches; `pinned` are the flows that are pinned to the top. `scratch` is room for its text, kept
    /// from one flow to the next.
    pub fn matches(
        &self,
        flow: &Flow,
        context: &Context,
        pinned: &[FlowKey],
        scratch: &mut String,
    ) -> bool {
        scratch.clear();
        let mut holds =
            |term: &Term| term.test.is_true(flow, context, pinned, scratch) != term.negated;
        self.all.iter().all(|node| node.holds(&mut holds))
    }

    /// Whether it may match something of which so much is known: what is not may be either way.
    fn may(&self, known: impl Fn(&Test) -> Option<bool>) -> bool {
        let mut holds = |term: &Term| known(&term.test).is_none_or(|is| is != term.negated);
        self.all.iter().all(|node| node.holds(&mut holds))
    }
}

impl From<Test> for Node {
    fn from(test: Test) -> Node {
        let negated = false;
        Node::Term(Term { negated, test })
    }
}

impl Node {
    /// The only one of these nodes, or all of them in one.
    fn joined(mut nodes: Vec<Node>, join: fn(Vec<Node>) -> Node) -> Node {
        match nodes.pop() {
            Some(only) if nodes.is_empty() => only,
            last => {
                nodes.extend(last);
                join(nodes)
            }
        }
    }

    fn negated(self) -> Node {
        let each = |nodes: Vec<Node>| nodes.into_iter().map(Node::negated).collect();
        match self {
            Node::Term(Term { negated, test }) => Node::Term(Term {
                negated: !negated,
                test,
            }),
            Node::All(nodes) => Node::Any(each(nodes)),
            Node::Any(nodes) => Node::All(each(nodes)),
        }
    }

    fn holds(&self, term: &mut impl FnMut(&Term) -> bool) -> bool {
        match self {
            Node::Term(it) => term(it),
            Node::All(nodes) => nodes.iter().all(|node| node.holds(term)),
            Node::Any(nodes) => nodes.iter().any(|node| node.holds(term)),
        }
    }
}

impl Test {
    fn is_true(
        &self,
        flow: &Flow,
        context: &Context,
        pinned: &[FlowKey],
        scratch: &mut String,
    ) -> bool {
        match self {
            Test::Word(_, protocols) if !protocols.is_empty() => {
                protocols.contains(&flow.key.protocol)
            }
            Test::Word(word, _) => {
                if scratch.is_empty() {
                    write_shown(flow, context, scratch);
                }
                scratch.contains(word)
            }
            Test::Interface(globs) => has_match(globs, &flow.interface),
            Test::Rule(globs) => flow
                .rule
                .as_deref()
                .is_some_and(|rule| has_match(globs, rule)),
            Test::Is(states) => states
                .iter()
                .any(|state| (state.holds)(flow, context, pinned)),
            Test::Amount(column, comparison, amount, unit) => {
                let number = number_of(&column.value(flow, context), *unit, context);
                number.is_some_and(|number| comparison.holds(number, *amount))
            }
            Test::Kind(_) | Test::Counted(..) | Test::Taken(..) => false,
            by_key => by_key.of_key(&flow.key) == Some(true),
        }
    }

    /// What the key of a flow decides; `None` where that takes more.
    fn of_key(&self, key: &FlowKey) -> Option<bool> {
        Some(match self {
            Test::Address(side, nets) => {
                let within = |address: IpAddr| nets.iter().any(|net| net.contains(&address));
                side.any(within(key.source), within(key.destination))
            }
            Test::Port(side, ranges) => {
                let within = |port| ranges.iter().any(|range| range.contains(&port));
                key.protocol.has_ports()
                    && side.any(within(key.source_port), within(key.destination_port))
            }
            Test::Protocol(protocols) => protocols.contains(&key.protocol),
            Test::Vlan(ids) => ids.iter().any(|range| match (range, key.vlan) {
                (Some(range), Some(id)) => range.contains(&id),
                (None, None) => true,
                _ => false,
            }),
            _ => return None,
        })
    }

    /// What the name of an interface decides; `None` where that takes more.
    fn of_interface(&self, name: &str) -> Option<bool> {
        match self {
            Test::Interface(globs) => Some(has_match(globs, name)),
            _ => None,
        }
    }
}

/// Whether one of these matches the name of an interface or a rule.
fn has_match(globs: &[Glob], name: &str) -> bool {
    globs.iter().any(|glob| glob.matches_in_any_case(name))
}

impl Ends {
    fn any(self, source: bool, destination: bool) -> bool {
        match self {
            Ends::Source => source,
            Ends::Destination => destination,
            Ends::Either => source || destination,
        }
    }
}

/// The number that a cell is compared by: a rate's in this unit, or in the one that is shown.
fn number_of(value: &Value, unit: Option<Unit>, context: &Context) -> Option<f64> {
    match value {
        Value::Rate(bytes) if unit.unwrap_or(context.unit) == Unit::Bits => Some(bytes * 8.0),
        value => value.number(),
    }
}

impl Comparison {
    fn holds(self, left: f64, right: f64) -> bool {
        match self {
            Comparison::Less => left < right,
            Comparison::LessOrEqual => left <= right,
            Comparison::Equal => left == right,
            Comparison::NotEqual => left != right,
            Comparison::GreaterOrEqual => left >= right,
            Comparison::Greater => left > right,
        }
    }
}

/// What words are looked for in: protocol, ends, interface, VLAN, rule; in lower case.
fn write_shown(flow: &Flow, context: &Context, text: &mut String) {
    let key = &flow.key;
    let _ = write!(text, "{} ", key.protocol);
    for (address, port) in [
        (key.source, key.source_port),
        (key.destination, key.destination_port),
    ] {
        let _ = match (key.protocol.has_ports(), address) {
            (true, IpAddr::V6(_)) => write!(text, "[{address}]:{port} {address} "),
            (true, IpAddr::V4(_)) => write!(text, "{address}:{port} "),
            (false, _) => write!(text, "{address} "),
        };
        if let Some(name) = context.names.and_then(|names| names.get(&address)) {
            let _ = write!(text, "{name} ");
        }
    }
    text.push_str(&flow.interface);
    if let Some(vlan) = key.vlan {
        let _ = write!(text, " vlan {vlan}");
    }
    if let Some(rule) = &flow.rule {
        let _ = write!(text, " {rule}");
    }
    text.make_ascii_lowercase();
}
