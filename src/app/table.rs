//! A scrollable list of rows: order, selection and scroll position.
//!
//! Rows are indices into the items of the latest report. The selection is a key, not an index: it
//! stays with its item when the order changes.

use std::ops::Range;

use super::layout::Placed;
use super::reorder::Reorder;
use super::step::Step;
use crate::model::column::{Column, Sort};

/// Rows over items of `T`, which are identified by a key `K`.
#[derive(Debug, Clone)]
pub struct Table<K, T: 'static> {
    sort: Sort<T>,
    rows: Vec<u32>,
    /// The sorted part of the rows. What is in front of it sorts before it, and what is behind it sorts after it.
    sorted: Range<usize>,
    selected: Option<K>,
    /// The selection stays with its key also where that is gone: somebody looks at what it is about.
    keeps_selected: bool,
    /// It did, and no row is its own.
    is_rowless: bool,
    cursor: usize,
    offset: usize,
    /// The keys of the rows that were on the screen when it was drawn last.
    page: Vec<K>,
}

impl<K: Clone + PartialEq, T> Table<K, T> {
    /// An empty table in this order.
    pub(super) fn new(sort: Sort<T>) -> Table<K, T> {
        Table {
            sort,
            rows: Vec::new(),
            sorted: 0..0,
            selected: None,
            keeps_selected: false,
            is_rowless: false,
            cursor: 0,
            offset: 0,
            page: Vec::new(),
        }
    }

    /// The order.
    pub fn sort(&self) -> Sort<T> {
        self.sort
    }

    /// Sets the order, from the next rows on.
    pub(super) fn set_sort(&mut self, sort: Sort<T>) {
        self.sort = sort;
    }

    /// All rows, sorted at least on the screen; see [`has_order`](Self::has_order).
    pub(super) fn rows(&self) -> &[u32] {
        &self.rows
    }

    /// The first row on the screen.
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// The key of the selected row.
    pub fn selected(&self) -> Option<K> {
        self.selected.clone()
    }

    /// The position of the selected row.
    pub fn position(&self) -> Option<usize> {
        let selected = self.selected.as_ref().filter(|_| !self.is_rowless);
        selected.map(|_| self.cursor)
    }

    /// Remembers the rows on a page of this height, which are drawn now: a click means one of them, whatever changes
    /// until then.
    pub(super) fn remember_page(&mut self, height: usize, key: impl Fn(u32) -> K) {
        let page = self.rows.iter().skip(self.offset).take(height);
        self.page.clear();
        self.page.extend(page.map(|row| key(*row)));
    }

    /// Whether the next rows leave the selection with its key also where that is not among them.
    pub(super) fn keep_selected(&mut self, keeps: bool) {
        self.keeps_selected = keeps;
    }

    /// Hands out the old rows, so that their memory can be used again.
    pub(super) fn reuse_rows(&mut self) -> Vec<u32> {
        std::mem::take(&mut self.rows)
    }

    /// Whether all rows are sorted. (Tests look at it, too.)
    pub fn has_order(&self) -> bool {
        self.sorted.len() >= self.rows.len()
    }

    /// Sets sorted rows. The selection stays with its key, or at its position if the key is gone.
    pub(super) fn set_rows(&mut self, rows: Vec<u32>, height: usize, key: impl Fn(u32) -> K) {
        let is_selected = |selected: &K| rows.iter().position(|row| key(*row) == *selected);
        let found = self.selected.as_ref().and_then(is_selected);
        self.part_to_sort(rows.len(), found, height);
        let all = 0..rows.len();
        self.set_sorted(rows, all, height, key);
    }

    /// Which of this many rows must be sorted, with the selected one found at this position: those on the screen and some
    /// around them.
    pub(super) fn part_to_sort(
        &mut self,
        rows: usize,
        found: Option<usize>,
        height: usize,
    ) -> Range<usize> {
        if self.selected.is_some() {
            self.cursor = found.unwrap_or(self.cursor);
            self.scroll_to_cursor(rows, height);
        } else {
            self.clamp_offset(rows, height);
        }
        let margin = 2 * height.max(1);
        self.offset.saturating_sub(margin)..(self.offset + height + margin).min(rows)
    }

    /// Sets rows of which [that part](Self::part_to_sort) is sorted.
    pub(super) fn set_sorted(
        &mut self,
        rows: Vec<u32>,
        sorted: Range<usize>,
        height: usize,
        key: impl Fn(u32) -> K,
    ) {
        self.rows = rows;
        self.sorted = sorted;
        if self.selected.is_some() && !self.keeps_selected {
            self.settle(height, key);
        } else {
            let of_cursor = self.rows.get(self.cursor).map(|row| key(*row));
            self.is_rowless = self.selected.is_some() && of_cursor != self.selected;
        }
    }

