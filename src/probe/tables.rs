//! The maps of a program as user space holds them, wherever it runs: flows, rules and histograms, and how they go together.
//!
//! Knows nothing of interfaces.

use std::time::Duration;

use anyhow::Result;

use super::focus::Focus;
use super::rules::RuleTable;
use super::table::{Ageing, FlowTable};
use crate::model::flow::FlowKey;
use crate::model::rule::{Rule, SequenceProfile};
use crate::model::snapshot::{Snapshot, TableSample};

/// The flows, the rules and the histograms.
#[derive(Debug)]
pub struct Tables {
    /// The flows.
    pub flows: FlowTable,
    /// The rules.
    pub rules: RuleTable,
    /// The histograms.
    pub focus: Focus,
    /// Memory of all maps but the histograms, of which there are as many as are asked for; bytes, if known.
    pub memory_bytes: Option<u64>,
}

impl Tables {
    /// Puts rules and the global sequence profile in force, from one packet to the next, and then calls `settle`, which waits
    /// for packets under the former ones. Returns their version, as samples carry it; after an error those of before are in
    /// force.
    pub fn apply_rules(
        &mut self,
        rules: &[Rule],
        global: &SequenceProfile,
        settle: impl FnOnce(&mut RuleTable),
    ) -> Result<u8> {
        let (version, begins_anew) = self.rules.apply(rules, global, self.flows.settings())?;
        settle(&mut self.rules);
        if begins_anew {
            self.flows.forget_versions_before(version);
        }
        self.flows.retire_excluded(version, rules);
        self.focus.set_rules(version, rules, &self.flows);
        Ok(version)
    }

    /// These flows keep histograms of their gaps from their next reading on, besides those whose rules say so.
    pub fn focus(&mut self, keys: Vec<FlowKey>) {
        self.focus.set_wanted(keys, &self.flows);
    }

    /// Changes the time after which idle flows leave, and the refresh period.
    pub fn set_ageing(&mut self, flow_timeout: Duration, refresh: Duration) {
        self.flows.set_ageing(Ageing::new(flow_timeout, refresh));
    }

    /// Reads all flows that changed, and their histograms: see [`FlowTable::scan`].
    pub fn read(&mut self, now_ns: u64, settled_ns: u64) -> Snapshot {
        let mut snapshot = self.flows.scan(now_ns, settled_ns);
        self.focus.update(&mut snapshot, &self.flows);
        snapshot.table = TableSample {
            capacity: self.flows.capacity() as u64,
            tracked: self.flows.tracked(),
            memory_bytes: self.memory_bytes.map(|b| b + self.focus.memory_bytes()),
            ..TableSample::default()
        };
        snapshot
    }

    /// Takes back a snapshot that nobody needs any more: the next one is written into its memory.
    pub fn recycle(&mut self, snapshot: Snapshot) {
        self.flows.recycle(snapshot.flows);
        self.focus.recycle(snapshot.histograms);
    }
}
