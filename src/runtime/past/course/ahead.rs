//! What comes next in a recording: it is read ahead of the way, to know when the next interval ends.
//!
//! Of a long interval among many flows that may be far more than there is room for: what finds none is read to its end, let
//! go, and read once more when the way goes through it.

use super::{Closing, Course};
use crate::recording::{Entry, Event, Reader, SegmentName};
use crate::runtime::past::source::Source;

/// So much of a segment is read at once: what a jump among many flows needs is hardly more.
const PIECE: usize = 8 << 20;
/// Samples of flows that are kept, and one reading more; tests have more than finds room.
const MOST_KEPT: usize = if cfg!(test) { 8 } else { 1 << 17 };
/// A histogram takes the room of so many samples.
const SAMPLES_OF_HISTOGRAM: usize = 64;

/// What was read of the next interval.
#[derive(Default)]
pub(super) struct Ahead {
    /// What comes first.
    kept: Vec<Event>,
    /// How much that is, in samples.
    size: usize,
    /// Where that begins which found no room.
    rest: Option<Rest>,
    is_whole: bool,
    /// When the latest of it came, ns since 1970.
    wall_ns: i64,
    /// The same by the clock of the run, if it says so.
    taken_ns: Option<u64>,
}

/// A place to read on from.
struct Rest {
    reader: Reader,
    segment: SegmentName,
    first: usize,
}

impl Ahead {
    fn add_event(&mut self, event: Event) {
        match &event {
            Event::Begin {
                wall_ns, tracker, ..
            } => {
                (self.wall_ns, self.taken_ns) = (*wall_ns, Some(tracker.report().taken_ns));
            }
            Event::Entry { wall_ns, entry } => {
                self.wall_ns = *wall_ns;
                if let Entry::Snapshot { snapshot, .. } = entry {
                    self.taken_ns = Some(snapshot.taken_ns);
                }
            }
            Event::Damage { .. } | Event::CutOff { .. } => {}
        }
        self.is_whole = is_end(&event);
        if self.rest.is_none() {
            self.size += size(&event);
            self.kept.push(event);
        }
    }
}

/// Whether an interval ends with it.
fn is_end(event: &Event) -> bool {
    matches!(event, Event::Entry { entry, .. } if entry.closes() > 0)
}

/// The room that it takes, in samples of flows.
fn size(event: &Event) -> usize {
    match event {
        Event::Entry {
            entry: Entry::Snapshot { snapshot, .. },
            ..
        } => 1 + snapshot.flows.len() + SAMPLES_OF_HISTOGRAM * snapshot.histograms.len(),
        // It is all of a table: more than two are not kept.
        Event::Begin { .. } => MOST_KEPT / 2,
        _ => 1,
    }
}

impl Course {
    /// Goes on with this segment, of which so much is read at first; false if it cannot be read.
    pub(super) fn open(&mut self, source: &impl Source, segment: SegmentName, most: usize) -> bool {
        let mut bytes = Vec::new();
        let read = source.read_on(&segment, 0, most, &mut bytes);
        let opened = read.map_err(|error| error.to_string()).and_then(|_| {
            let opened = self.reader.open(&bytes);
            opened.map_err(|error| error.to_string())
        });
        if let Err(why) = &opened {
            self.faults.push(format!("{segment}: {why}"));
            bytes.clear();
        }
        (self.segment, self.bytes, self.first) = (segment, bytes, 0);
        opened.is_ok()
    }

    /// Reads more of the segment, so many bytes at most; false if there is no more, or none yet.
    fn read_on(&mut self, source: &impl Source, most: usize) -> bool {
        let end = self.first + self.bytes.len();
        let read = source.read_on(&self.segment, end, most, &mut self.bytes);
        read.unwrap_or(false)
    }

    /// Reads what comes next; `None`: nothing, or nothing yet.
    fn read(&mut self, source: &impl Source) -> Option<Event> {
        loop {
            match self.reader.next(&self.bytes) {
                None | Some(Event::CutOff { .. }) => {
                    if self.read_on(source, PIECE) {
                        continue;
                    }
                    let names = source.names();
                    let behind = names.partition_point(|name| *name <= self.segment);
                    self.open(source, *names.get(behind)?, PIECE);
                }
                // Where it goes on is looked for in all of the segment.
                Some(Event::Damage { at, .. }) if self.read_on(source, usize::MAX) => {
                    self.reader.skip_to(at);
                }
                Some(event) => return Some(event),
            }
        }
    }

