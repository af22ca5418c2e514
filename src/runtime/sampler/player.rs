//! What plays a capture: shows its packets to the program in this process, and reads what was counted at marks of the packets'
//! own time.

mod asked;

use std::os::unix::net::UnixStream;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::pace::Clock;
use super::{Assignment, Request, heads};
use crate::capture::timeline::{BEGIN_NS, Timeline};
use crate::capture::{Capture, Fault, Interface, Packet, link};
use crate::model::capture::{CaptureSample, Pace};
use crate::model::snapshot::Snapshot;
use crate::probe::Options;
use crate::probe::interfaces::display_name;
use crate::probe::native::{self, Native};
use crate::runtime::panics;
use crate::runtime::updates::{Outlet, Update};

/// Readings that wait for the main thread at most.
const MOST_UNREAD: usize = 4;
/// Packets between two looks at what the main thread asks for.
const ATTEND_EVERY: u32 = 1024;
/// With nothing left in the table, marks of a pause that lasts longer than this are passed over at once where the capture is
/// played as fast as it can, ns.
const LONG_PAUSE_NS: u64 = 3_600_000_000_000;
/// Such marks that are one reading at most.
const MOST_PERIODS: u64 = 1 << 30;
/// Of Ethernet with two tags.
const LONGEST_FRAME: u32 = 1522;

/// An interface of the capture.
#[derive(Debug)]
struct Known {
    /// As the capture calls it.
    name: String,
    /// `None`: it is not watched.
    ifindex: Option<u32>,
    has_large_frames: bool,
}

/// A packet as the program is shown it.
#[inline]
fn shown<'a>(
    packet: &Packet,
    bytes: &'a [u8],
    ifindex: u32,
    arrival_ns: u64,
) -> native::Packet<'a> {
    native::Packet {
        bytes,
        length: packet.length,
        arrival_ns,
        ifindex,
        start: match packet.start {
            link::Start::Ethernet => native::Start::Ethernet,
            link::Start::Ip => native::Start::Ip,
            link::Start::Unknown => native::Start::Unknown,
        },
        gso_segs: 0,
        gso_size: 0,
    }
}

/// The state of the thread, beside the capture itself, which waits for it.
pub(super) struct Player {
    native: Native,
    timeline: Timeline,
    assignment: Assignment,
    outlet: Outlet,
    requests: Receiver<Request>,
    wake: UnixStream,
    /// As messages call the capture.
    name: String,
    interfaces: Vec<Known>,
    clock: Clock,
    is_watched: bool,
    /// When the next reading is due, at the end of the time at the latest; 0 before the first packet.
    due_ns: u64,
    /// When the first of all intervals of this length began.
    intervals_ns: u64,
    /// The latest reading.
    read_ns: u64,
    ends_ns: u64,
    is_time_up: bool,
    /// When the latest bytes of a stream were read, and the time of its packets then.
    heard: (Instant, u64),
    /// Readings that the main thread has not given back.
    unread: usize,
    until_attended: u32,
    /// Nothing is left in the table, and no packet has come since.
    is_empty: bool,
    sample: CaptureSample,
    /// The run has ended.
    pub(super) is_finished: bool,
}

impl Player {
    /// Makes the maps, and puts the assignment in force; `size`: of a file.
    pub(super) fn new(
        (name, size): (String, Option<u64>),
        (duration, is_watched): (Option<Duration>, bool),
        assignment: Assignment,
        options: &Options,
        outlet: Outlet,
        (requests, wake): (Receiver<Request>, UnixStream),
    ) -> Result<Player> {
        let mut native = Native::start(options)?;
        let version = native.apply_rules(&assignment.rules, &assignment.sequence)?;
        outlet.send(Update::Ruled(version, heads(&assignment.rules)));
        // A file is played as its packets came, if somebody watches.
        let is_timed = is_watched && size.is_some();
        let pace = Pace {
            speed: is_timed.then_some(1),
            is_held: false,
        };
        let length_ns = duration.map_or(u64::MAX, |it| {
            u64::try_from(it.as_nanos()).unwrap_or(u64::MAX)
        });
        Ok(Player {
            native,
            timeline: Timeline::default(),
            assignment,
            outlet,
            requests,
            wake,
            name,
            interfaces: Vec::new(),
            clock: Clock::new(pace),
            is_watched,
            due_ns: 0,
            intervals_ns: BEGIN_NS,
            read_ns: BEGIN_NS,
            ends_ns: BEGIN_NS.saturating_add(length_ns),
            is_time_up: false,
            heard: (Instant::now(), 0),
            unread: 0,
            until_attended: ATTEND_EVERY,
            is_empty: false,
            sample: CaptureSample {
                size,
                pace,
                ..CaptureSample::default()
            },
            is_finished: false,
        })
    }

