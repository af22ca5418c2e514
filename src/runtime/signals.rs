//! Signals: a thread of their own catches them and forwards what they ask for to the main thread.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Result;
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};
use signal_hook::flag;
use signal_hook::iterator::Signals;

use super::confined::start_confined;
use super::panics;
use super::updates::{Outlet, Update};
use crate::cli::Exit;
use crate::model::privileges::Privileges;
use crate::probe::privileges::confine::Keeps;
use crate::probe::privileges::status_of_thread;
use crate::terminal;

/// Some senders send each signal twice (timeout(1) does): a terminal that takes something meanwhile gets an end in order.
const STANDSTILL: Duration = Duration::from_secs(1);

/// Signals that are caught.
pub struct Caught {
    signals: Signals,
    /// The run has not begun: one that asks for its end ends the process.
    is_waiting: Arc<AtomicBool>,
}

/// Catches them from here on; none is lost before [`forward`]. A hang-up that is ignored stays so: that is what nohup(1) asks for.
pub fn catch() -> io::Result<Caught> {
    let hang_up = (!is_ignored(SIGHUP)).then_some(SIGHUP);
    let ends = [SIGINT, SIGTERM, SIGQUIT, SIGUSR1]
        .into_iter()
        .chain(hang_up);
    let is_waiting = Arc::new(AtomicBool::new(true));
    for signal in ends.clone() {
        // To the first process of a container Linux does nothing by default.
        match std::process::id() {
            1 => flag::register_conditional_shutdown(signal, 128 + signal, is_waiting.clone())?,
            _ => flag::register_conditional_default(signal, is_waiting.clone())?,
        };
    }
    Ok(Caught {
        signals: Signals::new(ends.chain([SIGUSR2]))?,
        is_waiting,
    })
}

impl Caught {
    /// The start waits for nobody any more: from here on a run ends in order.
    pub fn begin(&self) {
        self.is_waiting.store(false, Ordering::Relaxed);
    }
}

/// Whether the process ignores a signal, as far as that can be known.
fn is_ignored(signal: i32) -> bool {
    let mask = status_of_thread("SigIgn:");
    let mask = mask.and_then(|mask| u64::from_str_radix(&mask, 16).ok());
    mask.is_some_and(|mask| mask >> (signal - 1) & 1 != 0)
}

/// SIGINT, SIGTERM, SIGQUIT, SIGHUP and SIGUSR1, which would end it anyway, end the run in order; SIGUSR2 resets the totals. The thread keeps these rights.
///
/// The main thread cannot end while it writes to a terminal that takes nothing: a second signal ends the run for it.
pub fn forward(caught: Caught, outlet: Outlet, keeps: Keeps) -> Result<Privileges> {
    caught.begin();
    let mut signals = caught.signals;
    let (_, privileges) = start_confined(
        "signals",
        keeps,
        |_| Ok(()),
        move |()| {
            let mut is_to_end = false;
            for signal in signals.forever() {
                panics::panic_if_asked("signals");
                if signal != SIGUSR2
                    && std::mem::replace(&mut is_to_end, true)
                    && terminal::takes_nothing(STANDSTILL)
                {
                    terminal::restore_modes();
                    panics::end_for_all(Exit::Failed.code().into());
                }
                outlet.send(match signal {
                    SIGUSR2 => Update::Reset,
                    signal => Update::End {
                        is_hang_up: signal == SIGHUP,
                    },
                });
            }
        },
    )?;
    Ok(privileges)
}
