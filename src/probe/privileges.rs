//! What a run needs of the kernel and of its rights, checked before anything else is tried.
//!
//! libbpf's own words for a missing capability mislead; these say what is missing and how to get it.

mod calls;
pub mod confine;
mod identity;
mod keeps;
mod limits;
mod only;

use std::fmt;

use caps::{CapSet, Capability};
use libbpf_rs::libbpf_sys::bpf_map_create_opts;
use libbpf_rs::{ErrorKind, MapHandle, MapType};
use nix::errno::Errno;
use nix::sys::utsname::uname;

/// Why flowtop cannot measure here. The wording completes "load the kernel program: ".
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The process lacks capabilities.
    MissingCapabilities(Vec<Capability>),
    /// The process is in a user namespace: whatever capabilities it has, they are none of the system's.
    UserNamespace,
    /// The process has what it needs, but bpf(2) is kept from it: by a seccomp filter, or by something else.
    Forbidden {
        /// Whether the process has a seccomp filter.
        filtered: bool,
    },
    /// The kernel was built without bpf(2).
    NoBpf,
    /// The kernel is older than the oldest that is supported.
    OldKernel(String),
    /// The kernel was built without what the clsact way to the hook takes, or its modules are not there.
    NoClsact,
    /// The kernel of this release does not take the program.
    Program {
        /// Its release.
        release: String,
        /// What it says.
        reason: String,
    },
}

/// What a failure to measure comes from, where that can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lack {
    /// Rights of this process.
    Privilege,
    /// Abilities of this kernel.
    Kernel,
    /// Memory.
    Memory,
}

/// What an error of loading or attaching comes from.
pub fn lack(error: &anyhow::Error) -> Option<Lack> {
    if let Some(refusal) = error.downcast_ref::<Refusal>() {
        return Some(match refusal {
            Refusal::MissingCapabilities(_)
            | Refusal::UserNamespace
            | Refusal::Forbidden { .. } => Lack::Privilege,
            Refusal::NoBpf
            | Refusal::OldKernel(_)
            | Refusal::NoClsact
            | Refusal::Program { .. } => Lack::Kernel,
        });
    }
    if let Some(errno) = error.downcast_ref::<Errno>() {
        return (*errno == Errno::ENOMEM).then_some(Lack::Memory);
    }
    match error.downcast_ref::<libbpf_rs::Error>()?.kind() {
        ErrorKind::PermissionDenied => Some(Lack::Privilege),
        ErrorKind::Unsupported => Some(Lack::Kernel),
        ErrorKind::OutOfMemory => Some(Lack::Memory),
        _ => None,
    }
}

/// The oldest kernel that flowtop runs on.
pub const OLDEST_KERNEL: (u32, u32) = (5, 15);

/// The user namespace that the kernel starts with has this inode (linux/proc_ns.h).
const INITIAL_USER_NAMESPACE: &str = "user:[4026531837]";

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::MissingCapabilities(missing) => {
                let names: Vec<_> = missing.iter().map(ToString::to_string).collect();
                write!(
                    f,
                    "the process lacks {} (run it with sudo, or once: sudo setcap cap_bpf,cap_net_admin,cap_perfmon+ep \"$(command -v flowtop)\")",
                    listed(&names)
                )
            }
            Refusal::UserNamespace => f.write_str(
                "the process is in a user namespace, whose capabilities do not allow BPF (run it outside of the container, with sudo)",
            ),
            Refusal::Forbidden { filtered: true } => f.write_str(
                "a seccomp filter forbids bpf(2) (run it outside of the container, or allow bpf in the container's seccomp profile)",
            ),
            Refusal::Forbidden { filtered: false } => f.write_str(
                "bpf(2) is forbidden although the capabilities are there, most likely by a security module (see: dmesg)",
            ),
            Refusal::NoBpf => f.write_str(
                "this kernel has no bpf(2) (run it on a kernel with CONFIG_BPF_SYSCALL)",
            ),
            Refusal::NoClsact => f.write_str(
                "this kernel has it not, nor TCX, which came with Linux 6.6 (modprobe sch_ingress cls_bpf, or a kernel with CONFIG_NET_SCH_INGRESS and CONFIG_NET_CLS_BPF)",
            ),
            Refusal::OldKernel(release) => write!(
                f,
                "Linux {release} is older than {}.{}, the oldest that flowtop supports (run it on a newer kernel)",
                OLDEST_KERNEL.0, OLDEST_KERNEL.1
            ),
            Refusal::Program { release, reason } => write!(
                f,
                "Linux {release} refuses it, {reason} (report it, with what flowtop doctor says)"
            ),
        }
    }
}