    /// The capture describes another interface.
    pub(super) fn learn(&mut self, index: usize, interface: &Interface) {
        let name = display_name(interface.name.as_ref());
        let mut ifindex = None;
        if self.assignment.selection.takes(&interface.name) {
            let wanted = index as u32 + 1;
            match self.native.claim(wanted, name.clone()) {
                Ok(()) => ifindex = Some(wanted),
                Err(error) => self.say(&format!("{name}: {error:#}")),
            }
            if !link::is_supported(interface.link_type) {
                self.say(&format!(
                    "{name}: packets of link type {} are only counted, as other",
                    link::describe(interface.link_type)
                ));
            }
        }
        self.interfaces.push(Known {
            name: interface.name.clone(),
            ifindex,
            has_large_frames: false,
        });
    }

    fn say(&self, text: &str) {
        let text = format!("read {}: {text}", self.name);
        self.outlet.send(Update::Notice(text));
    }

    /// Counts packets that came together. Returns whether there may be more of them.
    pub(super) fn take_all(&mut self, packets: &[Packet], capture: &Capture) -> bool {
        for packet in packets.iter().skip(1) {
            let known = self.interfaces.get(packet.interface);
            if let Some(ifindex) = known.and_then(|known| known.ifindex) {
                let expected = shown(packet, capture.bytes(packet), ifindex, 0);
                self.native.expect(&expected);
            }
        }
        let used = self.sample.bytes_read as f64 * capture.used();
        self.sample.bytes_used = used as u64;
        let mut packets = packets.iter();
        packets.all(|packet| self.take(packet, capture.bytes(packet)))
    }

    /// Counts a packet, after all readings that are due before it. Returns whether there may be more of them.
    #[inline]
    fn take(&mut self, packet: &Packet, bytes: &[u8]) -> bool {
        let arrival_ns = self.timeline.place(packet.interface, packet.time_ns);
        self.until_attended -= 1;
        if self.until_attended == 0 {
            self.until_attended = ATTEND_EVERY;
            self.attend();
        }
        if (arrival_ns >= self.due_ns || self.is_finished) && !self.pass_marks(arrival_ns) {
            return false;
        }
        self.timeline.pass(packet.interface, arrival_ns);
        self.sample.packets += 1;
        let known = self.interfaces.get_mut(packet.interface);
        let Some((known, ifindex)) = known.and_then(|it| it.ifindex.map(|index| (it, index)))
        else {
            return true;
        };
        let is_first_large = packet.length > LONGEST_FRAME && !known.has_large_frames;
        known.has_large_frames |= is_first_large;
        self.native.show(&shown(packet, bytes, ifindex, arrival_ns));
        self.is_empty = false;
        if is_first_large {
            self.say_large(packet);
        }
        true
    }

    #[cold]
    fn say_large(&self, packet: &Packet) {
        self.say(&format!(
            "{}: a packet of {} bytes: jumbo frames, or packets that were joined before they were captured (GRO, TSO) and \
            count as one",
            display_name(self.interfaces[packet.interface].name.as_ref()),
            packet.length
        ));
    }

    pub(super) fn take_drops(&mut self, interface: usize, packets: u64) {
        let known = self.interfaces.get(interface);
        if let Some(ifindex) = known.and_then(|known| known.ifindex) {
            self.native.set_drops(ifindex, packets);
        }
    }

    pub(super) fn take_unplaced(&mut self) {
        self.sample.unplaced += 1;
    }

    fn refresh_ns(&self) -> u64 {
        self.assignment.refresh.as_nanos() as u64
    }

    /// The next reading is due a refresh period after that time.
    fn set_due_after(&mut self, ns: u64) {
        self.due_ns = (ns + self.refresh_ns()).min(self.ends_ns);
    }

    /// All readings that are due by then, each when its time has come. Returns whether the run goes on.
    fn pass_marks(&mut self, until_ns: u64) -> bool {
        if self.due_ns == 0 {
            self.set_due_after(BEGIN_NS);
            self.clock.set(self.clock.pace(), BEGIN_NS);
        }
        while self.due_ns <= until_ns {
            let due_ns = self.due_ns;
            self.is_time_up = due_ns == self.ends_ns;
            self.keep_pace(due_ns);
            if self.is_finished || self.is_time_up {
                return false;
            }
            // The refresh period may be another one by now.
            if self.due_ns == due_ns {
                let more = self.marks_to_join(until_ns);
                let mark_ns = due_ns + more * self.refresh_ns();
                self.read(mark_ns, 1 + more as u32);
                self.set_due_after(mark_ns);
            }
        }
        !self.is_finished
    }

