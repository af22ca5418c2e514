//! The interfaces' share of a report: sums over their flows, what ended, baselines, rates.
//!
//! `volume` is the sum of its parts by construction; `counted.seen` is the hook's own count, made independently.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::{Flow, Interface, Rates, Report, Series};
use crate::model::snapshot::{InterfaceSample, Volume};

#[derive(Debug, Default)]
struct InterfaceState {
    name: Option<Arc<str>>,
    /// What the hook had counted at the latest reset.
    baseline: InterfaceSample,
    ended: Volume,
    ended_payload: u64,
    payload: u64,
    volume_then: Volume,
    payload_then: u64,
}

/// What interfaces carry over from report to report.
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

    /// Takes over what the hooks counted. Returns whether a name changed.
    pub fn note(&mut self, samples: &[InterfaceSample], report: &mut Report) -> bool {
        let mut renamed = false;
        for sample in samples {
            let state = self.states.entry(sample.ifindex).or_default();
            if state.name.as_deref() != Some(&sample.name) {
                renamed |= state.name.is_some();
                state.name = Some(Arc::from(sample.name.as_str()));
            }
            let position = report
                .interfaces
                .iter()
                .position(|i| i.ifindex == sample.ifindex);
            let at = position.unwrap_or_else(|| {
                report.interfaces.push(unread(sample.ifindex));
                report.interfaces.len() - 1
            });
            let interface = &mut report.interfaces[at];
            interface.name.clone_from(&sample.name);
            interface.state = sample.state;
            interface.hook = sample.hook;
            interface.counted = sample.counted_since(&state.baseline);
        }
        renamed
    }

    /// A flow has left the list.
    pub fn end(&mut self, flow: &Flow) {
        let state = self.states.entry(flow.key.ifindex).or_default();
        state.ended += flow.volume;
        state.ended_payload += flow.payload_bytes;
    }

    /// Sums over flows.
    pub fn sum_up(&mut self, report: &mut Report) {
        let mut sums: FxHashMap<u32, (Volume, u64, usize)> = FxHashMap::default();
        for flow in &report.flows {
            let sum = sums.entry(flow.key.ifindex).or_default();
            sum.0 += flow.volume;
            sum.1 += flow.payload_bytes;
            sum.2 += 1;
        }
        for interface in &mut report.interfaces {
            let state = self.states.entry(interface.ifindex).or_default();
            let (volume, payload, flows) = sums.remove(&interface.ifindex).unwrap_or_default();
            interface.ended = state.ended;
            interface.flows = flows;
            interface.volume = volume + state.ended + interface.counted.outside_flows();
            state.payload = payload + state.ended_payload;
        }
    }

    /// Rates over the interval that ends now.
    pub fn close_interval(&mut self, report: &mut Report, seconds: f64) {
        for interface in &mut report.interfaces {
            let state = self.states.entry(interface.ifindex).or_default();
            let volume = interface.volume.since(state.volume_then);
            let throughput = volume.bytes as f64 / seconds;
            interface.rates = Some(Rates {
                throughput,
                goodput: state.payload.saturating_sub(state.payload_then) as f64 / seconds,
                packet_rate: volume.packets as f64 / seconds,
            });
            interface.throughput_history.push(Some(throughput));
            state.volume_then = interface.volume;
            state.payload_then = state.payload;
        }
    }

    /// Totals start at zero.
    pub fn reset(&mut self, report: &mut Report) {
        for interface in &mut report.interfaces {
            let state = self.states.entry(interface.ifindex).or_default();
            state.baseline = interface.counted.counted_beside(&state.baseline);
            (state.ended, state.ended_payload, state.payload) = Default::default();
            (state.volume_then, state.payload_then) = Default::default();
            interface.counted = interface.counted.counted_since(&interface.counted);
        }
        self.sum_up(report);
    }
}

fn unread(ifindex: u32) -> Interface {
    Interface {
        ifindex,
        name: String::new(),
        state: Default::default(),
        hook: None,
        volume: Volume::default(),
        ended: Volume::default(),
        counted: InterfaceSample::default(),
        flows: 0,
        rates: None,
        throughput_history: Series::default(),
    }
}
