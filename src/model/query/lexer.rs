//! A filter's text in pieces: words, comparisons, negations and brackets, each with its place in characters.

use super::{Comparison, QueryError};

/// A piece of the text and where it starts, in characters.
#[derive(Debug, Clone, Copy)]
pub(super) struct Piece<'a> {
    pub(super) text: &'a str,
    start: usize,
}

impl<'a> Piece<'a> {
    /// A text that stands alone.
    pub(super) fn of(text: &'a str) -> Piece<'a> {
        Piece { text, start: 0 }
    }

    pub(super) fn error(self, message: impl Into<String>) -> QueryError {
        let length = self.text.chars().count().max(1);
        QueryError {
            start: self.start,
            end: self.start + length,
            message: message.into(),
        }
    }

    /// The text up to this byte, and from `skip` bytes behind it on.
    pub(super) fn split_at(self, byte: usize, skip: usize) -> (Piece<'a>, Piece<'a>) {
        let (head, tail) = (&self.text[..byte], &self.text[byte + skip..]);
        let start = self.start + self.text[..byte + skip].chars().count();
        let head = Piece { text: head, ..self };
        (head, Piece { text: tail, start })
    }

    pub(super) fn split(self, separator: char) -> Vec<Piece<'a>> {
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

    /// The place behind it.
    pub(super) fn end(self) -> Piece<'a> {
        self.split_at(self.text.len(), 0).1
    }

    pub(super) fn is(self, word: &str) -> bool {
        self.text.eq_ignore_ascii_case(word)
    }
}

/// What an atom is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Kind {
    Word,
    And,
    Or,
    /// `not` or `!`.
    Not,
    Open,
    Close,
    Sign(Comparison),
}

/// The smallest thing that means something.
#[derive(Debug, Clone, Copy)]
pub(super) struct Atom<'a> {
    pub(super) kind: Kind,
    pub(super) piece: Piece<'a>,
}

const SIGNS: [(&str, Comparison); 7] = [
    (">=", Comparison::GreaterOrEqual),
    ("<=", Comparison::LessOrEqual),
    ("!=", Comparison::NotEqual),
    ("==", Comparison::Equal),
    (">", Comparison::Greater),
    ("<", Comparison::Less),
    ("=", Comparison::Equal),
];

const KEYWORDS: [(&str, Kind); 3] = [("and", Kind::And), ("or", Kind::Or), ("not", Kind::Not)];

fn keyword(piece: Piece) -> Option<Kind> {
    let found = KEYWORDS.iter().find(|(word, _)| piece.is(word));
    found.map(|(_, kind)| *kind)
}

/// The atoms of a text.
pub(super) fn atoms(text: &str) -> Vec<Atom<'_>> {
    let mut atoms = Vec::new();
    let mut rest = Piece::of(text);
    loop {
        let spaces = rest.text.len() - rest.text.trim_start_matches(' ').len();
        rest = rest.split_at(spaces, 0).1;
        let Some((kind, length)) = first(rest) else {
            return atoms;
        };
        let (piece, behind) = rest.split_at(length, 0);
        atoms.push(Atom { kind, piece });
        rest = behind;
    }
}

/// What a text begins with, and its length in bytes.
fn first(rest: Piece) -> Option<(Kind, usize)> {
    let sign = SIGNS.iter().find(|(sign, _)| rest.text.starts_with(sign));
    if let Some((sign, comparison)) = sign {
        return Some((Kind::Sign(*comparison), sign.len()));
    }
    let kind = match rest.text.chars().next()? {
        '!' => Kind::Not,
        '(' => Kind::Open,
        ')' => Kind::Close,
        _ => {
            let word = rest.split_at(word_length(rest), 0).0;
            return Some((keyword(word).unwrap_or(Kind::Word), word.text.len()));
        }
    };
    Some((kind, 1))
}

/// A word ends at a space, a comparison, or a bracket that is not its own: `web(tcp)` is one, `not(udp)` is not.
fn word_length(rest: Piece) -> usize {
    let mut open = 0_usize;
    for (at, c) in rest.text.char_indices() {
        match c {
            ' ' | '<' | '>' | '=' => return at,
            '!' if rest.text[at..].starts_with("!=") => return at,
            '(' if keyword(rest.split_at(at, 0).0).is_some() => return at,
            '(' => open += 1,
            ')' if open == 0 => return at,
            ')' => open -= 1,
            _ => {}
        }
    }
    rest.text.len()
}
