//! A list of rows that a person moves about in: order, selection and scroll position.
//!
//! Rows are indices into the items of the latest report. The selection is a key, not an index, so
//! that it follows its row when the order changes.

use crate::model::column::Sort;

/// Rows over items of `T`, each named by a key `K`.
#[derive(Debug, Clone)]
pub struct Table<K, T: 'static> {
    /// The order.
    pub sort: Sort<T>,
    rows: Vec<u32>,
    selected: Option<K>,
    cursor: usize,
    offset: usize,
}

/// Where to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// So many rows down; negative: up.
    By(isize),
    /// So many pages down; negative: up.
    Pages(isize),
    /// To the first row.
    First,
    /// To the last row.
    Last,
}

impl<K: Copy + PartialEq, T> Table<K, T> {
    /// An empty table in this order.
    pub fn new(sort: Sort<T>) -> Table<K, T> {
        Table {
            sort,
            rows: Vec::new(),
            selected: None,
            cursor: 0,
            offset: 0,
        }
    }

    /// All rows, in order.
    pub fn rows(&self) -> &[u32] {
        &self.rows
    }

    /// The first row on the screen.
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// The key of the selected row.
    pub fn selected(&self) -> Option<K> {
        self.selected
    }

    /// The position of the selected row.
    pub fn position(&self) -> Option<usize> {
        self.selected.map(|_| self.cursor)
    }

    /// The rows on a page of this height.
    pub fn page(&self, height: usize) -> impl Iterator<Item = (usize, u32)> + '_ {
        let rows = self.rows.iter().copied().enumerate();
        rows.skip(self.offset).take(height)
    }

    /// Hands out the old rows, to be filled anew without a new allocation.
    pub fn take_rows(&mut self) -> Vec<u32> {
        std::mem::take(&mut self.rows)
    }

    /// Takes new rows; the selection stays with its key, or with its place where the key is gone.
    pub fn set_rows(&mut self, rows: Vec<u32>, height: usize, key: impl Fn(u32) -> K) {
        self.rows = rows;
        if let Some(selected) = self.selected {
            let found = self.rows.iter().position(|row| key(*row) == selected);
            self.cursor = found.unwrap_or(self.cursor);
            self.settle(height, key);
        } else {
            self.clamp_offset(height);
        }
    }

    /// Moves the selection; without one, the first step selects the first row on the screen.
    pub fn step(&mut self, step: Step, height: usize, key: impl Fn(u32) -> K) {
        if self.rows.is_empty() {
            return;
        }
        let page = height.max(1) as isize;
        let fresh = self.selected.is_none();
        let by = |rows: isize| match fresh {
            true => self.offset,
            false => self.cursor.saturating_add_signed(rows),
        };
        self.cursor = match step {
            Step::By(rows) => by(rows),
            Step::Pages(pages) => by(pages * page),
            Step::First => 0,
            Step::Last => self.rows.len() - 1,
        };
        self.settle(height, key);
    }

    /// Selects the row at this place on the screen, if there is one.
    pub fn select_on_screen(&mut self, line: usize, height: usize, key: impl Fn(u32) -> K) -> bool {
        let index = self.offset + line;
        if line >= height || index >= self.rows.len() {
            return false;
        }
        self.cursor = index;
        self.settle(height, key);
        true
    }

    /// Selects this key; its row is found when rows are set next.
    pub fn select(&mut self, key: K) {
        self.selected = Some(key);
    }

    /// Lets the selection go.
    pub fn deselect(&mut self) {
        self.selected = None;
    }

    fn settle(&mut self, height: usize, key: impl Fn(u32) -> K) {
        self.cursor = self.cursor.min(self.rows.len().saturating_sub(1));
        self.selected = match self.rows.get(self.cursor) {
            Some(row) => Some(key(*row)),
            None => self.selected,
        };
        let height = height.max(1);
        self.offset = self.offset.min(self.cursor);
        self.offset = self.offset.max((self.cursor + 1).saturating_sub(height));
        self.clamp_offset(height);
    }

    fn clamp_offset(&mut self, height: usize) {
        let last = self.rows.len().saturating_sub(height.max(1));
        self.offset = self.offset.min(last);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::column::by_id;
    use crate::model::tracker::Flow;

    fn table(rows: u32) -> Table<u32, Flow> {
        let sort = Sort::by(by_id("throughput").expect("a column"));
        let mut table = Table::new(sort);
        table.set_rows((0..rows).collect(), 10, |row| row);
        table
    }

    #[test]
    fn the_selection_follows_its_key_and_stays_on_the_page() {
        let mut table = table(100);
        table.step(Step::By(1), 10, |row| row);
        assert_eq!(
            table.selected(),
            Some(0),
            "the first step selects what is there"
        );
        table.step(Step::By(3), 10, |row| row);
        table.set_rows((0..100).rev().collect(), 10, |row| row);
        assert_eq!((table.selected(), table.position()), (Some(3), Some(96)));
        assert_eq!(table.offset(), 87);
    }

    #[test]
    fn a_row_that_goes_leaves_the_selection_in_its_place() {
        let mut table = table(5);
        table.step(Step::Last, 10, |row| row);
        table.set_rows(vec![0, 1, 2], 10, |row| row);
        assert_eq!(table.selected(), Some(2));
        table.set_rows(Vec::new(), 10, |row| row);
        assert_eq!(table.page(10).count(), 0);
    }
}
