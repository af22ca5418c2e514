//! What a folder of recordings holds.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::path::Path;

use nix::dir::Dir;
use nix::fcntl::{AtFlags, OFlag};
use nix::sys::stat::{Mode, fstatat};

use crate::recording::SegmentName;

/// The files that are in a folder.
pub struct Found {
    /// All segments, each with its size and that of its index, bytes. The oldest first.
    pub segments: Vec<(SegmentName, u64)>,
    /// Segments that are gone, but for their index.
    pub strays: Vec<SegmentName>,
}

impl Found {
    /// What is in this folder now; other files are left out.
    pub fn in_folder(folder: &File) -> io::Result<Found> {
        let (mut segments, mut indices) = (Vec::new(), Vec::new());
        for file in file_names(folder)? {
            let (segment, index) = (SegmentName::parse(&file), SegmentName::parse_index(&file));
            if segment.or(index).is_none() {
                continue;
            }
            let flags = AtFlags::AT_SYMLINK_NOFOLLOW;
            if let Ok(stat) = fstatat(folder.as_fd(), file.as_str(), flags) {
                let size = stat.st_size as u64;
                segments.extend(segment.map(|name| (name, size)));
                indices.extend(index.map(|name| (name, size)));
            }
        }
        segments.sort();
        let mut strays = Vec::new();
        for (name, size) in indices {
            match segments.binary_search_by_key(&name, |(name, _)| *name) {
                Ok(at) => segments[at].1 += size,
                Err(_) => strays.push(name),
            }
        }
        Ok(Found { segments, strays })
    }
}

/// The names of all files in a folder, but for those that are no text: none of ours is called so.
pub fn file_names(folder: &File) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in Dir::openat(folder, ".", OFlag::O_DIRECTORY, Mode::empty())?.iter() {
        names.extend(entry?.file_name().to_str().ok().map(str::to_owned));
    }
    Ok(names)
}

/// How much a folder holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holding {
    /// Runs with at least a segment.
    pub runs: usize,
    /// All segments and their indices, bytes.
    pub bytes: u64,
    /// When the oldest one was begun, ms since 1970; none: there is none.
    pub since_ms: Option<u64>,
}

impl Holding {
    /// What is in this folder now, whoever writes there.
    pub fn of(path: &Path) -> io::Result<Holding> {
        let segments = Found::in_folder(&File::open(path)?)?.segments;
        let runs: BTreeSet<u64> = segments.iter().map(|(name, _)| name.run).collect();
        Ok(Holding {
            runs: runs.len(),
            bytes: segments.iter().map(|(_, size)| size).sum(),
            since_ms: segments.first().map(|(name, _)| name.began_ms),
        })
    }
}
