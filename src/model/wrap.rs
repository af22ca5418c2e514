//! Text in lines of a width.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Breaks text between words into lines of at most `width` cells; only longer words are broken themselves.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let (mut used, mut gap) = (0, 0);
    for word in text.split(' ') {
        if gap > 0 && used + gap + word.width() > width {
            lines.push(String::new());
            (used, gap) = (0, 0);
        }
        for c in std::iter::repeat_n(' ', gap).chain(word.chars()) {
            let cells = c.width().unwrap_or(0);
            if used > 0 && used + cells > width {
                lines.push(String::new());
                used = 0;
            }
            if let Some(line) = lines.last_mut() {
                line.push(c);
            }
            used += cells;
        }
        gap = 1;
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_between_words_and_only_long_words_are_broken() {
        assert_eq!(wrap("", 5), [""]);
        assert_eq!(wrap("a bc def", 4), ["a bc", "def"]);
        assert_eq!(wrap("a bc def", 8), ["a bc def"]);
        assert_eq!(
            wrap("in /long/folder is", 6),
            ["in", "/long/", "folder", "is"]
        );
        assert_eq!(wrap("日本語 x", 4), ["日本", "語 x"]);
        assert_eq!(wrap("ab", 0), ["a", "b"]);
    }
}
