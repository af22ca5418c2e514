//! Which flows have series of their own, and what these have.
//!
//! Of a rule that asks for it the largest flows are shown. Series cost whoever keeps them, so a flow that is shown stays
//! so until another one is more than twice as large, and what lasts less than a second is not shown. A series that has
//! ended lingers with its last values, so that whoever reads now and then has seen them. A flow of the same name that is
//! shown later goes on from there: it would be taken for less than it is if it began again at zero.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::growth::Growth;
use crate::model::flow::FlowKey;
use crate::model::tracker::{Flow, Report};

/// So long the last values of a series can be read, ns: two scrapes of a minute.
pub const LINGERS_NS: u64 = 120_000_000_000;

/// Series that a flow has at most: one in each of the families of flows.
pub const SERIES_OF_A_FLOW: u32 = 9;

/// So many series that are gone are remembered.
const MOST_REMEMBERED: usize = 10_000;

/// A flow that lasts less is not shown, ns.
const LASTS_NS: u64 = 1_000_000_000;

/// How many flows are shown.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Bounds {
    /// So many of each of these rules.
    pub rules: Vec<(String, u32)>,
    /// So many series of all of them together.
    pub series: u32,
}

impl Bounds {
    fn flows(&self) -> usize {
        (self.series / SERIES_OF_A_FLOW) as usize
    }

    fn of(&self, rule: Option<&str>) -> usize {
        let its = self.rules.iter().find(|(name, _)| Some(&**name) == rule);
        its.map_or(0, |(_, most)| *most as usize)
    }
}

/// What tells one series of flows from another: names, where the key of a flow has numbers.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Identity {
    /// Name of the interface.
    pub interface: Arc<str>,
    /// The rule.
    pub rule: Option<Arc<str>>,
    /// The flow, without the index of its interface.
    pub key: FlowKey,
}

impl Identity {
    /// Of a flow as it is now.
    pub fn of(flow: &Flow) -> Identity {
        Identity {
            interface: flow.interface.clone(),
            rule: flow.rule.clone(),
            key: FlowKey {
                ifindex: 0,
                ..flow.key
            },
        }
    }

    fn is_still_of(&self, flow: &Flow) -> bool {
        *self.interface == *flow.interface && self.rule == flow.rule
    }
}

/// What a series has, and whether it still grows.
#[derive(Debug, Clone, Copy, Default)]
pub struct Held {
    /// What came since it began.
    pub growth: Growth,
    /// Whether its sequence numbers are bytes of a stream; unknown where it has none.
    pub is_of_stream: Option<bool>,
    /// When it was found to have ended, CLOCK_MONOTONIC ns.
    pub ended_ns: Option<u64>,
}

/// The series of flows.
#[derive(Debug, Default)]
pub struct FlowLedger {
    bounds: Bounds,
    /// The bounds may be narrower than what is shown.
    are_bounds_new: bool,
    series: FxHashMap<Identity, Held>,
    /// The flows whose series grow.
    shown: FxHashMap<FlowKey, Identity>,
    /// Series that are gone, for flows that come back.
    gone: FxHashMap<Identity, Held>,
}

impl FlowLedger {
    /// Changes the bounds: they hold from the next choice on.
    pub fn set_bounds(&mut self, bounds: Bounds) {
        self.are_bounds_new |= bounds != self.bounds;
        self.bounds = bounds;
    }

    /// Counts in the flow's own series; false where it has none.
    pub fn count(&mut self, flow: &Flow, growth: &Growth) -> bool {
        if self.shown.is_empty() {
            return false;
        }
        let Some(identity) = self.shown.get(&flow.key) else {
            return false;
        };
        if !identity.is_still_of(flow) {
            self.end(&flow.key, flow.last_seen_ns);
            return false;
        }
        let held = self.series.get_mut(identity);
        held.map(|held| {
            held.growth += *growth;
            held.is_of_stream = is_of_stream(flow);
        })
        .is_some()
    }

    /// The flow's series grows no more, if it has one.
    pub fn end(&mut self, key: &FlowKey, now_ns: u64) {
        if let Some(identity) = self.shown.remove(key)
            && let Some(held) = self.series.get_mut(&identity)
        {
            held.ended_ns = Some(now_ns);
        }
    }

    /// All begins at zero: what is shown stays so, and what has ended is gone.
    pub fn reset(&mut self) {
        self.gone.clear();
        self.series.retain(|_, held| held.ended_ns.is_none());
        for held in self.series.values_mut() {
            held.growth = Growth::default();
        }
    }

    /// Series that there may be.
    pub fn most_series(&self) -> u32 {
        self.bounds.series
    }

    /// All series, those included that have ended.
    pub fn series(&self) -> impl Iterator<Item = (&Identity, &Held)> {
        self.series.iter()
    }

    /// The series of this flow, if it is shown.
    pub fn of(&self, key: &FlowKey) -> Option<(&Identity, &Held)> {
        match self.shown.is_empty() {
            true => None,
            false => self.series.get_key_value(self.shown.get(key)?),
        }
    }

