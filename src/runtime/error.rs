//! Turns errors into failures with the exit codes that the documentation promises.

use super::sampler::BadCapture;
use crate::cli::{Exit, Failure};
use crate::netns::MissingCapability;
use crate::probe::interfaces::NoSuchInterface;
use crate::probe::privileges::{self, Lack};

/// The failure for an error, in one line: what was tried, and why it failed. Errors that name what was tried are used as
/// they are.
pub fn failure(what: &str, error: &anyhow::Error) -> Failure {
    if let Some(missing) = error.downcast_ref::<NoSuchInterface>() {
        return Failure::new(Exit::Unavailable, missing.to_string());
    }
    if let Some(bad) = error.downcast_ref::<BadCapture>() {
        return Failure::new(Exit::Usage, bad.to_string());
    }
    let text = format!("{error:#}").replace('\n', " ");
    let text = if what.is_empty() {
        text
    } else {
        format!("{what}: {text}")
    };
    let advice = match privileges::lack(error) {
        Some(Lack::Memory) => " (a smaller --max-flows needs less)",
        _ => "",
    };
    Failure::new(code_of(error), text + advice)
}

fn code_of(error: &anyhow::Error) -> Exit {
    if error.downcast_ref::<MissingCapability>().is_some() {
        return Exit::Privilege;
    }
    match privileges::lack(error) {
        Some(Lack::Privilege) => Exit::Privilege,
        Some(Lack::Kernel) => Exit::Unavailable,
        Some(Lack::Memory) | None => Exit::Failed,
    }
}
