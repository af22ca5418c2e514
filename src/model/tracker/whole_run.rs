//! A run as a whole, rather than its latest interval: each flow that there was, and each interface.

use super::advance::FlowTracker;
use super::kept::{KeptFlows, Wanted};
use super::{Flow, Interface};

/// What came of everything since the run began, or since its totals were set to zero.
#[derive(Debug, Clone, Copy)]
pub struct WholeRun<'a> {
    tracker: &'a FlowTracker,
    kept: &'a KeptFlows,
}

impl FlowTracker {
    /// Keeps from here on what comes of each flow over the whole run, for so many flows at most, and only of wanted ones.
    /// The run began at this moment, CLOCK_MONOTONIC ns.
    pub fn keep_flows(&mut self, began_ns: u64, room: usize, wanted: Wanted) {
        self.kept = Some(Box::new(KeptFlows::new(began_ns, room, wanted)));
    }

    /// The run began at this moment, CLOCK_MONOTONIC ns, as far as rates are concerned.
    pub fn set_run_began(&mut self, began_ns: u64) {
        if let Some(kept) = &mut self.kept {
            kept.began_ns = began_ns;
        }
    }

    /// The whole run, where its flows are kept.
    pub fn whole_run(&self) -> Option<WholeRun<'_>> {
        let kept = self.kept.as_deref()?;
        Some(WholeRun {
            tracker: self,
            kept,
        })
    }
}

impl<'a> WholeRun<'a> {
    /// How long it has lasted, s.
    pub fn seconds(&self) -> f64 {
        let ns = self.ended_ns().saturating_sub(self.kept.began_ns);
        ns as f64 / 1e9
    }

    /// The latest reading, CLOCK_MONOTONIC ns.
    pub fn ended_ns(&self) -> u64 {
        self.tracker.report().taken_ns
    }

    /// Flows that found no room, and are not among those below.
    pub fn unkept(&self) -> u64 {
        self.kept.unkept
    }

    /// All flows that are kept and had a packet, in the order in which they came: figures are those of the whole run.
    pub fn flows(&self) -> impl Iterator<Item = Flow> + use<'a> {
        let tracker = self.tracker;
        let listed = move |key: &_| Some(&tracker.report().flows[tracker.find(key)? as usize]);
        self.kept.flows(self.seconds(), listed)
    }

    /// All interfaces, which are always kept; what devices dropped is what they dropped in the run.
    pub fn interfaces(&self) -> impl Iterator<Item = Interface> + use<'a> {
        let (kept, seconds) = (self.kept, self.seconds());
        let all = self.tracker.report().interfaces.iter();
        all.map(move |interface| kept.interface(interface, seconds))
    }
}
