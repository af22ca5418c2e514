//! Charts over time and the histogram of inter-arrival times.

use ratatui::layout::Rect;
use ratatui::style::{Color, Style};
use ratatui::symbols::Marker;
use ratatui::widgets::canvas::{Canvas, Line};

use super::pen::Pen;
use crate::model::histogram::{Histogram, lower_bound};
use crate::model::tracker::{self, Series};
use crate::model::units;

/// The smallest area in which a chart says something.
pub const SMALLEST: (u16, u16) = (24, 5);

/// One line of a chart.
pub struct Trace<'a> {
    /// What it is.
    pub name: &'static str,
    /// Its values.
    pub values: tracker::Trace<'a>,
    /// Its style.
    pub style: Style,
}

/// Draws traces over the latest intervals, with the largest value at the top of the axis.
pub fn draw_traces(
    pen: &mut Pen,
    area: Rect,
    traces: &[Trace],
    interval_s: f64,
    label: impl Fn(f64) -> String,
) {
    if area.width < SMALLEST.0 || area.height < SMALLEST.1 {
        return;
    }
    let points: Vec<Vec<(f64, f64)>> = traces.iter().map(|t| points(t.values)).collect();
    let top = points.iter().flatten().map(|p| p.1).fold(0.0, f64::max);
    let mut x = area.x;
    for (trace, name) in traces.iter().zip(legend(traces, area.width, &label)) {
        x = pen.text(x, area.y, area.right() - x, &name, trace.style) + 2;
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
    draw_plot(pen, plot, traces, &points, top);
    draw_time_axis(pen, plot, interval_s);
    if top > 0.0 {
        draw_largest(pen, area, x, &largest);
    }
}

/// The names, each with the latest value where there is room: it tells lines apart where colours do not.
fn legend(traces: &[Trace], width: u16, label: impl Fn(f64) -> String) -> Vec<String> {
    let with_value = |trace: &Trace| match trace.values.latest() {
        Some(value) => format!("{} {}", trace.name, label(value.into())),
        None => trace.name.to_owned(),
    };
    let names: Vec<String> = traces.iter().map(with_value).collect();
    let wanted: usize = names.iter().map(|name| name.chars().count() + 2).sum();
    match wanted <= usize::from(width) + 2 {
        true => names,
        false => traces.iter().map(|trace| trace.name.to_owned()).collect(),
    }
}

/// The lines, above the two lines of the axis. All on one grid: where two meet in a cell, both are seen.
fn draw_plot(pen: &mut Pen, plot: Rect, traces: &[Trace], points: &[Vec<(f64, f64)>], top: f64) {
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
            for (trace, points) in traces.iter().zip(points) {
                let color = trace.style.fg.or(text).unwrap_or(Color::Reset);
                for (index, &(x, y)) in points.iter().enumerate() {
                    // Where nothing is known the line is broken.
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

/// As many intervals as a series remembers, the latest at the right end.
fn draw_time_axis(pen: &mut Pen, plot: Rect, interval_s: f64) {
    let y = plot.bottom() - 2;
    let line = "─".repeat(plot.width.into());
    pen.text(plot.x, y, plot.width, &line, pen.theme.dim);
    let past = format!("-{}", units::duration(span() * interval_s));
    pen.text(plot.x, y + 1, plot.width, &past, pen.theme.dim);
    pen.text_right(plot.x, y + 1, plot.width, "now", pen.theme.dim);
}

/// From the oldest interval to the latest.
fn span() -> f64 {
    Series::CAPACITY as f64 - 1.0
}

/// The scale: behind the names, or on the axis where there is no room.
fn draw_largest(pen: &mut Pen, area: Rect, names_end: u16, text: &str) {
    let wanted = text.chars().count() as u16;
    if names_end + wanted <= area.right() {
        pen.text_right(area.x, area.y, area.width, text, pen.theme.dim);
    } else if wanted + 12 <= area.width {
        let x = area.x + 7 + (area.width - 12 - wanted) / 2;
        pen.text(x, area.bottom() - 1, wanted, text, pen.theme.dim);
    }
}

/// The points of a line, the latest at 0.
fn points(values: tracker::Trace) -> Vec<(f64, f64)> {
    let count = values.iter().len() as f64;
    let numbered = values.iter().enumerate();
    let known = numbered.filter_map(|(i, v)| Some((i as f64 + 1.0 - count, f64::from(v?))));
    known.collect()
}

/// Draws the histogram: percentiles, then a bar for each bucket that is in use.
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

/// Bars from the left, one cell a bucket where there is room for no more, on an axis of times.
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
