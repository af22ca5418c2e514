//! The folders in which a file and the links to it are, and what the kernel says happens there.
//!
//! A watch on the file itself ends when it is replaced, so it only tells of a writer at work;
//! the folders tell the rest. Knows nothing of the file's contents.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, InotifyEvent, WatchDescriptor};

/// A writer that has been silent for this long keeps the file open for its own reasons.
const WRITER_SILENT: Duration = Duration::from_secs(10);
/// A new file that has something in it, and to which nobody writes for this long, was linked there as a whole.
const LINKED: Duration = Duration::from_secs(3);
/// Longer chains of links are left to the regular look at the file.
const MAX_LINKS: usize = 8;

/// What the events since the last reading say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Seen {
    /// The file, or a link to it, was closed by a writer or moved into place: it is whole.
    pub(super) finished: bool,
    /// Something else was moved into place beside it, perhaps a folder on the way to the file.
    pub(super) moved_in: bool,
    /// Anything else that makes it worth looking.
    pub(super) other: bool,
}

impl Seen {
    pub(super) fn anything(self) -> bool {
        self.finished || self.moved_in || self.other
    }
}

/// A folder with the name in it that is the file or a link on the way to it; or the file itself.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Waypoint {
    path: PathBuf,
    identity: (u64, u64),
    /// `None` for the file itself.
    name: Option<OsString>,
    watch: Option<WatchDescriptor>,
}

impl Waypoint {
    fn new(path: &Path, name: Option<OsString>) -> io::Result<Waypoint> {
        let found = fs::metadata(path)?;
        Ok(Waypoint {
            path: path.to_path_buf(),
            identity: (found.dev(), found.ino()),
            name,
            watch: None,
        })
    }

    fn is_same(&self, other: &Waypoint) -> bool {
        self.identity == other.identity && self.name == other.name
    }

    fn mask(&self) -> AddWatchFlags {
        if self.name.is_none() {
            return AddWatchFlags::IN_MODIFY | AddWatchFlags::IN_CLOSE_WRITE;
        }
        AddWatchFlags::IN_CLOSE_WRITE
            | AddWatchFlags::IN_MOVE
            | AddWatchFlags::IN_CREATE
            | AddWatchFlags::IN_DELETE
            | AddWatchFlags::IN_DELETE_SELF
            | AddWatchFlags::IN_MOVE_SELF
            | AddWatchFlags::IN_ONLYDIR
    }
}

/// Where events come from.
#[derive(Debug)]
enum Events {
    Inotify(Inotify),
    /// No events; a descriptor that is never readable.
    None(EventFd),
}

/// The folders under watch.
#[derive(Debug)]
pub(super) struct Folders {
    events: Events,
    waypoints: Vec<Waypoint>,
    /// When somebody last wrote to the file without closing it, and how long such a writer may be silent.
    written: Option<(Instant, Duration)>,
}

