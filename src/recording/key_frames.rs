//! When a key frame is due: so often that a jump has little to read behind one, and so seldom that they cost little.

use super::entry::Entry;
use crate::model::tracker::Report;

/// There is one this often at least, ns.
pub const KEY_EVERY_NS: u64 = 20_000_000_000;
/// Samples behind one at most, for each flow that it has; and as if it had as many as this. A flow takes three times as long in
/// a key frame as in a frame, and hardly more room than one of which much is to be told.
const SAMPLES_OF_A_FLOW: usize = 5;
const LEAST_FLOWS: usize = 65_536;

/// What came since the latest key frame.
#[derive(Debug)]
pub struct KeyFrames {
    latest_ns: u64,
    samples: usize,
}

impl KeyFrames {
    /// The first one was made at `now_ns`, CLOCK_MONOTONIC.
    pub fn begin(now_ns: u64) -> KeyFrames {
        KeyFrames {
            latest_ns: now_ns,
            samples: 0,
        }
    }

    /// Takes note of an entry behind which the tracker reports this. Whether a key frame is to be made now, which only a reading
    /// can be in front of; `is_wanted`: somebody cannot go on without one.
    pub fn are_due(&mut self, entry: &Entry, report: &Report, is_wanted: bool) -> bool {
        let Entry::Snapshot { snapshot, .. } = entry else {
            return false;
        };
        self.samples += snapshot.flows.len();
        let most = SAMPLES_OF_A_FLOW * report.flows.len().max(LEAST_FLOWS);
        let elapsed_ns = report.taken_ns.saturating_sub(self.latest_ns);
        let is_due = is_wanted || elapsed_ns >= KEY_EVERY_NS || self.samples >= most;
        if is_due {
            *self = KeyFrames::begin(report.taken_ns);
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::flow::FlowKey;
    use crate::model::flow::Protocol::Udp;
    use crate::model::snapshot::{FlowSample, Snapshot};
    use crate::model::tracker::{FlowTracker, Intervals};

    /// Seconds at which key frames are made within a minute, where so many flows of so many have packets in each.
    fn seconds(flows: u32, active: u32) -> Vec<u64> {
        const SECOND: u64 = 1_000_000_000;
        let intervals = Intervals {
            refresh_ns: SECOND,
            jitter_ns: SECOND,
        };
        let mut tracker = FlowTracker::new(intervals, 0);
        let sample = |slot: u32| {
            let source = ([10, 0, 0, 1], 1024);
            let target = ([10, 1, (slot >> 8) as u8, slot as u8], (slot >> 16) as u16);
            FlowSample::new(slot, FlowKey::incoming(1, Udp, source, target))
        };
        let mut key_frames = KeyFrames::begin(0);
        let mut are_due = |second: &u64| {
            let active = if *second == 1 { flows } else { active };
            let snapshot = Box::new(Snapshot {
                taken_ns: second * SECOND,
                flows: (0..active).map(sample).collect(),
                ..Snapshot::default()
            });
            let closes = 0;
            let entry = Entry::Snapshot { snapshot, closes };
            entry.apply(&mut tracker);
            let report = tracker.report();
            assert!(!key_frames.are_due(&Entry::Reset, report, true));
            key_frames.are_due(&entry, report, *second == 31)
        };
        (1..=60).filter(&mut are_due).collect()
    }

    #[test]
    fn they_come_three_times_a_minute_and_more_often_where_a_jump_had_too_much_to_read() {
        assert_eq!(seconds(0, 0), [20, 31, 51]);
        assert_eq!(seconds(1000, 1000), [20, 31, 51]);
        assert_eq!(seconds(65_536, 16_000), [18, 31, 51]);
        let each_fifth = [5, 10, 15, 20, 25, 30, 31, 36, 41, 46, 51, 56];
        assert_eq!(seconds(65_536, 65_536), each_fifth);
        // Of more flows it takes longer, and costs no larger part.
        assert_eq!(seconds(100_000, 100_000), each_fifth);
    }
}
