//! The detail of one flow or one interface, in place of the table: the part of its sheet that is scrolled to.

use ratatui::layout::Rect;

use super::chart::{Curve, draw_curves};
use super::distribution::{draw_distribution, time};
use super::pen::Pen;
use crate::app::layout::Screen;
use crate::app::{App, Chart, Detail, Numbers, Scene, Subject};
use crate::model::tracker::{Flow, Interface};
use crate::model::units;

/// Draws the detail of the selected row, scrolled down this many lines.
pub fn draw(pen: &mut Pen, scene: &Scene, screen: &Screen, scroll: usize) {
    let (top, height) = screen.cover();
    let area = Rect::new(1, top, screen.width - 2, height);
    let detail = scene.detail(area.width);
    let sheet = detail.sheet(height);
    let below = sheet.height.saturating_sub(height);
    let scroll = u16::try_from(scroll).unwrap_or(below).min(below);
    pen.scrolled(area, sheet.height, scroll, |pen| {
        draw_text(pen, &detail, area);
        for (chart, place) in &sheet.charts {
            let place = Rect::new(area.x + place.x, place.y, place.width, place.height);
            draw_chart(pen, scene, &detail, *chart, place);
        }
    });
    let edge = screen.width - 1;
    if scroll > 0 {
        pen.text(edge, area.y, 1, "▲", pen.theme.accent);
    }
    if scroll < below {
        pen.text(edge, area.bottom() - 1, 1, "▼", pen.theme.accent);
    }
}

/// Draws all that is text, from the first line of the sheet on.
fn draw_text(pen: &mut Pen, detail: &Detail, area: Rect) {
    let mut y = 0;
    let room = |x| area.right().saturating_sub(x);
    let title = match detail.subject {
        Subject::Gone => pen.theme.strong,
        _ => pen.theme.accent,
    };
    for line in &detail.title {
        pen.text(area.x, y, area.width, line, title);
        y += 1;
    }
    for facts in &detail.place {
        let mut x = area.x;
        for (name, text) in facts {
            let style = if matches!(*name, "ALERT" | "TROUBLE") {
                pen.theme.bad
            } else {
                pen.theme.base
            };
            x = pen.text(x, y, room(x), name, pen.theme.dim) + 1;
            x = pen.text(x, y, room(x), text, style) + 3;
        }
        y += 1;
    }
    for numbers in &detail.numbers {
        y = draw_numbers(pen, numbers, area, y);
    }
    for line in &detail.relatives {
        pen.text(area.x, y, area.width, line, pen.theme.base);
        y += 1;
    }
}

/// Draws numbers below their heading, if they have one; returns the next line.
fn draw_numbers(pen: &mut Pen, numbers: &Numbers, area: Rect, top: u16) -> u16 {
    let mut top = top;
    if let Some(heading) = numbers.heading {
        pen.text(area.x, top, area.width, heading, pen.theme.strong);
        top += 1;
    }
    let (mut x, mut bottom) = (area.x, top);
    for column in numbers.columns(area.width) {
        for ((name, text), y) in column.facts.iter().zip(top..) {
            pen.text(x, y, column.name, name, pen.theme.dim);
            pen.text(x + column.name, y, column.text, text, pen.theme.base);
            bottom = bottom.max(y + 1);
        }
        x += column.name + column.text;
    }
    bottom
}

fn draw_chart(pen: &mut Pen, scene: &Scene, detail: &Detail, chart: Chart, area: Rect) {
    let app = scene.app();
    match (detail.subject, chart) {
        (Subject::Flow(flow), Chart::Curve(number)) => {
            draw_curve_panel(pen, scene, flow, number, area);
        }
        (Subject::Flow(flow), Chart::Distribution) => {
            draw_distribution(pen, app, area, flow);
        }
        (Subject::Interface(interface), _) => {
            draw_throughput(pen, scene, interface, area);
        }
        (Subject::Gone, _) => {}
    }
}

/// Over time: gaps; throughput; losses, which come before throughput if there are any, as there may be no room for three.
fn draw_curve_panel(pen: &mut Pen, scene: &Scene, flow: &Flow, panel: u16, area: Rect) {
    let theme = pen.theme;
    let history = &flow.history;
    let curve = |name, values, style| Curve {
        name,
        values,
        style,
    };
    let loses = flow.counts.sequence.is_some_and(|s| s.lost > 0);
    match panel {
        0 => {
            let curves = [
                curve("IAT mean", history.interarrival_mean(), theme.good),
                curve("jitter (sd)", history.jitter(), theme.warn),
            ];
            draw_curves(pen, area, &curves, span_of(scene), time);
        }
        1 | 2 if loses == (panel == 2) => {
            let curves = [
                curve("throughput", history.throughput(), theme.spark),
                curve("goodput", history.goodput(), theme.good),
            ];
            draw_curves(pen, area, &curves, span_of(scene), rates_of(scene.app()));
        }
        _ => {
            let curves = [curve("lost", history.lost.all(), theme.bad)];
            draw_curves(pen, area, &curves, span_of(scene), |n| match n.fract() {
                0.0 => units::count(n as u64),
                _ => format!("{n:.1}"),
            });
        }
    }
}

fn draw_throughput(pen: &mut Pen, scene: &Scene, interface: &Interface, area: Rect) {
    let curves = [Curve {
        name: "throughput",
        values: interface.throughput_history.all(),
        style: pen.theme.spark,
    }];
    draw_curves(pen, area, &curves, span_of(scene), rates_of(scene.app()));
}

/// How long so many of the latest intervals were together, s. Those that are not remembered have no points.
fn span_of<'a>(scene: &Scene<'a>) -> impl Fn(f64) -> f64 + use<'a> {
    let lengths = scene.shown().lengths.all();
    let usual_s = scene.app().preferences().interval_s;
    move |intervals| lengths.sum_of_latest(intervals, usual_s)
}

/// How rates are written, in the unit that is shown.
fn rates_of(app: &App) -> impl Fn(f64) -> String {
    let unit = app.preferences().appearance.unit;
    move |rate| units::rate(rate, unit).trim().to_owned()
}
