//! The segments of a recording, as they are found in its folder.
//!
//! The folder is opened before rights are given up: whoever becomes its owner need not be able to reach it.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use nix::fcntl::{OFlag, openat};
use nix::sys::stat::Mode;

use crate::model::past::Mark;
use crate::recording::{self, Header, ReadAt, Reader, SegmentName};
use crate::runtime::past::Source;
use crate::runtime::recording_folder::file_names;

/// No segment is so large: of one that is, nothing is read.
const LARGEST: u64 = 2 << 30;
/// A recording that was written to so lately is still being written, ns.
const LATELY_NS: i64 = 5_000_000_000;
/// No index is so large.
const LARGEST_INDEX: u64 = 1 << 20;

/// The folder, and what was last found in it.
pub struct Segments {
    folder: File,
    names: Vec<SegmentName>,
    /// What their indices said, if they could be read.
    indices: BTreeMap<SegmentName, Option<Vec<Mark>>>,
    marks: Arc<Vec<Mark>>,
    /// Where these indices do not go to the end of their segments, as far as it was asked.
    unmarked: BTreeMap<SegmentName, Option<(i64, i64)>>,
    /// Indices that are missing or damaged were told.
    is_told: bool,
    /// When the latest of a segment of so many bytes came, as far as it was looked for.
    end: Cell<Option<(SegmentName, u64, i64)>>,
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
            unmarked: BTreeMap::new(),
            is_told: false,
            end: Cell::new(None),
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
        let (file, metadata) = self.open_file(&name.to_string())?;
        let mut bytes = Vec::with_capacity(metadata.len() as usize);
        file.take(LARGEST).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Reads it part by part.
    pub fn in_parts(&self, name: &SegmentName) -> io::Result<impl ReadAt> {
        let (file, _) = self.open_file(&name.to_string())?;
        Ok(move |at: usize, most: usize| {
            let mut bytes = Vec::new();
            read_part(&file, at, most, &mut bytes)?;
            Ok(bytes)
        })
    }

    /// What its index says, if that can be read.
    pub fn read_index(&self, name: &SegmentName) -> Option<Vec<Mark>> {
        let (file, _) = self.open_file(&name.index()).ok()?;
        let mut bytes = Vec::new();
        file.take(LARGEST_INDEX).read_to_end(&mut bytes).ok()?;
        recording::read_index(&bytes)
    }

    /// When the latest of a segment came, ns since 1970. That is now where it is still written; else its last block says so, as
    /// the file may have been copied since.
    fn end_of(&self, name: &SegmentName) -> Option<i64> {
        let (_, metadata) = self.open_file(&name.to_string()).ok()?;
        let written_ns = metadata.mtime() * 1_000_000_000 + metadata.mtime_nsec();
        if written_ns > lately_ns() {
            return Some(written_ns);
        }
        let bytes = metadata.len();
        if let Some((_, _, end_ns)) = self.end.get().filter(|it| (it.0, it.1) == (*name, bytes)) {
            return Some(end_ns);
        }
        let times = self.in_parts(name).and_then(|it| Reader::times_of(&it));
        let last = times.ok().and_then(|times| times.last().copied());
        let end_ns = last.map_or(written_ns, |(_, to_ns)| to_ns);
        self.end.set(Some((*name, bytes, end_ns)));
        Some(end_ns)
    }

    /// Whether an index says of all of its segment when it came: its last mark ends where the next segment begins.
    pub fn is_whole(&self, marks: &[Mark], name: &SegmentName, next: Option<&SegmentName>) -> bool {
        let Some(next) = next.filter(|next| next.number == name.number + 1) else {
            return false;
        };
        let began_ns = || {
            let bytes = self.in_parts(next).ok()?(0, recording::HEADER).ok()?;
            Some(Header::read(&bytes).ok()?.began_wall_ns)
        };
        let is_in_order = marks.iter().all(|mark| mark.from_ns <= mark.to_ns);
        is_in_order && marks.last().map(|mark| mark.to_ns) == began_ns()
    }

    /// What comes in a segment behind the last mark in its index, if anything does.
    fn rest_of(&self, name: &SegmentName, next: &SegmentName) -> Option<(i64, i64)> {
        let marks = self.indices.get(name).and_then(Option::as_deref);
        let marks = marks.unwrap_or_default();
        if self.is_whole(marks, name, Some(next)) {
            return None;
        }
        let times = Reader::times_of(&self.in_parts(name).ok()?).ok()?;
        let ((began_ns, _), (_, ended_ns)) = (times.first()?, times.last()?);
        let from_ns = marks.last().map_or(*began_ns, |mark| mark.to_ns);
        (from_ns < *ended_ns).then_some((from_ns, *ended_ns))
    }

