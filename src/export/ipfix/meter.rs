//! What came of each flow since its last record, by readings of the kernel.
//!
//! Readings have what slots of the table counted in their lives, so a reset of the totals on the screen changes nothing
//! here. A flow in two slots has a record for each: their sum is the flow's.

use std::collections::VecDeque;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::record::{EndReason, FlowRecord};
use crate::model::counts::{CounterSet, Counts, GapSums};
use crate::model::flow::FlowKey;
use crate::model::snapshot::{FlowSample, InterfaceSample, Snapshot};

/// Slots that are looked through at once, so that records never pile up.
const AT_A_TIME: usize = 1024;

/// Forgotten interfaces that wait to be told of: while the collector is away, any number may come and go.
const MOST_FORMER: usize = 4096;

/// A slot's flow.
#[derive(Debug)]
struct Metered {
    generation: u32,
    key: FlowKey,
    interface: Option<Arc<str>>,
    rule: Option<Arc<str>>,
    now: Counts,
    then: Counts,
    gaps: GapSums,
    /// The last reading of the gaps, and their epoch.
    read_gaps: (u32, GapSums),
    /// The first packet, or the last one of the record before, ns by the clock of arrivals.
    start_ns: u64,
    end_ns: u64,
}

/// How far the clock of the world is ahead of that of arrivals, ns.
#[derive(Debug, Clone, Copy, Default)]
pub struct Epoch(pub u64);

impl Epoch {
    fn ms(self, ns: u64) -> u64 {
        self.0.saturating_add(ns) / 1_000_000
    }
}

/// A pass over all flows, of which records are made.
#[derive(Debug, Clone, Copy)]
struct Pass {
    next: usize,
    reason: EndReason,
}

/// The flows by slot.
#[derive(Debug, Default)]
pub struct Meter {
    slots: Vec<Option<Box<Metered>>>,
    rules: FxHashMap<u8, Vec<Arc<str>>>,
    interfaces: FxHashMap<u32, (Arc<str>, InterfaceSample)>,
    /// Interfaces that were forgotten since they were told of, the latest last.
    former: VecDeque<InterfaceSample>,
    pass: Option<Pass>,
}

impl Meter {
    /// The names of this version's rules, in their order.
    pub fn set_rules(&mut self, version: u8, names: Vec<Arc<str>>) {
        self.rules.insert(version, names);
    }

