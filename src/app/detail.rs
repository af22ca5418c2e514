//! The detail of the selected row on a sheet of its own, which is higher than the screen where there is not enough room:
//! what is written on it, and where.

use std::ops::Range;

use unicode_width::UnicodeWidthStr;

use super::facts::{self, Fact};
use super::{Scene, View};
use crate::model::column::{shorten_end, shorten_middle};
use crate::model::harmless::harmless;
use crate::model::snapshot::LinkState;
use crate::model::tracker::{Flow, Interface};

/// The smallest area in which a chart is legible.
pub const SMALLEST_CHART: (u16, u16) = (24, 5);

/// The curves of a flow.
const CURVES: u16 = 3;

/// Cells between two charts, and between two facts on a line.
const GAP: u16 = 2;

/// Cells for the longest name of a number of an interface, with the gap behind it.
const INTERFACE_NAME: u16 = 20;

/// Whose detail it is.
#[derive(Debug, Clone, Copy)]
pub enum Subject<'a> {
    /// A flow's.
    Flow(&'a Flow),
    /// An interface's.
    Interface(&'a Interface),
    /// Of something that is not there any more.
    Gone,
}

/// What is written on the sheet, from top to bottom.
#[derive(Debug)]
pub struct Detail<'a> {
    /// Whose it is.
    pub subject: Subject<'a>,
    /// What it is, in one line or two.
    pub title: Vec<String>,
    /// Its circumstances, as lines of facts.
    pub place: Vec<Vec<Fact>>,
    /// Its numbers.
    pub numbers: Vec<Numbers>,
    /// The same conversation elsewhere, one line each.
    pub relatives: Vec<String>,
    width: u16,
}

/// Numbers that belong together, to be read downwards in columns.
#[derive(Debug)]
pub struct Numbers {
    /// What they have in common, on a line above them.
    pub heading: Option<&'static str>,
    facts: Vec<Fact>,
    /// The fewest cells for the name of a number, and for its text with the gap behind it: so columns stay where they are
    /// while numbers change.
    least: (u16, u16),
}

/// A column of numbers, with the cells that names and texts have in it.
#[derive(Debug)]
pub struct NumberColumn<'a> {
    /// The numbers, one a line.
    pub facts: &'a [Fact],
    /// Cells for the longest name, with the gap behind it.
    pub name: u16,
    /// Cells for the longest text, with the gap behind it.
    pub text: u16,
}

/// What a chart shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chart {
    /// A curve over time; of a flow there are three.
    Curve(u16),
    /// How often gaps were how long.
    Distribution,
}

/// Where charts stand on the sheet: x, y, width and height.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Its first cell.
    pub x: u16,
    /// Its first line.
    pub y: u16,
    /// Its cells.
    pub width: u16,
    /// Its lines.
    pub height: u16,
}

/// A sheet for a screen with so many lines for it.
#[derive(Debug, PartialEq, Eq)]
pub struct Sheet {
    /// All of its lines.
    pub height: u16,
    /// The charts on it.
    pub charts: Vec<(Chart, Place)>,
}

