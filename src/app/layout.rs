//! Where everything is on a screen of a given size: pure arithmetic, used by drawing and the mouse.
//!
//! On a low terminal the least important lines are left out, on a narrow one the columns of the
//! lowest priority. A column has its full width or is not there.

use crate::model::column::{Column, Width};
use crate::model::preferences::Unit;

/// The smallest terminal on which the dashboard is shown.
pub const SMALLEST: (u16, u16) = (40, 10);

/// Cells before the first column: the selection, a flag, and a gap where there is room for one.
const fn margin(width: u16) -> u16 {
    if width < 60 { 2 } else { 3 }
}

/// Columns up to this priority stay even if endpoints must be shortened for them.
pub(super) const CORE: u8 = 10;

/// The lines of a screen, from top to bottom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Screen {
    /// Cells per line.
    pub width: u16,
    /// Line of the tabs.
    pub tabs: u16,
    /// First line of the interfaces, and their number.
    pub interfaces: (u16, u16),
    /// Line of the totals.
    pub totals: u16,
    /// Line of the bar of time; 0 without one.
    pub bar: u16,
    /// Line of the column titles.
    pub titles: u16,
    /// First line of the body, and its height.
    pub body: (u16, u16),
    /// Line of the titles of the rules, and how many rules fit below it; (0, 0) without rules.
    pub rules: (u16, u16),
    /// Line of the messages.
    pub status: u16,
    /// Line of the keys.
    pub footer: u16,
}

impl Screen {
    /// The lines of a terminal of this size with this many interfaces, and with a bar of time if there is one; `None` if it
    /// is too small.
    pub(super) fn new(
        (width, height): (u16, u16),
        interfaces: usize,
        has_bar: bool,
    ) -> Option<Screen> {
        if width < SMALLEST.0 || height < SMALLEST.1 {
            return None;
        }
        let room = match height {
            0..=13 => 0,
            14..=29 => 1,
            _ => 3,
        };
        let lines = room.min(u16::try_from(interfaces).unwrap_or(u16::MAX));
        let totals = 1 + lines;
        let bar = if has_bar { totals + 1 } else { 0 };
        let top = totals.max(bar) + 1;
        Some(Screen {
            width,
            tabs: 0,
            interfaces: (1, lines),
            totals,
            bar,
            titles: top,
            body: (top + 1, height - 2 - (top + 1)),
            rules: (0, 0),
            status: height - 2,
            footer: height - 1,
        })
    }

    /// Adds a table of this many rules below the body, which keeps a line for each of its rows, or half of the room.
    pub(super) fn with_rules(mut self, rows: usize, rules: usize) -> Screen {
        let (top, height) = self.body;
        if rules == 0 || rows == 0 {
            return self;
        }
        let lines = |count: usize| u16::try_from(count).unwrap_or(u16::MAX / 4);
        let gap = u16::from(height >= 10);
        let room = height - 1 - gap;
        let body = lines(rows).min((room / 2).max(room.saturating_sub(lines(rules))));
        self.body = (top, body);
        self.rules = (top + body + gap, lines(rules).min(room - body));
        self
    }

    /// First line and height of what covers titles and body, such as the help.
    pub fn cover(&self) -> (u16, u16) {
        (self.titles, self.status - self.titles)
    }

    /// How many rows of each table are on the screen.
    pub fn pages(&self) -> Pages {
        Pages {
            body: self.body.1.into(),
            rules: self.rules.1.into(),
        }
    }
}

/// How many rows of a table are on the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pages {
    /// Of the table in the body.
    pub body: usize,
    /// Of the rules below it.
    pub rules: usize,
}

/// A column with its place.
#[derive(Debug)]
pub struct Placed<T: 'static> {
    /// The column.
    pub column: &'static Column<T>,
    /// Its first cell.
    pub x: u16,
    /// Its width in cells.
    pub width: u16,
}

