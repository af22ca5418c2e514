//! Giving up rights: capabilities, the superuser's identity, and files.
//!
//! To the kernel rights belong to threads, so each thread gives up its own; threads that it starts later begin with
//! what it has left. Where something cannot be given up, that is an error: nothing goes on with more than it says.
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use caps::{CapSet, Capability, CapsHashSet};
use libbpf_rs::{MapCore, MapFlags};
use nix::sys::prctl;
use nix::unistd::{Gid, Group, Uid, User, getgroups};

pub use super::calls::Duty;
pub use super::identity::Identity;
pub use super::keeps::{Keeps, Need};
use super::{calls, identity, in_user_namespace, limits};
use crate::model::privileges::{Landlock, Privileges};
use crate::probe::Probe;
use crate::probe::survey::chain;

impl Probe {
    /// Whether clsact is the way to the hooks.
    pub fn is_on_clsact(&self) -> bool {
        self.watched.is_clsact_only() || !chain::has_tcx()
    }

    /// What the thread that owns this needs as long as it runs, all interfaces to come included.
    pub fn needs(&self) -> Vec<Need> {
        let mut needs = Vec::new();
        if self.is_on_clsact() {
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
        let map = self.grace_periods.array();
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
    keep_others_out()
}

fn keep_others_out() -> Result<()> {
    prctl::set_dumpable(false).context("keep other processes out")
}

/// Gives up all rights of the calling thread but these.
pub fn confine(keeps: &Keeps) -> Result<Privileges> {
    // As long as the lists of users and groups can be read.
    let name = name_of(Uid::effective());
    let files = keeps.files.iter();
    let owners: Vec<Gid> = files
        .flat_map(|(file, _)| owners_on_the_way(file))
        .collect();
    let groups = getgroups().context("ask for the groups")?;
    let groups = groups.iter().chain(&owners).map(|group| group.as_raw());
    let groups: BTreeSet<u32> = groups.collect();
    let groups: BTreeMap<u32, String> = groups.into_iter().map(|g| (g, name_of_group(g))).collect();
    // Opened first: the user to become need not be able to reach them.
    let landlock = limits::limit(keeps).context("limit the files that can be opened")?;
    // Only what a process executes is subject to the bounding set: without the right to shrink it, nothing is lost.
    let _ = caps::clear(None, CapSet::Bounding);
    caps::clear(None, CapSet::Ambient).context("give up ambient capabilities")?;
    caps::clear(None, CapSet::Inheritable).context("give up inheritable capabilities")?;
    let stays_root = match &keeps.identity {
        Some(identity) => identity.become_it()?,
        None => None,
    };
    caps::clear(None, CapSet::Effective).context("give up capabilities")?;
    let mut needs = keeps.capabilities.clone();
    if landlock != Landlock::None {
        needs.extend(reach_files(keeps, &owners)?);
    }
    let permitted = caps::read(None, CapSet::Permitted).context("read the capabilities")?;
    needs.retain(|(capability, _)| permitted.contains(capability));
    keep_only(&needs.iter().map(|(capability, _)| *capability).collect())?;
    // Whoever becomes another user may be looked into again, where fs.suid_dumpable says so.
    keep_others_out()?;
    let uid = Uid::effective();
    let no_new_privileges = prctl::get_no_new_privs().context("ask for new privileges")?;
    let kept = getgroups().context("ask for the groups")?;
    let kept = kept.iter().filter_map(|group| groups.get(&group.as_raw()));
    Ok(Privileges {
        user: match &keeps.identity {
            Some(identity) if identity.user == uid => identity.name.clone(),
            _ => name,
        },
        uid: uid.as_raw(),
        groups: kept.cloned().collect(),
        capabilities: needs.iter().map(|(c, why)| (c.to_string(), *why)).collect(),
        stays_root,
        no_new_privileges,
        landlock,
        // Last: nothing of the above is left then.
        seccomp: match keeps.duty {
            Some(duty) => calls::limit(duty)?,
            None => false,
        },
    })
}

/// Where the user may not read a file that is kept, takes back those of the user's groups that such files belong to; where
/// they are not enough, says which capability is.
fn reach_files(keeps: &Keeps, owners: &[Gid]) -> Result<Option<Need>> {
    let denied = || keeps.files.iter().find(|(file, _)| is_denied(file));
    if denied().is_none() {
        return Ok(None);
    }
    if let Some(identity) = &keeps.identity {
        let mut groups = identity.groups.clone();
        groups.retain(|group| owners.contains(group));
        let may_choose = caps::has_cap(None, CapSet::Permitted, Capability::CAP_SETGID)?;
        if may_choose && !groups.is_empty() {
            join(&groups)?;
            if denied().is_none() {
                return Ok(None);
            }
            join(&[])?;
        }
    }
    Ok(denied().map(|(_, why)| (Capability::CAP_DAC_READ_SEARCH, *why)))
}

fn join(groups: &[Gid]) -> Result<()> {
    caps::raise(None, CapSet::Effective, Capability::CAP_SETGID).context("choose groups")?;
    identity::set_groups(groups)?;
    caps::clear(None, CapSet::Effective).context("give up capabilities")
}

/// The groups of a file and of all folders on the way to it.
fn owners_on_the_way(path: &Path) -> Vec<Gid> {
    let whole = std::path::absolute(path).unwrap_or_default();
    let real = path.canonicalize().unwrap_or_default();
    let way = whole.ancestors().chain(real.ancestors());
    let owner = |path: &Path| Some(Gid::from_raw(path.metadata().ok()?.gid()));
    way.filter_map(owner).collect()
}

/// Who this process is, and what it may do, in words.
pub fn describe_process() -> String {
    let uid = Uid::effective();
    let held = caps::read(None, CapSet::Effective).unwrap_or_default();
    let all = caps::runtime::procfs_all_supported(None).unwrap_or_else(|_| caps::all());
    let listed = |capabilities: &mut dyn Iterator<Item = &Capability>| {
        let mut names: Vec<String> = capabilities.map(ToString::to_string).collect();
        names.sort();
        names.join(" ")
    };
    let missing = all.difference(&held).count();
    let capabilities = match held.len() {
        0 => "no capability".to_owned(),
        _ if missing == 0 => "all capabilities".to_owned(),
        number if missing < number / 4 => {
            format!(
                "all capabilities but {}",
                listed(&mut all.difference(&held))
            )
        }
        _ => listed(&mut held.iter()),
    };
    let namespace = match in_user_namespace() {
        true => " of a user namespace",
        false => "",
    };
    format!("{} ({uid}), {capabilities}{namespace}", name_of(uid))
}

/// The name of a user, or its number.
fn name_of(uid: Uid) -> String {
    let user = User::from_uid(uid).ok().flatten();
    user.map_or_else(|| uid.to_string(), |user| user.name)
}

fn name_of_group(gid: u32) -> String {
    let group = Group::from_gid(gid.into()).ok().flatten();
    group.map_or_else(|| gid.to_string(), |group| group.name)
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
