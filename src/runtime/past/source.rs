//! Where the segments of a recording come from: a folder, or memory.

use std::io;
use std::sync::Arc;

use crate::model::past::Mark;
use crate::recording::SegmentName;

/// Segments that can be read.
pub trait Source {
    /// Those that there were when it was last looked, the oldest first.
    fn names(&self) -> &[SegmentName];

    /// Looks which there are now.
    fn refresh(&mut self) -> io::Result<()>;

    /// Appends what a segment has behind these bytes, its first ones; returns whether that was something.
    fn read_on(&self, name: &SegmentName, bytes: &mut Vec<u8>) -> io::Result<bool>;

    /// When the latest of it was written, ns since 1970.
    fn end_ns(&self) -> i64;

    /// What happened in it, as far as that is known without reading it.
    fn marks(&mut self) -> Arc<Vec<Mark>>;

    /// What is wrong with that, told once.
    fn fault(&mut self) -> Option<String> {
        None
    }
}
