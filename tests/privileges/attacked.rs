//! A run that somebody has taken over: each call that SECURITY.md says it cannot make is made, in each of its threads.
//!
//! The calls are put into the threads of the real program by ptrace(2), and must not exist for them (ENOSYS): an error of
//! any other kind would come from further on, where arguments or rights are looked at.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use flowtop::netns::Namespace;
use libc::c_long;
use nix::unistd::Pid;

use super::support::inject::{Captive, threads};
use super::support::pair::Pair;
use super::support::program::{Flowtop, PROGRAM};
use super::support::pty::{Control, Pty};
use super::support::{self, Background, root};
use super::{readable_folder, set_mode};

/// From linux/bpf.h.
const BPF_COMMANDS: [(&str, u64); 7] = [
    ("BPF_MAP_CREATE", 0),
    ("BPF_PROG_LOAD", 5),
    ("BPF_OBJ_GET", 7),
    ("BPF_PROG_ATTACH", 8),
    ("BPF_PROG_GET_FD_BY_ID", 13),
    ("BPF_MAP_GET_FD_BY_ID", 14),
    ("BPF_BTF_LOAD", 18),
];

/// asm-generic/fcntl.h
const F_SETSIG: u64 = 10;
const F_SETOWN_EX: u64 = 15;

/// Calls that no thread has whatever it is there for, with arguments that do no harm where one has it.
const NOBODYS: &[(&str, c_long, [u64; 3])] = &[
    ("ptrace", libc::SYS_ptrace, [0; 3]),
    ("process_vm_readv", libc::SYS_process_vm_readv, [0; 3]),
    ("process_vm_writev", libc::SYS_process_vm_writev, [0; 3]),
    ("process_madvise", libc::SYS_process_madvise, [0; 3]),
    ("pidfd_open", libc::SYS_pidfd_open, [0; 3]),
    ("pidfd_getfd", libc::SYS_pidfd_getfd, [0; 3]),
    (
        "pidfd_send_signal",
        libc::SYS_pidfd_send_signal,
        [u64::MAX, 0, 0],
    ),
    ("kill", libc::SYS_kill, [0, 0, 0]),
    ("tkill", libc::SYS_tkill, [1, 0, 0]),
    ("tgkill another process", libc::SYS_tgkill, [1, 1, 0]),
    ("rt_sigqueueinfo", libc::SYS_rt_sigqueueinfo, [0; 3]),
    ("add_key", libc::SYS_add_key, [0; 3]),
    ("request_key", libc::SYS_request_key, [0; 3]),
    ("keyctl", libc::SYS_keyctl, [u64::MAX, 0, 0]),
    ("mount", libc::SYS_mount, [0; 3]),
    ("umount2", libc::SYS_umount2, [0; 3]),
    ("pivot_root", libc::SYS_pivot_root, [0; 3]),
    ("move_mount", libc::SYS_move_mount, [0; 3]),
    ("open_tree", libc::SYS_open_tree, [0; 3]),
    ("fsopen", libc::SYS_fsopen, [0; 3]),
    ("chroot", libc::SYS_chroot, [0; 3]),
    ("unshare", libc::SYS_unshare, [0; 3]),
    ("setns", libc::SYS_setns, [u64::MAX, 0, 0]),
    ("execve", libc::SYS_execve, [0; 3]),
    ("execveat", libc::SYS_execveat, [0; 3]),
    ("clone", libc::SYS_clone, [libc::SIGCHLD as u64, 0, 0]),
    ("clone3", libc::SYS_clone3, [0; 3]),
    ("io_uring_setup", libc::SYS_io_uring_setup, [0; 3]),
    ("io_uring_enter", libc::SYS_io_uring_enter, [u64::MAX, 0, 0]),
    (
        "io_uring_register",
        libc::SYS_io_uring_register,
        [u64::MAX, 0, 0],
    ),
    ("userfaultfd", libc::SYS_userfaultfd, [u64::MAX, 0, 0]),
    ("perf_event_open", libc::SYS_perf_event_open, [0; 3]),
    ("memfd_create", libc::SYS_memfd_create, [0; 3]),
    ("personality", libc::SYS_personality, [0xffff_ffff, 0, 0]),
    ("prctl", libc::SYS_prctl, [3, 0, 0]),
    ("seccomp", libc::SYS_seccomp, [u64::MAX, 0, 0]),
    ("prlimit64", libc::SYS_prlimit64, [0; 3]),
    ("setrlimit", libc::SYS_setrlimit, [u64::MAX, 0, 0]),
    ("setpriority", libc::SYS_setpriority, [u64::MAX, 0, 0]),
    (
        "sched_setscheduler",
        libc::SYS_sched_setscheduler,
        [0, u64::MAX, 0],
    ),
    ("setresuid", libc::SYS_setresuid, [0; 3]),
    ("setgroups", libc::SYS_setgroups, [0; 3]),
    ("capset", libc::SYS_capset, [0; 3]),
    ("init_module", libc::SYS_init_module, [0; 3]),
    ("finit_module", libc::SYS_finit_module, [u64::MAX, 0, 0]),
    ("kexec_load", libc::SYS_kexec_load, [0; 3]),
    ("reboot", libc::SYS_reboot, [0; 3]),
    ("swapon", libc::SYS_swapon, [0; 3]),
    ("sethostname", libc::SYS_sethostname, [0; 3]),
    ("settimeofday", libc::SYS_settimeofday, [0; 3]),
    ("syslog", libc::SYS_syslog, [u64::MAX, 0, 0]),
    (
        "open_by_handle_at",
        libc::SYS_open_by_handle_at,
        [u64::MAX, 0, 0],
    ),
    ("fanotify_init", libc::SYS_fanotify_init, [u64::MAX, 0, 0]),
    ("openat2", libc::SYS_openat2, [0; 3]),
    ("linkat", libc::SYS_linkat, [0; 3]),
    ("symlinkat", libc::SYS_symlinkat, [0; 3]),
    ("mknodat", libc::SYS_mknodat, [0; 3]),
    ("setxattr", libc::SYS_setxattr, [0; 3]),
    ("shmget", libc::SYS_shmget, [0; 3]),
    ("msgget", libc::SYS_msgget, [0; 3]),
    (
        "a local socket of a stream",
        libc::SYS_socket,
        [libc::AF_UNIX as u64, libc::SOCK_STREAM as u64, 0],
    ),
    (
        "a pair of local sockets of datagrams",
        libc::SYS_socketpair,
        [libc::AF_UNIX as u64, libc::SOCK_DGRAM as u64, 0],
    ),
    (
        "a socket of packets",
        libc::SYS_socket,
        [libc::AF_PACKET as u64, libc::SOCK_RAW as u64, 0],
    ),
    (
        "a netlink socket of another kind",
        libc::SYS_socket,
        [libc::AF_NETLINK as u64, libc::SOCK_RAW as u64, 9],
    ),
    ("F_SETOWN", libc::SYS_fcntl, [0, libc::F_SETOWN as u64, 0]),
    ("F_SETOWN_EX", libc::SYS_fcntl, [0, F_SETOWN_EX, 0]),
    ("F_SETSIG", libc::SYS_fcntl, [0, F_SETSIG, 0]),
    ("TIOCSCTTY", libc::SYS_ioctl, [0, libc::TIOCSCTTY, 0]),
    ("TIOCSETD", libc::SYS_ioctl, [0, 0x5423, 0]),
    ("TIOCLINUX", libc::SYS_ioctl, [0, 0x541c, 0]),
    ("TIOCCONS", libc::SYS_ioctl, [0, libc::TIOCCONS, 0]),
    ("FIOSETOWN", libc::SYS_ioctl, [0, 0x8901, 0]),
];

