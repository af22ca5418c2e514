//! Judges checks by a run that is over.

use super::Check;
use crate::model::column::{Context, Value};
use crate::model::observer::describe;
use crate::model::preferences::Unit;
use crate::model::query::{Row, Standing};
use crate::model::tracker::{Flow, WholeRun};
use crate::model::units;

/// So many flows are told of each check, the worst first.
const TOLD: usize = 10;

/// What a check came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It holds.
    Holds,
    /// It does not.
    Fails,
    /// It holds for all that is known, and something is not.
    Unsure,
}

impl Verdict {
    /// The word in tables.
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Holds => "holds",
            Verdict::Fails => "fails",
            Verdict::Unsure => "unsure",
        }
    }
}

/// What came of a check.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// The check, as it was written.
    pub text: String,
    /// Whether it holds.
    pub verdict: Verdict,
    /// Flows, or interfaces, that it took.
    pub taken: u64,
    /// Those of them that do not satisfy its condition.
    pub failed: u64,
    /// `flows` or `interfaces`.
    pub of_what: &'static str,
    /// Of those that fail, or else of all, the worst ones, the worst first: figures and who.
    pub worst: Vec<String>,
    /// What else there is to say: why it fails without a flow that does, or what is not known.
    pub remarks: Vec<String>,
}

/// What one check has seen.
#[derive(Default)]
struct Tally {
    taken: u64,
    failed: u64,
    worst: Vec<(Standing, String)>,
    /// Gaps that are not in the histograms.
    unseen_gaps: u64,
    /// Interfaces that are not known one by one may be taken, too, and do not satisfy the condition together.
    may_lack_some: bool,
}

impl Tally {
    fn add(&mut self, standing: Standing, describe: impl FnOnce() -> String) {
        self.failed += u64::from(!standing.is_met);
        let worse = |(other, _): &(Standing, String)| !standing.is_worse_than(other);
        let at = self.worst.partition_point(worse);
        if at < TOLD {
            self.worst.insert(at, (standing, describe()));
            self.worst.truncate(TOLD);
        }
    }
}

/// Judges all checks; rates without a unit of their own are in this one.
pub fn judge(checks: &[Check], run: &WholeRun, unit: Unit) -> Vec<Outcome> {
    let context = Context {
        unit,
        now_ns: run.ended_ns(),
        ..Context::default()
    };
    let mut tallies: Vec<Tally> = checks.iter().map(|_| Tally::default()).collect();
    let mut scratch = String::new();
    let of_flows = |check: &Check| !check.is_of_interfaces;
    if checks.iter().any(of_flows) {
        // A condition may ask how many are taken.
        for flow in run.flows() {
            for (check, tally) in checks.iter().zip(&mut tallies) {
                tally.taken += u64::from(check.takes(&flow, &context, &mut scratch));
            }
        }
        for flow in run.flows() {
            for (check, tally) in checks.iter().zip(&mut tallies) {
                if check.takes(&flow, &context, &mut scratch) {
                    let row = Row::Flow(&flow);
                    let standing =
                        check
                            .condition
                            .standing(row, tally.taken, &context, &mut scratch);
                    tally.add(standing, || check.told(row, &describe(&flow), &context));
                    tally.unseen_gaps += gaps_beside_histogram(&flow);
                }
            }
        }
    }
    let judged = checks.iter().zip(tallies);
    let judged = judged.map(|(check, tally)| match check.is_of_interfaces {
        true => check.of_interfaces(run, &context, &mut scratch),
        false => check.outcome(tally, run, &context, &mut scratch),
    });
    judged.collect()
}

impl Check {
    fn takes(&self, flow: &Flow, context: &Context, scratch: &mut String) -> bool {
        !self.is_of_interfaces && self.selection.matches(flow, context, &[], scratch)
    }

    fn of_interfaces(&self, run: &WholeRun, context: &Context, scratch: &mut String) -> Outcome {
        let mut tally = Tally::default();
        for interface in run.interfaces() {
            let row = Row::Interface(&interface);
            // Who shares this row is not known any more.
            let is_shared = interface.ifindex == 0;
            if !is_shared && !self.selection.standing(row, 0, context, scratch).is_met {
                continue;
            }
            let standing = self.condition.standing(row, 0, context, scratch);
            if is_shared && !self.selection.is_empty() {
                tally.may_lack_some |= !standing.is_met;
            } else {
                tally.taken += 1;
                tally.add(standing, || self.told(row, &interface.name, context));
            }
        }
        self.outcome(tally, run, context, scratch)
    }

