//! Records what the tracker takes in: a thread of its own makes the blocks and waits for the disk, so that nobody else has
//! to.
//!
//! It has its own copy of the table's state, and so goes on with a key frame once there is room again: counting and the
//! screen never wait for it.

use std::io::{self, ErrorKind, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use jiff::Timestamp;

use super::confined::start_confined;
use super::record_file::finds_no_room;
use super::recording_folder::RecordingFolder;
use super::rights;
use super::sampler::Sampler;
use super::updates::{Outlet, Update};
use crate::model::privileges::Privileges;
use crate::model::snapshot::Snapshot;
use crate::model::tracker::{Carried, FlowTracker, Intervals};
use crate::probe::interfaces::display_name;
use crate::probe::privileges::confine::Identity;
use crate::probe::sys::boot_ns;
use crate::recording::{Encoder, Entry, Header, KeyFrames, Marking};

/// A disk that takes nothing for so long ends the recording.
const LONGEST_STALL: Duration = Duration::from_secs(60);
/// So much counts of the time from one look to the next: the process may have been stopped meanwhile.
const LONGEST_STEP: Duration = Duration::from_secs(15);
/// Samples of flows that wait for the disk at most: 60 readings of a table as it is without `--max-flows`, all of whose slots
/// have packets.
const MOST_WAITING: usize = 60 << 17;
/// How long the end of a run waits for the disk.
const PATIENCE: Duration = Duration::from_secs(5);

enum Message {
    Entry(i64, Entry),
    Key(i64, Box<Carried>),
    Alerts(u32),
}

impl Message {
    /// Samples of flows in it, and one for the rest.
    fn size(&self) -> usize {
        1 + match self {
            Message::Entry(_, Entry::Snapshot { snapshot, .. }) => snapshot.flows.len(),
            Message::Key(_, carried) => carried.flows.len(),
            Message::Entry(..) | Message::Alerts(_) => 0,
        }
    }
}

/// What waits for the thread.
#[derive(Debug, Default)]
struct Waiting {
    /// The sizes of all messages that wait.
    size: AtomicUsize,
    /// Messages that have been taken.
    taken: AtomicUsize,
}

/// The same as the main thread sees it.
#[derive(Debug)]
struct Backlog {
    waiting: Arc<Waiting>,
    /// Messages that had been taken at the latest look.
    taken: usize,
    looked: Instant,
    /// For how long there have been no more, though some wait.
    stalled: Duration,
}

impl Backlog {
    fn new(now: Instant) -> Backlog {
        Backlog {
            waiting: Arc::default(),
            taken: 0,
            looked: now,
            stalled: Duration::ZERO,
        }
    }

    fn add(&self, message: &Message) {
        self.waiting
            .size
            .fetch_add(message.size(), Ordering::Relaxed);
    }

    /// What the disk does, where too much waits for it or it has taken nothing for too long.
    fn look(&mut self, now: Instant) -> Option<&'static str> {
        let waits = self.waiting.size.load(Ordering::Relaxed);
        let taken = self.waiting.taken.load(Ordering::Relaxed);
        let step = now.duration_since(self.looked).min(LONGEST_STEP);
        self.looked = now;
        self.stalled = match waits == 0 || taken != self.taken {
            true => Duration::ZERO,
            false => self.stalled + step,
        };
        self.taken = taken;
        if self.stalled >= LONGEST_STALL {
            return Some("takes nothing");
        }
        (waits >= MOST_WAITING).then_some("is too slow")
    }
}

/// Where a run is recorded, and what the recording begins with.
#[derive(Debug)]
pub struct Recording {
    /// Where its segments are.
    pub folder: RecordingFolder,
    /// The intervals in use.
    pub intervals: Intervals,
    /// The configuration in force.
    pub config: Arc<str>,
}

/// The handle of the recording thread.
#[derive(Debug)]
pub struct Recorder {
    /// What its thread may still do.
    pub privileges: Privileges,
    messages: Option<Sender<Message>>,
    backlog: Backlog,
    wants_key: Arc<AtomicBool>,
    /// Says that the thread has ended.
    is_done: Receiver<()>,
    key_frames: KeyFrames,
    outlet: Outlet,
}

