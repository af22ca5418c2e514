//! The folder of a recording: segments that are begun, written to and, once there are too many or they are too old,
//! removed.
//!
//! It is opened before rights are given up, and files are made and removed in it by its descriptor. One run at a time
//! records into a folder.

mod found;

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg, OFlag, openat};
use nix::sys::stat::Mode;
use nix::unistd::{UnlinkatFlags, unlinkat};

use self::found::Found;
use super::export_folder::{open_folder, open_if_there};
use crate::cli::{Exit, Failure};
use crate::config::Record;
use crate::model::past::Mark;
use crate::model::units;
use crate::probe::interfaces::display_name;
use crate::probe::privileges::confine::Identity;
use crate::recording::{Header, INDEX_HEADER, SegmentName, index_record};

pub use self::found::{Holding, file_names};

/// A segment is at most this part of all that is kept: that much goes at once.
const PARTS: u64 = 16;
/// No segment gets larger, so that a reader can hold it.
const LARGEST_SEGMENT: u64 = 64 << 20;
/// Nor longer, so that a moment in it is soon found.
const LONGEST_SEGMENT: Duration = Duration::from_secs(3600);

/// The folder, and the segments in it.
#[derive(Debug)]
pub struct RecordingFolder {
    folder: Flock<File>,
    path: PathBuf,
    most_bytes: u64,
    longest: Duration,
    /// All segments with their sizes, the oldest first; the last one is written to if `latest` is open.
    segments: VecDeque<(SegmentName, u64)>,
    bytes: u64,
    latest: Option<Latest>,
}

/// The segment that is written to.
#[derive(Debug)]
struct Latest {
    file: File,
    /// Where is noted what happened in it; without it, those are not known.
    index: Option<File>,
    /// Its whole blocks.
    size: u64,
    began_ms: u64,
}

