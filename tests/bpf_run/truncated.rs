//! Frames cut off at every length, with IP lengths that admit it and that do not.

use flowtop::model::rule::SequenceProfile;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;

use crate::duel::{Duel, SHORTEST};
use crate::reference::build::frame;
use crate::reference::generate::frame_spec;
use crate::reference::packet::{Gso, Link};
use crate::reference::spec::{Damage, Place};
use crate::support;

#[test]
fn frames_cut_off_at_every_length_are_judged_as_the_definitions_say() {
    if !support::root() {
        return;
    }
    let mut duel = Duel::begin(1 << 16);
    let mut runner = TestRunner::deterministic();
    let profile = SequenceProfile::OFF;
    duel.configure(vec![], profile).expect("no rules");
    for number in 0..60 {
        let spec = frame_spec()
            .new_tree(&mut runner)
            .expect("a frame")
            .current();
        let whole = frame(&spec, Place(number), Link::Ethernet, &profile, 1);
        for length in SHORTEST..whole.len().min(300) {
            let plain = &whole[..length];
            duel.show(0, Link::Ethernet, plain, Gso::default())
                .expect("a run");
            let share = length * 65536 / whole.len() + 1;
            let mut mended = spec.clone();
            mended.damage = vec![Damage::Truncate(share.min(65535) as u16, true)];
            let mended = frame(&mended, Place(number), Link::Ethernet, &profile, 1);
            duel.show(1, Link::Ethernet, &mended, Gso::default())
                .expect("a run");
        }
        duel.compare()
            .unwrap_or_else(|error| panic!("{spec:#?}\n{error:#}"));
    }
}
