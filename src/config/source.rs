//! Where the configuration is, and whether what is there may be believed.
//!
//! Owns the order of places and the rules of trust: flowtop runs as root, the file may be
//! anybody's. Judges the open file, never a path that could change meanwhile.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;
use nix::unistd::{Group, Uid, User};

use super::walk::uncapitalised;
use super::{Config, Diagnostic, Overrides, Refusal, Vocabulary};
use crate::model::harmless::harmless;

/// A larger file is no configuration.
pub const MAX_BYTES: u64 = 1 << 20;

/// What decides where a configuration is looked for and whom it may belong to.
///
/// Taken once at the start: later the process may have given up the rights that it tells of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Surroundings {
    /// The folder of `config.json`; empty for the working directory.
    pub here: PathBuf,
    /// `$XDG_CONFIG_HOME`, or its default below the home of the user (under sudo: of the invoking user).
    pub user_folder: Option<PathBuf>,
    /// `/etc`.
    pub system_folder: PathBuf,
    /// The user who called sudo, if one did.
    pub invoking_user: Option<u32>,
    /// The group in which nobody is but that user: what it may write to, only the user may.
    pub own_group: Option<u32>,
}

impl Surroundings {
    /// Those of this process.
    pub fn of_process() -> Surroundings {
        let folder = |name| {
            std::env::var_os(name)
                .map(PathBuf::from)
                .filter(|p| p.is_absolute())
        };
        let invoking_user = std::env::var("SUDO_UID")
            .ok()
            .and_then(|uid| uid.parse().ok())
            .filter(|uid| Uid::effective().is_root() && *uid != 0);
        let user = invoking_user.and_then(|uid| User::from_uid(Uid::from_raw(uid)).ok().flatten());
        let group = user
            .as_ref()
            .and_then(|user| Group::from_gid(user.gid).ok().flatten());
        let own_group = user.as_ref().zip(group.as_ref()).and_then(own_group);
        let home = match invoking_user {
            Some(_) => user.map(|user| user.dir),
            None => folder("HOME"),
        };
        Surroundings {
            here: PathBuf::new(),
            user_folder: folder("XDG_CONFIG_HOME").or(home.map(|home| home.join(".config"))),
            system_folder: "/etc".into(),
            invoking_user,
            own_group,
        }
    }

    /// The places to look at when no file is named, first one first.
    pub fn places(&self) -> Vec<PathBuf> {
        let folders = [self.user_folder.as_ref(), Some(&self.system_folder)];
        std::iter::once(self.here.join("config.json"))
            .chain(
                folders
                    .into_iter()
                    .flatten()
                    .map(|folder| folder.join("flowtop/config.json")),
            )
            .collect()
    }

    /// The file to read: the named one, or the first that is there.
    pub fn find(&self, named: Option<&Path>) -> Option<PathBuf> {
        let missing = |error: io::Error| {
            matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
        };
        named.map(Path::to_path_buf).or_else(|| {
            self.places()
                .into_iter()
                .find(|place| !std::fs::metadata(place).is_err_and(missing))
        })
    }

    /// Reads the file if it may be trusted; the error says what is wrong with it, without naming it.
    pub fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let file = OpenOptions::new()
            .read(true)
            .custom_flags(OFlag::O_NONBLOCK.bits())
            .open(path)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::other("it is not a regular file"));
        }
        if let Some(reason) = self.distrust(metadata.uid(), metadata.gid(), metadata.mode()) {
            return Err(io::Error::other(reason));
        }
        read_limited(&file)
    }

    /// Reads the text of the file if it may be trusted.
    pub fn read_text(&self, path: &Path) -> Result<String, Refusal> {
        let file = path.display().to_string();
        let bytes = self
            .read(path)
            .map_err(|error| Refusal::Unreadable(unreadable(&file, &error)))?;
        decode(bytes, &file).map_err(|error| Refusal::Invalid(vec![error]))
    }

    /// Why a file with this owner, group and mode may not be read, if it may not.
    fn distrust(&self, owner: u32, group: u32, mode: u32) -> Option<String> {
        if mode & 0o002 != 0 {
            return Some("everybody may write to it (chmod o-w)".into());
        }
        let user = self.invoking_user?;
        if owner != user && owner != 0 {
            return Some(format!(
                "it belongs to user {owner}; under sudo it must belong to you (user {user}) or root (chown)"
            ));
        }
        (mode & 0o020 != 0 && self.own_group != Some(group))
            .then(|| "its group may write to it; under sudo only you may (chmod g-w)".into())
    }
}

/// The user's group, if it is the user's alone, as most systems make one for each user.
fn own_group((user, group): (&User, &Group)) -> Option<u32> {
    let is_alone = group.name == user.name && group.mem.iter().all(|member| *member == user.name);
    is_alone.then(|| group.gid.as_raw())
}

fn read_limited(file: &File) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(io::Error::other(format!(
            "it is larger than {MAX_BYTES} bytes"
        )));
    }
    Ok(bytes)
}

