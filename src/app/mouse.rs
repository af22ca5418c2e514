//! What the mouse does: header click sorts, row click selects, wheel scrolls, tabs click.

use super::layout::Placed;
use super::table::Step;
use super::{Action, App, Effect, Mode, View};
use crate::model::column::{Column, Sort};
use crate::model::tracker::Report;

/// What the mouse did, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mouse {
    /// What.
    pub kind: MouseKind,
    /// Cell from the left, 0 based.
    pub x: u16,
    /// Line from the top, 0 based.
    pub y: u16,
}

/// What the mouse did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MouseKind {
    /// The left button went down.
    Click,
    /// The left button went down again in the same place within a short time.
    DoubleClick,
    /// The wheel turned away from the person.
    WheelUp,
    /// The wheel turned towards the person.
    WheelDown,
}

/// Rows that one notch of the wheel moves.
const WHEEL_ROWS: isize = 3;

impl App {
    pub(super) fn mouse(&mut self, mouse: Mouse, live: &Report, shown: &Report) -> Vec<Effect> {
        let Some(screen) = self.screen() else {
            return Vec::new();
        };
        match mouse.kind {
            MouseKind::WheelUp => self.step(Step::By(-WHEEL_ROWS), shown),
            MouseKind::WheelDown => self.step(Step::By(WHEEL_ROWS), shown),
            MouseKind::Click | MouseKind::DoubleClick if self.mode != Mode::View => {}
            MouseKind::Click | MouseKind::DoubleClick if mouse.y == screen.tabs => {
                let hit = |(_, start, text): &(View, u16, String)| {
                    (*start..*start + text.len() as u16).contains(&mouse.x)
                };
                if let Some((view, ..)) = tabs(screen.width, self.view).find(hit) {
                    self.show(view, shown);
                }
            }
            MouseKind::Click | MouseKind::DoubleClick if mouse.y == screen.titles => {
                self.click_title(mouse.x, shown);
            }
            MouseKind::Click => {
                self.click_row(mouse.y, shown);
            }
            MouseKind::DoubleClick => {
                if self.click_row(mouse.y, shown) {
                    return self.perform(Action::Open, live, shown);
                }
            }
        }
        Vec::new()
    }

    fn click_row(&mut self, y: u16, shown: &Report) -> bool {
        let Some(screen) = self.screen().filter(|s| y >= s.body.0) else {
            return false;
        };
        let line = usize::from(y - screen.body.0);
        let page = screen.page();
        match self.view {
            View::Flows | View::Loss => {
                let key = |row: u32| shown.flows[row as usize].key;
                self.flow_table_mut().select_on_screen(line, page, key)
            }
            View::Interfaces => {
                let key = |row: u32| shown.interfaces[row as usize].ifindex;
                self.interfaces.select_on_screen(line, page, key)
            }
            View::Events => false,
        }
    }

    fn click_title(&mut self, x: u16, shown: &Report) {
        match self.view {
            View::Flows | View::Loss => {
                let now = self.flow_table().sort;
                match column_at(&self.placed_flow_columns(), x) {
                    Some(column) if column == now.column => self.reverse(shown),
                    Some(column) => self.sort_flows(Sort::by(column), shown),
                    None => {}
                }
            }
            View::Interfaces => match column_at(&self.placed_interface_columns(), x) {
                Some(column) if column == self.interfaces.sort.column => self.reverse(shown),
                Some(column) => {
                    self.interfaces.sort = Sort::by(column);
                    self.arrange(shown);
                }
                None => {}
            },
            View::Events => {}
        }
    }
}

fn column_at<T>(placed: &[Placed<T>], x: u16) -> Option<&'static Column<T>> {
    let hit = placed.iter().find(|p| (p.x..p.x + p.width).contains(&x));
    hit.map(|p| p.column)
}

/// The cells of the program's name, in front of the tabs.
pub const NAME: &str = " flowtop ";

/// From this width on every tab shows its title; below only the one that is open does.
const WIDE: u16 = 60;

/// The tabs of a screen of this width: view, first cell, text.
pub fn tabs(width: u16, open: View) -> impl Iterator<Item = (View, u16, String)> {
    let mut x = NAME.len() as u16;
    View::ALL.into_iter().enumerate().map(move |(index, view)| {
        let text = match width >= WIDE || view == open {
            true => format!(" {} {} ", index + 1, view.title()),
            false => format!(" {} ", index + 1),
        };
        let start = x;
        x += text.len() as u16;
        (view, start, text)
    })
}