impl RecordingFolder {
    /// Opens the folder as it is asked for. One that is missing is made and given to the user that the run goes on as; but
    /// for one that the configuration names: root makes no folder because a file says so.
    pub fn open(
        record: &Record,
        is_of_file: bool,
        user: Option<&Identity>,
    ) -> Result<RecordingFolder, Failure> {
        let path = &record.folder;
        let opened = match is_of_file && user.is_some() {
            true => open_if_there(path).map_err(|error| match error.kind() {
                io::ErrorKind::NotFound => io::Error::other(
                    "there is no such folder, and one that RECORD names is not made by root (make it, or name it with --record)",
                ),
                _ => error,
            }),
            false => open_folder(path, user),
        };
        let folder = opened.and_then(lock).map_err(|error| {
            let name = display_name(path.as_os_str());
            let text = format!("record to {name}: {error}");
            Failure::new(Exit::Failed, text)
        })?;
        Ok(RecordingFolder {
            folder,
            path: path.clone(),
            most_bytes: record.bytes,
            longest: Duration::from_secs(u64::from(record.days) * 86_400),
            segments: VecDeque::new(),
            bytes: 0,
            latest: None,
        })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How much it holds at most, in words.
    pub fn bounds(&self) -> String {
        let days = self.longest.as_secs() / 86_400;
        format!(
            "{} or {days} days of it",
            units::bytes(self.most_bytes).trim_start()
        )
    }

    /// Finds the segments of earlier runs, and sees whether there may be others.
    pub fn prepare(&mut self) -> io::Result<()> {
        let Found { segments, strays } = Found::in_folder(&self.folder)?;
        strays.iter().for_each(|name| self.remove(&name.index()));
        self.bytes = segments.iter().map(|(_, size)| size).sum();
        self.segments = segments.into();
        Ok(())
    }

    /// Whether a segment is open that still has room at this moment, ms since 1970.
    pub fn has_room(&self, now_ms: u64) -> bool {
        let largest = LARGEST_SEGMENT.min(self.most_bytes / PARTS);
        let longest = LONGEST_SEGMENT.as_millis() as u64;
        self.latest.as_ref().is_some_and(|latest| {
            // The clock may have been set back.
            latest.size < largest && now_ms.abs_diff(latest.began_ms) < longest
        })
    }

    /// Whether a segment is open.
    pub fn is_open(&self) -> bool {
        self.latest.is_some()
    }

    /// Begins a segment with its first block, behind all those before it.
    pub fn begin(&mut self, header: &Header, block: &[u8]) -> io::Result<()> {
        self.latest = None;
        let began_ms = (header.began_wall_ns / 1_000_000).max(0) as u64;
        // A clock that was set back does not put it in front of those before it.
        let before = self.segments.back().map(|(name, _)| name);
        let before = before.filter(|name| name.run == header.run);
        let name = SegmentName {
            began_ms: before.map_or(began_ms, |name| began_ms.max(name.began_ms + 1)),
            run: header.run,
            number: header.number,
        };
        self.make_room(began_ms, block.len() as u64);
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_CLOEXEC;
        let mode = Mode::S_IRUSR | Mode::S_IWUSR;
        let file = File::from(openat(
            &*self.folder,
            name.to_string().as_str(),
            flags,
            mode,
        )?);
        let index = openat(&*self.folder, name.index().as_str(), flags, mode);
        self.segments.push_back((name, 0));
        self.latest = Some(Latest {
            file,
            index: index.ok().map(File::from),
            size: 0,
            began_ms,
        });
        self.append_to_index(&INDEX_HEADER);
        let mut bytes = header.bytes().to_vec();
        bytes.extend_from_slice(block);
        let written = self.append(&bytes);
        if written.is_err() {
            self.forget_latest();
            self.remove(&name.to_string());
        }
        written
    }

    fn remove(&self, name: &str) {
        // One that somebody else removed is gone all the same.
        let _ = unlinkat(&*self.folder, name, UnlinkatFlags::NoRemoveDir);
    }

    /// Notes what happened in a part of the open segment.
    pub fn note(&mut self, mark: &Mark) {
        self.append_to_index(&index_record(mark));
    }

    /// An index that cannot be written ends here: the recording goes on without it.
    fn append_to_index(&mut self, bytes: &[u8]) {
        let Some(latest) = &mut self.latest else {
            return;
        };
        let index = latest.index.take();
        latest.index = index.and_then(|mut file| file.write_all(bytes).ok().map(|()| file));
        if latest.index.is_some() {
            self.count(bytes.len() as u64);
        }
    }

    /// The latest segment has become so much larger.
    fn count(&mut self, length: u64) {
        self.bytes += length;
        if let Some((_, size)) = self.segments.back_mut() {
            *size += length;
        }
    }

    /// Appends a block to the open segment, as a whole or not at all. After an error no segment is open any more.
    pub fn append(&mut self, block: &[u8]) -> io::Result<()> {
        let mut latest = self.latest.take().ok_or(ErrorKind::NotFound)?;
        if latest.file.metadata()?.nlink() == 0 {
            self.forget_latest();
            return Err(io::Error::new(
                ErrorKind::NotFound,
                "somebody removed the file",
            ));
        }
        if let Err(error) = latest.file.write_all(block) {
            // What is left of it ends the segment, where a reader takes it for a frame that was never finished.
            let _ = latest.file.set_len(latest.size);
            return Err(error);
        }
        let length = block.len() as u64;
        latest.size += length;
        self.latest = Some(latest);
        self.count(length);
        self.make_room(0, 0);
        Ok(())
    }

    fn forget_latest(&mut self) {
        if let Some((name, size)) = self.segments.pop_back() {
            self.bytes -= size;
            self.remove(&name.index());
        }
    }

    /// Removes the oldest segments, but never the open one, until so much more has room, and none is too old.
    fn make_room(&mut self, now_ms: u64, more: u64) {
        let longest = self.longest.as_millis() as u64;
        while let Some((name, size)) = self.segments.front().copied() {
            let is_old = name.began_ms + longest < now_ms;
            let is_open = self.segments.len() == 1 && self.latest.is_some();
            if is_open || !is_old && self.bytes + more <= self.most_bytes {
                return;
            }
            // One without an index lacks marks; an index without a segment would stay.
            self.remove(&name.index());
            self.remove(&name.to_string());
            self.segments.pop_front();
            self.bytes -= size;
        }
    }
}

fn lock(folder: File) -> io::Result<Flock<File>> {
    let locked = Flock::lock(folder, FlockArg::LockExclusiveNonblock);
    locked.map_err(|(_, errno)| match errno {
        Errno::EWOULDBLOCK => io::Error::other("another run records there"),
        other => other.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    const HOUR_MS: u64 = 3_600_000;

    fn record(path: &Path, bytes: u64, days: u32) -> Record {
        Record {
            folder: path.to_owned(),
            bytes,
            days,
        }
    }

    fn open(path: &Path, bytes: u64) -> RecordingFolder {
        let mut folder =
            RecordingFolder::open(&record(path, bytes, 2), false, None).expect("a folder");
        folder.prepare().expect("a list of it");
        folder
    }

    fn header(number: u64, hour: u64) -> Header {
        Header {
            run: 7,
            number,
            began_wall_ns: (hour * HOUR_MS * 1_000_000) as i64,
        }
    }

    fn hours(path: &Path) -> Vec<u64> {
        let names = fs::read_dir(path).expect("a folder").map(|entry| {
            let name = entry.expect("an entry").file_name();
            name.into_string().expect("a name")
        });
        let names: Vec<String> = names.collect();
        let of = |parse: fn(&str) -> Option<SegmentName>| {
            let found = names.iter().filter_map(|name| parse(name));
            let mut hours: Vec<u64> = found.map(|name| name.began_ms / HOUR_MS).collect();
            hours.sort_unstable();
            hours
        };
        // Each has its index.
        let hours = of(SegmentName::parse);
        assert_eq!(of(SegmentName::parse_index), hours);
        assert_eq!(names.len(), 2 * hours.len());
        hours
    }

    #[test]
    fn the_oldest_segments_go_when_there_are_too_many_or_they_are_too_old() {
        let parent = tempfile::tempdir().expect("a folder");
        let path = parent.path().join("recording");
        let mut folder = open(&path, 3000);
        let mode = |path: &Path| {
            fs::metadata(path)
                .expect("it is there")
                .permissions()
                .mode()
        };
        assert_eq!(mode(&path) & 0o777, 0o700);
        for hour in 100..106 {
            folder.begin(&header(hour, hour), &[1; 500]).expect("begun");
            folder.append(&[2; 100]).expect("written");
        }
        assert_eq!(hours(&path), [102, 103, 104, 105]);
        for entry in fs::read_dir(&path).expect("a folder") {
            assert_eq!(mode(&entry.expect("an entry").path()) & 0o777, 0o600);
        }
        // A run after it goes on with what is there; what is two days old is not there any more.
        let other = RecordingFolder::open(&record(&path, 3000, 2), false, None);
        assert!(other.is_err_and(|error| error.message.contains("another run records there")));
        drop(folder);
        fs::write(path.join("other"), "not ours").expect("written");
        let mut folder = open(&path, 3000);
        folder.begin(&header(0, 103 + 49), &[3; 10]).expect("begun");
        fs::remove_file(path.join("other")).expect("it was left alone");
        assert_eq!(hours(&path), [104, 105, 103 + 49]);
        let held = Holding::of(&path).expect("a folder");
        let bytes = fs::read_dir(&path).expect("a folder").map(|entry| {
            let metadata = entry.expect("an entry").metadata();
            metadata.expect("it is there").len()
        });
        assert_eq!((held.runs, held.bytes), (1, bytes.sum()));
        assert_eq!(held.since_ms, Some(104 * HOUR_MS));
    }

    #[test]
    fn a_segment_is_full_by_size_and_by_time() {
        let parent = tempfile::tempdir().expect("a folder");
        let mut folder = open(&parent.path().join("recording"), 160_000);
        assert!(!folder.has_room(0) && !folder.is_open());
        folder.begin(&header(0, 50), &[1; 5000]).expect("begun");
        let now = 50 * HOUR_MS;
        assert!(folder.has_room(now) && folder.has_room(now + HOUR_MS - 1));
        assert!(!folder.has_room(now + HOUR_MS));
        assert!(!folder.has_room(now - HOUR_MS), "the clock was set back");
        folder.append(&[1; 5000]).expect("written");
        assert!(!folder.has_room(now));
        folder.begin(&header(1, 30), &[1; 5000]).expect("begun");
        assert!(folder.has_room(30 * HOUR_MS) && !folder.has_room(now));
        let names = Found::in_folder(&folder.folder).expect("a list").segments;
        let in_order = [(50 * HOUR_MS, 0), (50 * HOUR_MS + 1, 1)];
        assert!(
            names
                .iter()
                .map(|(it, _)| (it.began_ms, it.number))
                .eq(in_order)
        );
    }

    #[test]
    fn a_segment_that_somebody_removed_takes_nothing_more() {
        let parent = tempfile::tempdir().expect("a folder");
        let path = parent.path().join("recording");
        let mut folder = open(&path, 1 << 20);
        folder.begin(&header(0, 1), &[1; 10]).expect("begun");
        for entry in fs::read_dir(&path).expect("a folder") {
            fs::remove_file(entry.expect("an entry").path()).expect("removed");
        }
        assert!(folder.append(&[1; 10]).is_err());
        assert!(!folder.is_open() && folder.append(&[1; 10]).is_err());
        folder.begin(&header(1, 2), &[1; 10]).expect("begun");
        fs::remove_dir_all(&path).expect("removed");
        assert!(folder.append(&[1; 10]).is_err());
        assert!(folder.begin(&header(2, 3), &[1; 10]).is_err());
    }
}
