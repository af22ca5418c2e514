//! `--ascii`: replaces what is not ASCII by something similar, once a frame is drawn.

use ratatui::buffer::Buffer;

const LIKENESS: [(&str, &str); 32] = [
    ("▁", "."),
    ("▂", ","),
    ("▃", "-"),
    ("▄", "="),
    ("▅", "+"),
    ("▆", "*"),
    ("▇", "%"),
    ("█", "#"),
    ("░", "-"),
    ("…", "~"),
    ("µ", "u"),
    ("▼", "v"),
    ("▲", "^"),
    ("▶", ">"),
    ("▸", "+"),
    ("▾", "-"),
    ("·", "."),
    ("│", "|"),
    ("─", "-"),
    ("┌", "+"),
    ("┐", "+"),
    ("└", "+"),
    ("┘", "+"),
    ("├", "+"),
    ("┤", "+"),
    ("┴", "+"),
    ("┼", "+"),
    ("←", "<"),
    ("→", ">"),
    ("↑", "^"),
    ("↓", "v"),
    ("•", "*"),
];

/// Replaces every cell that is not ASCII.
pub fn reduce(buffer: &mut Buffer) {
    for cell in &mut buffer.content {
        if !cell.symbol().is_ascii() {
            let like = likeness(cell.symbol());
            cell.set_symbol(like);
        }
    }
}

/// The text with every character replaced that is not ASCII.
pub fn reduce_text(text: &str) -> String {
    let mut reduced = String::with_capacity(text.len());
    for c in text.chars() {
        match c.is_ascii() {
            true => reduced.push(c),
            false => reduced.push_str(likeness(c.encode_utf8(&mut [0; 4]))),
        }
    }
    reduced
}

fn likeness(symbol: &str) -> &'static str {
    let like = LIKENESS.iter().find(|(other, _)| *other == symbol);
    like.map_or("?", |(_, ascii)| ascii)
}