/// Places as many of the columns as fit, in their order, those of the lowest `priority` before others. A column has `good` cells
/// before less important ones get any.
///
/// `endpoint` is the width that the widest endpoint needs.
pub(super) fn place<T>(
    columns: &[&'static Column<T>],
    priority: impl Fn(&Column<T>) -> u8,
    good: impl Fn(&Column<T>) -> u16,
    width: u16,
    unit: Unit,
    endpoint: u16,
) -> Vec<Placed<T>> {
    let room = width.saturating_sub(margin(width));
    let least = |c: &Column<T>| c.min_width(unit);
    let core: Vec<_> = columns
        .iter()
        .copied()
        .filter(|c| priority(c) <= CORE)
        .collect();
    let (chosen, mut widths) = if total(&core, &good) <= room {
        choose(columns, room, &priority, &good)
    } else {
        choose(&core, room, &priority, least)
    };
    let used = widths.iter().sum::<u16>() + gaps(&chosen);
    let slack = room.saturating_sub(used);
    let first = |c: &Column<T>| c.first_width(unit);
    let most = |c: &Column<T>| match c.width {
        Width::Endpoint => c.max_width(unit).min(endpoint),
        _ => c.max_width(unit),
    };
    let slack = grow(&chosen, &mut widths, slack, first);
    grow(&chosen, &mut widths, slack, most);
    let mut x = margin(width);
    let mut placed = Vec::with_capacity(chosen.len());
    for (column, width) in chosen.into_iter().zip(widths) {
        placed.push(Placed { column, x, width });
        x += width + 1;
    }
    placed
}

fn gaps<T>(columns: &[&'static Column<T>]) -> u16 {
    columns.len().saturating_sub(1) as u16
}

fn total<T>(columns: &[&'static Column<T>], width: impl Fn(&Column<T>) -> u16) -> u16 {
    columns.iter().map(|c| width(c)).sum::<u16>() + gaps(columns)
}

/// As many columns as fit, the most important first, in their own order; with their widths.
fn choose<T>(
    columns: &[&'static Column<T>],
    room: u16,
    priority: impl Fn(&Column<T>) -> u8,
    width: impl Fn(&Column<T>) -> u16,
) -> (Vec<&'static Column<T>>, Vec<u16>) {
    let mut order: Vec<usize> = (0..columns.len()).collect();
    order.sort_by_key(|index| priority(columns[*index]));
    let mut fits = vec![false; columns.len()];
    let mut used = 0;
    for index in order {
        let gap = u16::from(used > 0);
        let wanted = width(columns[index]) + gap;
        if used + wanted <= room {
            used += wanted;
            fits[index] = true;
        }
    }
    let chosen = columns.iter().zip(fits).filter(|(_, fits)| *fits);
    chosen.map(|(column, _)| (*column, width(column))).unzip()
}

/// Gives each column in turn a cell, up to its limit. Returns what is left of the slack.
fn grow<T>(
    columns: &[&'static Column<T>],
    widths: &mut [u16],
    mut slack: u16,
    limit: impl Fn(&Column<T>) -> u16,
) -> u16 {
    let mut grown = true;
    while slack > 0 && grown {
        grown = false;
        for (column, width) in columns.iter().zip(widths.iter_mut()) {
            if slack > 0 && *width < limit(column) {
                *width += 1;
                slack -= 1;
                grown = true;
            }
        }
    }
    slack
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::column::{DEFAULT, LOSS, by_id};

    fn columns() -> Vec<&'static Column> {
        let ids = [DEFAULT, LOSS].concat();
        ids.into_iter().filter_map(by_id).collect()
    }

    fn of_column(column: &Column) -> u8 {
        column.priority
    }

    fn good(column: &Column) -> u16 {
        column.good_width(Unit::Bytes)
    }

    #[test]
    fn placed_columns_never_overlap_nor_leave_the_screen() {
        for unit in [Unit::Bytes, Unit::Bits] {
            for width in 0..300 {
                let placed = place(
                    &columns(),
                    of_column,
                    |c| c.good_width(unit),
                    width,
                    unit,
                    47,
                );
                let mut free = margin(width);
                for column in &placed {
                    assert!(column.x >= free && column.x + column.width <= width.max(free));
                    assert!(column.width >= column.column.min_width(unit));
                    free = column.x + column.width + 1;
                }
            }
        }
    }

    #[test]
    fn the_smallest_terminal_names_flow_and_rate() {
        let placed = place(&columns(), of_column, good, 40, Unit::Bytes, 21);
        let ids: Vec<_> = placed.iter().map(|p| p.column.id).collect();
        assert_eq!(ids, ["source", "destination", "throughput"]);
    }

    #[test]
    fn percentiles_are_there_where_they_push_nothing_out_that_counts() {
        let all: Vec<_> = DEFAULT.iter().filter_map(|id| by_id(id)).collect();
        let without = |left_out: &[&str]| {
            let ids = DEFAULT.iter().filter(|id| !left_out.contains(id));
            ids.copied().collect::<Vec<_>>()
        };
        let percentiles = ["iat_p50", "iat_p95", "iat_p99"];
        let narrow = [&percentiles[..], &["interface", "trouble"]].concat();
        for (width, expected) in [
            (120, without(&narrow)),
            (160, without(&["interface"])),
            (200, without(&[])),
        ] {
            let placed = place(&all, of_column, good, width, Unit::Bytes, 21);
            let ids: Vec<_> = placed.iter().map(|p| p.column.id).collect();
            assert_eq!(ids, expected, "{width}");
        }
    }

    #[test]
    fn the_column_of_the_lowest_priority_is_there_at_every_width() {
        for column in columns() {
            for width in 40..200 {
                let first = |it: &Column| if it == column { 0 } else { it.priority };
                let placed = place(&columns(), first, good, width, Unit::Bytes, 21);
                assert!(
                    placed.iter().any(|p| p.column == column),
                    "{column:?} {width}"
                );
            }
        }
    }

    #[test]
    fn every_line_has_its_own_place() {
        for height in 10..60 {
            for has_bar in [false, true] {
                let screen = Screen::new((80, height), 5, has_bar).expect("large enough");
                assert!(screen.body.1 >= 4, "{height}");
                assert_eq!(screen.body.0 + screen.body.1, screen.status);
                assert_eq!(screen.titles, screen.totals + 1 + u16::from(has_bar));
            }
        }
        assert_eq!(Screen::new((39, 10), 1, false), None);
        assert_eq!(Screen::new((40, 9), 1, false), None);
    }
}
