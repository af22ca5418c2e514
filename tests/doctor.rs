//! `flowtop doctor`: what it says is what the kernel says, whoever asks; what it removes is what killed runs left.

mod support;

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use flowtop::netns::Namespace;
use nix::sys::signal::Signal;
use support::pair::{Pair, RECEIVER_LINK};
use support::program::{Flowtop, PROGRAM};
use support::{root, run};

const ARGUMENTS: [&str; 4] = ["-i", RECEIVER_LINK, "-t", "0.1"];

fn command(namespace: &Namespace, arguments: &[&str]) -> Command {
    let mut command = support::command(namespace, PROGRAM);
    command.arg("doctor").args(arguments).current_dir("/");
    command.env("HOME", "/nonexistent").env_remove("SUDO_UID");
    command.env_remove("XDG_CONFIG_HOME");
    command
}

/// A copy of the program that any user can reach.
fn reachable() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let all = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(folder.path(), all).expect("chmod");
    let program = support::program_in(folder.path(), None);
    (folder, program)
}

fn as_nobody(namespace: &Namespace, program: &Path, arguments: &[&str]) -> Output {
    let mut command = support::command(namespace, "setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
    command.arg(program).arg("doctor").args(arguments);
    command.current_dir("/").env("HOME", "/nonexistent");
    command
        .env_remove("XDG_CONFIG_HOME")
        .output()
        .expect("setpriv")
}

fn output(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!((output.status.code(), said.as_str()), (Some(0), ""));
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

fn doctor(namespace: &Namespace, arguments: &[&str]) -> String {
    output(&command(namespace, arguments).output().expect("flowtop"))
}

/// What stands behind a label, in the first line that has it.
fn said<'a>(report: &'a str, label: &str) -> &'a str {
    let found = report.lines().find_map(|line| {
        let rest = line.strip_prefix(label)?;
        rest.starts_with(' ').then(|| rest.trim())
    });
    found.unwrap_or_else(|| panic!("no {label:?} in:\n{report}"))
}

/// The lines about an interface.
fn section<'a>(report: &'a str, interface: &str) -> &'a str {
    let found = report
        .split("\n\n")
        .find(|part| part.starts_with(&format!("{interface} ")));
    found.unwrap_or_else(|| panic!("no {interface} in:\n{report}"))
}

fn ip(namespace: &Namespace, words: &str) {
    run(namespace, "ip", &words.split(' ').collect::<Vec<_>>());
}

#[test]
fn kernel_rights_and_memory_are_those_of_the_machine() {
    if !root() {
        return;
    }
    let pair = Pair::quiet();
    let report = doctor(&pair.receiver, &[]);
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").expect("a release");
    assert!(said(&report, "kernel").starts_with(&format!("Linux {} ", release.trim())));
    assert_eq!(said(&report, "can measure"), "yes");
    assert!(said(&report, "user").starts_with("root (0), "));
    assert!(said(&report, "program").starts_with("loads in "));
    let rights = said(&report, "once it counts");
    let (user, rest) = rights.split_once(", ").expect("a user");
    let drawn = "its number, which nobody has";
    assert!(user.starts_with("user 6"), "{drawn}: {user}");
    let expected =
        "no capability, no new privileges, files limited by Landlock, system calls by seccomp";
    assert_eq!(rest, expected);
    assert_eq!(said(&report, "configuration"), "no file: defaults");
    let none = "none (flowtop --record DIR, RECORD or the service makes one)";
    assert_eq!(said(&report, "recordings"), none);
    assert_eq!(said(&report, "left over"), "nothing");
    let large = doctor(&pair.receiver, &[]);
    let mut command = support::command(&pair.receiver, PROGRAM);
    command.args(["--max-flows", "1000", "doctor"]);
    let small = output(&command.output().expect("flowtop"));
    assert!(said(&large, "flow table").ends_with("65536 flows, 131072 slots"));
    assert!(said(&small, "flow table").ends_with("1000 flows, 2048 slots"));
}

