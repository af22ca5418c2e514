//! A run as a whole, rather than its latest interval: each flow that there was, and each interface.

use super::advance::FlowTracker;
use super::kept::{KeptFlows, Wanted};
use super::{Flow, Interface};

/// What came of everything since the run began, or since its totals were set to zero.
#[derive(Debug, Clone, Copy)]
pub struct WholeRun<'a> {
    pub(super) kept: &'a KeptFlows,
    /// Who lists flows still.
    pub(super) tracker: Option<&'a FlowTracker>,
    pub(super) interfaces: &'a [Interface],
    pub(super) lasted_ns: u64,
    pub(super) ended_ns: u64,
    pub(super) missing: &'a [&'static str],
}

impl FlowTracker {
    /// Keeps from here on what comes of each flow, for so many flows at most, and only of wanted ones. Totals of a run that is under
    /// way are set to zero: what came before is not among it.
    pub fn keep_flows(&mut self, room: usize, wanted: Wanted) {
        let mut kept = Box::new(KeptFlows::new(self.interval_began_ns, room, wanted));
        if self.report().taken_ns > 0 {
            self.reset();
            kept.reset(self.report());
            kept.begin_amid(self.report());
        }
        self.kept = Some(kept);
    }

    /// The run began at this moment, CLOCK_MONOTONIC ns, as far as rates are concerned; but not before its totals did. Returns when.
    pub fn set_run_began(&mut self, began_ns: u64) -> u64 {
        let Some(kept) = &mut self.kept else {
            return began_ns.max(self.interval_began_ns);
        };
        kept.began_ns = kept.began_ns.max(began_ns);
        kept.began_ns
    }

    /// The whole run, where its flows are kept.
    pub fn whole_run(&self) -> Option<WholeRun<'_>> {
        let kept = self.kept.as_deref()?;
        let report = self.report();
        Some(WholeRun {
            kept,
            tracker: Some(self),
            interfaces: &report.interfaces,
            lasted_ns: report.taken_ns.saturating_sub(kept.began_ns),
            ended_ns: report.taken_ns,
            missing: &[],
        })
    }
}

impl<'a> WholeRun<'a> {
    /// How long it has lasted, s.
    pub fn seconds(&self) -> f64 {
        self.lasted_ns as f64 / 1e9
    }

    /// The latest reading, ns by the clock of the flows.
    pub fn ended_ns(&self) -> u64 {
        self.ended_ns
    }

    /// Flows that found no room, and are not among those below.
    pub fn unkept(&self) -> u64 {
        self.kept.unkept
    }

    /// What else is not among them, in words.
    pub fn missing(&self) -> &'a [&'static str] {
        self.missing
    }

    /// All flows that are kept and had a packet, in the order in which they came: figures are those of the whole run.
    pub fn flows(&self) -> impl Iterator<Item = Flow> + use<'a> {
        let tracker = self.tracker;
        let listed = move |key: &_| {
            let tracker = tracker?;
            Some(&tracker.report().flows[tracker.find(key)? as usize])
        };
        self.kept.flows(self.seconds(), listed)
    }

    /// All interfaces, which are always kept; what devices dropped is what they dropped in the run.
    pub fn interfaces(&self) -> impl Iterator<Item = Interface> + use<'a> {
        let (kept, seconds) = (self.kept, self.seconds());
        let all = self.interfaces.iter();
        all.map(move |interface| kept.interface(interface, seconds))
    }
}
