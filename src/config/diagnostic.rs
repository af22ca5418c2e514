//! What is wrong with a configuration, and where: lines, columns and suggestions.
//!
//! Nothing in here knows what a configuration means. Text of a file never reaches a terminal
//! unfiltered: it is made harmless on the way into a [`Diagnostic`].

use std::fmt;

use crate::model::harmless::harmless;

/// One error of a configuration file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// The file's name, as the user gave it.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong, beginning with the key: `RULES.voice: port range 6000-5000 is empty`.
    pub message: String,
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}:{}:{}: {}",
            self.file, self.line, self.column, self.message
        )
    }
}

/// An error at a byte offset, before lines are counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) at: usize,
    pub(super) message: String,
}

/// Turns offsets into lines and columns, in the order of the file, in one pass over the text.
pub(super) fn locate(mut problems: Vec<Problem>, text: &str, file: &str) -> Vec<Diagnostic> {
    problems.sort_by_key(|problem| problem.at);
    let file = harmless(file).into_owned();
    let (mut line, mut column, mut counted_to) = (1, 1, 0);
    let mut found = Vec::with_capacity(problems.len());
    for problem in problems {
        let at = floor_char_boundary(text, problem.at);
        let passed = &text[counted_to..at];
        match passed.rsplit_once('\n') {
            Some((before, after)) => {
                line += 1 + before.matches('\n').count();
                column = 1 + after.chars().count();
            }
            None => column += passed.chars().count(),
        }
        counted_to = at;
        found.push(Diagnostic {
            file: file.clone(),
            line,
            column,
            message: harmless(&problem.message).into_owned(),
        });
    }
    found
}

fn floor_char_boundary(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// A text, cut off where it is too long for a message.
pub(super) fn excerpt(text: &str) -> String {
    const LONGEST: usize = 60;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_string(),
    }
}
