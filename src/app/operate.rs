//! What can be done to the table of any view: one generic function for all three tables.

use super::layout::Placed;
use super::table::{Step, Table};
use super::{App, View};
use crate::model::column::{Column, EVENT_COLUMNS, FLOW_COLUMNS, INTERFACE_COLUMNS, Sort};
use crate::model::tracker::Report;

/// Something to do to a table.
#[derive(Debug, Clone, Copy)]
pub(super) enum Operation {
    /// Move the selection.
    Step(Step),
    /// Select the row on this line of the page.
    Select(usize),
    /// Sort by the column so many places beside the present one.
    SortBeside(isize),
    /// Sort by the column at this cell, or reverse it.
    SortAt(u16),
    /// Sort by the column with this index among all of the view, or reverse it.
    SortBy(usize),
    /// Reverse the order.
    Reverse,
}

/// A table with what operations on it need.
struct Bench<'a, K, T: 'static> {
    table: &'a mut Table<K, T>,
    placed: &'a [Placed<T>],
    columns: &'static [Column<T>],
    page: usize,
}

impl App {
    /// Does it to the table of the present view; false where there was nothing to do it to.
    pub(super) fn operate(&mut self, operation: Operation, shown: &Report) -> bool {
        let uses_rows = matches!(operation, Operation::Step(_) | Operation::Select(_));
        if uses_rows {
            self.keep_up(shown);
        }
        if self.view() == View::Interfaces && self.operate_rules(operation, shown) {
            return true;
        }
        let page = self.screen().map_or(1, |screen| screen.page());
        if let Operation::Step(step) = operation
            && self.shows_flows()
            && !self.flow_table().has_order_for(step, page)
        {
            self.sort_all(shown);
        }
        let done = match self.view() {
            View::Flows | View::Loss => {
                let placed = self.placed_flow_columns();
                let key = |row: u32| shown.flows[row as usize].key;
                Bench::new(self.flow_table_mut(), &placed, &FLOW_COLUMNS, page)
                    .apply(operation, key)
            }
            View::Interfaces => {
                let placed = self.placed_interface_columns();
                let key = |row: u32| shown.interfaces[row as usize].ifindex;
                Bench::new(&mut self.interfaces, &placed, &INTERFACE_COLUMNS, page)
                    .apply(operation, key)
            }
            View::Events => {
                let placed = self.placed_event_columns();
                let log = self.shown_log().clone();
                let key = |row: u32| log.events()[row as usize].id;
                Bench::new(&mut self.events, &placed, &EVENT_COLUMNS, page).apply(operation, key)
            }
        };
        if !uses_rows {
            self.choices.sort_by(self.flows.sort);
            self.held = None;
            self.rearrange();
        }
        done
    }
}

impl App {
    /// The part that the rules below the interfaces take: a step beyond the last interface goes to the first rule, one
    /// beyond the first rule back. True where nothing is left to do to the interfaces.
    fn operate_rules(&mut self, operation: Operation, shown: &Report) -> bool {
        let down = matches!(operation, Operation::Step(Step::By(n) | Step::Pages(n)) if n > 0);
        let up = matches!(operation, Operation::Step(Step::By(n) | Step::Pages(n)) if n < 0);
        match (self.in_rules, operation) {
            (true, Operation::Step(Step::First)) => self.leave_rules(Step::First, shown),
            (true, _) if up && self.rules.position() == Some(0) => {
                self.leave_rules(Step::Last, shown)
            }
            (true, Operation::Step(step)) => self.step_rules(step),
            (true, Operation::Select(_)) => {
                self.in_rules = false;
                self.rules.deselect();
                return false;
            }
            (false, Operation::Step(Step::Last)) if !self.rules.rows().is_empty() => {
                self.step_rules(Step::Last);
            }
            (false, _) if down && self.at_last_interface() => self.step_rules(Step::First),
            _ => return false,
        }
        true
    }

    fn at_last_interface(&self) -> bool {
        let last = self.interfaces.rows().len().checked_sub(1);
        !self.rules.rows().is_empty() && self.interfaces.position() == last
    }

    fn step_rules(&mut self, step: Step) {
        self.in_rules = true;
        self.interfaces.deselect();
        let page = self.screen().map_or(1, |screen| screen.rules.1.into());
        self.rules.step(step, page, |row| row);
    }

    fn leave_rules(&mut self, step: Step, shown: &Report) {
        self.in_rules = false;
        self.rules.deselect();
        let page = self.screen().map_or(1, |screen| screen.page());
        let key = |row: u32| shown.interfaces[row as usize].ifindex;
        self.interfaces.step(step, page, key);
    }

    /// Selects the rule on this line of the rules; false where there is none.
    pub(super) fn select_rule(&mut self, line: usize) -> bool {
        let page = self.screen().map_or(1, |screen| screen.rules.1.into());
        let hit = self.rules.select_on_screen(line, page, |row| row);
        if hit {
            self.in_rules = true;
            self.interfaces.deselect();
        }
        hit
    }
}

impl<'a, K: Copy + PartialEq, T> Bench<'a, K, T> {
    fn new(
        table: &'a mut Table<K, T>,
        placed: &'a [Placed<T>],
        columns: &'static [Column<T>],
        page: usize,
    ) -> Self {
        Bench {
            table,
            placed,
            columns,
            page,
        }
    }

    fn apply(self, operation: Operation, key: impl Fn(u32) -> K) -> bool {
        let sort = &mut self.table.sort;
        let column = match operation {
            Operation::Step(step) => {
                self.table.step(step, self.page, key);
                return true;
            }
            Operation::Select(line) => {
                return self.table.select_on_screen(line, self.page, key);
            }
            Operation::Reverse => {
                sort.descending ^= true;
                return true;
            }
            Operation::SortBeside(by) => beside(self.placed, sort.column, by),
            Operation::SortAt(x) => {
                let hit = self
                    .placed
                    .iter()
                    .find(|p| (p.x..p.x + p.width).contains(&x));
                hit.map(|p| p.column)
            }
            Operation::SortBy(index) => self.columns.get(index),
        };
        match column {
            Some(column) if column == sort.column => sort.descending ^= true,
            Some(column) => *sort = Sort::by(column),
            None => return false,
        }
        true
    }
}

fn beside<T>(placed: &[Placed<T>], now: &Column<T>, by: isize) -> Option<&'static Column<T>> {
    let count = placed.len().max(1) as isize;
    let index = placed.iter().position(|p| p.column == now);
    let next = index.map_or(0, |index| (index as isize + by).rem_euclid(count));
    placed.get(next as usize).map(|p| p.column)
}
