//! From the blocks of segments back to what a tracker took in.
//!
//! Reading begins at a key frame, and again behind whatever cannot be read.

use std::io;

use super::block::{Block, Found, HEADER, Header, Kind, ReadAt, Unreadable};
use super::bytes::{Bad, Input, unfold};
use super::carried::read_carried;
use super::entry::Entry;
use super::frame::read_entry;
use super::state::State;
use crate::model::snapshot::Snapshot;
use crate::model::tracker::FlowTracker;

/// What comes next in a recording.
#[derive(Debug)]
pub enum Event {
    /// Reading begins here, with this tracker: at the start of a run, or behind what is missing.
    Begin {
        /// When that was, ns since 1970.
        wall_ns: i64,
        /// The state of what was counted.
        tracker: Box<FlowTracker>,
        /// So much of the run came before and found no room.
        missed: u64,
    },
    /// The tracker takes something in.
    Entry {
        /// When it did, ns since 1970.
        wall_ns: i64,
        /// What it was.
        entry: Entry,
    },
    /// From this place in the segment on something cannot be read.
    Damage {
        /// Bytes from the segment's beginning.
        at: usize,
        /// What is wrong.
        why: Bad,
    },
    /// The segment ends in the middle of a frame, here: it is being written, or the run was killed.
    CutOff {
        /// Bytes from the segment's beginning.
        at: usize,
    },
}

/// Reads one segment after another.
#[derive(Debug, Clone, Default)]
pub struct Reader {
    /// What the next frame is a difference from, if that is known.
    state: Option<State>,
    run: u64,
    number: u64,
    at: usize,
    /// The segment ends in the middle of a frame, as far as it was read.
    is_cut_off: bool,
    /// No block of the segment was read yet.
    is_unread: bool,
    /// No segment has lost anything.
    is_whole: bool,
}

impl Reader {
    /// A reader of segments that are in memory: they have not lost their ends.
    pub fn of_whole() -> Reader {
        Reader {
            is_whole: true,
            ..Reader::default()
        }
    }

    /// Begins with a segment, which is the one after the one before if it says so.
    pub fn open(&mut self, segment: &[u8]) -> Result<Header, Unreadable> {
        let header = Header::read(segment)?;
        let follows = header.run == self.run && header.number == self.number.wrapping_add(1);
        if !follows || self.is_cut_off {
            self.state = None;
        }
        (self.run, self.number, self.at) = (header.run, header.number, HEADER);
        (self.is_cut_off, self.is_unread) = (false, true);
        Ok(header)
    }

    /// Where in a segment to [begin](Self::skip_to) for what came at this moment, ns since 1970: at the last key frame that is
    /// not later, else at the first one. Little of the segment is read.
    pub fn place_of(read: &impl ReadAt, wall_ns: i64) -> io::Result<Option<usize>> {
        let (mut first, mut place) = (None, None);
        walk(read, |kind, at| {
            if kind == Kind::Frame {
                return Ok(true);
            }
            first.get_or_insert(at);
            // Where the clock was set back, it may be that later ones come first.
            match wall_of(read, at)?.is_none_or(|wall| wall > wall_ns) {
                true => Ok(place.is_none()),
                false => {
                    place = Some(at);
                    Ok(true)
                }
            }
        })?;
        Ok(place.or(first))
    }

    /// When what a segment has came: from when to when, ns since 1970, and more than once where the clock was set back.
    /// Little of the segment is read.
    pub fn times_of(read: &impl ReadAt) -> io::Result<Vec<(i64, i64)>> {
        let mut times: Vec<(i64, i64)> = Vec::new();
        walk(read, |_, at| {
            if let Some(wall_ns) = wall_of(read, at)? {
                match times.last_mut() {
                    Some((_, to_ns)) if *to_ns <= wall_ns => *to_ns = wall_ns,
                    _ => times.push((wall_ns, wall_ns)),
                }
            }
            Ok(true)
        })?;
        Ok(times)
    }

    /// Skips what comes before this place of what it is shown: the next event is a [`Event::Begin`], or what is wrong there.
    pub fn skip_to(&mut self, at: usize) {
        (self.state, self.at) = (None, at);
    }

    /// How far what it is shown was read.
    pub fn at(&self) -> usize {
        self.at
    }

    /// The configuration that was in force.
    pub fn config(&self) -> Option<&str> {
        self.state.as_ref()?.config.as_deref()
    }

    /// Another tracker that goes on from where the latest [`Event::Begin`] has just begun, with this one.
    pub fn beside(&self, begun: &FlowTracker) -> Option<FlowTracker> {
        let state = self.state.as_ref()?;
        Some(state.resume(&state.snapshot(), &begun.carried()))
    }

