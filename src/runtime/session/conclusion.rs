//! How a run ends that was to find something out, or to tell others: by its checks, by the flow that it waited for, and with its
//! last flow records.

use super::Session;
use crate::cli::{Exit, Failure};

impl Session {
    /// Ends a run, and tells line by line what came of its checks. One that has failed fails as it did.
    pub fn conclude(
        mut self,
        ended: Result<(), Failure>,
        mut tell: impl FnMut(&str),
    ) -> Result<(), Failure> {
        let is_checked = !self.checks.is_empty() || self.is_waiting();
        if !is_checked && self.ipfix_counts().is_none() {
            return ended;
        }
        self.finish();
        self.farewell.take().iter().for_each(|line| tell(line));
        if !is_checked {
            return ended;
        }
        let unit = self.config().appearance.unit;
        let tell = |line: &String| tell(line);
        let run = self.tracker.whole_run();
        let judged = run.map(|run| self.checks.judge(&run, unit, tell));
        ended?;
        let in_vain = self.waiting.map(|waiting| waiting.in_vain());
        let judged = judged.transpose()?.flatten();
        let unmet: Vec<String> = in_vain.into_iter().chain(judged).collect();
        match unmet.is_empty() {
            true => Ok(()),
            false => Err(Failure::new(Exit::Unmet, unmet.join("; "))),
        }
    }
}
