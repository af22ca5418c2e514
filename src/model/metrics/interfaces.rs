//! What came of each interface, by its name: devices come and go under a name, and their counters only grow.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use super::flows::LINGERS_NS;
use crate::model::counts::CounterSet;
use crate::model::snapshot::{Hook, InterfaceSample, Malformed, Volume};
use crate::model::tracker::{Interface, Report};

/// What came of the interfaces of one name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InterfaceSeries {
    /// Flows listed.
    pub flows: u64,
    /// All packets: those of flows, and of each kind outside of them.
    pub all: Volume,
    /// Payload bytes of flows.
    pub payload_bytes: u64,
    /// What the hook counted before anything else was decided.
    pub seen: Volume,
    /// Packets that are not flows.
    pub other: Volume,
    /// Packets that no rule matched.
    pub filtered: Volume,
    /// Packets of flows for which the table had no room.
    pub untracked: Volume,
    /// Malformed packets by reason, in the order of [`Malformed::ALL`].
    pub malformed: [Volume; Malformed::ALL.len()],
    /// Packets of a capture that kept less of them than their headers; `None` where there is no capture.
    pub cut_off: Option<Volume>,
    /// Packets that the device itself dropped on receive since it was first watched, if known.
    pub device_drops: Option<u64>,
}

/// What the report said of a device last.
#[derive(Debug, Default)]
struct Reading {
    all: Volume,
    payload_bytes: u64,
    counted: InterfaceSample,
}

impl Reading {
    fn of(interface: &Interface) -> Reading {
        Reading {
            all: interface.counts.volume(),
            payload_bytes: interface.counts.payload_bytes,
            counted: interface.counted.clone(),
        }
    }
}

/// The series of a name, and when a device had it last, CLOCK_MONOTONIC ns.
type Held = (InterfaceSeries, u64);

/// The state of all of them between readings.
#[derive(Debug, Default)]
pub struct InterfaceLedger {
    series: BTreeMap<String, Held>,
    readings: FxHashMap<u32, Reading>,
}

/// Rows with an index: the others are sums of devices that are gone, all of whose packets were counted under their names.
fn devices(report: &Report) -> impl Iterator<Item = &Interface> {
    report.interfaces.iter().filter(|i| i.ifindex != 0)
}

impl InterfaceLedger {
    /// Counts from this report on.
    pub fn begin(&mut self, report: &Report) {
        for interface in devices(report) {
            self.readings
                .insert(interface.ifindex, Reading::of(interface));
            let (series, latest_ns) = self.series.entry(interface.name.clone()).or_default();
            series.flows += interface.flows as u64;
            *latest_ns = report.taken_ns;
        }
    }

    /// Counts what came since the report before.
    pub fn count(&mut self, report: &Report) {
        for (series, _) in self.series.values_mut() {
            series.flows = 0;
        }
        for interface in devices(report) {
            let before = self.readings.entry(interface.ifindex).or_default();
            if !self.series.contains_key(&interface.name) {
                self.series
                    .insert(interface.name.clone(), Default::default());
            }
            if let Some((series, latest_ns)) = self.series.get_mut(&interface.name) {
                *latest_ns = report.taken_ns;
                add(series, interface, before);
            }
            *before = Reading::of(interface);
        }
    }

    /// Forgets names that no device has any more, once their last values could be read.
    pub fn forget(&mut self, report: &Report) {
        let all = devices(report).count();
        if all < self.readings.len() {
            let is_there = |ifindex: &u32| devices(report).any(|i| i.ifindex == *ifindex);
            self.readings.retain(|ifindex, _| is_there(ifindex));
        }
        self.series
            .retain(|_, (_, latest_ns)| report.taken_ns.saturating_sub(*latest_ns) < LINGERS_NS);
    }

    /// The names in their order, and what came under each.
    pub fn series(&self) -> impl Iterator<Item = (&str, &InterfaceSeries)> {
        self.series
            .iter()
            .map(|(name, (series, _))| (name.as_str(), series))
    }
}

fn add(series: &mut InterfaceSeries, interface: &Interface, before: &Reading) {
    let (now, then) = (&interface.counted, &before.counted);
    series.flows += interface.flows as u64;
    series.all += since(interface.counts.volume(), before.all);
    series.payload_bytes += grown(interface.counts.payload_bytes, before.payload_bytes);
    series.seen += since(now.seen, then.seen);
    series.other += since(now.other, then.other);
    series.filtered += since(now.filtered, then.filtered);
    series.untracked += since(now.untracked, then.untracked);
    for (reason, sum) in series.malformed.iter_mut().enumerate() {
        *sum += since(now.malformed[reason], then.malformed[reason]);
    }
    if interface.hook == Some(Hook::Capture) {
        *series.cut_off.get_or_insert_default() += since(now.cut_off, then.cut_off);
    }
    if let Some(drops) = now.device_drops {
        let newly = grown(drops, then.device_drops.unwrap_or(0));
        *series.device_drops.get_or_insert(0) += newly;
    }
}

/// What came; all of it, where the counter has begun anew.
fn since(now: Volume, then: Volume) -> Volume {
    match now.packets < then.packets || now.bytes < then.bytes {
        true => now,
        false => now.since(&then),
    }
}

fn grown(now: u64, then: u64) -> u64 {
    if now < then { now } else { now - then }
}
