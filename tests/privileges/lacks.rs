//! Each thing that may be missing: one line that names it and says how to get it, with the documented exit code.

use std::os::unix::process::CommandExt;
use std::process::{Command, Output, Stdio};

use super::FREE_NUMBERS;
use super::support::{root, seccomp};

const CAP_SETGID: u32 = 6;
const CAP_SETUID: u32 = 7;
const CAP_NET_ADMIN: u32 = 12;
const CAP_NET_RAW: u32 = 13;
const CAP_SYS_ADMIN: u32 = 21;
const CAP_PERFMON: u32 = 38;
const CAP_BPF: u32 = 39;
/// CAP_CHECKPOINT_RESTORE; a newer kernel's newer ones do not matter here.
const LAST: u32 = 40;

/// A run of one short record.
pub const RUN: [&str; 6] = ["--json", "-i", "lo", "-t", "0.1", "--count=1"];
const DEMO: [&str; 5] = ["--demo", "--json", "-t", "0.1", "--count=1"];

/// The program, whoever calls it.
pub fn flowtop(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_flowtop"));
    command
        .args(arguments)
        .current_dir("/")
        .stdin(Stdio::null());
    for name in ["SUDO_UID", "XDG_CONFIG_HOME"] {
        command.env_remove(name);
    }
    command.env("HOME", "/nonexistent");
    command
}

/// Runs as the superuser with only those capabilities that `has` wants.
fn with_capabilities(arguments: &[&str], has: impl Fn(u32) -> bool) -> Output {
    let dropped: Vec<u32> = (0..=LAST).filter(|number| !has(*number)).collect();
    let mut command = flowtop(arguments);
    // SAFETY: between fork and exec the closure makes system calls only.
    unsafe {
        command.pre_exec(move || {
            for number in &dropped {
                let number = libc::c_ulong::from(*number);
                if libc::prctl(libc::PR_CAPBSET_DROP, number, 0, 0, 0) != 0 {
                    return Err(std::io::Error::last_os_error());
                }
            }
            Ok(())
        });
    }
    command.output().expect("run flowtop")
}

/// The exit code, and the one line of the error without the program's name.
pub fn refusal(output: &Output) -> (Option<i32>, String) {
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(output.stdout.is_empty());
    let line = said.strip_prefix("flowtop: ").expect("the program's name");
    (output.status.code(), line.trim_end().to_owned())
}

/// The one record of a run that had nothing to say.
pub fn assert_runs(output: &Output, what: &str) -> serde_json::Value {
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(
        (output.status.code(), said.as_str()),
        (Some(0), ""),
        "{what}"
    );
    serde_json::from_slice(&output.stdout).expect("one record")
}

const HOW: &str = "(run it with sudo, or once: sudo setcap cap_bpf,cap_net_admin,cap_perfmon+ep \"$(command -v flowtop)\")";

#[test]
fn three_capabilities_are_enough_and_each_of_them_is_missed() {
    if !root() {
        return;
    }
    let only = |own: &[u32]| with_capabilities(&RUN, |number| own.contains(&number));
    assert_runs(&only(&[CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON]), "all three");
    for (own, missing) in [
        (&[][..], "CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON"),
        (&[CAP_NET_ADMIN], "CAP_BPF and CAP_PERFMON"),
        (&[CAP_NET_ADMIN, CAP_PERFMON], "CAP_BPF"),
        (&[CAP_BPF, CAP_PERFMON], "CAP_NET_ADMIN"),
        (&[CAP_BPF, CAP_NET_ADMIN], "CAP_PERFMON"),
        (&[CAP_SYS_ADMIN], "CAP_NET_ADMIN"),
    ] {
        let line = format!("load the kernel program: the process lacks {missing} {HOW}");
        assert_eq!(refusal(&only(own)), (Some(77), line));
    }
}

