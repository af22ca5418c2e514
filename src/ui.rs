//! Drawing: a function of a scene, which is the application's state, a report and its rows.
//!
//! Only visible rows are built, so a frame costs the same with 50 flows as with 65,536. Nothing is
//! ever cut in half: what does not fit is left out as a whole.

mod ascii;
mod chart;
mod detail;
mod distribution;
mod empty;
mod glyphs;
mod groups;
mod header;
mod help;
mod menu;
mod past;
mod pen;
mod status;
mod table;
pub mod theme;

use ratatui::Frame;
use ratatui::layout::Rect;

use crate::app::layout::{SMALLEST, Screen};
use crate::app::{Mode, Scene, View};

pub use theme::{Depth, Look};

use pen::Pen;

/// Draws the screen. Draws nothing if the terminal's size is not the one that the application knows:
/// the message about the new size is on its way.
pub fn draw(frame: &mut Frame, scene: &Scene, look: &Look) {
    let (area, app) = (frame.area(), scene.app());
    if (area.width, area.height) != app.size() || area.is_empty() {
        return;
    }
    let theme = look.theme(app.preferences().appearance.theme);
    let buffer = frame.buffer_mut();
    buffer.set_style(area, theme.base);
    let mut pen = Pen::new(buffer, &theme, look.ascii);
    match app.screen() {
        Some(screen) => draw_screen(&mut pen, scene, &screen),
        None => draw_too_small(&mut pen, area),
    }
    if look.ascii {
        ascii::reduce(buffer);
    }
}

fn draw_screen(pen: &mut Pen, scene: &Scene, screen: &Screen) {
    let app = scene.app();
    header::draw(pen, scene, screen);
    match app.mode() {
        Mode::Help(line) => help::draw(pen, app, screen, line),
        Mode::SortMenu(cursor) => menu::draw_sort(pen, app, screen, cursor),
        Mode::Columns(cursor) => menu::draw_columns(pen, app, screen, cursor),
        Mode::Detail(line) => detail::draw(pen, scene, screen, line),
        Mode::View | Mode::Filter => match app.view() {
            View::Flows | View::Loss => table::draw_flows(pen, scene, screen),
            View::Interfaces => table::draw_interfaces(pen, scene, screen),
            View::Events => table::draw_events(pen, scene, screen),
            View::Groups => groups::draw_groups(pen, scene, screen),
        },
    }
    status::draw(pen, app, screen);
}

fn draw_too_small(pen: &mut Pen, area: Rect) {
    let (columns, lines) = SMALLEST;
    let texts = [
        format!(
            "flowtop needs {columns}x{lines}, this is {}x{}",
            area.width, area.height
        ),
        format!("needs {columns}x{lines}"),
        "small".to_owned(),
    ];
    let fits = |text: &&String| text.len() <= usize::from(area.width);
    if let Some(text) = texts.iter().find(fits) {
        pen.text(0, area.height / 2, area.width, text, pen.theme.warn);
    }
}
