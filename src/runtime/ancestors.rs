//! The environment before sudo or its like cleared it: that of flowtop's ancestors.
//!
//! Only what concerns the display may come from here.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;

/// More generations than nested shells have.
const MOST: usize = 32;

/// The value of a variable in this process, or in the nearest ancestor that has it.
pub fn variable(name: &str) -> Option<String> {
    let own = std::env::var(name).ok();
    own.or_else(|| {
        let mut process = std::process::id();
        (0..MOST).find_map(|_| {
            process = parent_in(&fs::read_to_string(format!("/proc/{process}/stat")).ok()?)?;
            let environment = fs::read(format!("/proc/{process}/environ")).ok()?;
            value_in(&environment, name)
        })
    })
}

/// The parent in `/proc/PID/stat`: the second word behind the name, which may contain anything.
fn parent_in(stat: &str) -> Option<u32> {
    let (_, behind) = stat.rsplit_once(')')?;
    let parent = behind.split_ascii_whitespace().nth(1)?.parse().ok()?;
    (parent > 0).then_some(parent)
}

/// A value in `/proc/PID/environ`, as the process was started with it.
fn value_in(environment: &[u8], name: &str) -> Option<String> {
    let mut entries = environment.split(|byte| *byte == 0);
    let value = entries.find_map(|entry| {
        let value = entry.strip_prefix(name.as_bytes())?.strip_prefix(b"=")?;
        Some(OsStr::from_bytes(value))
    })?;
    value.to_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_and_a_variable_that_begins_like_another_are_no_trap() {
        assert_eq!(parent_in("7 (a) S 9 (b) ) S 6 7 7 0"), Some(6));
        assert_eq!(parent_in("1 (init) S 0 1 1"), None);
        let environment = b"SSH_CONNECTIONS=no\0A=SSH_CONNECTION=no\0SSH_CONNECTION=yes\0";
        assert_eq!(
            value_in(environment, "SSH_CONNECTION").as_deref(),
            Some("yes")
        );
        assert_eq!(value_in(environment, "SSH"), None);
    }
}
