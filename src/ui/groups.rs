//! The Groups view: groups of flows, and below those that are unfolded their flows.

use super::empty;
use super::pen::Pen;
use super::table::{RowStyle, draw_cells, draw_titles, finish_row, style_flow};
use crate::app::layout::{Placed, Screen};
use crate::app::{GroupLine, Scene};
use crate::model::column::{
    BEYOND_A_THRESHOLD, Context, destination_of, shorten_end, source_of, verdict,
};
use crate::model::flow::FlowKey;
use crate::model::flow_groups::{FlowGroup, GroupFigures};

/// Cells of the mark in front of a group; flows are as far to the right again.
const MARK: u16 = 2;

/// Draws the groups.
pub fn draw_groups(pen: &mut Pen, scene: &Scene, screen: &Screen) {
    let (app, shown) = (scene.app(), scene.shown());
    let placed = app.placed_group_columns();
    let context = app.context(shown);
    let table = app.groups().table();
    draw_titles(
        pen,
        &placed,
        Some(table.sort()),
        screen.width,
        screen.titles,
    );
    let Some((first, figures)) = placed.split_first() else {
        return;
    };
    let (top, lines) = screen.body;
    let selected = table.position();
    for ((index, line), y) in scene.groups(lines.into()).zip(top..) {
        let row = match line {
            GroupLine::Group(group, is_unfolded) => {
                let row = style_group(pen, &group.figures);
                let mark = if is_unfolded { "▾" } else { "▸" };
                pen.text(first.x, y, 1, mark, row.style);
                let name = first.column.value(group, &context);
                let name = name.fit((first.width - MARK).into(), &context);
                pen.text(first.x + MARK, y, first.width - MARK, &name, row.style);
                draw_cells(pen, figures, group, &context, y, row.style);
                row
            }
            GroupLine::Flow(flow) => {
                let row = style_flow(pen, app, shown, flow);
                let severity = verdict(flow, &context).number();
                let alone = app.groups().by().alone(flow, severity);
                draw_flow_name(pen, &flow.key, first, &context, y, &row);
                let its = figures.iter().filter(|place| !counts_flows(place));
                draw_cells(pen, its, &alone, &context, y, row.style);
                row
            }
        };
        finish_row(pen, &row, y, screen.width, selected == Some(index));
    }
    if !app.has_rows() {
        empty::draw(pen, app, shown, screen);
    }
}

/// Whether the column says how many flows there are, which is nothing to say of one.
fn counts_flows(place: &Placed<FlowGroup>) -> bool {
    matches!(place.column.id, "flows" | "trouble")
}

fn style_group(pen: &Pen, figures: &GroupFigures) -> RowStyle {
    let style = match figures.severity {
        Some(BEYOND_A_THRESHOLD) => pen.theme.bad,
        _ if figures.is_idle() => pen.theme.dim,
        _ => pen.theme.base,
    };
    let flag = match () {
        () if figures.in_trouble > 0 => "!",
        () if figures.losing > 0 => "↓",
        () => " ",
    };
    RowStyle::new(style, flag)
}

/// Writes protocol and both ends; where there is no room for both, each gets half of it, or what the other one leaves.
fn draw_flow_name(
    pen: &mut Pen,
    key: &FlowKey,
    place: &Placed<FlowGroup>,
    context: &Context,
    y: u16,
    row: &RowStyle,
) {
    const ARROW: &str = " → ";
    let (x, room) = (place.x + 2 * MARK, usize::from(place.width - 2 * MARK));
    let head = format!("{} ", key.protocol);
    let ends = [source_of(key, context), destination_of(key, context)];
    let [source, destination] = ends.map(|end| end.text(context));
    let left = room.saturating_sub(head.len() + ARROW.chars().count());
    let (wanted, half) = (|text: &str| text.chars().count(), left / 2);
    let of_source = wanted(&source).min(half.max(left.saturating_sub(wanted(&destination))));
    let source = ends[0].fit(of_source, context);
    let destination = ends[1].fit(left - of_source, context);
    let text = format!("{head}{source}{ARROW}{destination}");
    pen.text(x, y, room as u16, &shorten_end(&text, room), row.style);
}
