//! A key with its modifiers, as text and back: `q`, `G`, `Ctrl-C`, `PgUp`, `F1`, `Shift-Tab`.
//!
//! A letter carries its own case: there is no Shift beside a character.

use std::fmt;

/// A key, without modifiers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // the names are those on the keys
pub enum Key {
    Char(char),
    F(u8),
    Up,
    Down,
    Left,
    Right,
    PageUp,
    PageDown,
    Home,
    End,
    Enter,
    Esc,
    Tab,
    Backspace,
    Delete,
    Insert,
}

/// A key with its modifiers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyChord {
    /// The key.
    pub key: Key,
    /// Control is held.
    pub ctrl: bool,
    /// Alt is held.
    pub alt: bool,
    /// Shift is held; never beside a character.
    pub shift: bool,
}

impl From<Key> for KeyChord {
    fn from(key: Key) -> KeyChord {
        KeyChord {
            key,
            ctrl: false,
            alt: false,
            shift: false,
        }
    }
}

const NAMES: [(&str, Key); 20] = [
    ("Up", Key::Up),
    ("Down", Key::Down),
    ("Left", Key::Left),
    ("Right", Key::Right),
    ("PgUp", Key::PageUp),
    ("PgDn", Key::PageDown),
    ("PageUp", Key::PageUp),
    ("PageDown", Key::PageDown),
    ("Home", Key::Home),
    ("End", Key::End),
    ("Enter", Key::Enter),
    ("Esc", Key::Esc),
    ("Escape", Key::Esc),
    ("Tab", Key::Tab),
    ("Space", Key::Char(' ')),
    ("Backspace", Key::Backspace),
    ("Delete", Key::Delete),
    ("Insert", Key::Insert),
    ("Return", Key::Enter),
    ("Del", Key::Delete),
];

impl KeyChord {
    /// The key as the configuration has it: [`parse_chord`] reads it back.
    pub fn name(&self) -> String {
        let key = match self.key {
            Key::F(n) => format!("F{n}"),
            Key::Char(c) if c != ' ' && self.ctrl => c.to_ascii_uppercase().to_string(),
            Key::Char(c) if c != ' ' => c.to_string(),
            key => {
                let name = NAMES.iter().find(|(_, named)| *named == key);
                name.map_or("?", |(name, _)| name).to_string()
            }
        };
        self.modifiers() + &key
    }

    fn modifiers(&self) -> String {
        let modifiers = [
            (self.ctrl, "Ctrl-"),
            (self.alt, "Alt-"),
            (self.shift, "Shift-"),
        ];
        let held = modifiers.iter().filter(|(is_held, _)| *is_held);
        held.map(|(_, name)| *name).collect()
    }

    /// Control with a letter, whatever its case.
    pub fn control(letter: char) -> KeyChord {
        KeyChord {
            ctrl: true,
            ..Key::Char(letter.to_ascii_lowercase()).into()
        }
    }
}

impl fmt::Display for KeyChord {
    /// For people: an arrow is drawn.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let arrow = match self.key {
            Key::Up => "↑",
            Key::Down => "↓",
            Key::Left => "←",
            Key::Right => "→",
            _ => return f.write_str(&self.name()),
        };
        write!(f, "{}{arrow}", self.modifiers())
    }
}

/// Reads a key: modifiers `Ctrl-`, `Alt-`, `Shift-`, then a character, a name or F1 to F12; any case.
pub fn parse_chord(text: &str) -> Result<KeyChord, String> {
    let mut rest = text;
    let mut chord = KeyChord::from(Key::Esc);
    loop {
        let lower = rest.to_ascii_lowercase();
        let (held, length) = if lower.starts_with("ctrl-") {
            (&mut chord.ctrl, 5)
        } else if lower.starts_with("alt-") {
            (&mut chord.alt, 4)
        } else if lower.starts_with("shift-") {
            (&mut chord.shift, 6)
        } else {
            break;
        };
        *held = true;
        rest = &rest[length..];
    }
    chord.key = parse_key(rest).ok_or_else(|| {
        format!("no such key: {text} (a character, F1 to F12, Up, PgUp, Space, Ctrl-X, ...)")
    })?;
    normalise(chord).ok_or_else(|| format!("no terminal sends {text}"))
}

fn parse_key(text: &str) -> Option<Key> {
    let mut chars = text.chars();
    if let (Some(c), None) = (chars.next(), chars.next()) {
        return (!c.is_control()).then_some(Key::Char(c));
    }
    let named = NAMES
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(text));
    if let Some((_, key)) = named {
        return Some(*key);
    }
    let number = text.strip_prefix(['F', 'f'])?.parse().ok()?;
    (1..=12).contains(&number).then_some(Key::F(number))
}

/// Terminals send Shift inside the character, and Control without case.
fn normalise(mut chord: KeyChord) -> Option<KeyChord> {
    if let Key::Char(c) = chord.key {
        if chord.ctrl {
            chord.key = Key::Char(c.to_ascii_lowercase());
        } else if chord.shift {
            chord.key = Key::Char(c.to_uppercase().next()?);
        }
        if chord.ctrl && !c.is_ascii() {
            return None;
        }
        chord.shift = false;
    }
    Some(chord)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chords_are_read_in_any_case() {
        for (text, shown) in [
            ("q", "q"),
            ("G", "G"),
            ("shift-g", "G"),
            ("ctrl-c", "Ctrl-C"),
            ("Ctrl-C", "Ctrl-C"),
            ("pgup", "PgUp"),
            ("space", "Space"),
            ("f12", "F12"),
            ("alt-x", "Alt-x"),
            ("Shift-Tab", "Shift-Tab"),
            ("-", "-"),
            ("up", "↑"),
        ] {
            assert_eq!(
                parse_chord(text).map(|c| c.to_string()).as_deref(),
                Ok(shown)
            );
        }
    }

    #[test]
    fn a_name_is_read_back_to_its_key() {
        let names = NAMES.map(|(name, _)| name);
        for key in names
            .into_iter()
            .chain(["F1", "F12", "x", "X", "-", "ü", "?"])
        {
            for held in ["", "Ctrl-", "Alt-", "Shift-", "Ctrl-Alt-Shift-"] {
                if let Ok(chord) = parse_chord(&format!("{held}{key}")) {
                    assert_eq!(parse_chord(&chord.name()), Ok(chord), "{held}{key}");
                }
            }
        }
    }

    #[test]
    fn what_is_no_key_is_an_error() {
        for text in ["", "F0", "F13", "Hyper-x", "ctrl-", "Ctrl-ä", "\u{1b}"] {
            assert!(parse_chord(text).is_err(), "{text:?}");
        }
    }
}
