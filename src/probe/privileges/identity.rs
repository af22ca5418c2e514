//! Who a run goes on as, once it is the superuser's no more.
//!
//! A user who can be shared is none to hide behind: other processes of the same one may signal a run, set its limits, and
//! be signalled by it. So without a user to go back to, a run takes a number that nobody has.
#![allow(unsafe_code)]

use std::collections::BTreeSet;
use std::ffi::CString;
use std::io;
use std::os::fd::AsFd;
use std::path::Path;

use super::in_user_namespace;
use anyhow::{Context, Result, bail, ensure};
use caps::{CapSet, Capability};
use nix::libc;
use nix::sys::prctl;
use nix::unistd::{Gid, Group, Uid, User, getgrouplist};

/// The user that a system administrator may make for runs without sudo.
const OWN_USER: &str = "flowtop";
/// Numbers for users of the moment, as systemd's DynamicUser takes them.
const FREE_NUMBERS: std::ops::RangeInclusive<u32> = 61184..=65519;
/// Where systemd keeps those that it has given away, whether the system's list of users knows them or not.
const TAKEN_BY_SYSTEMD: &str = "/run/systemd/dynamic-uid";

/// Who the run goes on as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    pub(super) name: String,
    pub(super) user: Uid,
    group: Gid,
    /// It was asked for: nobody else will do.
    is_wanted: bool,
    /// What else the user is a member of. None of it is taken over, unless the configuration cannot be read without.
    pub(super) groups: Vec<Gid>,
}

impl Identity {
    /// The user that is asked for by name or number; else the one who called sudo; else `flowtop`, where there is such
    /// a user; else a number that nobody has. `None` where this is not the superuser.
    pub fn to_become(invoking_user: Option<u32>, wanted: Option<&str>) -> Result<Option<Identity>> {
        if !Uid::effective().is_root() {
            ensure!(
                wanted.is_none(),
                "only the superuser can become another user"
            );
            return Ok(None);
        }
        let identity = match (wanted, invoking_user) {
            (Some(wanted), _) => Identity {
                is_wanted: true,
                ..Identity::named(wanted)?
            },
            (None, Some(uid)) if uid != u32::MAX => Identity::numbered(uid),
            (None, _) => match known(OWN_USER) {
                Some(user) => Identity::of(user),
                None => Identity::unnamed(unused_number()?),
            },
        };
        ensure!(!identity.user.is_root(), "that is the superuser again");
        // To the kernel the last number means that nothing is to change.
        ensure!(identity.user.as_raw() != u32::MAX, "there is no such user");
        Ok(Some(identity))
    }

    fn named(wanted: &str) -> Result<Identity> {
        match (known(wanted), wanted.parse()) {
            (Some(user), _) => Ok(Identity::of(user)),
            (None, Ok(uid)) => Ok(Identity::numbered(uid)),
            (None, Err(_)) => bail!("there is no such user"),
        }
    }

    fn numbered(uid: u32) -> Identity {
        let user = User::from_uid(Uid::from_raw(uid)).ok().flatten();
        user.map_or_else(|| Identity::unnamed(uid), Identity::of)
    }

    fn of(user: User) -> Identity {
        let name = CString::new(user.name.as_str()).unwrap_or_default();
        let mut groups = getgrouplist(&name, user.gid).unwrap_or_default();
        groups.retain(|group| *group != user.gid);
        Identity {
            groups,
            name: user.name,
            user: user.uid,
            group: user.gid,
            is_wanted: false,
        }
    }

    fn unnamed(uid: u32) -> Identity {
        Identity {
            name: uid.to_string(),
            user: Uid::from_raw(uid),
            group: Gid::from_raw(uid),
            is_wanted: false,
            groups: Vec::new(),
        }
    }

    /// Makes a file, or a folder, the user's.
    pub fn give(&self, file: impl AsFd) -> io::Result<()> {
        let (user, group) = (self.user.as_raw(), self.group.as_raw());
        let given = std::os::unix::fs::fchown(file, Some(user), Some(group));
        given.or_else(|error| match is_of_namespace(&error, libc::EINVAL) {
            true => Ok(()),
            false => Err(error),
        })
    }