/// The text of a file; the error says where it is not UTF-8.
pub fn decode(bytes: Vec<u8>, file: &str) -> Result<String, Diagnostic> {
    String::from_utf8(bytes).map_err(|error| {
        let valid_up_to = error.utf8_error().valid_up_to();
        let text = String::from_utf8_lossy(&error.as_bytes()[..valid_up_to]).into_owned();
        let (line, last) = match text.rsplit_once('\n') {
            Some((before, last)) => (2 + before.matches('\n').count(), last),
            None => (1, text.as_str()),
        };
        Diagnostic {
            file: harmless(file).into_owned(),
            line,
            column: 1 + last.chars().count(),
            message: "not valid UTF-8".into(),
        }
    })
}

/// A configuration to start with, and the text that it came from.
#[derive(Debug, Clone, PartialEq)]
pub struct Opened {
    /// Defaults, file and command line.
    pub config: Config,
    /// The file's text; `None` where there is no file. What a [`super::watch::Watch`] begins with.
    pub text: Option<String>,
}

/// Finds, reads and checks the configuration, and puts the command line over it.
pub fn open(
    named: Option<&Path>,
    surroundings: &Surroundings,
    vocabulary: &Vocabulary<'_>,
    overrides: &Overrides,
) -> Result<Opened, Refusal> {
    let Some(path) = surroundings.find(named) else {
        let config = Config::default().overridden(overrides);
        return Ok(Opened { config, text: None });
    };
    let file = path.display().to_string();
    let bytes = surroundings.read(&path).map_err(|error| {
        let advice = match error.kind() {
            ErrorKind::NotFound => " (name a file that exists, or leave -c out)",
            _ => "",
        };
        Refusal::Unreadable(unreadable(&file, &error) + advice)
    })?;
    let text = decode(bytes, &file).map_err(|error| Refusal::Invalid(vec![error]))?;
    let config = configure(&text, &path, vocabulary, overrides)?;
    let text = Some(text);
    Ok(Opened { config, text })
}

/// What the text of a file means, with the command line over it: at the start, and when it changed.
pub fn configure(
    text: &str,
    path: &Path,
    vocabulary: &Vocabulary<'_>,
    overrides: &Overrides,
) -> Result<Config, Refusal> {
    let config = Config::load(text, &path.display().to_string(), vocabulary)
        .map_err(Refusal::Invalid)?
        .overridden(overrides);
    let path = Some(path.to_path_buf());
    Ok(Config { path, ..config })
}

/// Why a file could not be read: what was tried, and the reason.
pub(super) fn unreadable(file: &str, error: &io::Error) -> String {
    let text = error.to_string();
    let reason = text.split(" (os error").next().unwrap_or(&text);
    format!(
        "read configuration {}: {}",
        harmless(file),
        uncapitalised(reason)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn surroundings(invoking_user: Option<u32>) -> Surroundings {
        Surroundings {
            here: "/here".into(),
            user_folder: Some("/home/me/.config".into()),
            system_folder: "/etc".into(),
            invoking_user,
            own_group: invoking_user,
        }
    }

    #[test]
    fn under_sudo_only_the_invoking_user_and_root_are_believed() {
        let sudo = surroundings(Some(1000));
        assert_eq!(sudo.distrust(1000, 100, 0o100_644), None);
        assert_eq!(sudo.distrust(0, 0, 0o100_644), None);
        assert_eq!(sudo.distrust(1000, 1000, 0o100_664), None);
        let other = sudo.distrust(1001, 1000, 0o100_644).expect("refused");
        assert!(
            other.contains("user 1001") && other.contains("user 1000"),
            "{other}"
        );
        let group = sudo.distrust(1000, 100, 0o100_664).expect("refused");
        assert!(group.contains("group"), "{group}");
        let all = sudo.distrust(0, 0, 0o100_646).expect("refused");
        assert!(all.contains("everybody"), "{all}");
    }

    #[test]
    fn without_sudo_only_a_world_writable_file_is_refused() {
        let shell = surroundings(None);
        assert_eq!(shell.distrust(1001, 100, 0o100_664), None);
        assert!(shell.distrust(0, 0, 0o100_666).is_some());
    }

    #[test]
    fn a_group_is_a_users_own_where_nobody_else_is_in_it() {
        let user = User::from_uid(Uid::from_raw(0))
            .expect("users")
            .expect("root");
        let group = |name: &str, members: &[&str]| Group {
            name: name.into(),
            passwd: Default::default(),
            gid: 7.into(),
            mem: members.iter().map(ToString::to_string).collect(),
        };
        let own = |group: Group| own_group((&user, &group));
        assert_eq!(own(group(&user.name, &[])), Some(7));
        assert_eq!(own(group(&user.name, &[&user.name])), Some(7));
        assert_eq!(own(group(&user.name, &["other"])), None);
        assert_eq!(own(group("users", &[])), None);
    }

    #[test]
    fn places_come_in_the_documented_order() {
        let places = surroundings(None).places();
        let expected = [
            "/here/config.json",
            "/home/me/.config/flowtop/config.json",
            "/etc/flowtop/config.json",
        ];
        assert_eq!(places, expected.map(PathBuf::from));
    }
}
