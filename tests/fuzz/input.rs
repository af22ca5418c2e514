//! Inputs: a frame and how it comes, as files of tests/corpus have them (struct head of tests/host/judge.c).

use std::path::Path;

use crate::reference::packet::{Gso, Link};

const BARE: u8 = 1;

/// A frame and how it comes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// What it starts with.
    pub link: Link,
    /// Share of it in the linear part, of 255; of no meaning to a test run.
    pub linear: u8,
    /// Its claim to be an aggregate.
    pub gso: Gso,
    /// The bytes.
    pub frame: Vec<u8>,
}

impl Input {
    /// Reads a file's bytes. The tag that a kernel moves out of the data cannot be given to a test run: it is left out.
    pub fn read(bytes: &[u8]) -> Option<Input> {
        let (head, frame) = bytes.split_first_chunk::<4>()?;
        Some(Input {
            link: match head[0] & BARE {
                0 => Link::Ethernet,
                _ => Link::Ip,
            },
            linear: head[1],
            gso: match head[2] {
                0 => Gso::default(),
                size => Gso {
                    size: u32::from(size) * 8,
                    segs: head[3].into(),
                },
            },
            frame: frame.to_vec(),
        })
    }

    /// The bytes of its file.
    pub fn bytes(&self) -> Vec<u8> {
        let flags = if self.link == Link::Ip { BARE } else { 0 };
        let head = [
            flags,
            self.linear,
            (self.gso.size / 8) as u8,
            self.gso.segs as u8,
        ];
        [&head[..], &self.frame].concat()
    }
}

/// All inputs of a folder, in the order of their names.
pub fn read_folder(folder: &Path) -> Vec<Input> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut paths: Vec<_> = entries
        .map(|entry| entry.expect("an entry").path())
        .collect();
    paths.sort();
    let read = |path| Input::read(&std::fs::read(path).expect("a file"));
    paths.iter().filter_map(read).collect()
}
