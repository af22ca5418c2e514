//! The CPU that brings a flow in owns its counters, and all others share some: what comes to a flow does not depend on where its
//! packets come in.

use std::time::Duration;

use flowtop::model::rule::{Rule, SequenceProfile};
use flowtop::model::snapshot::{FlowSample, InterfaceSample};
use flowtop::probe::Probe;

use crate::arrivals::Arrivals;
use crate::duel::{Duel, Subject};
use crate::generated::run_cases;
use crate::reference::generate::case;
use crate::reference::packet::{Gso, Link};
use crate::support::{self, clock};

/// Shows each frame on another CPU than the one before, or on the same: three on one, then two on the next one, so that no
/// cycle of flows has each of them on a CPU of its own.
struct Roaming {
    probe: Probe,
    cpus: Vec<usize>,
    shown: usize,
}

impl Subject for Roaming {
    fn apply_rules(&mut self, rules: &[Rule], global: &SequenceProfile) -> anyhow::Result<()> {
        Subject::apply_rules(&mut self.probe, rules, global)
    }

    fn can_try(&self, frame: &[u8]) -> bool {
        self.probe.can_try(frame)
    }

    fn run(&mut self, ifindex: u32, link: Link, frame: &[u8], gso: Gso) -> anyhow::Result<i32> {
        let which = usize::from(self.shown % 5 < 3);
        clock::pin(self.cpus[which]);
        self.shown += 1;
        self.probe.run(ifindex, link, frame, gso)
    }

    fn flows(&mut self) -> Vec<FlowSample> {
        self.probe.flows()
    }

    fn totals(&self, ifindex: u32) -> InterfaceSample {
        self.probe.totals(ifindex)
    }
}

#[test]
fn it_does_not_matter_on_which_cpus_packets_come_in() {
    let cpus = clock::cpus();
    if !support::root() || cpus.len() < 2 {
        return;
    }
    let duel = Duel::begin(1 << 16).with_subject(|probe| Roaming {
        probe,
        cpus,
        shown: 0,
    });
    let (frames, kinds) = run_cases(duel, 80, Link::Ethernet, case(640));
    assert!(frames > 10_000, "{frames} frames of {kinds:#?}");
}

#[test]
fn gaps_add_up_whichever_cpu_sees_them_and_whichever_ends_a_pause() {
    let cpus = clock::cpus();
    if !support::root() || cpus.len() < 2 {
        return;
    }
    let mut flow = Arrivals::begin();
    clock::pin(cpus[0]);
    flow.arrive();
    // Two epochs on, the shared sums are those of the same parity again.
    for ends_pause in [0, 1, 1, 0, 1] {
        for n in 0..100 {
            clock::pin(cpus[n % 3 % 2]);
            flow.arrive();
        }
        // The clock itself is what is tested: nothing else could be waited for.
        std::thread::sleep(Duration::from_millis(2001));
        clock::pin(cpus[ends_pause]);
        flow.arrive();
    }
    clock::pin(cpus[1]);
    flow.arrive();
    assert!(flow.epoch() >= 6, "each pause ended an epoch");
}
