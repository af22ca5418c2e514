//! Keeps the last minutes of a run in memory, as a recorder keeps all of it on a disk, and goes through them: in a thread of
//! its own, while counting goes on.

use std::iter;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use anyhow::{Context, Result};
use jiff::tz::TimeZone;

use super::memory::Memory;
use super::player::Player;
use super::requests::{go, receive};
use crate::model::past::Travel;
use crate::model::privileges::Privileges;
use crate::model::tracker::{Carried, FlowTracker, Intervals};
use crate::probe::privileges::confine::{Duty, Identity};
use crate::recording::{Encoder, Entry, KeyFrames, Marking};
use crate::runtime::confined::start_confined;
use crate::runtime::recorder::now_ns;
use crate::runtime::rights;
use crate::runtime::sampler::{Recycler, Sampler};
use crate::runtime::updates::Outlet;

/// What is kept begins with this.
#[derive(Debug)]
pub struct Keeping {
    /// The intervals in use.
    pub intervals: Intervals,
    /// The configuration in force.
    pub config: Arc<str>,
}

enum Message {
    Entry(i64, Entry),
    Key(i64, Box<Carried>),
    Alerts(u32),
    Travel(Travel),
}

/// The handle of the thread.
#[derive(Debug)]
pub struct Keeper {
    /// What its thread may still do.
    pub privileges: Privileges,
    messages: Sender<Message>,
    key_frames: KeyFrames,
}

impl Keeper {
    /// Starts the thread. Readings go back to the sampler.
    pub fn start(
        keeping: Keeping,
        sampler: &Sampler,
        identity: Option<Identity>,
        outlet: &Outlet,
    ) -> Result<Keeper> {
        let (messages, receiver) = channel();
        let began_ns = sampler.began_ns;
        let encoder = Encoder::new(began_ns, keeping.intervals, keeping.config);
        let memory = Memory::default();
        let zone = TimeZone::system();
        let mut work = Work {
            encoder: encoder.context("keep what is counted in memory")?,
            player: Player::new(memory, zone, outlet.try_clone()?, true),
            recycler: sampler.recycler.clone(),
            marking: Marking::default(),
        };
        let keeps = rights::without_files(identity, Duty::Past);
        let (_, privileges) = start_confined(
            "past",
            keeps,
            |_| Ok(()),
            move |()| {
                let wall_ns = now_ns();
                work.marking.begin(wall_ns);
                work.put_key(wall_ns, &Carried::default());
                work.run(&receiver);
            },
        )?;
        Ok(Keeper {
            privileges,
            messages,
            key_frames: KeyFrames::begin(began_ns),
        })
    }

    /// Hands over what the tracker has taken in at `wall_ns`, ns since 1970, and a key frame if one is due.
    pub fn keep(&mut self, wall_ns: i64, entry: Entry, tracker: &FlowTracker) {
        let are_due = self.key_frames.are_due(&entry, tracker.report(), false);
        let _ = self.messages.send(Message::Entry(wall_ns, entry));
        if are_due {
            let carried = Box::new(tracker.carried());
            let _ = self.messages.send(Message::Key(wall_ns, carried));
        }
    }

    /// The latest interval raised so many alerts.
    pub fn count_alerts(&self, count: usize) {
        if count > 0 {
            let _ = self.messages.send(Message::Alerts(count as u32));
        }
    }

    /// Goes somewhere.
    pub fn travel(&self, travel: Travel) {
        let _ = self.messages.send(Message::Travel(travel));
    }
}

/// What the thread has.
struct Work {
    encoder: Encoder,
    player: Player<Memory>,
    recycler: Recycler,
    /// Of the interval that goes on.
    marking: Marking,
}

impl Work {
    fn run(mut self, messages: &Receiver<Message>) {
        while let Ok(message) = receive(messages, self.player.patience()) {
            let Some(message) = message else {
                self.player.work();
                continue;
            };
            // What is counted comes first.
            let all = iter::once(message).chain(messages.try_iter());
            let travels: Vec<Travel> = all.filter_map(|it| self.handle(it)).collect();
            go(&mut self.player, &travels);
        }
    }

    /// Stores what is counted; returns where to go otherwise.
    fn handle(&mut self, message: Message) -> Option<Travel> {
        match message {
            Message::Entry(wall_ns, entry) => self.put_entry(wall_ns, entry),
            Message::Key(wall_ns, carried) => self.put_key(wall_ns, &carried),
            Message::Alerts(count) => self.player.source.count_alerts(count),
            Message::Travel(travel) => return Some(travel),
        }
        None
    }

    fn put_entry(&mut self, wall_ns: i64, entry: Entry) {
        let memory = &mut self.player.source;
        memory.note(self.marking.pass_to(wall_ns));
        self.marking.note(self.encoder.losing(&entry), 0);
        // It fails where there is no memory, which ends the run anyway.
        if let Ok(block) = self.encoder.frame(wall_ns, &entry) {
            self.player.source.append(wall_ns, &block);
        }
        if entry.closes() > 0 {
            self.player.source.note(self.marking.begin(wall_ns));
        }
        if let Entry::Snapshot { snapshot, .. } = entry {
            self.recycler.recycle(snapshot);
        }
    }

    fn put_key(&mut self, wall_ns: i64, carried: &Carried) {
        if let Ok(block) = self.encoder.key(wall_ns, carried) {
            let taken_ns = self.encoder.taken_ns();
            // Each mark is of the segment that has it; alerts are noted in the last one that is not empty.
            let ended = self.marking.begin(wall_ns);
            let memory = &mut self.player.source;
            memory.note(ended.filter(|mark| mark.from_ns < mark.to_ns));
            memory.begin(taken_ns, wall_ns, &block);
            self.encoder.has_key();
        }
    }
}
