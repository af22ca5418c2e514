//! Has the kernel take the programs, and finds out who refuses them where they are refused.
//!
//! The error number alone does not tell: the verifier's EACCES is a filter's or a security module's, too. But only the
//! verifier gives reasons, and libbpf prints them.

use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result};
use libbpf_rs::skel::OpenSkel as _;
use libbpf_rs::{ErrorKind, PrintLevel};

use super::privileges::{Refusal, has_seccomp_filter, release};
use super::skeleton::{FlowtopSkel, OpenFlowtopSkel};

const LOG_BEGINS: &str = "-- BEGIN PROG LOAD LOG --";
const LOG_ENDS: &str = "-- END PROG LOAD LOG --";

/// What libbpf has said since the loading began.
static SAID: Mutex<String> = Mutex::new(String::new());

/// Loads the programs and makes their maps.
pub fn load(open: OpenFlowtopSkel<'static>) -> Result<FlowtopSkel<'static>> {
    drain_messages();
    let former = libbpf_rs::set_print(Some((PrintLevel::Warn, keep)));
    let loaded = open.load();
    libbpf_rs::set_print(former);
    let said = drain_messages();
    loaded
        .map_err(|error| match refusal(&error, &said) {
            Some(refusal) => refusal.into(),
            None => anyhow::Error::from(error),
        })
        .context("load the kernel program")
}

fn keep(_: PrintLevel, text: String) {
    *SAID.lock().unwrap_or_else(PoisonError::into_inner) += &text;
}

fn drain_messages() -> String {
    std::mem::take(&mut *SAID.lock().unwrap_or_else(PoisonError::into_inner))
}

fn refusal(error: &libbpf_rs::Error, said: &str) -> Option<Refusal> {
    let reason = verdict(said).map(|verdict| format!("its verifier says {verdict}"));
    match (reason, error.kind()) {
        (None, ErrorKind::PermissionDenied) => Some(Refusal::Forbidden {
            filtered: has_seccomp_filter(),
        }),
        (None, ErrorKind::InvalidInput | ErrorKind::TooBig) => Some(Refusal::Program {
            release: release(),
            reason: error.to_string(),
        }),
        (None, _) => None,
        (Some(reason), _) => Some(Refusal::Program {
            release: release(),
            reason,
        }),
    }
}

/// What the verifier's log comes to: its last line that is no figure.
fn verdict(said: &str) -> Option<&str> {
    let (_, log) = said.split_once(LOG_BEGINS)?;
    let (log, _) = log.split_once(LOG_ENDS).unwrap_or((log, ""));
    let is_figure = |line: &&str| {
        ["processed ", "verification time", "stack depth"]
            .iter()
            .any(|start| line.starts_with(start))
    };
    let mut lines = log.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.rfind(|line| !is_figure(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verifiers_log_comes_to_its_last_line_that_is_no_figure() {
        let log = "libbpf: prog 'it': BPF program load failed: Permission denied\n\
            libbpf: prog 'it': -- BEGIN PROG LOAD LOG --\n0: (bf) r0 = r9\nR9 !read_ok\n\
            verification time 31 usec\nprocessed 1 insns (limit 1000000)\n\
            -- END PROG LOAD LOG --\nlibbpf: prog 'it': failed to load: -13\n";
        assert_eq!(verdict(log), Some("R9 !read_ok"));
        let cut = log.split_once("-- END").map(|(begin, _)| begin);
        assert_eq!(cut.and_then(verdict), Some("R9 !read_ok"));
        assert_eq!(verdict("libbpf: failed to load object 'it'\n"), None);
        assert_eq!(verdict(LOG_BEGINS), None);
    }
}
