//! The service's sandbox: what systemd thinks of it, and whether flowtop lives in it.
//!
//! No systemd runs here. What its unit leaves of system calls, rights and files is put together by hand.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::process::CommandExt;
use std::process::Command;

use super::support::pair::{Pair, RECEIVER_LINK};
use super::support::program::Flowtop;
use super::support::{self, program_in, root, seccomp};
use super::{assert_it_counts, folder, run, source};

/// systemd's figure for how exposed a service is, from 0 to 10. That it may serve metrics on this host is 0.3 of it.
const MOST_EXPOSED: f64 = 1.5;
const USER: u32 = 65534;

#[test]
fn systemd_finds_the_service_hardly_exposed() {
    let folder = folder();
    // It asks for no more than the name.
    let unit = folder.path().join("flowtop.service");
    fs::copy(source("packaging/flowtop.service"), &unit).expect("copy");
    let mut command = Command::new("systemd-analyze");
    command.args(["security", "--offline=true", "--no-pager"]);
    let report = run(command.arg(unit));
    let (_, said) = report
        .split_once("Overall exposure level for flowtop.service: ")
        .expect("a figure");
    let figure = said.split(' ').next().and_then(|word| word.parse().ok());
    let figure: f64 = figure.expect("a number");
    assert!(figure <= MOST_EXPOSED, "{report}");
}

/// The words behind a key of the unit, line by line.
fn lines_of(key: &str) -> Vec<String> {
    let unit = fs::read_to_string(source("packaging/flowtop.service")).expect("the unit");
    let lines = unit.lines().filter_map(|line| line.strip_prefix(key));
    lines.map(str::to_owned).collect()
}

/// The system calls of a set of systemd's, and of the sets in it; a name without `@` is its own.
fn expand(name: &str, into: &mut BTreeSet<String>) {
    if !name.starts_with('@') {
        into.insert(name.to_owned());
        return;
    }
    let mut command = Command::new("systemd-analyze");
    let listed = run(command.args(["syscall-filter", name]));
    let entries = listed.lines().filter(|line| line.starts_with(' '));
    for entry in entries
        .map(str::trim)
        .filter(|entry| !entry.starts_with('#'))
    {
        expand(entry, into);
    }
}

/// What the lines of SystemCallFilter leave, as systemd reads them: the first one begins a list of what is allowed.
fn allowed_names() -> BTreeSet<String> {
    let mut allowed = BTreeSet::new();
    expand("@default", &mut allowed);
    for line in lines_of("SystemCallFilter=") {
        let mut named = BTreeSet::new();
        let words = line.trim_start_matches('~').split_whitespace();
        words.for_each(|word| expand(word, &mut named));
        match line.starts_with('~') {
            true => allowed.retain(|name| !named.contains(name)),
            false => allowed.extend(named),
        }
    }
    allowed
}

/// The numbers of all system calls, by name.
fn numbers() -> BTreeMap<String, u32> {
    let mut command = Command::new("cc");
    let text = run(command.args(["-E", "-dM", "-include", "asm/unistd.h", "-xc", "/dev/null"]));
    let number = |line: &str| {
        let (name, number) = line.strip_prefix("#define __NR_")?.split_once(' ')?;
        Some((name.to_owned(), number.parse().ok()?))
    };
    text.lines().filter_map(number).collect()
}

/// Makes the command a user's with these capabilities and no others, ambient ones, as the service manager does.
fn become_service(command: &mut Command, capabilities: Vec<caps::Capability>) {
    use caps::{CapSet, CapsHashSet};
    let set: CapsHashSet = capabilities.into_iter().collect();
    // SAFETY: between fork and exec the closure makes system calls, and allocates a list of three.
    unsafe {
        command.pre_exec(move || {
            nix::sys::prctl::set_keepcaps(true)?;
            for call in [libc::SYS_setresgid, libc::SYS_setresuid] {
                if libc::syscall(call, USER, USER, USER) != 0 {
                    return Err(std::io::Error::last_os_error());
                }
            }
            for kind in [CapSet::Effective, CapSet::Permitted, CapSet::Inheritable] {
                caps::set(None, kind, &set).map_err(std::io::Error::other)?;
            }
            caps::set(None, CapSet::Ambient, &set).map_err(std::io::Error::other)
        });
    }
}

#[test]
fn the_service_counts_with_what_its_unit_leaves_to_it() {
    if !root() {
        return;
    }
    let (pair, folder) = (Pair::quiet(), folder());
    support::run(
        &pair.receiver,
        "chmod",
        &["755", super::path(folder.path())],
    );
    let numbers = numbers();
    let names = allowed_names();
    let allowed: Vec<u32> = names
        .iter()
        .filter_map(|n| numbers.get(n).copied())
        .collect();
    assert!(allowed.len() > 100 && allowed.len() < numbers.len());
    let capabilities = lines_of("AmbientCapabilities=").concat();
    let capabilities = capabilities
        .split(' ')
        .map(|name| name.parse().expect("a capability"));
    let program = program_in(folder.path(), None);
    let mut command = support::command(&pair.receiver, super::path(&program));
    command.args(["--json", "-t", "0.1", "-i", RECEIVER_LINK]);
    command
        .current_dir("/")
        .env_remove("SUDO_UID")
        .env("HOME", "/nonexistent");
    become_service(&mut command, capabilities.collect());
    seccomp::allow_only(&mut command, &allowed, libc::EPERM);
    let ended = assert_it_counts(Flowtop::from_command(&mut command, folder), &pair);
    let told = &ended.record["kernel"]["privileges"];
    assert_eq!(
        (&told["landlock"], &told["seccomp"]),
        (&"full".into(), &true.into())
    );
}
