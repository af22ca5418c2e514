//! The demo's senders, and the one thread that runs them all and reads what arrives.
//!
//! The sockets were opened in their namespaces beforehand, so the thread needs no privilege and no namespace.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::Result;
use nix::sys::socket::{MsgFlags, SockaddrStorage, connect, send};

use super::ledger::{Tally, add};
use super::payload::Payload;
use super::script::Rhythm;

/// A sender that is later than this does not catch up: the process was stopped, or the machine asleep.
const TOO_LATE: Duration = Duration::from_millis(250);
/// What arrives is read this often.
const DRAIN_EVERY: Duration = Duration::from_millis(50);
/// At most this much is read from one socket at a time.
const DRAIN_BYTES: usize = 64 * 1024;

/// As top and /proc show it.
const THREAD_NAME: &str = "flowtop-demo";

/// What the thread is to do, to its end.
pub type Work = Box<dyn FnOnce() + Send>;

/// Something that the thread does again and again.
pub(super) trait Sender: Send {
    /// Connects, in the thread that starts this one.
    fn connect(&mut self) {}

    /// Does what is due, never waits, and says when to come back.
    fn fire(&mut self) -> Duration;

    /// Does what is left to do when all senders have stopped.
    fn finish(&mut self) {}
}

/// Sends numbered packets: UDP, or echo requests.
pub(super) struct Datagrams {
    /// Connected to its destination.
    pub socket: OwnedFd,
    pub rhythm: Rhythm,
    pub payload: Payload,
    pub next_number: u32,
    pub index: u64,
    pub tally: Arc<Tally>,
}

impl Sender for Datagrams {
    fn fire(&mut self) -> Duration {
        let step = self.rhythm.step(self.index);
        for offset in step.offsets {
            let number = self.next_number.wrapping_add(*offset);
            let packet = self.payload.with_number(number);
            match send(self.socket.as_raw_fd(), packet, MsgFlags::MSG_DONTWAIT) {
                Ok(_) => {
                    add(&self.tally.packets, 1u64);
                    add(&self.tally.payload_bytes, self.payload.counted_bytes());
                }
                Err(_) => add(&self.tally.refused, 1u64),
            }
        }
        add(&self.tally.skipped, step.skipped);
        add(&self.tally.gaps, step.skipped > 0);
        add(&self.tally.duplicates, step.duplicates);
        add(&self.tally.reordered, step.reordered);
        self.next_number = self.next_number.wrapping_add(step.advance);
        let wait = self.rhythm.wait(self.index);
        self.index += 1;
        wait
    }
}

/// Sends over a TCP connection as much as was planned, as far as the connection takes it.
pub(super) struct Stream {
    /// The side that is watched, not connected before the start.
    pub client: OwnedFd,
    pub server: SocketAddr,
    /// The side that sends; does not block.
    pub listener: TcpListener,
    pub connection: Option<TcpStream>,
    pub chunk: Vec<u8>,
    pub every: Duration,
    pub tally: Arc<Tally>,
}

impl Stream {
    /// The connection, when it has come.
    fn connected(&mut self) -> Option<&mut TcpStream> {
        if self.connection.is_none() {
            let (connection, _) = self.listener.accept().ok()?;
            connection.set_nonblocking(true).ok()?;
            self.connection = Some(connection);
        }
        self.connection.as_mut()
    }
}

impl Sender for Stream {
    fn connect(&mut self) {
        // The socket does not block: the answer is "in progress", and accept shows what became of it.
        let _ = connect(self.client.as_raw_fd(), &SockaddrStorage::from(self.server));
    }

    fn fire(&mut self) -> Duration {
        let chunk = std::mem::take(&mut self.chunk);
        if let Some(connection) = self.connected()
            && let Ok(written) = connection.write(&chunk)
        {
            add(&self.tally.payload_bytes, written as u64);
        }
        self.chunk = chunk;
        self.every
    }
}

/// Reads and forgets what arrives.
pub(super) struct Drain {
    /// None of them blocks.
    pub sockets: Vec<OwnedFd>,
    pub buffer: Vec<u8>,
}

impl Drain {
    pub fn new(sockets: Vec<OwnedFd>) -> Drain {
        let buffer = vec![0; DRAIN_BYTES];
        Drain { sockets, buffer }
    }
}

impl Sender for Drain {
    fn fire(&mut self) -> Duration {
        for socket in &self.sockets {
            while nix::unistd::read(socket, &mut self.buffer).is_ok_and(|length| length > 0) {}
        }
        DRAIN_EVERY
    }

    fn finish(&mut self) {
        self.fire();
    }
}

/// The running thread. It ends, and everything it held is closed, when this is dropped.
#[derive(Debug)]
pub(super) struct Running {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    /// Connects, and has the thread made.
    pub fn start(
        mut senders: Vec<Box<dyn Sender>>,
        start: impl FnOnce(&str, Work) -> Result<JoinHandle<()>>,
    ) -> Result<Running> {
        let stop = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&stop);
        senders.iter_mut().for_each(|sender| sender.connect());
        let work = Box::new(move || {
            run(&mut senders, &told);
            senders.iter_mut().for_each(|sender| sender.finish());
        });
        Ok(Running {
            stop,
            thread: Some(start(THREAD_NAME, work)?),
        })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // A sender that panicked has said so; there is nothing else to end.
            let _ = thread.join();
        }
    }
}

/// Fires each sender when it is due, until told to stop.
fn run(senders: &mut [Box<dyn Sender>], stop: &AtomicBool) {
    let start = Instant::now();
    let mut due: BinaryHeap<_> = (0..senders.len()).map(|i| Reverse((start, i))).collect();
    while let Some(Reverse((moment, index))) = due.pop() {
        loop {
            if stop.load(Ordering::Relaxed) {
                return;
            }
            match moment.saturating_duration_since(Instant::now()) {
                Duration::ZERO => break,
                early => thread::park_timeout(early),
            }
        }
        let wait = senders[index].fire();
        let now = Instant::now();
        let planned = match now.duration_since(moment) > TOO_LATE {
            true => now,
            false => moment,
        };
        due.push(Reverse((planned + wait, index)));
    }
}
