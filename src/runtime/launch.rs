//! Starts the threads of a run that need rights of their own, and gives up all that is needed no more.
//!
//! Rights belong to threads: each of these gives up its own before the run counts as started, the main thread last.
//! What the main thread starts later has no more than it has left.

use anyhow::{Context, Result, anyhow};

use super::names::Resolver;
use super::rights;
use super::sampler::{Assignment, Sampler};
use super::setup;
use super::updates::Outlet;
use crate::demo::Demo;
use crate::model::privileges::Privileges;
use crate::probe::privileges::confine::{Keeps, confine};

/// What runs now.
pub struct Launched {
    /// It counts.
    pub sampler: Sampler,
    /// Only where there is a screen.
    pub names: Option<Resolver>,
    /// What all threads together may still do.
    pub privileges: Privileges,
}

/// Starts to count, to look up names where there is a screen, and to send the demo's traffic if there is one; `keeps`
/// is what the calling thread keeps.
pub fn launch(
    assignment: Assignment,
    max_flows: u32,
    keeps: Keeps,
    has_screen: bool,
    demo: &mut Option<Demo>,
    outlet: &Outlet,
) -> Result<Launched> {
    let namespace = match demo {
        Some(demo) => Some(demo.namespace().try_clone().context("start the demo")?),
        None => None,
    };
    if has_screen {
        setup::ssh_session();
    }
    let identity = &keeps.identity;
    let sampler = Sampler::start(
        assignment,
        max_flows,
        namespace,
        identity.clone(),
        outlet.try_clone()?,
    )?;
    let mut privileges = sampler.privileges.clone();
    let mut names = None;
    if has_screen {
        let its_keeps = rights::of_resolver(identity.clone());
        let (resolver, its_own) = Resolver::start(outlet.try_clone()?, its_keeps)?;
        names = Some(resolver);
        privileges = privileges.and(its_own);
    }
    if let Some(demo) = demo {
        let its_own = begin(demo, &rights::of_traffic(identity.clone()));
        privileges = privileges.and(its_own.context("start the demo")?);
    }
    let privileges = privileges.and(confine(&keeps)?);
    Ok(Launched {
        sampler,
        names,
        privileges,
    })
}

/// Starts the demo's traffic, whose thread has the rights of the one that starts it.
fn begin(demo: &mut Demo, keeps: &Keeps) -> Result<Privileges> {
    let begin = || {
        let privileges = confine(keeps)?;
        demo.begin()?;
        Ok(privileges)
    };
    std::thread::scope(|scope| {
        let begun = scope.spawn(begin).join();
        begun.unwrap_or_else(|_| Err(anyhow!("the thread ended at once")))
    })
}
