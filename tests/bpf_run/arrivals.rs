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

/// Shows a frame and gives the time of its arrival, as the program took it, to the reference.
fn arrive(duel: &mut Duel<flowtop::probe::Probe>, bytes: &[u8], gaps: &mut Gaps) {
    duel.show(0, Link::Ethernet, bytes, Default::default())
        .expect("a run");
    duel.read().expect("a flow of the reference's");
    let sample = duel.samples().next().expect("one flow");
    gaps.observe(sample.last_seen_ns);
    let wanted = GapSums {
        count: gaps.gaps.len() as u64,
        sum: gaps.sum() as u64,
        squares: gaps.squares() % GapSums::MODULUS,
    };
    assert_eq!((sample.gaps, sample.epoch), (wanted, gaps.epoch()));
}

#[test]
fn gaps_add_up_to_the_nanosecond_and_a_pause_begins_an_epoch() {
    if !support::root() {
        return;
    }
    let mut duel = Duel::begin(1000);
    let spec = FrameSpec::plain(Transport::Udp(UdpLength::Right), 100);
    let bytes = frame(&spec, Place(1), Link::Ethernet, &SequenceProfile::OFF, 0);
    let mut gaps = Gaps::default();
    for _ in 0..500 {
        arrive(&mut duel, &bytes, &mut gaps);
    }
    // The clock itself is what is tested: nothing else could be waited for.
    std::thread::sleep(Duration::from_millis(1500));
    arrive(&mut duel, &bytes, &mut gaps);
    std::thread::sleep(Duration::from_millis(2001));
    for _ in 0..100 {
        arrive(&mut duel, &bytes, &mut gaps);
    }
    assert!(gaps.epoch() >= 2, "the pause ended the first epoch");
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
    let mut duel = Duel::begin(1000);
    let spec = FrameSpec::plain(Transport::Udp(UdpLength::Right), 100);
    let bytes = frame(&spec, Place(1), Link::Ethernet, &SequenceProfile::OFF, 0);
    let mut gaps = Gaps::default();
    (0..20).for_each(|_| arrive(&mut duel, &bytes, &mut gaps));
    let key = duel.samples().next().expect("one flow").key;
    duel.subject().focus(vec![key]);
    // It has its histogram from the next reading on.
    arrive(&mut duel, &bytes, &mut gaps);
    let before = gaps.gaps.len();
    for n in 0..400_u64 {
        // From nothing to 30 ms, so that many buckets are met; how long it really took is told by the program.
        std::thread::sleep(Duration::from_micros((1 << (n % 16)) - 1));
        arrive(&mut duel, &bytes, &mut gaps);
    }
    let mut counted = gaps.gaps.split_off(before);
    std::thread::sleep(Duration::from_millis(2001));
    arrive(&mut duel, &bytes, &mut gaps);
    assert!(gaps.gaps.is_empty(), "the pause is no gap");

    let histograms = duel.subject().histograms();
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

    duel.subject().focus(Vec::new());
    assert!(duel.subject().histograms().is_empty());
}