impl Recorder {
    /// Starts the thread, which gives up its rights and then writes the first key frame. Readings go back to the sampler.
    pub fn start(
        recording: Recording,
        sampler: &Sampler,
        identity: Option<Identity>,
        outlet: &Outlet,
    ) -> Result<Recorder> {
        let (messages, receiver) = channel::<Message>();
        let (done, is_done) = channel();
        let mut run = [0; 8];
        getrandom::fill(&mut run).context("draw a number for the recording")?;
        let (backlog, wants_key) = (Backlog::new(Instant::now()), Arc::default());
        let keeps = rights::of_recorder(identity, recording.folder.path());
        let (began_ns, recycler) = (sampler.began_ns, sampler.recycler.clone());
        let mut work = Work {
            encoder: Encoder::new(began_ns, recording.intervals, recording.config)?,
            folder: recording.folder,
            run: u64::from_ne_bytes(run),
            segments: 0,
            wants_key: Arc::clone(&wants_key),
            marking: Marking::default(),
            outlet: outlet.try_clone()?,
            is_paused: false,
        };
        let make = move |privileges: &Privileges| {
            work.begin().map_err(|error| {
                let path = display_name(work.folder.path().as_os_str());
                let advice = match error.kind() {
                    ErrorKind::PermissionDenied => format!(
                        " (flowtop goes on as user {}, who may not write there; as another one: --user)",
                        privileges.user
                    ),
                    _ => String::new(),
                };
                anyhow!("record to {path}: {error}{advice}")
            })?;
            Ok(work)
        };
        let written = Arc::clone(&backlog.waiting);
        let (_, privileges) = start_confined("recorder", keeps, make, move |mut work| {
            for message in receiver {
                let size = message.size();
                if let Some(snapshot) = work.handle(message) {
                    recycler.recycle(snapshot);
                }
                written.size.fetch_sub(size, Ordering::Relaxed);
                written.taken.fetch_add(1, Ordering::Relaxed);
            }
            work.begin_mark(now_ns());
            let _ = done.send(());
        })?;
        Ok(Recorder {
            privileges,
            messages: Some(messages),
            backlog,
            wants_key,
            is_done,
            key_frames: KeyFrames::begin(began_ns),
            outlet: outlet.try_clone()?,
        })
    }

    /// Hands over what the tracker has taken in at `wall_ns`, ns since 1970, and a key frame if one is due. A disk that takes
    /// nothing and says nothing ends the recording: it must not fill the memory.
    pub fn record(&mut self, wall_ns: i64, entry: Entry, tracker: &FlowTracker) {
        if self.messages.is_none() {
            return;
        }
        if let Some(why) = self.backlog.look(Instant::now()) {
            self.messages = None;
            let text = format!("the recording ends here: the disk {why} (counting goes on)");
            return self.outlet.send(Update::Notice(text));
        }
        let is_reading = matches!(entry, Entry::Snapshot { .. });
        let is_wanted = is_reading && self.wants_key.swap(false, Ordering::Relaxed);
        let are_due = self.key_frames.are_due(&entry, tracker.report(), is_wanted);
        self.send(Message::Entry(wall_ns, entry));
        if are_due {
            self.send(Message::Key(wall_ns, Box::new(tracker.carried())));
        }
    }

    /// So many alerts were raised.
    pub fn count_alerts(&self, count: usize) {
        if count > 0 {
            self.send(Message::Alerts(count as u32));
        }
    }

    fn send(&self, message: Message) {
        if let Some(messages) = &self.messages {
            self.backlog.add(&message);
            let _ = messages.send(message);
        }
    }
}

impl Drop for Recorder {
    /// Ends the recording when all of it is written, or says that the disk takes nothing.
    fn drop(&mut self) {
        let Some(messages) = self.messages.take() else {
            return;
        };
        drop(messages);
        // Disconnected: the thread is gone.
        if self.is_done.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
            let text = "the disk takes nothing, and the end of the recording is lost";
            let _ = writeln!(io::stderr(), "flowtop: {text}");
        }
    }
}