const EXECUTABLE: u64 = (libc::PROT_READ | libc::PROT_EXEC) as u64;

/// Calls that only some have: the names of those.
const SOMEBODYS: &[(&str, c_long, [u64; 3], &[&str])] = &[
    (
        "an internet socket",
        libc::SYS_socket,
        [libc::AF_INET as u64, libc::SOCK_DGRAM as u64, 0],
        &["names"],
    ),
    (
        "a local socket of datagrams",
        libc::SYS_socket,
        [libc::AF_UNIX as u64, libc::SOCK_DGRAM as u64, 0],
        &["sampler on clsact"],
    ),
    (
        "a socket of rtnetlink",
        libc::SYS_socket,
        [libc::AF_NETLINK as u64, libc::SOCK_RAW as u64, 0],
        &["names", "sampler on clsact"],
    ),
    (
        "connect",
        libc::SYS_connect,
        [u64::MAX, 0, 0],
        &["names", "ipfix over tcp"],
    ),
    (
        "SO_MARK",
        libc::SYS_setsockopt,
        [u64::MAX, libc::SOL_SOCKET as u64, libc::SO_MARK as u64],
        &["names", "sampler on clsact"],
    ),
    ("sendmsg", libc::SYS_sendmsg, [u64::MAX, 0, 0], &["names"]),
    (
        "bind",
        libc::SYS_bind,
        [u64::MAX, 0, 0],
        &["names", "sampler on clsact", "metrics"],
    ),
    (
        "an internet socket of a stream",
        libc::SYS_socket,
        [libc::AF_INET as u64, libc::SOCK_STREAM as u64, 0],
        &["names", "metrics", "ipfix over tcp"],
    ),
    ("listen", libc::SYS_listen, [u64::MAX, 0, 0], &["metrics"]),
    (
        "accept4",
        libc::SYS_accept4,
        [u64::MAX, 0, 0],
        &["flowtop-demo", "metrics"],
    ),
    (
        "memory that can be executed",
        libc::SYS_mmap,
        [0, 0, EXECUTABLE],
        &["names"],
    ),
    (
        "mprotect to what can be executed",
        libc::SYS_mprotect,
        [0, 0, EXECUTABLE],
        &["names"],
    ),
    (
        "bpf to read a map",
        libc::SYS_bpf,
        [1, 0, 0],
        &["sampler", "sampler on clsact"],
    ),
    (
        "openat",
        libc::SYS_openat,
        [u64::MAX, 0, 0],
        &["flowtop", "names", "recorder", "replay", "writer to a file"],
    ),
];

