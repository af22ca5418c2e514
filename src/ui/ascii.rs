//! `--ascii`: replaces what is not ASCII by something similar, once a frame is drawn.

use ratatui::buffer::Buffer;

const LIKENESS: [(&str, &str); 28] = [
    ("▁", "."),
    ("▂", ","),
    ("▃", "-"),
    ("▄", "="),
    ("▅", "+"),
    ("▆", "*"),
    ("▇", "%"),
    ("█", "#"),
    ("…", "~"),
    ("µ", "u"),
    ("▼", "v"),
    ("▲", "^"),
    ("▶", ">"),
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
            let like = LIKENESS.iter().find(|(symbol, _)| *symbol == cell.symbol());
            cell.set_symbol(like.map_or("?", |(_, ascii)| ascii));
        }
    }
}
