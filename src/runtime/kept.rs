//! What a run takes in, kept: on a disk, in memory, in both or in none.

use anyhow::Result;

use super::past::{Keeper, Keeping};
use super::recorder::{Recorder, Recording};
use super::sampler::Sampler;
use super::updates::Outlet;
use crate::model::past::Travel;
use crate::model::privileges::Privileges;
use crate::model::tracker::FlowTracker;
use crate::probe::privileges::confine::Identity;
use crate::recording::Entry;

/// Where to keep it.
#[derive(Debug, Default)]
pub struct ToKeep {
    /// On a disk.
    pub recording: Option<Recording>,
    /// In memory, for a screen.
    pub keeping: Option<Keeping>,
}

/// Who keeps it.
#[derive(Debug)]
pub struct Kept {
    recorder: Option<Recorder>,
    keeper: Option<Keeper>,
}

impl Kept {
    /// Starts their threads; also returns what these may still do.
    pub fn start(
        to_keep: ToKeep,
        sampler: &Sampler,
        identity: Option<Identity>,
        outlet: &Outlet,
    ) -> Result<(Kept, Vec<Privileges>)> {
        let ToKeep { recording, keeping } = to_keep;
        let recorder = recording.map(|it| Recorder::start(it, sampler, identity.clone(), outlet));
        let recorder = recorder.transpose()?;
        let keeper = keeping.map(|it| Keeper::start(it, sampler, identity, outlet));
        let keeper = keeper.transpose()?;
        let of_recorder = recorder.iter().map(|it| it.privileges.clone());
        let of_both = of_recorder.chain(keeper.iter().map(|it| it.privileges.clone()));
        let of_both = of_both.collect();
        Ok((Kept { recorder, keeper }, of_both))
    }

    /// Whether anything is kept.
    pub fn is_on(&self) -> bool {
        self.recorder.is_some() || self.keeper.is_some()
    }

    /// Whether it is recorded.
    pub fn is_recorded(&self) -> bool {
        self.recorder.is_some()
    }

    /// Keeps what the tracker has taken in at `wall_ns`, ns since 1970.
    pub fn keep(&mut self, wall_ns: i64, entry: Entry, tracker: &FlowTracker) {
        match (&mut self.recorder, &mut self.keeper) {
            (None, None) => {}
            (Some(recorder), None) => recorder.record(wall_ns, entry, tracker),
            (None, Some(keeper)) => keeper.keep(wall_ns, entry, tracker),
            // Each has it as long as it needs it.
            (Some(recorder), Some(keeper)) => {
                keeper.keep(wall_ns, entry.clone(), tracker);
                recorder.record(wall_ns, entry, tracker);
            }
        }
    }

    /// Notes how many alerts the interval that ended has raised.
    pub fn count_alerts(&self, count: usize) {
        self.recorder.iter().for_each(|it| it.count_alerts(count));
        self.keeper.iter().for_each(|it| it.count_alerts(count));
    }

    /// Goes through what is in memory; false where nothing is.
    pub fn travel(&self, travel: Travel) -> bool {
        self.keeper.iter().for_each(|it| it.travel(travel));
        self.keeper.is_some()
    }

    /// Nothing more comes. A recording ends when all of it is written.
    pub fn end(&mut self) {
        self.recorder = None;
    }
}
