//! Changes of a table's order: to the neighbouring column, to the clicked one, to one from a list, or reversed.

use super::layout::Placed;
use crate::model::column::{Column, Sort};

/// How to change an order.
#[derive(Debug, Clone, Copy)]
pub(super) enum Reorder {
    /// Sort by the column this many places to the right of the present one.
    Beside(isize),
    /// Sort by the column at this cell.
    At(u16),
    /// Sort by the column with this index among all of the table.
    By(usize),
    /// Sort the other way round.
    Reverse,
}

impl Reorder {
    /// The new order; the same column again reverses it. `None` if there is no such column.
    pub(super) fn apply<T>(
        self,
        sort: Sort<T>,
        placed: &[Placed<T>],
        columns: &'static [Column<T>],
    ) -> Option<Sort<T>> {
        let column = match self {
            Reorder::Reverse => sort.column,
            Reorder::Beside(by) => beside(placed, sort.column, by)?,
            Reorder::At(x) => {
                let is_hit = |p: &&Placed<T>| (p.x..p.x + p.width).contains(&x);
                placed.iter().find(is_hit)?.column
            }
            Reorder::By(index) => columns.get(index)?,
        };
        Some(match column == sort.column {
            true => Sort {
                descending: !sort.descending,
                ..sort
            },
            false => Sort::by(column),
        })
    }
}

fn beside<T>(placed: &[Placed<T>], now: &Column<T>, by: isize) -> Option<&'static Column<T>> {
    let count = placed.len().max(1) as isize;
    let index = placed.iter().position(|p| p.column == now);
    let next = index.map_or(0, |index| (index as isize + by).rem_euclid(count));
    placed.get(next as usize).map(|p| p.column)
}
