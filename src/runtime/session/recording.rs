//! What the tracker takes in, which is what a recording is made of.

use std::sync::Arc;

use super::Session;
use crate::cli::{Arguments, Failure};
use crate::config::Config;
use crate::model::past::Travel;
use crate::probe::privileges::confine::Identity;
use crate::recording::Entry;
use crate::runtime::error::failure;
use crate::runtime::kept::ToKeep;
use crate::runtime::past::Keeping;
use crate::runtime::recorder::{Recording, now_ns};
use crate::runtime::recording_folder::RecordingFolder;
use crate::runtime::setup::{self, Timing};

/// Opens the folder that the configuration or the command line names, if one does, and says what a screen keeps in memory.
pub fn open(
    config: &Config,
    arguments: &Arguments,
    user: Option<&Identity>,
) -> Result<ToKeep, Failure> {
    // A capture is a record already, and can be played again.
    if arguments.read.is_some() {
        return Ok(ToKeep::default());
    }
    let text = text_of(config).map_err(|error| failure("write the configuration", &error))?;
    let (intervals, config_text) = (Timing::of(config).intervals(), text);
    let is_of_file = arguments.overrides.record.is_none();
    let record_to = |record| -> Result<Recording, Failure> {
        Ok(Recording {
            folder: RecordingFolder::open(record, is_of_file, user)?,
            intervals,
            config: Arc::clone(&config_text),
        })
    };
    let recording = config.record.as_ref().map(record_to).transpose()?;
    let keeping = Keeping {
        intervals,
        config: Arc::clone(&config_text),
    };
    Ok(ToKeep {
        recording,
        keeping: (!setup::wants_headless(arguments)).then_some(keeping),
    })
}

/// The configuration as a recording has it: without the hashes of passwords, which are of no use to who looks at it.
fn text_of(config: &Config) -> anyhow::Result<Arc<str>> {
    let config = Config {
        listen_users: Vec::new(),
        ..config.clone()
    };
    Ok(Arc::from(config.to_json()?))
}

impl Session {
    /// Makes the tracker take something in, and records it.
    pub(super) fn apply_entry(&mut self, entry: Entry) {
        entry.apply(&mut self.tracker);
        self.record(entry);
    }

    /// Records what the tracker has taken in, and hands on a reading.
    pub(super) fn record(&mut self, entry: Entry) {
        self.time_ns = now_ns();
        if !self.kept.is_on() {
            if let Entry::Snapshot { snapshot, .. } = entry {
                self.hand_on(snapshot);
            }
            return;
        }
        // Each has it as long as it needs it.
        if let (Some(export), Entry::Snapshot { snapshot, .. }) = (&self.ipfix, &entry) {
            export.observe(snapshot.clone(), self.reload.config().flow_timeout);
        }
        self.kept.keep(self.time_ns, entry, &self.tracker);
    }

    /// Notes how many alerts the interval that ended has raised.
    pub fn count_alerts(&self, count: usize) {
        self.kept.count_alerts(count);
    }

    /// Goes through the capture, or through what is kept in memory; false where nothing is.
    pub fn travel(&self, travel: Travel) -> bool {
        if self.is_capture() {
            self.sampler.travel(travel);
            return true;
        }
        self.kept.travel(travel)
    }

    /// Records the configuration that is in force now.
    pub(super) fn record_config(&mut self) {
        if self.kept.is_on()
            && let Ok(text) = text_of(self.reload.config())
        {
            self.record(Entry::Config(text));
        }
    }

    /// Whether all that it counts is recorded.
    pub fn is_recorded(&self) -> bool {
        self.kept.is_recorded()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recording_has_the_configuration_and_no_password() {
        let users = vec![("prometheus".to_owned(), "$2y$10$RRqKk6ZXq3pv".to_owned())];
        let config = Config {
            listen_users: users,
            flow_timeout: std::time::Duration::from_secs(77),
            ..Config::default()
        };
        let text = text_of(&config).expect("JSON");
        assert!(text.contains("77") && !text.contains("$2y$"), "{text}");
    }
}
