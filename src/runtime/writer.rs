//! Writes the records of a run without a screen: a thread of its own waits for slow readers and full disks, so that nobody
//! else has to.
//!
//! There is one record at a time, so that nothing piles up.

use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use std::time::Duration;

use anyhow::{Result, anyhow};

use super::confined::start_confined;
use super::record_file::finds_no_room;
use super::rights;
use super::sink::{Destination, Sink};
use super::updates::Outlet;
use crate::model::privileges::Privileges;
use crate::probe::privileges::confine::Keeps;

/// How often writing is tried again while there is no room.
const TRY_EVERY: Duration = Duration::from_secs(1);

/// What became of an attempt to write a record.
enum Outcome {
    Written,
    /// There is no room now; the attempt is repeated.
    Full(io::Error),
    Failed(io::Error),
}

/// The handle of the writing thread.
pub struct Writer {
    records: SyncSender<Vec<u8>>,
    outcomes: Receiver<Outcome>,
    is_busy: bool,
    /// The outcome that ended [`Writer::wait`].
    awaited: Option<Outcome>,
    /// Why the record under way has found no room so far.
    full: Option<io::Error>,
    attempts: u64,
    pauses: u64,
    /// The number of pieces that were written.
    pieces: Arc<AtomicU64>,
}

impl Writer {
    /// Starts the thread, which keeps these rights, and opens the destination with no others. Nobody waits for its end:
    /// the reader may never come back.
    pub fn start(
        destination: Destination,
        outlet: Outlet,
        keeps: Keeps,
    ) -> Result<(Writer, Privileges)> {
        let (records, receiver) = sync_channel::<Vec<u8>>(1);
        let (sender, outcomes) = channel();
        let pieces = Arc::new(AtomicU64::new(0));
        let written = pieces.clone();
        let report = move |outcome| {
            sender.send(outcome).ok()?;
            outlet.wake();
            Some(())
        };
        let open = move |privileges: &Privileges| {
            let opened = destination.open().map_err(anyhow::Error::from);
            opened.map_err(|e| {
                anyhow!(
                    "write to {destination}: {}",
                    rights::explain(&e, privileges, rights::ANOTHER_USER)
                )
            })
        };
        let write = move |sink: &mut Sink, record: Vec<u8>| {
            let mut left = record.as_slice();
            while !left.is_empty() {
                match sink.write_piece(&mut left) {
                    Ok(()) => _ = written.fetch_add(1, Ordering::Relaxed),
                    Err(error) if finds_no_room(&error) => {
                        report(Outcome::Full(error))?;
                        std::thread::sleep(TRY_EVERY);
                    }
                    Err(error) => return report(Outcome::Failed(error)),
                }
            }
            report(Outcome::Written)
        };
        let (_, privileges) = start_confined("writer", keeps, open, move |mut sink| {
            let mut records = receiver.into_iter();
            let _ = records.try_for_each(|record| write(&mut sink, record));
        })?;
        let writer = Writer {
            records,
            outcomes,
            is_busy: false,
            awaited: None,
            full: None,
            attempts: 0,
            pauses: 0,
            pieces,
        };
        Ok((writer, privileges))
    }

    /// Checks what became of the record under way; false if the reader has gone.
    pub fn check(&mut self) -> io::Result<bool> {
        while let Some(outcome) = self
            .awaited
            .take()
            .or_else(|| self.outcomes.try_recv().ok())
        {
            match outcome {
                Outcome::Written => (self.is_busy, self.full) = (false, None),
                Outcome::Full(error) => {
                    self.attempts += 1;
                    self.pauses += u64::from(self.full.replace(error).is_none());
                }
                Outcome::Failed(error) if error.kind() == ErrorKind::BrokenPipe => {
                    return Ok(false);
                }
                Outcome::Failed(error) => return Err(error),
            }
        }
        Ok(true)
    }

    /// Whether a record is under way.
    pub fn is_busy(&self) -> bool {
        self.is_busy
    }

    /// Why the record under way has found no room so far.
    pub fn full(&self) -> Option<&io::Error> {
        self.full.as_ref()
    }

    /// How many attempts to write a record found no room.
    pub fn attempts(&self) -> u64 {
        self.attempts
    }

    /// How many records had to wait for room.
    pub fn pauses(&self) -> u64 {
        self.pauses
    }

    /// Hands over a record; not while another one is under way.
    pub fn write(&mut self, record: Vec<u8>) {
        // If the thread has ended, its last outcome says why.
        self.is_busy = self.records.try_send(record).is_ok();
    }

    /// Waits for an outcome of the record under way, but not longer than this. Returns whether the reader has read
    /// anything meanwhile.
    pub fn wait(&mut self, longest: Duration) -> bool {
        let before = self.pieces.load(Ordering::Relaxed);
        self.awaited = self.outcomes.recv_timeout(longest).ok();
        self.awaited.is_some() || self.pieces.load(Ordering::Relaxed) != before
    }
}
