//! What stands in the place of rows where there are none: why, and what to do.

use super::pen::Pen;
use crate::app::layout::Screen;
use crate::app::{App, View};
use crate::model::snapshot::LinkState;
use crate::model::tracker::Report;
use crate::model::units;

/// Writes why there are no rows, in the middle of the body.
pub fn draw(pen: &mut Pen, app: &App, shown: &Report, screen: &Screen) {
    let lines = reason(app, shown);
    let width = usize::from(screen.width).saturating_sub(4);
    let lines: Vec<String> = lines.iter().flat_map(|text| wrap(text, width)).collect();
    let (top, height) = screen.body;
    let first = top + height.saturating_sub(lines.len() as u16) / 3;
    for (y, line) in (first..top + height).zip(&lines) {
        let style = if y == first {
            pen.theme.strong
        } else {
            pen.theme.dim
        };
        pen.text(2, y, screen.width - 2, line, style);
    }
}

fn reason(app: &App, shown: &Report) -> Vec<String> {
    if app.view() == View::Events {
        return match app.filter().is_empty() {
            true => vec![
                "Nothing has happened yet.".to_owned(),
                "Gaps, restarts, pauses, alerts and interfaces that come and go are told here."
                    .to_owned(),
            ],
            false => vec![
                "No event has these words.".to_owned(),
                "Esc clears the filter.".to_owned(),
            ],
        };
    }
    if app.hidden() > 0 {
        let hidden = units::exact(app.hidden() as u64);
        return vec![
            format!("All {hidden} flows are hidden."),
            "Esc clears the filter; totals are not touched by it.".to_owned(),
        ];
    }
    if shown.interfaces.is_empty() {
        return vec![
            "No interface is watched.".to_owned(),
            "Start with -i NAME to choose one; ip link lists them.".to_owned(),
        ];
    }
    let names: Vec<&str> = shown.interfaces.iter().map(|i| i.name.as_str()).collect();
    let names = names.join(", ");
    let filtered: u64 = shown
        .interfaces
        .iter()
        .map(|i| i.counted.filtered.packets)
        .sum();
    if filtered > 0 {
        return vec![
            format!(
                "{} packets came in on {names}; none matches a rule.",
                units::exact(filtered)
            ),
            "RULES in the configuration say which packets are flows.".to_owned(),
        ];
    }
    if shown.interfaces.iter().all(|i| i.state != LinkState::Up) {
        return vec![
            format!("Not up: {names}."),
            "Flows appear as soon as packets come in; see ip link.".to_owned(),
        ];
    }
    vec![
        format!("No TCP, UDP or ICMP packet came in on {names} yet."),
        "flowtop sees what comes in, not what goes out. Flows appear by themselves.".to_owned(),
    ]
}

/// Whole words in lines of at most `width` cells.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.last_mut();
        match line {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}
