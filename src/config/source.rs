//! Where the configuration is, and what is there, if it may be trusted.
//!
//! Owns the order of places. What is trusted is the open file, never a path that could change in the meantime.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;
use nix::unistd::{Group, Uid, User};

use super::trust::Trust;
use super::walk::uncapitalised;
use super::{Config, ConfigError, Diagnostic};
use crate::model::harmless::harmless;

/// A larger file is no configuration.
const MAX_BYTES: u64 = 1 << 20;

/// What decides where a configuration is looked for and whom it may belong to.
///
/// Taken once at the start: later the process may have given up the rights that it tells of.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Surroundings {
    /// The file that the command line names.
    pub named: Option<PathBuf>,
    /// The folder of `config.json`; empty for the working directory.
    pub here: PathBuf,
    /// `$XDG_CONFIG_HOME`, or its default below the home of the user (under sudo: of the invoking user).
    pub user_folder: Option<PathBuf>,
    /// `/etc`.
    pub system_folder: PathBuf,
    /// The user who called sudo, if one did.
    pub invoking_user: Option<u32>,
    /// The user who started this process.
    pub starter: u32,
    /// The group in which nobody is but that user, under sudo the one who called it: what it may write to, only the user may.
    pub own_group: Option<u32>,
    /// Why the working directory is not to be trusted.
    pub here_distrusted: Option<String>,
}

impl Surroundings {
    /// Those of this process, whose command line may name a file.
    pub fn of_process(named: Option<PathBuf>) -> Surroundings {
        let folder = |name| {
            std::env::var_os(name)
                .map(PathBuf::from)
                .filter(|p| p.is_absolute())
        };
        let invoking_user = std::env::var("SUDO_UID")
            .ok()
            .and_then(|uid| uid.parse().ok())
            .filter(|uid| Uid::effective().is_root() && *uid != 0);
        let starter = Uid::current().as_raw();
        let user = User::from_uid(Uid::from_raw(invoking_user.unwrap_or(starter)));
        let user = user.ok().flatten();
        let group = user
            .as_ref()
            .and_then(|user| Group::from_gid(user.gid).ok().flatten());
        let own_group = user.as_ref().zip(group.as_ref()).and_then(own_group);
        let home = match invoking_user {
            Some(_) => user.map(|user| user.dir),
            None => folder("HOME"),
        };
        let mut surroundings = Surroundings {
            named,
            here: PathBuf::new(),
            user_folder: folder("XDG_CONFIG_HOME").or(home.map(|home| home.join(".config"))),
            system_folder: "/etc".into(),
            invoking_user,
            starter,
            own_group,
            here_distrusted: None,
        };
        let here = std::env::current_dir();
        let objection = here.and_then(|here| surroundings.trust().objection_to_way(&here));
        surroundings.here_distrusted = objection.unwrap_or_else(|error| Some(error.to_string()));
        surroundings
    }

    fn trust(&self) -> Trust {
        Trust {
            user: self.invoking_user.unwrap_or(self.starter),
            under_sudo: self.invoking_user.is_some(),
            own_group: self.own_group,
        }
    }

    /// Whether a file of this user's is trusted.
    pub fn trusts(&self, user: u32) -> bool {
        self.trust().includes(user)
    }

    /// Whether the command line names this file.
    pub fn is_named(&self, path: &Path) -> bool {
        self.named.as_deref() == Some(path)
    }

    /// Why the file that was opened at this path may not be read, if it may not. The way to the working directory was
    /// looked at when the process started.
    fn objection(&self, path: &Path, file: &Metadata) -> io::Result<Option<String>> {
        let is_named = self.is_named(path);
        let (owner, group, mode) = (file.uid(), file.gid(), file.mode());
        let own = self.trust().objection_to_file(owner, group, mode, is_named);
        if own.is_some() || is_named {
            return Ok(own);
        }
        match path.is_relative() {
            true if self.here_distrusted.is_some() => Ok(self.here_distrusted.clone()),
            _ => self.trust().objection_to_way(path),
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

    /// The file to read: the named one, or the first that is there. Where nobody may look there is none.
    pub fn find(&self) -> Option<PathBuf> {
        let missing = |error: io::Error| {
            use ErrorKind::{NotADirectory, NotFound, PermissionDenied};
            matches!(error.kind(), NotFound | NotADirectory | PermissionDenied)
        };
        self.named.clone().or_else(|| {
            self.places()
                .into_iter()
                .find(|place| !std::fs::metadata(place).is_err_and(missing))
        })
    }

    /// Reads the file if it may be trusted; the error says what is wrong with it, without naming it.
    pub fn read(&self, path: &Path) -> io::Result<FileBytes> {
        let file = OpenOptions::new()
            .read(true)
            .custom_flags(OFlag::O_NONBLOCK.bits())
            .open(path)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::other("it is not a regular file"));
        }
        if let Some(reason) = self.objection(path, &metadata)? {
            return Err(io::Error::other(reason));
        }
        let is_own = self.invoking_user.is_none_or(|user| user == metadata.uid());
        Ok(FileBytes {
            bytes: read_limited(&file)?,
            is_foreign: !is_own && !is_for_everybody(path, &metadata),
        })
    }