    /// Makes this thread, and no other, the user's, in no group but the user's first one. Returns why not, where the
    /// right to do so is missing.
    pub(super) fn become_it(&self) -> Result<Option<&'static str>> {
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
        let changed = self.change();
        prctl::set_keepcaps(false).context("give up the superuser's identity")?;
        match changed {
            Err(error) if !self.is_wanted && is_unmapped(&error) => {
                Ok(Some("its user namespace does not have the user to become"))
            }
            changed => changed.map(|()| None),
        }
    }

    fn change(&self) -> Result<()> {
        let left = set_groups(&[]);
        let is_denied = |error: &io::Error| is_of_namespace(error, libc::EPERM);
        left.or_else(|error| match error.downcast_ref().is_some_and(is_denied) {
            // They are told.
            true => Ok(()),
            false => Err(error),
        })?;
        let (user, group) = (self.user.as_raw(), self.group.as_raw());
        // SAFETY: three numbers. Not the C library's, which would change all threads at once and abort where one of
        // them has given up the right.
        let outcome = unsafe { libc::syscall(libc::SYS_setresgid, group, group, group) };
        succeeded(outcome, "give up the superuser's group")?;
        // SAFETY: three numbers. Again for this thread alone.
        let outcome = unsafe { libc::syscall(libc::SYS_setresuid, user, user, user) };
        succeeded(outcome, "give up the superuser's identity")?;
        ensure!(
            Uid::effective() == self.user && Uid::current() == self.user,
            "the thread is still another user's"
        );
        Ok(())
    }
}

/// Whether a change was refused because the user namespace of this process does not have that user or group.
fn is_unmapped(error: &anyhow::Error) -> bool {
    let error = error.downcast_ref();
    error.is_some_and(|error| is_of_namespace(error, libc::EINVAL))
}

/// Whether it is this error, and of a user namespace: where users and groups are not all there, or may not be left.
fn is_of_namespace(error: &io::Error, errno: libc::c_int) -> bool {
    error.raw_os_error() == Some(errno) && in_user_namespace()
}

/// Puts this thread, and no other, into these groups beside the user's first one.
pub(super) fn set_groups(groups: &[Gid]) -> Result<()> {
    let groups: Vec<libc::gid_t> = groups.iter().map(|group| group.as_raw()).collect();
    // SAFETY: the list of groups outlives the call, which reads as many as it is told. Not the C library's, as above.
    let outcome = unsafe { libc::syscall(libc::SYS_setgroups, groups.len(), groups.as_ptr()) };
    succeeded(outcome, "give up the superuser's groups")
}

fn succeeded(outcome: libc::c_long, what: &'static str) -> Result<()> {
    match outcome {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()).context(what),
    }
}

fn known(name: &str) -> Option<User> {
    User::from_name(name).ok().flatten()
}

/// A number that no user, no group, no process and no service of systemd's has. It is drawn, so that two runs that start
/// at once do not share one.
fn unused_number() -> Result<u32> {
    let (first, last) = FREE_NUMBERS.into_inner();
    let all = last - first + 1;
    let drawn = getrandom::u32().context("draw the number of a user")? % all;
    let running = users_of_processes();
    (0..all)
        .map(|step| first + (drawn + step) % all)
        .find(|number| !running.contains(number) && !is_known(*number))
        .context("all numbers that a user of the moment may have are taken (name one: --user)")
}

fn is_known(number: u32) -> bool {
    matches!(User::from_uid(number.into()), Ok(Some(_)))
        || matches!(Group::from_gid(number.into()), Ok(Some(_)))
        || Path::new(TAKEN_BY_SYSTEMD)
            .join(number.to_string())
            .exists()
}

/// The real users of all processes, as far as they can be seen: the superuser sees them all.
fn users_of_processes() -> BTreeSet<u32> {
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let user = |status: String| {
        let line = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
        line.split_ascii_whitespace().next()?.parse().ok()
    };
    processes
        .filter_map(|process| std::fs::read_to_string(process.path().join("status")).ok())
        .filter_map(user)
        .collect()
}
