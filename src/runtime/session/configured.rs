//! A run and its configuration: what a file or a key changes is put in force.

use std::path::Path;
use std::time::Duration;

use super::Session;
use crate::config::Config;
use crate::config::source::{FileText, Surroundings};
use crate::export::ConfigState;
use crate::recording::Entry;
use crate::runtime::reload::ReloadOutcome;
use crate::runtime::setup::{self, Timing};

impl Session {
    /// The configuration in force.
    pub fn config(&self) -> &Config {
        self.reload.config()
    }

    /// Which configuration is in force, and what is wrong with a newer one.
    pub fn config_state(&self) -> ConfigState<'_> {
        self.reload.state()
    }

    /// What the configuration was read in.
    pub fn surroundings(&self) -> &Surroundings {
        self.reload.surroundings()
    }

    /// Uses another throughput interval from here on.
    pub fn set_interval(&mut self, seconds: f64) {
        let config = self.reload.config();
        let throughput = Duration::from_secs_f64(seconds);
        let jitter = config.jitter_interval.unwrap_or(throughput);
        self.retime(Timing::new(throughput, jitter));
    }

    /// Checks the configuration file at once, whatever its watch says.
    pub fn reload_now(&mut self) -> ReloadOutcome {
        let change = self.reload.check_now();
        self.metrics.look_at_files_now(self.reload.surroundings());
        self.apply(change)
    }

    pub(super) fn apply(&mut self, change: ReloadOutcome) -> ReloadOutcome {
        if let ReloadOutcome::Loaded(_) = change {
            self.reassign();
        }
        change
    }

    /// Adopts what was just written to the configuration file. Returns what else it says, if somebody wrote to it meanwhile.
    pub fn adopt(&mut self, path: &Path, text: &FileText) -> Option<ReloadOutcome> {
        let change = self.reload.adopt(path, text);
        if change.is_none() {
            // What keys chose is in force, and is what the file says from here on.
            self.configured = Timing::of(self.reload.config());
        }
        change.map(|change| self.apply(change))
    }

    /// Puts the configuration in force. An interval that keys chose stays, unless the file's has changed.
    pub(super) fn reassign(&mut self) {
        self.record_config();
        self.renew_metrics();
        let configured = Timing::of(self.reload.config());
        if configured == self.configured {
            return self.retime(self.timing);
        }
        self.configured = configured;
        self.retime(configured);
    }

    fn retime(&mut self, timing: Timing) {
        if timing != self.timing {
            self.timing = timing;
            self.refreshes = 0;
            self.apply_entry(Entry::Intervals(timing.intervals()));
        }
        self.sampler.assign(setup::assignment(
            self.reload.loaded(),
            self.reload.config(),
            timing,
            self.demo.as_ref(),
        ));
    }
}
