//! Threads that give up their rights before they begin.

use std::sync::mpsc::channel;
use std::thread::{Builder, JoinHandle};

use anyhow::{Context, Result};

use crate::model::privileges::Privileges;
use crate::probe::privileges::confine::{Keeps, confine};

/// Starts a thread that first gives up its rights, and then makes what it needs; returns when it has, with what it kept.
pub fn start_confined<T>(
    name: &str,
    keeps: Keeps,
    make: impl FnOnce(&Privileges) -> Result<T> + Send + 'static,
    work: impl FnOnce(T) + Send + 'static,
) -> Result<(JoinHandle<()>, Privileges)> {
    let (ready, started) = channel::<Result<Privileges>>();
    let begin = move || -> Result<(T, Privileges)> {
        let privileges = confine(&keeps)?;
        let made = make(&privileges)?;
        Ok((made, privileges))
    };
    let thread = Builder::new()
        .name(name.to_owned())
        .spawn(move || match begin() {
            Ok((made, privileges)) => {
                let _ = ready.send(Ok(privileges));
                work(made);
            }
            Err(error) => _ = ready.send(Err(error)),
        })?;
    let ended = || format!("the thread {name} ended at once");
    Ok((thread, started.recv().with_context(ended)??))
}
