//! The order of rows: by one column, in one direction, ties broken by the row's own key.
//!
//! 65,536 rows are sorted at each refresh: amounts are turned into integers once, then compared.

use std::cmp::Ordering;

use super::{Column, Context, Value, by_id};
use crate::model::tracker::Flow;

/// A column and a direction.
#[derive(Debug)]
pub struct Sort<T: 'static = Flow> {
    /// What is compared.
    pub column: &'static Column<T>,
    /// Largest first.
    pub descending: bool,
}

impl<T> Clone for Sort<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Sort<T> {}

impl<T> PartialEq for Sort<T> {
    fn eq(&self, other: &Self) -> bool {
        self.column == other.column && self.descending == other.descending
    }
}

impl Sort<Flow> {
    /// Reads `SORT` of the configuration: a column id, `-` in front for descending.
    pub fn parse(text: &str) -> Result<Sort, String> {
        let (id, descending) = match text.strip_prefix('-') {
            Some(id) => (id, true),
            None => (text, false),
        };
        let column = by_id(id).ok_or_else(|| format!("no such column: {id}"))?;
        Ok(Sort { column, descending })
    }
}

impl<T> Sort<T> {
    /// A first sort by this column: numbers start with the largest.
    pub fn by(column: &'static Column<T>) -> Sort<T> {
        Sort {
            column,
            descending: column.sorts_descending(),
        }
    }

    /// The form in the configuration: `-throughput`.
    pub fn id(&self) -> String {
        let mark = if self.descending { "-" } else { "" };
        format!("{mark}{}", self.column.id)
    }

    /// Sorts indices of `items`. Unknown cells come last in either direction; `key` breaks ties.
    pub fn apply<K: Ord>(
        &self,
        rows: &mut [u32],
        items: &[T],
        context: &Context,
        key: impl Fn(&T) -> K,
    ) {
        let item = |row: u32| &items[row as usize];
        let ties = |a: u32, b: u32| key(item(a)).cmp(&key(item(b)));
        let value = |row: u32| (self.column.value)(item(row), context);
        if rows.iter().all(|row| is_amount(&value(*row))) {
            let mut ranked: Vec<(u64, u32)> = rows
                .iter()
                .map(|row| (rank(&value(*row), self.descending), *row))
                .collect();
            ranked.sort_unstable_by(|a, b| a.0.cmp(&b.0).then_with(|| ties(a.1, b.1)));
            for (slot, (_, row)) in rows.iter_mut().zip(ranked) {
                *slot = row;
            }
            return;
        }
        rows.sort_by(|a, b| {
            self.order(&value(*a), &value(*b))
                .then_with(|| ties(*a, *b))
        });
    }

    fn order(&self, a: &Value, b: &Value) -> Ordering {
        match (a.is_unknown(), b.is_unknown()) {
            (false, false) if self.descending => b.compare(a),
            (false, false) => a.compare(b),
            (a, b) => a.cmp(&b),
        }
    }
}

fn is_amount(value: &Value) -> bool {
    !matches!(
        value,
        Value::Text(_) | Value::Sentence(_) | Value::Endpoint { .. }
    )
}

/// An integer in the order of the amounts; the largest for unknown ones, in either direction.
fn rank(value: &Value, descending: bool) -> u64 {
    let Some(number) = value.number().filter(|n| !n.is_nan()) else {
        return u64::MAX;
    };
    let bits = (number + 0.0).to_bits();
    let ascending = if bits >> 63 == 0 {
        bits | 1 << 63
    } else {
        !bits
    };
    if descending { !ascending } else { ascending }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_amounts_are_last_in_either_direction() {
        for descending in [false, true] {
            let known = [0.0, 1.0, f64::MAX].map(|x| rank(&Value::Rate(x), descending));
            assert!(known.iter().all(|r| *r < rank(&Value::Unknown, descending)));
            assert_eq!(known.is_sorted(), !descending);
        }
    }

    #[test]
    fn the_text_form_is_read_and_written() {
        for text in ["-throughput", "protocol"] {
            assert_eq!(Sort::parse(text).map(|s| s.id()).as_deref(), Ok(text));
        }
        assert_eq!(
            Sort::parse("speed").err().as_deref(),
            Some("no such column: speed")
        );
    }
}
