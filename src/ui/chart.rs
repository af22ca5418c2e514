//! Charts over time.

use ratatui::layout::Rect;
use ratatui::style::{Color, Style};
use ratatui::symbols::Marker;
use ratatui::widgets::canvas::{Canvas, Line};

use super::pen::Pen;
use crate::app::SMALLEST_CHART;
use crate::model::tracker::{self, Series};
use crate::model::units;

/// The fewest cells of a grid beside which its values are written.
const LEAST_GRID: u16 = 20;
/// The fewest cells of a grid below which there is room for half of its time.
const WIDE_GRID: u16 = 28;

/// One line of a chart.
pub struct Curve<'a> {
    /// Its name.
    pub name: &'static str,
    /// Its values.
    pub values: tracker::Trace<'a>,
    /// Its style.
    pub style: Style,
}

/// Draws curves over the latest intervals, above an axis of time and beside one of values. `span_s` says how long so many of them
/// were together.
pub fn draw_curves(
    pen: &mut Pen,
    area: Rect,
    curves: &[Curve],
    span_s: impl Fn(f64) -> f64,
    label: impl Fn(f64) -> String,
) {
    if area.width < SMALLEST_CHART.0 || area.height < SMALLEST_CHART.1 {
        return;
    }
    let points: Vec<Vec<(f64, f64)>> = curves.iter().map(|t| points(t.values)).collect();
    let top = points.iter().flatten().map(|p| p.1).fold(0.0, f64::max);
    let mut x = area.x;
    for (curve, name) in curves.iter().zip(legend(curves, area.width, &label)) {
        x = pen.text(x, area.y, area.right() - x, &name, curve.style) + 2;
    }
    let plot = Rect {
        y: area.y + 1,
        height: area.height - 1,
        ..area
    };
    if points.iter().all(Vec::is_empty) {
        pen.text(plot.x, plot.y, plot.width, "no values yet", pen.theme.dim);
        return;
    }
    let marks = [top, top / 2.0].map(|value| match top > 0.0 {
        true => label(value),
        false => String::new(),
    });
    let gutter = marks.iter().map(|mark| mark.chars().count() as u16).max();
    let gutter = gutter.filter(|width| plot.width - width >= LEAST_GRID);
    let grid = Rect {
        x: plot.x + gutter.unwrap_or(0) + 1,
        width: plot.width - gutter.unwrap_or(0) - 1,
        height: plot.height - 2,
        ..plot
    };
    draw_plot(pen, grid, curves, &points, top);
    draw_time_axis(pen, grid, span_s);
    draw_value_axis(pen, grid, gutter.map(|width| (width, &marks)));
    if top > 0.0 && gutter.is_none() {
        draw_largest(pen, area, x, &format!("max {}", label(top)));
    }
}

/// The names, each with the latest value if there is room: that tells curves apart without colours.
fn legend(curves: &[Curve], width: u16, label: impl Fn(f64) -> String) -> Vec<String> {
    let with_value = |curve: &Curve| match curve.values.latest() {
        Some(value) => format!("{} {}", curve.name, label(value.into())),
        None => curve.name.to_owned(),
    };
    let names: Vec<String> = curves.iter().map(with_value).collect();
    let wanted: usize = names.iter().map(|name| name.chars().count() + 2).sum();
    match wanted <= usize::from(width) + 2 {
        true => names,
        false => curves.iter().map(|curve| curve.name.to_owned()).collect(),
    }
}

