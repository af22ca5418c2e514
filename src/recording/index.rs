//! The index of a segment, a file beside it: what happened between its key frames, so that a week is looked over without being
//! read.
//!
//! It has a header and then records, each with a checksum. Whoever cannot read it knows less, and nothing wrong.

use crate::model::past::Mark;

/// What every index begins with: what it is, and its version.
pub const INDEX_HEADER: [u8; 12] = *b"flowtopI\x01\0\0\0";
/// Bytes of a record.
pub const INDEX_RECORD: usize = 28;

/// A record.
pub fn index_record(mark: &Mark) -> [u8; INDEX_RECORD] {
    let mut bytes = [0; INDEX_RECORD];
    bytes[..8].copy_from_slice(&mark.from_ns.to_le_bytes());
    bytes[8..16].copy_from_slice(&mark.to_ns.to_le_bytes());
    bytes[16..20].copy_from_slice(&mark.losing.to_le_bytes());
    bytes[20..24].copy_from_slice(&mark.alerts.to_le_bytes());
    let sum = crc32fast::hash(&bytes[..24]);
    bytes[24..].copy_from_slice(&sum.to_le_bytes());
    bytes
}

/// There are readings each second: where none came for longer, the clock was set, or nothing ran.
const LONGEST_STEP_NS: i64 = 60_000_000_000;

/// Makes the marks of an index, one after the other. Within each the clock only goes on: where it was set, another one
/// begins, so that marks say exactly when there is something.
#[derive(Debug, Default)]
pub struct Marking(Option<Mark>);

impl Marking {
    /// The clock shows this moment, ns since 1970. Returns the mark that ended before, if it was set.
    pub fn pass_to(&mut self, wall_ns: i64) -> Option<Mark> {
        let open = self.0.as_mut()?;
        let goes_on = open.to_ns..=open.to_ns.saturating_add(LONGEST_STEP_NS);
        if !goes_on.contains(&wall_ns) {
            return self.begin(wall_ns);
        }
        open.to_ns = wall_ns;
        None
    }

    /// Begins a mark at this moment. Returns the one before.
    pub fn begin(&mut self, wall_ns: i64) -> Option<Mark> {
        self.0.replace(Mark {
            from_ns: wall_ns,
            to_ns: wall_ns,
            ..Mark::default()
        })
    }

    /// Notes what happened.
    pub fn note(&mut self, losing: u32, alerts: u32) {
        if let Some(open) = &mut self.0 {
            open.losing += losing;
            open.alerts += alerts;
        }
    }
}

/// The records of an index; `None`: it is none, or one of them is damaged. One at its end that is not whole is being written.
pub fn read_index(bytes: &[u8]) -> Option<Vec<Mark>> {
    let records = bytes.strip_prefix(&INDEX_HEADER)?;
    records
        .chunks_exact(INDEX_RECORD)
        .map(read_record)
        .collect()
}

fn read_record(bytes: &[u8]) -> Option<Mark> {
    let (record, sum) = bytes.split_at_checked(24)?;
    let word = |at: usize| Some(i64::from_le_bytes(record.get(at..at + 8)?.try_into().ok()?));
    let half = |at: usize| Some(u32::from_le_bytes(record.get(at..at + 4)?.try_into().ok()?));
    let mark = Mark {
        from_ns: word(0)?,
        to_ns: word(8)?,
        losing: half(16)?,
        alerts: half(20)?,
    };
    (sum == crc32fast::hash(record).to_le_bytes()).then_some(mark)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_says_what_was_written_up_to_where_it_is_cut_and_nothing_that_is_damaged() {
        let mark = |minute: i64| Mark {
            from_ns: minute * 60,
            to_ns: minute * 60 + 60,
            losing: minute.unsigned_abs() as u32 * 3,
            alerts: u32::MAX - minute.unsigned_abs() as u32,
        };
        let marks: Vec<Mark> = (-2..3).map(mark).collect();
        let mut bytes = INDEX_HEADER.to_vec();
        marks.iter().for_each(|it| bytes.extend(index_record(it)));
        for length in 0..=bytes.len() {
            let whole = length
                .checked_sub(INDEX_HEADER.len())
                .map(|it| it / INDEX_RECORD);
            let expected = whole.map(|whole| marks[..whole].to_vec());
            assert_eq!(read_index(&bytes[..length]), expected, "{length}");
        }
        for at in 0..bytes.len() {
            bytes[at] ^= 4;
            assert_eq!(read_index(&bytes), None, "{at}");
            bytes[at] ^= 4;
        }
    }
}
