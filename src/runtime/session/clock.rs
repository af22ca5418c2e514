//! When a run begins, when its intervals are over, and when it ends itself.

use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::Session;
use crate::cli::Arguments;
use crate::model::snapshot::Snapshot;
use crate::recording::Entry;
use crate::runtime::happening::{Happening, TIME_IS_UP};
use crate::runtime::updates::Update;
use crate::runtime::wake;

/// An interval that ends with the run must not be cut short by a scheduling delay.
const GRACE: Duration = Duration::from_millis(20);
/// After a second signal a collector that takes nothing for this long is not waited for: some send each signal twice (timeout(1)
/// does).
const HURRY: Duration = Duration::from_secs(1);
/// Nor is one that takes longer than this.
const LAST_HURRY: Duration = Duration::from_secs(5);

/// When a run that began then is to end, if that is known. A capture ends in packet time, which is another matter.
pub(super) fn end_of(arguments: &Arguments, began: Instant) -> Option<Instant> {
    let duration = arguments.output.duration;
    let duration = duration.filter(|_| arguments.read.is_none())?;
    Some(began + duration + GRACE)
}

impl Session {
    /// Counts a snapshot of a run that waits for a flow, and begins the run if this has it.
    pub(super) fn await_first(&mut self, snapshot: Box<Snapshot>) {
        let unit = self.reload.config().appearance.unit;
        let waiting = self.waiting.as_ref();
        let taken_ns = snapshot.taken_ns;
        let began = waiting.and_then(|it| it.sift(&mut self.tracker, &snapshot, unit));
        self.record(Entry::Snapshot {
            snapshot,
            closes: 0,
        });
        if let Some(began_ns) = began {
            self.waiting = None;
            let past = Duration::from_nanos(taken_ns.saturating_sub(began_ns));
            let began = Instant::now().checked_sub(past);
            self.ends = began.and_then(|began| end_of(&self.arguments, began));
        } else {
            self.record(Entry::Close(0));
            self.record(Entry::Reset);
            self.refreshes = 0;
            self.sampler.reset_histograms();
        }
    }

    /// Whether the run is to end. Returns how many throughput intervals end now, as one.
    pub(super) fn check_clock(&mut self, happenings: &mut Vec<Happening>) -> Option<u64> {
        let intervals = self.intervals_over();
        if self.ends_within(Duration::ZERO) || intervals > 0 && self.ends_within(GRACE) {
            happenings.push(TIME_IS_UP);
            return None;
        }
        if intervals == 0 || self.holds_intervals || self.is_last_interval() {
            return None;
        }
        if let Some(left) = &mut self.records_left {
            *left = left.saturating_sub(1);
            if *left == 0 {
                happenings.push(TIME_IS_UP);
                return None;
            }
        }
        self.refreshes %= self.timing.refreshes;
        Some(intervals)
    }

    /// Throughput intervals that are over and have not been closed.
    pub(super) fn intervals_over(&self) -> u64 {
        (self.refreshes / self.timing.refreshes).into()
    }

    fn ends_within(&self, time: Duration) -> bool {
        self.ends.is_some_and(|end| Instant::now() + time >= end)
    }

    /// Whether what is left until the end is too short for an interval of its own: this one goes on.
    pub(super) fn is_last_interval(&self) -> bool {
        let is_counted_out = self.records_left.is_some_and(|left| left <= 1);
        self.ends_within(GRACE + self.timing.refresh / 4) && !is_counted_out
    }

    /// Whether intervals that are over are held back: they are closed together once they no longer are.
    pub fn hold_intervals(&mut self, hold: bool) {
        self.holds_intervals = hold;
    }

    /// Intervals that are over and held back.
    pub(super) fn intervals_waiting(&self) -> u64 {
        match self.holds_intervals {
            true => self.intervals_over(),
            false => 0,
        }
    }

    /// Whether a signal has asked once more for the end of a run that is ending or has ended.
    pub fn is_urged(&mut self) -> bool {
        let mut updates = self.inlet.receive().into_iter();
        self.is_urged |= updates.any(|update| matches!(update, Update::End { .. }));
        self.is_urged
    }

    /// Waits until the collector has all records, or somebody is in a hurry and it is slow.
    fn finish_export(&mut self) -> Option<String> {
        let mut export = self.ipfix.take()?;
        export.begin_end();
        let (mut urged, mut taken) = (None, (0, Instant::now()));
        while !export.has_ended() {
            let (now, messages) = (Instant::now(), export.counts().messages);
            if self.is_urged() && (urged.is_none() || messages != taken.0) {
                urged.get_or_insert(now);
                taken = (messages, now);
            }
            let end = urged.map(|urged| (urged + LAST_HURRY).min(taken.1 + HURRY));
            if end.is_some_and(|end| now >= end) {
                export.give_up();
                break;
            }
            // It tells of nothing but its end.
            let patience = end.map_or(PollTimeout::NONE, |end| {
                wake::timeout((end - now).min(HURRY / 10))
            });
            let mut fds = [
                PollFd::new(self.wake(), PollFlags::POLLIN),
                PollFd::new(export.as_fd(), PollFlags::empty()),
            ];
            // Interrupted: the loop looks at everything anyway.
            let _ = poll(&mut fds, patience);
        }
        let unsent = export.finish();
        self.ipfix = Some(export);
        unsent
    }

    /// Stops counting. The report is then that of the whole run, and its last interval consists of the unfinished one and
    /// those that were held back; returns their number.
    pub fn finish(&mut self) -> u64 {
        let mut intervals = 1;
        if let Some(last) = self.sampler.finish() {
            self.received.extend(self.inlet.receive());
            while let Some(update) = self.received.pop_front() {
                match update {
                    Update::Snapshot { snapshot, periods } => {
                        self.refreshes = self.refreshes.saturating_add(periods);
                        self.count(Some(snapshot), 0);
                    }
                    Update::Ruled(version, rules) => self.set_rules(version, rules),
                    Update::Zero => {
                        self.apply_entry(Entry::Reset);
                        self.was_reset_at_end = true;
                    }
                    Update::End { .. } => self.is_urged = true,
                    _ => {}
                }
            }
            intervals = self.intervals_over().max(1);
            if self.waiting.is_some() {
                self.count(Some(Box::new(last)), 0);
                self.count(None, intervals);
            } else {
                self.count(Some(Box::new(last)), intervals);
            }
            self.farewell = self.finish_export();
        }
        self.kept.end();
        self.demo = None;
        intervals
    }
}
