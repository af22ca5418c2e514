//! The same source in this process: generated frames against the same reference, without any right.

use crate::duel::Duel;
use crate::generated::{CASES, FRAMES, assert_all_reasons, run_cases};
use crate::reference::generate::case;
use crate::reference::packet::Link;

#[test]
fn generated_frames_are_judged_in_this_process_as_the_definitions_say() {
    let (frames, kinds) = run_cases(
        Duel::in_process(1 << 16),
        CASES,
        Link::Ethernet,
        case(FRAMES),
    );
    assert!(frames > 100_000, "{frames} frames only");
    assert_all_reasons(&kinds);
}

#[test]
fn so_are_those_without_an_ethernet_header() {
    let (frames, kinds) = run_cases(Duel::in_process(1 << 16), 40, Link::Ip, case(FRAMES));
    assert!(
        frames > 5000 && kinds.len() > 15,
        "{frames} frames of {kinds:#?}"
    );
}
