//! The help over titles and body.

use super::pen::Pen;
use crate::app::layout::Screen;
use crate::app::{App, HELP_KEYS, HelpLine, help_lines};

/// Draws the help, scrolled down this many lines.
pub fn draw(pen: &mut Pen, app: &App, screen: &Screen, scroll: usize) {
    let lines = help_lines(&app.preferences().keymap, screen.width.into());
    let (top, height) = screen.cover();
    let scroll = scroll.min(lines.len().saturating_sub(height.into()));
    for (y, line) in (top..screen.status).zip(&lines[scroll..]) {
        match line {
            HelpLine::Heading(text) => {
                pen.text(1, y, screen.width - 1, text, pen.theme.accent);
            }
            HelpLine::Entry(keys, text) => {
                pen.text(2, y, HELP_KEYS as u16, keys, pen.theme.strong);
                let x = 3 + HELP_KEYS as u16;
                pen.text(x, y, screen.width - x, text, pen.theme.base);
            }
        }
    }
}
