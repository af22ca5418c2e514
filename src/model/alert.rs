//! Thresholds: when a flow is in trouble, and when it no longer is.
//!
//! An alert is raised when a value has been beyond its bound for a minimum time, and cleared when
//! it comes back across a second, easier bound: a value that trembles at the bound raises one alert.

use rustc_hash::{FxHashMap, FxHashSet};

use super::column::{Column, Context};
use super::flow::FlowKey;
use super::tracker::Report;

/// On which side of a bound trouble is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Too much.
    Above,
    /// Too little.
    Below,
}

/// One threshold of `ALERTS`.
#[derive(Debug, Clone, PartialEq)]
pub struct AlertRule {
    /// What is compared: `loss_percent`, `jitter`, `throughput` or any other column of amounts.
    pub column: &'static Column,
    /// Where trouble is.
    pub side: Side,
    /// Beyond this an alert is raised; in the column's own unit (percent, ms, bytes per second).
    pub bound: f64,
    /// Back across this it is cleared.
    pub clear: f64,
    /// For how long the value must be beyond the bound, s.
    pub at_least_s: f64,
}

impl AlertRule {
    /// A rule that clears at nine tenths (below: eleven tenths) of its bound, without delay.
    pub fn new(column: &'static Column, side: Side, bound: f64) -> AlertRule {
        let clear = match side {
            Side::Above => bound * 0.9,
            Side::Below => bound * 1.1,
        };
        AlertRule {
            column,
            side,
            bound,
            clear,
            at_least_s: 0.0,
        }
    }

    fn is_beyond(&self, value: f64, bound: f64) -> bool {
        match self.side {
            Side::Above => value > bound,
            Side::Below => value < bound,
        }
    }

    /// The rule in words: `loss above 1`.
    pub fn describe(&self) -> String {
        let side = match self.side {
            Side::Above => "above",
            Side::Below => "below",
        };
        let name = self.column.alias.unwrap_or(self.column.id);
        format!("{name} {side} {}", self.bound)
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct AlertState {
    since_ns: u64,
    raised: bool,
    /// The pass that found the flow beyond the bound last.
    pass: u64,
}

/// A flow that crossed a threshold, in one direction or the other.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Crossing {
    /// The flow.
    pub key: FlowKey,
    /// Index of the rule.
    pub rule: usize,
    /// Raised, or cleared.
    pub raised: bool,
}

/// The rules, and which flows are in trouble.
#[derive(Debug, Clone, Default)]
pub struct Alerts {
    rules: Vec<AlertRule>,
    states: FxHashMap<(FlowKey, usize), AlertState>,
    pass: u64,
}

impl Alerts {
    /// No flow is in trouble yet.
    pub fn new(rules: Vec<AlertRule>) -> Alerts {
        Alerts {
            rules,
            states: FxHashMap::default(),
            pass: 0,
        }
    }

    /// The rules.
    pub fn rules(&self) -> &[AlertRule] {
        &self.rules
    }

    /// Judges all flows of a report; returns those that crossed a threshold.
    pub fn advance(&mut self, report: &Report) -> Vec<Crossing> {
        let mut crossings = Vec::new();
        if self.rules.is_empty() {
            return crossings;
        }
        let context = Context {
            now_ns: report.taken_ns,
            ..Context::default()
        };
        self.pass += 1;
        for flow in &report.flows {
            for index in 0..self.rules.len() {
                let rule = &self.rules[index];
                let value = rule.column.value(flow, &context).number();
                let is_beyond = |bound| value.is_some_and(|value| rule.is_beyond(value, bound));
                // Of most flows there is nothing to look up.
                let (beyond, not_back) = (is_beyond(rule.bound), is_beyond(rule.clear));
                if beyond || not_back {
                    crossings.extend(self.check(
                        flow.key,
                        index,
                        beyond,
                        not_back,
                        report.taken_ns,
                    ));
                }
            }
        }
        self.clear_others(&mut crossings);
        crossings
    }

    /// Judges a flow that is beyond the bound, or not back yet across the one that clears.
    fn check(
        &mut self,
        key: FlowKey,
        rule: usize,
        is_beyond: bool,
        is_not_back: bool,
        now_ns: u64,
    ) -> Option<Crossing> {
        let state = self.states.get(&(key, rule)).copied();
        let was_raised = state.is_some_and(|state| state.raised);
        if !(if was_raised { is_not_back } else { is_beyond }) {
            return None;
        }
        let since_ns = state.map_or(now_ns, |state| state.since_ns);
        let lasted = now_ns.saturating_sub(since_ns) as f64 / 1e9;
        let raised = was_raised || lasted >= self.rules[rule].at_least_s;
        let state = AlertState {
            since_ns,
            raised,
            pass: self.pass,
        };
        self.states.insert((key, rule), state);
        (raised && !was_raised).then_some(Crossing { key, rule, raised })
    }

    /// Flows that are back, or gone, are in no trouble any more.
    fn clear_others(&mut self, crossings: &mut Vec<Crossing>) {
        let pass = self.pass;
        self.states.retain(|(key, rule), state| {
            let stays = state.pass == pass;
            if !stays && state.raised {
                crossings.push(Crossing {
                    key: *key,
                    rule: *rule,
                    raised: false,
                });
            }
            stays
        });
    }

    /// The rules that this flow violates now.
    pub fn raised(&self, key: &FlowKey) -> impl Iterator<Item = &AlertRule> {
        let key = *key;
        let rules = self.rules.iter().enumerate();
        rules.filter_map(move |(index, rule)| {
            let state = self.states.get(&(key, index))?;
            state.raised.then_some(rule)
        })
    }

    /// How many flows violate a rule now.
    pub fn count(&self) -> usize {
        let raised = self.states.iter().filter(|(_, state)| state.raised);
        raised
            .map(|((key, _), _)| key)
            .collect::<FxHashSet<_>>()
            .len()
    }
}
