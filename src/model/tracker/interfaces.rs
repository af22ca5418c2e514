//! The interfaces' share of a report: sums over their flows, what ended, baselines, rates.
//!
//! `counts` is the sum of its parts by construction; `counted.seen` is the hook's own count, made independently.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::{CarriedInterface, Flow, Interface, Rates, Report, Series};
use crate::model::counts::{CounterSet, Counts, Metered};
use crate::model::snapshot::{InterfaceSample, LinkState};

/// So many interfaces that are gone keep a row of their own; older ones share one.
const FORMER_KEPT: usize = 100;
/// Their row; no interface's name has a blank.
const FORMER: &str = "former ones";

#[derive(Debug, Default)]
struct InterfaceState {
    name: Option<Arc<str>>,
    /// What the hook had counted at the latest reset.
    baseline: InterfaceSample,
    ended: Counts,
    /// The flows that are listed: how many, and what was counted of them.
    flows: usize,
    listed: Counts,
    /// Its counts when the interval began.
    then: Metered,
    /// It is gone and will not be reported again.
    is_former: bool,
}

/// The state of interfaces between reports.
#[derive(Debug, Default)]
pub struct InterfaceLedger {
    states: FxHashMap<u32, InterfaceState>,
}

impl InterfaceLedger {
    /// The interface's name, or its index where none is known.
    pub fn name(&self, ifindex: u32) -> Arc<str> {
        let known = self
            .states
            .get(&ifindex)
            .and_then(|state| state.name.clone());
        known.unwrap_or_else(|| Arc::from(format!("#{ifindex}")))
    }

    /// Updates the rows by what the hooks counted. Returns whether a name is new or has changed.
    pub fn update(&mut self, samples: &[InterfaceSample], report: &mut Report) -> bool {
        let mut renamed = false;
        for sample in samples {
            let state = self.states.entry(sample.ifindex).or_default();
            state.is_former = false;
            if state.name.as_deref() != Some(&sample.name) {
                renamed = true;
                state.name = Some(Arc::from(sample.name.as_str()));
            }
            let position = report
                .interfaces
                .iter()
                .position(|i| i.ifindex == sample.ifindex);
            let interfaces = &mut report.interfaces;
            let at = position.unwrap_or_else(|| {
                let gone = interfaces.iter().position(|i| i.state == LinkState::Gone);
                let at = gone.unwrap_or(interfaces.len());
                interfaces.insert(at, unread(sample.ifindex));
                at
            });
            let interface = &mut interfaces[at];
            interface.name.clone_from(&sample.name);
            interface.state = sample.state;
            interface.hook = sample.hook;
            interface.counted = sample.counted_since(&state.baseline);
        }
        renamed
    }

    /// Marks interfaces as reported for the last time. Should one come again, the kernel counts from zero, and its totals
    /// go on.
    pub fn forget(&mut self, forgotten: &[u32], report: &Report) {
        for interface in &report.interfaces {
            if forgotten.contains(&interface.ifindex) {
                let state = self.states.entry(interface.ifindex).or_default();
                let none = InterfaceSample {
                    device_drops: interface.counted.device_drops.map(|_| 0),
                    ..InterfaceSample::default()
                };
                state.baseline = none.counted_since(&interface.counted);
                state.is_former = true;
            }
        }
    }

    /// Moves interfaces that are gone behind the others, the latest first. The oldest without flows share one row: a host
    /// may have thousands a day.
    pub fn fold(&mut self, report: &mut Report) {
        let interfaces = &mut report.interfaces;
        interfaces.sort_by_key(|i| (i.state == LinkState::Gone, i.ifindex == 0));
        let states = &self.states;
        let mut kept = 0;
        let mut folded = Vec::new();
        interfaces.retain(|interface| {
            let is_done =
                interface.flows == 0 && states.get(&interface.ifindex).is_some_and(|s| s.is_former);
            kept += usize::from(is_done);
            let stays = !is_done || kept <= FORMER_KEPT;
            if !stays {
                folded.push(interface.clone());
            }
            stays
        });
        if folded.is_empty() {
            return;
        }
        if interfaces.last().is_none_or(|last| last.ifindex != 0) {
            interfaces.push(unread(0));
        }
        if let Some(former) = interfaces.last_mut() {
            FORMER.clone_into(&mut former.name);
            for interface in &folded {
                self.absorb(former, interface);
            }
        }
    }

    fn absorb(&mut self, former: &mut Interface, interface: &Interface) {
        former.counted = former.counted.counted_beside(&interface.counted);
        former.ended += interface.ended;
        former.counts += interface.counts;
        let of_one = self.states.remove(&interface.ifindex).unwrap_or_default();
        let state = self.states.entry(former.ifindex).or_default();
        state.ended += of_one.ended;
        state.then += of_one.then;
    }

