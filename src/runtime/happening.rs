//! What a run tells whoever shows it.

use std::net::IpAddr;
use std::sync::Arc;

use super::past::visit::Visit;
use super::reload::ReloadOutcome;

/// Something that happened since the last time that a session was asked.
#[derive(Debug)]
pub enum Happening {
    /// The numbers were read, whether an interval is over or not.
    Read,
    /// This many throughput intervals are over; rates are those of all of them together.
    IntervalClosed(u64),
    /// The configuration file changed.
    Config(ReloadOutcome),
    /// The name of an address.
    Name(IpAddr, Arc<str>),
    /// The capture has no more packets.
    Played,
    /// What to show of the past.
    Past(Visit),
    /// Something that the user should know.
    Notice(String),
    /// The run is to end, for the terminal has hung up or for another reason.
    End { is_hang_up: bool },
    /// Totals are to start at zero.
    Reset,
    /// They do, from here on.
    Zero,
}

/// What happens where the command line says when the run is to end.
pub const TIME_IS_UP: Happening = Happening::End { is_hang_up: false };
