//! The last minutes of a run as segments in memory: each begins with a key frame, and the oldest goes first.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::sync::Arc;

use super::LEAD_NS;
use super::source::Source;
use crate::model::past::Mark;
use crate::recording::{HEADER, Header, SegmentName};
use crate::runtime::recorder::KEY_EVERY_NS;

/// Segments of what a moment needs before it, beside the one that goes on.
const MOST_SEGMENTS: usize = (LEAD_NS as u64 / KEY_EVERY_NS) as usize;
/// Bytes that are kept: what 4,096 flows need for that long that all send all the time.
const MOST_BYTES: usize = 64 << 20;

/// The segments.
#[derive(Debug, Default)]
pub struct Memory {
    names: Vec<SegmentName>,
    segments: VecDeque<Vec<u8>>,
    bytes: usize,
    marks: VecDeque<Mark>,
    end_ns: i64,
    begun: u64,
}

impl Memory {
    /// Begins a segment with a key frame that was made at `wall_ns`, ns since 1970.
    pub fn begin(&mut self, wall_ns: i64, key: &[u8]) {
        let header = Header {
            run: 0,
            number: self.begun,
            began_wall_ns: wall_ns,
        };
        let began_ms = (wall_ns / 1_000_000).max(0) as u64;
        let before = self.names.last().map_or(0, |name| name.began_ms);
        self.names.push(SegmentName {
            // In order also where the clock was set back.
            began_ms: began_ms.max(before),
            run: header.run,
            number: header.number,
        });
        self.begun += 1;
        self.segments.push_back(header.bytes().to_vec());
        self.bytes += HEADER;
        self.append(wall_ns, key);
    }

    /// Appends a frame that was made at `wall_ns`, and lets go what finds no room any more.
    pub fn append(&mut self, wall_ns: i64, frame: &[u8]) {
        self.end_ns = wall_ns;
        let Some(latest) = self.segments.back_mut() else {
            return;
        };
        latest.extend_from_slice(frame);
        self.bytes += frame.len();
        let is_too_much = |it: &Memory| {
            it.segments.len() > MOST_SEGMENTS + 1 || it.bytes > MOST_BYTES && it.segments.len() > 1
        };
        while is_too_much(self) {
            let oldest = self.segments.pop_front();
            self.names.remove(0);
            self.bytes = self.bytes.saturating_sub(oldest.map_or(0, |it| it.len()));
        }
        let from_ms = self.names.first().map_or(0, |name| name.began_ms);
        let is_gone = |mark: &Mark| mark.to_ns / 1_000_000 < from_ms as i64;
        while self.marks.front().is_some_and(is_gone) {
            self.marks.pop_front();
        }
    }

    /// Notes what happened in an interval.
    pub fn note(&mut self, mark: Mark) {
        self.marks.push_back(mark);
    }

    /// Notes that the latest interval raised alerts.
    pub fn note_alerts(&mut self, count: u32) {
        if let Some(mark) = self.marks.back_mut() {
            mark.alerts += count;
        }
    }

    /// When the latest interval that was noted ended.
    pub fn noted_ns(&self) -> Option<i64> {
        self.marks.back().map(|mark| mark.to_ns)
    }
}

impl Source for Memory {
    fn names(&self) -> &[SegmentName] {
        &self.names
    }

    fn refresh(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn read_on(&self, name: &SegmentName, bytes: &mut Vec<u8>) -> io::Result<bool> {
        let at = self.names.binary_search(name);
        let at = at.map_err(|_| io::Error::new(ErrorKind::NotFound, "it is not kept any more"))?;
        let kept = self.segments.get(at).map_or(&[][..], Vec::as_slice);
        let behind = kept.get(bytes.len()..).unwrap_or_default();
        bytes.extend_from_slice(behind);
        Ok(!behind.is_empty())
    }

    fn end_ns(&self) -> i64 {
        self.end_ns
    }

    fn marks(&mut self) -> Arc<Vec<Mark>> {
        Arc::new(self.marks.iter().copied().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_minutes_are_kept_or_as_many_as_have_room() {
        for (bytes, kept) in [(1000, 30..=31), (MOST_BYTES / 4, 3..=4)] {
            let mut memory = Memory::default();
            for segment in 0..60 {
                let wall_ns = segment * KEY_EVERY_NS as i64;
                memory.begin(wall_ns, &vec![1; bytes / 2]);
                memory.append(wall_ns + 1, &vec![2; bytes / 2]);
                memory.note(Mark {
                    from_ns: wall_ns,
                    to_ns: wall_ns + 1,
                    ..Mark::default()
                });
                let held: usize = memory.segments.iter().map(Vec::len).sum();
                assert!(held <= MOST_BYTES);
            }
            assert!(kept.contains(&memory.names.len()), "{:?}", memory.names);
            assert_eq!(memory.names.len(), memory.segments.len());
            assert_eq!(memory.names.last().map(|it| it.number), Some(59));
            assert_eq!(memory.marks().len(), memory.names.len());
            let mut first = Vec::new();
            let name = memory.names[0];
            assert!(memory.read_on(&name, &mut first).is_ok_and(|more| more));
            assert_eq!(first.len(), 40 + bytes / 2 * 2);
            assert!(memory.read_on(&name, &mut first).is_ok_and(|more| !more));
            let gone = SegmentName { number: 0, ..name };
            assert!(memory.read_on(&gone, &mut first).is_err());
        }
    }
}
