//! What a run needs of the kernel and of its rights, checked before anything else is tried.
//!
//! libbpf's own words for a missing capability mislead; these say what is missing and how to get it.

use std::fmt;

/// Why flowtop cannot measure here. The wording completes "load the kernel program: ".
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The process lacks capabilities.
    MissingCapabilities(Vec<&'static str>),
    /// The process has them, but only inside its own user namespace.
    UserNamespace,
    /// The kernel is older than the oldest that is supported.
    OldKernel(String),
}

/// What a failure to measure comes from, where that can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lack {
    /// Rights of this process.
    Privilege,
    /// Abilities of this kernel.
    Kernel,
}

/// What an error of loading or attaching comes from.
pub fn lack(error: &anyhow::Error) -> Option<Lack> {
    if let Some(refusal) = error.downcast_ref::<Refusal>() {
        return Some(match refusal {
            Refusal::MissingCapabilities(_) | Refusal::UserNamespace => Lack::Privilege,
            Refusal::OldKernel(_) => Lack::Kernel,
        });
    }
    match error.downcast_ref::<libbpf_rs::Error>()?.kind() {
        libbpf_rs::ErrorKind::PermissionDenied => Some(Lack::Privilege),
        libbpf_rs::ErrorKind::Unsupported => Some(Lack::Kernel),
        _ => None,
    }
}

/// The oldest kernel that flowtop runs on.
pub const OLDEST_KERNEL: (u32, u32) = (5, 15);

const CAP_NET_ADMIN: u32 = 12;
const CAP_SYS_ADMIN: u32 = 21;
const CAP_BPF: u32 = 39;

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::MissingCapabilities(missing) => write!(
                f,
                "the process lacks {} (run it with sudo, or once: sudo setcap cap_bpf,cap_net_admin+ep \"$(command -v flowtop)\")",
                missing.join(" and ")
            ),
            Refusal::UserNamespace => f.write_str(
                "capabilities of a user namespace do not allow BPF (run it as root outside of the container, or with sudo)",
            ),
            Refusal::OldKernel(release) => write!(
                f,
                "Linux {release} is older than {}.{}, the oldest that flowtop supports (run it on a newer kernel)",
                OLDEST_KERNEL.0, OLDEST_KERNEL.1
            ),
        }
    }
}

impl std::error::Error for Refusal {}

/// Checks the kernel's version and the capabilities of this process.
pub fn check() -> Result<(), Refusal> {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    if version_of(&release).is_some_and(|version| version < OLDEST_KERNEL) {
        return Err(Refusal::OldKernel(release.trim().to_owned()));
    }
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let missing = missing_capabilities(effective_capabilities(&status));
    if !missing.is_empty() {
        return Err(Refusal::MissingCapabilities(missing));
    }
    let map = std::fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    if !map.is_empty() && map.split_whitespace().collect::<Vec<_>>() != ["0", "0", "4294967295"] {
        return Err(Refusal::UserNamespace);
    }
    Ok(())
}

fn version_of(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release
        .trim()
        .split(|c: char| !c.is_ascii_digit())
        .map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

fn effective_capabilities(status: &str) -> u64 {
    status
        .lines()
        .find_map(|line| line.strip_prefix("CapEff:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .unwrap_or(0)
}

fn missing_capabilities(effective: u64) -> Vec<&'static str> {
    let has = |capability: u32| effective & 1 << capability != 0;
    let mut missing = Vec::new();
    if !has(CAP_BPF) && !has(CAP_SYS_ADMIN) {
        missing.push("CAP_BPF");
    }
    if !has(CAP_NET_ADMIN) {
        missing.push("CAP_NET_ADMIN");
    }
    missing
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_are_compared_by_number() {
        assert_eq!(version_of("5.4.0-42-generic"), Some((5, 4)));
        assert_eq!(version_of("6.18.44-fc-v445\n"), Some((6, 18)));
        assert!(version_of("5.9.1") < Some(OLDEST_KERNEL));
    }

    #[test]
    fn each_missing_capability_is_named() {
        assert_eq!(missing_capabilities(0), ["CAP_BPF", "CAP_NET_ADMIN"]);
        assert_eq!(missing_capabilities(1 << CAP_NET_ADMIN), ["CAP_BPF"]);
        assert_eq!(missing_capabilities(1 << CAP_SYS_ADMIN), ["CAP_NET_ADMIN"]);
        assert!(missing_capabilities(1 << CAP_BPF | 1 << CAP_NET_ADMIN).is_empty());
    }
}
