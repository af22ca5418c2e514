//! What the tracker takes in, which is what a recording is made of.

use std::sync::Arc;

use super::Session;
use crate::cli::{Arguments, Failure};
use crate::config::Config;
use crate::probe::privileges::confine::Identity;
use crate::recording::Entry;
use crate::runtime::error::failure;
use crate::runtime::recorder::{Recording, now_ns};
use crate::runtime::recording_folder::RecordingFolder;
use crate::runtime::setup::Timing;

/// Opens the folder that the configuration or the command line names, if one does.
pub fn open(
    config: &Config,
    arguments: &Arguments,
    user: Option<&Identity>,
) -> Result<Option<Recording>, Failure> {
    // A capture is a record already.
    let Some(record) = config.record.as_ref().filter(|_| arguments.read.is_none()) else {
        return Ok(None);
    };
    let text = config.to_json();
    let text = text.map_err(|error| failure("write the configuration", &error))?;
    Ok(Some(Recording {
        folder: RecordingFolder::open(record, arguments.overrides.record.is_none(), user)?,
        intervals: Timing::of(config).intervals(),
        config: Arc::from(text),
    }))
}

impl Session {
    /// Makes the tracker take something in, and records it.
    pub(super) fn take_in(&mut self, entry: Entry) {
        entry.apply(&mut self.tracker);
        self.record(entry);
    }

    /// Records what the tracker has taken in, and hands on a reading.
    pub(super) fn record(&mut self, entry: Entry) {
        self.time_ns = now_ns();
        let Some(recorder) = &mut self.recorder else {
            if let Entry::Snapshot { snapshot, .. } = entry {
                self.hand_on(snapshot);
            }
            return;
        };
        // Both keep it as long as they need it.
        if let (Some(export), Entry::Snapshot { snapshot, .. }) = (&self.ipfix, &entry) {
            export.observe(snapshot.clone(), self.reload.config().flow_timeout);
        }
        recorder.record(self.time_ns, entry, &self.tracker);
    }

    /// Records the configuration that is in force now.
    pub(super) fn record_config(&mut self) {
        if self.recorder.is_some()
            && let Ok(text) = self.reload.config().to_json()
        {
            self.record(Entry::Config(Arc::from(text)));
        }
    }

    /// Whether all that it counts is recorded.
    pub fn is_recorded(&self) -> bool {
        self.recorder.is_some()
    }
}
