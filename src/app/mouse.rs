//! The mouse: clicks on titles sort, on rows select, on tabs open views; the wheel scrolls.

use super::reorder::Reorder;
use super::step::Step;
use super::tabs::tab_at;
use super::{Action, App, Effect, Mode};
use crate::model::tracker::Report;

/// What the mouse did, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mouse {
    /// What it did.
    pub kind: MouseKind,
    /// Cell from the left, starting at 0.
    pub x: u16,
    /// Line from the top, starting at 0.
    pub y: u16,
}

/// What the mouse did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MouseKind {
    /// The left button went down.
    Click,
    /// The left button went down again in the same place shortly after.
    DoubleClick,
    /// The wheel turned away from the user.
    WheelUp,
    /// The wheel turned towards the user.
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
            _ if mouse.y == screen.tabs => {
                if let Some(view) = tab_at(mouse.x, screen.width, self.view()) {
                    self.show(view);
                }
            }
            _ if self.mode.covers_table() => {}
            _ if mouse.y == screen.titles => self.reorder(Reorder::At(mouse.x)),
            _ if screen.rules.1 > 0 && mouse.y > screen.rules.0 => {
                let line = mouse.y - screen.rules.0 - 1;
                let hit = self.interfaces.select_rule(line.into(), screen.pages());
                if hit && mouse.kind == MouseKind::DoubleClick {
                    return self.perform(Action::Open, live, shown);
                }
            }
            _ if mouse.y >= screen.body.0 => {
                let line = usize::from(mouse.y - screen.body.0);
                let hit = self.select_line(line, shown);
                if hit && mouse.kind == MouseKind::DoubleClick {
                    return self.perform(Action::Open, live, shown);
                }
            }
            _ => {}
        }
        Vec::new()
    }

    fn wheel(&mut self, step: Step, live: &Report, shown: &Report) {
        let Step::By(rows) = step else { return };
        let action = if rows < 0 { Action::Up } else { Action::Down };
        match self.mode {
            Mode::View | Mode::Filter => self.step(step, shown),
            Mode::Detail(_) => self.scroll_detail(rows, live),
            _ => {
                for _ in 0..rows.unsigned_abs() {
                    self.act(action, live, shown);
                }
            }
        }
    }
}
