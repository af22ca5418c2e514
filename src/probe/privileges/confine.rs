//! Giving up rights: capabilities, the superuser's identity, and files.
//!
//! To the kernel rights belong to threads, so each thread gives up its own; threads that it starts later begin with
//! what it has left. Where something cannot be given up, that is an error: nothing goes on with more than it says.
#![allow(unsafe_code)]

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use caps::{CapSet, Capability, CapsHashSet};
use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, PathBeneath, PathFd, Ruleset, RulesetAttr,
    RulesetCreatedAttr, RulesetStatus,
};
use libbpf_rs::{MapCore, MapFlags};
use nix::libc;
use nix::sys::prctl;
use nix::unistd::{Gid, Uid, User, getgrouplist};

use crate::model::privileges::{Landlock, Privileges};
use crate::probe::Probe;
use crate::probe::survey::chain;

/// The user without rights, where the system does not name one.
const NOBODY: u32 = 65534;
/// The newest Landlock whose rights over files and connections are taken; older kernels have fewer.
const NEWEST: ABI = ABI::V5;

/// A capability that is still needed, and what for.
pub type Need = (Capability, &'static str);

/// Who the run goes on as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    name: String,
    user: Uid,
    group: Gid,
    groups: Vec<Gid>,
}

impl Identity {
    /// The user who called sudo, else nobody; `None` where this is not the superuser.
    pub fn to_become(invoking_user: Option<u32>) -> Option<Identity> {
        if !Uid::effective().is_root() {
            return None;
        }
        let user = match invoking_user {
            Some(uid) => User::from_uid(Uid::from_raw(uid)),
            None => User::from_name("nobody"),
        };
        let known = user.ok().flatten().filter(|user| !user.uid.is_root());
        Some(match known {
            Some(user) => Identity::of(user, invoking_user.is_some()),
            None => Identity::unnamed(invoking_user.unwrap_or(NOBODY)),
        })
    }

    fn of(user: User, with_groups: bool) -> Identity {
        let name = std::ffi::CString::new(user.name.as_str()).unwrap_or_default();
        let groups = match with_groups {
            true => getgrouplist(&name, user.gid).unwrap_or_default(),
            false => Vec::new(),
        };
        Identity {
            name: user.name,
            user: user.uid,
            group: user.gid,
            groups,
        }
    }

    fn unnamed(uid: u32) -> Identity {
        Identity {
            name: uid.to_string(),
            user: Uid::from_raw(uid),
            group: Gid::from_raw(uid),
            groups: Vec::new(),
        }
    }
}

/// What a thread keeps; all else goes.
#[derive(Debug, Clone, Default)]
pub struct Keeps {
    /// Who it is from now on; `None`: who it was.
    pub identity: Option<Identity>,
    /// Capabilities.
    pub capabilities: Vec<Need>,
    /// Folders and files to read.
    pub readable: Vec<PathBuf>,
    /// Folders to make, replace and remove files in.
    pub writable: Vec<PathBuf>,
    /// A file that has to stay readable, even if only the superuser may read it.
    pub config: Option<PathBuf>,
    /// Whether it may open TCP connections.
    pub tcp: bool,
}

impl Probe {
    /// What the thread that owns this needs as long as it runs, all interfaces to come included.
    pub fn needs(&self) -> Vec<Need> {
        let mut needs = Vec::new();
        if self.watched.is_clsact_only() || !chain::has_tcx() {
            needs.push((Capability::CAP_NET_ADMIN, "for the clsact hook"));
        }
        if self.is_refused_without_capabilities() {
            needs.push((
                Capability::CAP_BPF,
                "this kernel asks for it at each reading",
            ));
        }
        needs
    }

    /// Before 5.19, kernels that keep bpf(2) from ordinary users ask for CAP_BPF even where a map is held already.
    fn is_refused_without_capabilities(&self) -> bool {
        let map = &self.counters_of_first_cpu;
        let try_it = || {
            caps::clear(None, CapSet::Effective).is_err()
                || map.lookup(&0u32.to_ne_bytes(), MapFlags::ANY).is_err()
        };
        std::thread::scope(|scope| scope.spawn(try_it).join().unwrap_or(true))
    }
}

/// Nothing that is executed from here on gains rights, and nobody of the same user may look into this process.
pub fn no_new_privileges() -> Result<()> {
    prctl::set_no_new_privs().context("give up new privileges")?;
    prctl::set_dumpable(false).context("keep other processes out")
}

/// Gives up all rights of the calling thread but these.
pub fn confine(keeps: &Keeps) -> Result<Privileges> {
    // As long as the list of users can be read.
    let name = name_of(Uid::effective());
    // Opened first: the user to become need not be able to reach them.
    let landlock = limit_files(keeps).context("limit the files that can be opened")?;
    // Only what a process executes is subject to the bounding set: without the right to shrink it, nothing is lost.
    let _ = caps::clear(None, CapSet::Bounding);
    caps::clear(None, CapSet::Ambient).context("give up ambient capabilities")?;
    caps::clear(None, CapSet::Inheritable).context("give up inheritable capabilities")?;
    let stays_root = match &keeps.identity {
        Some(identity) => become_user(identity)?,
        None => None,
    };
    caps::clear(None, CapSet::Effective).context("give up capabilities")?;
    let mut needs = keeps.capabilities.clone();
    if let Some(config) = &keeps.config
        && landlock != Landlock::None
        && is_denied(config)
    {
        needs.push((
            Capability::CAP_DAC_READ_SEARCH,
            "the configuration is the superuser's only",
        ));
    }
    let permitted = caps::read(None, CapSet::Permitted).context("read the capabilities")?;
    needs.retain(|(capability, _)| permitted.contains(capability));
    keep_only(&needs.iter().map(|(capability, _)| *capability).collect())?;
    let uid = Uid::effective();
    Ok(Privileges {
        user: match &keeps.identity {
            Some(identity) if identity.user == uid => identity.name.clone(),
            _ => name,
        },
        uid: uid.as_raw(),
        capabilities: needs.iter().map(|(c, why)| (c.to_string(), *why)).collect(),
        stays_root,
        no_new_privileges: prctl::get_no_new_privs().context("ask for new privileges")?,
        landlock,
    })
}

