//! The two lines below the table: status and keys.

use ratatui::style::Style;
use unicode_width::UnicodeWidthStr;

use super::glyphs::{Glyph, around, glyphs};
use super::pen::{Pen, Segment};
use crate::app::layout::Screen;
use crate::app::{App, Mode, View};
use crate::model::column::{Sort, TROUBLE, shorten_end, shorten_middle};
use crate::model::units;
use crate::model::wrap::wrap;

/// Draws status and footer.
pub fn draw(pen: &mut Pen, app: &App, screen: &Screen) {
    match app.mode() {
        Mode::Filter => draw_filter(pen, app, screen),
        _ => draw_status(pen, app, screen),
    }
    draw_footer(pen, app, screen);
}

fn draw_status(pen: &mut Pen, app: &App, screen: &Screen) {
    let theme = pen.theme;
    let room = screen.width - 2;
    if let Some(text) = app.notices().notice() {
        return say(pen, screen, text, theme.accent, None);
    }
    if let Some(error) = app.filter().error() {
        let filter = shorten_end(&app.filter().text(), usize::from(room / 2));
        let text = format!("filter: {filter}  not applied: {}", error.message);
        let text = shorten_end(&text, usize::from(room));
        pen.text(1, screen.status, room, &text, theme.bad);
        return;
    }
    if let Some(text) = selected_event(app) {
        return say(
            pen,
            screen,
            &text,
            theme.strong,
            line_of_selection(app, screen),
        );
    }
    if let Some(text) = app.notices().config_error() {
        let text = shorten_middle(text, usize::from(room));
        pen.text(1, screen.status, room, &text, theme.bad);
        return;
    }
    draw_state(pen, app, screen);
}

/// The filter, the order, the selection, and what flags mean.
fn draw_state(pen: &mut Pen, app: &App, screen: &Screen) {
    let theme = pen.theme;
    let room = screen.width - 2;
    let mut segments = Vec::new();
    if app.in_rules() {
        let hint = "the first rule that matches counts".to_owned();
        segments.push(Segment::new(hint, theme.dim, 2));
    } else {
        // One that has no room even alone makes none for others.
        let order = order_text(app);
        let order = match order.split_once(", ") {
            Some((beginning, _)) if order.width() > room.into() => beginning.to_owned(),
            _ => order,
        };
        segments.push(Segment::new(order, theme.dim, 2));
    }
    if let Some((position, rows)) = app.selection() {
        let (position, rows) = (units::exact(position as u64 + 1), units::exact(rows as u64));
        segments.push(Segment::new(
            format!("  row {position} of {rows}"),
            theme.dim,
            3,
        ));
    }
    let mut used: usize = segments.iter().map(Segment::width).sum();
    if !app.filter().is_empty() {
        let text = filter_text(&app.filter().text(), room.into(), used);
        let filter = Segment::new(text, theme.accent, 1);
        used += filter.width();
        segments.insert(0, filter);
    }
    for (flag, style, words) in flags(pen, app) {
        let flag = Segment::new(format!("  {flag}"), style, 4);
        let words = Segment::new(format!(" {words}"), theme.dim, 4);
        used += flag.width() + words.width();
        // A flag without its words would explain nothing.
        if used <= usize::from(room) {
            segments.extend([flag, words]);
        }
    }
    pen.line(1, screen.status, room, segments);
}

/// A filter that stands, in a line with so much room. One that has no room even alone is shortened to what the rest of the
/// line leaves, if that is half of it, else to the line.
fn filter_text(filter: &str, room: usize, rest: usize) -> String {
    let text = format!("filter: {filter}  ");
    if text.width() <= room {
        return text;
    }
    let left = room.saturating_sub(rest);
    let room = if left >= room / 2 { left } else { room };
    format!("{}  ", shorten_end(text.trim_end(), room - 2))
}

/// What the flags in front of rows mean, as far as there may be any now.
fn flags(pen: &Pen, app: &App) -> Vec<(&'static str, Style, &'static str)> {
    let mut flags = Vec::new();
    if app.view().filters_flows() {
        if app.flows().in_trouble() > 0 {
            flags.push(("!", pen.theme.bad, "in trouble"));
        }
        if app.flows().losing() > 0 {
            flags.push(("↓", pen.theme.warn, "losing now"));
        }
    }
    flags
}

/// The line of the screen that the selected event is on.
fn line_of_selection(app: &App, screen: &Screen) -> Option<u16> {
    let table = app.events().table();
    let line = table.position()?.checked_sub(table.offset())?;
    (line < screen.body.1.into()).then(|| screen.body.0 + line as u16)
}

