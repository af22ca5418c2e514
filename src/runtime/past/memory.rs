//! The last minutes of a run as segments in memory: each begins with a key frame, and the oldest goes first.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::sync::Arc;

use super::LEAD_NS;
use super::source::Source;
use crate::model::past::Mark;
use crate::recording::{HEADER, Header, Reader, SegmentName};

/// Bytes that are kept: what 4,096 flows need for that long that all send all the time.
const MOST_BYTES: usize = 64 << 20;

/// The segments.
#[derive(Debug, Default)]
pub struct Memory {
    names: Vec<SegmentName>,
    segments: VecDeque<Segment>,
    bytes: usize,
    end_ns: i64,
    begun: u64,
}

#[derive(Debug)]
struct Segment {
    /// When it was begun, by the clock of the run, ns.
    began_ns: u64,
    bytes: Vec<u8>,
    /// What happened in it.
    marks: Vec<Mark>,
}

impl Memory {
    /// Begins a segment with a key frame of the reading at `taken_ns`, CLOCK_MONOTONIC, which came at `wall_ns`, ns since
    /// 1970.
    pub fn begin(&mut self, taken_ns: u64, wall_ns: i64, key: &[u8]) {
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
        self.segments.push_back(Segment {
            began_ns: taken_ns,
            bytes: header.bytes().to_vec(),
            marks: Vec::new(),
        });
        self.bytes += HEADER;
        self.append(wall_ns, key);
    }

    /// Appends a frame that was made at `wall_ns`, and lets go what finds no room any more.
    pub fn append(&mut self, wall_ns: i64, frame: &[u8]) {
        self.end_ns = wall_ns;
        let Some(latest) = self.segments.back_mut() else {
            return;
        };
        latest.bytes.extend_from_slice(frame);
        self.bytes += frame.len();
        // Those that begin later are enough before the latest one.
        let lead_ns = latest.began_ns.saturating_sub(LEAD_NS as u64);
        while let Some(second) = self.segments.get(1)
            && (self.bytes > MOST_BYTES || second.began_ns <= lead_ns)
        {
            let oldest = self.segments.pop_front();
            self.names.remove(0);
            self.bytes = self
                .bytes
                .saturating_sub(oldest.map_or(0, |it| it.bytes.len()));
        }
    }

    /// Notes what happened in a stretch that has ended, if one has.
    pub fn note(&mut self, ended: Option<Mark>) {
        if let Some(latest) = self.segments.back_mut() {
            latest.marks.extend(ended);
        }
    }

    /// Counts alerts that the latest interval raised.
    pub fn count_alerts(&mut self, count: u32) {
        let mut latest_first = self.segments.iter_mut().rev();
        if let Some(mark) = latest_first.find_map(|it| it.marks.last_mut()) {
            mark.alerts += count;
        }
    }
}

impl Source for Memory {
    fn reader(&self) -> Reader {
        Reader::of_whole()
    }

    fn names(&self) -> &[SegmentName] {
        &self.names
    }

    fn indices(&self) -> impl Iterator<Item = (&SegmentName, &[Mark])> {
        let marks = self.segments.iter().map(|it| it.marks.as_slice());
        self.names.iter().zip(marks)
    }

    fn refresh(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn read_on(
        &self,
        name: &SegmentName,
        from: usize,
        most: usize,
        bytes: &mut Vec<u8>,
    ) -> io::Result<bool> {
        let at = self.names.binary_search(name);
        let at = at.map_err(|_| io::Error::new(ErrorKind::NotFound, "it is not kept any more"))?;
        let kept = self.segments.get(at).map_or(&[][..], |it| &it.bytes);
        let behind = kept.get(from..).unwrap_or_default();
        let behind = &behind[..behind.len().min(most)];
        bytes.extend_from_slice(behind);
        Ok(!behind.is_empty())
    }

    fn place_of(&self, _: &SegmentName, _: i64) -> io::Result<Option<usize>> {
        Ok(Some(HEADER))
    }

    fn end_ns(&self) -> i64 {
        self.end_ns
    }

    fn marks(&mut self) -> Arc<Vec<Mark>> {
        let marks = self.segments.iter().flat_map(|it| &it.marks);
        Arc::new(marks.copied().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_minutes_are_kept_or_as_many_as_have_room() {
        for (seconds, bytes, kept) in [(20, 1000, 31), (5, 1000, 121), (20, MOST_BYTES / 4, 3)] {
            let mut memory = Memory::default();
            for segment in 0..180 {
                let wall_ns = segment * seconds * 1_000_000_000;
                memory.begin(wall_ns as u64, wall_ns, &vec![1; bytes / 2]);
                memory.append(wall_ns + 1, &vec![2; bytes / 2]);
                memory.note(Some(Mark {
                    from_ns: wall_ns,
                    to_ns: wall_ns + 1,
                    ..Mark::default()
                }));
                let held: usize = memory.segments.iter().map(|it| it.bytes.len()).sum();
                assert!(held <= MOST_BYTES);
            }
            assert_eq!(memory.names.len(), kept, "{:?}", memory.names);
            assert_eq!(memory.names.len(), memory.segments.len());
            assert_eq!(memory.names.last().map(|it| it.number), Some(179));
            assert_eq!(memory.marks().len(), memory.names.len());
            let mut first = Vec::new();
            let name = memory.names[0];
            let length = 40 + bytes / 2 * 2;
            for (from, most, more) in [(0, 40, 40), (40, usize::MAX, length - 40), (length, 1, 0)] {
                let before = first.len();
                let read = memory.read_on(&name, from, most, &mut first);
                assert_eq!(read.ok(), Some(more > 0));
                assert_eq!(first.len() - before, more);
            }
            let gone = SegmentName { number: 0, ..name };
            assert!(memory.read_on(&gone, 0, 1, &mut first).is_err());
        }
    }
}
