//! The past: which moment it is, and a bar of time with what happened in it.

use super::pen::{Pen, Segment};
use crate::app::layout::Screen;
use crate::model::past::{Mark, Place};
use crate::model::units;

/// Cells of the bar at least; words at its ends have to leave as many.
const LEAST_CELLS: u16 = 16;

/// Which moment is shown, and how it goes on.
pub fn state(pen: &Pen, place: &Place, ago_ns: u64) -> Vec<Segment> {
    let theme = pen.theme;
    let [day, time, ..] = &place.words;
    let mut segments = match place.is_of_run {
        true => vec![
            Segment::new("past:", theme.selected, 0),
            Segment::new(format!(" {time}"), theme.warn, 0),
        ],
        false => vec![
            Segment::new("replay ", theme.selected, 1),
            Segment::new(format!(" {day}"), theme.strong, 3),
            Segment::new(format!(" {time}"), theme.strong, 0),
        ],
    };
    if place.is_rough {
        segments.push(Segment::new(" gathering...", theme.dim, 4));
    }
    let pace = place.pace;
    segments.push(match (place.is_at_end, pace.is_held) {
        (true, _) => Segment::new(" at its end", theme.warn, 2),
        (_, true) if pace.speed == Some(1) => Segment::new(" held", theme.warn, 2),
        (_, true) => Segment::new(format!(" held, then {}", pace.name()), theme.warn, 2),
        _ => Segment::new(format!(" {}", pace.name()), theme.good, 2),
    });
    if place.is_of_run {
        let ago = units::duration(ago_ns as f64 / 1e9);
        let ago = format!(", {} ago", ago.trim());
        segments.push(Segment::new(ago, theme.dim, 3));
    }
    segments
}

/// Draws the span of what is kept: `!` where there were alerts, an arrow where there were losses, nothing where nothing was
/// recorded, and a mark at the moment that is shown.
pub fn draw_bar(pen: &mut Pen, place: &Place, screen: &Screen) {
    let theme = pen.theme;
    let [.., begin, end] = &place.words;
    let (mut x, mut width) = (1, screen.width - 2);
    let words = (begin.chars().count() + end.chars().count() + 2) as u16;
    if words + LEAST_CELLS <= width {
        x = pen.text(x, screen.bar, width, begin, theme.dim) + 1;
        width -= words;
        pen.text_right(x, screen.bar, screen.width - 1 - x, end, theme.dim);
    }
    for (cell, found) in cells(place, width.into()).into_iter().enumerate() {
        let (symbol, style) = match found {
            Cell::Here => ("█", theme.strong),
            Cell::Alerts => ("!", theme.bad),
            Cell::Losses => ("↓", theme.warn),
            Cell::Nothing => ("─", theme.dim),
            Cell::Unknown => ("·", theme.dim),
        };
        pen.text(x + cell as u16, screen.bar, 1, symbol, style);
    }
}

/// What a cell of the bar shows; of several, the first of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Cell {
    Unknown,
    Nothing,
    Losses,
    Alerts,
    Here,
}

fn cells(place: &Place, width: usize) -> Vec<Cell> {
    let (from, to) = place.span;
    let length = (to - from).max(1) as f64;
    let at = |ns: i64| {
        let part = (ns - from) as f64 / length;
        ((part * width as f64) as usize).min(width.saturating_sub(1))
    };
    let mut cells = vec![Cell::Unknown; width];
    for mark in place
        .marks
        .iter()
        .filter(|it| it.to_ns >= from && it.from_ns <= to)
    {
        let (first, last) = (at(mark.from_ns), at(mark.to_ns));
        for cell in cells.iter_mut().take(last + 1).skip(first) {
            *cell = found(mark).max(*cell);
        }
    }
    if let Some(cell) = cells.get_mut(at(place.wall_ns)) {
        *cell = Cell::Here;
    }
    cells
}

fn found(mark: &Mark) -> Cell {
    match (mark.alerts, mark.losing) {
        (0, 0) => Cell::Nothing,
        (0, _) => Cell::Losses,
        _ => Cell::Alerts,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn each_cell_shows_the_worst_of_its_time_and_what_was_not_recorded_is_no_silence() {
        let mark = |from_ns, losing, alerts| Mark {
            from_ns,
            to_ns: from_ns + 9,
            losing,
            alerts,
        };
        let place = Place {
            wall_ns: 71,
            span: (0, 100),
            marks: Arc::new(vec![
                mark(0, 0, 0),
                mark(10, 5, 0),
                mark(12, 0, 0),
                mark(40, 9, 1),
            ]),
            ..Place::default()
        };
        use Cell::{Alerts, Here, Losses, Nothing, Unknown};
        let expected = [
            Nothing, Losses, Nothing, Unknown, Alerts, Unknown, Unknown, Here, Unknown, Unknown,
        ];
        assert_eq!(cells(&place, 10), expected);
        assert_eq!(cells(&place, 0), []);
    }
}
