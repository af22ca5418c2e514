//! The table of checks, for people.

use super::{Outcome, Verdict};
use crate::model::units;

/// The lines of the table, after a run of so many seconds: for each check one, and what there is to say of it, its worst
/// flow among that. That all hold is told below; that some do not is up to the end of the run.
pub fn table(outcomes: &[Outcome], seconds: f64) -> Vec<String> {
    let mut lines = vec![
        format!("flowtop: checks over {}", units::duration(seconds)),
        format!("{:<6} {:>7} {:>7}  check", "result", "taken", "failed"),
    ];
    for outcome in outcomes {
        lines.push(format!(
            "{:<6} {:>7} {:>7}  {}",
            outcome.verdict.name(),
            units::count(outcome.taken),
            units::count(outcome.failed),
            outcome.text
        ));
        let worst = outcome.worst.first();
        let worst = worst.map(|worst| format!("worst: {worst}"));
        let more = outcome.remarks.iter().cloned().chain(worst);
        lines.extend(more.map(|line| format!("{:24}{line}", "")));
    }
    if unmet(outcomes).is_none() {
        let all = outcomes.len();
        lines.push(match all {
            1 => "flowtop: the check holds".to_owned(),
            _ => format!("flowtop: all {all} checks hold"),
        });
    }
    lines
}

/// How many checks do not hold, in words; `None` where all do.
pub fn unmet(outcomes: &[Outcome]) -> Option<String> {
    let is_unmet = |outcome: &&Outcome| outcome.verdict != Verdict::Holds;
    let unmet = outcomes.iter().filter(is_unmet).count();
    let all = match outcomes.len() {
        1 => "1 check".to_owned(),
        all => format!("{all} checks"),
    };
    match unmet {
        0 => None,
        1 => Some(format!("1 of {all} does not hold")),
        unmet => Some(format!("{unmet} of {all} do not hold")),
    }
}
