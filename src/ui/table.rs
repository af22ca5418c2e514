//! The tables: titles, an arrow for the order, and the visible rows.

use ratatui::style::Style;

use super::empty;
use super::pen::Pen;
use crate::app::layout::{Placed, Screen};
use crate::app::{App, Rows, Scene, View, has_ended};
use crate::model::column::{Align, Context, Sort, Value};
use crate::model::doubt;
use crate::model::event::{Event, EventKind};
use crate::model::observer::is_silent;
use crate::model::tracker::{Flow, Report, RuleReport};

/// The style of a whole row, the flag in front of it, and what is said in place of the cells behind its loss: the first of
/// these that has room.
pub(super) struct RowStyle {
    pub(super) style: Style,
    flag: &'static str,
    notes: Vec<String>,
}

impl RowStyle {
    pub(super) fn new(style: Style, flag: &'static str) -> RowStyle {
        RowStyle {
            style,
            flag,
            notes: Vec::new(),
        }
    }
}

/// Draws the flows of the open view.
pub fn draw_flows(pen: &mut Pen, scene: &Scene, screen: &Screen) {
    let (app, shown) = (scene.app(), scene.shown());
    let placed = app.placed_flow_columns();
    let style_row = |pen: &Pen, flow: &Flow| style_flow(pen, app, shown, flow);
    let context = app.context(shown);
    draw_table(pen, &placed, &scene.flows(), &context, screen, style_row);
    if scene.flows().is_empty() {
        empty::draw(pen, app, shown, screen);
    }
}

/// Draws the interfaces.
pub fn draw_interfaces(pen: &mut Pen, scene: &Scene, screen: &Screen) {
    let (app, shown) = (scene.app(), scene.shown());
    let placed = app.placed_interface_columns();
    let style_row = |pen: &Pen, _: &_| RowStyle::new(pen.theme.base, " ");
    let context = app.context(shown);
    draw_table(
        pen,
        &placed,
        &scene.interfaces(),
        &context,
        screen,
        style_row,
    );
    if scene.interfaces().is_empty() {
        empty::draw(pen, app, shown, screen);
    }
    draw_rules(pen, scene, screen);
}

/// Draws the rules below the interfaces, if there is room.
fn draw_rules(pen: &mut Pen, scene: &Scene, screen: &Screen) {
    let (titles, lines) = screen.rules;
    if lines == 0 {
        return;
    }
    let (app, shown) = (scene.app(), scene.shown());
    let placed = app.placed_rule_columns();
    draw_titles(pen, &placed, None, screen.width, titles);
    let style_row = |pen: &Pen, rule: &RuleReport| {
        let style = match is_silent(rule, shown.taken_ns) {
            true => pen.theme.dim,
            false => pen.theme.base,
        };
        RowStyle::new(style, " ")
    };
    let area = (titles + 1, lines, screen.width);
    let context = app.context(shown);
    draw_rows(pen, &placed, &scene.rules(), &context, area, style_row);
}

/// Draws the events.
pub fn draw_events(pen: &mut Pen, scene: &Scene, screen: &Screen) {
    let (app, shown) = (scene.app(), scene.shown());
    let placed = app.placed_event_columns();
    let context = app.context(shown);
    draw_table(pen, &placed, &scene.events(), &context, screen, style_event);
    if scene.events().is_empty() {
        empty::draw(pen, app, shown, screen);
    }
}

fn style_event(pen: &Pen, event: &Event) -> RowStyle {
    let (style, flag) = match event.kind {
        EventKind::Alert => (pen.theme.bad, "!"),
        EventKind::Gap | EventKind::Rule | EventKind::Table => (pen.theme.warn, " "),
        _ => (pen.theme.base, " "),
    };
    RowStyle::new(style, flag)
}

