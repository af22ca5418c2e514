//! What is wrong with a command line, in one line.

use clap::error::ErrorKind;

use super::{Exit, Failure};

/// One line out of clap's paragraph: the error and its tips, without usage and colours.
pub(super) fn usage_failure(error: &clap::Error) -> Failure {
    let text = error.to_string();
    let said: Vec<&str> = text
        .lines()
        .take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more"))
        .map(|line| line.trim().trim_start_matches("error: "))
        .filter(|line| !line.is_empty())
        .collect();
    let (tips, said): (Vec<&str>, Vec<&str>) =
        said.into_iter().partition(|line| line.starts_with("tip: "));
    let mut advice: Vec<&str> = tips.iter().map(|tip| &tip["tip: ".len()..]).collect();
    if error.kind() == ErrorKind::InvalidSubcommand {
        advice.push("interfaces go behind -i, a filter behind --filter");
    }
    advice.push("see: flowtop --help");
    let message = format!("command line: {} ({})", said.join(" "), advice.join("; "));
    Failure::new(Exit::Usage, message)
}
