//! How a run ends that was to find something out, or to tell others: by its checks, by the flow that it waited for, and with its
//! last flow records.

use super::session::Session;
use crate::cli::{Exit, Failure};

/// Ends a run, and tells line by line what came of its checks. One that has failed fails as it did.
pub fn conclude(
    mut session: Session,
    ended: Result<(), Failure>,
    mut tell: impl FnMut(&str),
) -> Result<(), Failure> {
    let is_checked = !session.checks.is_empty() || session.waiting.is_some();
    if !is_checked && session.ipfix_counts().is_none() {
        return ended;
    }
    session.finish();
    session.farewell.take().iter().for_each(|line| tell(line));
    if !is_checked {
        return ended;
    }
    let unit = session.reload.config().appearance.unit;
    let tell = |line: &String| tell(line);
    let judged = session.checks.judge(&session.tracker, unit, tell);
    ended?;
    let in_vain = session.waiting.map(|waiting| waiting.in_vain());
    let unmet: Vec<String> = in_vain.into_iter().chain(judged?).collect();
    match unmet.is_empty() {
        true => Ok(()),
        false => Err(Failure::new(Exit::Unmet, unmet.join("; "))),
    }
}
