//! The tables: titles with the direction of the order, and the visible rows.

use std::time::Duration;

use ratatui::style::Style;

use super::empty;
use super::pen::Pen;
use crate::app::App;
use crate::app::layout::{Placed, Screen};
use crate::model::column::{Align, Context, Sort, Value, shorten_middle};
use crate::model::tracker::{Flow, Report};

/// A flow without packets for so long is drawn as one that ended.
const ENDED_AFTER: Duration = Duration::from_secs(2);

/// Draws the flows of the present view.
pub fn draw_flows(pen: &mut Pen, app: &App, shown: &Report, screen: &Screen) {
    let placed = app.placed_flow_columns();
    let table = app.flow_table();
    draw_titles(pen, &placed, &table.sort, screen);
    if table.rows().is_empty() {
        empty::draw(pen, app, shown, screen);
        return;
    }
    let context = app.context(shown);
    let selected = table.position();
    for ((index, row), y) in table.page(screen.page()).zip(screen.body.0..) {
        let Some(flow) = shown.flows.get(row as usize) else {
            continue;
        };
        let style = flow_style(pen, app, shown, flow);
        draw_cells(pen, &placed, flow, &context, y, style);
        mark(pen, screen, y, selected == Some(index));
    }
}

/// Draws the interfaces.
pub fn draw_interfaces(pen: &mut Pen, app: &App, shown: &Report, screen: &Screen) {
    let placed = app.placed_interface_columns();
    let table = app.interface_table();
    draw_titles(pen, &placed, &table.sort, screen);
    if table.rows().is_empty() {
        empty::draw(pen, app, shown, screen);
        return;
    }
    let context = app.context(shown);
    let selected = table.position();
    for ((index, row), y) in table.page(screen.page()).zip(screen.body.0..) {
        let Some(interface) = shown.interfaces.get(row as usize) else {
            continue;
        };
        draw_cells(pen, &placed, interface, &context, y, pen.theme.base);
        mark(pen, screen, y, selected == Some(index));
    }
}

fn flow_style(pen: &Pen, app: &App, shown: &Report, flow: &Flow) -> Style {
    let idle = shown.taken_ns.saturating_sub(flow.last_seen_ns);
    let interval = Duration::from_secs_f64(app.preferences().interval_s.clamp(0.0, 1e6));
    match u128::from(idle) > (ENDED_AFTER.max(interval)).as_nanos() {
        true => pen.theme.dim,
        false => pen.theme.base,
    }
}

fn mark(pen: &mut Pen, screen: &Screen, y: u16, selected: bool) {
    if selected {
        pen.text(0, y, 1, "▶", pen.theme.base);
        pen.style(0, y, screen.width, pen.theme.selected);
    }
}

fn draw_titles<T>(pen: &mut Pen, placed: &[Placed<T>], sort: &Sort<T>, screen: &Screen) {
    pen.style(0, screen.titles, screen.width, pen.theme.title);
    for place in placed {
        let sorted = place.column == sort.column;
        let arrow = match (sorted, sort.descending) {
            (false, _) => "",
            (true, true) => "▼",
            (true, false) => "▲",
        };
        let style = if sorted {
            pen.theme.sorted
        } else {
            pen.theme.title
        };
        let title = format!("{}{arrow}", place.column.title);
        write_aligned(pen, place, screen.titles, &title, style);
    }
}

fn write_aligned<T>(pen: &mut Pen, place: &Placed<T>, y: u16, text: &str, style: Style) {
    match place.column.align {
        Align::Left => {
            pen.text(place.x, y, place.width, text, style);
        }
        Align::Right => pen.text_right(place.x, y, place.width, text, style),
    }
}

fn draw_cells<T>(
    pen: &mut Pen,
    placed: &[Placed<T>],
    item: &T,
    context: &Context,
    y: u16,
    style: Style,
) {
    for place in placed {
        let value = (place.column.value)(item, context);
        let text = value.fit(usize::from(place.width), context);
        let style = match value {
            Value::Unknown => pen.theme.dim,
            Value::History(_) => pen.theme.spark,
            Value::Percent(share) if share > 0.0 => pen.theme.warn,
            _ => style,
        };
        if place.column.align == Align::Left && text.len() > usize::from(place.width) {
            let text = shorten_middle(&text, usize::from(place.width));
            write_aligned(pen, place, y, &text, style);
        } else {
            write_aligned(pen, place, y, &text, style);
        }
    }
}
