//! Charts over time and the histogram of inter-arrival times.

use ratatui::layout::Rect;
use ratatui::style::{Color, Style};
use ratatui::symbols::Marker;
use ratatui::widgets::canvas::{Canvas, Line};

use super::pen::Pen;
use crate::model::histogram::{Histogram, lower_bound};
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

/// Draws the histogram: percentiles, and a bar for each bucket from the first occupied one to the last.
pub fn draw_histogram(pen: &mut Pen, area: Rect, histogram: Option<&Histogram>) {
    if area.width < SMALLEST.0 || area.height < 3 {
        return;
    }
    let title = "time between packets";
    pen.text(area.x, area.y, area.width, title, pen.theme.strong);
    let Some(histogram) = histogram.filter(|h| h.total() > 0) else {
        let text = "gathering...";
        pen.text(area.x, area.y + 1, area.width, text, pen.theme.dim);
        return;
    };
    draw_percentiles(pen, area, histogram);
    draw_bars(pen, area, histogram);
}

fn draw_percentiles(pen: &mut Pen, area: Rect, histogram: &Histogram) {
    let time = |ns: Option<f64>| match ns {
        Some(ns) => units::milliseconds(ns / 1e6).trim().to_owned(),
        None => units::UNKNOWN.to_owned(),
    };
    let max = histogram.max().map(|ns| ns as f64);
    let mut x = area.x;
    for (name, value) in [
        ("p50", histogram.percentile(50.0)),
        ("p95", histogram.percentile(95.0)),
        ("p99", histogram.percentile(99.0)),
        ("max", max),
    ] {
        let text = format!("{name} {}", time(value));
        if x + text.chars().count() as u16 > area.right() {
            break;
        }
        x = pen.text(x, area.y + 1, area.right() - x, &text, pen.theme.base) + 2;
    }
}

/// Bars from the left on an axis of times, each of one to four cells.
fn draw_bars(pen: &mut Pen, area: Rect, histogram: &Histogram) {
    const BARS: [&str; 9] = [" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];
    let counts = histogram.occupied();
    let Some(first) = histogram.first_occupied().filter(|_| area.height >= 5) else {
        return;
    };
    let lines = area.height - 3;
    let cells = (usize::from(area.width) / counts.len().max(1)).clamp(1, 4);
    let largest = counts.iter().copied().max().unwrap_or(1).max(1);
    let shown = counts.len().min(usize::from(area.width) / cells);
    for (index, count) in counts.iter().take(shown).enumerate() {
        let eighths = (*count as f64 / largest as f64 * f64::from(lines) * 8.0).ceil() as usize;
        for line in 0..lines {
            let filled = eighths
                .saturating_sub(usize::from(lines - 1 - line) * 8)
                .min(8);
            let x = area.x + (index * cells) as u16;
            let bar = BARS[filled].repeat(cells);
            pen.text(x, area.y + 2 + line, cells as u16, &bar, pen.theme.spark);
        }
    }
    let time = |bucket| {
        units::milliseconds(lower_bound(bucket) as f64 / 1e6)
            .trim()
            .to_owned()
    };
    let y = area.bottom() - 1;
    let from = time(first);
    let end = pen.text(area.x, y, area.width, &from, pen.theme.dim);
    let to = time(first + shown);
    let used = (shown * cells) as u16;
    if used > (end - area.x) + to.chars().count() as u16 {
        pen.text_right(area.x, y, used, &to, pen.theme.dim);
    }
}
