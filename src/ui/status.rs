//! The two lines below the table: what there is to say, and the keys.

use super::pen::{Pen, Segment};
use crate::app::layout::Screen;
use crate::app::{App, Mode, View};
use crate::model::column::{Sort, shorten_middle};
use crate::model::tracker::Report;
use crate::model::units;

/// Draws status and footer.
pub fn draw(pen: &mut Pen, app: &App, shown: &Report, screen: &Screen) {
    draw_status(pen, app, shown, screen);
    draw_footer(pen, app, screen);
}

fn draw_status(pen: &mut Pen, app: &App, shown: &Report, screen: &Screen) {
    let theme = pen.theme;
    let room = screen.width - 2;
    let message = app.config_error().map(|text| (text, theme.bad));
    let message = app.notice().map(|text| (text, theme.accent)).or(message);
    if let Some((text, style)) = message {
        let text = shorten_middle(text, usize::from(room));
        pen.text(1, screen.status, room, &text, style);
        return;
    }
    let mut segments = vec![Segment::new(order_text(app), theme.dim, 0)];
    if let Some(position) = position_text(app, shown) {
        segments.push(Segment::new(format!("  {position}"), theme.dim, 1));
    }
    pen.line(1, screen.status, room, segments);
}

fn order_text(app: &App) -> String {
    fn text<T>(sort: &Sort<T>) -> String {
        let direction = if sort.descending {
            "largest first"
        } else {
            "smallest first"
        };
        format!("by {}, {direction}", sort.column.id)
    }
    match app.view() {
        View::Flows | View::Loss => text(&app.flow_table().sort),
        View::Interfaces => text(&app.interface_table().sort),
        View::Events => "newest first".to_owned(),
    }
}

fn position_text(app: &App, _shown: &Report) -> Option<String> {
    let (position, rows) = match app.view() {
        View::Flows | View::Loss => {
            let table = app.flow_table();
            (table.position()?, table.rows().len())
        }
        View::Interfaces => {
            let table = app.interface_table();
            (table.position()?, table.rows().len())
        }
        View::Events => return None,
    };
    let (position, rows) = (position as u64 + 1, rows as u64);
    Some(format!(
        "row {} of {}",
        units::exact(position),
        units::exact(rows)
    ))
}

fn draw_footer(pen: &mut Pen, app: &App, screen: &Screen) {
    let theme = pen.theme;
    let keymap = &app.preferences().keymap;
    let pairs: Vec<(String, &str)> = match app.mode() {
        Mode::View => keymap.footer().collect(),
        Mode::Help(_) => vec![
            ("↑↓".to_owned(), "scroll"),
            (keymap.keys_text(crate::keymap::Action::Back), "back"),
        ],
    };
    let mut x = 1;
    for (key, words) in pairs {
        let wanted = (key.chars().count() + 1 + words.chars().count()) as u16;
        if x + wanted > screen.width {
            break;
        }
        x = pen.text(x, screen.footer, screen.width - x, &key, theme.accent) + 1;
        x = pen.text(x, screen.footer, screen.width - x, words, theme.dim) + 2;
    }
}