    /// Reads the text of the file if it may be trusted.
    pub fn read_text(&self, path: &Path) -> Result<FileText, ConfigError> {
        let file = path.display().to_string();
        let found = self
            .read(path)
            .map_err(|error| ConfigError::Unreadable(unreadable(&file, &error) + advice(&error)))?;
        found.decode(&file)
    }
}

/// The bytes of a file that may be trusted.
#[derive(Debug)]
pub struct FileBytes {
    bytes: Vec<u8>,
    is_foreign: bool,
}

/// The text of a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileText {
    /// What the file says.
    pub text: String,
    /// Somebody calls sudo to read what is not theirs, nor everybody's: nothing may say what is in it.
    pub is_foreign: bool,
}

impl FileBytes {
    /// The bytes.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// The text; the error says where it is not UTF-8.
    pub fn decode(self, file: &str) -> Result<FileText, ConfigError> {
        let text = decode(self.bytes, file).map_err(|error| ConfigError::from(vec![error]))?;
        Ok(FileText {
            text,
            is_foreign: self.is_foreign,
        })
    }
}

/// The user's group, if it is the user's alone, as most systems make one for each user.
fn own_group((user, group): (&User, &Group)) -> Option<u32> {
    let is_alone = group.name == user.name && group.mem.iter().all(|member| *member == user.name);
    is_alone.then(|| group.gid.as_raw())
}

/// Whether anybody may read the file, and reach it.
fn is_for_everybody(path: &Path, file: &Metadata) -> bool {
    let may_enter = |folder: &Path| folder.metadata().is_ok_and(|it| it.mode() & 0o001 != 0);
    let real = path.canonicalize();
    file.mode() & 0o004 != 0 && real.is_ok_and(|real| real.ancestors().skip(1).all(may_enter))
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
    /// The file over the defaults.
    pub config: Config,
    /// The file's text; `None` where there is no file. What a [`super::watch::FileWatch`] begins with.
    pub text: Option<FileText>,
}

impl Opened {
    /// The configuration, unless no word of its file may be told.
    pub fn told(&self) -> Result<&Config, ConfigError> {
        let is_foreign = self.text.as_ref().is_some_and(|text| text.is_foreign);
        match &self.config.path {
            Some(path) if is_foreign => Err(ConfigError::Unreadable(format!(
                "print configuration {}: the file is not yours, so under sudo it is not said what is in it \
                (if you may read it: flowtop --print-config without sudo)",
                harmless(&path.display().to_string())
            ))),
            _ => Ok(&self.config),
        }
    }
}

/// What may help where a run cannot read its file any more.
fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        ErrorKind::PermissionDenied => {
            " (a run reads only the folders that its file was in when it started: where one of them is new, start it again)"
        }
        _ => "",
    }
}

/// Finds, reads and checks the configuration.
pub fn open(surroundings: &Surroundings) -> Result<Opened, ConfigError> {
    let Some(path) = surroundings.find() else {
        let config = Config::default();
        return Ok(Opened { config, text: None });
    };
    let file = path.display().to_string();
    let found = surroundings.read(&path).map_err(|error| {
        let advice = match error.kind() {
            ErrorKind::NotFound => " (name a file that exists, or leave -c out)",
            _ => "",
        };
        ConfigError::Unreadable(unreadable(&file, &error) + advice)
    })?;
    let text = found.decode(&file)?;
    let config = configure(&text, &path)?;
    let text = Some(text);
    Ok(Opened { config, text })
}

/// What the text of a file means: at the start, and when it changed.
pub fn configure(text: &FileText, path: &Path) -> Result<Config, ConfigError> {
    let config = Config::load(&text.text, &path.display().to_string());
    let config = config.map_err(|errors| match text.is_foreign {
        true => withheld(errors),
        false => ConfigError::from(errors),
    })?;
    let path = Some(path.to_path_buf());
    Ok(Config { path, ..config })
}

/// Where the first error is, without what it is: that has the file's words in it.
pub fn withheld(mut errors: Vec<Diagnostic>) -> ConfigError {
    errors.truncate(1);
    for error in &mut errors {
        error.message =
            "something is wrong here (the file is not yours, so under sudo it is not said what; \
                         if you may read it: flowtop --check-config without sudo)"
                .into();
    }
    ConfigError::from(errors)
}

/// Why a file could not be read: what was tried, and the reason.
pub(super) fn unreadable(file: &str, error: &io::Error) -> String {
    format!(
        "read configuration {}: {}",
        harmless(file),
        uncapitalised(&reason(error))
    )
}

/// What an error of the system says, without its number.
pub fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    let reason = text.split(" (os error").next();
    reason.unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let surroundings = Surroundings {
            here: "/here".into(),
            user_folder: Some("/home/me/.config".into()),
            system_folder: "/etc".into(),
            ..Surroundings::default()
        };
        let places = surroundings.places();
        let expected = [
            "/here/config.json",
            "/home/me/.config/flowtop/config.json",
            "/etc/flowtop/config.json",
        ];
        assert_eq!(places, expected.map(PathBuf::from));
    }
}
