//! The segments of a recording, as they are found in its folder.
//!
//! The folder is opened before rights are given up: whoever becomes its owner need not be able to reach it.

use std::collections::BTreeMap;
use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;

use nix::fcntl::{OFlag, openat};
use nix::sys::stat::Mode;

use crate::model::past::Mark;
use crate::recording::{self, SegmentName};
use crate::runtime::past::{LEAD_NS, Source};
use crate::runtime::recording_folder::file_names;

/// No segment is so large: of one that is, nothing is read.
const LARGEST: u64 = 2 << 30;
/// No index is so large.
const LARGEST_INDEX: u64 = 1 << 20;

/// The folder, and what was last found in it.
pub struct Segments {
    folder: File,
    names: Vec<SegmentName>,
    /// What their indices said, if they could be read.
    indices: BTreeMap<SegmentName, Option<Vec<Mark>>>,
    marks: Arc<Vec<Mark>>,
    /// Indices that are missing or damaged were told.
    is_told: bool,
}

impl Segments {
    /// Opens the folder; also says whose it is.
    pub fn open(path: &Path) -> io::Result<(Segments, u32)> {
        let mut options = OpenOptions::new();
        let flags = OFlag::O_DIRECTORY.bits();
        let folder = options.read(true).custom_flags(flags).open(path)?;
        let owner = folder.metadata()?.uid();
        let segments = Segments {
            folder,
            names: Vec::new(),
            indices: BTreeMap::new(),
            marks: Arc::default(),
            is_told: false,
        };
        Ok((segments, owner))
    }

    /// All segments, the oldest first.
    pub fn list(&self) -> io::Result<Vec<SegmentName>> {
        let files = file_names(&self.folder)?;
        let names = files.iter().filter_map(|file| SegmentName::parse(file));
        let mut names: Vec<SegmentName> = names.collect();
        names.sort();
        Ok(names)
    }

    /// The bytes of a segment.
    pub fn read(&self, name: &SegmentName) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.read_behind(name, &mut bytes)?;
        Ok(bytes)
    }

    /// Appends what the segment has behind these bytes.
    fn read_behind(&self, name: &SegmentName, bytes: &mut Vec<u8>) -> io::Result<()> {
        let (mut file, metadata) = self.open_file(&name.to_string())?;
        file.seek(SeekFrom::Start(bytes.len() as u64))?;
        bytes.reserve((metadata.len() as usize).saturating_sub(bytes.len()));
        file.take(LARGEST).read_to_end(bytes)?;
        Ok(())
    }

    fn read_index(&self, name: &SegmentName) -> Option<Vec<Mark>> {
        let (file, _) = self.open_file(&name.index()).ok()?;
        let mut bytes = Vec::new();
        file.take(LARGEST_INDEX).read_to_end(&mut bytes).ok()?;
        recording::read_index(&bytes)
    }

    fn open_file(&self, name: &str) -> io::Result<(File, Metadata)> {
        // A pipe in its place does not make it wait.
        let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
        let file = File::from(openat(&self.folder, name, flags, Mode::empty())?);
        let metadata = file.metadata()?;
        if !metadata.is_file() || metadata.len() > LARGEST {
            return Err(io::Error::other("it is no segment of a recording"));
        }
        Ok((file, metadata))
    }
}

impl Source for Segments {
    fn names(&self) -> &[SegmentName] {
        &self.names
    }

    fn refresh(&mut self) -> io::Result<()> {
        self.names = self.list()?;
        self.indices
            .retain(|name, _| self.names.binary_search(name).is_ok());
        // The last one may have become longer.
        let last = self.names.last().copied();
        let is_known =
            |name: &&SegmentName| self.indices.contains_key(name) && Some(**name) != last;
        let unknown = self.names.iter().filter(|name| !is_known(name));
        let found: Vec<_> = unknown.map(|name| (*name, self.read_index(name))).collect();
        if found
            .iter()
            .any(|(name, index)| self.indices.get(name) != Some(index))
        {
            self.indices.extend(found);
            self.marks = Arc::new(self.indices.values().flatten().flatten().copied().collect());
        }
        Ok(())
    }

    fn read_on(&self, name: &SegmentName, bytes: &mut Vec<u8>) -> io::Result<bool> {
        let before = bytes.len();
        self.read_behind(name, bytes)?;
        Ok(bytes.len() > before)
    }

    fn end_ns(&self) -> i64 {
        let written = |name: &SegmentName| {
            let (_, metadata) = self.open_file(&name.to_string()).ok()?;
            Some(metadata.mtime() * 1_000_000_000 + metadata.mtime_nsec())
        };
        self.names.last().and_then(written).unwrap_or(i64::MIN)
    }

    fn marks(&mut self) -> Arc<Vec<Mark>> {
        Arc::clone(&self.marks)
    }

    fn fault(&mut self) -> Option<String> {
        let unknown = self
            .indices
            .values()
            .filter(|index| index.is_none())
            .count();
        let is_new = unknown > 0 && !std::mem::replace(&mut self.is_told, true);
        is_new.then(|| {
            format!("no index beside {unknown} of its files: losses and alerts in them have no mark in the bar of time")
        })
    }
}

/// The segments that a span of time needs, ns since 1970: those that begin in it, and of what is before it the last ones.
pub fn needed(all: &[SegmentName], (from, to): (i64, i64)) -> &[SegmentName] {
    let ms = |ns: i64| (ns / 1_000_000).max(0) as u64;
    let lead = ms(from.saturating_sub(LEAD_NS));
    let first = all.partition_point(|name| name.began_ms <= lead);
    let end = all.partition_point(|name| name.began_ms <= ms(to));
    all.get(first.saturating_sub(1)..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_needs_the_segments_that_it_touches_and_some_time_before_it() {
        let segment = |hour: u64| SegmentName {
            began_ms: hour * 3_600_000,
            run: 1,
            number: hour,
        };
        let all: Vec<SegmentName> = (100..110).map(segment).collect();
        let hours = |from: f64, to: f64| {
            let ns = |hour: f64| (hour * 3.6e12) as i64;
            let needed = needed(&all, (ns(from), ns(to)));
            (needed.first().map(|it| it.number), needed.len())
        };
        assert_eq!(needed(&all, (i64::MIN, i64::MAX)).len(), 10);
        assert_eq!(hours(105.5, 106.5), (Some(105), 2));
        assert_eq!(hours(105.1, 105.2), (Some(104), 2));
        assert_eq!(hours(120.0, 130.0), (Some(109), 1));
        assert_eq!(hours(10.0, 20.0), (None, 0));
        assert_eq!(hours(106.0, 103.0), (None, 0));
    }
}
