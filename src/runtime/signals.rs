//! Signals: a thread of their own catches them and forwards what they ask for to the main thread.

use std::io;

use anyhow::Result;
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR2};
use signal_hook::iterator::Signals;

use super::confined::start_confined;
use super::updates::{Outlet, Update};
use crate::model::privileges::Privileges;
use crate::probe::privileges::confine::Keeps;

/// Catches them from here on; none is lost before [`forward`].
pub fn catch() -> io::Result<Signals> {
    Signals::new([SIGINT, SIGTERM, SIGQUIT, SIGHUP, SIGUSR2])
}

/// SIGINT, SIGTERM, SIGQUIT and SIGHUP end the run, SIGUSR2 resets the totals. The thread keeps these rights.
pub fn forward(mut signals: Signals, outlet: Outlet, keeps: Keeps) -> Result<Privileges> {
    let (_, privileges) = start_confined(
        "signals",
        keeps,
        |_| Ok(()),
        move |()| {
            for signal in signals.forever() {
                super::panics::panic_if_asked("signals");
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
