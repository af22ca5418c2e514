//! The detail of one flow or one interface, in place of the table.

use ratatui::layout::Rect;

use super::chart::{self, Curve, draw_curves};
use super::distribution::draw_distribution;
use super::facts::{self, Fact};
use super::pen::Pen;
use crate::app::layout::Screen;
use crate::app::{App, Scene, View};
use crate::model::column::shorten_middle;
use crate::model::snapshot::LinkState;
use crate::model::tracker::{Flow, Interface, Report};
use crate::model::units;

/// Cells for a fact of a flow: for its name, and for its text with the gap behind it.
const FLOW_FACT: (u16, u16) = (14, 12);
/// The same for an interface.
const INTERFACE_FACT: (u16, u16) = (20, 18);

/// Draws the detail of the selected row.
pub fn draw(pen: &mut Pen, scene: &Scene, screen: &Screen) {
    let (app, shown) = (scene.app(), scene.shown());
    let (top, height) = screen.cover();
    let area = Rect::new(1, top, screen.width - 2, height);
    if app.view() == View::Interfaces {
        match scene.selected_interface() {
            Some(interface) => draw_interface(pen, app, shown, interface, area),
            None => draw_gone(pen, area, "This interface is not watched any more."),
        }
        return;
    }
    match scene.selected_flow() {
        Some(flow) => draw_flow(pen, app, shown, flow, area),
        None => draw_gone(pen, area, "This flow has left the table. Esc goes back."),
    }
}

fn draw_gone(pen: &mut Pen, area: Rect, text: &str) {
    let text = shorten_middle(text, usize::from(area.width));
    pen.text(area.x, area.y + 1, area.width, &text, pen.theme.strong);
}

fn draw_flow(pen: &mut Pen, app: &App, shown: &Report, flow: &Flow, area: Rect) {
    let context = app.context(shown);
    let mut y = area.y;
    for line in title_lines(&facts::title(flow, &context), usize::from(area.width)) {
        pen.text(area.x, y, area.width, &line, pen.theme.accent);
        y += 1;
    }
    y = draw_inline(pen, area, y, &facts::place(app, flow));
    let numbers = facts::numbers(flow, &context);
    y = draw_facts(pen, rest_of(area, y), &numbers, FLOW_FACT);
    for line in facts::relatives(flow, shown, &context) {
        if y < area.bottom() && line.chars().count() <= usize::from(area.width) {
            pen.text(area.x, y, area.width, &line, pen.theme.base);
            y += 1;
        }
    }
    draw_charts(pen, app, flow, rest_of(area, y + 1));
}

/// The title on one line, or broken before the arrow if it is too long.
fn title_lines(title: &str, width: usize) -> Vec<String> {
    if title.chars().count() <= width {
        return vec![title.to_owned()];
    }
    match title.split_once(" → ") {
        Some((from, to)) => vec![
            shorten_middle(from, width),
            shorten_middle(&format!("→ {to}"), width),
        ],
        None => vec![shorten_middle(title, width)],
    }
}

fn rest_of(area: Rect, y: u16) -> Rect {
    let y = y.min(area.bottom());
    Rect {
        y,
        height: area.bottom() - y,
        ..area
    }
}

/// Draws as many facts as fit on one line; returns the next line.
fn draw_inline(pen: &mut Pen, area: Rect, y: u16, facts: &[Fact]) -> u16 {
    if y >= area.bottom() || facts.is_empty() {
        return y;
    }
    let mut x = area.x;
    for (name, text) in facts {
        let style = if *name == "ALERT" {
            pen.theme.bad
        } else {
            pen.theme.base
        };
        let wanted = name.chars().count() + 1 + text.chars().count();
        if usize::from(x) + wanted > usize::from(area.right()) {
            continue;
        }
        x = pen.text(x, y, area.right() - x, name, pen.theme.dim) + 1;
        x = pen.text(x, y, area.right() - x, text, style) + 3;
    }
    y + 1
}

/// Draws facts in as many columns as fit, read downwards; returns the next line.
fn draw_facts(
    pen: &mut Pen,
    area: Rect,
    facts: &[Fact],
    (name_width, text_width): (u16, u16),
) -> u16 {
    let cells = name_width + text_width;
    let columns = usize::from(area.width / cells).max(1);
    let lines = facts.len().div_ceil(columns);
    for (index, (name, text)) in facts.iter().enumerate() {
        let y = area.y + (index % lines) as u16;
        if y >= area.bottom() {
            continue;
        }
        let x = area.x + (index / lines) as u16 * cells;
        pen.text(x, y, name_width, name, pen.theme.dim);
        pen.text(x + name_width, y, text_width - 1, text, pen.theme.base);
    }
    (area.y + lines as u16).min(area.bottom())
}

