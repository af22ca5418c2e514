//! The lines above the table: tabs, interfaces, totals, and what is not tracked.

use super::past;
use super::pen::{Pen, Segment};
use crate::app::layout::Screen;
use crate::app::{App, NAME, Scene, tabs};
use crate::keymap::Action;
use crate::model::capture::CaptureSample;
use crate::model::preferences::Unit;
use crate::model::snapshot::LinkState;
use crate::model::tracker::{Interface, Rates, Report};
use crate::model::units;

/// Draws all lines of the header.
pub fn draw(pen: &mut Pen, scene: &Scene, screen: &Screen) {
    let (app, shown) = (scene.app(), scene.shown());
    let end = draw_tabs(pen, app, screen);
    draw_state(pen, scene, screen, end);
    draw_interfaces(pen, scene, screen);
    draw_totals(pen, app, shown, screen);
    if let Some(place) = app.past() {
        past::draw_bar(pen, place, screen);
    }
}

fn draw_tabs(pen: &mut Pen, app: &App, screen: &Screen) -> u16 {
    let theme = pen.theme;
    let mut end = pen.text(0, screen.tabs, screen.width, NAME, theme.accent);
    for (view, x, text) in tabs(screen.width, app.view()) {
        let style = if view == app.view() {
            theme.tab
        } else {
            theme.base
        };
        end = pen.text(x, screen.tabs, screen.width - x, &text, style);
    }
    end
}

/// The interval, or how long the screen has been paused.
fn draw_state(pen: &mut Pen, scene: &Scene, screen: &Screen, from: u16) {
    let (app, theme) = (scene.app(), pen.theme);
    let preferences = app.preferences();
    let mut segments = Vec::new();
    let mut in_short = "";
    if let Some(place) = app.past() {
        in_short = if place.is_of_run { " past " } else { "" };
        let live = scene.live().taken_ns;
        let ago_ns = live.saturating_sub(scene.shown().taken_ns);
        segments = past::state(pen, place, ago_ns);
    } else if let Some(paused) = app.paused() {
        let live = scene.live().taken_ns;
        let stood = live.saturating_sub(scene.shown().taken_ns);
        in_short = " PAUSED ";
        segments.push(Segment::new(in_short, theme.selected, 0));
        segments.push(Segment::new(" since", theme.warn, 3));
        segments.push(Segment::new(format!(" {}", paused.at()), theme.warn, 1));
        let stood = units::duration(stood as f64 / 1e9);
        segments.push(Segment::new(format!(", {stood}"), theme.warn, 2));
    } else {
        if let Some(at) = app.reset_at() {
            segments.push(Segment::new(format!("reset {at}  "), theme.dim, 3));
        }
        if scene.shown().capture.is_some() {
            segments.push(Segment::new(format!("{}  ", app.now()), theme.strong, 0));
        }
        let every = format!("every {} s", preferences.interval_s);
        segments.push(Segment::new(every, theme.dim, 1));
        if let Some(jitter_s) = preferences.jitter_s {
            let window = format!(", jitter over {jitter_s} s");
            segments.push(Segment::new(window, theme.dim, 2));
        }
    }
    let room = screen.width.saturating_sub(from + 1);
    let least = segments.iter().filter(|segment| !segment.yields_to(0));
    if !in_short.is_empty() && segments_width(least) > room {
        // That the numbers stand still, and of when they are, is more than the program's name.
        segments.remove(0);
        pen.clear(0, screen.tabs, NAME.len() as u16);
        pen.text(0, screen.tabs, screen.width, in_short, theme.selected);
    }
    pen.line_right(from, screen.tabs, room, segments);
}

/// The keys that change how a capture is played, how fast it is, and how far.
fn state_of_capture(pen: &Pen, app: &App, capture: &CaptureSample) -> Vec<Segment> {
    const CELLS: usize = 10;
    let theme = pen.theme;
    let keymap = &app.preferences().keymap;
    let key = |action, does| {
        let key = keymap.keys(action).first().filter(|_| !capture.is_over)?;
        Some(Segment::new(format!("{key} {does}  "), theme.dim, 3))
    };
    let go_on = if capture.pace.is_held {
        "go on"
    } else {
        "hold"
    };
    // The pace of a stream is its own.
    let is_file = capture.size.is_some();
    let keys = [
        key(Action::Hold, go_on),
        key(Action::Faster, "faster").filter(|_| is_file),
        key(Action::ToEnd, "to its end").filter(|_| is_file),
    ];
    let mut segments: Vec<Segment> = keys.into_iter().flatten().collect();
    segments.push(match (capture.is_over, capture.pace.is_held) {
        (true, _) => Segment::new("at its end", theme.warn, 0),
        (_, true) => Segment::new(" HELD ", theme.selected, 0),
        _ if !is_file && capture.pace.speed.is_none() => Segment::new("as it comes", theme.good, 0),
        _ => Segment::new(capture.pace.name(), theme.good, 0),
    });
    // A stream comes as it comes.
    let is_usual = capture.pace.speed == is_file.then_some(1);
    if capture.pace.is_held && !is_usual && !capture.is_over {
        let then = format!(" then {}", capture.pace.name());
        segments.push(Segment::new(then, theme.dim, 1));
    }
    if let Some(progress) = capture.progress() {
        let filled = (progress * CELLS as f64) as usize;
        let cell = |at| if at < filled { '█' } else { '░' };
        let bar: String = (0..CELLS).map(cell).collect();
        segments.push(Segment::new(format!("  {bar}"), theme.dim, 2));
        let percent = format!(" {:3.0} %", progress * 100.0);
        segments.push(Segment::new(percent, theme.base, 1));
    }
    segments
}