    /// What comes next in the segment; at its end none, and where more was written meanwhile, what that is.
    pub fn next(&mut self, segment: &[u8]) -> Option<Event> {
        loop {
            let at = self.at;
            let read = match Block::at(segment, at) {
                Found::Block(block) => {
                    (self.at, self.is_cut_off) = (block.end, false);
                    self.read(block)
                }
                Found::End if at >= segment.len() => return None,
                Found::End => match Block::next(segment, at + 1, |_| true) {
                    None => {
                        self.is_cut_off = true;
                        return Some(Event::CutOff { at });
                    }
                    Some(_) => Err(Bad("a length is wrong")),
                },
                Found::Bad => Err(Bad("its checksum is wrong")),
            };
            match read {
                Ok(Some(event)) => return Some(event),
                Ok(None) => {}
                Err(why) => {
                    self.state = None;
                    let next = Block::next(segment, at + 1, |kind| kind == Kind::Key);
                    self.at = next.unwrap_or(segment.len());
                    return Some(Event::Damage { at, why });
                }
            }
        }
    }

    /// What a block says; nothing, if it is known or cannot be without the frames before it.
    fn read(&mut self, block: Block<'_>) -> Result<Option<Event>, Bad> {
        let before = self.state.take();
        let is_first = std::mem::take(&mut self.is_unread);
        if before.is_none() && block.kind == Kind::Frame {
            return Ok(None);
        }
        let raw = block.unpack()?;
        let mut input = Input(&raw);
        let wall_ns = unfold(input.number()?) as i64;
        match (block.kind, before) {
            (Kind::Frame, before) => {
                let mut state = before.unwrap_or_default();
                let entry = read_entry(&mut input, &state)?;
                end(input)?;
                state.apply_entry(&entry);
                self.state = Some(state);
                Ok(Some(Event::Entry { wall_ns, entry }))
            }
            (Kind::Key, before) => {
                let missed = input.number()?;
                let before = before.filter(|_| missed == 0);
                if before.is_some() && (self.is_whole || !is_first) {
                    self.state = before;
                    return Ok(None);
                }
                let carried = read_carried(&mut input)?;
                let (state, reading) = read_state(input)?;
                // Frames that are missing at the end of the segment before leave no other trace.
                let of = |state: &State| (state.taken_ns, state.table);
                let goes_on = before.is_some_and(|before| of(&before) == of(&state));
                let event = (!goes_on).then(|| Event::Begin {
                    wall_ns,
                    tracker: Box::new(state.resume(&reading, &carried)),
                    missed,
                });
                self.state = Some(state);
                Ok(event)
            }
        }
    }
}

/// What a key frame says was recorded before it, and the last of that, its reading.
fn read_state(mut input: Input<'_>) -> Result<(State, Box<Snapshot>), Bad> {
    let mut state = State::default();
    let mut reading = None;
    while !input.is_empty() {
        let entry = read_entry(&mut input, &state)?;
        state.apply_entry(&entry);
        if let Entry::Snapshot { snapshot, .. } = entry {
            reading = Some(snapshot);
        }
    }
    let reading = reading.ok_or(Bad("a key frame lacks its reading"))?;
    Ok((state, reading))
}

/// Goes from block to block, as they say of themselves, and from what is damaged on to the next key frame; `visit` is told
/// what is where, and says whether to go on.
fn walk(
    read: &impl ReadAt,
    mut visit: impl FnMut(Kind, usize) -> io::Result<bool>,
) -> io::Result<()> {
    let mut at = HEADER;
    loop {
        if let Some((kind, end)) = Block::outline(read, at)? {
            if !visit(kind, at)? {
                return Ok(());
            }
            at = end;
            continue;
        }
        let rest = read(at, usize::MAX)?;
        match Block::next(&rest, 1, |it| it == Kind::Key) {
            Some(next) => at += next,
            None => return Ok(()),
        }
    }
}

/// When the block at this place was made, ns since 1970.
fn wall_of(read: &impl ReadAt, at: usize) -> io::Result<Option<i64>> {
    const LONGEST: u64 = 10;
    match Block::beginning(read, at, LONGEST) {
        Ok(bytes) => Ok(Input(&bytes).number().ok().map(|it| unfold(it) as i64)),
        // It is damaged, as whoever reads it finds out.
        Err(_) => Ok(None),
    }
}

fn end(input: Input<'_>) -> Result<(), Bad> {
    match input.is_empty() {
        true => Ok(()),
        false => Err(Bad("there is more than it says")),
    }
}
