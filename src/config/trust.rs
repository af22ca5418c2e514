//! Whether a file may be trusted: flowtop runs as root, and the file may be anybody's.
//!
//! A file that was named is what somebody asked for. One that was found must belong to root or to who started flowtop, and
//! so must every folder and link on its way: else whoever may write there decides what is counted and what keys do.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use crate::model::harmless::harmless;

/// More links than this lead in circles, to the kernel, too.
const MOST_LINKS: usize = 40;
const EVERYBODY_WRITES: u32 = 0o002;
const GROUP_WRITES: u32 = 0o020;
/// In such a folder, only its owner renames and removes what belongs to another.
const STICKY: u32 = 0o1000;

/// Who is trusted besides root.
#[derive(Debug, Clone, Copy)]
pub(super) struct Trust {
    /// Who started flowtop; under sudo, who called that.
    pub(super) user: u32,
    /// Whether flowtop runs under sudo: the files that it reads may be closed to the user.
    pub(super) under_sudo: bool,
    /// The group in which nobody is but the user.
    pub(super) own_group: Option<u32>,
}

impl Trust {
    /// Whether a file of this user's is trusted.
    pub(super) fn includes(&self, user: u32) -> bool {
        user == 0 || user == self.user
    }

    /// Why a file with this owner, group and mode may not be read, if it may not.
    pub(super) fn objection_to_file(
        &self,
        owner: u32,
        group: u32,
        mode: u32,
        is_named: bool,
    ) -> Option<String> {
        if mode & EVERYBODY_WRITES != 0 {
            return Some("everybody may write to it (chmod o-w)".into());
        }
        if is_named && !self.under_sudo {
            return None;
        }
        let (when, way_out) = match self.under_sudo {
            true => ("under sudo", ""),
            false => ("unless it is named by -c", ", or -c"),
        };
        let user = self.user;
        if !self.includes(owner) {
            return Some(format!(
                "it belongs to user {owner}; {when} it must belong to you (user {user}) or root (chown{way_out})"
            ));
        }
        (mode & GROUP_WRITES != 0 && self.own_group != Some(group))
            .then(|| format!("its group may write to it; {when} only you may (chmod g-w{way_out})"))
    }

    /// Why what leads to a file may not be trusted. Where all of it may, nobody else can change it between two looks.
    pub(super) fn objection_to_way(&self, path: &Path) -> io::Result<Option<String>> {
        strange_part(path, |user| self.includes(user))
    }
}

/// What on the way to a file is not to be trusted, and why. Follows links as the kernel does.
fn strange_part(path: &Path, is_trusted: impl Fn(u32) -> bool) -> io::Result<Option<String>> {
    let mut ahead = parts(path);
    let mut at = PathBuf::new();
    let mut links = 0;
    while let Some(part) = ahead.pop() {
        let next = at.join(part);
        let metadata = fs::symlink_metadata(&next)?;
        let (owner, mode) = (metadata.uid(), metadata.mode());
        let shown = next.display().to_string();
        let shown = harmless(&shown);
        if !metadata.is_file() && !is_trusted(owner) {
            let why =
                format!("{shown}, on its way, belongs to user {owner} (chown, or name it: -c)");
            return Ok(Some(why));
        }
        if metadata.is_symlink() {
            links += 1;
            if links > MOST_LINKS {
                return Err(io::Error::other("too many symbolic links"));
            }
            ahead.extend(parts(&fs::read_link(&next)?));
            continue;
        }
        if metadata.is_dir() && mode & EVERYBODY_WRITES != 0 && mode & STICKY == 0 {
            let why =
                format!("everybody may write to {shown}, on its way (chmod o-w, or name it: -c)");
            return Ok(Some(why));
        }
        at = next;
    }
    Ok(None)
}

