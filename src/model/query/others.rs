//! What a filter means for rows that are not flows: events, interfaces and rules.

use std::fmt::Write as _;

use super::{Node, Query, Term, Test, has_match};
use crate::model::column::Context;
use crate::model::event::Event;
use crate::model::flow::FlowKey;
use crate::model::tracker::Flow;

impl Query {
    /// Whether this event matches: by its words and its kind, and by the flow that it is about. `flow` is that one, if it
    /// is listed; of one that is not, only the key is known, and what asks for more is not true of it.
    pub fn matches_event(
        &self,
        event: &Event,
        flow: Option<&Flow>,
        context: &Context,
        pinned: &[FlowKey],
        scratch: &mut String,
    ) -> bool {
        scratch.clear();
        let mut is_true = |test: &Test| match test {
            Test::Word(word, _) => {
                if scratch.is_empty() {
                    let _ = write!(scratch, "{} {}", event.kind.name(), event.text);
                    scratch.make_ascii_lowercase();
                }
                scratch.contains(word)
            }
            Test::Kind(kinds) => kinds.contains(&event.kind),
            test => {
                let known = event.flow.as_ref().and_then(|key| test.of_key(key));
                let asked = || flow.is_some_and(|f| test.is_true(f, context, pinned, scratch));
                known.unwrap_or_else(asked)
            }
        };
        let mut holds = |term: &Term| is_true(&term.test) != term.negated;
        self.all.iter().all(|node| node.holds(&mut holds))
    }

    /// Whether a term asks for more of a flow than its key says.
    pub fn asks_for_flows(&self) -> bool {
        let asks = |term: &Term| {
            let test = &term.test;
            matches!(
                test,
                Test::Interface(_) | Test::Rule(_) | Test::Is(_) | Test::Amount(..)
            )
        };
        self.all.iter().any(|node| node.has(&asks))
    }

    /// Whether an interface of this name matches, which is shown by this text. Terms on anything else do not concern it.
    pub fn matches_interface(&self, name: &str, text: &str) -> bool {
        self.concerns(text, |test| test.of_interface(name))
    }

    /// Whether a rule of this name matches. Terms on anything else do not concern it.
    pub fn matches_rule(&self, name: &str) -> bool {
        self.concerns(name, |test| match test {
            Test::Rule(globs) => Some(has_match(globs, name)),
            _ => None,
        })
    }

    fn concerns(&self, text: &str, own: impl Fn(&Test) -> Option<bool>) -> bool {
        let text = text.to_ascii_lowercase();
        self.may(|test| match test {
            Test::Word(word, _) => Some(text.contains(word)),
            test => own(test),
        })
    }
}

impl Node {
    pub(super) fn has(&self, wanted: &impl Fn(&Term) -> bool) -> bool {
        match self {
            Node::Term(term) => wanted(term),
            Node::All(nodes) | Node::Any(nodes) => nodes.iter().any(|node| node.has(wanted)),
        }
    }
}
