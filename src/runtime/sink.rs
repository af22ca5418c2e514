//! Where records go: standard output, or a file of their own.

use std::fmt;
use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use super::record_file::RecordFile;
use crate::cli::{Output, Rotation};
use crate::terminal::await_room;

/// A record goes out in pieces of so many bytes, so that a reader shows with each of them that it reads.
const PIECE: usize = 16 << 10;

/// Where records are to go.
#[derive(Debug, Clone)]
pub enum Destination {
    /// Standard output.
    StandardOutput,
    /// A file, and when it begins anew.
    File(PathBuf, Option<Rotation>),
}

impl Destination {
    /// As the command line says.
    pub fn of(output: &Output) -> Destination {
        match &output.file {
            None => Destination::StandardOutput,
            Some(path) => Destination::File(path.clone(), output.rotate),
        }
    }

    /// The file, if it is one.
    pub fn file(&self) -> Option<&Path> {
        match self {
            Destination::StandardOutput => None,
            Destination::File(path, _) => Some(path),
        }
    }

    /// Opens it, as the user that the calling thread is.
    pub fn open(&self) -> io::Result<Sink> {
        match self {
            Destination::StandardOutput => Sink::standard_output(),
            Destination::File(path, rotation) => RecordFile::open(path, *rotation).map(Sink::File),
        }
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Destination::StandardOutput => f.write_str("standard output"),
            Destination::File(path, _) => write!(f, "{}", path.display()),
        }
    }
}

/// A destination that is open.
pub enum Sink {
    /// Without a buffer that would keep a part of a record back.
    StandardOutput(File),
    /// Takes a record as a whole or not at all.
    File(RecordFile),
}

impl Sink {
    fn standard_output() -> io::Result<Sink> {
        let own = io::stdout().as_fd().try_clone_to_owned()?;
        Ok(Sink::StandardOutput(own.into()))
    }

    /// Writes a piece of what is left of a record; where that fails, it stays for another attempt.
    pub fn write_piece(&mut self, left: &mut &[u8]) -> io::Result<()> {
        let written = match self {
            Sink::StandardOutput(file) => file.write(&left[..left.len().min(PIECE)]),
            Sink::File(file) => file.write(left).map(|()| left.len()),
        };
        match written {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(written) => *left = &left[written..],
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            // Another process that has the same pipe or terminal made it O_NONBLOCK.
            Err(error) => match self {
                Sink::StandardOutput(file) if error.kind() == ErrorKind::WouldBlock => {
                    await_room(file);
                }
                _ => return Err(error),
            },
        }
        Ok(())
    }
}
