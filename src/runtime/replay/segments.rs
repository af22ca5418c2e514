//! The segments of a recording, as they are found in its folder.
//!
//! The folder is opened before rights are given up: whoever becomes its owner need not be able to reach it.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use nix::dir::Dir;
use nix::fcntl::{OFlag, openat};
use nix::sys::stat::Mode;

use crate::recording::SegmentName;

/// No segment is so large: of one that is, nothing is read.
const LARGEST: u64 = 2 << 30;
/// What a span needs in front of it, so that windows and alerts are those of the run, ms.
const LEAD_MS: u64 = 600_000;

/// The folder.
pub struct Segments(File);

impl Segments {
    /// Opens the folder; also says whose it is.
    pub fn open(path: &Path) -> io::Result<(Segments, u32)> {
        let mut options = OpenOptions::new();
        let flags = OFlag::O_DIRECTORY.bits();
        let folder = options.read(true).custom_flags(flags).open(path)?;
        let owner = folder.metadata()?.uid();
        Ok((Segments(folder), owner))
    }

    /// All segments, the oldest first.
    pub fn list(&self) -> io::Result<Vec<SegmentName>> {
        let mut names = Vec::new();
        for entry in Dir::openat(&self.0, ".", OFlag::O_DIRECTORY, Mode::empty())?.iter() {
            let entry = entry?;
            names.extend(entry.file_name().to_str().ok().and_then(SegmentName::parse));
        }
        names.sort();
        Ok(names)
    }

    /// The bytes of a segment.
    pub fn read(&self, name: &SegmentName) -> io::Result<Vec<u8>> {
        // A pipe in its place does not make it wait.
        let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
        let opened = openat(&self.0, name.to_string().as_str(), flags, Mode::empty())?;
        let file = File::from(opened);
        let metadata = file.metadata()?;
        if !metadata.is_file() || metadata.len() > LARGEST {
            return Err(io::Error::other("it is no segment of a recording"));
        }
        let mut bytes = Vec::with_capacity(metadata.len() as usize);
        file.take(LARGEST).read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

/// The segments that a span of time needs, ns since 1970: those that begin in it, and of what is before it the last ones.
pub fn needed(all: &[SegmentName], (from, to): (i64, i64)) -> &[SegmentName] {
    let ms = |ns: i64| (ns / 1_000_000).max(0) as u64;
    let lead = ms(from).saturating_sub(LEAD_MS);
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