/// At the end of the first line of interfaces, two thirds of which it takes at most. Returns what is left of them.
fn draw_capture(pen: &mut Pen, scene: &Scene, screen: &Screen) -> u16 {
    let (line, lines) = screen.interfaces;
    // A capture goes on while the screen is paused.
    let Some(capture) = scene.live().capture.as_ref().filter(|_| lines > 0) else {
        return screen.width;
    };
    let segments = state_of_capture(pen, scene.app(), capture);
    let room = segments_width(segments.iter()).min(screen.width * 2 / 3);
    let x = screen.width - room - 1;
    pen.line_right(x, line, room, segments);
    x - 1
}

fn draw_interfaces(pen: &mut Pen, scene: &Scene, screen: &Screen) {
    let (app, shown) = (scene.app(), scene.shown());
    let width = draw_capture(pen, scene, screen);
    let (top, lines) = screen.interfaces;
    let unit = app.preferences().appearance.unit;
    if usize::from(lines) >= shown.interfaces.len() && lines > 1 {
        for (line, interface) in (top..).zip(&shown.interfaces) {
            let segments = interface_in_full(pen, interface, shown, unit);
            pen.line(1, line, width - 1, segments);
        }
        return;
    }
    let mut rest = shown.interfaces.as_slice();
    for line in top..top + lines {
        let last = line + 1 == top + lines;
        let mut x = 1;
        while let Some((interface, behind)) = rest.split_first() {
            let segments = interface_in_short(pen, interface, shown, unit);
            let wanted = segments_width(segments.iter());
            let more = if last && !behind.is_empty() { 12 } else { 0 };
            // The first one is drawn as far as there is room, if that is enough for its name.
            let least = match x {
                1 => segments[0].width() as u16,
                _ => wanted,
            };
            if x + least + more > width {
                break;
            }
            x = pen.line(x, line, width - x - more, segments) + 3;
            rest = behind;
        }
        if last && !rest.is_empty() {
            let more = format!("+{} more", rest.len());
            pen.text_right(x, line, width.saturating_sub(x + 1), &more, pen.theme.dim);
        }
    }
}

fn segments_width<'a>(segments: impl Iterator<Item = &'a Segment>) -> u16 {
    segments.map(Segment::width).sum::<usize>() as u16
}

/// Name, state and hook of an interface.
fn identity(pen: &Pen, interface: &Interface, shown: &Report) -> Vec<Segment> {
    let theme = pen.theme;
    let state = match interface.state {
        LinkState::Up => theme.good,
        LinkState::Down => theme.warn,
        LinkState::Gone => theme.bad,
    };
    let mut segments = vec![
        Segment::new(interface.name.clone(), theme.strong, 0),
        Segment::new(format!(" {}", interface.condition(shown)), state, 1),
    ];
    segments.extend(match (interface.hook, interface.state) {
        (Some(hook), _) => Some(Segment::new(format!(" {}", hook.name()), theme.dim, 4)),
        (None, LinkState::Gone) => None,
        (None, _) => Some(Segment::new(" not attached", theme.warn, 4)),
    });
    segments
}

fn interface_in_short(
    pen: &Pen,
    interface: &Interface,
    shown: &Report,
    unit: Unit,
) -> Vec<Segment> {
    let mut segments = identity(pen, interface, shown);
    if let Some(rates) = interface.rates {
        let rate = format!(" {}", units::rate(rates.throughput, unit));
        segments.push(Segment::new(rate, pen.theme.base, 2));
    }
    segments
}

