//! Where records go: standard output, or a file of their own.

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd;

use super::record_file::RecordFile;

/// A record goes out in pieces of so many bytes, so that a reader shows with each of them that it reads.
const PIECE: usize = 16 << 10;

/// A place for records.
pub enum Sink {
    /// Without a buffer that would keep a part of a record back.
    StandardOutput(File),
    /// Takes a record as a whole or not at all.
    File(RecordFile),
}

impl Sink {
    /// Standard output.
    pub fn standard_output() -> io::Result<Sink> {
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
            Err(error) => return Err(error),
        }
        Ok(())
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
    use nix::errno::Errno;

    #[test]
    fn a_full_disk_a_quota_and_a_limit_of_size_are_waited_for_and_nothing_else() {
        let finds_no_room = |errno: Errno| finds_no_room(&errno.into());
        assert!([Errno::ENOSPC, Errno::EDQUOT, Errno::EFBIG].map(finds_no_room) == [true; 3]);
        assert!([Errno::EIO, Errno::EPIPE, Errno::EROFS].map(finds_no_room) == [false; 3]);
    }
}
