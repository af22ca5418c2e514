//! What the system's resolver says of an address.

use std::sync::Arc;
use std::time::{Duration, Instant};

/// What could not be found out is asked for again after this time.
pub const PAUSE: Duration = Duration::from_secs(30);

/// What the system's resolver says of an address.
#[derive(Debug, Clone)]
pub enum Answer {
    /// Its name.
    Name(Arc<str>),
    /// It has none.
    Nameless,
    /// That could not be found out at this moment.
    Failed(Instant),
}

impl Answer {
    /// The name, if it has one.
    pub fn name(&self) -> Option<&Arc<str>> {
        match self {
            Answer::Name(name) => Some(name),
            Answer::Nameless | Answer::Failed(_) => None,
        }
    }

    /// Whether it need not be asked for again.
    pub fn holds(&self) -> bool {
        match self {
            Answer::Name(_) | Answer::Nameless => true,
            Answer::Failed(at) => at.elapsed() < PAUSE,
        }
    }
}
