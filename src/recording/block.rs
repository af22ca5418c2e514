//! Blocks: how a segment's bytes are framed, compressed and checked.
//!
//! A segment begins with a header that says which version wrote it and of which run it is. Each block behind it has its
//! kind, its lengths and a checksum of all that in front of its bytes, which are compressed by zstd.

use std::io::{self, Read};

use super::bytes::Bad;

/// The version of the format that is written, and the newest that can be read.
pub const VERSION: u32 = 1;

/// What every segment begins with.
const MAGIC: [u8; 8] = *b"flowtopR";
/// What every block begins with.
const MARK: [u8; 4] = [0xf1, b'b', b'l', b'k'];
/// Length of a segment's header.
pub const HEADER: usize = 40;
/// Length of a block's header.
const BLOCK_HEADER: usize = 17;
/// What is decompressed at once has so many bytes at most, those that it is told by included.
const LARGEST_STEP: usize = (128 << 10) + 64;
/// The largest block, before it is compressed.
const MOST_RAW: usize = 1 << 30;
/// So many places are looked at for the next key frame.
const MOST_GUESSES: usize = 4096;
/// The level at which one more costs more time than it saves room.
const LEVEL: i32 = 1;

/// Reads a segment from a place on, so many bytes or less: all that there are.
pub trait ReadAt: Fn(usize, usize) -> io::Result<Vec<u8>> {}

impl<F: Fn(usize, usize) -> io::Result<Vec<u8>>> ReadAt for F {}

/// What a segment says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Tells the run from all others.
    pub run: u64,
    /// Counts the segments of the run.
    pub number: u64,
    /// When it was begun, ns since 1970.
    pub began_wall_ns: i64,
}

/// Why a segment cannot be read at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unreadable {
    /// It has not got its header yet, or lost it.
    CutOff,
    /// It is no segment.
    Foreign,
    /// The header's checksum is wrong.
    Damaged,
    /// It is of this version, which is newer.
    Newer(u32),
}

impl std::fmt::Display for Unreadable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Unreadable::CutOff => f.write_str("it ends before its header does"),
            Unreadable::Foreign => f.write_str("it is no recording"),
            Unreadable::Damaged => f.write_str("its header is damaged"),
            Unreadable::Newer(version) => write!(
                f,
                "a newer flowtop wrote it (format {version}; this one reads {VERSION})"
            ),
        }
    }
}

impl Header {
    /// Its bytes.
    pub fn bytes(&self) -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
        bytes[12..20].copy_from_slice(&self.run.to_le_bytes());
        bytes[20..28].copy_from_slice(&self.number.to_le_bytes());
        bytes[28..36].copy_from_slice(&self.began_wall_ns.to_le_bytes());
        let sum = crc32fast::hash(&bytes[..36]);
        bytes[36..].copy_from_slice(&sum.to_le_bytes());
        bytes
    }

    /// Reads the header at the beginning of these bytes.
    pub fn read(bytes: &[u8]) -> Result<Header, Unreadable> {
        if bytes.len() < HEADER {
            let is_ours =
                MAGIC.starts_with(&bytes[..bytes.len().min(8)]) || bytes.starts_with(&MAGIC);
            return Err(match is_ours {
                true => Unreadable::CutOff,
                false => Unreadable::Foreign,
            });
        }
        let word = |at: usize| u64::from_le_bytes(array(&bytes[at..at + 8]));
        let half = |at: usize| u32::from_le_bytes(array(&bytes[at..at + 4]));
        // The version comes first: a newer one's header may be another.
        match (bytes.starts_with(&MAGIC), half(8)) {
            (false, _) => return Err(Unreadable::Foreign),
            (true, version) if version > VERSION => return Err(Unreadable::Newer(version)),
            _ => {}
        }
        if half(36) != crc32fast::hash(&bytes[..36]) {
            return Err(Unreadable::Damaged);
        }
        Ok(Header {
            run: word(12),
            number: word(20),
            began_wall_ns: word(28) as i64,
        })
    }
}

fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    std::array::from_fn(|at| bytes[at])
}

/// What is in a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// All that is known: reading may begin here.
    Key,
    /// What came since the block before.
    Frame,
}

/// Makes blocks.
pub struct Packer(zstd::bulk::Compressor<'static>);

impl std::fmt::Debug for Packer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Packer")
    }
}

impl Packer {
    /// One that makes block after block.
    pub fn new() -> std::io::Result<Packer> {
        Ok(Packer(zstd::bulk::Compressor::new(LEVEL)?))
    }

