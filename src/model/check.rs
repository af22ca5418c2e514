//! Checks: `SELECTION => CONDITION`, judged at the end of a run.
//!
//! Each flow that the selection takes has to satisfy the condition, over the whole run and not its latest interval, and
//! at least one has to be taken. A condition of counts that only interfaces have is one of interfaces. What cannot be
//! told for sure does not hold.

mod judge;
mod table;

use super::flow::FlowKey;
use super::query::{Query, QueryError, Subject, is_measure};

pub use judge::{Outcome, Verdict, judge};
pub use table::{table, unmet};

/// A check that was understood.
#[derive(Debug, Clone, PartialEq)]
pub struct Check {
    text: String,
    selection: Query,
    condition: Query,
    is_of_interfaces: bool,
}

impl Check {
    /// What parts the halves.
    const ARROW: &str = "=>";

    /// Reads a check; errors have places in the whole text.
    pub fn parse(text: &str) -> Result<Check, QueryError> {
        let Some(arrow) = text.find(Check::ARROW) else {
            let end = text.chars().count();
            return Err(QueryError {
                start: end,
                end: end + 1,
                message: "a check is SELECTION => CONDITION ('port:5201 => loss<0.1')".to_owned(),
            });
        };
        let (selection, condition) = (&text[..arrow], &text[arrow + Check::ARROW.len()..]);
        let place = text[..arrow].chars().count();
        let behind = place + Check::ARROW.len();
        if condition.trim().is_empty() {
            return Err(QueryError {
                start: place,
                end: behind,
                message: "a condition is missing behind it (loss<0.1, flows>=1)".to_owned(),
            });
        }
        let (subject, condition) =
            Check::condition(condition).map_err(|error| shifted(error, behind))?;
        Ok(Check {
            text: text.trim().to_owned(),
            selection: Query::about(subject, selection)?,
            condition,
            is_of_interfaces: subject == Subject::Interfaces,
        })
    }

    /// A condition, and what it is about: of flows, unless a count is in it that only interfaces have.
    fn condition(text: &str) -> Result<(Subject, Query), QueryError> {
        let of_flows = match Query::about(Subject::FlowsOfRun, text) {
            Ok(condition) => return Ok((Subject::FlowsOfRun, condition)),
            Err(error) => error,
        };
        if !is_measure(Subject::Interfaces, part(text, &of_flows)) {
            return Err(of_flows);
        }
        match Query::about(Subject::Interfaces, text) {
            Ok(condition) => Ok((Subject::Interfaces, condition)),
            Err(error) if is_measure(Subject::FlowsOfRun, part(text, &error)) => {
                let message =
                    "this is of flows, and other terms are of interfaces: make it two checks";
                Err(QueryError {
                    message: message.to_owned(),
                    ..error
                })
            }
            Err(error) => Err(error),
        }
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether a flow of this key may be taken, whatever else is true of it.
    pub fn may_take(&self, key: &FlowKey) -> bool {
        !self.is_of_interfaces && self.selection.may_match(key)
    }
}

/// The part of a text that an error is about.
fn part<'a>(text: &'a str, error: &QueryError) -> &'a str {
    let byte = |character| text.char_indices().nth(character).map(|(byte, _)| byte);
    let start = byte(error.start).unwrap_or(text.len());
    let end = byte(error.end).unwrap_or(text.len());
    text[start..end].trim()
}

/// The same error of a text with so many characters before it.
fn shifted(error: QueryError, by: usize) -> QueryError {
    QueryError {
        start: error.start + by,
        end: error.end.saturating_add(by),
        ..error
    }
}