    /// Takes a reading in. What ends with it is told to `ended`; a flow idle for `timeout_ns` has left by itself.
    pub fn observe(
        &mut self,
        snapshot: &Snapshot,
        timeout_ns: u64,
        epoch: Epoch,
        ended: &mut impl FnMut(&FlowRecord<'_>),
    ) {
        for interface in &snapshot.interfaces {
            self.update(interface);
        }
        for sample in &snapshot.flows {
            self.count(sample, epoch, ended);
        }
        for slot in &snapshot.freed {
            let Some(flow) = self.slots.get_mut(*slot as usize).and_then(Option::take) else {
                continue;
            };
            let idle = snapshot.taken_ns.saturating_sub(flow.end_ns);
            let reason = match idle >= timeout_ns {
                true => EndReason::Idle,
                false => EndReason::Forced,
            };
            ended(&flow.record(epoch, reason));
        }
        for ifindex in &snapshot.forgotten {
            let (_, last) = self.interfaces.remove(ifindex).unzip();
            self.former.extend(last);
        }
        let too_many = self.former.len().saturating_sub(MOST_FORMER);
        self.former.drain(..too_many);
    }

    fn update(&mut self, interface: &InterfaceSample) {
        let known = self.interfaces.get(&interface.ifindex);
        let same = known.filter(|(name, _)| **name == interface.name);
        let name = match same {
            Some((name, _)) => name.clone(),
            None => Arc::from(interface.name.as_str()),
        };
        if known.is_some() && same.is_none() {
            let flows = self.slots.iter_mut().flatten();
            for flow in flows.filter(|flow| flow.key.ifindex == interface.ifindex) {
                flow.interface = Some(name.clone());
            }
        }
        let now = (name, interface.clone());
        self.interfaces.insert(interface.ifindex, now);
    }

    fn count(
        &mut self,
        sample: &FlowSample,
        epoch: Epoch,
        ended: &mut impl FnMut(&FlowRecord<'_>),
    ) {
        let at = sample.slot as usize;
        if at >= self.slots.len() {
            self.slots.resize_with(at + 1, || None);
        }
        let former = self.slots[at].take_if(|flow| flow.generation != sample.generation);
        if let Some(former) = former {
            ended(&former.record(epoch, EndReason::NoRoom));
        }
        let of_version = self.rules.get(&sample.rules_version);
        let rule = of_version.zip(sample.rule);
        let rule = rule.and_then(|(names, rule)| names.get(usize::from(rule)));
        let flow = self.slots[at].get_or_insert_with(|| {
            let interface = self.interfaces.get(&sample.key.ifindex);
            Box::new(Metered::new(
                sample,
                interface.map(|(name, _)| name.clone()),
            ))
        });
        if rule.is_some() && flow.rule.as_ref() != rule {
            flow.rule = rule.cloned();
        }
        flow.advance(sample);
    }

    /// Begins a pass over all flows that go on, unless one is under way.
    pub fn begin_interval(&mut self) {
        let reason = EndReason::Active;
        self.pass.get_or_insert(Pass { next: 0, reason });
    }

    /// Begins the last pass: all flows end.
    pub fn begin_end(&mut self) {
        let reason = EndReason::Forced;
        self.pass = Some(Pass { next: 0, reason });
    }

    /// Goes on with the pass: makes records of some flows, whose next ones begin here. False where there is no pass any more.
    pub fn go_on(&mut self, epoch: Epoch, made: &mut impl FnMut(&FlowRecord<'_>)) -> bool {
        let Some(Pass { next, reason }) = self.pass else {
            return false;
        };
        let end = self.slots.len().min(next + AT_A_TIME);
        for at in next..end {
            let Some(mut flow) = self.slots[at].take() else {
                continue;
            };
            let has_ended = reason != EndReason::Active;
            if has_ended || flow.now.packets != flow.then.packets {
                made(&flow.record(epoch, reason));
                flow.begin_anew();
            }
            if !has_ended {
                self.slots[at] = Some(flow);
            }
        }
        let is_over = end == self.slots.len();
        self.pass = (!is_over).then_some(Pass { next: end, reason });
        !is_over
    }

    /// The interfaces as they were read last, those among them that were forgotten since they were told of.
    pub fn interfaces(&self) -> impl Iterator<Item = &InterfaceSample> {
        let present = self.interfaces.values().map(|(_, interface)| interface);
        self.former.iter().chain(present)
    }

    /// All of them have been told of.
    pub fn forget_told(&mut self) {
        self.former.clear();
    }
}

impl Metered {
    fn new(sample: &FlowSample, interface: Option<Arc<str>>) -> Metered {
        Metered {
            generation: sample.generation,
            key: sample.key,
            interface,
            rule: None,
            now: Counts::default(),
            then: Counts::default(),
            gaps: GapSums::default(),
            read_gaps: (sample.epoch, GapSums::default()),
            start_ns: sample.first_seen_ns,
            end_ns: sample.last_seen_ns,
        }
    }

    fn advance(&mut self, sample: &FlowSample) {
        let known = self.now.sequence;
        // A reading of narrow counters becomes totals of 64 bits.
        self.now += sample.counts.since(&self.now);
        self.now.sequence = self.now.sequence.or(known);
        let (epoch, before) = self.read_gaps;
        let newly = match epoch == sample.epoch {
            true => sample.gaps.since(before),
            false => sample.gaps,
        };
        self.gaps = self.gaps.plus(newly);
        self.read_gaps = (sample.epoch, sample.gaps);
        self.end_ns = self.end_ns.max(sample.last_seen_ns);
    }

    fn record(&self, epoch: Epoch, reason: EndReason) -> FlowRecord<'_> {
        FlowRecord {
            key: &self.key,
            interface: self.interface.as_deref(),
            rule: self.rule.as_deref(),
            now: &self.now,
            then: &self.then,
            gaps: self.gaps,
            start_ms: epoch.ms(self.start_ns.min(self.end_ns)),
            end_ms: epoch.ms(self.end_ns),
            reason,
        }
    }

    fn begin_anew(&mut self) {
        self.then = self.now;
        self.gaps = GapSums::default();
        self.start_ns = self.end_ns;
    }
}
