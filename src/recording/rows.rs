//! Rows of words, column by column: what is alike stands together, and a column of zeros takes a bit.

use std::iter;

use super::bytes::{Bad, Input, put};

/// So many rows have their columns together: they fit into the cache.
const AT_A_TIME: usize = 1024;

/// Appends rows, each with the word that says whose it is in front. At most 63 words in each.
pub fn put_rows<const N: usize>(out: &mut Vec<u8>, ids: &[u64], rows: &[[u64; N]]) {
    put(out, rows.len() as u64);
    for (ids, rows) in ids.chunks(AT_A_TIME).zip(rows.chunks(AT_A_TIME)) {
        let mut all = [0; N];
        for row in rows {
            for (all, word) in all.iter_mut().zip(row) {
                *all |= word;
            }
        }
        let used = |at: &usize| all[*at] != 0;
        put(out, (0..N).filter(used).fold(0, |mask, at| mask | 1 << at));
        ids.iter().for_each(|id| put(out, *id));
        for at in (0..N).filter(used) {
            rows.iter().for_each(|row| put(out, row[at]));
        }
    }
}

/// Reads rows, at most so many.
pub fn rows<const N: usize>(
    input: &mut Input<'_>,
    most: usize,
    mut visit: impl FnMut(u64, &[u64; N]) -> Result<(), Bad>,
) -> Result<(), Bad> {
    let mut left = input.count()?;
    if left > most {
        return Err(Bad("there are more rows than there can be"));
    }
    let mut ids = [0; AT_A_TIME];
    let mut columns = Vec::new();
    while left > 0 {
        let count = left.min(AT_A_TIME);
        left -= count;
        let mask = input.up_to((1 << N) - 1)?;
        let used: Vec<usize> = (0..N).filter(|at| mask >> at & 1 == 1).collect();
        columns.resize(used.len(), [0; AT_A_TIME]);
        for column in iter::once(&mut ids).chain(&mut columns) {
            for number in &mut column[..count] {
                *number = input.number()?;
            }
        }
        let mut row = [0; N];
        for (place, id) in ids[..count].iter().enumerate() {
            for (at, column) in used.iter().zip(&columns) {
                row[*at] = column[place];
            }
            visit(*id, &row)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn rows_come_out_as_they_went_in(
            rows_in in prop::collection::vec((any::<u64>(), [0_u64..3, 0..1, 0..u64::MAX]), 0..3000),
        ) {
            let (ids, words): (Vec<u64>, Vec<[u64; 3]>) = rows_in.iter().copied().unzip();
            let mut bytes = Vec::new();
            put_rows(&mut bytes, &ids, &words);
            let mut out = Vec::new();
            let mut input = Input(&bytes);
            let read = rows(&mut input, 3000, |id, row: &[u64; 3]| {
                out.push((id, *row));
                Ok(())
            });
            prop_assert_eq!(read, Ok(()));
            prop_assert!(input.is_empty());
            prop_assert_eq!(out, rows_in);
        }
    }

    #[test]
    fn what_stays_as_it_is_takes_hardly_a_byte() {
        let mut bytes = Vec::new();
        put_rows(&mut bytes, &[2; 1000], &[[0; 40]; 1000]);
        assert!(bytes.len() < 1010, "{}", bytes.len());
    }
}
