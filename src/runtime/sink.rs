//! Where records go.

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd;

/// A record goes out in pieces of so many bytes, so that a reader shows with each of them that it reads.
const PIECE: usize = 16 << 10;

/// Standard output, without a buffer that would keep a part of a record back.
pub struct Sink(File);

impl Sink {
    /// Standard output.
    pub fn standard_output() -> io::Result<Sink> {
        let own = io::stdout().as_fd().try_clone_to_owned()?;
        Ok(Sink(own.into()))
    }

    /// Writes a piece of what is left of a record; where that fails, it stays for another attempt.
    pub fn write_piece(&mut self, left: &mut &[u8]) -> io::Result<()> {
        match self.0.write(&left[..left.len().min(PIECE)]) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(written) => *left = &left[written..],
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }
}