fn interface_in_full(pen: &Pen, interface: &Interface, shown: &Report, unit: Unit) -> Vec<Segment> {
    let theme = pen.theme;
    let mut segments = interface_in_short(pen, interface, shown, unit);
    if let Some(rates) = interface.rates {
        let packets = format!("  {}", units::packet_rate(rates.packet_rate));
        segments.push(Segment::new(packets, theme.base, 3));
    }
    let flows = format!("  {} flows", units::exact(interface.flows as u64));
    segments.push(Segment::new(flows, theme.base, 5));
    let counted = &interface.counted;
    for (name, volume, priority) in [
        ("other", counted.other, 8),
        ("filtered", counted.filtered, 9),
        ("untracked", counted.untracked, 6),
        ("malformed", counted.malformed_total(), 7),
    ] {
        let style = match name {
            "untracked" | "malformed" if volume.packets > 0 => theme.warn,
            _ => theme.dim,
        };
        let text = format!("  {name} {}", units::count(volume.packets));
        segments.push(Segment::new(text, style, priority));
    }
    segments.extend(cut_off(pen, counted.cut_off.packets));
    segments
}

/// Only of captures.
fn cut_off(pen: &Pen, packets: u64) -> Option<Segment> {
    let text = format!("  cut off {}", units::count(packets));
    (packets > 0).then(|| Segment::new(text, pen.theme.warn, 2))
}

fn draw_totals(pen: &mut Pen, app: &App, shown: &Report, screen: &Screen) {
    let theme = pen.theme;
    let mut segments = vec![Segment::new(flows_text(app, shown), theme.strong, 0)];
    let alerts = app.alerts().count() as u64;
    if alerts > 0 {
        let text = format!("  {} in alert", units::exact(alerts));
        segments.push(Segment::new(text, theme.bad, 0));
    }
    if app.flows().in_trouble() > 0 {
        let text = format!(
            "  {} in trouble",
            units::exact(app.flows().in_trouble() as u64)
        );
        segments.push(Segment::new(text, theme.bad, 0));
    }
    if app.flows().losing() > 0 {
        let text = format!("  {} losing", units::exact(app.flows().losing() as u64));
        segments.push(Segment::new(text, theme.warn, 1));
    }
    segments.extend(rates(pen, app, shown));
    segments.extend(outside_flows(pen, shown));
    pen.line(1, screen.totals, screen.width - 1, segments);
}

/// The rates of all interfaces together.
fn rates(pen: &Pen, app: &App, shown: &Report) -> Vec<Segment> {
    let theme = pen.theme;
    let unit = app.preferences().appearance.unit;
    let known: Vec<_> = shown.interfaces.iter().filter_map(|i| i.rates).collect();
    if known.is_empty() {
        return Vec::new();
    }
    let through: f64 = known.iter().map(|r| r.throughput).sum();
    let goodput: f64 = known.iter().map(|r| r.goodput).sum();
    let packets: f64 = known.iter().map(|r| r.packet_rate).sum();
    let some = app.flows().shown_rates();
    let some = some.filter(|_| app.view().filters_flows());
    let beside = |what: &str, all: String, part: Option<String>| match part {
        Some(part) => format!("  {what}{} of {}", part.trim_start(), all.trim_start()),
        None => format!("  {what}{all}"),
    };
    let rate = |rate: f64| units::rate(rate, unit);
    let through = beside("", rate(through), some.map(|it| rate(it.throughput)));
    let goodput = beside("goodput ", rate(goodput), some.map(|it| rate(it.goodput)));
    let packet_rate = |it: Rates| units::packet_rate(it.packet_rate);
    let packets = beside("", units::packet_rate(packets), some.map(packet_rate));
    vec![
        Segment::new(through, theme.strong, 1),
        Segment::new(goodput, theme.base, 4),
        Segment::new(packets, theme.base, 3),
    ]
}

/// What was counted outside of flows; what is not tracked is left out last.
fn outside_flows(pen: &Pen, shown: &Report) -> Vec<Segment> {
    let theme = pen.theme;
    let sum = |of: fn(&Interface) -> u64| shown.interfaces.iter().map(of).sum::<u64>();
    let other = sum(|i| i.counted.other.packets);
    let filtered = sum(|i| i.counted.filtered.packets);
    let untracked = sum(|i| i.counted.untracked.packets);
    let malformed = sum(|i| i.counted.malformed_total().packets);
    let trouble = |count| if count > 0 { theme.warn } else { theme.dim };
    let segment = |name, count, style, priority| {
        Segment::new(format!("  {name} {}", units::count(count)), style, priority)
    };
    let mut segments = vec![
        segment("other", other, theme.dim, 7),
        segment("filtered", filtered, theme.dim, 8),
        segment("untracked", untracked, trouble(untracked), 2),
        segment("malformed", malformed, trouble(malformed), 6),
    ];
    segments.extend(cut_off(pen, sum(|i| i.counted.cut_off.packets)));
    segments
}

fn flows_text(app: &App, shown: &Report) -> String {
    let flows = shown.flows.len();
    let noun = if flows == 1 { "flow" } else { "flows" };
    let all = units::exact(flows as u64);
    match app.flows().hidden() {
        hidden if hidden > 0 && app.view().filters_flows() => {
            format!("{all} {noun}, {} hidden", units::exact(hidden as u64))
        }
        _ => format!("{all} {noun}"),
    }
}