/// Makes all these calls in one thread; `who` is what it is called in the list.
fn attack(captive: &Captive, who: &str) {
    const ABSENT: i64 = -(libc::ENOSYS as i64);
    let with = |[a, b, c]: [u64; 3]| [a, b, c, 0, 0, 0];
    for (what, number, arguments) in NOBODYS {
        assert_eq!(
            captive.call(*number, with(*arguments)),
            ABSENT,
            "{who}: {what}"
        );
    }
    for (what, command) in BPF_COMMANDS {
        let outcome = captive.call(libc::SYS_bpf, with([command, 0, 0]));
        assert_eq!(outcome, ABSENT, "{who}: {what}");
    }
    for (what, number, arguments, has) in SOMEBODYS {
        let outcome = captive.call(*number, with(*arguments));
        assert_eq!(
            outcome != ABSENT,
            has.contains(&who),
            "{who}: {what}: {outcome}"
        );
    }
    // What cannot fail does not: its error would be taken for a user.
    for call in [
        libc::SYS_getuid,
        libc::SYS_geteuid,
        libc::SYS_getgid,
        libc::SYS_getegid,
    ] {
        assert!(captive.call(call, [0; 6]) > 0, "{who}: {call}");
    }
    assert_eq!(type_a_letter(captive), ABSENT, "{who}: TIOCSTI");
    // To whom it is not connected.
    let to = [u64::MAX, captive.memory(), 0, 0, captive.memory(), 16];
    let outcome = captive.call(libc::SYS_sendto, to);
    assert_eq!(outcome != ABSENT, who == "names", "{who}: sendto");
}

/// What everybody can type who has the terminal.
fn type_a_letter(captive: &Captive) -> i64 {
    let arguments = [0, libc::TIOCSTI, captive.memory(), 0, 0, 0];
    captive.call(libc::SYS_ioctl, arguments)
}

/// Attacks all threads of a run; returns which these are. `but` is one of them under another name in the lists.
fn attack_all(process: Pid, but: &'static str) -> BTreeSet<String> {
    let found = threads(process);
    for (thread, name) in &found {
        let is_other = but.split(' ').next() == Some(name);
        let who = if is_other { but } else { name };
        attack(&Captive::seize(process, *thread), who);
    }
    found.into_iter().map(|(_, name)| name).collect()
}

