//! The metrics of a run at one moment, in the order in which they are written.

use std::collections::BTreeMap;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::Ledger;
use super::flows::{Held, Identity};
use super::growth::Growth;
use super::interfaces::InterfaceSeries;
use crate::model::alert::Alerts;
use crate::model::snapshot::{LinkState, TableSample};
use crate::model::tracker::{Flow, Report};

/// So many pairs of a rule and an interface have series before their first packet: else whoever reads differences would
/// miss what the first reading has.
const MOST_AHEAD: usize = 1000;

/// What came of one rule on one interface.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RuleSeries {
    /// The rule; `None`: flows of no rule.
    pub rule: Option<Arc<str>>,
    /// Name of the interface.
    pub interface: Arc<str>,
    /// Flows listed.
    pub flows: u64,
    /// All that came.
    pub all: Growth,
    /// Of this, what no series of a flow has.
    pub rest: Growth,
}

/// How a figure of a rule's flows is spread over them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// The smallest one that half of the flows do not exceed.
    pub median: f64,
    /// The smallest one that 95 of 100 flows do not exceed.
    pub p95: f64,
    /// The largest one.
    pub max: f64,
}

/// The figures of one rule's flows at this moment; `None`: not known of any flow.
#[derive(Debug, Clone, PartialEq)]
pub struct RuleFigures {
    /// The rule; `None`: flows of no rule.
    pub rule: Option<Arc<str>>,
    /// Jitter, s.
    pub jitter: Option<Spread>,
    /// Mean inter-arrival time, s.
    pub interarrival: Option<Spread>,
}

/// Flows of a rule beyond a threshold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertFigure {
    /// The rule; `None`: flows of no rule.
    pub rule: Option<Arc<str>>,
    /// The threshold, in words.
    pub alert: String,
    /// How many flows are beyond it.
    pub flows: u64,
}

/// The series of one flow.
#[derive(Debug, Clone, PartialEq)]
pub struct FlowSeries {
    /// Whose it is.
    pub identity: Identity,
    /// What came.
    pub growth: Growth,
    /// Whether its sequence numbers are bytes of a stream; unknown where it has none.
    pub is_of_stream: Option<bool>,
    /// Jitter, s.
    pub jitter: Option<f64>,
    /// Mean inter-arrival time, s.
    pub interarrival: Option<f64>,
}

/// All of it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Exposition {
    /// By the names of interfaces.
    pub interfaces: Vec<(String, InterfaceSeries)>,
    /// By rules, and their interfaces.
    pub rules: Vec<RuleSeries>,
    /// By rules.
    pub figures: Vec<RuleFigures>,
    /// By rules, and thresholds.
    pub alerts: Vec<AlertFigure>,
    /// In no particular order.
    pub flows: Vec<FlowSeries>,
    /// Series that flows may have at most.
    pub most_series: u32,
    /// The state of the table.
    pub table: TableSample,
}

/// What is known of a rule's flows: jitter and mean inter-arrival time, s.
type Figures = (Vec<f64>, Vec<f64>);

pub(super) fn expose(ledger: &Ledger, report: &Report, alerts: &Alerts) -> Exposition {
    let mut figures: BTreeMap<Option<Arc<str>>, Figures> = BTreeMap::new();
    for rule in &report.rules {
        figures.insert(Some(rule.name.clone()), Figures::default());
    }
    let mut flows = Vec::new();
    for flow in &report.flows {
        if let Some((identity, held)) = ledger.flows.of(&flow.key) {
            flows.push(series_of(identity, held, Some(flow)));
        }
        if !figures.contains_key(&flow.rule) {
            figures.insert(flow.rule.clone(), Figures::default());
        }
        if let Some((jitter, interarrival)) = figures.get_mut(&flow.rule) {
            jitter.extend(jitter_of(flow));
            interarrival.extend(interarrival_of(flow));
        }
    }
    let ended = ledger.flows.series();
    let ended = ended.filter(|(_, held)| held.ended_ns.is_some());
    flows.extend(ended.map(|(identity, held)| series_of(identity, held, None)));
    let series = ledger.interfaces.series();
    Exposition {
        interfaces: series
            .map(|(name, its)| (name.to_owned(), its.clone()))
            .collect(),
        rules: rules(ledger, report),
        alerts: alert_figures(report, alerts),
        figures: figures
            .into_iter()
            .map(|(rule, its)| figures_of(rule, its))
            .collect(),
        flows,
        most_series: ledger.flows.most_series(),
        table: report.table,
    }
}

