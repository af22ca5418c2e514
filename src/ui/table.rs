//! The tables: titles with the direction of the order, and the visible rows.

use std::time::Duration;

use ratatui::style::Style;

use super::empty;
use super::pen::Pen;
use crate::app::layout::{Placed, Screen};
use crate::app::{App, Rows, Scene, loses};
use crate::model::column::{Align, Context, Sort, Value};
use crate::model::event::{Event, EventKind};
use crate::model::tracker::{Flow, Report, RuleReport};
use crate::model::watch::is_silent;

/// A flow without packets for so long is drawn as one that ended.
const ENDED_AFTER: Duration = Duration::from_secs(2);

/// How a row looks as a whole: its style, and the flag in front of it.
struct Look {
    style: Style,
    flag: &'static str,
}

/// Draws the flows of the present view.
pub fn draw_flows(pen: &mut Pen, scene: &Scene, screen: &Screen) {
    let (app, shown) = (scene.app(), scene.shown());
    let placed = app.placed_flow_columns();
    let look = |pen: &Pen, flow: &Flow| flow_look(pen, app, shown, flow);
    let context = app.context(shown);
    draw_table(pen, &placed, &scene.flows(), &context, screen, look);
    if scene.flows().is_empty() {
        empty::draw(pen, app, shown, screen);
    }
}

/// Draws the interfaces.
pub fn draw_interfaces(pen: &mut Pen, scene: &Scene, screen: &Screen) {
    let (app, shown) = (scene.app(), scene.shown());
    let placed = app.placed_interface_columns();
    let look = |pen: &Pen, _: &_| Look {
        style: pen.theme.base,
        flag: " ",
    };
    let context = app.context(shown);
    draw_table(pen, &placed, &scene.interfaces(), &context, screen, look);
    if scene.interfaces().is_empty() {
        empty::draw(pen, app, shown, screen);
    }
    draw_rules(pen, scene, screen);
}

/// Draws the rules below the interfaces, where they have a place.
fn draw_rules(pen: &mut Pen, scene: &Scene, screen: &Screen) {
    let (titles, lines) = screen.rules;
    if lines == 0 {
        return;
    }
    let (app, shown) = (scene.app(), scene.shown());
    let placed = app.placed_rule_columns();
    draw_titles(pen, &placed, None, screen.width, titles);
    let look = |pen: &Pen, rule: &RuleReport| Look {
        style: match is_silent(rule, shown.taken_ns) {
            true => pen.theme.dim,
            false => pen.theme.base,
        },
        flag: " ",
    };
    let area = (titles + 1, lines, screen.width);
    let context = app.context(shown);
    draw_rows(pen, &placed, &scene.rules(), &context, area, look);
}

/// Draws the events.
pub fn draw_events(pen: &mut Pen, scene: &Scene, screen: &Screen) {
    let (app, shown) = (scene.app(), scene.shown());
    let placed = app.placed_event_columns();
    let context = app.context(shown);
    draw_table(pen, &placed, &scene.events(), &context, screen, event_look);
    if scene.events().is_empty() {
        empty::draw(pen, app, shown, screen);
    }
}

fn event_look(pen: &Pen, event: &Event) -> Look {
    let (style, flag) = match event.kind {
        EventKind::Alert => (pen.theme.bad, "!"),
        EventKind::Gap | EventKind::Rule | EventKind::Table => (pen.theme.warn, " "),
        _ => (pen.theme.base, " "),
    };
    Look { style, flag }
}

/// Colour is never the only sign: each style has its flag, an ended flow has its idle time and `-`.
fn flow_look(pen: &Pen, app: &App, shown: &Report, flow: &Flow) -> Look {
    let alert = app.alerts().raised(&flow.key).next().is_some();
    let idle = Duration::from_nanos(shown.taken_ns.saturating_sub(flow.last_seen_ns));
    let interval = Duration::from_secs_f64(app.preferences().interval_s.clamp(0.0, 1e6));
    let ended = idle > ENDED_AFTER.max(interval);
    let style = match (alert, ended) {
        (true, _) => pen.theme.bad,
        (false, true) => pen.theme.dim,
        (false, false) => pen.theme.base,
    };
    let flag = match () {
        () if alert => "!",
        () if app.flows().is_pinned(&flow.key) => "*",
        () if loses(flow) => "↓",
        () if app.is_own_session(&flow.key) => "s",
        () => " ",
    };
    Look { style, flag }
}

/// Draws titles and rows.
fn draw_table<K: Copy + PartialEq, T>(
    pen: &mut Pen,
    placed: &[Placed<T>],
    rows: &Rows<K, T>,
    context: &Context,
    screen: &Screen,
    look: impl Fn(&Pen, &T) -> Look,
) {
    let sort = Some(rows.table.sort());
    draw_titles(pen, placed, sort, screen.width, screen.titles);
    let area = (screen.body.0, screen.body.1, screen.width);
    draw_rows(pen, placed, rows, context, area, look);
}

/// Draws the rows that are on the page; `area`: its first line, its lines, its cells.
fn draw_rows<K: Copy + PartialEq, T>(
    pen: &mut Pen,
    placed: &[Placed<T>],
    rows: &Rows<K, T>,
    context: &Context,
    (top, lines, width): (u16, u16, u16),
    look: impl Fn(&Pen, &T) -> Look,
) {
    let selected = rows.table.position();
    for ((index, item), y) in rows.page(lines.into()).zip(top..) {
        let look = look(pen, item);
        pen.text(1, y, 1, look.flag, look.style);
        draw_cells(pen, placed, item, context, y, look.style);
        if selected == Some(index) {
            pen.text(0, y, 1, "▶", look.style);
            pen.style(0, y, width, pen.theme.selected);
        }
    }
}

fn draw_titles<T>(pen: &mut Pen, placed: &[Placed<T>], sort: Option<Sort<T>>, width: u16, y: u16) {
    pen.style(0, y, width, pen.theme.title);
    for place in placed {
        let sort = sort.filter(|sort| place.column == sort.column);
        let (arrow, style) = match sort.map(|sort| sort.descending) {
            None => ("", pen.theme.title),
            Some(true) => ("▼", pen.theme.sorted),
            Some(false) => ("▲", pen.theme.sorted),
        };
        let title = format!("{}{arrow}", place.column.title);
        write_aligned(pen, place, y, &title, style);
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
        let value = place.column.value(item, context);
        let text = value.fit(usize::from(place.width), context);
        let style = match value {
            Value::Unknown => pen.theme.dim,
            Value::History(_) if style == pen.theme.base => pen.theme.spark,
            Value::Percent(share) if share > 0.0 && style == pen.theme.base => pen.theme.warn,
            _ => style,
        };
        write_aligned(pen, place, y, &text, style);
    }
}