    /// The figures that the condition asks for, and whose they are.
    fn told(&self, row: Row, who: &str, context: &Context) -> String {
        let figures = self.condition.figures(row, context).into_iter();
        let figures = figures.map(|(title, value)| format!("{title} {}", exact(&value, context)));
        let mut parts: Vec<String> = figures.collect();
        parts.push(who.to_owned());
        parts.join(", ")
    }

    fn outcome(
        &self,
        mut tally: Tally,
        run: &WholeRun,
        context: &Context,
        scratch: &mut String,
    ) -> Outcome {
        let mut remarks = Vec::new();
        let of_what = match self.is_of_interfaces {
            true => "interfaces",
            false => "flows",
        };
        let counts_flows = self.condition.counts_flows();
        if tally.taken == 0 {
            let of_none = self
                .condition
                .standing(Row::Nothing, 0, context, scratch)
                .is_met;
            if !(counts_flows && of_none) {
                tally.failed = 1;
                remarks.push(format!("no {} is taken", of_what.trim_end_matches('s')));
            }
        }
        let is_met = tally.failed == 0;
        tally
            .worst
            .retain(|(standing, _)| standing.is_met == is_met);
        let mut doubts = self.doubts(run);
        if tally.may_lack_some {
            let text =
                "interfaces that are gone and share a row may be some of those that are asked for";
            doubts.push(text.to_owned());
        }
        let verdict = match (is_met, doubts.is_empty()) {
            (false, _) => Verdict::Fails,
            (true, true) => Verdict::Holds,
            (true, false) => Verdict::Unsure,
        };
        remarks.extend(doubts);
        if tally.unseen_gaps > 0 && self.condition.asks_for_histograms() {
            let gaps = units::exact(tally.unseen_gaps);
            remarks.push(format!(
                "{gaps} times between packets are in no histogram: those before a flow's first reading"
            ));
        }
        Outcome {
            text: self.text.clone(),
            verdict,
            taken: tally.taken,
            failed: tally.failed.min(tally.taken),
            of_what,
            worst: tally.worst.into_iter().map(|(_, told)| told).collect(),
            remarks,
        }
    }

    /// Why more than is known may have been to be taken.
    fn doubts(&self, run: &WholeRun) -> Vec<String> {
        let mut doubts: Vec<String> = run.missing().iter().map(|it| (*it).to_owned()).collect();
        if self.is_of_interfaces {
            return doubts;
        }
        let concerned = run
            .interfaces()
            .filter(|it| it.ifindex == 0 || self.selection.may_match_on(&it.name));
        let untracked: u64 = concerned.map(|it| it.counted.untracked.packets).sum();
        if untracked > 0 {
            let packets = units::exact(untracked);
            doubts.push(format!(
                "{packets} packets are untracked, of flows that found no room in the table (a larger --max-flows)"
            ));
        }
        if run.unkept() > 0 {
            let flows = units::exact(run.unkept());
            doubts.push(format!(
                "flows beyond those that the run has memory for: {flows} (a larger --max-flows)"
            ));
        }
        doubts
    }
}

/// Times between packets that came before the flow's histogram was kept.
fn gaps_beside_histogram(flow: &Flow) -> u64 {
    let kept = flow.histogram.as_ref().map(|histogram| histogram.total());
    let all = flow.interarrival.samples;
    kept.map_or(0, |kept| all.saturating_sub(kept))
}

/// A cell with so many digits that it can be held against a bound.
fn exact(value: &Value, context: &Context) -> String {
    match *value {
        Value::Percent(share) => format!("{}%", significant(share)),
        Value::Milliseconds(ms) => format!("{} ms", significant(ms)),
        Value::Count(count) => units::exact(count),
        Value::Bytes(bytes) => format!("{} B", units::exact(bytes)),
        Value::PerSecond(rate) => format!("{}/s", significant(rate)),
        Value::Seconds(seconds) => format!("{} s", significant(seconds)),
        Value::Unknown => "unknown".to_owned(),
        ref value => value.text(context).trim().to_owned(),
    }
}

/// A number with five digits that count, and no zeros behind them.
fn significant(number: f64) -> String {
    const DIGITS: i32 = 5;
    let before = match number == 0.0 {
        true => 1,
        false => number.abs().log10().floor() as i32 + 1,
    };
    let behind = (DIGITS - before).clamp(0, 9) as usize;
    units::without_zeros(&format!("{number:.behind$}"))
}
