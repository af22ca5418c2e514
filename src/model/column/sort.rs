//! The order of rows: by one column, in one direction, ties broken by the row's own key.
//!
//! A million rows may be there at each refresh: cells are turned into integers once, those are compared, and only what is
//! seen is put in order.

use std::cmp::Ordering;
use std::net::IpAddr;
use std::ops::Range;

use super::select::{sort_part, sort_part_by_class};
use super::{Column, Context, FLOW_COLUMNS, Value, by_id};
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

impl Default for Sort {
    /// The largest throughput first.
    fn default() -> Sort {
        Sort::parse("-throughput").unwrap_or(Sort::by(&FLOW_COLUMNS[0]))
    }
}

impl Sort<Flow> {
    /// Reads what [`id`](Sort::id) writes: a column id, `-` in front for descending.
    pub fn parse(text: &str) -> Result<Sort, String> {
        Sort::parse_with(text, |id| {
            by_id(id).ok_or_else(|| format!("no such column: {id}"))
        })
    }

    /// The same; `find` tells the column of an id, or why there is none.
    pub fn parse_with<E>(
        text: &str,
        find: impl FnOnce(&str) -> Result<&'static Column, E>,
    ) -> Result<Sort, E> {
        let (id, descending) = match text.strip_prefix('-') {
            Some(id) => (id, true),
            None => (text, false),
        };
        let column = find(id)?;
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

    /// Sorts indices of `items`. Unknown cells come last in either direction; `tie` breaks ties, by its first part
    /// where that will do.
    pub fn apply<K: Ord>(
        &self,
        rows: &mut Vec<u32>,
        items: &[T],
        context: &Context,
        tie: impl Fn(&T) -> (u64, K),
    ) {
        let mut ranking = Ranking::default();
        for row in rows.iter() {
            let item = &items[*row as usize];
            ranking.add(*row, self, &self.column.value(item, context));
        }
        let all = 0..rows.len();
        ranking.sort(rows, self, items, context, tie, |_| all);
    }

    fn order(&self, a: &Value, b: &Value) -> Ordering {
        match (a.is_unknown(), b.is_unknown()) {
            (false, false) if self.descending => b.compare(a),
            (false, false) => a.compare(b),
            (a, b) => a.cmp(&b),
        }
    }
}

/// Rows on their way into an order.
#[derive(Debug)]
pub struct Ranking {
    entries: Vec<Ranked>,
    wanted: Option<Ranked>,
    /// Equal ranks mean equal cells.
    is_exact: bool,
}

/// What a row is compared by before anything else is looked at: there may be a million of them.
#[derive(Debug, Clone, Copy)]
struct Ranked {
    rank: u64,
    row: u32,
    /// The lower, the further in front, whatever the rank.
    level: u16,
}

impl Ranked {
    /// In one number: nearly always decided by one comparison without a branch.
    fn class(&self) -> u128 {
        u128::from(self.level) << 64 | u128::from(self.rank)
    }
}

impl Default for Ranking {
    fn default() -> Ranking {
        Ranking {
            entries: Vec::new(),
            wanted: None,
            is_exact: true,
        }
    }
}

impl Ranking {
    /// The same without rows; their memory is kept.
    pub fn emptied(mut self) -> Ranking {
        self.entries.clear();
        Ranking {
            entries: self.entries,
            ..Ranking::default()
        }
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Adds a row with its cell.
    pub fn add<T>(&mut self, row: u32, sort: &Sort<T>, cell: &Value) {
        self.is_exact &= is_amount(cell);
        self.push(row, rank(cell, sort.descending));
    }

    /// Adds a row whose cell shows an amount; NaN where that is not known.
    #[inline]
    pub fn add_amount<T>(&mut self, row: u32, sort: &Sort<T>, amount: f64) {
        self.push(row, rank_of(amount, sort.descending));
    }

    #[inline]
    fn push(&mut self, row: u32, rank: u64) {
        let level = u16::MAX;
        self.entries.push(Ranked { rank, row, level });
    }

    /// The latest row comes before all of a higher level; those of which this is not said have the highest.
    pub fn put_before(&mut self, level: u16) {
        if let Some(latest) = self.entries.last_mut() {
            latest.level = level;
        }
    }

    /// The level of rows that are so bad: they come before all that are less bad, and before those of which nothing is said.
    pub fn level_of(severity: f64) -> u16 {
        u16::MAX - 1 - severity as u16
    }

    /// The place of the latest row is asked for.
    pub fn want(&mut self) {
        self.wanted = self.entries.last().copied();
    }

    /// Writes the rows down, sorted so far that one part of them is as if all were sorted, with what comes before it in
    /// front and the others behind. `part` is told the place of the wanted row, and answers with that part.
    pub fn sort<T, K: Ord>(
        &mut self,
        rows: &mut Vec<u32>,
        sort: &Sort<T>,
        items: &[T],
        context: &Context,
        tie: impl Fn(&T) -> (u64, K),
        part: impl FnOnce(Option<usize>) -> Range<usize>,
    ) {
        let is_exact = self.is_exact;
        let item = |entry: &Ranked| &items[entry.row as usize];
        let value = |entry: &Ranked| sort.column.value(item(entry), context);
        let with_tie = |entry: &Ranked| (tie(item(entry)).0, *entry);
        // Those of one class. Their items are looked at once, as far as that will do.
        let compare = |(brief, a): &(u64, Ranked), (other, b): &(u64, Ranked)| {
            let cells = match is_exact {
                true => Ordering::Equal,
                false => sort.order(&value(a), &value(b)),
            };
            let keys = || tie(item(a)).1.cmp(&tie(item(b)).1);
            cells.then(brief.cmp(other)).then_with(keys)
        };
        let before = |wanted: &Ranked| {
            let its = with_tie(wanted);
            let is_before = |entry: &&Ranked| match entry.class().cmp(&wanted.class()) {
                Ordering::Equal => compare(&with_tie(entry), &its).is_lt(),
                order => order.is_lt(),
            };
            self.entries.iter().filter(is_before).count()
        };
        let place = self.wanted.as_ref().map(before);
        let sort_within = |its: &mut [Ranked], part: Range<usize>| {
            let mut with_ties: Vec<_> = its.iter().map(with_tie).collect();
            sort_part(&mut with_ties, part, compare);
            let sorted = with_ties.into_iter().map(|(_, entry)| entry);
            its.iter_mut()
                .zip(sorted)
                .for_each(|(at, entry)| *at = entry);
        };
        sort_part_by_class(&mut self.entries, part(place), Ranked::class, sort_within);
        rows.clear();
        rows.extend(self.entries.iter().map(|entry| entry.row));
    }
}

fn is_amount(value: &Value) -> bool {
    !matches!(
        value,
        Value::Text(_) | Value::Sentence(_) | Value::Endpoint { .. }
    )
}

/// An integer in the order of the cells; the largest for unknown ones, in either direction. Those of texts and
/// addresses are only their beginnings: equal ones say nothing.
fn rank(value: &Value, descending: bool) -> u64 {
    let ascending = match value {
        Value::Text(text) | Value::Sentence(text) => {
            let mut beginning = [0; 8];
            let length = text.len().min(8);
            beginning[..length].copy_from_slice(&text.as_bytes()[..length]);
            u64::from_be_bytes(beginning)
        }
        Value::Endpoint { address, .. } => match address {
            IpAddr::V4(v4) => v4.to_bits().into(),
            IpAddr::V6(v6) => 1 << 63 | (v6.to_bits() >> 65) as u64,
        },
        amount => return rank_of(amount.number().unwrap_or(f64::NAN), descending),
    };
    if descending { !ascending } else { ascending }
}

/// The same of an amount, or NaN.
#[inline]
fn rank_of(amount: f64, descending: bool) -> u64 {
    if amount.is_nan() {
        return u64::MAX;
    }
    let bits = (amount + 0.0).to_bits();
    // All bits of a negative number, the sign of another one.
    let turned = (bits as i64 >> 63) as u64 | 1 << 63;
    let ascending = bits ^ turned;
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
    fn texts_and_addresses_rank_by_their_beginnings() {
        let endpoint = |address: &str| Value::Endpoint {
            address: address.parse().unwrap(),
            suffix: super::super::endpoint::Suffix::None,
            name: None,
        };
        let texts = ["", "eth0", "veth1", "veth10"].map(Value::Text);
        let addresses = ["1.2.3.4", "200.0.0.1", "::1", "2001:db8::1", "fe80::1"].map(endpoint);
        for cells in [&texts[..], &addresses] {
            for pair in cells.windows(2) {
                assert!(
                    rank(&pair[0], false) < rank(&pair[1], false),
                    "{:?} and {:?}",
                    pair[0],
                    pair[1]
                );
                assert!(rank(&pair[0], true) > rank(&pair[1], true));
            }
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
