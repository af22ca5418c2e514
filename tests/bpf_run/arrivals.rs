//! Gaps between arrivals: the program's sums against sums over the arrival times themselves.

use std::time::Duration;

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