    /// Whether it is still being written.
    pub fn goes_on(&self) -> bool {
        self.end_ns() > lately_ns()
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

    fn indices(&self) -> impl Iterator<Item = (&SegmentName, &[Mark])> {
        let known = |(name, marks)| Some((name, Option::as_deref(marks)?));
        self.indices.iter().filter_map(known)
    }

    fn refresh(&mut self) -> io::Result<()> {
        // The last one may have become longer, and so may that of before, until another one came.
        let former = self.names.last().copied();
        self.names = self.list()?;
        let open = [former, self.names.last().copied()];
        let is_there = |name: &SegmentName| self.names.binary_search(name).is_ok();
        self.indices.retain(|name, _| is_there(name));
        self.unmarked
            .retain(|name, _| is_there(name) && !open.contains(&Some(*name)));
        let is_known =
            |name: &&SegmentName| self.indices.contains_key(name) && !open.contains(&Some(**name));
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

    fn read_on(
        &self,
        name: &SegmentName,
        from: usize,
        most: usize,
        bytes: &mut Vec<u8>,
    ) -> io::Result<bool> {
        let (file, _) = self.open_file(&name.to_string())?;
        Ok(read_part(&file, from, most, bytes)? > 0)
    }

    fn place_of(&self, name: &SegmentName, wall_ns: i64) -> io::Result<Option<usize>> {
        Reader::place_of(&self.in_parts(name)?, wall_ns)
    }

    fn end_ns(&self) -> i64 {
        let end = self.names.last().and_then(|name| self.end_of(name));
        end.unwrap_or(i64::MIN)
    }

    fn marks(&mut self) -> Arc<Vec<Mark>> {
        Arc::clone(&self.marks)
    }

    fn unmarked(&mut self) -> Vec<(i64, i64)> {
        for pair in self.names.windows(2) {
            let [name, next] = pair else { continue };
            if !self.unmarked.contains_key(name) {
                self.unmarked.insert(*name, self.rest_of(name, next));
            }
        }
        self.unmarked.values().flatten().copied().collect()
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

/// What came since then may be of a run that goes on, ns since 1970.
fn lately_ns() -> i64 {
    (Timestamp::now().as_nanosecond() as i64).saturating_sub(LATELY_NS)
}

/// Appends what a file has from this place on, so many bytes at most; returns how many that were.
fn read_part(mut file: &File, from: usize, most: usize, bytes: &mut Vec<u8>) -> io::Result<usize> {
    file.seek(SeekFrom::Start(from as u64))?;
    file.take(LARGEST.min(most as u64)).read_to_end(bytes)
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::time::{Duration, SystemTime};

    use super::*;
    use crate::model::tracker::Carried;
    use crate::recording::world::{BEGAN_NS, INTERVALS, World};
    use crate::recording::{Encoder, Header};

    #[test]
    fn a_recording_ends_when_the_latest_of_it_came_not_when_it_was_copied() {
        const SECOND_NS: i64 = 1_000_000_000;
        let folder = tempfile::tempdir().expect("a folder");
        let header = Header {
            run: 7,
            number: 0,
            began_wall_ns: SECOND_NS,
        };
        let mut encoder = Encoder::new(BEGAN_NS, INTERVALS, "{}".into()).expect("zstd");
        let mut bytes = header.bytes().to_vec();
        let key = encoder.key(SECOND_NS, &Carried::default()).expect("zstd");
        bytes.extend(&key);
        let mut world = World::new();
        let name = SegmentName {
            began_ms: 1000,
            run: header.run,
            number: header.number,
        };
        let copied = SystemTime::now() - Duration::from_secs(60);
        let mut segments = Segments::open(folder.path()).expect("the folder").0;
        assert_eq!(segments.end_ns(), i64::MIN);
        for second in 2..5 {
            let wall_ns = second * SECOND_NS;
            bytes.extend(
                encoder
                    .frame(wall_ns, &world.step([8, 0, 11, 3]))
                    .expect("zstd"),
            );
            let mut file = File::create(folder.path().join(name.to_string())).expect("a file");
            file.write_all(&bytes).expect("a segment");
            file.set_modified(copied).expect("a time of its own");
            segments.refresh().expect("a list");
            assert_eq!([(); 2].map(|()| segments.end_ns()), [wall_ns; 2]);
        }
    }
}

#[cfg(test)]
#[path = "segments_tests.rs"]
mod unmarked;