#[test]
fn of_roots_capabilities_a_run_misses_no_other() {
    if !root() {
        return;
    }
    for missing in 0..=LAST {
        let output = with_capabilities(&RUN, |number| number != missing);
        if missing == CAP_NET_ADMIN {
            assert!(refusal(&output).1.contains("lacks CAP_NET_ADMIN ("));
            continue;
        }
        let record = assert_runs(&output, &format!("without capability {missing}"));
        let privileges = &record["kernel"]["privileges"];
        assert_eq!(privileges["capabilities"], serde_json::json!([]));
        // Who may not become another user stays who he is, and has nothing left all the same.
        let stays = [CAP_SETUID, CAP_SETGID].contains(&missing);
        let uid = privileges["uid"].as_u64().expect("a number");
        let is_own = FREE_NUMBERS.contains(&(uid as u32));
        assert_eq!(
            (uid == 0, is_own),
            (stays, !stays),
            "without {missing}: {uid}"
        );
    }
}

#[test]
fn the_demo_names_the_one_capability_that_it_misses() {
    if !root() {
        return;
    }
    let needed = [
        CAP_NET_ADMIN,
        CAP_NET_RAW,
        CAP_SYS_ADMIN,
        CAP_PERFMON,
        CAP_BPF,
    ];
    let without = |missing| {
        let has = |number| number != missing && needed.contains(&number);
        with_capabilities(&DEMO, has)
    };
    assert_runs(&without(LAST), "all of them");
    for (missing, name) in [
        (CAP_NET_ADMIN, "CAP_NET_ADMIN"),
        (CAP_NET_RAW, "CAP_NET_RAW"),
        (CAP_SYS_ADMIN, "CAP_SYS_ADMIN"),
    ] {
        let (code, line) = refusal(&without(missing));
        assert_eq!(code, Some(77), "{line}");
        assert!(line.starts_with("start the demo: "), "{line}");
        assert!(line.contains(name), "{name}: {line}");
        assert!(line.contains("sudo") && line.contains("setcap"), "{line}");
    }
}

#[test]
fn capabilities_of_a_user_namespace_are_not_taken_for_real_ones() {
    if !root() {
        return;
    }
    for options in [&["--user", "--map-root-user"][..], &["--user"]] {
        let mut command = Command::new("unshare");
        command.args(options).arg(env!("CARGO_BIN_EXE_flowtop"));
        command.args(RUN).current_dir("/").stdin(Stdio::null());
        let (code, line) = refusal(&command.output().expect("unshare"));
        let expected = "load the kernel program: the process is in a user namespace, whose \
            capabilities do not allow BPF (run it outside of the container, with sudo)";
        assert_eq!((code, line.as_str()), (Some(77), expected));
    }
}

#[test]
fn little_locked_memory_is_no_obstacle() {
    if !root() {
        return;
    }
    let mut command = flowtop(&RUN);
    // SAFETY: between fork and exec the closure makes two system calls only.
    unsafe {
        command.pre_exec(|| {
            use nix::sys::resource::{Resource, setrlimit};
            setrlimit(Resource::RLIMIT_MEMLOCK, 0, 0)?;
            // Without it nobody can raise the limit again.
            const CAP_SYS_RESOURCE: libc::c_ulong = 24;
            match libc::prctl(libc::PR_CAPBSET_DROP, CAP_SYS_RESOURCE, 0, 0, 0) {
                0 => Ok(()),
                _ => Err(std::io::Error::last_os_error()),
            }
        });
    }
    assert_runs(&command.output().expect("flowtop"), "no locked memory");
}

#[test]
fn memory_that_is_not_there_is_said_with_what_needs_less() {
    if !root() {
        return;
    }
    let mut command = flowtop(&RUN);
    command.arg("--max-flows=1000000");
    // SAFETY: between fork and exec the closure makes one system call only.
    unsafe {
        command.pre_exec(|| {
            use nix::sys::resource::{Resource, setrlimit};
            Ok(setrlimit(Resource::RLIMIT_AS, 512 << 20, 512 << 20)?)
        });
    }
    let (code, line) = refusal(&command.output().expect("flowtop"));
    assert_eq!(code, Some(1), "{line}");
    let expected = "map the flow table's memory: ENOMEM: Out of memory \
        (a smaller --max-flows needs less)";
    assert_eq!(line, expected);
}

fn without(call: libc::c_long, errno: i32, arguments: &[&str]) -> Output {
    let mut command = flowtop(arguments);
    seccomp::answer(&mut command, call, None, errno);
    command.output().expect("flowtop")
}

