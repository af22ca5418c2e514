//! Thresholds: when a flow is in trouble, and when it no longer is.
//!
//! An alert is raised when a value has been beyond its bound for a minimum time, and cleared when
//! it comes back across a second, easier bound: a value that trembles at the bound raises one alert.

use rustc_hash::{FxHashMap, FxHashSet};

use super::column::{Column, Context};
use super::flow::FlowKey;
use super::tracker::{Flow, Report};

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
struct State {
    since_ns: u64,
    raised: bool,
}

/// A flow that crossed a threshold, in one direction or the other.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Change {
    /// The flow.
    pub key: FlowKey,
    /// Index of the rule.
    pub rule: usize,
    /// Raised, or cleared.
    pub raised: bool,
    /// The value now; unknown where the flow is gone or says nothing.
    pub value: Option<f64>,
}

/// The rules, and which flows are in trouble.
#[derive(Debug, Clone, Default)]
pub struct Alerts {
    rules: Vec<AlertRule>,
    states: FxHashMap<(FlowKey, usize), State>,
}

impl Alerts {
    /// No flow is in trouble yet.
    pub fn new(rules: Vec<AlertRule>) -> Alerts {
        Alerts {
            rules,
            states: FxHashMap::default(),
        }
    }

    /// The rules.
    pub fn rules(&self) -> &[AlertRule] {
        &self.rules
    }

    /// Judges all flows of a report; returns those that crossed a threshold.
    pub fn advance(&mut self, report: &Report) -> Vec<Change> {
        let mut changes = Vec::new();
        if self.rules.is_empty() {
            return changes;
        }
        let context = Context {
            now_ns: report.taken_ns,
            ..Context::default()
        };
        for flow in &report.flows {
            for rule in 0..self.rules.len() {
                changes.extend(self.judge(flow, rule, &context));
            }
        }
        self.drop_gone(report, &mut changes);
        changes
    }

    fn judge(&mut self, flow: &Flow, rule: usize, context: &Context) -> Option<Change> {
        let id = (flow.key, rule);
        let state = self.states.get(&id).copied();
        let rule = &self.rules[rule];
        let value = (rule.column.value)(flow, context).number();
        let raised = state.is_some_and(|s| s.raised);
        let bound = if raised { rule.clear } else { rule.bound };
        let beyond = value.is_some_and(|value| rule.is_beyond(value, bound));
        let (key, index) = id;
        let change = |raised| Change {
            key,
            rule: index,
            raised,
            value,
        };
        if !beyond {
            if state.is_some() {
                self.states.remove(&id);
            }
            return raised.then(|| change(false));
        }
        if raised {
            return None;
        }
        let since_ns = state.map_or(context.now_ns, |s| s.since_ns);
        let lasted = context.now_ns.saturating_sub(since_ns) as f64 / 1e9;
        let raised = lasted >= rule.at_least_s;
        self.states.insert(id, State { since_ns, raised });
        raised.then(|| change(true))
    }

    fn drop_gone(&mut self, report: &Report, changes: &mut Vec<Change>) {
        if self.states.is_empty() {
            return;
        }
        let listed: FxHashSet<FlowKey> = report.flows.iter().map(|flow| flow.key).collect();
        self.states.retain(|(key, rule), state| {
            let stays = listed.contains(key);
            if !stays && state.raised {
                changes.push(Change {
                    key: *key,
                    rule: *rule,
                    raised: false,
                    value: None,
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