impl<'a> Scene<'a> {
    /// The detail of the selected row, in lines of this width.
    pub fn detail(&self, width: u16) -> Detail<'a> {
        match self.app().view() {
            View::Interfaces => match self.selected_interface() {
                Some(interface) => self.detail_of_interface(interface, width),
                None => Detail::gone("This interface is not watched any more.", width),
            },
            _ => match self.selected_flow() {
                Some(flow) => self.detail_of_flow(flow, width),
                None => Detail::gone("This flow is not in the table. Esc goes back.", width),
            },
        }
    }

    fn detail_of_flow(&self, flow: &'a Flow, width: u16) -> Detail<'a> {
        let (app, shown) = (self.app(), self.shown());
        let context = app.context(shown);
        let room = usize::from(width);
        let relatives = facts::relatives(flow, shown, &context);
        Detail {
            subject: Subject::Flow(flow),
            title: title_lines(&facts::title(flow, &context), room),
            place: place_lines(facts::place(app, flow), room),
            numbers: vec![Numbers {
                heading: None,
                facts: facts::numbers(flow, &context),
                least: (14, 12),
            }],
            relatives: relatives
                .iter()
                .map(|line| shorten_end(line, room))
                .collect(),
            width,
        }
    }

    fn detail_of_interface(&self, interface: &'a Interface, width: u16) -> Detail<'a> {
        let hook = match (interface.hook, interface.state) {
            (Some(hook), _) => hook.name(),
            (None, LinkState::Gone) => "",
            (None, _) => "not attached",
        };
        let condition = interface.condition(self.shown());
        let title = format!("{} {condition} {hook}", interface.name);
        let room = usize::from(width.saturating_sub(INTERFACE_NAME + 1));
        Detail {
            subject: Subject::Interface(interface),
            title: vec![shorten_middle(title.trim_end(), usize::from(width))],
            place: Vec::new(),
            numbers: vec![
                Numbers {
                    heading: None,
                    facts: facts::interface(interface, room),
                    least: (INTERFACE_NAME, 18),
                },
                Numbers {
                    heading: Some("malformed, by reason"),
                    facts: facts::malformed(interface, room),
                    least: (INTERFACE_NAME, 6),
                },
            ],
            relatives: Vec::new(),
            width,
        }
    }
}

impl Numbers {
    /// As many columns as fit into this width, each as wide as what stands in it.
    pub fn columns(&self, width: u16) -> Vec<NumberColumn<'_>> {
        let most = usize::from(width / (self.least.0 + self.least.1)).max(1);
        let cells = |column: &NumberColumn| column.name + column.text;
        let fits = |columns: &Vec<_>| columns.iter().map(cells).sum::<u16>() <= width;
        let mut counts = (1..=most).rev().map(|count| self.split(count));
        counts.find(fits).unwrap_or_else(|| self.split(1))
    }

    fn split(&self, columns: usize) -> Vec<NumberColumn<'_>> {
        let lines = self.facts.len().div_ceil(columns).max(1);
        let wanted = |text: &str| text.width() as u16 + 1;
        let parts = self.facts.chunks(lines);
        let columns = parts.map(|facts| NumberColumn {
            facts,
            name: facts
                .iter()
                .fold(self.least.0, |most, it| most.max(wanted(it.0))),
            text: facts
                .iter()
                .fold(self.least.1, |most, it| most.max(wanted(&it.1))),
        });
        columns.collect()
    }

    fn lines(&self, width: u16) -> usize {
        let columns = self.columns(width);
        let longest = columns.iter().map(|column| column.facts.len()).max();
        longest.unwrap_or(0) + usize::from(self.heading.is_some())
    }
}

impl Detail<'_> {
    fn gone(text: &str, width: u16) -> Self {
        Detail {
            subject: Subject::Gone,
            title: vec![String::new(), shorten_middle(text, usize::from(width))],
            place: Vec::new(),
            numbers: Vec::new(),
            relatives: Vec::new(),
            width,
        }
    }

    /// How many lines all numbers take.
    fn number_lines(&self) -> usize {
        let lines = |numbers: &Numbers| numbers.lines(self.width);
        self.numbers.iter().map(lines).sum()
    }

    /// The sheet, for a screen with so many lines for it. Charts take what room there is; those that have none stand below
    /// the end of the screen.
    pub fn sheet(&self, room: u16) -> Sheet {
        let lines =
            self.title.len() + self.place.len() + self.number_lines() + self.relatives.len();
        let text = lines as u16;
        let least = SMALLEST_CHART.1;
        let left = room.saturating_sub(text);
        let gap = u16::from(left != least);
        let (top, left) = (text + gap, left.saturating_sub(gap));
        let charts = match self.subject {
            Subject::Flow(_) => place_charts(self.width, top, left),
            Subject::Interface(_) => row(0..1, self.width, top, left.max(least)).collect(),
            Subject::Gone => Vec::new(),
        };
        let bottom = charts.iter().map(|(_, place)| place.y + place.height).max();
        Sheet {
            height: bottom.unwrap_or(text),
            charts,
        }
    }
}

/// A row of curves that are equally wide.
fn row(
    curves: Range<u16>,
    width: u16,
    y: u16,
    height: u16,
) -> impl Iterator<Item = (Chart, Place)> {
    let cells = (width + GAP) / curves.len() as u16;
    let first = curves.start;
    curves.map(move |number| {
        let place = Place {
            x: (number - first) * cells,
            y,
            width: cells - GAP,
            height,
        };
        (Chart::Curve(number), place)
    })
}