fn named(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn whoever_is_not_confined_has_these_calls() {
    if !root() {
        return;
    }
    let mut command = Command::new("cat");
    let pty = Pty::start(&mut command, (80, 24), Control::Controlling);
    let captive = Captive::seize(pty.pid(), pty.pid());
    let own = captive.call(libc::SYS_getpid, [0; 6]);
    assert_eq!(own, i64::from(pty.pid().as_raw()));
    // Where dev.tty.legacy_tiocsti is 0, the superuser alone; and that is who this is.
    assert_eq!(type_a_letter(&captive), 0, "TIOCSTI");
    let outcome = captive.call(libc::SYS_socket, [1, 1, 0, 0, 0, 0]);
    assert!(outcome >= 0, "a socket: {outcome}");
    let absent = -i64::from(libc::ENOSYS);
    assert_ne!(captive.call(libc::SYS_bpf, [5, 0, 0, 0, 0, 0]), absent);
}

#[test]
fn no_thread_of_a_run_without_a_screen_has_calls_that_it_does_not_need() {
    if !root() {
        return;
    }
    for sampler in ["sampler", "sampler on clsact"] {
        let pair = Pair::quiet();
        let arguments = ["-i", "veth*", "-t", "0.1"];
        let mut run = Flowtop::start_with(&pair.receiver, "{}", &arguments, |command| {
            if sampler.ends_with("clsact") {
                command.env("FLOWTOP_CLSACT", "1");
            }
        });
        let attacked = attack_all(run.pid(), sampler);
        let expected = named(&["flowtop", "sampler", "writer", "metrics", "signals"]);
        assert_eq!(attacked, expected);
        // None the worse for it.
        run.until("another record", |record| {
            record["kernel"]["privileges"]["seccomp"] == true
        });
        run.finish();
    }
}

#[test]
fn no_thread_of_a_run_that_exports_has_calls_that_it_does_not_need() {
    if !root() {
        return;
    }
    for (collector, exporter) in [("", "ipfix"), ("tcp://", "ipfix over tcp")] {
        let pair = Pair::quiet();
        support::raise_loopback(&pair.receiver);
        let collector = format!("{collector}127.0.0.1:4739");
        let arguments = ["-i", "veth*", "-t", "0.1", "--ipfix", &collector];
        let mut run = Flowtop::start(&pair.receiver, "{}", &arguments);
        let attacked = attack_all(run.pid(), exporter);
        let expected = named(&[
            "flowtop", "sampler", "writer", "ipfix", "metrics", "signals",
        ]);
        assert_eq!(attacked, expected);
        let tries = run.record()["ipfix"]["failures"].as_u64();
        // It goes on with what it has: another attempt, or as ever.
        run.until("another attempt", |record| {
            exporter == "ipfix" || record["ipfix"]["failures"].as_u64() > tries
        });
        run.finish();
    }
}

#[test]
fn no_thread_of_a_run_that_writes_a_file_has_calls_that_it_does_not_need() {
    if !root() {
        return;
    }
    let folder = readable_folder();
    set_mode(folder.path(), 0o777);
    let (pair, file) = (Pair::quiet(), folder.path().join("records"));
    let mut command = support::command(&pair.receiver, PROGRAM);
    command.args(["--json", "-i", "veth1", "-t", "0.1", "--output"]);
    command
        .arg(&file)
        .arg("--record")
        .arg(folder.path().join("past"));
    let run = Background::spawn(command.env_remove("SUDO_UID"));
    let records = || {
        fs::read_to_string(&file)
            .unwrap_or_default()
            .lines()
            .count()
    };
    let wait_for = |count| {
        let deadline = Instant::now() + Duration::from_secs(30);
        while records() < count {
            assert!(Instant::now() < deadline, "no {count} records");
            std::thread::sleep(Duration::from_millis(10));
        }
    };
    wait_for(1);
    let attacked = attack_all(Pid::from_raw(run.0.id() as i32), "writer to a file");
    let expected = named(&[
        "flowtop", "sampler", "writer", "metrics", "recorder", "signals",
    ]);
    assert_eq!(attacked, expected);
    wait_for(records() + 2);
}

#[test]
fn no_thread_that_reads_a_capture_has_calls_that_it_does_not_need() {
    if !root() {
        return;
    }
    let mut command = Command::new(PROGRAM);
    command.args(["-r", "-", "--json"]).env_remove("SUDO_UID");
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut run = Background::spawn(&mut command);
    let mut input = run.0.stdin.take().expect("standard input");
    let output = run.0.stdout.take().expect("standard output");
    let mut records = BufReader::new(output).lines();
    let number = |number: u32| number.to_le_bytes();
    // pcap, and then a packet of nothing each two seconds: the one behind a mark makes a record.
    let header = [0xa1b2_c3d4, 0x0004_0002, 0, 0, 262_144, 1].map(number);
    input.write_all(&header.concat()).expect("write");
    let mut send = |second| {
        let packet = [second, 0, 14, 60].map(number).concat();
        let packet = [&packet[..], &[0; 14]].concat();
        input.write_all(&packet).expect("write");
    };
    (0..2).for_each(|n| send(2 * n));
    records.next().expect("a record").expect("text");
    let attacked = attack_all(Pid::from_raw(run.0.id() as i32), "");
    assert_eq!(
        attacked,
        named(&["flowtop", "capture", "writer", "metrics", "signals"])
    );
    (2..4).for_each(|n| send(2 * n));
    let more = records.nth(2).expect("another record").expect("text");
    assert!(more.contains("\"seccomp\":true"), "{more}");
}

#[test]
fn no_thread_of_a_dashboard_has_calls_that_it_does_not_need() {
    if !root() {
        return;
    }
    let folder = readable_folder();
    let mut command = Command::new(PROGRAM);
    command.arg("--demo").current_dir(folder.path());
    let mut pty = Pty::start(&mut command, (160, 40), Control::Controlling);
    pty.wait_for_text("192.0.2.2:40010");
    let attacked = attack_all(pty.pid(), "");
    let expected = named(&[
        "flowtop",
        "sampler",
        "names",
        "metrics",
        "past",
        "signals",
        "flowtop-demo",
    ]);
    assert_eq!(attacked, expected);
    pty.press("?");
    pty.wait_for_text("a row up");
    pty.press("Esc");
    pty.wait_until_gone("a row up");
    pty.press("q");
    assert!(pty.wait_for_exit(Duration::from_secs(10)).success());
    pty.assert_restored();
}

#[test]
fn no_thread_of_a_replay_has_calls_that_it_does_not_need() {
    if !root() {
        return;
    }
    let folder = readable_folder();
    let mut command = Command::new(PROGRAM);
    command.args(["--demo", "--json", "--count", "2", "--record", "past"]);
    command.current_dir(folder.path()).env_remove("SUDO_UID");
    let recorded = command.output().expect("run flowtop");
    assert!(recorded.status.success());
    let its_own = ["flowtop", "names", "replay", "signals"];
    assert_threads_of_a_replay(folder.path(), &[], &its_own);
    // A thread that nobody asks for is not there.
    let all = [&its_own[..], &["metrics"]].concat();
    assert_threads_of_a_replay(folder.path(), &["--listen", "0.0.0.0:9788"], &all);
}

fn assert_threads_of_a_replay(folder: &Path, arguments: &[&str], threads: &[&str]) {
    // In a network of the test's own: there may be another run of the same test on this machine.
    let namespace = Namespace::create().expect("a namespace");
    let mut command = support::command(&namespace, PROGRAM);
    command.args(["replay", "past"]).args(arguments);
    command.current_dir(folder);
    let mut pty = Pty::start(&mut command, (160, 40), Control::Controlling);
    pty.wait_for_text("192.0.2.2:40010");
    assert_eq!(attack_all(pty.pid(), ""), named(threads));
    pty.press("E");
    pty.wait_for_text("at its end");
    pty.press("q");
    assert!(pty.wait_for_exit(Duration::from_secs(10)).success());
    pty.assert_restored();
}
