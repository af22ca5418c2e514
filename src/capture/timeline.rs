//! Where packets stand in a time that goes on, whatever their clocks do.
//!
//! Time stamps of a capture may go back: a little where several queues were read, by hours where files were joined or a clock was
//! set. Numbers need a time that does not, and people want to see the packets' own.

/// When the first packet comes: far enough from 0 for what is a little earlier.
pub const BEGIN_NS: u64 = 1_000_000_000_000;
/// A packet that is earlier than one before it by more than this comes after a step of the clock; and as much lies between
/// the two then, so that no flow takes it for a gap: as JITTER_STOP_NS of types.h.
pub const STEP_NS: u64 = 2_000_000_000;
/// Time stands still there: some 146 years later.
const LATEST_NS: u64 = 1 << 62;

/// The time of a capture.
#[derive(Debug, Clone)]
pub struct Timeline {
    /// What is added to the stamps of each interface, ns; `None`: none came yet.
    offsets: Vec<Option<i128>>,
    /// The latest packet so far, and its offset.
    latest_ns: u64,
    offset: i128,
    steps: u64,
}

impl Default for Timeline {
    /// No packet has come. Without a stamp, a capture begins when time does.
    fn default() -> Timeline {
        Timeline {
            offsets: Vec::new(),
            latest_ns: 0,
            offset: BEGIN_NS.into(),
            steps: 0,
        }
    }
}

impl Timeline {
    /// When the packet that comes next comes, ns: not before `latest_ns` less [`STEP_NS`]. One without a stamp comes with the
    /// latest one. What [`wall_ns`](Self::wall_ns) says is not changed until [`pass`](Self::pass).
    #[inline]
    pub fn place(&mut self, interface: usize, stamp_ns: Option<u64>) -> u64 {
        let Some(stamp) = stamp_ns.map(i128::from) else {
            return self.latest_ns.max(BEGIN_NS);
        };
        match self.offsets.get(interface) {
            Some(Some(offset)) => {
                let ns = stamp + offset;
                match ns + i128::from(STEP_NS) >= i128::from(self.latest_ns) {
                    true => ns.min(LATEST_NS.into()) as u64,
                    false => self.step(interface, stamp),
                }
            }
            _ => self.begin(interface, stamp),
        }
    }

    /// Of an interface's first packet: by the clock of the others, if that is possible.
    #[cold]
    fn begin(&mut self, interface: usize, stamp: i128) -> u64 {
        // Packets without stamps may have come before.
        if self.offsets.iter().all(Option::is_none) {
            self.latest_ns = self.latest_ns.max(BEGIN_NS);
            self.offset = i128::from(self.latest_ns) - stamp;
        }
        let known = self.offsets.len().max(interface + 1);
        self.offsets.resize(known, None);
        self.offsets[interface] = Some(self.offset);
        self.place(interface, u64::try_from(stamp).ok())
    }

    #[cold]
    fn step(&mut self, interface: usize, stamp: i128) -> u64 {
        self.steps += 1;
        let pause = STEP_NS + 1;
        // The others pause, too: they would be behind from here on.
        for offset in self.offsets.iter_mut().flatten() {
            *offset += i128::from(pause);
        }
        let ns = (self.latest_ns + pause).min(LATEST_NS);
        self.offsets[interface] = Some(i128::from(ns) - stamp);
        ns
    }

    /// The packet that was placed has come.
    #[inline]
    pub fn pass(&mut self, interface: usize, ns: u64) {
        self.latest_ns = self.latest_ns.max(ns);
        if let Some(Some(offset)) = self.offsets.get(interface) {
            self.offset = *offset;
        }
    }

    /// The latest packet that has come; 0: none.
    pub fn latest_ns(&self) -> u64 {
        self.latest_ns
    }

    /// No packet that is still to come is placed before.
    pub fn settled_ns(&self) -> u64 {
        self.latest_ns.saturating_sub(STEP_NS)
    }

    /// This time by the clock of the latest packet, ns since 1970.
    pub fn wall_ns(&self, ns: u64) -> i128 {
        i128::from(ns) - self.offset
    }