    /// Whether the rows that this step leads to are sorted.
    pub(super) fn has_order_for(&self, step: Step, height: usize) -> bool {
        let cursor = self.cursor_after(step, height);
        let around = cursor.saturating_sub(height)..(cursor + height).min(self.rows.len());
        self.has_order() || self.sorted.start <= around.start && around.end <= self.sorted.end
    }

    /// Moves the selection; without one, the first step selects the first row on the screen.
    pub(super) fn step(&mut self, step: Step, height: usize, key: impl Fn(u32) -> K) {
        if self.rows.is_empty() {
            return;
        }
        self.cursor = self.cursor_after(step, height);
        self.settle(height, key);
    }

    fn cursor_after(&self, step: Step, height: usize) -> usize {
        let last = self.rows.len().saturating_sub(1);
        match (&self.selected, step) {
            (None, Step::By(_) | Step::Pages(_)) => self.offset,
            _ => step.target(self.cursor, height.max(1), last),
        }
    }

    /// Changes the order, from the next rows on.
    pub(super) fn reorder(
        &mut self,
        change: Reorder,
        placed: &[Placed<T>],
        columns: &'static [Column<T>],
    ) {
        if let Some(sort) = change.apply(self.sort, placed, columns) {
            self.sort = sort;
        }
    }

    /// Selects the row that was drawn on this line of the page, if there was one and it is still there.
    pub(super) fn select_line(
        &mut self,
        line: usize,
        height: usize,
        key: impl Fn(u32) -> K,
    ) -> bool {
        let Some(drawn) = self.page.get(line).cloned() else {
            return false;
        };
        let Some(index) = self.rows.iter().position(|row| key(*row) == drawn) else {
            return false;
        };
        self.cursor = index;
        self.settle(height, key);
        true
    }

    /// Selects this key; its row is found when rows are next set.
    pub(super) fn select(&mut self, key: K) {
        self.is_rowless = false;
        self.selected = Some(key);
    }

    /// Clears the selection.
    pub(super) fn deselect(&mut self) {
        self.selected = None;
    }

    fn settle(&mut self, height: usize, key: impl Fn(u32) -> K) {
        self.is_rowless = false;
        self.scroll_to_cursor(self.rows.len(), height);
        self.selected = match self.rows.get(self.cursor) {
            Some(row) => Some(key(*row)),
            None => self.selected.take(),
        };
    }

    /// Keeps the cursor within this many rows, and scrolls the page to it.
    fn scroll_to_cursor(&mut self, rows: usize, height: usize) {
        self.cursor = self.cursor.min(rows.saturating_sub(1));
        let height = height.max(1);
        self.offset = self.offset.min(self.cursor);
        self.offset = self.offset.max((self.cursor + 1).saturating_sub(height));
        self.clamp_offset(rows, height);
    }

    fn clamp_offset(&mut self, rows: usize, height: usize) {
        let last = rows.saturating_sub(height.max(1));
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
    fn what_is_sorted_is_the_screen_and_two_more_each_way_and_what_lies_beyond_is_known() {
        const ROWS: u32 = 1000;
        const HEIGHT: usize = 10;
        let mut table = table(ROWS);
        for position in [0, 5, 15, 25, 400, 985, 999] {
            table.step(Step::First, HEIGHT, |row| row);
            table.step(Step::By(position), HEIGHT, |row| row);
            let part = table.part_to_sort(ROWS as usize, None, HEIGHT);
            let (top, end) = (table.offset(), table.offset() + HEIGHT);
            let expected = top.saturating_sub(20)..(end + 20).min(ROWS as usize);
            assert_eq!(part, expected, "{position}");
            table.set_sorted((0..ROWS).collect(), part.clone(), HEIGHT, |row| row);
            assert!(!table.has_order());
            for by in (-40..40).filter(|by| (0..1000).contains(&(position + by))) {
                let at = (position + by) as usize;
                // Wherever on the screen that row comes to stand.
                let mut screens = at.saturating_sub(HEIGHT)..(at + HEIGHT).min(ROWS as usize);
                let are_sorted = screens.all(|row| part.contains(&row));
                let step = Step::By(by);
                assert_eq!(
                    table.has_order_for(step, HEIGHT),
                    are_sorted,
                    "{position} {by}"
                );
            }
        }
    }

    #[test]
    fn a_row_that_goes_leaves_the_selection_in_its_place() {
        let mut table = table(5);
        table.step(Step::Last, 10, |row| row);
        table.set_rows(vec![0, 1, 2], 10, |row| row);
        assert_eq!(table.selected(), Some(2));
        table.set_rows(Vec::new(), 10, |row| row);
        assert!(table.rows().is_empty());
    }
}
