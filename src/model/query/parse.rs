//! The grammar of the filter language. Positions in errors count characters, as a cursor does.

use super::lexer::{Atom, Kind, Piece, atoms};
use super::value::{Measure, amount, field, fields, is_plain_number, is_unit, protocol};
use super::{Comparison, Node, Query, QueryError, Subject, Test};
use crate::model::similar::suggestion;

/// How deep brackets may nest.
const DEEPEST: usize = 32;

pub(super) fn query(subject: Subject, text: &str) -> Result<Query, QueryError> {
    let mut parser = Parser {
        subject,
        atoms: atoms(text),
        at: 0,
        habit: None,
    };
    if parser.atoms.is_empty() {
        return Ok(Query::default());
    }
    let node = parser.any(0)?;
    match parser.next() {
        Some(atom) => Err(atom.piece.error("there is no bracket to close")),
        None => Ok(Query {
            all: match node {
                Node::All(nodes) => nodes,
                node => vec![node],
            },
        }),
    }
}

struct Parser<'a> {
    subject: Subject,
    atoms: Vec<Atom<'a>>,
    at: usize,
    /// The field that was told as tcpdump takes it, `port 80`: another value may follow, as in `port 80 or 443`.
    habit: Option<&'static str>,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<Kind> {
        self.atoms.get(self.at).map(|atom| atom.kind)
    }

    fn next(&mut self) -> Option<Atom<'a>> {
        let atom = self.atoms.get(self.at).copied();
        self.at += 1;
        atom
    }

    fn next_if(&mut self, kind: Kind) -> Option<Piece<'a>> {
        let atom = self.atoms.get(self.at).filter(|atom| atom.kind == kind)?;
        self.at += 1;
        Some(atom.piece)
    }

    /// The word so many atoms ahead, if there is one.
    fn word(&self, ahead: usize) -> Option<Piece<'a>> {
        let atom = self.atoms.get(self.at + ahead)?;
        (atom.kind == Kind::Word).then_some(atom.piece)
    }

    /// Terms with `or` between them.
    fn any(&mut self, depth: usize) -> Result<Node, QueryError> {
        let mut nodes = vec![self.all(depth)?];
        while self.next_if(Kind::Or).is_some() {
            nodes.push(self.all(depth)?);
        }
        Ok(Node::joined(nodes, Node::Any))
    }

    /// Terms with `and` or nothing between them.
    fn all(&mut self, depth: usize) -> Result<Node, QueryError> {
        let mut nodes = vec![self.factor(depth)?];
        loop {
            match self.peek() {
                None | Some(Kind::Or | Kind::Close) => return Ok(Node::joined(nodes, Node::All)),
                Some(Kind::And) => self.at += 1,
                Some(_) => {}
            }
            nodes.push(self.factor(depth)?);
        }
    }

    /// A term or a group, negated or not.
    fn factor(&mut self, depth: usize) -> Result<Node, QueryError> {
        let mut negated = false;
        while self.next_if(Kind::Not).is_some() {
            negated ^= true;
        }
        let node = match self.peek() {
            Some(Kind::Open) => self.group(depth)?,
            Some(Kind::Word | Kind::Sign(_)) => self.term()?,
            _ => return Err(self.missing()),
        };
        Ok(if negated { node.negated() } else { node })
    }

    /// A term is missing here: what stands before this place asks for one, or what stands here does.
    fn missing(&self) -> QueryError {
        let (piece, side) = match self.at.checked_sub(1) {
            Some(before) => (self.atoms[before].piece, "behind"),
            None => (self.atoms[0].piece, "before"),
        };
        piece.error(format!("{} needs a term {side} it", piece.text))
    }

    fn group(&mut self, depth: usize) -> Result<Node, QueryError> {
        let open = self.atoms[self.at].piece;
        self.at += 1;
        if depth == DEEPEST {
            return Err(open.error(format!("brackets are at most {DEEPEST} deep")));
        }
        let node = self.any(depth + 1)?;
        match self.next_if(Kind::Close) {
            Some(_) => Ok(node),
            None => Err(open.error("this bracket is not closed")),
        }
    }

    fn term(&mut self) -> Result<Node, QueryError> {
        let before = self.at.checked_sub(1).map(|at| self.atoms[at].kind);
        let is_linked = matches!(before, Some(Kind::And | Kind::Or | Kind::Not));
        let habit = self.habit.take().filter(|_| is_linked);
        let Some(piece) = self.next_if(Kind::Word) else {
            let sign = self.atoms[self.at].piece;
            return Err(sign.error("there is nothing to compare (loss>1)"));
        };
        if let Some(Kind::Sign(comparison)) = self.peek() {
            return self.comparison(piece, comparison);
        }
        let test = match self.habitual(piece, habit)? {
            Some(test) => test,
            None => self.plain(piece)?,
        };
        Ok(Node::from(test))
    }

    /// A column and a number, or a field and its value, with a sign between them.
    fn comparison(&mut self, name: Piece, comparison: Comparison) -> Result<Node, QueryError> {
        let sign = self.atoms[self.at].piece;
        self.at += 1;
        let of_field = match comparison {
            Comparison::Equal | Comparison::NotEqual => known_field(name),
            _ => None,
        };
        let measure = Measure::named(self.subject, name);
        if measure.is_none() && of_field.is_none() {
            return Err(Measure::missing(self.subject, name));
        }
        if let Some(Kind::Sign(_)) = self.peek() {
            return Err(sign.error("not a comparison (loss>1)"));
        }
        let value = self.next_if(Kind::Word).unwrap_or(sign.end());
        let Some(measure) = measure.filter(|_| of_field.is_none()) else {
            let node = Node::from(self.valued(name, value)?);
            return Ok(match comparison {
                Comparison::NotEqual => node.negated(),
                _ => node,
            });
        };
        let next = self.word(0).filter(|_| is_plain_number(value));
        let apart = next.filter(|next| is_unit(*next));
        self.at += usize::from(apart.is_some());
        Ok(Node::from(measure.compared(comparison, value, apart)?))
    }

    /// A word, or a field with a colon; the value may stand apart.
    fn plain(&mut self, piece: Piece) -> Result<Test, QueryError> {
        let word = || {
            let text = piece.text.to_ascii_lowercase();
            Ok(Test::Word(text, protocol(piece).unwrap_or_default()))
        };
        let Some(byte) = piece.text.find(':') else {
            let colon = self.word(0).filter(|next| next.text == ":");
            let (Some(colon), Some(_)) = (colon, known_field(piece)) else {
                return word();
            };
            self.at += 1;
            let value = self.next_if(Kind::Word);
            return self.valued(piece, value.unwrap_or(colon.end()));
        };
        let (name, value) = piece.split_at(byte, 1);
        if known_field(name).is_some() {
            let apart = value.text.is_empty().then(|| self.next_if(Kind::Word));
            return self.valued(name, apart.flatten().unwrap_or(value));
        }
        // `2001:db8` and `10.0.0.1:443` are words; `foo:1` is a mistake.
        let letters = name.text.chars().all(|c| c.is_ascii_alphabetic());
        if letters && name.text.chars().any(|c| !c.is_ascii_hexdigit()) {
            return Err(no_field(name));
        }
        word()
    }

    /// A term as tcpdump takes it: `port 53`, `src host 10.0.0.1`, or another value for the one before. The words alone
    /// are words.
    fn habitual(
        &mut self,
        piece: Piece,
        habit: Option<&'static str>,
    ) -> Result<Option<Test>, QueryError> {
        let second = self.word(0).map_or("", |next| next.text);
        let (name, others) = match (piece.text, second) {
            ("src", "port" | "portrange") => ("sport", 1),
            ("dst", "port" | "portrange") => ("dport", 1),
            ("src", "host" | "net") => ("src", 1),
            ("dst", "host" | "net") => ("dst", 1),
            ("port" | "portrange", _) => ("port", 0),
            ("src", _) => ("src", 0),
            ("dst", _) => ("dst", 0),
            ("host" | "net", _) => ("host", 0),
            ("vlan", _) => ("vlan", 0),
            _ => match habit.filter(|name| is_value(piece) && may_be(name, piece)) {
                Some(name) => return self.told(name, piece),
                None => return Ok(None),
            },
        };
        let is_its_value = |value: &Piece| is_value(*value) || name == "vlan" && value.is("none");
        match self.word(others).filter(is_its_value) {
            Some(value) => {
                self.at += others + 1;
                self.told(name, value)
            }
            None => Ok(None),
        }
    }

    /// A field with its value, for which others may be told.
    fn told(&mut self, name: &'static str, value: Piece) -> Result<Option<Test>, QueryError> {
        self.habit = Some(name);
        self.subject.asked_for(name, value)?;
        field(name, value).map(Some)
    }

    /// A field and its value, which may be missing.
    fn valued(&self, name: Piece, value: Piece) -> Result<Test, QueryError> {
        self.subject.asked_for(name.text, name)?;
        match value.text {
            "" => Err(name.error(format!("{}: needs a value", name.text))),
            _ => field(name.text, value),
        }
    }
}

