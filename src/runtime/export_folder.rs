//! The folder that keys write to.
//!
//! It is opened before rights are given up: whom the run goes on as may write into it, and need not be able to reach it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use nix::fcntl::{OFlag, openat};
use nix::sys::stat::Mode;
use nix::unistd::{UnlinkatFlags, unlinkat};

use super::fresh::make_fresh;
use crate::cli::{Exit, Failure};
use crate::probe::interfaces::display_name;
use crate::probe::privileges::confine::Identity;

/// A folder that is open.
#[derive(Debug)]
pub struct ExportFolder {
    path: PathBuf,
    folder: File,
    /// It is not just where the run was started.
    pub is_asked_for: bool,
}

impl ExportFolder {
    /// The folder that is asked for, else the working folder. One that is missing is made, and given to the user that
    /// the run goes on as; one that is there stays whose it is.
    pub fn open(
        asked_for: &Option<PathBuf>,
        user: Option<&Identity>,
    ) -> Result<ExportFolder, Failure> {
        let path = asked_for.as_deref().unwrap_or(Path::new("."));
        open_folder(path, user)
            .map(|folder| ExportFolder {
                is_asked_for: asked_for.is_some(),
                folder,
                path: path.to_path_buf(),
            })
            .map_err(|error| {
                let name = display_name(path.as_os_str());
                let text =
                    format!("write exports to {name}: {error} (name another folder: --export-dir)");
                Failure::new(Exit::Failed, text)
            })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its name for people.
    pub fn name(&self) -> String {
        let full = std::path::absolute(&self.path);
        full.unwrap_or_else(|_| self.path.clone())
            .display()
            .to_string()
    }

    /// Writes a new file, `stem-TIME.ending`; returns its name. One that could not be written as a whole is removed again.
    pub fn write(
        &self,
        stem: &str,
        ending: &str,
        write: impl FnOnce(&File) -> Result<()>,
    ) -> Result<String> {
        let made = self.make_file(|time| format!("{stem}-{time}.{ending}"));
        let (name, file) =
            made.with_context(|| format!("make {stem}-*.{ending} in {}", self.name()))?;
        let written = write(&file);
        if written.is_err() {
            let _ = unlinkat(&self.folder, name.as_str(), UnlinkatFlags::NoRemoveDir);
        }
        written.with_context(|| format!("write {name}"))?;
        Ok(name)
    }

    /// Creates a file in it, as [`make_fresh`] does.
    fn make_file(&self, name: impl Fn(&str) -> String) -> io::Result<(String, File)> {
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_CLOEXEC;
        let mode = Mode::from_bits_truncate(0o666);
        make_fresh(|time| {
            let name = name(time);
            let file = openat(&self.folder, name.as_str(), flags, mode)?;
            Ok((name, File::from(file)))
        })
    }
}

/// Opens a folder. One that is missing is made, and given to the user; one that is there stays whose it is.
pub fn open_folder(path: &Path, user: Option<&Identity>) -> io::Result<File> {
    let made = match fs::DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => true,
        Err(error) if error.kind() == ErrorKind::AlreadyExists => false,
        Err(error) => return Err(error),
    };
    let mut options = OpenOptions::new();
    let flags = match made {
        // Nobody has put a link in its place.
        true => OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW,
        false => OFlag::O_DIRECTORY,
    };
    let folder = options.read(true).custom_flags(flags.bits()).open(path)?;
    if let Some(user) = user.filter(|_| made) {
        user.give(&folder)?;
    }
    Ok(folder)
}
