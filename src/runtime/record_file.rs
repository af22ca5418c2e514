//! A file of records that is rotated before it gets too large: FILE, and older ones as FILE.1, FILE.2 and so on.
//!
//! It holds whole records only: a record that finds no room is removed again. If somebody removes the file, the next record
//! makes another one.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg, OFlag};

use crate::cli::Rotation;

/// The file and the older ones.
pub struct RecordFile {
    path: PathBuf,
    rotation: Option<Rotation>,
    latest: Option<OpenFile>,
}

/// The file that is open.
struct OpenFile {
    file: Flock<File>,
    /// The size of its whole records.
    size: u64,
    /// Whether a part of a record follows them.
    is_torn: bool,
}

impl RecordFile {
    /// Opens or makes the file to append to it. If there is no room now, the first record tries again.
    pub fn open(path: &Path, rotation: Option<Rotation>) -> io::Result<RecordFile> {
        let mut file = RecordFile {
            path: path.to_owned(),
            rotation,
            latest: None,
        };
        match file.latest() {
            Err(error) if !finds_no_room(&error) => Err(error),
            _ => Ok(file),
        }
    }

    /// Appends a record, as a whole or not at all.
    pub fn write(&mut self, record: &[u8]) -> io::Result<()> {
        let length = record.len() as u64;
        let rotation = self.rotation;
        let is_full = |size| rotation.is_some_and(|it| size > 0 && size + length > it.size);
        let size = self.latest()?.size;
        if let Some(rotation) = rotation.filter(|_| is_full(size)) {
            self.rotate(rotation.files)?;
        }
        self.latest()?.append(record)
    }

    /// The open file, or another one if it was removed.
    fn latest(&mut self) -> io::Result<&mut OpenFile> {
        let as_it_is = |mut latest: OpenFile| {
            let metadata = latest.file.metadata().ok()?;
            // Somebody may have made it shorter.
            latest.size = latest.size.min(metadata.size());
            (metadata.nlink() > 0).then_some(latest)
        };
        let latest = match self.latest.take().and_then(as_it_is) {
            Some(latest) => latest,
            None => OpenFile::open(&self.path)?,
        };
        Ok(self.latest.insert(latest))
    }

    /// Gives each file the next number; the last one is removed. The next record makes a new file.
    fn rotate(&mut self, files: u32) -> io::Result<()> {
        self.latest = None;
        for number in (1..files).rev() {
            match fs::rename(self.numbered(number - 1), self.numbered(number)) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    fn numbered(&self, number: u32) -> PathBuf {
        let mut name = OsString::from(&self.path);
        if number > 0 {
            name.push(format!(".{number}"));
        }
        name.into()
    }
}

impl OpenFile {
    fn open(path: &Path) -> io::Result<OpenFile> {
        let file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .custom_flags((OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK).bits())
            .open(path)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::other("it is not a regular file"));
        }
        let file =
            Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(
                |(_, errno)| match errno {
                    Errno::EWOULDBLOCK => io::Error::other("another run writes to it"),
                    other => other.into(),
                },
            )?;
        let mut latest = OpenFile {
            file,
            size: metadata.size(),
            is_torn: false,
        };
        latest.end_the_line()?;
        Ok(latest)
    }

    /// A record that a power cut left unfinished must not become the beginning of the next one.
    fn end_the_line(&mut self) -> io::Result<()> {
        let mut last = [b'\n'];
        if self.size > 0 {
            self.file.read_exact_at(&mut last, self.size - 1)?;
        }
        match last {
            [b'\n'] => Ok(()),
            _ => self.append(b"\n"),
        }
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.is_torn {
            self.file.set_len(self.size)?;
        }
        let written = (&*self.file).write_all(bytes);
        match &written {
            Ok(()) => (self.size, self.is_torn) = (self.size + bytes.len() as u64, false),
            Err(_) => self.is_torn = self.file.set_len(self.size).is_err(),
        }
        written
    }
}

/// Whether there may be room later: the disk is full, or the user's quota, or the file as large as it may get.
pub fn finds_no_room(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    /// The files of a folder, with their text.
    fn files(folder: &Path) -> BTreeMap<String, String> {
        let entries = fs::read_dir(folder).expect("a folder").map(|entry| {
            let path = entry.expect("an entry").path();
            let name = path.file_name().expect("a name").to_string_lossy();
            (name.into_owned(), fs::read_to_string(&path).expect("text"))
        });
        entries.collect()
    }

    fn has(folder: &Path, expected: &[(&str, &str)]) {
        let expected = expected
            .iter()
            .map(|(name, text)| (name.to_string(), text.to_string()));
        assert_eq!(files(folder), expected.collect());
    }

    fn open(folder: &Path) -> io::Result<RecordFile> {
        let rotation = Rotation { size: 8, files: 3 };
        RecordFile::open(&folder.join("log"), Some(rotation))
    }

    #[test]
    fn a_file_begins_anew_before_it_is_too_large_and_the_oldest_goes() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut file = open(folder.path()).expect("a file");
        for record in ["a\n", "bb\n", "cc\n", "d\n", "longer than a file\n", "e\n"] {
            file.write(record.as_bytes()).expect("written");
        }
        let long = "longer than a file\n";
        has(
            folder.path(),
            &[("log", "e\n"), ("log.1", long), ("log.2", "d\n")],
        );
        // Another run appends to it, and half a record after a power cut must not become the beginning of the next one.
        drop(file);
        fs::write(folder.path().join("log"), "e\nhalf").expect("write");
        open(folder.path())
            .expect("a file")
            .write(b"f\n")
            .expect("written");
        has(
            folder.path(),
            &[("log", "f\n"), ("log.1", "e\nhalf\n"), ("log.2", long)],
        );
    }

    #[test]
    fn a_file_that_somebody_has_emptied_has_room_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut file = open(folder.path()).expect("a file");
        file.write(b"aaaaaa\n").expect("written");
        fs::write(folder.path().join("log"), "").expect("emptied");
        file.write(b"bb\n").expect("written");
        has(folder.path(), &[("log", "bb\n")]);
    }

    #[test]
    fn a_file_that_was_removed_is_made_again_with_the_next_record() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut file = open(folder.path()).expect("a file");
        file.write(b"a\n").expect("written");
        fs::remove_file(folder.path().join("log")).expect("removed");
        file.write(b"b\n").expect("written");
        has(folder.path(), &[("log", "b\n")]);
    }

    #[test]
    fn a_file_of_another_run_and_what_is_no_file_are_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let refused = || {
            let refused = open(folder.path()).err().expect("refused");
            refused.to_string()
        };
        let file = open(folder.path()).expect("a file");
        assert_eq!(refused(), "another run writes to it");
        drop(file);
        let place = folder.path().join("log");
        fs::rename(&place, folder.path().join("real")).expect("renamed");
        std::os::unix::fs::symlink("real", &place).expect("a link");
        assert!(refused().contains("symbolic links"), "{}", refused());
        fs::remove_file(&place).expect("removed");
        nix::unistd::mkfifo(&place, nix::sys::stat::Mode::S_IRWXU).expect("a pipe");
        assert_eq!(refused(), "it is not a regular file");
    }

    #[test]
    fn a_full_disk_a_quota_and_a_limit_of_size_are_waited_for_and_nothing_else() {
        let finds_no_room = |errno: Errno| finds_no_room(&errno.into());
        assert!([Errno::ENOSPC, Errno::EDQUOT, Errno::EFBIG].map(finds_no_room) == [true; 3]);
        assert!([Errno::EIO, Errno::EPIPE, Errno::EROFS].map(finds_no_room) == [false; 3]);
    }
}
