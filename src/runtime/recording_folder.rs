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
    /// All segments, the oldest first; the last one is written to if `latest` is open.
    segments: VecDeque<Segment>,
    bytes: u64,
    latest: Option<Latest>,
    /// How far the clock was ahead of CLOCK_BOOTTIME when the run began its first segment, ms.
    ahead_ms: Option<u64>,
}

/// A segment that is kept.
#[derive(Debug)]
struct Segment {
    name: SegmentName,
    /// With its index.
    bytes: u64,
    /// When it was begun, ms since 1970, by a clock that nobody sets within the run.
    began_ms: u64,
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
            ahead_ms: None,
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
        let of_name = |(name, bytes): (SegmentName, u64)| Segment {
            name,
            bytes,
            began_ms: name.began_ms,
        };
        self.segments = segments.into_iter().map(of_name).collect();
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

    /// Begins a segment with its first block, behind all those before it, at `boot_ns` by CLOCK_BOOTTIME.
    pub fn begin(&mut self, header: &Header, boot_ns: u64, block: &[u8]) -> io::Result<()> {
        self.latest = None;
        let began_ms = (header.began_wall_ns / 1_000_000).max(0) as u64;
        // A clock that was set back does not put it in front of those before it.
        let before = self.segments.back().map(|it| it.name);
        let before = before.filter(|name| name.run == header.run);
        let name = SegmentName {
            began_ms: before.map_or(began_ms, |name| began_ms.max(name.began_ms + 1)),
            run: header.run,
            number: header.number,
        };
        let now_ms = self.steady_ms(began_ms, boot_ns / 1_000_000);
        self.make_room(now_ms, block.len() as u64);
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_CLOEXEC;
        let mode = Mode::S_IRUSR | Mode::S_IWUSR;
        let file = File::from(openat(
            &*self.folder,
            name.to_string().as_str(),
            flags,
            mode,
        )?);
        let index = openat(&*self.folder, name.index().as_str(), flags, mode);
        self.segments.push_back(Segment {
            name,
            bytes: 0,
            began_ms: now_ms,
        });
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
        if let Some(latest) = self.segments.back_mut() {
            latest.bytes += length;
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
        if let Some(latest) = self.segments.pop_back() {
            self.bytes -= latest.bytes;
            self.remove(&latest.name.index());
        }
    }

    /// The time that segments age by, ms since 1970: what the clock said at the run's first one, and what has passed since.
    /// A clock that is set within the run makes none older.
    fn steady_ms(&mut self, wall_ms: u64, boot_ms: u64) -> u64 {
        if self.ahead_ms.is_none() {
            // Those whose clock was ahead age from here on.
            for found in &mut self.segments {
                found.began_ms = found.began_ms.min(wall_ms);
            }
        }
        let ahead_ms = *self.ahead_ms.get_or_insert(wall_ms.wrapping_sub(boot_ms));
        boot_ms.wrapping_add(ahead_ms)
    }

    /// Removes the oldest segments, but never the open one, until so much more has room, and none is too old.
    fn make_room(&mut self, now_ms: u64, more: u64) {
        let longest = self.longest.as_millis() as u64;
        while let Some(oldest) = self.segments.front() {
            let is_old = oldest.began_ms.saturating_add(longest) < now_ms;
            let is_open = self.segments.len() == 1 && self.latest.is_some();
            if is_open || !is_old && self.bytes + more <= self.most_bytes {
                return;
            }
            // One without an index lacks marks; an index without a segment would stay.
            self.remove(&oldest.name.index());
            self.remove(&oldest.name.to_string());
            self.bytes -= oldest.bytes;
            self.segments.pop_front();
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
#[path = "recording_folder_tests.rs"]
mod tests;
