//! Text from outside (names of interfaces, rules, hosts and files, errors that quote them) before people see it.
//!
//! Everything that is shown goes through here: screen, standard error, tables and JSON. Two things are refused: what
//! *steers* a terminal or a reader of lines (control characters, line and paragraph separators, the bidirectional
//! controls) and what *hides* (it takes no room, so that two names look like one). Unicode knows them as the general
//! categories Cc, Cf, Zl and Zp, and as the property Default_Ignorable_Code_Point, which adds the fillers and variation
//! selectors that are letters or marks by category. Marks that combine stay: they are how many languages are written.

use std::borrow::Cow;
use std::fmt::Write as _;

/// What stands in the place of a character that is refused.
const REPLACEMENT: char = '\u{fffd}';

/// The ranges of Cc, Cf, Zl, Zp and Default_Ignorable_Code_Point, in order.
const REFUSED: [(char, char); 27] = [
    ('\u{0}', '\u{1f}'),
    ('\u{7f}', '\u{9f}'),
    ('\u{ad}', '\u{ad}'),
    ('\u{34f}', '\u{34f}'),
    ('\u{600}', '\u{605}'),
    ('\u{61c}', '\u{61c}'),
    ('\u{6dd}', '\u{6dd}'),
    ('\u{70f}', '\u{70f}'),
    ('\u{890}', '\u{891}'),
    ('\u{8e2}', '\u{8e2}'),
    ('\u{115f}', '\u{1160}'),
    ('\u{17b4}', '\u{17b5}'),
    ('\u{180b}', '\u{180f}'),
    ('\u{200b}', '\u{200f}'),
    ('\u{2028}', '\u{202e}'),
    ('\u{2060}', '\u{206f}'),
    ('\u{3164}', '\u{3164}'),
    ('\u{fe00}', '\u{fe0f}'),
    ('\u{feff}', '\u{feff}'),
    ('\u{ffa0}', '\u{ffa0}'),
    ('\u{fff0}', '\u{fffb}'),
    ('\u{110bd}', '\u{110bd}'),
    ('\u{110cd}', '\u{110cd}'),
    ('\u{13430}', '\u{1343f}'),
    ('\u{1bca0}', '\u{1bca3}'),
    ('\u{1d173}', '\u{1d17a}'),
    ('\u{e0000}', '\u{e0fff}'),
];

/// Whether a character may be shown.
pub fn is_harmless(c: char) -> bool {
    if c.is_ascii() {
        return !c.is_ascii_control();
    }
    let behind = REFUSED.partition_point(|(first, _)| *first <= c);
    behind == 0 || REFUSED[behind - 1].1 < c
}

/// The text with something else in the place of what may not be shown.
pub fn harmless(text: &str) -> Cow<'_, str> {
    match text.chars().all(is_harmless) {
        true => Cow::Borrowed(text),
        false => Cow::Owned(
            text.chars()
                .map(|c| if is_harmless(c) { c } else { REPLACEMENT })
                .collect(),
        ),
    }
}

/// JSON that says the same, with escapes for what may not be shown; lines stay.
pub fn harmless_json(json: &str) -> Cow<'_, str> {
    let stays = |c: char| is_harmless(c) || c == '\n';
    if json.chars().all(stays) {
        return Cow::Borrowed(json);
    }
    let mut text = String::with_capacity(json.len() + 16);
    for c in json.chars() {
        if stays(c) {
            text.push(c);
            continue;
        }
        for unit in c.encode_utf16(&mut [0; 2]) {
            let _ = write!(text, "\\u{unit:04x}");
        }
    }
    Cow::Owned(text)
}

#[cfg(test)]
mod tests {
    use regex_syntax::hir::{Class, HirKind};

    use super::*;

    /// The crate regex-syntax has its tables from Unicode itself.
    #[test]
    fn the_ranges_are_those_of_unicode() {
        let property = r"[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]";
        let class = regex_syntax::parse(property).expect("properties of Unicode");
        let HirKind::Class(Class::Unicode(class)) = class.kind() else {
            panic!("{class:?}");
        };
        let ranges: Vec<_> = class
            .iter()
            .map(|range| (range.start(), range.end()))
            .collect();
        assert_eq!(ranges, REFUSED);
        for c in '\0'..=char::MAX {
            let is_refused = REFUSED
                .iter()
                .any(|(first, last)| (*first..=*last).contains(&c));
            assert_eq!(is_harmless(c), !is_refused, "{c:?}");
        }
    }

    #[test]
    fn what_steers_or_hides_is_refused_and_what_is_written_stays() {
        let steering = "\u{1b}\u{9b}\n\r\t\u{7f}\u{85}\u{2028}\u{2029}";
        let bidi = "\u{61c}\u{200e}\u{200f}\u{202a}\u{202b}\u{202c}\u{202d}\u{202e}\u{2066}\u{2067}\u{2068}\u{2069}";
        let hiding = "\u{ad}\u{34f}\u{115f}\u{1160}\u{180e}\u{200b}\u{200d}\u{2060}\u{3164}\u{fe0f}\u{feff}\u{ffa0}\u{e0041}\u{e0100}";
        for c in [steering, bidi, hiding]
            .iter()
            .flat_map(|text| text.chars())
        {
            assert_eq!(harmless(&format!("a{c}b")), "a\u{fffd}b", "{c:?}");
        }
        for text in [
            "",
            "eth0",
            "väth",
            "a\u{308}",
            "हिन्दी",
            "日本",
            "العربية",
            "a\\b",
            "🦀",
            "\u{fffd}",
        ] {
            assert_eq!(harmless(text), text);
        }
    }

    #[test]
    fn json_means_the_same_and_is_harmless() {
        let text = "a\u{9b}\u{202e}\u{e0041}\u{7f}\"\\ä";
        let json = serde_json::to_string_pretty(&[text]).expect("JSON");
        let shown = harmless_json(&json);
        assert!(
            shown.chars().all(|c| is_harmless(c) || c == '\n'),
            "{shown}"
        );
        assert!(shown.contains(r"\u009b\u202e\udb40\udc41\u007f"), "{shown}");
        let read: Vec<String> = serde_json::from_str(&shown).expect("JSON");
        assert_eq!(read, [text]);
        assert!(matches!(harmless_json("{\n}"), Cow::Borrowed("{\n}")));
    }
}
