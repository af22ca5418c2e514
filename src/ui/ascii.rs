//! `--ascii`: after a frame is drawn, what is not ASCII is replaced by something like it.

use ratatui::buffer::Buffer;

const LIKENESS: [(&str, &str); 27] = [
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