    /// How often a clock went back.
    pub fn steps(&self) -> u64 {
        self.steps
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_stamp_a_capture_begins_when_time_does() {
        let mut timeline = Timeline::default();
        assert_eq!(timeline.place(0, None), BEGIN_NS);
        timeline.pass(0, BEGIN_NS);
        assert_eq!(timeline.wall_ns(BEGIN_NS), 0);
    }

    const SECOND: u64 = 1_000_000_000;
    const HOUR: u64 = 3600 * SECOND;

    /// Where these packets come, from the first one on.
    fn placed(packets: &[(usize, u64)]) -> (Vec<i64>, Timeline) {
        let mut timeline = Timeline::default();
        let times = packets.iter().map(|(interface, stamp)| {
            let settled_ns = timeline.settled_ns();
            let ns = timeline.place(*interface, Some(*stamp));
            assert!(ns >= settled_ns, "{ns} before {settled_ns}");
            timeline.pass(*interface, ns);
            ns as i64 - BEGIN_NS as i64
        });
        (times.collect(), timeline)
    }

    #[test]
    fn packets_come_when_they_say() {
        let (times, timeline) = placed(&[(0, HOUR), (0, HOUR + 7), (1, HOUR + 5), (0, 3 * HOUR)]);
        assert_eq!(times, [0, 7, 5, 2 * HOUR as i64]);
        assert_eq!(timeline.wall_ns(timeline.latest_ns()), 3 * i128::from(HOUR));
        assert_eq!(timeline.steps(), 0);
    }

    #[test]
    fn a_little_earlier_is_earlier_and_much_earlier_is_a_step() {
        let (times, timeline) = placed(&[
            (0, 5 * SECOND),
            (0, 3 * SECOND),
            (0, 5 * SECOND),
            (0, 3 * SECOND - 1),
            (0, 3 * SECOND),
        ]);
        let step = STEP_NS as i64 + 1;
        assert_eq!(times, [0, -(STEP_NS as i64), 0, step, step + 1]);
        assert_eq!(timeline.steps(), 1);
        assert_eq!(
            timeline.wall_ns(timeline.latest_ns()),
            3 * i128::from(SECOND)
        );
    }

    #[test]
    fn clocks_that_are_hours_apart_step_once() {
        let packets: Vec<(usize, u64)> = (0..1000)
            .map(|n| (n % 2, (1 + n as u64 % 2 * 3) * HOUR + n as u64))
            .collect();
        let (times, timeline) = placed(&packets);
        assert_eq!(timeline.steps(), 1);
        assert!(times[1..].is_sorted());
    }

    #[test]
    fn what_cannot_be_a_time_overflows_nothing() {
        let packets: Vec<(usize, u64)> = (0..1000).map(|n| (0, n % 2 * u64::MAX)).collect();
        let (times, timeline) = placed(&packets);
        assert!(times.is_sorted() && timeline.steps() > 0);
        let (times, _) = placed(&[(0, u64::MAX), (0, 0), (0, u64::MAX)]);
        assert!(times.is_sorted());
    }

    #[test]
    fn a_packet_without_a_time_comes_with_the_latest_one() {
        let mut timeline = Timeline::default();
        assert_eq!(timeline.place(0, None), BEGIN_NS);
        timeline.pass(0, BEGIN_NS);
        assert_eq!(timeline.place(0, None), BEGIN_NS);
    }

    #[test]
    fn the_first_stamp_makes_no_gap_behind_packets_without_a_time() {
        let mut timeline = Timeline::default();
        timeline.pass(0, BEGIN_NS);
        for (interface, stamp) in [(1, 5 * HOUR), (0, 5 * HOUR + 7), (1, 6 * HOUR)] {
            let ns = timeline.place(interface, Some(stamp));
            timeline.pass(interface, ns);
            assert_eq!(ns - BEGIN_NS, stamp - 5 * HOUR);
            assert_eq!(timeline.wall_ns(ns), i128::from(stamp));
        }
        assert_eq!(timeline.steps(), 0);
    }
}
