//! The folder that keys write to.
//!
//! It is opened before rights are given up: the unprivileged user may write into it, and need not be able to reach it.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::fcntl::{OFlag, openat};
use nix::sys::stat::{Mode, mkdirat};
use nix::unistd::{UnlinkatFlags, geteuid, unlinkat};

use super::fresh::{folder_of, make_fresh};
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

    /// Writes new files, `stem-TIME.ending` with one time for all of them; returns their names. Where one could not be written as a
    /// whole, it and those behind it are removed again.
    pub fn write(
        &self,
        stem: &str,
        endings: &[&str],
        write: impl Fn(usize, &File) -> Result<()>,
    ) -> Result<Vec<String>> {
        let made =
            make_fresh(|time| self.make_files(|ending| format!("{stem}-{time}.{ending}"), endings));
        let files = made.with_context(|| {
            format!("make {stem}-*.{} in {}", endings.join(" and "), self.name())
        })?;
        for (at, (name, file)) in files.iter().enumerate() {
            let written = write(at, file);
            if written.is_err() {
                self.remove(&files[at..]);
            }
            written.with_context(|| format!("write {name}"))?;
        }
        Ok(files.into_iter().map(|(name, _)| name).collect())
    }

    /// Creates all of them in it, or none.
    fn make_files(
        &self,
        name: impl Fn(&str) -> String,
        endings: &[&str],
    ) -> io::Result<Vec<(String, File)>> {
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_CLOEXEC;
        let mode = Mode::from_bits_truncate(0o666);
        let mut made = Vec::new();
        for name in endings.iter().map(|ending| name(ending)) {
            match openat(&self.folder, name.as_str(), flags, mode) {
                Ok(file) => made.push((name, File::from(file))),
                Err(error) => {
                    self.remove(&made);
                    return Err(error.into());
                }
            }
        }
        Ok(made)
    }

    fn remove(&self, files: &[(String, File)]) {
        for (name, _) in files {
            let _ = unlinkat(&self.folder, name.as_str(), UnlinkatFlags::NoRemoveDir);
        }
    }
}

/// Opens a folder. One that is missing is made, and given to the user; one that is there stays whose it is.
pub fn open_folder(path: &Path, user: Option<&Identity>) -> io::Result<File> {
    match open_if_there(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => make_folder(path, user),
        opened => opened,
    }
}

/// Opens a folder that is there already.
pub fn open_if_there(path: &Path) -> io::Result<File> {
    let flags = OFlag::O_DIRECTORY.bits();
    OpenOptions::new().read(true).custom_flags(flags).open(path)
}

/// Makes it in the folder above, which is reached once: others may put a link in the place of any part of the path meanwhile.
fn make_folder(path: &Path, user: Option<&Identity>) -> io::Result<File> {
    let name = path.file_name().ok_or(ErrorKind::NotFound)?;
    let above = open_if_there(folder_of(path))?;
    match mkdirat(&above, name, Mode::S_IRWXU) {
        // Somebody else has made it just now.
        Err(Errno::EEXIST) => return open_if_there(path),
        made => made?,
    }
    let flags = OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let folder = File::from(openat(&above, name, flags, Mode::empty())?);
    if let Some(user) = user {
        let found = folder.metadata()?;
        // What is not as it was made is another one, put in its place.
        if found.uid() != geteuid().as_raw() || found.mode() & 0o077 != 0 {
            return Err(io::Error::other(
                "somebody else has put another folder there",
            ));
        }
        user.give(&folder)?;
    }
    Ok(folder)
}