/// The parts of a path, the first one last.
fn parts(path: &Path) -> Vec<PathBuf> {
    let part = |component: Component<'_>| PathBuf::from(component.as_os_str());
    path.components().rev().map(part).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::Permissions;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn trust(under_sudo: bool) -> Trust {
        Trust {
            user: 1000,
            under_sudo,
            own_group: Some(1000),
        }
    }

    #[test]
    fn under_sudo_only_the_invoking_user_and_root_are_trusted() {
        for is_named in [false, true] {
            let sudo = trust(true);
            let object = |owner, group, mode| sudo.objection_to_file(owner, group, mode, is_named);
            assert_eq!(object(1000, 100, 0o100_644), None);
            assert_eq!(object(0, 0, 0o100_644), None);
            assert_eq!(object(1000, 1000, 0o100_664), None);
            let other = object(1001, 1000, 0o100_644).expect("refused");
            assert!(
                other.contains("user 1001") && other.contains("user 1000"),
                "{other}"
            );
            let group = object(1000, 100, 0o100_664).expect("refused");
            assert!(group.contains("group"), "{group}");
            let all = object(0, 0, 0o100_646).expect("refused");
            assert!(all.contains("everybody"), "{all}");
        }
    }

    #[test]
    fn without_sudo_a_named_file_may_be_anybodys_and_a_found_one_may_not() {
        let shell = trust(false);
        assert_eq!(shell.objection_to_file(1001, 100, 0o100_664, true), None);
        assert!(shell.objection_to_file(0, 0, 0o100_666, true).is_some());
        assert_eq!(shell.objection_to_file(1000, 1000, 0o100_664, false), None);
        let other = shell.objection_to_file(1001, 100, 0o100_644, false);
        assert!(other.is_some_and(|why| why.contains("user 1001") && why.contains("-c")));
        assert!(
            shell
                .objection_to_file(1000, 100, 0o100_664, false)
                .is_some()
        );
    }

    #[test]
    fn each_folder_and_link_on_the_way_counts_and_a_sticky_folder_is_as_good_as_its_owner() {
        let folder = tempfile::tempdir().expect("a folder");
        let me = nix::unistd::getuid().as_raw();
        let inner = folder.path().join("inner");
        fs::create_dir(&inner).expect("a folder");
        fs::write(inner.join("config.json"), "{}").expect("a file");
        symlink("inner", folder.path().join("link")).expect("a link");
        let place = folder.path().join("link/../link/config.json");
        let strange = || {
            let strange = strange_part(&place, |user| user == 0 || user == me);
            strange.expect("a way")
        };
        let set_mode = |mode| {
            let set = fs::set_permissions(&inner, Permissions::from_mode(mode));
            set.expect("chmod");
        };
        assert_eq!(strange(), None);
        set_mode(0o1777);
        assert_eq!(strange(), None);
        set_mode(0o777);
        let why = strange().expect("refused");
        assert!(why.starts_with("everybody may write to "), "{why}");
        assert!(why.contains("/inner, on its way"), "{why}");
        // Somebody else's.
        set_mode(0o755);
        let others = strange_part(&place, |user| user == 0 && user != me);
        assert!(me == 0 || others.expect("a way").is_some());
        symlink("circle", folder.path().join("circle")).expect("a link");
        assert!(strange_part(&folder.path().join("circle"), |_| true).is_err());
        // As many links as the kernel would follow, and no more.
        let link = |number: usize| folder.path().join(format!("link{number}"));
        symlink("inner", link(1)).expect("a link");
        for number in 2..=MOST_LINKS + 1 {
            symlink(link(number - 1), link(number)).expect("a link");
        }
        assert!(
            fs::metadata(link(MOST_LINKS)).is_ok() && fs::metadata(link(MOST_LINKS + 1)).is_err()
        );
        assert_eq!(strange_part(&link(MOST_LINKS), |_| true).ok(), Some(None));
        assert!(strange_part(&link(MOST_LINKS + 1), |_| true).is_err());
    }
}