/// Draws the distribution of the gaps over the whole width, below curves over time; beside one of them where there is
/// no room for two rows.
fn draw_charts(pen: &mut Pen, app: &App, flow: &Flow, area: Rect) {
    const GAP: u16 = 2;
    let (least_width, least_height) = chart::SMALLEST;
    if area.width < least_width || area.height < least_height {
        return;
    }
    let fits = (area.width + GAP) / (least_width + GAP);
    let (columns, width, gaps) = if area.height >= 2 * least_height {
        let columns = fits.min(3);
        let gaps = rest_of(area, area.y + area.height / 2);
        (columns, (area.width + GAP) / columns, Some(gaps))
    } else if fits > 1 {
        let width = (area.width / 3).max(least_width) + GAP;
        let gaps = Rect {
            x: area.x + width,
            width: area.width - width,
            ..area
        };
        (1, width, Some(gaps))
    } else {
        (1, area.width + GAP, None)
    };
    let is_below = gaps.is_some_and(|gaps| gaps.y > area.y);
    for panel in 0..columns {
        let place = Rect {
            x: area.x + panel * width,
            width: width - GAP,
            height: if is_below {
                area.height / 2
            } else {
                area.height
            },
            ..area
        };
        draw_curve_panel(pen, app, flow, panel, place);
    }
    if let Some(gaps) = gaps {
        draw_distribution(pen, app, gaps, flow.histogram.as_deref());
    }
}

/// Over time: gaps; throughput; losses, which come before throughput if there are any, as there may be no room for three.
fn draw_curve_panel(pen: &mut Pen, app: &App, flow: &Flow, panel: u16, area: Rect) {
    let theme = pen.theme;
    let history = &flow.history;
    let (unit, interval_s) = (
        app.preferences().appearance.unit,
        app.preferences().interval_s,
    );
    let curve = |name, values, style| Curve {
        name,
        values,
        style,
    };
    let time = |ms| units::milliseconds(ms).trim().to_owned();
    let loses = flow.counts.sequence.is_some_and(|s| s.lost > 0);
    match if loses && panel >= 1 {
        3 - panel
    } else {
        panel
    } {
        0 => {
            let curves = [
                curve("IAT mean", history.interarrival_mean(), theme.good),
                curve("jitter (sd)", history.jitter(), theme.warn),
            ];
            draw_curves(pen, area, &curves, interval_s, time);
        }
        1 => {
            let curves = [
                curve("throughput", history.throughput(), theme.spark),
                curve("goodput", history.goodput(), theme.good),
            ];
            let rate = |rate| units::rate(rate, unit).trim().to_owned();
            draw_curves(pen, area, &curves, interval_s, rate);
        }
        _ => {
            let curves = [curve("lost", history.lost.all(), theme.bad)];
            draw_curves(pen, area, &curves, interval_s, |n| units::count(n as u64));
        }
    }
}

fn draw_interface(pen: &mut Pen, app: &App, shown: &Report, interface: &Interface, area: Rect) {
    let hook = match (interface.hook, interface.state) {
        (Some(hook), _) => hook.name(),
        (None, LinkState::Gone) => "",
        (None, _) => "not attached",
    };
    let title = format!("{} {} {hook}", interface.name, interface.condition(shown));
    draw_title(pen, area, title.trim_end());
    let y = draw_facts(
        pen,
        rest_of(area, area.y + 1),
        &facts::interface(interface),
        INTERFACE_FACT,
    );
    let rest = rest_of(area, y + 1);
    let unit = app.preferences().appearance.unit;
    let curves = [Curve {
        name: "throughput",
        values: interface.throughput_history.all(),
        style: pen.theme.spark,
    }];
    let rate = |rate| units::rate(rate, unit).trim().to_owned();
    let interval_s = shown.interval_s.max(app.preferences().interval_s);
    draw_curves(pen, rest, &curves, interval_s, rate);
}

fn draw_title(pen: &mut Pen, area: Rect, title: &str) {
    let title = shorten_middle(title, usize::from(area.width));
    pen.text(area.x, area.y, area.width, &title, pen.theme.accent);
}
