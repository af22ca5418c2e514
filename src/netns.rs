//! Private network namespaces, joined by a veth pair.
//!
//! A namespace here has no name: it lives as long as a descriptor, a thread or a socket of ours is in it, and the
//! kernel takes it away with the last of them, however the process ended. So there is nothing to clean up: no
//! mount, no file, and no leftovers of a crashed run. Moving a pair's end into a namespace that dies removes the pair.
//! Knows nothing of flows or of BPF.

mod veth;

use std::fmt;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::panic::resume_unwind;
use std::path::Path;
use std::thread;

use anyhow::{Context, Result};
use nix::net::if_::if_nametoindex;
use nix::sched::{CloneFlags, setns, unshare};

use crate::netlink::{Connection, Subscription};
pub use veth::{End, add_address, add_neighbour, has_ipv6, join, set_up, wait_until_up};

/// The calling thread's network namespace. `/proc/self` would be the main thread's.
const CURRENT: &str = "/proc/thread-self/ns/net";

/// The loopback device has this index in every namespace.
const LOOPBACK: u32 = 1;
/// What flowtop needs when it builds namespaces, in setcap's spelling.
const ALL_CAPABILITIES: &str = "cap_bpf,cap_net_admin,cap_net_raw,cap_perfmon,cap_sys_admin";

/// A capability that is missing (exit code 77).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MissingCapability(pub &'static str);

impl fmt::Display for MissingCapability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let MissingCapability(name) = self;
        write!(
            f,
            "{name} is missing (use sudo, or: setcap {ALL_CAPABILITIES}+ep $(command -v flowtop))"
        )
    }
}

impl std::error::Error for MissingCapability {}

/// Says which capability was missing, if that is what the error means.
pub fn needs(capability: &'static str, error: impl Into<io::Error>) -> anyhow::Error {
    let error = error.into();
    match error.kind() {
        io::ErrorKind::PermissionDenied => MissingCapability(capability).into(),
        _ => error.into(),
    }
}

/// A network namespace, held by a descriptor.
#[derive(Debug)]
pub struct Namespace {
    file: File,
}

impl Namespace {
    /// Makes a new namespace; its loopback device is up. Needs CAP_SYS_ADMIN and CAP_NET_ADMIN.
    pub fn create() -> Result<Namespace> {
        let namespace = in_thread(|| {
            unshare(CloneFlags::CLONE_NEWNET)
                .map_err(|errno| needs("CAP_SYS_ADMIN", errno))
                .context("make a network namespace")?;
            Namespace::current()
        })?;
        veth::set_link_up(&mut namespace.connection()?, LOOPBACK)
            .map_err(|error| needs("CAP_NET_ADMIN", error))
            .context("set lo up")?;
        Ok(namespace)
    }

    /// The calling thread's namespace.
    pub fn current() -> Result<Namespace> {
        Namespace::open(CURRENT)
    }

    /// The namespace behind a file: `/proc/<pid>/ns/net`, or `/run/netns/<name>` as `ip netns` makes it.
    pub fn open(path: impl AsRef<Path>) -> Result<Namespace> {
        let path = path.as_ref();
        let file = File::open(path).with_context(|| format!("open {}", path.display()))?;
        Ok(Namespace { file })
    }

    /// Another descriptor of the same namespace.
    pub fn try_clone(&self) -> io::Result<Namespace> {
        let file = self.file.try_clone()?;
        Ok(Namespace { file })
    }

    /// Moves the calling thread into the namespace, for good. Needs CAP_SYS_ADMIN.
    pub fn enter(&self) -> Result<()> {
        setns(&self.file, CloneFlags::CLONE_NEWNET).context("enter a network namespace")
    }

    /// Does `work` in the namespace, in a thread of its own. What it opens (sockets) stays there.
    pub fn within<T: Send>(&self, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        in_thread(|| {
            self.enter()?;
            work()
        })
    }

    /// A connection to this namespace's rtnetlink.
    fn connection(&self) -> Result<Connection> {
        self.within(|| Connection::open().context("open rtnetlink"))
    }

    /// News of an `RTNLGRP_*` group of this namespace.
    fn subscription(&self, group: u32) -> Result<Subscription> {
        self.within(|| Subscription::open(group).context("subscribe to rtnetlink"))
    }

    /// The index of a link of this namespace.
    pub fn ifindex(&self, link: &str) -> Result<u32> {
        self.within(|| if_nametoindex(link).with_context(|| format!("look for {link}")))
    }
}

impl AsFd for Namespace {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// Runs `work` in a thread that ends with it, so that it may change the thread's namespace.
fn in_thread<T: Send>(work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    thread::scope(|scope| match scope.spawn(work).join() {
        Ok(outcome) => outcome,
        Err(panic) => resume_unwind(panic),
    })
}