impl std::error::Error for Refusal {}

/// Checks the kernel's version, the capabilities of this thread, and whether there is a bpf(2) for it.
pub fn check() -> Result<(), Refusal> {
    let release = release();
    if version_of(&release).is_some_and(|version| version < OLDEST_KERNEL) {
        return Err(Refusal::OldKernel(release));
    }
    if in_user_namespace() {
        return Err(Refusal::UserNamespace);
    }
    let missing =
        missing_capabilities(|c| matches!(caps::has_cap(None, CapSet::Effective, c), Ok(true)));
    if !missing.is_empty() {
        return Err(Refusal::MissingCapabilities(missing));
    }
    try_bpf()
}

/// Whether the process is in another user namespace than the system's own.
pub fn in_user_namespace() -> bool {
    std::fs::read_link("/proc/self/ns/user")
        .is_ok_and(|namespace| namespace.as_os_str() != INITIAL_USER_NAMESPACE)
}

/// Makes the smallest map there is. Where the size of locked memory counts, libbpf raises its limit first.
fn try_bpf() -> Result<(), Refusal> {
    let options = bpf_map_create_opts {
        sz: size_of::<bpf_map_create_opts>() as _,
        ..Default::default()
    };
    libbpf_rs::set_print(None);
    let made = MapHandle::create(MapType::Array, Some("flowtop_try"), 4, 4, 1, &options);
    let filtered = has_seccomp_filter();
    match made.map_err(|error| error.kind()) {
        Err(ErrorKind::PermissionDenied) => Err(Refusal::Forbidden { filtered }),
        // ENOSYS: filters answer with it, too.
        Err(ErrorKind::Unsupported) if filtered => Err(Refusal::Forbidden { filtered }),
        Err(ErrorKind::Unsupported) => Err(Refusal::NoBpf),
        // Whatever else it is, loading will say it in more words.
        _ => Ok(()),
    }
}

/// Whether this thread has a seccomp filter.
pub fn has_seccomp_filter() -> bool {
    status_of_thread("Seccomp:").is_some_and(|mode| mode == "2")
}

/// What the kernel says of this thread behind a label, which ends with a colon, as far as it can be read.
pub fn status_of_thread(label: &str) -> Option<String> {
    let status = std::fs::read_to_string("/proc/thread-self/status").ok()?;
    let value = status.lines().find_map(|line| line.strip_prefix(label))?;
    Some(value.trim().to_owned())
}

/// The release of the kernel.
pub fn release() -> String {
    // The file says it whatever uname(2) was told to say.
    if let Ok(release) = std::fs::read_to_string("/proc/sys/kernel/osrelease") {
        return release.trim().to_owned();
    }
    let name = uname();
    let release = name.as_ref().map(|name| name.release().to_string_lossy());
    release.map_or_else(|_| String::new(), Into::into)
}

fn version_of(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

fn missing_capabilities(has: impl Fn(Capability) -> bool) -> Vec<Capability> {
    use Capability::{CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON, CAP_SYS_ADMIN};
    // Without CAP_PERFMON the verifier refuses every program that reads a header behind one of variable length.
    let mut missing = vec![CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON];
    // CAP_SYS_ADMIN stands for the others that once were parts of it.
    missing.retain(|needed| !has(*needed) && (*needed == CAP_NET_ADMIN || !has(CAP_SYS_ADMIN)));
    missing
}

/// A, B and C.
fn listed(names: &[String]) -> String {
    match names {
        [others @ .., last] if !others.is_empty() => format!("{} and {last}", others.join(", ")),
        _ => names.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_are_compared_by_number() {
        assert_eq!(version_of("5.4.0-42-generic"), Some((5, 4)));
        assert_eq!(version_of("6.18.44-fc-v445"), Some((6, 18)));
        assert!(version_of("5.9.1") < Some(OLDEST_KERNEL));
    }

    #[test]
    fn each_missing_capability_is_named() {
        use Capability::{CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON, CAP_SYS_ADMIN};
        let missing = |own: &[Capability]| missing_capabilities(|c| own.contains(&c));
        assert_eq!(missing(&[]), [CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON]);
        assert_eq!(missing(&[CAP_NET_ADMIN, CAP_PERFMON]), [CAP_BPF]);
        assert_eq!(missing(&[CAP_SYS_ADMIN]), [CAP_NET_ADMIN]);
        assert!(missing(&[CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON]).is_empty());
        let named = ["A", "B", "C"].map(str::to_owned);
        assert_eq!(listed(&named), "A, B and C");
        assert_eq!(listed(&named[..2]), "A and B");
        assert_eq!(listed(&named[..1]), "A");
    }
}
