//! The two menus that cover a view: one chooses the sort column, the other the columns.

use super::pen::Pen;
use crate::app::layout::Screen;
use crate::app::{App, MenuItem, menu_offset};
use crate::model::column::shorten_end;

/// Cells for the column ids.
const IDS: u16 = 20;

/// Draws the list of sort columns.
pub fn draw_sort(pen: &mut Pen, app: &App, screen: &Screen, cursor: usize) {
    draw(pen, screen, "Sort by", &app.sort_menu(), cursor, "•");
}

/// Draws the list of columns.
pub fn draw_columns(pen: &mut Pen, app: &App, screen: &Screen, cursor: usize) {
    draw(
        pen,
        screen,
        "Columns of the Flows view",
        &app.column_menu(),
        cursor,
        "x",
    );
}

fn draw(
    pen: &mut Pen,
    screen: &Screen,
    title: &str,
    items: &[MenuItem],
    cursor: usize,
    mark: &str,
) {
    pen.text(1, screen.titles, screen.width - 1, title, pen.theme.accent);
    let page = screen.pages().body;
    let offset = menu_offset(cursor, page);
    let rows = items.iter().enumerate().skip(offset).take(page);
    for ((index, item), y) in rows.zip(screen.body.0..) {
        let style = if item.chosen {
            pen.theme.strong
        } else {
            pen.theme.base
        };
        let chosen = if item.chosen { mark } else { " " };
        pen.text(2, y, 3, &format!("[{chosen}]"), style);
        pen.text(6, y, IDS, item.id, style);
        let x = 6 + IDS;
        let room = screen.width.saturating_sub(x + 1);
        if room >= 20 {
            let help = shorten_end(item.help, usize::from(room));
            pen.text(x, y, room, &help, pen.theme.dim);
        }
        if index == cursor {
            pen.text(0, y, 1, "▶", style);
            pen.style(0, y, screen.width, pen.theme.selected);
        }
    }
}
