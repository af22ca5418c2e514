//! From what went wrong to the exit code that the documentation promises.

use crate::cli::{Exit, Failure};
use crate::probe::interfaces::NoSuchInterface;
use crate::probe::privileges::Refusal;

/// The failure that an error of the kernel side is, in one line.
pub fn failure(what: &str, error: &anyhow::Error) -> Failure {
    if let Some(missing) = error.downcast_ref::<NoSuchInterface>() {
        return Failure::new(Exit::Unavailable, missing.to_string());
    }
    let code = match error.downcast_ref::<Refusal>() {
        Some(Refusal::OldKernel(_)) => Exit::Unavailable,
        Some(_) => Exit::Privilege,
        None => Exit::Failed,
    };
    let text = format!("{error:#}").replace('\n', " ");
    Failure::new(
        code,
        if what.is_empty() {
            text
        } else {
            format!("{what}: {text}")
        },
    )
}
