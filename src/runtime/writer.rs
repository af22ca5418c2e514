//! Standard output of a run without a screen: a thread of its own waits for slow readers, so that nobody else has to.
//!
//! One record at a time: while one is being written there is no other, so that nothing piles up.

use std::io::{self, ErrorKind, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, channel, sync_channel};
use std::time::Duration;

use super::updates::{Outlet, Update};

/// A record goes out in pieces of so many bytes, so that a reader shows with each of them that it reads.
const PIECE: usize = 16 << 10;

/// The way to standard output.
pub struct Writer {
    records: SyncSender<Vec<u8>>,
    outcomes: Receiver<io::Result<()>>,
    is_busy: bool,
    /// What [`Writer::wait`] came upon.
    outcome: Option<io::Result<()>>,
    /// Pieces that went out.
    pieces: Arc<AtomicU64>,
}

impl Writer {
    /// Starts the thread. Nobody waits for its end: the reader may never come back.
    pub fn start(outlet: Outlet) -> io::Result<Writer> {
        let (records, receiver) = sync_channel::<Vec<u8>>(1);
        let (sender, outcomes) = channel();
        let pieces = Arc::new(AtomicU64::new(0));
        let written = pieces.clone();
        std::thread::Builder::new()
            .name("writer".into())
            .spawn(move || {
                for record in receiver {
                    if sender.send(write(&record, &written)).is_err() {
                        return;
                    }
                    outlet.tell(Update::Written);
                }
            })?;
        Ok(Writer {
            records,
            outcomes,
            is_busy: false,
            outcome: None,
            pieces,
        })
    }

    /// Takes in what became of the record that is under way; false where the reader has gone.
    pub fn look(&mut self) -> io::Result<bool> {
        let outcome = self
            .outcome
            .take()
            .or_else(|| match self.outcomes.try_recv() {
                Ok(outcome) => Some(outcome),
                Err(TryRecvError::Empty) => None,
                Err(TryRecvError::Disconnected) => Some(Err(ErrorKind::BrokenPipe.into())),
            });
        let Some(outcome) = outcome else {
            return Ok(true);
        };
        self.is_busy = false;
        match outcome {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Whether a record is under way.
    pub fn is_busy(&self) -> bool {
        self.is_busy
    }

    /// Hands over a record; not while another one is under way.
    pub fn write(&mut self, record: Vec<u8>) {
        // A thread that has ended shows in the next look.
        self.is_busy = self.records.try_send(record).is_ok();
    }

    /// Waits until the record under way is written, but not longer than this. Returns whether the reader took anything in
    /// meanwhile.
    pub fn wait(&mut self, longest: Duration) -> bool {
        let before = self.pieces.load(Ordering::Relaxed);
        self.outcome = self.outcomes.recv_timeout(longest).ok();
        self.outcome.is_some() || self.pieces.load(Ordering::Relaxed) != before
    }
}

fn write(record: &[u8], written: &AtomicU64) -> io::Result<()> {
    let mut out = io::stdout().lock();
    for piece in record.chunks(PIECE) {
        out.write_all(piece)?;
        written.fetch_add(1, Ordering::Relaxed);
    }
    out.flush()
}
