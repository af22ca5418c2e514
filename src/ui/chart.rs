//! Charts over time.

use ratatui::layout::Rect;
use ratatui::style::{Color, Style};
use ratatui::symbols::Marker;
use ratatui::widgets::canvas::{Canvas, Line};

use super::pen::Pen;
use crate::model::tracker::{self, Series};
use crate::model::units;

/// The smallest area in which a chart is legible.
pub const SMALLEST: (u16, u16) = (24, 5);

/// One line of a chart.
pub struct Curve<'a> {
    /// Its name.
    pub name: &'static str,
    /// Its values.
    pub values: tracker::Trace<'a>,
    /// Its style.
    pub style: Style,
}

/// Draws curves over the latest intervals, with the largest value at the top of the axis.
pub fn draw_curves(
    pen: &mut Pen,
    area: Rect,
    curves: &[Curve],
    interval_s: f64,
    label: impl Fn(f64) -> String,
) {
    if area.width < SMALLEST.0 || area.height < SMALLEST.1 {
        return;
    }
    let points: Vec<Vec<(f64, f64)>> = curves.iter().map(|t| points(t.values)).collect();
    let top = points.iter().flatten().map(|p| p.1).fold(0.0, f64::max);
    let mut x = area.x;
    for (curve, name) in curves.iter().zip(legend(curves, area.width, &label)) {
        x = pen.text(x, area.y, area.right() - x, &name, curve.style) + 2;
    }
    let largest = format!("max {}", label(top));
    let plot = Rect {
        y: area.y + 1,
        height: area.height - 1,
        ..area
    };
    if points.iter().all(Vec::is_empty) {
        pen.text(plot.x, plot.y, plot.width, "no values yet", pen.theme.dim);
        return;
    }
    draw_plot(pen, plot, curves, &points, top);
    draw_time_axis(pen, plot, interval_s);
    if top > 0.0 {
        draw_largest(pen, area, x, &largest);
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

/// The curves, above the two lines of the axis. All are on one grid: if two meet in a cell, both are visible.
fn draw_plot(pen: &mut Pen, plot: Rect, curves: &[Curve], points: &[Vec<(f64, f64)>], top: f64) {
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
    let grid = Rect {
        height: plot.height - 2,
        ..plot
    };
    pen.widget(canvas, grid);
}

/// The axis of all intervals that a series remembers, the latest at the right end.
fn draw_time_axis(pen: &mut Pen, plot: Rect, interval_s: f64) {
    let y = plot.bottom() - 2;
    let line = "─".repeat(plot.width.into());
    pen.text(plot.x, y, plot.width, &line, pen.theme.dim);
    let past = format!("-{}", units::duration(span() * interval_s));
    pen.text(plot.x, y + 1, plot.width, &past, pen.theme.dim);
    pen.text_right(plot.x, y + 1, plot.width, "now", pen.theme.dim);
}

/// The number of intervals from the oldest to the latest.
fn span() -> f64 {
    Series::CAPACITY as f64 - 1.0
}

/// The scale: behind the names, or on the axis if there is no room.
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