    /// Adds a flow without packets.
    pub fn begin(&mut self, flow: &Flow) {
        self.states.entry(flow.key.ifindex).or_default().flows += 1;
    }

    /// Adds what was counted of listed flows.
    pub fn count(&mut self, ifindex: Option<u32>, counts: Counts) {
        if let Some(ifindex) = ifindex {
            self.states.entry(ifindex).or_default().listed += counts;
        }
    }

    /// Moves a flow that has left the list to `ended`.
    pub fn end(&mut self, flow: &Flow) {
        let state = self.states.entry(flow.key.ifindex).or_default();
        let ended = flow.counts.across_flows();
        state.flows -= 1;
        state.listed = state.listed.since(&ended);
        state.ended += ended;
    }

    /// Adds up listed flows, ended ones, and packets in no flow.
    pub fn sum_up(&mut self, report: &mut Report) {
        for interface in &mut report.interfaces {
            let state = self.states.entry(interface.ifindex).or_default();
            interface.ended = state.ended;
            interface.flows = state.flows;
            let outside_flows = Counts::from(interface.counted.outside_flows());
            interface.counts = state.listed + state.ended + outside_flows;
        }
    }

    /// What another ledger has to know to go on.
    pub fn carried(&self, report: &Report) -> Vec<CarriedInterface> {
        let carried = |counted: InterfaceSample, state: &InterfaceState| CarriedInterface {
            counted,
            baseline: state.baseline.clone(),
            ended: state.ended,
            is_former: state.is_former,
        };
        let of_row = |interface: &Interface| {
            // The row that some share has no sample with its name.
            let counted = InterfaceSample {
                name: interface.name.clone(),
                ..interface.counted.clone()
            };
            Some(carried(counted, self.states.get(&interface.ifindex)?))
        };
        let has_row = |ifindex| report.interfaces.iter().any(|it| it.ifindex == ifindex);
        let others = self
            .states
            .iter()
            .filter(|(ifindex, _)| !has_row(**ifindex));
        let nameless = others.map(|(ifindex, state)| {
            let counted = InterfaceSample {
                ifindex: *ifindex,
                ..InterfaceSample::default()
            };
            carried(counted, state)
        });
        let rows = report.interfaces.iter().filter_map(of_row);
        rows.chain(nameless).collect()
    }

    /// Goes on where another one was; flows are listed and counted already.
    pub fn resume(&mut self, carried: &[CarriedInterface], report: &mut Report) {
        report.interfaces.clear();
        for of_one in carried {
            let counted = &of_one.counted;
            let state = self.states.entry(counted.ifindex).or_default();
            state.baseline = of_one.baseline.clone();
            state.ended = of_one.ended;
            state.is_former = of_one.is_former;
            if counted.name.is_empty() {
                continue;
            }
            state.name = Some(Arc::from(counted.name.as_str()));
            report.interfaces.push(Interface {
                name: counted.name.clone(),
                state: counted.state,
                hook: counted.hook,
                counted: counted.clone(),
                ..unread(counted.ifindex)
            });
        }
        self.sum_up(report);
        for interface in &report.interfaces {
            let state = self.states.entry(interface.ifindex).or_default();
            state.then = interface.counts.metered();
        }
    }

    /// Rates over the interval that ends now.
    pub fn close_interval(&mut self, report: &mut Report, seconds: f64) {
        for interface in &mut report.interfaces {
            let state = self.states.entry(interface.ifindex).or_default();
            let now = interface.counts.metered();
            let rates = Rates::of(&now.since(&state.then), seconds);
            interface.rates = Some(rates);
            interface.throughput_history.push(Some(rates.throughput));
            state.then = now;
        }
    }

    /// Sets totals to zero.
    pub fn reset(&mut self, report: &mut Report) {
        for interface in &mut report.interfaces {
            let state = self.states.entry(interface.ifindex).or_default();
            // The hook was read behind the flows. What came between is not among the parts yet, so it is not before the reset.
            let counted = InterfaceSample {
                seen: interface.counts.volume(),
                ..interface.counted.clone()
            };
            state.baseline = counted.counted_beside(&state.baseline);
            // What came before in this interval stays in it.
            state.then = state.then.since(&interface.counts.metered());
            interface.counted = interface.counted.counted_since(&interface.counted);
        }
        // Those without a row, too.
        for state in self.states.values_mut() {
            (state.listed, state.ended) = (Counts::default(), Counts::default());
        }
        self.sum_up(report);
    }
}

/// An interface of which nothing is known.
fn unread(ifindex: u32) -> Interface {
    Interface {
        ifindex,
        name: String::new(),
        state: Default::default(),
        hook: None,
        counts: Counts::default(),
        ended: Counts::default(),
        counted: InterfaceSample::default(),
        flows: 0,
        rates: None,
        throughput_history: Series::default(),
    }
}
