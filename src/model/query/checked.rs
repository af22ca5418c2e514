//! A query as a condition that has to hold: what is not known is not met, whichever way it is asked for.

use super::{Comparison, Node, Query, Term, Test, has_match, number_of};
use crate::model::column::{Context, Value};
use crate::model::flow::FlowKey;
use crate::model::tracker::{Flow, Interface};

/// What a condition is asked about.
#[derive(Debug, Clone, Copy)]
pub enum Row<'a> {
    /// A flow over the whole run.
    Flow(&'a Flow),
    /// An interface over the whole run.
    Interface(&'a Interface),
    /// No flow at all: of flows everything is true.
    Nothing,
}

/// How a row stands to a condition.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Standing {
    /// It holds, and that is known.
    pub is_met: bool,
    /// How far the figure is beyond its bound, as a multiple of that (of a bound of 0, the figure itself); below 0 where it
    /// is within it. Of terms of which all must hold, the worst; of others, the best.
    pub beyond: f64,
}

impl Standing {
    fn of(is_met: bool) -> Standing {
        let beyond = match is_met {
            true => f64::NEG_INFINITY,
            false => f64::INFINITY,
        };
        Standing { is_met, beyond }
    }

    fn and(self, other: Standing) -> Standing {
        Standing {
            is_met: self.is_met && other.is_met,
            beyond: self.beyond.max(other.beyond),
        }
    }

    fn or(self, other: Standing) -> Standing {
        Standing {
            is_met: self.is_met || other.is_met,
            beyond: self.beyond.min(other.beyond),
        }
    }

    /// Whether it is worse than the other one.
    pub fn is_worse_than(&self, other: &Standing) -> bool {
        match self.is_met == other.is_met {
            true => self.beyond > other.beyond,
            false => !self.is_met,
        }
    }
}

impl Query {
    /// How a row stands to this condition, which takes so many flows. `scratch` is room for its text.
    pub fn standing(
        &self,
        row: Row,
        taken: u64,
        context: &Context,
        scratch: &mut String,
    ) -> Standing {
        scratch.clear();
        let mut of_term = |term: &Term| term.standing(row, taken, context, scratch);
        all(&self.all, &mut of_term)
    }

    /// Whether a flow of this key may match, whatever else is true of it.
    pub fn may_match(&self, key: &FlowKey) -> bool {
        self.may(|test| test.of_key(key))
    }

    /// Whether flows on an interface of this name may match.
    pub fn may_match_on(&self, interface: &str) -> bool {
        self.may(|test| test.of_interface(interface))
    }

    /// A word of it that is true of no flow of a run that has not begun: thresholds, pins and events come later.
    pub fn word_of_later(&self) -> Option<&'static str> {
        let mut found = None;
        self.for_each_test(&mut |test| match test {
            Test::Is(states) => {
                let names = states.iter().map(|state| state.name);
                found = names
                    .chain(found)
                    .find(|name| ["alert", "pinned"].contains(name));
            }
            Test::Kind(_) => found = Some("of a kind"),
            _ => {}
        });
        found
    }

    /// Whether the number of flows is asked for.
    pub fn counts_flows(&self) -> bool {
        let counts = |term: &Term| matches!(term.test, Test::Taken(..));
        self.all.iter().any(|node| node.has(&counts))
    }

    /// Whether times of histograms are asked for.
    pub fn asks_for_histograms(&self) -> bool {
        let asks = |term: &Term| match term.test {
            Test::Amount(column, ..) => column.is_of_histogram(),
            _ => false,
        };
        self.all.iter().any(|node| node.has(&asks))
    }

    /// The figures of a row that are compared with a number, each once: the header of its column, and the cell.
    pub fn figures<'a>(
        &self,
        row: Row<'a>,
        context: &Context<'a>,
    ) -> Vec<(&'static str, Value<'a>)> {
        let mut figures: Vec<(&'static str, Value<'a>)> = Vec::new();
        self.for_each_test(&mut |test| {
            let figure = match (test, row) {
                (Test::Amount(column, ..), Row::Flow(flow)) => {
                    (column.title, column.value(flow, context))
                }
                (Test::Counted(column, ..), Row::Interface(interface)) => {
                    (column.title, column.value(interface, context))
                }
                _ => return,
            };
            if figures.iter().all(|(title, _)| *title != figure.0) {
                figures.push(figure);
            }
        });
        figures
    }

    fn for_each_test(&self, tell: &mut impl FnMut(&Test)) {
        self.all.iter().for_each(|node| node.for_each_test(tell));
    }
}

impl Node {
    fn standing(&self, of_term: &mut impl FnMut(&Term) -> Standing) -> Standing {
        match self {
            Node::Term(term) => of_term(term),
            Node::All(nodes) => all(nodes, of_term),
            Node::Any(nodes) => {
                let standings = nodes.iter().map(|node| node.standing(of_term));
                standings.fold(Standing::of(false), Standing::or)
            }
        }
    }

    fn for_each_test(&self, tell: &mut impl FnMut(&Test)) {
        match self {
            Node::Term(term) => tell(&term.test),
            Node::All(nodes) | Node::Any(nodes) => {
                nodes.iter().for_each(|node| node.for_each_test(tell));
            }
        }
    }
}

fn all(nodes: &[Node], of_term: &mut impl FnMut(&Term) -> Standing) -> Standing {
    let standings = nodes.iter().map(|node| node.standing(of_term));
    standings.fold(Standing::of(true), Standing::and)
}

impl Term {
    fn standing(&self, row: Row, taken: u64, context: &Context, scratch: &mut String) -> Standing {
        let compared = |number: Option<f64>, comparison: Comparison, bound: f64| match number {
            Some(number) => self.compared(number, comparison, bound),
            None => Standing::of(false),
        };
        match (&self.test, row) {
            (Test::Taken(comparison, bound), _) => Standing {
                // The same for all rows: which of them is the worst, the other terms say.
                beyond: f64::NEG_INFINITY,
                ..self.compared(taken as f64, *comparison, *bound)
            },
            (_, Row::Nothing) => Standing::of(true),
            (Test::Amount(column, comparison, bound, unit), Row::Flow(flow)) => {
                let value = column.value(flow, context);
                compared(number_of(&value, *unit, context), *comparison, *bound)
            }
            (Test::Counted(column, comparison, bound, unit), Row::Interface(interface)) => {
                let value = column.value(interface, context);
                compared(number_of(&value, *unit, context), *comparison, *bound)
            }
            (test, Row::Flow(flow)) => {
                Standing::of(test.is_true(flow, context, &[], scratch) != self.negated)
            }
            (Test::Interface(globs), Row::Interface(interface)) => {
                Standing::of(has_match(globs, &interface.name) != self.negated)
            }
            (Test::Word(word, _), Row::Interface(interface)) => {
                let name = interface.name.to_ascii_lowercase();
                Standing::of(name.contains(word) != self.negated)
            }
            (_, Row::Interface(_)) => Standing::of(false),
        }
    }

    fn compared(&self, number: f64, comparison: Comparison, bound: f64) -> Standing {
        let scale = if bound == 0.0 { 1.0 } else { bound.abs() };
        let over = (number - bound) / scale;
        let beyond = match comparison {
            Comparison::Less | Comparison::LessOrEqual => over,
            Comparison::Greater | Comparison::GreaterOrEqual => -over,
            Comparison::Equal => over.abs(),
            Comparison::NotEqual => -over.abs(),
        };
        Standing {
            is_met: comparison.holds(number, bound) != self.negated,
            beyond: if self.negated { -beyond } else { beyond },
        }
    }
}