/// Colour is never the only sign: alerts have a flag, ended flows their idle time and `-`.
pub(super) fn style_flow(pen: &Pen, app: &App, shown: &Report, flow: &Flow) -> RowStyle {
    let alert = app.alerts().raised(&flow.key).next().is_some();
    let ended = has_ended(flow, shown.taken_ns, app.preferences().interval_s);
    let style = match (alert, ended) {
        (true, _) => pen.theme.bad,
        (false, true) => pen.theme.dim,
        (false, false) => pen.theme.base,
    };
    let flag = match () {
        () if alert || flow.trouble().is_some() => "!",
        () if app.flows().is_pinned(&flow.key) => "*",
        () if flow.is_losing() => "↓",
        () if are_doubtful(flow) => "?",
        () if app.is_own_session(&flow.key) => "s",
        () => " ",
    };
    let has_none = app.view() == View::Loss && flow.counts.sequence.is_none();
    let notes = || doubt::of_none(flow, &app.preferences().profiles);
    RowStyle {
        notes: has_none.then(notes).unwrap_or_default(),
        ..RowStyle::new(style, flag)
    }
}

fn are_doubtful(flow: &Flow) -> bool {
    flow.counts
        .sequence
        .as_ref()
        .is_some_and(doubt::are_no_numbers)
}

/// Draws titles and rows.
fn draw_table<K: Clone + PartialEq, T: 'static>(
    pen: &mut Pen,
    placed: &[Placed<T>],
    rows: &Rows<K, T>,
    context: &Context,
    screen: &Screen,
    style_row: impl Fn(&Pen, &T) -> RowStyle,
) {
    let sort = Some(rows.table.sort());
    draw_titles(pen, placed, sort, screen.width, screen.titles);
    let area = (screen.body.0, screen.body.1, screen.width);
    draw_rows(pen, placed, rows, context, area, style_row);
}

/// Draws the rows on the page: first line, number of lines and width.
fn draw_rows<K: Clone + PartialEq, T: 'static>(
    pen: &mut Pen,
    placed: &[Placed<T>],
    rows: &Rows<K, T>,
    context: &Context,
    (top, lines, width): (u16, u16, u16),
    style_row: impl Fn(&Pen, &T) -> RowStyle,
) {
    let selected = rows.table.position();
    for ((index, item), y) in rows.page(lines.into()).zip(top..) {
        let row = style_row(pen, item);
        draw_cells(pen, placed, item, context, y, row.style);
        let mut behind_loss = placed
            .iter()
            .skip_while(|place| place.column.id != "loss_percent");
        if let Some(first) = behind_loss.nth(1) {
            let room = width.saturating_sub(first.x + 1);
            let fits = |note: &&String| note.chars().count() <= usize::from(room);
            if let Some(note) = row.notes.iter().find(fits) {
                pen.clear(first.x, y, width - first.x);
                pen.text(first.x, y, room, note, pen.theme.dim);
            }
        }
        finish_row(pen, &row, y, width, selected == Some(index));
    }
}

/// Draws the flag of a row, and the mark of the selected one.
pub(super) fn finish_row(pen: &mut Pen, row: &RowStyle, y: u16, width: u16, is_selected: bool) {
    pen.text(1, y, 1, row.flag, row.style);
    if is_selected {
        pen.text(0, y, 1, "▶", row.style);
        pen.style(0, y, width, pen.theme.selected);
    }
}

pub(super) fn draw_titles<T>(
    pen: &mut Pen,
    placed: &[Placed<T>],
    sort: Option<Sort<T>>,
    width: u16,
    y: u16,
) {
    pen.style(0, y, width, pen.theme.title);
    for place in placed {
        let sort = sort.filter(|sort| place.column == sort.column);
        let (arrow, style) = match sort.map(|sort| sort.descending) {
            None => ("", pen.theme.title),
            Some(true) => ("▼", pen.theme.sorted),
            Some(false) => ("▲", pen.theme.sorted),
        };
        let title = place.column.title_with(arrow, place.width);
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

pub(super) fn draw_cells<'p, T: 'static>(
    pen: &mut Pen,
    placed: impl IntoIterator<Item = &'p Placed<T>>,
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
            Value::Verdict { .. } if style == pen.theme.base => pen.theme.warn,
            Value::Percent(share) if share > 0.0 && style == pen.theme.base => pen.theme.warn,
            _ => style,
        };
        write_aligned(pen, place, y, &text, style);
    }
}
