//! Bytes that are read in pieces, and looked at and used up from the front, in memory of one size.

use std::io::{self, Read};

/// Bytes in memory: more than the longest packet and what surrounds it.
const ROOM: usize = 1 << 20;

/// What was read and is not used up.
pub struct Input {
    reader: Box<dyn Read>,
    room: Vec<u8>,
    start: usize,
    end: usize,
}

impl Input {
    /// Nothing is read yet.
    pub fn new(reader: Box<dyn Read>) -> Input {
        Input {
            reader,
            room: vec![0; ROOM],
            start: 0,
            end: 0,
        }
    }

    /// Whether so many bytes are there; reads no more than it has to.
    #[inline]
    pub fn has(&mut self, bytes: usize) -> io::Result<bool> {
        if self.end - self.start >= bytes {
            return Ok(true);
        }
        self.read(bytes)
    }

    #[cold]
    fn read(&mut self, bytes: usize) -> io::Result<bool> {
        if bytes > ROOM {
            return Err(io::ErrorKind::InvalidData.into());
        }
        if self.start + bytes > ROOM {
            self.room.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        while self.end - self.start < bytes {
            match self.reader.read(&mut self.room[self.end..]) {
                Ok(0) => return Ok(false),
                Ok(more) => self.end += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    /// The first bytes; as many as there are where there are fewer.
    #[inline]
    pub fn front(&self, bytes: usize) -> &[u8] {
        let all = &self.room[self.start..self.end];
        &all[..bytes.min(all.len())]
    }

    /// Uses up the first bytes, which are there, and returns them.
    #[inline]
    pub fn take(&mut self, bytes: usize) -> &mut [u8] {
        let start = self.start;
        self.start += bytes;
        &mut self.room[start..start + bytes]
    }

    /// Passes over so many bytes; false where there are fewer.
    pub fn skip(&mut self, bytes: u64) -> io::Result<bool> {
        let mut left = bytes;
        loop {
            let now = left.min((self.end - self.start) as u64);
            self.start += now as usize;
            left -= now;
            if left == 0 {
                return Ok(true);
            }
            if !self.has(1)? {
                return Ok(false);
            }
        }
    }

    /// Whether nothing is left.
    pub fn is_at_end(&mut self) -> io::Result<bool> {
        Ok(!self.has(1)?)
    }
}

impl Read for Input {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if !self.has(1)? {
            return Ok(0);
        }
        let bytes = into.len().min(self.end - self.start);
        into[..bytes].copy_from_slice(self.take(bytes));
        Ok(bytes)
    }
}
