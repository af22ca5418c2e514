//! The help, made from the tables of bindings and columns, so that it cannot be wrong.

use super::empty::wrap;
use super::pen::Pen;
use crate::app::App;
use crate::app::layout::Screen;
use crate::keymap::{BINDINGS, Group};
use crate::model::column::FLOW_COLUMNS;
use crate::model::query::FIELDS;

/// Cells for keys and titles.
const KEYS: usize = 14;

/// The flags in front of rows.
const FLAGS: [(&str, &str); 4] = [
    ("!", "in front of a row: a threshold is crossed"),
    ("*", "in front of a row: pinned to the top"),
    (
        "↓",
        "in front of a row: numbers went missing in the latest interval",
    ),
    ("s", "in front of a row: carries this SSH session"),
];

enum HelpLine {
    Heading(&'static str),
    Entry(String, String),
}

/// Draws the help over titles and body, scrolled down this many lines.
pub fn draw(pen: &mut Pen, app: &App, screen: &Screen, scroll: usize) {
    let lines = lines(app, usize::from(screen.width));
    let top = screen.titles;
    let height = usize::from(screen.status - top);
    let scroll = scroll.min(lines.len().saturating_sub(height));
    for (y, line) in (top..screen.status).zip(&lines[scroll..]) {
        match line {
            HelpLine::Heading(text) => {
                pen.text(1, y, screen.width - 1, text, pen.theme.accent);
            }
            HelpLine::Entry(keys, text) => {
                pen.text(2, y, KEYS as u16, keys, pen.theme.strong);
                let x = 3 + KEYS as u16;
                pen.text(x, y, screen.width - x, text, pen.theme.base);
            }
        }
    }
}

fn lines(app: &App, width: usize) -> Vec<HelpLine> {
    let mut lines = Vec::new();
    let room = width - KEYS - 4;
    let entry = |lines: &mut Vec<HelpLine>, keys: String, text: &str| {
        let mut keys = keys;
        for part in wrap(text, room) {
            lines.push(HelpLine::Entry(std::mem::take(&mut keys), part));
        }
    };
    for group in Group::ALL {
        lines.push(HelpLine::Heading(group.title()));
        for row in BINDINGS.iter().filter(|row| row.group == group) {
            let keys = app.preferences().keymap.keys_text(row.action);
            entry(&mut lines, keys, row.help);
        }
    }
    lines.push(HelpLine::Heading(
        "Filter (terms are joined by and; ! negates)",
    ));
    for (field, help) in FIELDS {
        entry(&mut lines, format!("{field}:"), help);
    }
    let amounts = "any column of numbers with < <= = >= >: loss>1 jitter>5ms rate>10Mbit pps>1k";
    entry(&mut lines, "loss>1".to_owned(), amounts);
    entry(&mut lines, "word".to_owned(), "anything shown of a flow");
    lines.push(HelpLine::Heading("Columns"));
    for (flag, help) in FLAGS {
        entry(&mut lines, flag.to_owned(), help);
    }
    for column in &FLOW_COLUMNS {
        let text = match column.alias {
            Some(alias) => format!("{} ({} or {alias})", column.help, column.id),
            None => format!("{} ({})", column.help, column.id),
        };
        entry(&mut lines, column.title.to_owned(), &text);
    }
    lines
}