/// What the thread has.
struct Work {
    folder: RecordingFolder,
    encoder: Encoder,
    run: u64,
    /// How many the run has begun.
    segments: u64,
    /// Asks the main thread for a key frame.
    wants_key: Arc<AtomicBool>,
    /// What happened since the latest key frame.
    marking: Marking,
    outlet: Outlet,
    is_paused: bool,
}

impl Work {
    /// Finds what is there, and begins the first segment; where there is no room, the next reading tries again.
    fn begin(&mut self) -> io::Result<()> {
        self.folder.prepare()?;
        match self.put_key(now_ns(), &Carried::default()) {
            Ok(()) => self.say(format!(
                "records to {}: {}",
                self.path(),
                self.folder.bounds()
            )),
            Err(error) if finds_no_room(&error) => self.tell(Err(error)),
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn path(&self) -> String {
        display_name(self.folder.path().as_os_str())
    }

    fn say(&self, text: String) {
        self.outlet.send(Update::Notice(text));
    }

    /// Records what it is handed; a reading is needed no more then.
    fn handle(&mut self, message: Message) -> Option<Box<Snapshot>> {
        match message {
            Message::Entry(wall_ns, entry) => {
                self.put_entry(wall_ns, &entry);
                if let Entry::Snapshot { snapshot, .. } = entry {
                    return Some(snapshot);
                }
            }
            Message::Key(wall_ns, carried) => {
                let put = self.put_key(wall_ns, &carried);
                self.tell(put);
            }
            Message::Alerts(count) => self.marking.note(0, count),
        }
        None
    }

    fn put_entry(&mut self, wall_ns: i64, entry: &Entry) {
        let ended = self.marking.pass_to(wall_ns);
        ended.iter().for_each(|mark| self.folder.note(mark));
        self.marking.note(self.encoder.losing(entry), 0);
        if !self.folder.is_open() {
            self.encoder.miss(entry);
            return self.want_key();
        }
        let block = self.encoder.frame(wall_ns, entry);
        let put = block.and_then(|block| self.folder.append(&block));
        if put.is_err() {
            self.encoder.lose();
        }
        if !self.folder.has_room(wall_ms(wall_ns)) {
            self.want_key();
        }
        self.tell(put);
    }

    fn want_key(&self) {
        self.wants_key.store(true, Ordering::Relaxed);
    }

    /// Puts a key frame into the open segment, or into a new one if that has no room.
    fn put_key(&mut self, wall_ns: i64, carried: &Carried) -> io::Result<()> {
        let block = self.encoder.key(wall_ns, carried)?;
        self.begin_mark(wall_ns);
        if self.folder.has_room(wall_ms(wall_ns)) {
            self.folder.append(&block)?;
        } else {
            let header = Header {
                run: self.run,
                number: self.segments,
                began_wall_ns: wall_ns,
            };
            self.folder.begin(&header, boot_ns(), &block)?;
            self.segments += 1;
        }
        self.encoder.has_key();
        // Whatever asked for it came before it.
        self.wants_key.store(false, Ordering::Relaxed);
        Ok(())
    }

    /// Notes in the index what happened until now, and begins with what happens from this moment on.
    fn begin_mark(&mut self, wall_ns: i64) {
        let ended = self.marking.begin(wall_ns);
        ended.iter().for_each(|mark| self.folder.note(mark));
    }

    /// Says once that nothing can be written, and once that it can again.
    fn tell(&mut self, put: io::Result<()>) {
        let path = self.path();
        let text = match (&put, self.is_paused) {
            (Err(error), false) => format!(
                "record to {path}: {error} (recording pauses, and is tried again; counting goes on)"
            ),
            (Ok(()), true) => format!("record to {path}: there is room again"),
            _ => return,
        };
        self.is_paused = put.is_err();
        self.say(text);
    }
}

/// The time of the day, ns since 1970.
pub fn now_ns() -> i64 {
    Timestamp::now().as_nanosecond() as i64
}

fn wall_ms(wall_ns: i64) -> u64 {
    (wall_ns / 1_000_000).max(0) as u64
}

#[cfg(test)]
#[path = "recorder_tests.rs"]
mod tests;
