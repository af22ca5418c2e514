//! Starts the threads of a run, and gives up all rights that are not needed any more.
//!
//! Rights belong to threads: each of these gives up its own before the run counts as started, the main thread last. From
//! then on no thread can be started.

use anyhow::{Context, Result};

use super::confined::start_confined;
use super::ipfix::{Export, Prepared};
use super::kept::{Kept, ToKeep};
use super::metrics::{Metrics, Serving};
use super::names::Resolver;
use super::rights;
use super::sampler::{Sampler, Work};
use super::setup::{self, Start};
use super::signals::{self, Caught};
use super::sink::Destination;
use super::updates::Outlet;
use super::writer::Writer;
use crate::demo::Demo;
use crate::model::privileges::Privileges;
use crate::probe::privileges::confine::{Duty, Keeps, confine};

/// What runs now.
pub struct Launched {
    /// It counts.
    pub sampler: Sampler,
    /// Only where there is a screen.
    pub names: Option<Resolver>,
    /// Only where there is none.
    pub writer: Option<Writer>,
    /// It serves metrics where they are wanted.
    pub metrics: Metrics,
    /// Only where a collector gets flow records.
    pub ipfix: Option<Export>,
    /// Who keeps what is counted.
    pub kept: Kept,
    /// What all threads together may still do.
    pub privileges: Privileges,
}

/// Where numbers leave the run.
pub struct Outputs {
    /// Where records go, if there is no screen.
    pub records: Option<Destination>,
    /// Who is served metrics, and how.
    pub serving: Serving,
    /// Who gets flow records, if anybody does.
    pub ipfix: Option<Prepared>,
    /// Where to keep what is counted.
    pub to_keep: ToKeep,
}

/// Starts to count, and then all threads that the run will have: to write records to their destination, or to look up names where
/// there is a screen, to serve metrics, to send flow records, to record, to forward signals, and to send the demo's traffic if there is one. `keeps` is
/// what the calling thread keeps.
pub fn launch(
    start: Start,
    keeps: Keeps,
    outputs: Outputs,
    demo: &mut Option<Demo>,
    caught: Caught,
    outlet: &Outlet,
) -> Result<Launched> {
    let Outputs {
        records,
        serving,
        ipfix,
        to_keep,
    } = outputs;
    if records.is_none() {
        setup::ssh_session();
    }
    let identity = &keeps.identity;
    if start.playback.is_none() {
        // Interfaces are left as they were found. A capture may let wait for its beginning.
        caught.begin();
    }
    let sampler = start_to_count(start, demo.as_ref(), &keeps, outlet)?;
    let mut privileges = sampler.privileges.clone();
    let (mut names, mut writer) = (None, None);
    let its_own = match records {
        None => {
            let its_keeps = rights::of_resolver(identity.clone());
            let (resolver, its_own) = Resolver::start(outlet.try_clone()?, its_keeps)?;
            names = Some(resolver);
            its_own
        }
        Some(destination) => {
            let its_keeps = rights::of_writer(identity.clone(), &destination);
            let (started, its_own) = Writer::start(destination, outlet.try_clone()?, its_keeps)?;
            writer = Some(started);
            its_own
        }
    };
    privileges = privileges.and(its_own);
    let its_keeps = rights::of_metrics(identity.clone());
    let (metrics, its_own) = Metrics::start(serving, outlet.try_clone()?, its_keeps)?;
    privileges = privileges.and(its_own);
    let ipfix = ipfix.map(|it| Export::start(it, &sampler, identity.clone(), outlet));
    let ipfix = ipfix.transpose()?;
    let its_own = ipfix.iter().map(|export| export.privileges.clone());
    privileges = its_own.fold(privileges, Privileges::and);
    let (kept, its_own) = Kept::start(to_keep, &sampler, identity.clone(), outlet)?;
    privileges = its_own.into_iter().fold(privileges, Privileges::and);
    let its_keeps = rights::without_files(identity.clone(), Duty::Signals);
    privileges = privileges.and(signals::forward(caught, outlet.try_clone()?, its_keeps)?);
    if let Some(demo) = demo {
        let its_keeps = rights::without_files(identity.clone(), Duty::Traffic);
        let its_own = begin(demo, its_keeps).context("start the demo")?;
        privileges = privileges.and(its_own);
    }
    let privileges = privileges.and(confine(&keeps)?);
    Ok(Launched {
        sampler,
        names,
        writer,
        metrics,
        ipfix,
        kept,
        privileges,
    })
}

/// Starts to count: the packets of a capture, or live ones, of the demo if there is one.
fn start_to_count(
    start: Start,
    demo: Option<&Demo>,
    keeps: &Keeps,
    outlet: &Outlet,
) -> Result<Sampler> {
    let Start {
        assignment,
        options,
        playback,
    } = start;
    let namespace = demo.map(|demo| demo.namespace().try_clone()).transpose();
    let work = match playback {
        Some(playback) => Work::Capture(playback),
        None => Work::Live(namespace.context("start the demo")?),
    };
    let (identity, outlet) = (keeps.identity.clone(), outlet.try_clone()?);
    Sampler::start(work, assignment, options, identity, outlet)
}

/// Starts the demo's traffic.
fn begin(demo: &mut Demo, keeps: Keeps) -> Result<Privileges> {
    let mut privileges = None;
    demo.begin_by(|name, work| {
        let (thread, its_own) = start_confined(name, keeps, |_| Ok(()), |()| work())?;
        privileges = Some(its_own);
        Ok(thread)
    })?;
    privileges.context("there is no traffic")
}