impl Subject {
    /// Whether this field can be asked for here; the error is at this place.
    fn asked_for(self, field: &str, place: Piece) -> Result<(), QueryError> {
        match (self, field) {
            (Subject::Interfaces, "iface") | (Subject::Flows, _) => Ok(()),
            (Subject::Interfaces, _) => {
                Err(place.error(format!("an interface has no {field} (iface:)")))
            }
            (Subject::FlowsOfRun, "is") => Err(place
                .error("this tells of the latest interval, and a check is about the whole run")),
            (Subject::FlowsOfRun, "kind") => Err(place.error("flows have no kind")),
            (Subject::FlowsOfRun, _) => Ok(()),
        }
    }
}

/// Whether it can be another value of the term before: an address is no VLAN.
fn may_be(name: &str, piece: Piece) -> bool {
    name != "vlan" || !piece.text.contains(['.', ':'])
}

/// Whether it can only be meant as an address or a port.
fn is_value(piece: Piece) -> bool {
    piece.text.starts_with(|c: char| c.is_ascii_digit()) || piece.text.contains("::")
}

fn known_field(name: Piece) -> Option<&'static str> {
    fields().find(|field| name.text == *field)
}

/// Why there is no field of this name, with the most similar one.
fn no_field(name: Piece) -> QueryError {
    if amount(name).is_some() {
        return name.error(format!("a number is compared: {}>1", name.text));
    }
    let hint = match suggestion(name.text, fields()) {
        hint if hint.is_empty() => {
            format!(" (there are {})", fields().collect::<Vec<_>>().join(", "))
        }
        hint => hint,
    };
    name.error(format!("no such field{hint}"))
}