    /// A block with these bytes.
    pub fn block(&mut self, kind: Kind, raw: &[u8]) -> std::io::Result<Vec<u8>> {
        let stored = self.0.compress(raw)?;
        let mut block = Vec::with_capacity(BLOCK_HEADER + stored.len());
        block.extend_from_slice(&MARK);
        block.push(match kind {
            Kind::Key => 1,
            Kind::Frame => 2,
        });
        block.extend_from_slice(&(stored.len() as u32).to_le_bytes());
        block.extend_from_slice(&(raw.len() as u32).to_le_bytes());
        let sum = checksum(&block[4..13], &stored);
        block.extend_from_slice(&sum.to_le_bytes());
        block.extend_from_slice(&stored);
        Ok(block)
    }
}

fn checksum(head: &[u8], stored: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(head);
    hasher.update(stored);
    hasher.finalize()
}

/// A block as it is in a segment.
#[derive(Debug, Clone, Copy)]
pub struct Block<'a> {
    /// What is in it.
    pub kind: Kind,
    /// Where the next one begins.
    pub end: usize,
    stored: &'a [u8],
    raw: usize,
}

/// What is at a place in a segment.
#[derive(Debug, Clone, Copy)]
pub enum Found<'a> {
    /// A whole block.
    Block(Block<'a>),
    /// The end, or the beginning of a block that is not all there.
    End,
    /// No block, or one whose checksum is wrong.
    Bad,
}

impl<'a> Block<'a> {
    /// What is at this place.
    pub fn at(segment: &'a [u8], at: usize) -> Found<'a> {
        let bytes = segment.get(at..).unwrap_or_default();
        let Some((head, rest)) = bytes.split_at_checked(BLOCK_HEADER) else {
            let is_beginning =
                MARK.starts_with(&bytes[..bytes.len().min(4)]) || bytes.starts_with(&MARK);
            return match is_beginning {
                true => Found::End,
                false => Found::Bad,
            };
        };
        let half = |at: usize| u32::from_le_bytes(array(&head[at..at + 4]));
        let (stored, raw) = (half(5) as usize, half(9) as usize);
        let kind = match head[4] {
            1 => Kind::Key,
            2 => Kind::Frame,
            _ => return Found::Bad,
        };
        if !head.starts_with(&MARK) || raw > MOST_RAW {
            return Found::Bad;
        }
        let Some(stored) = rest.get(..stored) else {
            return Found::End;
        };
        if half(13) != checksum(&head[4..13], stored) {
            return Found::Bad;
        }
        Found::Block(Block {
            kind,
            end: at + BLOCK_HEADER + stored.len(),
            stored,
            raw,
        })
    }

    /// The kind of the block at this place of a segment that is `read` in pieces, each from a place on and of so many bytes at
    /// most, and where the next one begins, as it says; `None`: there is none that is whole. Nothing of it is checked.
    pub fn outline(read: &impl ReadAt, at: usize) -> io::Result<Option<(Kind, usize)>> {
        let head = read(at, BLOCK_HEADER)?;
        let is_whole = head.len() == BLOCK_HEADER && head.starts_with(&MARK);
        let kind = match head.get(4) {
            Some(1) if is_whole => Kind::Key,
            Some(2) if is_whole => Kind::Frame,
            _ => return Ok(None),
        };
        let end = at + BLOCK_HEADER + u32::from_le_bytes(array(&head[5..9])) as usize;
        Ok((!read(end - 1, 1)?.is_empty()).then_some((kind, end)))
    }

    /// The first bytes of the block at this place as they were, at most so many of a few; not checked, either.
    pub fn beginning(read: &impl ReadAt, at: usize, most: u64) -> io::Result<Vec<u8>> {
        let stored = read(at + BLOCK_HEADER, LARGEST_STEP)?;
        let mut bytes = Vec::new();
        let decoder = zstd::stream::read::Decoder::with_buffer(&stored[..])?;
        decoder.take(most).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// The first whole block of a wanted kind, at this place or behind it. Where much looks like a block and is none, it is not
    /// looked for to the end.
    pub fn next(segment: &'a [u8], from: usize, is_wanted: impl Fn(Kind) -> bool) -> Option<usize> {
        let mut at = from;
        for _ in 0..MOST_GUESSES {
            let behind = segment.get(at..)?;
            at += behind.windows(MARK.len()).position(|it| it == MARK)?;
            let mut next = at;
            while let Found::Block(block) = Block::at(segment, next) {
                if is_wanted(block.kind) {
                    return Some(next);
                }
                next = block.end;
            }
            at = next.max(at + 1);
        }
        None
    }

    /// Its bytes as they were.
    pub fn unpack(&self) -> Result<Vec<u8>, Bad> {
        let raw = zstd::bulk::decompress(self.stored, self.raw);
        let raw = raw.map_err(|_| Bad("it cannot be decompressed"))?;
        match raw.len() == self.raw {
            true => Ok(raw),
            false => Err(Bad("it has another length than it says")),
        }
    }
}
