//! One plain pass over as much memory as a refresh goes through, from one end to the other: what it costs to do next to
//! nothing with it.

use std::hint::black_box;

use flowtop::model::tracker::FlowTracker;
use flowtop::probe::Options;
use flowtop::probe::abi::{flow_counters, flow_slot};
use libbpf_rs::num_possible_cpus;

use crate::sample::Stopwatch;

type Counters = [u64; size_of::<flow_counters>() / size_of::<u64>()];

/// Slots and counters, which are read, and rows, which are changed.
pub struct Plain {
    slots: Vec<u64>,
    counters: Vec<Vec<Counters>>,
    rows: Vec<u64>,
}

impl Plain {
    /// As much as so many flows have.
    pub fn of(flows: u32) -> Plain {
        let options = Options {
            max_flows: flows,
            ..Options::default()
        };
        let slots = options.slots();
        let words = |bytes: usize| bytes / size_of::<u64>();
        let cpus = num_possible_cpus().unwrap_or(1);
        // Nothing is zero: what never was written has no memory of its own.
        Plain {
            slots: vec![1; slots * words(size_of::<flow_slot>())],
            counters: vec![vec![[1; _]; slots]; cpus],
            rows: vec![1; flows as usize * words(FlowTracker::BYTES_OF_A_FLOW)],
        }
    }

    /// Goes through all of it, but for the counters of slots without a flow: every second one. ms.
    pub fn pass(&mut self) -> f64 {
        let watch = Stopwatch::start();
        black_box(self.slots.iter().sum::<u64>());
        for of_cpu in &self.counters {
            let of_flows = of_cpu.iter().step_by(2);
            black_box(of_flows.flatten().sum::<u64>());
        }
        for word in &mut self.rows {
            *word += 1;
        }
        black_box(&self.rows);
        watch.ms()
    }
}