/// The distribution of the gaps over the whole width, below curves over time; beside one of them where there is no room for
/// two rows. The other curves are below.
fn place_charts(width: u16, top: u16, left: u16) -> Vec<(Chart, Place)> {
    let (least_width, least) = SMALLEST_CHART;
    let fits = ((width + GAP) / (least_width + GAP)).clamp(1, CURVES);
    let has_two_rows = left >= 2 * least;
    let beside = (width / 3).max(least_width) + GAP;
    let (curves, height, distribution) = if has_two_rows {
        let height = left / 2;
        (fits, height, (0, top + height, left - height))
    } else if fits > 1 {
        let height = left.max(least);
        (1, height, (beside, top, height))
    } else {
        let height = left.max(least);
        (1, height, (0, top + height, height))
    };
    let (x, y, distribution_height) = distribution;
    let first = if x > 0 { beside - GAP } else { width };
    let mut charts: Vec<_> = row(0..curves, first, top, height).collect();
    let place = Place {
        x,
        y,
        width: width - x,
        height: distribution_height,
    };
    charts.push((Chart::Distribution, place));
    let (mut next, mut y) = (curves, y + distribution_height);
    while next < CURVES {
        let end = (next + fits).min(CURVES);
        charts.extend(row(next..end, width, y, height));
        (next, y) = (end, y + height);
    }
    charts
}

/// The title on one line, or broken before the arrow if it is too long.
fn title_lines(title: &str, width: usize) -> Vec<String> {
    if title.width() <= width {
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

/// The facts on as many lines as they take; one that is longer than a line is shortened.
fn place_lines(facts: Vec<Fact>, width: usize) -> Vec<Vec<Fact>> {
    let mut lines: Vec<Vec<Fact>> = Vec::new();
    let mut used = usize::MAX;
    for (name, text) in facts {
        let text = shorten_end(&harmless(&text), width.saturating_sub(name.len() + 1));
        let wanted = name.len() + 1 + text.width();
        if used.saturating_add(wanted) > width {
            lines.push(Vec::new());
            used = 0;
        }
        used += wanted + usize::from(GAP) + 1;
        if let Some(line) = lines.last_mut() {
            line.push((name, text));
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn charts_lie_apart_on_the_sheet_and_none_is_too_small_to_read() {
        let (least_width, least) = SMALLEST_CHART;
        let top = 3;
        for (width, left) in (least_width..200).flat_map(|it| (0..60).map(move |left| (it, left))) {
            let charts = place_charts(width, top, left);
            let what = format!("{width} by {left}: {charts:?}");
            assert_eq!(charts.len(), usize::from(CURVES) + 1, "{what}");
            let places: Vec<_> = charts.iter().map(|(_, place)| place).collect();
            for (at, place) in places.iter().enumerate() {
                let end = place.x + place.width;
                assert!(place.y >= top && end <= width, "{what}");
                assert!(
                    place.width >= least_width && place.height >= least,
                    "{what}"
                );
                let is_apart = |other: &&Place| {
                    let is_beside = other.x >= end + GAP || place.x >= other.x + other.width + GAP;
                    let is_below = |one: &Place, other: &Place| one.y >= other.y + other.height;
                    is_beside || is_below(place, other) || is_below(other, place)
                };
                assert!(places[at + 1..].iter().all(is_apart), "{what}");
            }
        }
    }

    #[test]
    fn a_line_has_as_many_facts_as_fit_with_a_gap_between_them() {
        let facts: Vec<Fact> = [
            "veth1",
            "voice",
            "4",
            "a very long name of something",
            "rtp",
        ]
        .into_iter()
        .cycle()
        .zip(["on", "rule", "vlan"].into_iter().cycle())
        .map(|(text, name)| (name, text.to_owned()))
        .take(15)
        .collect();
        let text = |(name, text): &Fact| format!("{name} {text}");
        for width in 40..150 {
            let lines = place_lines(facts.clone(), width);
            assert_eq!(lines.concat(), facts);
            let drawn =
                |facts: &[Fact]| facts.iter().map(text).collect::<Vec<_>>().join("   ").len();
            for (at, line) in lines.iter().enumerate() {
                assert!(drawn(line) <= width, "{width}: {lines:?}");
                if let Some(next) = lines.get(at + 1) {
                    let with_next = [line.as_slice(), &next[..1]].concat();
                    assert!(drawn(&with_next) > width, "{width}: {lines:?}");
                }
            }
        }
    }
}
