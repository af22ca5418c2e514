//! Signals, from their catching to the main thread: a thread of its own tells what they ask for.

use std::io::Result;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR2};
use signal_hook::iterator::Signals;

use super::updates::{Outlet, Update};

/// Catches them from here on; none is lost before [`tell`].
pub fn catch() -> Result<Signals> {
    Signals::new([SIGINT, SIGTERM, SIGHUP, SIGUSR2])
}

/// SIGINT, SIGTERM and SIGHUP end the run, SIGUSR2 resets the totals.
pub fn tell(mut signals: Signals, outlet: &Outlet) -> Result<()> {
    let outlet = outlet.try_clone()?;
    std::thread::Builder::new()
        .name("signals".into())
        .spawn(move || {
            for signal in signals.forever() {
                super::panics::panic_if_asked("signals");
                outlet.tell(match signal {
                    SIGUSR2 => Update::Reset,
                    _ => Update::Stop,
                });
            }
        })?;
    Ok(())
}
