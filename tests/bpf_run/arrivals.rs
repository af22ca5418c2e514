//! Gaps between arrivals: the program's sums and histogram against the arrival times themselves.

use std::time::Duration;

use flowtop::model::histogram::bucket_of;
use flowtop::model::rule::SequenceProfile;
use flowtop::model::snapshot::GapSums;

use crate::duel::Duel;
use crate::reference::build::frame;
use crate::reference::gaps::Gaps;
use crate::reference::packet::Link;
use crate::reference::spec::{FrameSpec, Place, Transport, UdpLength};
use crate::support;

/// A flow that is shown to the program, and when its packets arrived.
pub struct Arrivals {
    duel: Duel<flowtop::probe::Probe>,
    frame: Vec<u8>,
    gaps: Gaps,
}

impl Arrivals {
    pub fn begin() -> Arrivals {
        let spec = FrameSpec::plain(Transport::Udp(UdpLength::Right), 100);
        Arrivals {
            duel: Duel::begin(1000),
            frame: frame(&spec, Place(1), Link::Ethernet, &SequenceProfile::OFF, 0),
            gaps: Gaps::default(),
        }
    }

    /// The number of the epoch, by the reference.
    pub fn epoch(&self) -> u32 {
        self.gaps.epoch()
    }

    /// Shows a frame and gives the time of its arrival, as the program took it, to the reference.
    pub fn arrive(&mut self) {
        self.duel
            .show(0, Link::Ethernet, &self.frame, Default::default())
            .expect("a run");
        self.duel.read().expect("a flow of the reference's");
        let sample = self.duel.samples().next().expect("one flow");
        self.gaps.observe(sample.last_seen_ns);
        let wanted = GapSums {
            count: self.gaps.gaps.len() as u64,
            sum: self.gaps.sum() as u64,
            squares: self.gaps.squares() % GapSums::MODULUS,
        };
        assert_eq!((sample.gaps, sample.epoch), (wanted, self.gaps.epoch()));
    }
}

#[test]
fn gaps_add_up_to_the_nanosecond_and_a_pause_begins_an_epoch() {
    if !support::root() {
        return;
    }
    let mut flow = Arrivals::begin();
    for _ in 0..500 {
        flow.arrive();
    }
    // The clock itself is what is tested: nothing else could be waited for.
    std::thread::sleep(Duration::from_millis(1500));
    flow.arrive();
    std::thread::sleep(Duration::from_millis(2001));
    for _ in 0..100 {
        flow.arrive();
    }
    assert!(flow.gaps.epoch() >= 2, "the pause ended the first epoch");
}

/// The gap at this percentile, by the nearest rank.
fn exact_percentile(sorted: &[u64], percentile: u64) -> u64 {
    let rank = (sorted.len() as u64 * percentile).div_ceil(100);
    sorted[rank as usize - 1]
}

/// The bucket of a gap by its limits: 0, 1, and from there on a power of two and one and a half of it.
fn limits_around(gap: u64) -> (u64, u64) {
    let powers = (1..33).flat_map(|e| [1 << e, 3 << (e - 1)]);
    let limits: Vec<u64> = [0, 1].into_iter().chain(powers).collect();
    let above = limits
        .iter()
        .position(|limit| *limit > gap)
        .expect("below 2 s");
    (limits[above - 1], limits[above])
}

#[test]
fn the_histogram_of_a_focused_flow_is_that_of_its_gaps() {
    if !support::root() {
        return;
    }
    let mut flow = Arrivals::begin();
    (0..20).for_each(|_| flow.arrive());
    let key = flow.duel.samples().next().expect("one flow").key;
    flow.duel.subject().focus(vec![key]);
    // It has its histogram from the next reading on.
    flow.arrive();
    let before = flow.gaps.gaps.len();
    for n in 0..400_u64 {
        // From nothing to 30 ms, so that many buckets are met; how long it really took is told by the program.
        std::thread::sleep(Duration::from_micros((1 << (n % 16)) - 1));
        flow.arrive();
    }
    let mut counted = flow.gaps.gaps.split_off(before);
    std::thread::sleep(Duration::from_millis(2001));
    flow.arrive();
    assert!(flow.gaps.gaps.is_empty(), "the pause is no gap");

    let histograms = flow.duel.subject().histograms();
    let [(found, histogram)] = &histograms[..] else {
        panic!("one flow is in focus: {histograms:?}");
    };
    assert_eq!((*found, histogram.total()), (key, 400));
    counted.sort_unstable();
    for group in counted.chunk_by(|a, b| limits_around(*a) == limits_around(*b)) {
        let count = histogram.counts[bucket_of(group[0])];
        assert_eq!(count, group.len() as u64, "{:?}", limits_around(group[0]));
    }
    for percentile in [50, 95, 99] {
        let exact = exact_percentile(&counted, percentile);
        let (low, high) = limits_around(exact);
        let shown = histogram.percentile(percentile as f64).expect("gaps");
        assert!(
            (low as f64..=high as f64).contains(&shown),
            "p{percentile}: {shown}, exact {exact}"
        );
    }
    let longest = counted[counted.len() - 1];
    assert_eq!(histogram.max(), Some(limits_around(longest).1 - 1));

    flow.duel.subject().focus(Vec::new());
    assert!(flow.duel.subject().histograms().is_empty());
}
