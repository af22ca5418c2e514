//! What tests of the real kernel share: privileges, namespaces, frames, clocks, commands.
//!
//! Used with `mod support;`. All of it is made of descriptors, so it goes away on drop, on panic and with the process.

#![allow(dead_code, reason = "each test binary uses a part")]

pub mod clock;
pub mod craft;

pub mod exposition;
pub mod frames;
pub mod hook;
pub mod inject;
pub mod ipfix;
pub mod pair;
pub mod program;
pub mod pty;
pub mod record;
pub mod relay;
pub mod scrape;
pub mod seccomp;
pub mod tcpdump;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use flowtop::netns::Namespace;
use nix::sys::stat::Mode;
use nix::unistd::Pid;

/// Capabilities that tests of the real kernel need, with their numbers (linux/capability.h).
const NEEDED: [(&str, u32); 4] = [
    ("CAP_NET_ADMIN", 12),
    ("CAP_NET_RAW", 13),
    ("CAP_SYS_ADMIN", 21),
    ("CAP_BPF", 39),
];

/// Begins a test that needs root: `if !support::root() { return }`.
///
/// Without the privileges the test fails and says what is missing, unless FLOWTOP_SKIP_ROOT_TESTS=1: then it says on
/// standard error that it was skipped, and false is returned.
///
/// What tests make for other users can be read by them, whatever the umask of whoever runs the tests.
pub fn root() -> bool {
    nix::sys::stat::umask(Mode::from_bits_truncate(0o022));
    let Err(reason) = privileges() else {
        return true;
    };
    if std::env::var_os("FLOWTOP_SKIP_ROOT_TESTS").is_some_and(|value| value == "1") {
        let test = std::thread::current();
        let line = format!(
            "{}: SKIPPED (FLOWTOP_SKIP_ROOT_TESTS=1): {reason}\n",
            test.name().unwrap_or("test")
        );
        // Not eprintln!, which the test runner swallows.
        let _ = std::io::stderr().write_all(line.as_bytes());
        return false;
    }
    panic!(
        "this test needs root: {reason} (run it with sudo, or skip it with FLOWTOP_SKIP_ROOT_TESTS=1)"
    );
}

fn privileges() -> Result<(), String> {
    let status = std::fs::read_to_string("/proc/self/status").map_err(|e| e.to_string())?;
    let effective = status
        .lines()
        .find_map(|line| line.strip_prefix("CapEff:"))
        .and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok())
        .ok_or("no CapEff in /proc/self/status")?;
    let missing: Vec<_> = NEEDED
        .into_iter()
        .filter(|(_, bit)| effective & (1 << bit) == 0)
        .map(|(name, _)| name)
        .collect();
    if !missing.is_empty() {
        return Err(format!("{} missing", missing.join(", ")));
    }
    Namespace::create()
        .map(drop)
        .map_err(|error| format!("{error:#}"))
}

/// Takes all capabilities from the calling thread, for good.
pub fn drop_capabilities() {
    // struct __user_cap_header_struct (version 3, this thread) and twice struct __user_cap_data_struct.
    let header: [u32; 2] = [0x2008_0522, 0];
    let data = [0u32; 6];
    // SAFETY: both arrays have the size that version 3 asks for, and outlive the call, which only reads them.
    let outcome = unsafe { libc::syscall(libc::SYS_capset, header.as_ptr(), data.as_ptr()) };
    assert_eq!(outcome, 0, "capset: {}", std::io::Error::last_os_error());
}

/// A command that will run in the namespace: `command(&pair.sender, "ping").args(["-c", "3", "10.0.0.1"])`.
pub fn command(namespace: &Namespace, program: &str) -> Command {
    use std::os::unix::process::CommandExt;
    let namespace = namespace.try_clone().expect("duplicate a descriptor");
    let mut command = Command::new(program);
    // SAFETY: between fork and exec the closure makes two system calls, one of them (setns) on a descriptor that it owns;
    // it allocates nothing unless that fails.
    unsafe {
        command.pre_exec(move || {
            // Under nohup(1) tests would hand on that a hang-up is ignored.
            libc::signal(libc::SIGHUP, libc::SIG_DFL);
            namespace.enter().map_err(std::io::Error::other)
        });
    }
    command
}

/// Runs a command in the namespace to its end and returns its standard output; fails if the command does.
pub fn run(namespace: &Namespace, program: &str, arguments: &[&str]) -> String {
    let output = command(namespace, program)
        .args(arguments)
        .output()
        .unwrap_or_else(|error| panic!("{program}: {error}"));
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{program} {arguments:?}: {}\n{stdout}{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    stdout
}

/// Lets what is in the namespace reach itself.
pub fn raise_loopback(namespace: &Namespace) {
    run(namespace, "ip", &["link", "set", "lo", "up"]);
}

/// Memory of a process that is in use, KiB.
pub fn resident_kib(process: Pid) -> u64 {
    status(process, "VmRSS")
}

/// A number that the kernel tells of a process by this name (proc_pid_status(5)); memory is in KiB.
pub fn status(process: Pid, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("a process");
    let mut values = status
        .lines()
        .filter_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let value = values.next().expect("a figure");
    let number = value.split_whitespace().next().map(str::parse);
    number.and_then(Result::ok).expect("a number")
}

/// Puts a copy of a program, by default flowtop, into a folder, to be run at once by anybody. A process of its own writes it: of a file
/// that this one has open for writing, a child forked by another test holds a copy until its exec, and meanwhile nobody can run it.
pub fn program_in(folder: &Path, source: Option<&Path>) -> PathBuf {
    let program = folder.join("flowtop");
    let source = source.unwrap_or(Path::new(env!("CARGO_BIN_EXE_flowtop")));
    let mut install = Command::new("install");
    let status = install
        .args(["-m", "755"])
        .args([source, &program])
        .status();
    assert!(
        status.expect("install").success(),
        "copy {}",
        source.display()
    );
    program
}

/// A child process that is killed and waited for when this is dropped.
#[derive(Debug)]
pub struct Background(pub Child);

impl Background {
    /// Starts the command.
    pub fn spawn(command: &mut Command) -> Background {
        Background(
            command
                .spawn()
                .unwrap_or_else(|error| panic!("{command:?}: {error}")),
        )
    }

    /// What the child has at this absolute path, which may be in mounts of its own.
    pub fn path(&self, inside: &Path) -> PathBuf {
        let process = PathBuf::from(format!("/proc/{}", self.0.id()));
        let inside = inside.strip_prefix("/").expect("absolute");
        process.join("root").join(inside)
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
