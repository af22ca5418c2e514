//! Where the segments of a recording come from: a folder, or memory.

use std::io;
use std::sync::Arc;

use crate::model::past::Mark;
use crate::recording::{Reader, SegmentName};

/// Segments that can be read.
pub trait Source {
    /// Those that there were when it was last looked, the oldest first.
    fn names(&self) -> &[SegmentName];

    /// What their indices say of them, as far as it is known, the oldest first.
    fn indices(&self) -> impl Iterator<Item = (&SegmentName, &[Mark])>;

    /// A reader for them.
    fn reader(&self) -> Reader {
        Reader::default()
    }

    /// Looks which there are now.
    fn refresh(&mut self) -> io::Result<()>;

    /// Appends what a segment has from this place on, so many bytes at most; returns whether that was something.
    fn read_on(
        &self,
        name: &SegmentName,
        from: usize,
        most: usize,
        bytes: &mut Vec<u8>,
    ) -> io::Result<bool>;

    /// The place in a segment where to begin to read for what came at this moment, ns since 1970, if there is one.
    fn place_of(&self, name: &SegmentName, wall_ns: i64) -> io::Result<Option<usize>>;

    /// The segment in which to look for what came at this moment, ns since 1970: the first one that has it, else the one that
    /// has what came next before it. The names say when segments were begun, which is no help where the clock was set.
    fn segment_of(&self, wall_ns: i64) -> Option<SegmentName> {
        let names = self.names();
        if wall_ns == i64::MAX {
            return names.last().copied();
        }
        let has_it = |mark: &Mark| (mark.from_ns..=mark.to_ns).contains(&wall_ns);
        let mut indices = self.indices();
        if let Some((name, _)) = indices.find(|(_, marks)| marks.iter().any(has_it)) {
            return Some(*name);
        }
        let ms = (wall_ns / 1_000_000).max(0) as u64;
        let behind = names.partition_point(|name| name.began_ms <= ms);
        let named = names.get(behind.saturating_sub(1))?;
        let is_noted = |(name, marks): (&SegmentName, &[Mark])| name == named && !marks.is_empty();
        let ends = self.indices().flat_map(|(name, marks)| {
            let before = marks.iter().filter(|mark| mark.to_ns <= wall_ns);
            before.map(move |mark| (mark.to_ns, *name))
        });
        match ends.max() {
            Some((_, nearest)) if self.indices().any(is_noted) => Some(nearest),
            _ => Some(*named),
        }
    }

    /// When the latest of it was written, ns since 1970.
    fn end_ns(&self) -> i64;

    /// What happened in it, as far as that is known without reading it.
    fn marks(&mut self) -> Arc<Vec<Mark>>;

    /// Recorded time that no mark covers, ns since 1970: a run that was killed had not written the marks of its last seconds. What
    /// is behind the last mark is never covered, and not listed.
    fn unmarked(&mut self) -> Vec<(i64, i64)> {
        Vec::new()
    }

    /// What is wrong with that, told once.
    fn fault(&mut self) -> Option<String> {
        None
    }
}
