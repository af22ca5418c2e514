//! Thresholds: when a flow is in trouble, and when it no longer is.
//!
//! An alert is raised when a value has been beyond its bound for a minimum time, and cleared when
//! it comes back across a second, easier bound: a value that trembles at the bound raises one alert.

use rustc_hash::{FxHashMap, FxHashSet};

use super::column::{Column, Context, Thresholds, Value};
use super::flow::FlowKey;
use super::tracker::Report;
use super::units;

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

    /// The measured value beside the bound, or none: `jitter 5.1 ms > 2 ms`, `jitter > 2 ms`. `like` is a cell of the
    /// column, which knows its unit.
    fn compare(&self, value: Option<&Value>, like: &Value) -> String {
        let side = match self.side {
            Side::Above => '>',
            Side::Below => '<',
        };
        let bound = in_words(&like.with_amount(self.bound));
        let value = value.map_or_else(String::new, |value| format!("{} ", in_words(value)));
        format!("{} {value}{side} {bound}", self.column.title)
    }
}

/// A cell as it is written in a sentence.
fn in_words(value: &Value) -> String {
    units::without_zeros(value.text(&Context::default()).trim())
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct AlertState {
    since_ns: u64,
    raised: bool,
    /// The value that was furthest beyond the bound.
    worst: Value<'static>,
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
    /// The value that raised it; where it is cleared, the worst one.
    pub value: Value<'static>,
    /// How long it has been beyond its bounds, s.
    pub lasted_s: f64,
}

impl Crossing {
    /// What happened: `jitter 5.1 ms > 2 ms`, and in the end `jitter > 2 ms over after 14 s, at worst 9.3 ms`.
    pub fn describe(&self, rule: &AlertRule) -> String {
        if self.raised {
            return rule.compare(Some(&self.value), &self.value);
        }
        format!(
            "{} over after {}, at worst {}",
            rule.compare(None, &self.value),
            units::duration(self.lasted_s),
            in_words(&self.value)
        )
    }
}

/// The rules, and which flows are in trouble.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Alerts {
    rules: Vec<AlertRule>,
    /// Each rule in words, once a flow was beyond it: a cell is needed to know its unit.
    words: Vec<String>,
    states: FxHashMap<(FlowKey, usize), AlertState>,
    pass: u64,
    /// Alerts that the latest pass raised.
    raised_now: usize,
}

impl Alerts {
    /// No flow is in trouble yet.
    pub fn new(rules: Vec<AlertRule>) -> Alerts {
        Alerts {
            words: vec![String::new(); rules.len()],
            rules,
            states: FxHashMap::default(),
            pass: 0,
            raised_now: 0,
        }
    }

    /// The rules.
    pub fn rules(&self) -> &[AlertRule] {
        &self.rules
    }

    /// Puts other rules in force. Of those that were there before, the flows that are beyond them stay so.
    pub fn set_rules(&mut self, rules: Vec<AlertRule>) {
        let former = std::mem::replace(self, Alerts::new(rules));
        let place_of = |rule: usize| {
            let rule = &former.rules[rule];
            self.rules.iter().position(|other| other == rule)
        };
        let states = former.states.into_iter();
        self.states = states
            .filter_map(|((key, rule), state)| Some(((key, place_of(rule)?), state)))
            .collect();
        for (rule, words) in former.words.into_iter().enumerate() {
            if let Some(place) = place_of(rule) {
                self.words[place] = words;
            }
        }
        self.pass = former.pass;
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
                let value = rule.column.value(flow, &context);
                let Some(amount) = value.number() else {
                    continue;
                };
                // Of most flows there is nothing to look up.
                if rule.is_beyond(amount, rule.bound) || rule.is_beyond(amount, rule.clear) {
                    let value = value.with_amount(amount);
                    crossings.extend(self.check(flow.key, index, value, report));
                }
            }
        }
        self.raised_now = crossings.len();
        self.clear_others(&mut crossings, report.taken_ns);
        crossings
    }

    /// Judges a flow that is beyond the bound, or not back yet across the one that clears.
    fn check(
        &mut self,
        key: FlowKey,
        index: usize,
        value: Value<'static>,
        report: &Report,
    ) -> Option<Crossing> {
        let now_ns = report.taken_ns;
        let rule = &self.rules[index];
        let amount = value.number()?;
        let state = self.states.get(&(key, index)).copied();
        let was_raised = state.is_some_and(|state| state.raised);
        if !was_raised && !rule.is_beyond(amount, rule.bound) {
            return None;
        }
        let since_ns = state.map_or(now_ns, |state| state.since_ns);
        let lasted_s = seconds_between(since_ns, now_ns);
        // Reports come a little early or late.
        let unsteady_s = report.interval_s / 10.0;
        let raised = was_raised || lasted_s + unsteady_s >= rule.at_least_s;
        let worst = state.map(|state| state.worst).filter(|worst| {
            let worst = worst.number();
            worst.is_some_and(|worst| rule.is_beyond(worst, amount))
        });
        let state = AlertState {
            since_ns,
            raised,
            worst: worst.unwrap_or(value),
            pass: self.pass,
        };
        self.states.insert((key, index), state);
        if !raised || was_raised {
            return None;
        }
        if self.words[index].is_empty() {
            self.words[index] = rule.compare(None, &value);
        }
        Some(Crossing {
            key,
            rule: index,
            raised,
            value,
            lasted_s,
        })
    }

    /// Flows that are back, or gone, are in no trouble any more.
    fn clear_others(&mut self, crossings: &mut Vec<Crossing>, now_ns: u64) {
        let pass = self.pass;
        self.states.retain(|(key, rule), state| {
            let stays = state.pass == pass;
            if !stays && state.raised {
                crossings.push(Crossing {
                    key: *key,
                    rule: *rule,
                    raised: false,
                    value: state.worst,
                    lasted_s: seconds_between(state.since_ns, now_ns),
                });
            }
            stays
        });
    }

    /// Whether any flow is beyond a bound, for long enough or not.
    pub fn has_any(&self) -> bool {
        !self.states.is_empty()
    }

    /// The rules that this flow violates now.
    pub fn raised(&self, key: &FlowKey) -> impl Iterator<Item = &AlertRule> {
        self.raised_indices(*key).map(|index| &self.rules[index])
    }

    /// The same in words: `jitter > 2 ms`.
    pub fn raised_words(&self, key: &FlowKey) -> impl Iterator<Item = &str> {
        self.raised_indices(*key)
            .map(|index| self.words[index].as_str())
    }

    fn raised_indices(&self, key: FlowKey) -> impl Iterator<Item = usize> + '_ {
        // Of most reports there is nothing to look up.
        let rules = if self.has_any() { self.rules.len() } else { 0 };
        (0..rules).filter(move |rule| {
            let state = self.states.get(&(key, *rule));
            state.is_some_and(|state| state.raised)
        })
    }

    /// How many alerts the latest report raised.
    pub fn raised_now(&self) -> usize {
        self.raised_now
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

fn seconds_between(since_ns: u64, now_ns: u64) -> f64 {
    now_ns.saturating_sub(since_ns) as f64 / 1e9
}

impl Thresholds for Alerts {
    fn words(&self, key: &FlowKey) -> Option<&str> {
        self.raised_words(key).next()
    }
}
