//! The same source in this process: generated frames against the same reference, without any right.

use crate::duel::Duel;
use crate::generated::run_cases;
use crate::reference::generate::case;
use crate::reference::packet::Link;

const CASES: u32 = 400;
const FRAMES: usize = 640;

#[test]
fn generated_frames_are_judged_in_this_process_as_the_definitions_say() {
    let (frames, kinds) = run_cases(
        Duel::in_process(1 << 16),
        CASES,
        Link::Ethernet,
        case(FRAMES),
    );
    assert!(frames > 100_000, "{frames} frames only");
    let reasons = flowtop::model::snapshot::Malformed::ALL.map(|reason| reason.name().to_string());
    let missing: Vec<_> = reasons.iter().filter(|r| !kinds.contains_key(*r)).collect();
    assert!(missing.is_empty(), "never made: {missing:?} in {kinds:#?}");
}

#[test]
fn so_are_those_without_an_ethernet_header() {
    let (frames, kinds) = run_cases(Duel::in_process(1 << 16), 40, Link::Ip, case(FRAMES));
    assert!(
        frames > 5000 && kinds.len() > 15,
        "{frames} frames of {kinds:#?}"
    );
}
