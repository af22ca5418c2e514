//! What a glance at a flow tells: for nearly all of a million flows it will do.

use super::excess::Excess;
use super::{Flow, Trouble};
use crate::model::counts::Sequence;

/// What is told of a flow without looking further, in half a word: its cache line has no more room.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Glance {
    /// Packets beyond arrivals, since the start or the latest reset.
    pub(super) excess: Excess,
    /// Which [`Mark`]s there are, a bit each.
    marks: u8,
}

/// What holds of a flow or does not.
#[derive(Debug, Clone, Copy)]
#[repr(u8)]
pub(super) enum Mark {
    /// The latest interval was empty, and as long as no packet comes, so are the next ones.
    Settled = 1,
    /// It is silent, and may come to be so for too long.
    AwaitsPackets = 2,
    /// Something is the matter with it.
    InTrouble = 4,
    /// Packets came one after the other, and nothing else has happened. Without it: it is not known.
    Uneventful = 8,
    /// What its IP headers say is counted.
    IpCounted = 16,
}

impl Glance {
    /// Whether this holds.
    #[inline]
    pub(super) fn has(self, mark: Mark) -> bool {
        self.marks & mark as u8 != 0
    }

    /// Says whether this holds.
    #[inline]
    pub(super) fn set(&mut self, mark: Mark, holds: bool) {
        // No branch: what holds of one flow says nothing of the next.
        self.marks = self.marks & !(mark as u8) | (u8::from(holds) * mark as u8);
    }
}

impl Flow {
    /// Whether aggregates came, each of them one arrival: its inter-arrival time and jitter are theirs.
    pub fn comes_in_aggregates(&self) -> bool {
        self.glance.excess.is_certain()
    }

    /// Whether packets came one after the other, and nothing else has happened since the start or the latest reset: no gap,
    /// no pause, nothing late. False: it may have.
    #[inline]
    pub fn is_uneventful(&self) -> bool {
        self.glance.has(Mark::Uneventful)
    }

    /// Whether the flow is far from its own past.
    #[inline]
    pub(super) fn is_in_trouble(&self) -> bool {
        self.glance.has(Mark::InTrouble)
    }

    /// How the flow is far from its own past; `None` where it is not.
    #[inline]
    pub fn trouble(&self) -> Option<&Trouble> {
        match self.is_in_trouble() {
            true => self.its_trouble(),
            false => None,
        }
    }

    /// Not inlined: what is not told at a glance would be read of every flow, whether it is asked for or not.
    #[cold]
    #[inline(never)]
    fn its_trouble(&self) -> Option<&Trouble> {
        self.watched.trouble()
    }

    /// Says what is the matter with the flow now.
    pub fn set_trouble(&mut self, trouble: Option<Trouble>) {
        self.glance.set(Mark::InTrouble, trouble.is_some());
        self.watched.set_trouble(trouble);
    }

    /// Looks whether it is uneventful so far, after a sample with or without what its IP headers said.
    #[inline]
    pub(super) fn update_glance(&mut self, counts_ip: bool) {
        let in_order = |s: &Sequence| {
            s.small_errors | s.big_errors | s.lost | s.restarts | s.reverse_errors == 0
        };
        let sequence = self.counts.sequence.as_ref();
        let is_uneventful = self.jitter_epochs == 1 && sequence.is_none_or(in_order);
        self.glance.set(Mark::Settled, false);
        self.glance.set(Mark::Uneventful, is_uneventful);
        self.glance.set(Mark::IpCounted, counts_ip);
    }

    /// Appends another interval without a packet; false: it is not known what it would come to.
    pub(super) fn repeat_if_settled(&mut self) -> bool {
        let is_settled = self.glance.has(Mark::Settled);
        if is_settled {
            self.history.motion.repeat();
            self.history.lost.repeat();
        }
        is_settled
    }
}

#[cfg(test)]
mod tests {
    use crate::model::counts::Sequence;
    use crate::model::snapshot::FlowSample;
    use crate::model::tracker::advance::tests::{sample, snapshot, tracker, with_numbers};

    #[test]
    fn a_flow_is_uneventful_until_anything_happens_that_events_tell_of() {
        let changes: [fn(&mut Sequence, &mut u32); 12] = [
            |_, _| (),
            |numbers, _| (numbers.received, numbers.absent) = (9, 3),
            |numbers, _| numbers.lost = 1,
            |numbers, _| numbers.small_errors = 1,
            |numbers, _| numbers.big_errors = 1,
            |numbers, _| numbers.reverse_errors = 1,
            |numbers, _| numbers.restarts = 1,
            |_, epoch| *epoch = 2,
            |numbers, _| (numbers.small_errors, numbers.big_errors) = (1, 1),
            |numbers, _| (numbers.big_errors, numbers.lost) = (1, 1),
            |numbers, _| (numbers.lost, numbers.restarts) = (1, 1),
            |numbers, _| (numbers.restarts, numbers.reverse_errors) = (1, 1),
        ];
        for (which, change) in changes.into_iter().enumerate() {
            let mut tracker = tracker();
            let mut numbers = Sequence::default();
            let mut epoch = 1;
            for second in 1..4 {
                let flow = with_numbers(sample(0, 1, 5, second), Some(numbers));
                let flow = FlowSample { epoch, ..flow };
                tracker.advance_and_close(&snapshot(second, &[flow], &[]));
                let is_uneventful = tracker.report().flows[0].is_uneventful();
                assert_eq!(is_uneventful, which < 2 || second == 1, "{which}");
                change(&mut numbers, &mut epoch);
            }
        }
    }
}