#[test]
fn what_a_run_keeps_for_its_hooks_is_among_its_rights() {
    if !root() {
        return;
    }
    let pair = Pair::quiet();
    let mut command = command(&pair.receiver, &[]);
    command.env("FLOWTOP_CLSACT", "1");
    let report = output(&command.output().expect("flowtop"));
    let rights = said(&report, "once it counts");
    let kept = ", CAP_NET_ADMIN (for the clsact hook), no new privileges, ";
    assert!(rights.contains(kept), "{rights}");
}

#[test]
fn what_a_device_does_before_the_hook_is_what_ethtool_says() {
    if !root() {
        return;
    }
    let pair = Pair::quiet();
    for gro in ["on", "off"] {
        run(
            &pair.receiver,
            "ethtool",
            &["-K", RECEIVER_LINK, "gro", gro],
        );
        let report = doctor(&pair.receiver, &[]);
        let line = section(&report, RECEIVER_LINK).lines().next();
        let expected = format!("up; GRO {gro}, LRO off, RX timestamps off");
        assert_eq!(line.map(|line| said(line, RECEIVER_LINK)), Some(&*expected));
    }
}

#[test]
fn all_who_are_on_a_hook_are_listed_with_whose_they_are() {
    if !root() {
        return;
    }
    let pair = Pair::quiet();
    let tcx = Flowtop::watch(&pair, "{}");
    let clsact = Flowtop::start_with(&pair.receiver, "{}", &ARGUMENTS, |command| {
        command.env("FLOWTOP_CLSACT", "1");
    });
    let filter = "filter add dev veth1 ingress prio 10 handle 0x1 protocol all bpf bytecode";
    let mut words: Vec<_> = filter.split(' ').collect();
    words.push("1,6 0 0 4294967295");
    run(&pair.receiver, "tc", &words);
    let report = doctor(&pair.receiver, &[]);
    let lines: Vec<_> = section(&report, RECEIVER_LINK).lines().skip(1).collect();
    let [on_tcx, first, second] = lines[..] else {
        panic!("{report}");
    };
    assert!(on_tcx.trim().starts_with("TCX "), "{on_tcx}");
    assert!(on_tcx.contains("flowtop_ingress (id "), "{on_tcx}");
    assert!(
        on_tcx.ends_with(&format!(", process {})", tcx.pid())),
        "{on_tcx}"
    );
    let ours = "priority 1, handle 0xf107, bpf flowtop_ingress:[";
    assert!(said(first, "  filter").starts_with(ours), "{first}");
    assert!(
        first.ends_with(&format!(", process {}", clsact.pid())),
        "{first}"
    );
    assert_eq!(said(second, "  filter"), "priority 10, handle 0x1, bpf");
    assert_eq!(said(&report, "left over"), "nothing");
    // Those in use stay.
    assert_eq!(
        doctor(&pair.receiver, &["--clean"]),
        "nothing is left of a killed run\n"
    );
    let again = doctor(&pair.receiver, &[]);
    assert_eq!(section(&again, RECEIVER_LINK).lines().count(), 4, "{again}");
}

#[test]
fn what_a_killed_run_left_is_found_and_removed_and_nothing_else() {
    if !root() {
        return;
    }
    let pair = Pair::quiet();
    run(
        &pair.receiver,
        "tc",
        &["qdisc", "add", "dev", "veth1", "clsact"],
    );
    let filters = || {
        run(
            &pair.receiver,
            "tc",
            &["filter", "show", "dev", "veth1", "ingress"],
        )
    };
    let before = filters();
    let killed = Flowtop::start_with(&pair.receiver, "{}", &ARGUMENTS, |command| {
        command.env("FLOWTOP_CLSACT", "1");
    });
    killed.signal(Signal::SIGKILL);
    killed.wait();
    let report = doctor(&pair.receiver, &[]);
    assert_eq!(
        said(&report, "left over"),
        "the filter of a killed run on veth1 (sudo flowtop doctor --clean)"
    );
    assert!(
        section(&report, RECEIVER_LINK).ends_with(", left over\n"),
        "{report}"
    );
    // Whoever may not remove it is told what would let them.
    let (_folder, program) = reachable();
    let refused = as_nobody(&pair.receiver, &program, &["--clean"]);
    assert_eq!(refused.status.code(), Some(77));
    let why = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        why.starts_with("flowtop: remove what killed runs left behind: veth1: ")
            && why.contains("CAP_NET_ADMIN")
            && why.lines().count() == 1,
        "{why}"
    );
    assert_eq!(
        doctor(&pair.receiver, &["--clean"]),
        "removed the filter of a killed run from veth1\n"
    );
    assert_eq!(filters(), before);
    assert_eq!(said(&doctor(&pair.receiver, &[]), "left over"), "nothing");
}

