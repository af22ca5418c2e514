//! Bytes that are read in pieces, and looked at and used up from the front, in memory of one size.

use std::io::{self, Read};
use std::ops::Range;

/// Bytes in memory: more than the longest packet and what surrounds it.
const ROOM: usize = 1 << 20;

/// Bytes that are read at once at most: they stay in a cache until they are used up.
const PIECE: usize = 1 << 18;

/// What was read and is not used up.
pub struct Input {
    reader: Box<dyn Read>,
    room: Vec<u8>,
    start: usize,
    end: usize,
    /// Bytes that were read in all.
    read: u64,
}

impl Input {
    /// Nothing is read yet.
    pub fn new(reader: Box<dyn Read>) -> Input {
        Input {
            reader,
            room: vec![0; ROOM],
            start: 0,
            end: 0,
            read: 0,
        }
    }

    /// Whether so many bytes are there; reads no more than it has to.
    #[inline]
    pub fn has(&mut self, bytes: usize) -> io::Result<bool> {
        Ok(self.holds(bytes) || self.read(bytes)?)
    }

    #[cold]
    fn read(&mut self, bytes: usize) -> io::Result<bool> {
        if bytes > ROOM {
            return Err(io::ErrorKind::InvalidData.into());
        }
        self.room.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        while self.end < bytes {
            let most = ROOM.min(self.end + PIECE);
            match self.reader.read(&mut self.room[self.end..most]) {
                Ok(0) => return Ok(false),
                Ok(more) => {
                    self.end += more;
                    self.read += more as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    /// Whether so many bytes are there without reading.
    #[inline]
    pub fn holds(&self, bytes: usize) -> bool {
        self.end - self.start >= bytes
    }

    /// Which part is used up of what was read.
    pub fn used(&self) -> f64 {
        let left = (self.end - self.start) as f64;
        1.0 - left / (self.read as f64).max(1.0)
    }

    /// Where the first byte is, for [`within`](Self::within).
    #[inline]
    pub fn position(&self) -> usize {
        self.start
    }

    /// What is there, also of what was used up: until more is read, which may move it.
    #[inline]
    pub fn within(&self, at: Range<usize>) -> &[u8] {
        self.room.get(at).unwrap_or_default()
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
