//! Text by what stands in a place of its own: a character and the marks on it, which take no cells.

use std::ops::Range;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::model::harmless::harmless;

/// A character with the marks behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glyph {
    /// What is drawn.
    pub text: String,
    /// Which characters of the whole text it is.
    pub range: Range<usize>,
}

/// The glyphs of a text as it is drawn. A mark at its beginning stands on a space.
pub fn glyphs(text: &str) -> Vec<Glyph> {
    let mut glyphs: Vec<Glyph> = Vec::new();
    for (index, c) in harmless(text).chars().enumerate() {
        let is_mark = c.width() == Some(0);
        match glyphs.last_mut() {
            Some(glyph) if is_mark => {
                glyph.text.push(c);
                glyph.range.end = index + 1;
            }
            _ => glyphs.push(Glyph {
                text: if is_mark { format!(" {c}") } else { c.into() },
                range: index..index + 1,
            }),
        }
    }
    glyphs
}

/// The glyphs to draw in so many cells: from the first one on, as long as the cursor is among them.
pub fn around(glyphs: &[Glyph], cursor: usize, cells: usize) -> &[Glyph] {
    let at = glyphs.iter().position(|it| it.range.contains(&cursor));
    let end = at.map_or(glyphs.len(), |at| at + 1);
    let start = end - fitting(glyphs[..end].iter().rev(), cells);
    let shown = &glyphs[start..];
    &shown[..fitting(shown.iter(), cells)]
}

/// How many of these fit, one beside the other.
fn fitting<'a>(glyphs: impl Iterator<Item = &'a Glyph>, cells: usize) -> usize {
    let ends = glyphs.scan(0, |end, glyph| {
        *end += glyph.text.width();
        Some(*end)
    });
    ends.take_while(|end| *end <= cells).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(glyphs: &[Glyph]) -> Vec<&str> {
        glyphs.iter().map(|glyph| glyph.text.as_str()).collect()
    }

    #[test]
    fn marks_belong_to_the_character_before_them() {
        let line = glyphs("ae\u{301}\u{323}日");
        assert_eq!(texts(&line), ["a", "e\u{301}\u{323}", "日"]);
        let ranges: Vec<_> = line.iter().map(|glyph| glyph.range.clone()).collect();
        assert_eq!(ranges, [0..1, 1..4, 4..5]);
        assert_eq!(texts(&glyphs("\u{301}a")), [" \u{301}", "a"]);
        // What is not shown itself has a cell for what stands in its place.
        assert_eq!(texts(&glyphs("a\u{200d}")), ["a", "\u{fffd}"]);
        assert!(glyphs("").is_empty());
    }

    #[test]
    fn as_many_glyphs_are_drawn_as_have_cells_and_the_cursor_is_among_them() {
        let line = glyphs("日本e\u{301}x ");
        for (cursor, cells, shown) in [
            (0, 7, "日本e\u{301}x "),
            (0, 4, "日本"),
            (0, 3, "日"),
            (2, 4, "本e\u{301}x"),
            (3, 4, "本e\u{301}x"),
            (5, 3, "e\u{301}x "),
            (5, 4, "e\u{301}x "),
            (5, 5, "本e\u{301}x "),
            (0, 1, ""),
        ] {
            let texts = texts(around(&line, cursor, cells)).concat();
            assert_eq!(texts, shown, "{cursor} in {cells}");
        }
        assert!(around(&[], 0, 5).is_empty());
    }
}