    /// Chooses which flows are shown, by their throughput in the latest interval.
    pub fn choose(&mut self, report: &Report) {
        let is_over = |ended_ns| report.taken_ns.saturating_sub(ended_ns) >= LINGERS_NS;
        let over = |_: &Identity, held: &mut Held| held.ended_ns.is_some_and(is_over);
        self.gone.extend(self.series.extract_if(over));
        self.forget();
        if std::mem::take(&mut self.are_bounds_new) {
            self.shrink(report);
        }
        let mut by_rule: FxHashMap<&str, Vec<&Flow>> = FxHashMap::default();
        for flow in &report.flows {
            let rule = flow.rule.as_deref();
            if let Some(rule) = rule.filter(|_| self.bounds.of(rule) > 0) {
                by_rule.entry(rule).or_default().push(flow);
            }
        }
        for (rule, flows) in by_rule {
            self.choose_of_rule(rule, flows, report.taken_ns);
        }
    }

    /// Forgets the older half of the series that are gone, where there are too many.
    fn forget(&mut self) {
        if self.gone.len() > MOST_REMEMBERED {
            let mut ends: Vec<_> = self.gone.values().map(|held| held.ended_ns).collect();
            let (_, middle, _) = ends.select_nth_unstable(MOST_REMEMBERED / 2);
            let middle = *middle;
            self.gone.retain(|_, held| held.ended_ns > middle);
        }
    }

    /// Keeps narrower bounds: of each rule its largest stay, and twice as many with those that have ended; of what is left, what has
    /// ended goes first, then the smallest.
    fn shrink(&mut self, report: &Report) {
        let is_shown = |flow: &&Flow| self.shown.contains_key(&flow.key);
        let mut shown: Vec<&Flow> = report.flows.iter().filter(is_shown).collect();
        shown.sort_by(by_size);
        let mut kept: FxHashMap<Option<&str>, usize> = FxHashMap::default();
        for flow in &shown {
            let rule = flow.rule.as_deref();
            let kept = kept.entry(rule).or_default();
            *kept += 1;
            if *kept > self.bounds.of(rule) {
                self.end(&flow.key, report.taken_ns);
            }
        }
        let mut beyond: FxHashMap<Option<Arc<str>>, usize> = FxHashMap::default();
        for name in self.series.keys() {
            *beyond.entry(name.rule.clone()).or_default() += 1;
        }
        for (rule, count) in &mut beyond {
            *count = count.saturating_sub(2 * self.bounds.of(rule.as_deref()));
        }
        self.gone.extend(self.series.extract_if(|name, held| {
            let beyond = beyond.get_mut(&name.rule).filter(|beyond| **beyond > 0);
            let beyond = beyond.filter(|_| held.ended_ns.is_some());
            beyond.map(|beyond| *beyond -= 1).is_some()
        }));
        let mut over = self.series.len().saturating_sub(self.bounds.flows());
        self.gone.extend(self.series.extract_if(|_, held| {
            let goes = over > 0 && held.ended_ns.is_some();
            over -= usize::from(goes);
            goes
        }));
        shown.retain(|flow| self.shown.contains_key(&flow.key));
        for flow in shown.iter().rev().take(over) {
            if let Some(name) = self.shown.get(&flow.key).cloned() {
                self.end(&flow.key, report.taken_ns);
                self.gone.extend(self.series.remove_entry(&name));
            }
        }
    }

    fn choose_of_rule(&mut self, rule: &str, flows: Vec<&Flow>, now_ns: u64) {
        let most = self.bounds.of(Some(rule));
        let is_shown = |flow: &&Flow| self.shown.contains_key(&flow.key);
        let (mut shown, mut others): (Vec<&Flow>, Vec<&Flow>) =
            flows.into_iter().partition(is_shown);
        others.retain(|flow| size(flow) > 0 && lasts(flow));
        if others.len() > most {
            others.select_nth_unstable_by(most, by_size);
            others.truncate(most);
        }
        others.sort_by(by_size);
        shown.sort_by(by_size);
        let names = self.series.keys();
        let mut count = names
            .filter(|name| name.rule.as_deref() == Some(rule))
            .count();
        let mut room = most.saturating_sub(shown.len());
        for flow in others {
            let identity = Identity::of(flow);
            let known = self.series.get(&identity);
            let is_new = known.is_none();
            // Another flow of the same name, on another device of that name say, may have the series.
            let is_taken = known.is_some_and(|held| held.ended_ns.is_none());
            let is_full = count >= 2 * most || self.series.len() >= self.bounds.flows();
            if is_taken || is_new && is_full {
                continue;
            }
            if room > 0 {
                room -= 1;
            } else if let Some(smallest) = shown.pop_if(|least| size(flow) / 2 > size(least)) {
                self.end(&smallest.key, now_ns);
            } else {
                break;
            }
            count += usize::from(is_new);
            let gone = self.gone.remove(&identity).unwrap_or_default();
            // All of its series begin at once: rates of losses and of packets are over the same time then.
            let held = self.series.entry(identity.clone()).or_insert(gone);
            (held.ended_ns, held.is_of_stream) = (None, is_of_stream(flow));
            self.shown.insert(flow.key, identity);
        }
    }
}

fn is_of_stream(flow: &Flow) -> Option<bool> {
    let sequence = flow.counts.sequence.as_ref();
    sequence.map(|sequence| sequence.is_of_stream())
}

/// How large a flow is: bytes per second in the latest interval.
fn size(flow: &Flow) -> u64 {
    flow.rates.map_or(0, |rates| rates.throughput as u64)
}

fn by_size(a: &&Flow, b: &&Flow) -> std::cmp::Ordering {
    size(b).cmp(&size(a)).then(a.key.cmp(&b.key))
}

fn lasts(flow: &Flow) -> bool {
    flow.last_seen_ns.saturating_sub(flow.first_seen_ns) >= LASTS_NS
}