#[test]
fn a_seccomp_filter_that_keeps_bpf_away_is_named() {
    if !root() {
        return;
    }
    for errno in [libc::EPERM, libc::ENOSYS] {
        let (code, line) = refusal(&without(libc::SYS_bpf, errno, &RUN));
        let expected = "load the kernel program: a seccomp filter forbids bpf(2) (run it outside of \
            the container, or allow bpf in the container's seccomp profile)";
        assert_eq!((code, line.as_str()), (Some(77), expected), "{errno}");
        let (code, line) = refusal(&without(libc::SYS_bpf, errno, &DEMO));
        assert_eq!(code, Some(77), "{line}");
        assert!(line.starts_with("start the demo: a seccomp filter forbids bpf(2)"));
    }
}

/// Whoever is answered that there is no such call, and finds no filter, is on a kernel that was built without it: the
/// filter of this test is not to be seen, as there is nothing in /proc.
#[test]
fn a_kernel_without_bpf_is_told_from_a_filter() {
    use nix::mount::{MsFlags, mount};
    use nix::sched::{CloneFlags, unshare};
    if !root() {
        return;
    }
    for (arguments, what) in [
        (&RUN[..], "load the kernel program"),
        (&DEMO, "start the demo"),
    ] {
        let mut command = flowtop(arguments);
        // SAFETY: between fork and exec the closure makes system calls on constants.
        unsafe {
            command.pre_exec(|| {
                let nothing = None::<&str>;
                unshare(CloneFlags::CLONE_NEWNS)?;
                let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
                mount(nothing, "/", nothing, private, nothing)?;
                let flags = MsFlags::empty();
                Ok(mount(nothing, "/proc", Some("tmpfs"), flags, nothing)?)
            });
        }
        seccomp::answer(&mut command, libc::SYS_bpf, None, libc::ENOSYS);
        let (code, line) = refusal(&command.output().expect("flowtop"));
        let expected = "this kernel has no bpf(2) (run it on a kernel with CONFIG_BPF_SYSCALL)";
        assert_eq!((code, line), (Some(69), format!("{what}: {expected}")));
    }
}

#[test]
fn a_kernel_without_landlock_is_told_and_the_rest_is_given_up_all_the_same() {
    if !root() {
        return;
    }
    let output = without(libc::SYS_landlock_create_ruleset, libc::ENOSYS, &RUN);
    let record = assert_runs(&output, "without Landlock");
    let assert_told = |record: &serde_json::Value| {
        let told = &record["kernel"]["privileges"];
        assert!(FREE_NUMBERS.contains(&(told["uid"].as_u64().expect("a number") as u32)));
        assert_eq!(told["capabilities"], serde_json::json!([]));
        assert_eq!(told["landlock"], "none");
    };
    assert_told(&record);
    // Nothing would keep CAP_DAC_READ_SEARCH to the configuration's folder then.
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("config.json");
    std::fs::write(&config, "{}").expect("write");
    let config = config.to_str().expect("UTF-8");
    let with_config = [&RUN[..], &["-c", config]].concat();
    let output = without(
        libc::SYS_landlock_create_ruleset,
        libc::ENOSYS,
        &with_config,
    );
    let record: serde_json::Value = serde_json::from_slice(&output.stdout).expect("a record");
    assert_told(&record);
}

#[test]
fn a_kernel_without_seccomp_is_told_and_the_rest_is_given_up_all_the_same() {
    if !root() {
        return;
    }
    let output = without(libc::SYS_seccomp, libc::ENOSYS, &RUN);
    let record = assert_runs(&output, "without seccomp");
    let told = &record["kernel"]["privileges"];
    assert_eq!(
        (&told["seccomp"], &told["landlock"]),
        (&false.into(), &"full".into())
    );
    // Whoever only forbids it is no such kernel.
    let output = without(libc::SYS_seccomp, libc::EPERM, &RUN);
    let (code, line) = refusal(&output);
    assert_eq!(code, Some(1), "{line}");
    assert!(line.starts_with("limit the system calls: "), "{line}");
}