/// Shows the whole text; if it does not fit on the line, it covers the lines above, or, where `kept` is among these, the first
/// ones of the body.
fn say(pen: &mut Pen, screen: &Screen, text: &str, style: Style, kept: Option<u16>) {
    let room = screen.width - 2;
    let most = usize::from(screen.status - screen.titles);
    let mut lines = wrap(text, usize::from(room));
    if lines.len() > most {
        let rest = lines.split_off(most - 1).join(" ");
        lines.push(shorten_end(&rest, usize::from(room)));
    }
    let height = lines.len() as u16;
    let mut top = screen.status + 1 - height;
    if kept.is_some_and(|kept| top <= kept) {
        top = screen.body.0;
        // There is no room but on the line.
        if kept.is_some_and(|kept| kept < top + height) {
            top = screen.status;
            lines = vec![shorten_end(text, usize::from(room))];
        }
    }
    for (y, line) in (top..).zip(&lines) {
        pen.clear(0, y, screen.width);
        pen.text(1, y, room, line, style);
    }
}

/// The whole text of the selected event, which its row may have no room for.
fn selected_event(app: &App) -> Option<String> {
    let event = app.events().selected(app.shown_log());
    let event = event.filter(|_| app.view() == View::Events)?;
    Some(event.text.clone())
}

fn order_text(app: &App) -> String {
    fn text<T>(sort: Sort<T>) -> String {
        let direction = match (sort.column.is_amount(), sort.descending) {
            (true, true) => "largest first",
            (true, false) => "smallest first",
            _ if sort.column.id == TROUBLE => match sort.descending {
                true => "worst first",
                false => "worst last",
            },
            (false, true) => "z to a",
            (false, false) => "a to z",
        };
        format!("by {}, {direction}", sort.column.title)
    }
    let first = |has_trouble, order| match has_trouble {
        true => format!("in trouble first, then {order}"),
        false => order,
    };
    match app.view() {
        view @ (View::Flows | View::Loss) if app.flows().is_held(view) => "order held".to_owned(),
        view @ (View::Flows | View::Loss) => {
            let order = text(app.flow_table().sort());
            let flows = app.flows();
            first(
                flows.in_trouble() > 0 && flows.puts_trouble_first(view),
                order,
            )
        }
        View::Interfaces => text(app.interfaces().table().sort()),
        View::Events => {
            let sort = app.events().table().sort();
            match (sort.column.id, sort.descending) {
                ("time", true) => "newest first".to_owned(),
                ("time", false) => "oldest first".to_owned(),
                _ => text(sort),
            }
        }
        View::Groups => {
            let groups = app.groups();
            let noun = if groups.count() == 1 {
                "group"
            } else {
                "groups"
            };
            let count = units::exact(groups.count() as u64);
            let order = match groups.is_held() {
                true => "order held".to_owned(),
                false => first(groups.puts_trouble_first(), text(groups.table().sort())),
            };
            format!("{count} {noun} by {}, {order}", groups.by().words())
        }
    }
}

/// The filter line with its cursor; a mistake is underlined and explained.
fn draw_filter(pen: &mut Pen, app: &App, screen: &Screen) {
    let theme = pen.theme;
    let filter = app.filter();
    let mistake = filter.error().map(|error| error.message.as_str());
    let notice = app.notices().notice().filter(|_| mistake.is_none());
    let room = usize::from(screen.width.saturating_sub(3));
    let reserved = notice.map_or(0, |text| text.width() + 2).min(room / 2);
    let text = glyphs(&format!("{} ", filter.text()));
    let is_wrong = |glyph: &Glyph| {
        let (start, end) = (glyph.range.start, glyph.range.end);
        filter
            .error()
            .is_some_and(|e| e.start < end && start < e.end)
    };
    let mut x = pen.text(1, screen.status, 1, "/", theme.accent);
    for glyph in around(&text, filter.cursor(), room - reserved) {
        let mut style = if is_wrong(glyph) {
            underlined(theme.bad)
        } else {
            theme.base
        };
        if glyph.range.contains(&filter.cursor()) {
            style = style.patch(theme.selected);
        }
        x = pen.text(
            x,
            screen.status,
            screen.width.saturating_sub(x),
            &glyph.text,
            style,
        );
    }
    let Some(message) = mistake.or(notice) else {
        return;
    };
    let left = usize::from(screen.width.saturating_sub(x + 2));
    if left >= 12 {
        let message = shorten_end(message, left);
        pen.text(x + 1, screen.status, left as u16, &message, theme.bad);
    }
}

fn underlined(style: Style) -> Style {
    style.add_modifier(ratatui::style::Modifier::UNDERLINED)
}

fn draw_footer(pen: &mut Pen, app: &App, screen: &Screen) {
    let theme = pen.theme;
    for entry in app.footer(screen.width) {
        let (x, y, width) = (entry.x, screen.footer, screen.width - entry.x);
        let x = pen.text(x, y, width, &entry.label, theme.accent) + 1;
        pen.text(x, y, screen.width - x, entry.words, theme.dim);
    }
}
