//! The distribution of the times between a flow's packets: bars over an axis of times, and the percentiles on it.

use ratatui::layout::Rect;

use super::pen::Pen;
use crate::app::{App, SMALLEST_CHART};
use crate::keymap::Action;
use crate::model::histogram::Histogram;
use crate::model::preferences::Scale;
use crate::model::tracker::Flow;
use crate::model::units;

const BARS: [&str; 9] = [" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];

/// Draws the distribution, on an axis that is as wide as the area.
pub fn draw_distribution(pen: &mut Pen, app: &App, area: Rect, flow: &Flow) {
    if area.width < SMALLEST_CHART.0 || area.height < 3 {
        return;
    }
    let scale = app.scale();
    let apart = match flow.comes_in_aggregates() {
        true => "aggregates",
        false => "packets",
    };
    draw_title(pen, app, area, apart);
    let histogram = flow.histogram.as_deref();
    let Some((histogram, axis)) =
        histogram.and_then(|h| Some((h, Axis::of(h, scale, area.width)?)))
    else {
        let text = match (app.past(), app.paused()) {
            (Some(_), _) => "none was kept of this flow then",
            (None, Some(_)) => "none was kept of this flow before the pause",
            (None, None) => "gathering...",
        };
        pen.text(area.x, area.y + 1, area.width, text, pen.theme.dim);
        return;
    };
    let marks = marks(histogram);
    draw_figures(pen, area, &marks);
    if area.height < SMALLEST_CHART.1 {
        return;
    }
    let has_line = area.height > SMALLEST_CHART.1;
    let bars = Rect {
        y: area.y + 2,
        height: area.height - 3 - u16::from(has_line),
        ..area
    };
    draw_bars(pen, bars, &axis.heights(histogram));
    if has_line {
        draw_marks(pen, bars, &marks, &axis);
    }
    draw_times(pen, area, &axis);
}

/// What it is, how the axis goes, and the key that changes that, as far as there is room.
fn draw_title(pen: &mut Pen, app: &App, area: Rect, apart: &str) {
    let title = format!("time between {apart}");
    let mut x = pen.text(area.x, area.y, area.width, &title, pen.theme.strong);
    let scale = app.scale();
    let keys = app.preferences().keymap.keys(Action::Scale);
    let how = format!(", {}", scale.name());
    let key = keys
        .first()
        .map(|key| format!(" ({key}: {})", scale.other().name()));
    for text in std::iter::once(how).chain(key) {
        if x + text.chars().count() as u16 > area.right() {
            break;
        }
        x = pen.text(x, area.y, area.right() - x, &text, pen.theme.dim);
    }
}

/// A percentile, or the longest gap: its name and ms.
type Mark = (&'static str, f64);

fn marks(histogram: &Histogram) -> Vec<Mark> {
    let all = [
        ("p50", histogram.percentile_ms(50.0)),
        ("p95", histogram.percentile_ms(95.0)),
        ("p99", histogram.percentile_ms(99.0)),
        ("max", histogram.longest_ms()),
    ];
    let known = all.into_iter().filter_map(|(name, ms)| Some((name, ms?)));
    known.collect()
}

/// A time, ms, as it is written on charts.
pub fn time(ms: f64) -> String {
    units::milliseconds(ms).trim().to_owned()
}

fn draw_figures(pen: &mut Pen, area: Rect, marks: &[Mark]) {
    let mut x = area.x;
    for (name, ms) in marks {
        let text = format!("{name} {}", time(*ms));
        if x + text.chars().count() as u16 > area.right() {
            break;
        }
        x = pen.text(x, area.y + 1, area.right() - x, &text, pen.theme.base) + 2;
    }
}

/// Bars, the largest as high as the area.
fn draw_bars(pen: &mut Pen, area: Rect, heights: &[f64]) {
    let largest = heights.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
    for (x, height) in (area.x..).zip(heights) {
        // What is there at all is visible.
        let eighths = (height / largest * f64::from(area.height) * 8.0).ceil() as usize;
        for line in 0..area.height {
            let below = usize::from(area.height - 1 - line) * 8;
            let bar = BARS[eighths.saturating_sub(below).min(8)];
            pen.text(x, area.y + line, 1, bar, pen.theme.spark);
        }
    }
}

/// The line below the bars, with a mark for each percentile and its name where there is room.
fn draw_marks(pen: &mut Pen, bars: Rect, marks: &[Mark], axis: &Axis) {
    let y = bars.bottom();
    let line = "─".repeat(bars.width.into());
    pen.text(bars.x, y, bars.width, &line, pen.theme.dim);
    let cells: Vec<u16> = marks.iter().map(|(_, ms)| axis.cell(ms * 1e6)).collect();
    let mut free = 0;
    for (index, ((name, _), cell)) in marks.iter().zip(&cells).enumerate() {
        let (cell, width) = (*cell, name.len() as u16);
        let next = cells.get(index + 1).copied().unwrap_or(bars.width);
        let behind = cell + 1 + width <= next;
        pen.text(bars.x + cell, y, 1, "┴", pen.theme.strong);
        let place = match behind {
            true => Some(cell + 1),
            false => cell.checked_sub(width).filter(|place| *place >= free),
        };
        if let Some(place) = place {
            pen.text(bars.x + place, y, width, name, pen.theme.base);
        }
        free = cell + 1 + if behind { width } else { 0 };
    }
}

/// Times along the axis, below everything.
fn draw_times(pen: &mut Pen, area: Rect, axis: &Axis) {
    const APART: u16 = 20;
    let parts = (area.width / APART).max(1);
    let y = area.bottom() - 1;
    for part in 0..=parts {
        let cell = area.width * part / parts;
        let text = time(axis.time(f64::from(cell)) / 1e6);
        let width = text.chars().count() as u16;
        let x = cell.saturating_sub(width / 2).min(area.width - width);
        pen.text(area.x + x, y, width, &text, pen.theme.dim);
    }
}

/// Times from left to right: from a little below the shortest to a little above the longest.
struct Axis {
    scale: Scale,
    /// The ends, on the scale.
    from: f64,
    to: f64,
    cells: u16,
}

impl Axis {
    /// `None` for a histogram without a gap.
    fn of(histogram: &Histogram, scale: Scale, cells: u16) -> Option<Axis> {
        let (shortest, its_end, _) = histogram.occupied().next()?;
        let (its_start, longest, _) = histogram.occupied().last()?;
        let from = (2 * shortest).saturating_sub(its_end + 1);
        let to = 2 * (longest + 1) - its_start;
        Some(Axis {
            scale,
            from: scale.of(from as f64),
            to: scale.of(to as f64),
            cells,
        })
    }

    /// Where a time, ns, is, in cells.
    fn place(&self, ns: f64) -> f64 {
        (self.scale.of(ns) - self.from) / (self.to - self.from) * f64::from(self.cells)
    }

    fn cell(&self, ns: f64) -> u16 {
        (self.place(ns) as u16).min(self.cells - 1)
    }

    /// What time, ns, is at a place.
    fn time(&self, place: f64) -> f64 {
        let share = place / f64::from(self.cells);
        self.scale.back(self.from + share * (self.to - self.from))
    }

    /// How many gaps there are in each cell: those of a bucket are taken to be spread over it.
    fn heights(&self, histogram: &Histogram) -> Vec<f64> {
        let mut heights = vec![0.0; self.cells.into()];
        for (from, to, count) in histogram.occupied() {
            let (begin, end) = (self.place(from as f64), self.place((to + 1) as f64));
            let cells = heights.iter_mut().enumerate();
            let reach = (end.ceil() - begin.floor()) as usize;
            for (cell, height) in cells.skip(begin as usize).take(reach) {
                let cell = cell as f64;
                let overlap = (end.min(cell + 1.0) - begin.max(cell)).max(0.0);
                *height += count as f64 * overlap / (end - begin);
            }
        }
        heights
    }
}