    /// Further marks of a pause that are one reading with the one that is due: up to the last one at which an interval ends, if
    /// there is one. At a speed there are none: the pause takes its time.
    fn marks_to_join(&self, until_ns: u64) -> u64 {
        let is_long = until_ns - self.due_ns > LONG_PAUSE_NS;
        if !is_long || !self.is_empty || self.clock.pace().speed.is_some() {
            return 0;
        }
        let more = (until_ns.min(self.ends_ns - 1) - self.due_ns) / self.refresh_ns();
        let more = more.min(MOST_PERIODS);
        let number = (self.due_ns - self.intervals_ns) / self.refresh_ns() + more;
        let beyond = number % u64::from(self.assignment.refreshes);
        more.checked_sub(beyond).unwrap_or(more)
    }

    /// Waits until it is time for what comes then, and until the main thread has room for a reading.
    fn keep_pace(&mut self, ns: u64) {
        self.attend();
        loop {
            let patience = match self.unread >= MOST_UNREAD {
                true => None,
                false => self.clock.patience(ns),
            };
            if self.is_finished || patience.is_some_and(|patience| patience.is_zero()) {
                return;
            }
            self.wait(None, patience);
        }
    }

    fn read(&mut self, ns: u64, periods: u32) {
        let snapshot = Box::new(self.snapshot(ns));
        self.is_empty =
            snapshot.table.tracked == 0 && snapshot.flows.is_empty() && snapshot.freed.is_empty();
        self.unread += 1;
        self.outlet.send(Update::Snapshot { snapshot, periods });
        panics::panic_if_asked("sampler");
    }

    fn snapshot(&mut self, ns: u64) -> Snapshot {
        self.read_ns = ns;
        let mut snapshot = self.native.snapshot(ns, self.timeline.settled_ns());
        self.sample.wall_ns = self.timeline.wall_ns(ns);
        self.sample.clock_steps = self.timeline.steps();
        snapshot.capture = Some(self.sample);
        snapshot
    }

    /// Nothing more comes: the capture is at its end, or goes no further.
    pub(super) fn end(&mut self, fault: Option<&Fault>) {
        if self.is_finished {
            return;
        }
        self.sample.is_over = true;
        self.sample.bytes_used = self.sample.bytes_read;
        // When the time is up nothing more is read: that is no fault of the capture.
        if let Some(fault) = fault.filter(|_| !self.is_time_up) {
            self.sample.is_truncated = true;
            let packets = self.sample.packets + self.sample.unplaced;
            self.say(&format!("packet {packets} is the last one: {fault}"));
        }
        if self.sample.unplaced > 0 {
            self.say(&format!(
                "{} packets are of interfaces that it does not describe, and are not counted",
                self.sample.unplaced
            ));
        }
        for glob in self.assignment.selection.globs() {
            let mut names = self.interfaces.iter().map(|known| known.name.as_bytes());
            if !names.any(|name| glob.matches(name)) {
                let glob = display_name(glob.as_str().as_ref());
                self.say(&format!("watch {glob}: no interface in it has this name"));
            }
        }
        let last = self.is_watched.then(|| {
            // Nothing comes after this reading.
            self.ends_ns = self.end_ns();
            self.is_time_up = true;
            self.unread += 1;
            Box::new(self.snapshot(self.ends_ns))
        });
        self.outlet.send(Update::Played(last));
    }

    /// The end of the time, or the latest packet. An interval of next to no length would have no rates.
    fn end_ns(&self) -> u64 {
        let interval_ns = u64::from(self.assignment.refreshes) * self.refresh_ns();
        let began_ns = self.read_ns - (self.read_ns - self.intervals_ns) % interval_ns;
        let least_ns = began_ns + self.refresh_ns() / 10;
        let latest_ns = self.timeline.latest_ns().max(self.read_ns);
        match self.is_time_up {
            true => self.ends_ns,
            false => latest_ns.max(least_ns).min(self.ends_ns),
        }
    }

    /// The last numbers.
    pub(super) fn finish(&mut self) -> Snapshot {
        self.native.read_all_again();
        let end_ns = self.end_ns();
        self.snapshot(end_ns)
    }
}