/// Who this process is, and what it may do, in words.
pub fn describe_process() -> String {
    let uid = Uid::effective();
    let held = caps::read(None, CapSet::Effective).unwrap_or_default();
    let all = caps::read(None, CapSet::Bounding).unwrap_or_default();
    let mut names: Vec<String> = held.iter().map(ToString::to_string).collect();
    names.sort();
    let capabilities = match names.len() {
        0 => "no capability".to_owned(),
        _ if held == all => "all capabilities".to_owned(),
        _ => names.join(" "),
    };
    format!("{} ({uid}), {capabilities}", name_of(uid))
}

/// The name of a user, or its number.
fn name_of(uid: Uid) -> String {
    let user = User::from_uid(uid).ok().flatten();
    user.map_or_else(|| uid.to_string(), |user| user.name)
}

/// Whether the thread, as it is now, may not read the file.
fn is_denied(path: &Path) -> bool {
    File::open(path).is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied)
}

fn keep_only(capabilities: &CapsHashSet) -> Result<()> {
    caps::set(None, CapSet::Permitted, capabilities).context("give up capabilities")?;
    caps::set(None, CapSet::Effective, capabilities).context("keep capabilities")?;
    for set in [CapSet::Permitted, CapSet::Effective] {
        let left = caps::read(None, set).context("read the capabilities")?;
        ensure!(left == *capabilities, "capabilities are left over");
    }
    Ok(())
}

/// Makes this thread, and no other, the user's. Returns why not, where the right to do so is missing.
fn become_user(identity: &Identity) -> Result<Option<&'static str>> {
    for (capability, missing) in [
        (Capability::CAP_SETUID, "CAP_SETUID is missing"),
        (Capability::CAP_SETGID, "CAP_SETGID is missing"),
    ] {
        if !caps::has_cap(None, CapSet::Effective, capability)? {
            return Ok(Some(missing));
        }
    }
    // What is still needed is chosen afterwards.
    prctl::set_keepcaps(true).context("give up the superuser's identity")?;
    let groups: Vec<libc::gid_t> = identity.groups.iter().map(|g| g.as_raw()).collect();
    let (user, group) = (identity.user.as_raw(), identity.group.as_raw());
    // SAFETY: the list of groups outlives the call, which reads as many as it is told. Not the C library's
    // setgroups(), which would change all threads at once and abort where one of them has given up the right.
    let outcome = unsafe { libc::syscall(libc::SYS_setgroups, groups.len(), groups.as_ptr()) };
    succeeded(outcome, "give up the superuser's groups")?;
    // SAFETY: three numbers. Again for this thread alone.
    let outcome = unsafe { libc::syscall(libc::SYS_setresgid, group, group, group) };
    succeeded(outcome, "give up the superuser's group")?;
    // SAFETY: three numbers. Again for this thread alone.
    let outcome = unsafe { libc::syscall(libc::SYS_setresuid, user, user, user) };
    succeeded(outcome, "give up the superuser's identity")?;
    prctl::set_keepcaps(false).context("give up the superuser's identity")?;
    ensure!(
        Uid::effective() == identity.user && Uid::current() == identity.user,
        "the thread is still another user's"
    );
    Ok(None)
}

fn succeeded(outcome: libc::c_long, what: &'static str) -> Result<()> {
    match outcome {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()).context(what),
    }
}

fn limit_files(keeps: &Keeps) -> Result<Landlock> {
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    // The whole way of a file that is written beside another and renamed over it, or shortened to its whole records.
    let write = AccessFs::WriteFile | AccessFs::MakeReg | AccessFs::RemoveFile | AccessFs::Truncate;
    let mut ruleset = Ruleset::default().handle_access(AccessFs::from_all(NEWEST))?;
    if !keeps.tcp {
        ruleset = ruleset.handle_access(AccessNet::from_all(NEWEST))?;
    }
    let mut created = ruleset.create()?;
    for (paths, access) in [
        (&keeps.readable, read),
        (&keeps.writable, write | AccessFs::MakeDir),
    ] {
        for path in paths {
            created = match rule(path, access) {
                Some(rule) => created.add_rule(rule)?,
                None => created,
            };
        }
    }
    Ok(match created.restrict_self()?.ruleset {
        RulesetStatus::FullyEnforced => Landlock::Full,
        RulesetStatus::PartiallyEnforced => Landlock::Partial,
        RulesetStatus::NotEnforced => Landlock::None,
    })
}

/// What is granted for a folder holds for all that is below it: the root would be everything, and is not granted.
fn rule(path: &Path, access: BitFlags<AccessFs>) -> Option<PathBeneath<PathFd>> {
    let is_root = path.canonicalize().is_ok_and(|whole| whole == *"/");
    let file = PathFd::new(path).ok().filter(|_| !is_root)?;
    let access = match path.is_dir() {
        true => access,
        false => access & AccessFs::from_file(NEWEST),
    };
    Some(PathBeneath::new(file, access))
}
