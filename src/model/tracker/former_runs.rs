//! Runs that are over, one after the other, or parts of them: what came of their flows and interfaces together.

use super::advance::FlowTracker;
use super::kept::KeptFlows;
use super::{Interface, WholeRun};

/// What came of them.
#[derive(Debug)]
pub struct FormerRuns {
    kept: KeptFlows,
    interfaces: Vec<Interface>,
    lasted_ns: u64,
    ended_ns: u64,
    /// There was more than one.
    are_joined: bool,
}

impl FlowTracker {
    /// Keeps flows no longer: what came of those that were kept. Moments are of another clock then, which is ahead by so much.
    pub fn end_run(&mut self, ahead_ns: i64) -> Option<FormerRuns> {
        let run = self.whole_run()?;
        let (lasted_ns, ended_ns) = (run.lasted_ns, run.ended_ns);
        let mut kept = *self.kept.take()?;
        kept.end_all(self.report(), ahead_ns);
        let interfaces = self.report().interfaces.clone();
        Some(FormerRuns {
            kept,
            interfaces,
            lasted_ns,
            ended_ns: ended_ns.saturating_add_signed(ahead_ns),
            are_joined: false,
        })
    }
}

impl FormerRuns {
    /// None.
    pub fn none() -> FormerRuns {
        FormerRuns {
            kept: KeptFlows::new(0, 0, Box::new(|_| false)),
            interfaces: Vec::new(),
            lasted_ns: 0,
            ended_ns: 0,
            are_joined: false,
        }
    }

    /// These came behind them, by the same clock. Interfaces of one name are one.
    pub fn add(&mut self, next: FormerRuns) {
        if !self.are_joined {
            let joined = FormerRuns {
                are_joined: true,
                ..FormerRuns::none()
            };
            // Also those of the first run, where one went and another came.
            let first = std::mem::replace(self, joined);
            self.join(first);
        }
        self.join(next);
    }

    fn join(&mut self, next: FormerRuns) {
        self.kept.add(next.kept);
        self.lasted_ns += next.lasted_ns;
        self.ended_ns = next.ended_ns;
        for interface in next.interfaces {
            let is_it = |it: &&mut Interface| it.name == interface.name;
            match self.interfaces.iter_mut().find(is_it) {
                Some(sum) => add(sum, interface),
                None => self.interfaces.push(interface),
            }
        }
    }

    /// As if they had been one run; `missing`: what is not among it, in words.
    pub fn whole<'a>(&'a self, missing: &'a [&'static str]) -> WholeRun<'a> {
        WholeRun {
            kept: &self.kept,
            tracker: None,
            interfaces: &self.interfaces,
            lasted_ns: self.lasted_ns,
            ended_ns: self.ended_ns,
            missing,
        }
    }
}

fn add(sum: &mut Interface, next: Interface) {
    let drops = sum.counted.device_drops.zip(next.counted.device_drops);
    sum.counts += next.counts;
    sum.ended += next.ended;
    sum.counted = next.counted.counted_beside(&sum.counted);
    sum.counted.device_drops = drops.map(|(before, more)| before + more);
    (sum.ifindex, sum.state, sum.hook) = (next.ifindex, next.state, next.hook);
}

#[cfg(test)]
#[path = "former_runs_tests.rs"]
mod tests;