    /// Reads the next interval; false if there is none, or none yet.
    pub fn look_ahead(&mut self, source: &impl Source) -> bool {
        while !self.ahead.is_whole {
            if self.ahead.size >= MOST_KEPT && self.ahead.rest.is_none() {
                self.ahead.rest = Some(Rest {
                    reader: self.reader.clone(),
                    segment: self.segment,
                    first: self.first,
                });
            }
            let Some(event) = self.read(source) else {
                return false;
            };
            match &event {
                Event::Damage { at, why } => {
                    let at = self.first + at;
                    let text = format!("{}: at byte {at}: {why}", self.segment);
                    self.faults.push(text);
                }
                Event::Begin { wall_ns, .. } => _ = self.began_ns.get_or_insert(*wall_ns),
                _ => {}
            }
            self.ahead.add_event(event);
        }
        true
    }

    /// When the interval that was read ends: ns since 1970, and by the clock of the run.
    pub fn next_end(&self) -> (i64, u64) {
        let taken_ns = self.ahead.taken_ns.unwrap_or_else(|| self.taken_ns());
        (self.ahead.wall_ns, taken_ns)
    }

    /// Takes in the interval that was read.
    pub fn step(&mut self, source: &impl Source) -> Option<Closing> {
        let Ahead { kept, rest, .. } = std::mem::take(&mut self.ahead);
        let has_rest = rest.is_some();
        rest.into_iter().for_each(|it| self.go_back_to(it));
        kept.into_iter().for_each(|event| self.go_through(event));
        if has_rest {
            self.read_through(source);
        }
        self.latest()
    }

    fn go_back_to(&mut self, rest: Rest) {
        if self.segment != rest.segment {
            self.bytes.clear();
        }
        (self.reader, self.segment, self.first) = (rest.reader, rest.segment, rest.first);
    }

    /// Takes in what comes up to the end of the interval. What cannot be read has been told.
    fn read_through(&mut self, source: &impl Source) {
        let told = self.faults.len();
        while let Some(event) = self.read(source) {
            let is_end = is_end(&event);
            self.go_through(event);
            if is_end {
                break;
            }
        }
        self.faults.truncate(told);
    }
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;
    use crate::model::tracker::{Carried, FlowTracker};
    use crate::recording::Encoder;
    use crate::recording::world::{BEGAN_NS, INTERVALS, World};
    use crate::runtime::past::memory::Memory;

    const SECOND_NS: i64 = 1_000_000_000;

    #[test]
    fn of_an_interval_no_more_is_kept_than_finds_room_and_all_of_it_is_taken_in() {
        let mut memory = Memory::default();
        let mut encoder = Encoder::new(BEGAN_NS, INTERVALS, "{}".into()).expect("zstd");
        let mut tracker = FlowTracker::new(INTERVALS, BEGAN_NS);
        let mut world = World::new();
        let key = encoder.key(0, &Carried::default()).expect("zstd");
        memory.begin(BEGAN_NS, 0, &key);
        // Only the last one ends an interval.
        for second in 1..=300_u16 {
            let wall_ns = i64::from(second) * SECOND_NS;
            let entry = world.step([8, 0, 10 + u8::from(second == 300), 3]);
            entry.apply(&mut tracker);
            memory.append(wall_ns, &encoder.frame(wall_ns, &entry).expect("zstd"));
            if second.is_multiple_of(100) {
                let key = encoder.key(wall_ns, &tracker.carried()).expect("zstd");
                memory.begin(encoder.taken_ns(), wall_ns, &key);
            }
        }
        let mut course = Course::begin(&memory, &TimeZone::UTC, 0).expect("a course");
        assert!(course.look_ahead(&memory));
        assert!(course.ahead.kept.len() <= MOST_KEPT);
        assert!(course.ahead.rest.is_some());
        let taken_ns = tracker.report().taken_ns;
        assert_eq!(course.next_end(), (300 * SECOND_NS, taken_ns));
        let closing = course.step(&memory).expect("an interval");
        let ended = (closing.wall_ns, course.taken_ns());
        assert_eq!(ended, (300 * SECOND_NS, taken_ns));
        let flows = |tracker: &FlowTracker| tracker.report().flows.clone();
        assert_eq!(course.tracker.as_deref().map(flows), Some(flows(&tracker)));
        assert!(!course.look_ahead(&memory) && course.faults().is_empty());
    }
}
