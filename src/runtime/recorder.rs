//! Records what the tracker takes in: a thread of its own makes the blocks and waits for the disk, so that nobody else has
//! to.
//!
//! It has its own copy of the table's state, and so goes on with a key frame once there is room again: counting and the
//! screen never wait for it.

use std::io::{self, ErrorKind, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

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
use crate::recording::{Encoder, Entry, Header, KeyFrames, Marking};

/// Entries that wait for the disk at most.
const MOST_WAITING: usize = 64;
/// How long the end of a run waits for the disk.
const PATIENCE: Duration = Duration::from_secs(5);

enum Message {
    Entry(i64, Entry),
    Key(i64, Box<Carried>),
    Alerts(u32),
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
    waiting: Arc<AtomicUsize>,
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
        let (messages, receiver) = channel();
        let (done, is_done) = channel();
        let mut run = [0; 8];
        getrandom::fill(&mut run).context("draw a number for the recording")?;
        let (waiting, wants_key) = (Arc::new(AtomicUsize::new(0)), Arc::default());
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
        let written = Arc::clone(&waiting);
        let (_, privileges) = start_confined("recorder", keeps, make, move |mut work| {
            for message in receiver {
                if let Some(snapshot) = work.take_in(message) {
                    recycler.recycle(snapshot);
                }
                written.fetch_sub(1, Ordering::Relaxed);
            }
            work.begin_mark(now_ns());
            let _ = done.send(());
        })?;
        Ok(Recorder {
            privileges,
            messages: Some(messages),
            waiting,
            wants_key,
            is_done,
            key_frames: KeyFrames::begin(began_ns),
            outlet: outlet.try_clone()?,
        })
    }

    /// Hands over what the tracker has taken in at `wall_ns`, ns since 1970, and a key frame if one is due. A disk that takes
    /// nothing and says nothing ends the recording: it must not fill the memory.
    pub fn record(&mut self, wall_ns: i64, entry: Entry, tracker: &FlowTracker) {
        let Some(messages) = &self.messages else {
            return;
        };
        if self.waiting.load(Ordering::Relaxed) >= MOST_WAITING {
            self.messages = None;
            let text = "the recording ends here: the disk takes nothing (counting goes on)";
            return self.outlet.send(Update::Notice(text.to_owned()));
        }
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let is_reading = matches!(entry, Entry::Snapshot { .. });
        let is_wanted = is_reading && self.wants_key.swap(false, Ordering::Relaxed);
        let are_due = self.key_frames.are_due(&entry, tracker.report(), is_wanted);
        let _ = messages.send(Message::Entry(wall_ns, entry));
        if are_due {
            self.waiting.fetch_add(1, Ordering::Relaxed);
            let _ = messages.send(Message::Key(wall_ns, Box::new(tracker.carried())));
        }
    }
}

impl Recorder {
    /// So many alerts were raised.
    pub fn note_alerts(&self, count: usize) {
        if let Some(messages) = self.messages.as_ref().filter(|_| count > 0) {
            self.waiting.fetch_add(1, Ordering::Relaxed);
            let _ = messages.send(Message::Alerts(count as u32));
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
    fn take_in(&mut self, message: Message) -> Option<Box<Snapshot>> {
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
            self.folder.begin(&header, &block)?;
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
