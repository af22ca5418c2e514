//! The filter line: the text that is being edited, and the filter that it stands for.

use crate::keymap::{Key, KeyChord};
use crate::model::query::{Query, QueryError};

/// The text, where the cursor is, and what it means.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FilterLine {
    text: Vec<char>,
    cursor: usize,
    query: Query,
    error: Option<QueryError>,
}

/// What a key did to the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Edit {
    /// It changed the text.
    Changed,
    /// At most, it moved the cursor.
    Moved,
    /// Enter: the filter stays.
    Accepted,
    /// Escape: the filter goes.
    Cancelled,
    /// Up: the filter before this one is wanted.
    Older,
    /// Down: the one behind it.
    Newer,
    /// There was no room for another character.
    Full,
    /// Nothing: the key has no meaning here.
    Ignored,
}

impl FilterLine {
    /// The text.
    pub fn text(&self) -> String {
        self.text.iter().collect()
    }

    /// The cursor, in characters from the start.
    pub fn cursor(&self) -> usize {
        self.cursor
    }

    /// The filter; it matches everything while the text has a mistake.
    pub(super) fn query(&self) -> &Query {
        &self.query
    }

    /// The mistake in the text.
    pub fn error(&self) -> Option<&QueryError> {
        self.error.as_ref()
    }

    /// Whether nothing is typed.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Empties the line.
    pub(super) fn clear(&mut self) {
        *self = FilterLine::default();
    }

    /// Replaces the line.
    pub(super) fn set(&mut self, text: &str) {
        self.text = text.chars().collect();
        self.cursor = self.text.len();
        self.parse();
    }

    /// Goes to the end, ready for another term.
    pub(super) fn begin(&mut self) {
        if !self.is_empty() {
            self.set(&format!("{} ", self.text().trim_end()));
        }
    }

    /// The text is complete: spaces at its end go.
    pub(super) fn complete(&mut self) {
        self.set(self.text().trim_end());
    }

    /// Edits the line by a key.
    pub(super) fn edit(&mut self, chord: KeyChord) -> Edit {
        if chord.ctrl || chord.alt {
            return self.edit_with_control(chord);
        }
        match chord.key {
            Key::Enter => return Edit::Accepted,
            Key::Esc => return Edit::Cancelled,
            Key::Char(_) if self.text.len() >= Query::LONGEST => return Edit::Full,
            Key::Char(c) => {
                self.text.insert(self.cursor, c);
                self.cursor += 1;
            }
            Key::Backspace if self.cursor > 0 => {
                self.cursor -= 1;
                self.text.remove(self.cursor);
            }
            Key::Delete if self.cursor < self.text.len() => {
                self.text.remove(self.cursor);
            }
            Key::Up => return Edit::Older,
            Key::Down => return Edit::Newer,
            Key::Left => return self.move_to(self.cursor.saturating_sub(1)),
            Key::Right => return self.move_to(self.cursor + 1),
            Key::Home => return self.move_to(0),
            Key::End => return self.move_to(usize::MAX),
            Key::Backspace | Key::Delete => return Edit::Moved,
            _ => return Edit::Ignored,
        }
        self.parse()
    }

    /// Ctrl-A, Ctrl-E, Ctrl-U, Ctrl-K, Ctrl-W, as in a shell.
    fn edit_with_control(&mut self, chord: KeyChord) -> Edit {
        match chord.key {
            Key::Char('a') => return self.move_to(0),
            Key::Char('e') => return self.move_to(usize::MAX),
            Key::Char('u') => {
                self.text.drain(..self.cursor);
                self.cursor = 0;
            }
            Key::Char('k') => self.text.truncate(self.cursor),
            Key::Char('w') => {
                let before = &self.text[..self.cursor];
                let word_end = before.iter().rposition(|c| *c != ' ').map_or(0, |i| i + 1);
                let start = before[..word_end].iter().rposition(|c| *c == ' ');
                let start = start.map_or(0, |i| i + 1);
                self.text.drain(start..self.cursor);
                self.cursor = start;
            }
            _ => return Edit::Ignored,
        }
        self.parse()
    }

    fn move_to(&mut self, cursor: usize) -> Edit {
        self.cursor = cursor.min(self.text.len());
        Edit::Moved
    }

    fn parse(&mut self) -> Edit {
        (self.query, self.error) = match Query::parse(&self.text()) {
            Ok(query) => (query, None),
            Err(error) => (Query::default(), Some(error)),
        };
        Edit::Changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keymap::parse_chord;

    fn typed(keys: &str) -> FilterLine {
        let mut line = FilterLine::default();
        for key in keys.split(' ') {
            line.edit(parse_chord(key).expect(key));
        }
        line
    }

    #[test]
    fn the_line_is_edited_as_in_a_shell() {
        assert_eq!(typed("a b Left c").text(), "acb");
        assert_eq!(typed("a b Left Left Right c").text(), "acb");
        assert_eq!(typed("a b Right c").text(), "abc");
        assert_eq!(typed("a b Home Delete").text(), "b");
        assert_eq!(typed("a b Left Backspace End c").text(), "bc");
        assert_eq!(typed("a Space b c Ctrl-W").text(), "a ");
        assert_eq!(typed("a Space b Space Ctrl-W").text(), "a ");
        assert_eq!(typed("a b Left Ctrl-K").text(), "a");
        assert_eq!(typed("a b Left Ctrl-U").text(), "b");
    }

    #[test]
    fn a_mistake_filters_nothing() {
        let line = typed("l o s s >");
        assert!(line.error().is_some() && line.query().is_empty());
        assert!(!typed("l o s s > 1").query().is_empty());
    }
}