impl Folders {
    /// No folder yet. Where the user has no inotify instance left, there will be no events.
    pub(super) fn new() -> io::Result<Folders> {
        match Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK) {
            Ok(inotify) => Ok(Folders::with(Events::Inotify(inotify))),
            Err(_) => Folders::silent(),
        }
    }

    /// Folders that never send an event.
    pub(super) fn silent() -> io::Result<Folders> {
        let descriptor = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?;
        Ok(Folders::with(Events::None(descriptor)))
    }

    fn with(events: Events) -> Folders {
        Folders {
            events,
            waypoints: Vec::new(),
            written: None,
        }
    }

    /// Whether a writer is between its first byte and its last.
    pub(super) fn is_being_written(&self, now: Instant) -> bool {
        self.written
            .is_some_and(|(last, silent)| now.saturating_duration_since(last) < silent)
    }

    /// Watches the folders that the file is in now, and no others.
    pub(super) fn watch_way_to(&mut self, path: &Path) {
        let Events::Inotify(inotify) = &self.events else {
            return;
        };
        let found = waypoints(path);
        let known = |new: &Waypoint| self.waypoints.iter().find(|old| new.is_same(old));
        let settled = |new: &Waypoint| known(new).is_some_and(|old| old.watch.is_some());
        if found.len() == self.waypoints.len() && found.iter().all(settled) {
            return;
        }
        if found
            .iter()
            .any(|new| new.name.is_some() && known(new).is_none())
        {
            self.written = None;
        }
        let waypoints: Vec<Waypoint> = found
            .into_iter()
            .map(|waypoint| Waypoint {
                watch: inotify.add_watch(&waypoint.path, waypoint.mask()).ok(),
                ..waypoint
            })
            .collect();
        for old in self.waypoints.iter().filter_map(|waypoint| waypoint.watch) {
            if !waypoints.iter().any(|waypoint| waypoint.watch == Some(old)) {
                // Fails where the folder is gone already.
                let _ = inotify.rm_watch(old);
            }
        }
        self.waypoints = waypoints;
    }

    /// Reads all events that are there.
    pub(super) fn read_events(&mut self, now: Instant) -> Seen {
        let mut seen = Seen::default();
        loop {
            let Events::Inotify(inotify) = &self.events else {
                return seen;
            };
            let events = match inotify.read_events() {
                Ok(events) => events,
                Err(nix::errno::Errno::EINTR) => continue,
                Err(_) => return seen,
            };
            for event in events {
                self.classify(&event, now, &mut seen);
            }
        }
    }

    fn classify(&mut self, event: &InotifyEvent, now: Instant, seen: &mut Seen) {
        let has = |flags| event.mask.intersects(flags);
        if has(AddWatchFlags::IN_IGNORED) {
            self.forget(event.wd);
        }
        let whole = AddWatchFlags::IN_CLOSE_WRITE | AddWatchFlags::IN_MOVED_TO;
        if !self.is_on_the_way(event) {
            let others = AddWatchFlags::IN_MOVED_TO | AddWatchFlags::IN_CREATE;
            let passing = AddWatchFlags::IN_MODIFY | AddWatchFlags::IN_CLOSE_WRITE;
            seen.moved_in |= has(others);
            seen.other |= !has(passing);
            if has(AddWatchFlags::IN_Q_OVERFLOW) {
                self.written = None;
            }
        } else if has(whole) {
            self.written = None;
            seen.finished = true;
        } else if has(AddWatchFlags::IN_MODIFY) {
            self.written = Some((now, WRITER_SILENT));
        } else if has(AddWatchFlags::IN_CREATE) {
            self.classify_created(event, now, seen);
        } else {
            self.written = None;
            seen.other = true;
        }
    }

    /// A new link is whole at once; a new file has a writer that will close it, unless its other name is gone already.
    fn classify_created(&mut self, event: &InotifyEvent, now: Instant, seen: &mut Seen) {
        let path = self
            .waypoints
            .iter()
            .find(|waypoint| waypoint.watch == Some(event.wd))
            .zip(event.name.as_ref())
            .map(|(folder, name)| folder.path.join(name));
        match path.and_then(|path| fs::symlink_metadata(path).ok()) {
            Some(found) if found.is_symlink() || found.nlink() > 1 => seen.finished = true,
            Some(found) if found.is_file() => {
                let silent = if found.len() > 0 {
                    LINKED
                } else {
                    WRITER_SILENT
                };
                self.written = Some((now, silent));
            }
            _ => seen.other = true,
        }
    }

    fn is_on_the_way(&self, event: &InotifyEvent) -> bool {
        self.waypoints
            .iter()
            .any(|waypoint| waypoint.watch == Some(event.wd) && waypoint.name == event.name)
    }

    fn forget(&mut self, watch: WatchDescriptor) {
        for waypoint in &mut self.waypoints {
            if waypoint.watch == Some(watch) {
                waypoint.watch = None;
            }
        }
    }
}

impl AsFd for Folders {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.events {
            Events::Inotify(inotify) => inotify.as_fd(),
            Events::None(descriptor) => descriptor.as_fd(),
        }
    }
}

/// Each link on the way to the file and the file, with the folders that they are in; at last the file itself.
fn waypoints(path: &Path) -> Vec<Waypoint> {
    let mut waypoints = Vec::new();
    let mut at = path.to_path_buf();
    for _ in 0..MAX_LINKS {
        let (Some(parent), Some(name)) = (at.parent(), at.file_name()) else {
            break;
        };
        let here = parent.as_os_str().is_empty();
        let folder = if here { Path::new(".") } else { parent };
        waypoints.extend(Waypoint::new(folder, Some(name.to_os_string())));
        match fs::read_link(&at) {
            Ok(target) => at = folder.join(target),
            Err(_) => break,
        }
    }
    waypoints.extend(Waypoint::new(path, None));
    waypoints
}
