//! Which system calls a thread has left once packets are counted: a list for each kind of thread, held by seccomp.
//!
//! What is not on the list does not exist for the thread (ENOSYS), as on a kernel before it: each C library has a way
//! around that, so that one which we have not met costs an ability at most, and not the run. Arguments that are
//! pointers cannot be looked into; so calls that take their flags by one (clone3, openat2) are on no list.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::libc::{self, c_long};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompFilter, SeccompRule, TargetArch, apply_filter,
};

use super::only::Only;
use Only::{All, Always, Null, OneOf};

/// What a thread is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Duty {
    /// The configuration, and a screen if there is one.
    Main {
        /// With it come the keys that write files and stop the job.
        has_screen: bool,
    },
    /// The kernel side.
    Sampler {
        /// Filters are added and removed by sockets of libbpf's own.
        on_clsact: bool,
    },
    /// A capture, which is open.
    Capture,
    /// Host names.
    Names,
    /// The records of a run without a screen.
    Writer {
        /// To a file that it opens and gives other names, rather than to standard output.
        to_file: bool,
    },
    /// Metrics, for whoever asks.
    Metrics,
    /// The recording.
    Recorder,
    /// A recording of before.
    Replay,
    /// What is kept in memory.
    Past,
    /// Signals.
    Signals,
    /// The demo's packets.
    Traffic,
    /// Flow records, to a collector.
    Export {
        /// By connections that it makes again, rather than a socket that is there.
        connects: bool,
    },
}

type Calls = &'static [(c_long, Only)];

const WHOLE: u64 = 0xffff_ffff;
/// Of the type of a socket, without SOCK_CLOEXEC and SOCK_NONBLOCK.
const TYPE: u64 = 0xf;

const NOT_EXECUTABLE: Only = All(&[(2, libc::PROT_EXEC as u64, 0)]);
const RTNETLINK: Only = All(&[
    (0, WHOLE, libc::AF_NETLINK as u64),
    (2, WHOLE, libc::NETLINK_ROUTE as u64),
]);
/// Both ends are connected for good: such a socket cannot be led anywhere else.
const LOCAL_STREAM: Only = All(&[
    (0, WHOLE, libc::AF_UNIX as u64),
    (1, TYPE, libc::SOCK_STREAM as u64),
]);
const LOCAL_DATAGRAMS: Only = All(&[
    (0, WHOLE, libc::AF_UNIX as u64),
    (1, TYPE, libc::SOCK_DGRAM as u64),
]);

const INTERNET_STREAM: Only = All(&[
    (0, WHOLE, libc::AF_INET as u64),
    (1, TYPE, libc::SOCK_STREAM as u64),
]);
const INTERNET_6_STREAM: Only = All(&[
    (0, WHOLE, libc::AF_INET6 as u64),
    (1, TYPE, libc::SOCK_STREAM as u64),
]);
const REUSE_OF_ADDRESSES: Only = All(&[
    (1, WHOLE, libc::SOL_SOCKET as u64),
    (2, WHOLE, libc::SO_REUSEADDR as u64),
]);

/// Modes and size of a terminal, with both layouts of the modes, and whether reads wait. Any thread may have to give the
/// terminal back. Nothing that types into it (TIOCSTI), takes it or pastes (TIOCLINUX).
const OF_TERMINALS: &[u64] = &[
    libc::TCGETS,
    libc::TCSETS,
    libc::TCSETSW,
    libc::TCSETSF,
    libc::TCGETS2,
    libc::TCSETS2,
    libc::TCSETSW2,
    libc::TCSETSF2,
    libc::TIOCGWINSZ,
    libc::FIONBIO,
    libc::FIONREAD,
];

/// Not F_SETOWN and F_SETSIG: whom a descriptor signals stays as it was laid down before.
const OF_DESCRIPTORS: &[u64] = &[
    libc::F_DUPFD as u64,
    libc::F_DUPFD_CLOEXEC as u64,
    libc::F_GETFD as u64,
    libc::F_SETFD as u64,
    libc::F_GETFL as u64,
    libc::F_SETFL as u64,
];