/// The curves. All are on one grid: if two meet in a cell, both are visible.
fn draw_plot(pen: &mut Pen, grid: Rect, curves: &[Curve], points: &[Vec<(f64, f64)>], top: f64) {
    let marker = if pen.ascii {
        Marker::Dot
    } else {
        Marker::Braille
    };
    let (text, ground) = (pen.theme.base.fg, pen.theme.base.bg);
    let canvas = Canvas::default()
        .background_color(ground.unwrap_or(Color::Reset))
        .marker(marker)
        .x_bounds([-span(), 0.0])
        .y_bounds([0.0, if top > 0.0 { top } else { 1.0 }])
        .paint(|painter| {
            for (curve, points) in curves.iter().zip(points) {
                let color = curve.style.fg.or(text).unwrap_or(Color::Reset);
                for (index, &(x, y)) in points.iter().enumerate() {
                    // Unknown values break the curve.
                    let next = points.get(index + 1).filter(|next| next.0 < x + 1.5);
                    let &(to_x, to_y) = next.unwrap_or(&(x, y));
                    painter.draw(&Line::new(x, y, to_x, to_y, color));
                }
            }
        });
    pen.widget(canvas, grid);
}

/// The axis of all intervals that a series remembers, below the grid, with a tick at each quarter of it; the latest is at
/// the right end.
fn draw_time_axis(pen: &mut Pen, grid: Rect, span_s: impl Fn(f64) -> f64) {
    let (y, last) = (grid.bottom(), grid.width - 1);
    let line = "─".repeat(grid.width.into());
    pen.text(grid.x, y, grid.width, &line, pen.theme.dim);
    for quarter in 0..=4 {
        pen.text(grid.x + last * quarter / 4, y, 1, "┴", pen.theme.dim);
    }
    let ago = |share| format!("-{}", units::duration(span_s(span() * share)));
    let y = y + 1;
    let end = pen.text(grid.x, y, grid.width, &ago(1.0), pen.theme.dim);
    pen.text_right(grid.x, y, grid.width, "now", pen.theme.dim);
    let half = ago(0.5);
    let wanted = half.chars().count() as u16;
    let x = (grid.x + last / 2).saturating_sub(wanted / 2);
    if grid.width >= WIDE_GRID && x > end {
        pen.text(x, y, wanted, &half, pen.theme.dim);
    }
}

/// The axis of values, to the left of the grid, with ticks at its top, its middle and zero; what they stand for has so
/// many cells beside it, if there is room.
fn draw_value_axis(pen: &mut Pen, grid: Rect, marks: Option<(u16, &[String; 2])>) {
    let (x, middle) = (grid.x - 1, grid.y + grid.height / 2);
    let has_middle = grid.height >= 3;
    for y in grid.top()..grid.bottom() {
        let is_tick = y == grid.y || has_middle && y == middle;
        pen.text(x, y, 1, if is_tick { "┤" } else { "│" }, pen.theme.dim);
    }
    pen.text(x, grid.bottom(), 1, "┼", pen.theme.dim);
    let Some((width, [top, half])) = marks else {
        return;
    };
    let x = x - width;
    pen.text_right(x, grid.y, width, top, pen.theme.dim);
    if has_middle {
        pen.text_right(x, middle, width, half, pen.theme.dim);
    }
    pen.text_right(x, grid.bottom(), width, "0", pen.theme.dim);
}

/// The number of intervals from the oldest to the latest.
fn span() -> f64 {
    Series::CAPACITY as f64 - 1.0
}

/// The largest value, where there is no room for it on the axis: behind the names, or below the axis of time.
fn draw_largest(pen: &mut Pen, area: Rect, names_end: u16, text: &str) {
    let wanted = text.chars().count() as u16;
    if names_end + wanted <= area.right() {
        pen.text_right(area.x, area.y, area.width, text, pen.theme.dim);
    } else if wanted + 12 <= area.width {
        let x = area.x + 7 + (area.width - 12 - wanted) / 2;
        pen.text(x, area.bottom() - 1, wanted, text, pen.theme.dim);
    }
}

/// The points of a curve, the latest at 0.
fn points(values: tracker::Trace) -> Vec<(f64, f64)> {
    let count = values.iter().len() as f64;
    let numbered = values.iter().enumerate();
    let known = numbered.filter_map(|(i, v)| Some((i as f64 + 1.0 - count, f64::from(v?))));
    known.collect()
}
