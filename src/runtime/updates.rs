//! Messages from the other threads to the main thread, which waits for them in poll(2).
//!
//! One [`Inlet`], as many [`Outlet`]s as there are threads.

use std::net::IpAddr;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};

use super::names::answer::Answer;
use super::past::visit::Visit;
use super::wake;
use crate::model::snapshot::Snapshot;

/// What the sampler and other threads report to the main thread.
#[derive(Debug)]
pub enum Update {
    /// A reading.
    Snapshot {
        /// What was read.
        snapshot: Box<Snapshot>,
        /// Refresh periods that end with it: more than one if some were skipped, none if it came early.
        periods: u32,
    },
    /// The assignment of this configuration is in force.
    Assigned(u64),
    /// The assignment of this configuration could not be put in force, for this reason; the former one stays.
    Unassigned(u64, String),
    /// Rules of this version and with these names are in force; later readings refer to them.
    Ruled(u8, Vec<(Arc<str>, bool)>),
    /// The name of an address, or that there is none.
    Name(IpAddr, Answer),
    /// Something that the user should know.
    Notice(String),
    /// The capture that is played has no more packets. Its last reading, if somebody watches.
    Played(Option<Box<Snapshot>>),
    /// A signal asks for the end of the run: that the terminal has hung up, or another one.
    End { is_hang_up: bool },
    /// A signal asks for totals that start at zero.
    Reset,
    /// All that was counted up to now has been read: totals start at zero here.
    Zero,
    /// What to show of the past.
    Past(Visit),
}

/// A sender to the main thread that wakes it.
#[derive(Debug)]
pub struct Outlet {
    updates: Sender<Update>,
    unread: Arc<AtomicUsize>,
    wake: UnixStream,
}

impl Outlet {
    /// Another sender to the same thread.
    pub fn try_clone(&self) -> std::io::Result<Outlet> {
        Ok(Outlet {
            updates: self.updates.clone(),
            unread: self.unread.clone(),
            wake: self.wake.try_clone()?,
        })
    }

    /// Sends to the main thread; if that has ended, the update is dropped.
    pub fn send(&self, update: Update) {
        if let Update::Snapshot { .. } = update {
            self.unread.fetch_add(1, Ordering::Relaxed);
        }
        let _ = self.updates.send(update);
        self.wake();
    }

    /// Wakes the main thread without a message.
    pub fn wake(&self) {
        wake::wake(&self.wake);
    }

    /// Readings that the main thread has not received yet.
    pub fn unread(&self) -> usize {
        self.unread.load(Ordering::Relaxed)
    }
}

/// The main thread's end.
#[derive(Debug)]
pub struct Inlet {
    updates: Receiver<Update>,
    unread: Arc<AtomicUsize>,
    wake: UnixStream,
}

impl Inlet {
    /// Both ends.
    pub fn pair() -> std::io::Result<(Outlet, Inlet)> {
        let (sender, receiver) = channel();
        let unread = Arc::new(AtomicUsize::new(0));
        let (wake, woken) = wake::pair()?;
        Ok((
            Outlet {
                updates: sender,
                unread: unread.clone(),
                wake,
            },
            Inlet {
                updates: receiver,
                unread,
                wake: woken,
            },
        ))
    }

    /// All updates that were sent since the last call.
    pub fn receive(&mut self) -> Vec<Update> {
        wake::drain(&self.wake);
        let updates: Vec<Update> = self.updates.try_iter().collect();
        let is_snapshot = |update: &&Update| matches!(update, Update::Snapshot { .. });
        let snapshots = updates.iter().filter(is_snapshot).count();
        self.unread.fetch_sub(snapshots, Ordering::Relaxed);
        updates
    }
}

impl AsFd for Inlet {
    /// Readable when there is an update.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }
}