/// Memory, time, waiting, and descriptors that are open. Nothing makes memory that can be executed.
const OF_EVERY_THREAD: Calls = &[
    (libc::SYS_brk, Always),
    (libc::SYS_madvise, Always),
    (libc::SYS_mmap, NOT_EXECUTABLE),
    (libc::SYS_mprotect, NOT_EXECUTABLE),
    (libc::SYS_mremap, Always),
    (libc::SYS_munmap, Always),
    (libc::SYS_clock_getres, Always),
    (libc::SYS_clock_gettime, Always),
    (libc::SYS_clock_nanosleep, Always),
    (libc::SYS_gettimeofday, Always),
    (libc::SYS_nanosleep, Always),
    (libc::SYS_futex, Always),
    (libc::SYS_ppoll, Always),
    (libc::SYS_restart_syscall, Always),
    (libc::SYS_sched_getaffinity, Always),
    (libc::SYS_sched_yield, Always),
    (libc::SYS_close, Always),
    (libc::SYS_fcntl, OneOf(1, OF_DESCRIPTORS)),
    (libc::SYS_fstat, Always),
    (libc::SYS_ioctl, OneOf(1, OF_TERMINALS)),
    (libc::SYS_lseek, Always),
    (libc::SYS_read, Always),
    (libc::SYS_readv, Always),
    (libc::SYS_recvfrom, Always),
    (libc::SYS_sendto, Null(4)),
    (libc::SYS_write, Always),
    (libc::SYS_writev, Always),
    (libc::SYS_rt_sigaction, Always),
    (libc::SYS_rt_sigprocmask, Always),
    (libc::SYS_rt_sigreturn, Always),
    (libc::SYS_sigaltstack, Always),
    (libc::SYS_tgkill, Only::OwnAnd(libc::SIGABRT as u64)),
    (libc::SYS_exit, Always),
    (libc::SYS_exit_group, Always),
    // Who asks for these does not expect an error, and would take its number for the answer.
    (libc::SYS_getegid, Always),
    (libc::SYS_geteuid, Always),
    (libc::SYS_getgid, Always),
    (libc::SYS_getpid, Always),
    (libc::SYS_getppid, Always),
    (libc::SYS_gettid, Always),
    (libc::SYS_getuid, Always),
    (libc::SYS_getrandom, Always),
    (libc::SYS_rseq, Always),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_poll, Always),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_time, Always),
];

/// To look at files and read them: which ones is up to Landlock, and to the user.
const TO_READ_FILES: Calls = &[
    (libc::SYS_faccessat, Always),
    (libc::SYS_getcwd, Always),
    (libc::SYS_getdents64, Always),
    (libc::SYS_newfstatat, Always),
    (libc::SYS_openat, Always),
    (libc::SYS_pread64, Always),
    (libc::SYS_readlinkat, Always),
    (libc::SYS_statx, Always),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_access, Always),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_lstat, Always),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_open, Always),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_readlink, Always),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_stat, Always),
];

#[cfg(target_arch = "x86_64")]
const RENAMEAT: c_long = libc::SYS_renameat;
/// asm-generic/unistd.h: the C library crate has none for arm64, whose C library takes it for rename().
#[cfg(not(target_arch = "x86_64"))]
const RENAMEAT: c_long = 38;

/// To make files, replace and remove them, in the same way.
const TO_WRITE_FILES: Calls = &[
    (libc::SYS_fchmod, Always),
    (libc::SYS_fchownat, Always),
    (libc::SYS_fsync, Always),
    (libc::SYS_mkdirat, Always),
    (RENAMEAT, Always),
    (libc::SYS_renameat2, Always),
    (libc::SYS_unlinkat, Always),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_chown, Always),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_mkdir, Always),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_rename, Always),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_unlink, Always),
];

/// No other run writes to the same file, and what found no room is taken back.
const TO_KEEP_RECORDS: Calls = &[(libc::SYS_flock, Always), (libc::SYS_ftruncate, Always)];

/// The configuration is watched: also one that appears later, and where there is no way to watch it.
const OF_MAIN: Calls = &[
    (libc::SYS_eventfd2, Always),
    (libc::SYS_inotify_add_watch, Always),
    (libc::SYS_inotify_init1, Always),
    (libc::SYS_inotify_rm_watch, Always),
];

/// Signals that wake the screen come through pairs of sockets and a descriptor.
const OF_SCREENS: Calls = &[
    (libc::SYS_signalfd4, Always),
    (libc::SYS_socketpair, LOCAL_STREAM),
];

/// Of bpf(2): maps that it holds are read and written, its program is put on interfaces that come, looked for there, and taken
/// off.
const OF_SAMPLERS: Calls = &[
    (libc::SYS_bpf, OneOf(0, OF_MAPS_AND_LINKS)),
    (libc::SYS_recvmsg, Always),
];

/// From linux/bpf.h, which the C library does not have.
const OF_MAPS_AND_LINKS: &[u64] = &[
    1,  // BPF_MAP_LOOKUP_ELEM
    2,  // BPF_MAP_UPDATE_ELEM
    3,  // BPF_MAP_DELETE_ELEM
    4,  // BPF_MAP_GET_NEXT_KEY
    15, // BPF_OBJ_GET_INFO_BY_FD
    28, // BPF_LINK_CREATE
    34, // BPF_LINK_DETACH
];

/// libbpf opens a socket for each change of a filter, and a name says which run still lives.
const OF_CLSACT: Calls = &[
    (libc::SYS_socket, RTNETLINK),
    (libc::SYS_socket, LOCAL_DATAGRAMS),
    (libc::SYS_bind, Always),
    (libc::SYS_getsockname, Always),
    (libc::SYS_setsockopt, Always),
];