#[test]
fn without_rights_it_says_what_it_may_not_know() {
    if !root() {
        return;
    }
    let pair = Pair::quiet();
    let _counts = Flowtop::start_with(&pair.receiver, "{}", &ARGUMENTS, |command| {
        command.env("FLOWTOP_CLSACT", "1");
    });
    let (_folder, program) = reachable();
    let report = output(&as_nobody(&pair.receiver, &program, &[]));
    assert_eq!(said(&report, "user"), "nobody (65534), no capability");
    let why = said(&report, "can measure");
    assert!(
        why.starts_with("no: the process lacks CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON ("),
        "{why}"
    );
    assert!(said(&report, "hook").starts_with("not known: "));
    assert!(said(&report, "program").starts_with("does not load: "));
    let about = section(&report, RECEIVER_LINK);
    assert!(said(about, "  TCX").starts_with("not known: "), "{about}");
    let filter = said(about, "  filter");
    assert!(filter.ends_with(", process not known"), "{filter}");
}

#[test]
fn in_a_user_namespace_of_one_user_it_says_who_a_run_stays() {
    if !root() {
        return;
    }
    let namespace = Namespace::create().expect("a namespace");
    let (_folder, program) = reachable();
    let inside = |arguments: &[&str]| {
        let mut command = support::command(&namespace, "unshare");
        command.arg("--map-root-user").arg(&program).args(arguments);
        command.current_dir("/").env("HOME", "/nonexistent");
        output(&command.output().expect("unshare"))
    };
    let report = inside(&["doctor"]);
    let user = said(&report, "user");
    assert!(user.ends_with(" of a user namespace"), "{user}");
    let (why, program) = (said(&report, "can measure"), said(&report, "program"));
    assert!(why.starts_with("no: the process is in a user namespace"));
    assert_eq!(
        program.strip_prefix("does not load: "),
        why.strip_prefix("no: ")
    );
    let rights = said(&report, "once it counts");
    // Groups of the superuser's, if it has any, cannot be left there.
    let expected = "user root (0) still: its user namespace does not have the user to become, ";
    assert!(rights.starts_with(expected), "{rights}");
    assert!(rights.contains(", no capability, "), "{rights}");
    let wanted = inside(&["--user", "65534", "doctor"]);
    let refused = said(&wanted, "once it counts");
    assert!(
        refused.starts_with("it ends: give up the superuser's group"),
        "{refused}"
    );
}

#[test]
fn names_that_others_chose_cannot_steer_a_terminal() {
    if !root() {
        return;
    }
    let pair = Pair::quiet();
    let name = OsStr::from_bytes(b"a\x1b[31m\xff");
    let mut command = support::command(&pair.receiver, "ip");
    command.args(["link", "add"]).arg(name);
    command.args(["type", "veth", "peer", "name", "x1"]);
    assert!(command.status().expect("ip").success());
    let report = doctor(&pair.receiver, &[]);
    assert!(!report.contains('\u{1b}'), "{report:?}");
    assert!(report.contains("a\\u{1b}[31m\\xff "), "{report}");
    ip(&pair.receiver, "link delete x1");
}

#[test]
fn a_configuration_that_is_wrong_is_part_of_the_report() {
    if !root() {
        return;
    }
    let pair = Pair::quiet();
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("config.json"), "{\n \"UNITS\": 1}").expect("write");
    let mut command = command(&pair.receiver, &[]);
    command.current_dir(folder.path());
    let report = output(&command.output().expect("flowtop"));
    let told = said(&report, "configuration");
    assert!(told.starts_with("config.json:2:2: unknown key"), "{told}");
}
