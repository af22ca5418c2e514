//! How a run ends, and the one-line error that says why it cannot go on.

use std::fmt;
use std::process::ExitCode;

/// How a run ends, as scripts see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// All was well; also after `q`, and after SIGINT or SIGTERM in a run without a screen.
    Fine = 0,
    /// Something failed while running.
    Failed = 1,
    /// The command line makes no sense.
    Usage = 2,
    /// A check does not hold, or no flow came that was waited for.
    Unmet = 3,
    /// No such interface, or a kernel without BPF or one that refuses the program (EX_UNAVAILABLE).
    Unavailable = 69,
    /// A privilege is missing (EX_NOPERM).
    Privilege = 77,
    /// The configuration is wrong or may not be trusted (EX_CONFIG).
    Config = 78,
}

impl Exit {
    /// The number that the shell sees.
    pub const fn code(self) -> u8 {
        self as u8
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit.code())
    }
}

/// Why a run cannot go on, and the exit code that says so.
///
/// Shown as `flowtop: what was tried: why it failed (what to do)`, one line for each line of `message`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// How the run ends.
    pub code: Exit,
    /// What was tried, why it failed, what to do; without the program's name.
    pub message: String,
}

impl Failure {
    /// A failure with this code and message.
    pub fn new(code: Exit, message: impl Into<String>) -> Failure {
        Failure {
            code,
            message: message.into(),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, line) in self.message.lines().enumerate() {
            let newline = if number == 0 { "" } else { "\n" };
            write!(f, "{newline}flowtop: {line}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Failure {}

impl From<crate::config::ConfigError> for Failure {
    fn from(refusal: crate::config::ConfigError) -> Failure {
        Failure::new(Exit::Config, refusal.to_string())
    }
}
