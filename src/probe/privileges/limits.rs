//! What Landlock keeps a thread from: files, ports, and processes that are not of this run.

use std::path::Path;

use anyhow::Result;
use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, LandlockStatus, NetPort, PathBeneath, PathFd,
    Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetStatus, Scope,
};

use super::keeps::Keeps;
use crate::model::privileges::Landlock;

/// The newest Landlock whose rights are taken; older kernels have fewer.
const NEWEST: ABI = ABI::V10;
/// From here on files, TCP, signals and abstract sockets are limited. What came later (UDP, sockets with a path) is
/// limited where the kernel can, and never by it alone: no thread but the resolver's has a socket of its own.
const FULL: ABI = ABI::V6;
/// Any port that is free.
const ANY_PORT: u16 = 0;

/// Limits the calling thread. Signals to others of this process and its own abstract socket, which is bound before, are
/// not affected.
pub(super) fn limit(keeps: &Keeps) -> Result<Landlock> {
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    // The whole way of a file that is written beside another and renamed over it, or shortened to its whole records.
    let file = AccessFs::WriteFile | AccessFs::MakeReg | AccessFs::RemoveFile | AccessFs::Truncate;
    let write = file | AccessFs::MakeDir;
    let mut network = AccessNet::from_all(NEWEST);
    if keeps.listens {
        // A rule names one port, and none names all.
        network.remove(AccessNet::BindTcp);
    }
    let mut ruleset = Ruleset::default()
        .handle_access(AccessFs::from_all(NEWEST))?
        .handle_access(network)?
        .scope(Scope::from_all(NEWEST))?
        .create()?;
    for (paths, access) in [(&keeps.readable, read), (&keeps.writable, write)] {
        ruleset = ruleset.add_rules(
            paths
                .iter()
                .filter_map(|path| rule(path, access))
                .map(Ok::<_, landlock::RulesetError>),
        )?;
    }
    if !keeps.ports.is_empty() {
        ruleset = ruleset.add_rule(NetPort::new(ANY_PORT, AccessNet::BindUdp))?;
    }
    for port in &keeps.ports {
        let access = AccessNet::ConnectTcp | AccessNet::ConnectSendUdp;
        ruleset = ruleset.add_rule(NetPort::new(*port, access))?;
    }
    let status = ruleset.restrict_self()?;
    Ok(match (status.ruleset, status.landlock) {
        (RulesetStatus::NotEnforced, _) => Landlock::None,
        (_, LandlockStatus::Available { effective_abi, .. }) if effective_abi >= FULL => {
            Landlock::Full
        }
        _ => Landlock::Partial,
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
