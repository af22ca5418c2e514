//! The text of the help, made from the tables of bindings and columns, so that it cannot be wrong.

use crate::keymap::{BINDINGS, KeyGroup, Keymap};
use crate::model::column::{FLOW_COLUMNS, GROUP_COLUMNS};
use crate::model::query::FIELDS;
use crate::model::wrap::wrap;

/// Cells for keys and titles.
pub const HELP_KEYS: usize = 14;

/// The flags in front of rows.
const FLAGS: [(&str, &str); 5] = [
    (
        "!",
        "in front of a row: in trouble, or a threshold is crossed",
    ),
    ("*", "in front of a row: pinned to the top"),
    (
        "↓",
        "in front of a row: numbers went missing in the latest interval",
    ),
    (
        "?",
        "in front of a row: what is read there are no sequence numbers, by all looks",
    ),
    ("s", "in front of a row: carries this SSH session"),
];

/// A line of the help.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HelpLine {
    /// A line of the title of a group.
    Heading(String),
    /// A line of keys, or of whatever is explained, and a line of its explanation.
    Entry(String, String),
}

/// The help with these keys, in lines for a screen of this width.
pub fn help_lines(keymap: &Keymap, width: usize) -> Vec<HelpLine> {
    let mut lines = Vec::new();
    let room = width - HELP_KEYS - 4;
    let heading = |lines: &mut Vec<HelpLine>, title: &str| {
        lines.extend(wrap(title, width - 2).into_iter().map(HelpLine::Heading));
    };
    let entry = |lines: &mut Vec<HelpLine>, keys: String, text: &str| {
        let (mut keys, mut text) = (wrap(&keys, HELP_KEYS), wrap(text, room));
        let height = keys.len().max(text.len());
        keys.resize(height, String::new());
        text.resize(height, String::new());
        let parts = keys.into_iter().zip(text);
        lines.extend(parts.map(|(keys, text)| HelpLine::Entry(keys, text)));
    };
    for group in KeyGroup::ALL {
        heading(&mut lines, group.title());
        for row in BINDINGS.iter().filter(|row| row.group == group) {
            let keys = keymap.keys_text(row.action);
            entry(&mut lines, keys, row.help);
        }
    }
    heading(&mut lines, "Filter (and, or, not or !, brackets)");
    for (field, help) in FIELDS {
        entry(&mut lines, format!("{field}:"), help);
    }
    let amounts = "any column of numbers, by id or header, with < <= = != >= >: jitter>5ms rate>10Mbps pkt/s>1k";
    entry(&mut lines, "loss>1".to_owned(), amounts);
    entry(
        &mut lines,
        "word".to_owned(),
        "in addresses, ports, names, interface, VLAN, rule; udp: that protocol",
    );
    let habit =
        "as tcpdump has it: src host 10.0.0.1, dst port 443, net 10.0.0.0/8, port 80 or 443";
    entry(&mut lines, "port 53".to_owned(), habit);
    heading(&mut lines, "Columns");
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
    heading(&mut lines, "Columns of groups");
    for column in &GROUP_COLUMNS {
        let text = format!("{} ({})", column.help, column.id);
        entry(&mut lines, column.title.to_owned(), &text);
    }
    lines
}
