//! A change of rules that the kernel does not let come to its end: what is told of it is what packets meet.

use flowtop::model::flow::Protocol;
use flowtop::model::rule::{Rule, SequenceProfile};
use flowtop::probe::{Options, Probe, TestContext};

use crate::arrivals::any;
use crate::support;
use crate::support::frames::Udp;
use crate::support::pair::{self, Pair, RECEIVER_LINK};
use crate::support::seccomp;

/// What bpf(2) is told to write an entry of a map: rules that name no address have none to write, so that of a change
/// of ports only the wait for running packets is left.
const MAP_UPDATE: u32 = 2;
const PORTS: std::ops::Range<u16> = 5000..5006;

fn only(port: u16) -> [Rule; 1] {
    [Rule {
        name: format!("to {port}"),
        destination_ports: vec![port..=port],
        protocols: vec![Protocol::Udp],
        ..any(false)
    }]
}

/// The ports whose packets are flows, and not filtered: one of each is shown to the program.
fn admitted(probe: &mut Probe) -> Vec<u16> {
    const LOOPBACK: u32 = 1;
    let mut is_admitted = |port: &u16| {
        let before = probe.interface_totals(LOOPBACK);
        let frame = Udp::to_port(*port).frame();
        let shown = probe.test_frame(&frame, TestContext::default(), 1);
        shown.expect("show a frame");
        let after = probe.interface_totals(LOOPBACK);
        assert_eq!(after.seen.packets, before.seen.packets + 1);
        after.filtered == before.filtered
    };
    PORTS.filter(|port| is_admitted(port)).collect()
}

fn change(probe: &mut Probe, port: u16) -> Result<u8, String> {
    let changed = probe.apply_rules(&only(port), &SequenceProfile::OFF);
    changed.map_err(|error| format!("{error:#}"))
}

fn check_that_what_is_told_is_so() {
    let pair = Pair::quiet();
    let link = pair::link(&pair.receiver, RECEIVER_LINK);
    pair.receiver.enter().expect("enter the namespace");
    let mut probe = Probe::load(&Options::default()).expect("load");
    probe.attach(&link).expect("attach");
    // Both halves of the maps have what rules without addresses need.
    for port in [5000, 5001] {
        change(&mut probe, port).expect("rules");
        assert_eq!(admitted(&mut probe), [port]);
    }
    seccomp::answer_thread(libc::SYS_bpf, Some(MAP_UPDATE), libc::ENOMEM);
    change(&mut probe, 5002).expect("in force before the wait that fails");
    assert_eq!(admitted(&mut probe), [5002]);
    for port in [5003, 5004] {
        let error = change(&mut probe, port).expect_err("packets may still be reading");
        let told = "wait for packets under the former rules: Cannot allocate memory (os error 12)";
        assert_eq!(error, told);
        assert_eq!(admitted(&mut probe), [5002], "as told");
    }
}

#[test]
fn rules_are_told_as_withdrawn_only_where_they_are_not_in_force() {
    if support::root() {
        // The filter stays with its thread.
        let thread = std::thread::spawn(check_that_what_is_told_is_so);
        thread.join().expect("all of it is so");
    }
}
