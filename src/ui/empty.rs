//! What an empty table says: why there are no rows, and what to do about it.

use super::pen::Pen;
use crate::app::layout::Screen;
use crate::app::{App, View};
use crate::keymap::Action;
use crate::model::snapshot::LinkState;
use crate::model::tracker::Report;
use crate::model::units;
use crate::model::wrap::wrap;

/// Says in the upper third of the body why there are no rows.
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

/// The reason, and what to do about it.
fn reason(app: &App, shown: &Report) -> [String; 2] {
    let no_filter = app.filter().is_empty();
    let key = |action| app.preferences().keymap.keys_text(action);
    let [what, next] = match app.view() {
        View::Events if no_filter => [
            "Nothing has happened yet.",
            "Gaps, restarts, pauses, alerts and interfaces that come and go are told here.",
        ],
        View::Events => {
            let next = format!("{} clears the filter.", key(Action::Back));
            return ["No event matches the filter.".to_owned(), next];
        }
        _ if shown.taken_ns == 0 => {
            let (less, more) = (key(Action::ShorterInterval), key(Action::LongerInterval));
            return [
                "The first reading is on its way.".to_owned(),
                format!("Numbers come once an interval; {less} and {more} change it."),
            ];
        }
        View::Interfaces if !no_filter && !shown.interfaces.is_empty() => {
            let next = format!("{} clears the filter.", key(Action::Back));
            return ["No interface matches the filter.".to_owned(), next];
        }
        _ if shown.interfaces.is_empty() => [
            "No interface is watched.",
            "One that -i asks for is watched as soon as it is there; ip link lists those that are.",
        ],
        _ if app.flows().hidden() > 0 => return all_hidden(app, no_filter, key),
        _ => return no_traffic(shown),
    };
    [what.to_owned(), next.to_owned()]
}

fn all_hidden(app: &App, no_filter: bool, key: impl Fn(Action) -> String) -> [String; 2] {
    let hidden = units::exact(app.flows().hidden() as u64);
    let next = match no_filter {
        true if app.flows().hides_ended() => {
            format!(
                "{} shows flows that have ended again.",
                key(Action::HideEnded)
            )
        }
        true => format!(
            "{} shows the flow of this SSH session again.",
            key(Action::HideOwnSession)
        ),
        false => format!(
            "{} clears the filter; totals are not touched by it.",
            key(Action::Back)
        ),
    };
    [format!("All {hidden} flows are hidden."), next]
}

fn no_traffic(shown: &Report) -> [String; 2] {
    let interfaces = &shown.interfaces;
    let names: Vec<&str> = interfaces.iter().map(|i| i.name.as_str()).collect();
    let names = names.join(", ");
    let ended: u64 = interfaces.iter().map(|i| i.ended.packets).sum();
    if ended > 0 {
        let ended = units::exact(ended);
        return [
            format!("No flow is left of the {ended} packets that came in on {names}."),
            "FLOW_TIMEOUT in the configuration says how long flows stay without one.".to_owned(),
        ];
    }
    let filtered: u64 = interfaces.iter().map(|i| i.counted.filtered.packets).sum();
    if filtered > 0 {
        let filtered = units::exact(filtered);
        return [
            format!("{filtered} packets came in on {names}; none matches a rule."),
            "RULES in the configuration say which packets are flows.".to_owned(),
        ];
    }
    if interfaces.iter().all(|i| i.state == LinkState::Gone) {
        return [
            format!("Gone: {names}."),
            "Counting goes on as soon as an interface of this name is there again.".to_owned(),
        ];
    }
    if interfaces.iter().all(|i| i.state != LinkState::Up) {
        return [
            format!("Not up: {names}."),
            "Flows appear as soon as packets come in; see ip link.".to_owned(),
        ];
    }
    [
        format!("No TCP, UDP or ICMP packet came in on {names} yet."),
        "flowtop sees what comes in, not what goes out. Flows appear by themselves.".to_owned(),
    ]
}