fn series_of(identity: &Identity, held: &Held, flow: Option<&Flow>) -> FlowSeries {
    FlowSeries {
        identity: identity.clone(),
        growth: held.growth,
        is_of_stream: held.is_of_stream,
        jitter: flow.and_then(jitter_of),
        interarrival: flow.and_then(interarrival_of),
    }
}

fn jitter_of(flow: &Flow) -> Option<f64> {
    flow.interarrival.jitter_ms().map(|ms| ms / 1000.0)
}

fn interarrival_of(flow: &Flow) -> Option<f64> {
    flow.interarrival.mean_ms().map(|ms| ms / 1000.0)
}

fn figures_of(rule: Option<Arc<str>>, (jitter, interarrival): Figures) -> RuleFigures {
    RuleFigures {
        rule,
        jitter: spread(jitter),
        interarrival: spread(interarrival),
    }
}

fn spread(mut figures: Vec<f64>) -> Option<Spread> {
    let count = figures.len();
    // The smallest place up to which there are so many of a hundred.
    let place = |percent: usize| (count * percent).div_ceil(100).saturating_sub(1);
    let mut at = |place| *figures.select_nth_unstable_by(place, f64::total_cmp).1;
    (count > 0).then(|| Spread {
        median: at(place(50)),
        p95: at(place(95)),
        max: at(count - 1),
    })
}

/// All groups, those of rules in force that have had no packet yet, and how many flows each has.
fn rules(ledger: &Ledger, report: &Report) -> Vec<RuleSeries> {
    let mut rows: BTreeMap<Names, RuleSeries> = BTreeMap::new();
    for group in &ledger.groups.all {
        let row = RuleSeries {
            all: group.all,
            rest: group.rest,
            ..RuleSeries::default()
        };
        rows.insert((group.rule.clone(), group.interface.clone()), row);
    }
    for names in ahead(report) {
        rows.entry(names).or_default();
    }
    for (names, flows) in listed(report) {
        rows.entry(names).or_default().flows = flows;
    }
    let named = |((rule, interface), row)| RuleSeries {
        rule,
        interface,
        ..row
    };
    rows.into_iter().map(named).collect()
}

/// The rules in force; where there are none, all flows are of no rule.
fn in_force(report: &Report) -> Vec<Option<Arc<str>>> {
    match report.rules.is_empty() {
        true => vec![None],
        false => report.rules.iter().map(|r| Some(r.name.clone())).collect(),
    }
}

type Names = (Option<Arc<str>>, Arc<str>);

/// Pairs of a rule and an interface that packets may come for.
fn ahead(report: &Report) -> Vec<Names> {
    let is_there = |state| state != LinkState::Gone;
    let interfaces = report.interfaces.iter().filter(|i| is_there(i.state));
    let interfaces: Vec<Arc<str>> = interfaces.map(|i| Arc::from(i.name.as_str())).collect();
    if report.rules.len() * interfaces.len() > MOST_AHEAD {
        return Vec::new();
    }
    let of_rule = |rule: Option<Arc<str>>| {
        let names = interfaces.iter();
        names.map(move |interface| (rule.clone(), interface.clone()))
    };
    in_force(report).into_iter().flat_map(of_rule).collect()
}

/// How many flows of each rule are listed on each interface.
fn listed(report: &Report) -> FxHashMap<Names, u64> {
    let mut counts: FxHashMap<Names, u64> = FxHashMap::default();
    let is_same = |a: &Flow, b: &Flow| {
        let rules = a.rule.as_ref().map(Arc::as_ptr) == b.rule.as_ref().map(Arc::as_ptr);
        rules && Arc::ptr_eq(&a.interface, &b.interface)
    };
    // Flows beside each other are mostly of the same.
    for run in report.flows.chunk_by(is_same) {
        let names = (run[0].rule.clone(), run[0].interface.clone());
        *counts.entry(names).or_default() += run.len() as u64;
    }
    counts
}

fn alert_figures(report: &Report, alerts: &Alerts) -> Vec<AlertFigure> {
    let words: Vec<String> = alerts.rules().iter().map(|rule| rule.describe()).collect();
    let mut counts: BTreeMap<(Option<Arc<str>>, String), u64> = BTreeMap::new();
    if words.is_empty() {
        return Vec::new();
    }
    for rule in in_force(report) {
        for alert in &words {
            counts.insert((rule.clone(), alert.clone()), 0);
        }
    }
    for flow in &report.flows {
        for alert in alerts.raised(&flow.key) {
            *counts
                .entry((flow.rule.clone(), alert.describe()))
                .or_default() += 1;
        }
    }
    let figure = |((rule, alert), flows)| AlertFigure { rule, alert, flows };
    counts.into_iter().map(figure).collect()
}
