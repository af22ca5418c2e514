//! What the mouse does: header click sorts, row click selects, wheel scrolls, tabs click.

use super::operate::Operation;
use super::table::Step;
use super::{Action, App, Effect, Mode, View};
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
            MouseKind::WheelUp => self.wheel(Step::By(-WHEEL_ROWS), live, shown),
            MouseKind::WheelDown => self.wheel(Step::By(WHEEL_ROWS), live, shown),
            _ if mouse.y == screen.tabs => self.click_tab(mouse.x, screen.width),
            _ if self.covered() => {}
            _ if mouse.y == screen.titles => _ = self.operate(Operation::SortAt(mouse.x), shown),
            _ if screen.rules.1 > 0 && mouse.y > screen.rules.0 => {
                let hit = self.select_rule(usize::from(mouse.y - screen.rules.0 - 1));
                if hit && mouse.kind == MouseKind::DoubleClick {
                    return self.perform(Action::Open, live, shown);
                }
            }
            _ if mouse.y >= screen.body.0 => {
                let line = usize::from(mouse.y - screen.body.0);
                let hit = self.operate(Operation::Select(line), shown);
                if hit && mouse.kind == MouseKind::DoubleClick {
                    return self.perform(Action::Open, live, shown);
                }
            }
            _ => {}
        }
        Vec::new()
    }

    /// Whether something else stands in the place of the table.
    fn covered(&self) -> bool {
        !matches!(self.mode, Mode::View | Mode::Filter)
    }

    fn wheel(&mut self, step: Step, live: &Report, shown: &Report) {
        let Step::By(rows) = step else { return };
        let action = if rows < 0 { Action::Up } else { Action::Down };
        match self.mode {
            Mode::View | Mode::Filter | Mode::Detail => {
                self.operate(Operation::Step(step), shown);
            }
            _ => {
                for _ in 0..rows.unsigned_abs() {
                    self.act(action, live, shown);
                }
            }
        }
    }

    fn click_tab(&mut self, x: u16, width: u16) {
        let hit = |(_, start, text): &(View, u16, String)| {
            (*start..*start + text.len() as u16).contains(&x)
        };
        if let Some((view, ..)) = tabs(width, self.view()).find(hit) {
            self.show(view);
        }
    }
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
