//! Detects that the configuration file changed, in whatever way it was saved.
//!
//! Owns the decision when a file is whole: after its writer closed it or it was moved into place;
//! where no such event comes (other file systems, folders replaced), after it has been the same for
//! a while. Has no thread: whoever owns the [`FileWatch`] waits for its descriptor and calls it.

use std::fs::{self, Metadata};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::ConfigError;
use super::source::{FileText, Surroundings};

mod folders;

use folders::Folders;

/// The file is looked at this often, events or not.
const CHECK_EVERY: Duration = Duration::from_millis(200);
/// Without an event, a file that stays the same for this long is whole.
const SETTLED: Duration = Duration::from_millis(400);
/// No file, or an empty one: most likely about to be written again.
const SETTLED_EMPTY: Duration = Duration::from_millis(1000);

/// Tells one state of a file from another without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stamp {
    /// There is none, or nobody may know.
    Missing,
    /// The file that is there.
    Present {
        /// Its file system.
        device: u64,
        /// Its number there.
        inode: u64,
        /// Bytes.
        size: u64,
        /// When it was written last, s and ns.
        modified: (i64, i64),
        /// When anything of it changed last.
        changed: (i64, i64),
    },
}

impl Stamp {
    /// Of the file at this path, links followed.
    pub fn of(path: &Path) -> Stamp {
        fs::metadata(path).map_or(Stamp::Missing, |metadata| Stamp::from(&metadata))
    }

    fn is_empty(self) -> bool {
        matches!(self, Stamp::Missing | Stamp::Present { size: 0, .. })
    }
}

impl From<&Metadata> for Stamp {
    fn from(metadata: &Metadata) -> Stamp {
        Stamp::Present {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

/// A configuration file under watch.
///
/// Wait until the descriptor is readable or [`FileWatch::next_check`] has passed, then call [`FileWatch::changed`].
#[derive(Debug)]
pub struct FileWatch {
    path: PathBuf,
    surroundings: Surroundings,
    folders: Folders,
    /// The text or the error that the owner knows of; `None`: that there is no file.
    reported: Option<Result<String, ConfigError>>,
    /// No error may quote the file.
    is_foreign: bool,
    /// The file when it was read last.
    read: Option<Stamp>,
    /// The file when it was looked at last, and since when it has been so.
    unchanged_since: (Stamp, Instant),
    /// A writer has finished the file, and it has not been read since.
    is_unread: bool,
    next_check: Instant,
}

impl FileWatch {
    /// Watches a file whose text, as far as the caller knows, is `text`.
    /// Fails only where the process can't have another descriptor.
    pub fn new(path: &Path, surroundings: &Surroundings, text: &str) -> io::Result<FileWatch> {
        let known = Some(text.to_string());
        Ok(FileWatch::over(Folders::new()?, path, surroundings, known))
    }

    /// Watches a place where there is no file, as far as the caller knows.
    pub fn for_missing(path: &Path, surroundings: &Surroundings) -> io::Result<FileWatch> {
        Ok(FileWatch::over(Folders::new()?, path, surroundings, None))
    }

    /// For tests: watches as [`FileWatch::new`] does, without events, as on a file system that sends none.
    pub fn without_events(
        path: &Path,
        surroundings: &Surroundings,
        text: &str,
    ) -> io::Result<FileWatch> {
        let known = Some(text.to_string());
        Ok(FileWatch::over(
            Folders::silent()?,
            path,
            surroundings,
            known,
        ))
    }

    fn over(
        mut folders: Folders,
        path: &Path,
        surroundings: &Surroundings,
        known: Option<String>,
    ) -> FileWatch {
        folders.watch_way_to(path);
        FileWatch {
            path: path.to_path_buf(),
            surroundings: surroundings.clone(),
            folders,
            reported: known.map(Ok),
            is_foreign: false,
            read: None,
            unchanged_since: (Stamp::of(path), Instant::now()),
            is_unread: false,
            next_check: Instant::now(),
        }
    }

    /// The owner has written or read this text itself: it is not reported.
    pub fn expect(&mut self, text: &str) {
        self.reported = Some(Ok(text.to_string()));
    }

    /// The file under watch.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What was reported last, or known before; `None`: that there is no file.
    pub fn last_reported(&self) -> Option<Result<FileText, ConfigError>> {
        let is_foreign = self.is_foreign;
        let reported = self.reported.clone()?;
        Some(reported.map(|text| FileText { text, is_foreign }))
    }

    /// How long to wait at most until the next call of [`FileWatch::changed`].
    pub fn next_check(&self) -> Duration {
        self.next_check.saturating_duration_since(Instant::now())
    }

    /// The new text of the file, or why there is none; `None` if nothing changed or a writer is at work.
    /// Never blocks. The same text or error is not reported twice in a row.
    pub fn changed(&mut self) -> Option<Result<String, ConfigError>> {
        let now = Instant::now();
        let seen = self.folders.read_events(now);
        if !seen.anything() && !self.is_unread && now < self.next_check {
            return None;
        }
        self.next_check = now + CHECK_EVERY;
        self.folders.watch_way_to(&self.path);
        self.is_unread |= seen.finished;
        let stamp = self.observe(now);
        if self.folders.is_being_written(now) {
            return None;
        }
        self.is_unread &= !stamp.is_empty();
        let differs = self.read != Some(stamp);
        let whole = self.is_unread || seen.moved_in && differs && !stamp.is_empty();
        if !(whole || differs && self.has_settled(now)) {
            return None;
        }
        let outcome = self.surroundings.read_text(&self.path);
        let is_foreign = outcome.as_ref().is_ok_and(|text| text.is_foreign);
        let outcome = outcome.map(|text| text.text);
        if self.observe(now) != stamp || self.was_disturbed(now) {
            return None;
        }
        self.is_unread = false;
        self.read = Some(stamp);
        self.is_foreign = is_foreign;
        let is_missing = stamp == Stamp::Missing && self.reported.is_none();
        if is_missing || self.reported.as_ref() == Some(&outcome) {
            return None;
        }
        self.reported = Some(outcome.clone());
        Some(outcome)
    }

    fn observe(&mut self, now: Instant) -> Stamp {
        let stamp = Stamp::of(&self.path);
        if self.unchanged_since.0 != stamp {
            self.unchanged_since = (stamp, now);
        }
        stamp
    }

    fn has_settled(&self, now: Instant) -> bool {
        let (stamp, since) = self.unchanged_since;
        let patience = if stamp.is_empty() {
            SETTLED_EMPTY
        } else {
            SETTLED
        };
        now.saturating_duration_since(since) >= patience
    }

    /// Whether somebody wrote while the file was read, so that the text may be half old and half new.
    fn was_disturbed(&mut self, now: Instant) -> bool {
        let seen = self.folders.read_events(now);
        self.is_unread |= seen.finished;
        if seen.anything() {
            self.next_check = now;
        }
        seen.finished || self.folders.is_being_written(now)
    }
}

impl AsFd for FileWatch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.folders.as_fd()
    }
}
