//! What the tracker takes in, which is what a recording is made of.

use std::sync::Arc;

use super::Session;
use crate::cli::{Arguments, Failure};
use crate::config::Config;
use crate::model::past::Travel;
use crate::model::snapshot::Snapshot;
use crate::probe::privileges::confine::Identity;
use crate::recording::Entry;
use crate::runtime::error::failure;
use crate::runtime::past::Keeping;
use crate::runtime::recorder::{Recording, now_ns};
use crate::runtime::recording_folder::RecordingFolder;
use crate::runtime::setup::{self, Timing};

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
    Ok(Some(Recording {
        folder: RecordingFolder::open(record, arguments.overrides.record.is_none(), user)?,
        intervals: Timing::of(config).intervals(),
        config: text_of(config)?,
    }))
}

/// What a screen keeps in memory. A capture can be played again.
pub fn in_memory(config: &Config, arguments: &Arguments) -> Result<Option<Keeping>, Failure> {
    if setup::wants_headless(arguments) || arguments.read.is_some() {
        return Ok(None);
    }
    Ok(Some(Keeping {
        intervals: Timing::of(config).intervals(),
        config: text_of(config)?,
    }))
}

fn text_of(config: &Config) -> Result<Arc<str>, Failure> {
    let text = config.to_json();
    let text = text.map_err(|error| failure("write the configuration", &error))?;
    Ok(Arc::from(text))
}

fn reading(entry: &Entry) -> Option<&Box<Snapshot>> {
    match entry {
        Entry::Snapshot { snapshot, .. } => Some(snapshot),
        _ => None,
    }
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
        // Each keeps it as long as it needs it.
        if let (Some(export), Some(snapshot)) = (&self.ipfix, reading(&entry))
            && (self.recorder.is_some() || self.keeper.is_some())
        {
            export.observe(snapshot.clone(), self.reload.config().flow_timeout);
        }
        match (&mut self.recorder, &mut self.keeper) {
            (None, None) => {
                if let Entry::Snapshot { snapshot, .. } = entry {
                    self.hand_on(snapshot);
                }
            }
            (Some(recorder), None) => recorder.record(self.time_ns, entry, &self.tracker),
            (None, Some(keeper)) => keeper.keep(self.time_ns, entry, &self.tracker),
            (Some(recorder), Some(keeper)) => {
                keeper.keep(self.time_ns, entry.clone(), &self.tracker);
                recorder.record(self.time_ns, entry, &self.tracker);
            }
        }
    }

    /// Notes how many alerts the interval that ended has raised.
    pub fn note_alerts(&self, count: usize) {
        self.recorder.iter().for_each(|it| it.note_alerts(count));
        self.keeper.iter().for_each(|it| it.note_alerts(count));
    }

    /// Goes through what is kept in memory; false where nothing is.
    pub fn travel(&self, travel: Travel) -> bool {
        self.keeper.iter().for_each(|it| it.travel(travel));
        self.keeper.is_some()
    }

    /// Records the configuration that is in force now.
    pub(super) fn record_config(&mut self) {
        if (self.recorder.is_some() || self.keeper.is_some())
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
