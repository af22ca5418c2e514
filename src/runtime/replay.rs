//! A recording, shown or said again: a tracker takes in again what the run's tracker took in.

mod dashboard;
mod judgement;
mod player;
mod records;
mod segments;
mod span;

use std::path::Path;

use jiff::Timestamp;

use self::player::Player;
pub use self::segments::Segments;
use super::checks::Checks;
use crate::cli::{Exit, Failure, Moment, Replay};
use crate::config::source::Surroundings;
use crate::probe::interfaces::display_name;
use crate::probe::privileges::confine;
use crate::recording::SegmentName;

/// Shows the recording on a screen, or goes through a span of it: writes its records, and judges checks.
pub fn run(arguments: &Replay, surroundings: &Surroundings) -> Result<(), Failure> {
    confine::no_new_privileges().map_err(|error| about(&arguments.folder, Exit::Failed, error))?;
    let now = Timestamp::now();
    let when = |it: &Option<Moment>| -> Result<Option<i64>, Failure> {
        let moment = it.map(|it| it.at(now)).transpose();
        let moment = moment.map_err(|text| Failure::new(Exit::Usage, text))?;
        // A recording is of a time that these nanoseconds reach, and so is each moment in it.
        let reachable = |ns: i128| ns.clamp(i64::MIN.into(), i64::MAX.into()) as i64;
        Ok(moment.map(|moment| reachable(moment.as_nanosecond())))
    };
    let (at, from, to) = (
        when(&arguments.at)?,
        when(&arguments.from)?,
        when(&arguments.to)?,
    );
    if let (Some(from), Some(to)) = (from, to)
        && from > to
    {
        let name = |ns: i64| Timestamp::from_nanosecond(ns.into()).unwrap_or_default();
        let text = format!(
            "--from {:.0} is later than --to {:.0}: times of day are the latest ones (name the day, too)",
            name(from),
            name(to)
        );
        return Err(misused(&text));
    }
    let opened = Segments::open(&arguments.folder);
    let (segments, owner) = opened.map_err(|error| about(&arguments.folder, Exit::Usage, error))?;
    let has_records = arguments.json || arguments.text;
    let is_judged = !arguments.checks.is_empty() || arguments.report.is_some();
    if is_judged && !has_records && chooses_flows(arguments) {
        return Err(misused(
            "--filter, --top and --sort choose what records list: they need --json or --text",
        ));
    }
    if !is_judged && !has_records {
        if from.or(to).is_some() || arguments.top.is_some() {
            return Err(misused(
                "--from, --to and --top need --json or --text (the dashboard: --at)",
            ));
        }
        return dashboard::run(arguments, at, segments, owner);
    }
    let checks = Checks::of_replay(arguments, surroundings)?;
    let span = (from.unwrap_or(i64::MIN), to.unwrap_or(i64::MAX));
    Player::start(arguments, checks, span, owner)?.play(&segments)
}

fn misused(text: &str) -> Failure {
    Failure::new(Exit::Usage, format!("command line: {text}"))
}

fn chooses_flows(arguments: &Replay) -> bool {
    arguments.filter.is_some() || arguments.top.is_some() || arguments.sort.is_some()
}

/// All segments, of which there has to be one.
fn list(folder: &Path, segments: &Segments) -> Result<Vec<SegmentName>, Failure> {
    let listed = segments.list();
    let all = listed.map_err(|error| about(folder, Exit::Failed, error))?;
    match all.is_empty() {
        true => {
            let text = "there is no recording (record one: flowtop --record DIR)";
            Err(about(folder, Exit::Usage, text))
        }
        false => Ok(all),
    }
}

fn about(folder: &Path, code: Exit, why: impl std::fmt::Display) -> Failure {
    let name = display_name(folder.as_os_str());
    Failure::new(code, format!("replay {name}: {why}"))
}