/// The C library's resolver, and what is plugged into it. No local socket: whoever has one can ask the user's own programs
/// (a message bus, a terminal multiplexer) to do what this thread cannot. The resolver then asks name servers by itself.
const OF_RESOLVERS: Calls = &[
    (
        libc::SYS_socket,
        OneOf(0, &[libc::AF_INET as u64, libc::AF_INET6 as u64]),
    ),
    (libc::SYS_socket, RTNETLINK),
    (libc::SYS_bind, Always),
    (libc::SYS_connect, Always),
    (libc::SYS_getpeername, Always),
    (libc::SYS_getsockname, Always),
    (libc::SYS_getsockopt, Always),
    (libc::SYS_setsockopt, Always),
    (libc::SYS_shutdown, Always),
    (libc::SYS_recvmsg, Always),
    (libc::SYS_sendmmsg, Always),
    (libc::SYS_sendmsg, Always),
    (libc::SYS_sendto, Always),
    (libc::SYS_uname, Always),
    // Its parts are libraries, loaded when they are first needed.
    (libc::SYS_mmap, Always),
    (libc::SYS_mprotect, Always),
];

/// The other end of the stream is taken when it comes.
const OF_TRAFFIC: Calls = &[(libc::SYS_accept4, Always)];

/// The place where scrapers are served may change; a connection is never made, only taken.
const OF_METRICS: Calls = &[
    (libc::SYS_socket, INTERNET_STREAM),
    (libc::SYS_socket, INTERNET_6_STREAM),
    (libc::SYS_setsockopt, REUSE_OF_ADDRESSES),
    (libc::SYS_bind, Always),
    (libc::SYS_listen, Always),
    (libc::SYS_accept4, Always),
    (libc::SYS_shutdown, Always),
];

/// A connection to the collector; which port is up to Landlock.
const OF_EXPORTS: Calls = &[
    (libc::SYS_socket, INTERNET_STREAM),
    (libc::SYS_socket, INTERNET_6_STREAM),
    (libc::SYS_connect, Always),
    (libc::SYS_getpeername, Always),
    (libc::SYS_getsockopt, Always),
    (libc::SYS_setsockopt, USER_TIMEOUT),
];

/// After how long a connection is given up that takes nothing.
const USER_TIMEOUT: Only = All(&[
    (1, WHOLE, libc::IPPROTO_TCP as u64),
    (2, WHOLE, libc::TCP_USER_TIMEOUT as u64),
]);

impl Duty {
    fn calls(self) -> &'static [Calls] {
        match self {
            Duty::Main { has_screen: false } => &[TO_READ_FILES, OF_MAIN],
            Duty::Main { has_screen: true } => {
                &[TO_READ_FILES, OF_MAIN, TO_WRITE_FILES, OF_SCREENS]
            }
            Duty::Sampler { on_clsact: false } => &[OF_SAMPLERS],
            Duty::Sampler { on_clsact: true } => &[OF_SAMPLERS, OF_CLSACT],
            Duty::Capture => &[],
            Duty::Names => &[TO_READ_FILES, OF_RESOLVERS],
            Duty::Writer { to_file: false } => &[],
            Duty::Writer { to_file: true } => &[TO_READ_FILES, TO_WRITE_FILES, TO_KEEP_RECORDS],
            Duty::Metrics => &[OF_METRICS],
            Duty::Recorder => &[TO_READ_FILES, TO_WRITE_FILES, TO_KEEP_RECORDS],
            Duty::Replay => &[TO_READ_FILES],
            Duty::Past => &[],
            Duty::Signals => &[],
            Duty::Traffic => &[OF_TRAFFIC],
            Duty::Export { connects: false } => &[],
            Duty::Export { connects: true } => &[OF_EXPORTS],
        }
    }

    fn filter(self) -> Result<BpfProgram, seccompiler::BackendError> {
        let mut rules: BTreeMap<i64, Vec<SeccompRule>> = BTreeMap::new();
        let lists = self.calls().iter().chain([&OF_EVERY_THREAD]);
        for (call, only) in lists.copied().flatten() {
            rules.entry(*call).or_default().extend(only.rules()?);
        }
        // A call that some list has without conditions is allowed whatever the others say.
        for (call, only) in self.calls().iter().copied().flatten() {
            if matches!(only, Always) {
                rules.insert(*call, Vec::new());
            }
        }
        let refused = SeccompAction::Errno(libc::ENOSYS as u32);
        let architecture = match cfg!(target_arch = "aarch64") {
            true => TargetArch::aarch64,
            false => TargetArch::x86_64,
        };
        SeccompFilter::new(rules, refused, SeccompAction::Allow, architecture)?.try_into()
    }
}

/// Takes all other system calls from the calling thread; false where this kernel cannot.
pub fn limit(duty: Duty) -> Result<bool> {
    let filter = duty.filter().context("compile the list of system calls")?;
    match apply_filter(&filter) {
        Ok(()) => Ok(true),
        Err(seccompiler::Error::Seccomp(error)) if is_missing(&error) => Ok(false),
        Err(error) => Err(error).context("limit the system calls"),
    }
}

/// Whether the kernel was built without it.
fn is_missing(error: &std::io::Error) -> bool {
    let missing = [Errno::ENOSYS, Errno::EINVAL];
    error
        .raw_os_error()
        .is_some_and(|error| missing.contains(&Errno::from_raw(error)))
}
