//! Memory for large lists: those of many flows, and what is kept beside them, lie in pages of 2 MB rather than 4 KB, so
//! that a pass over them does not miss the TLB at each page.
//!
//! Linux gives such pages on request (transparent huge pages), as far as it has any. A list that grows is moved by its
//! page tables, not copied.
#![allow(unsafe_code)]

mod blocks;

use std::alloc::{GlobalAlloc, Layout, System};
use std::ptr::{copy_nonoverlapping, null_mut, write_bytes};

use nix::libc;

/// The allocator of a program: what is large has a mapping of its own, what is as long as a flow's older history a block among
/// others; all else is left to the system.
#[derive(Debug)]
pub struct LargePages;

const PAGE: usize = 2 << 20;
/// From here on something is large. Less than a page of its mapping is never used.
const LEAST: usize = 2 * PAGE;
/// What is large begins so far behind the beginning of a page, as it does where the C library maps it.
const FRONT: usize = 16;

/// Where something lies.
#[derive(PartialEq)]
enum Place {
    Mapping,
    Block,
    System,
}

impl Place {
    fn of(layout: &Layout) -> Place {
        match layout.size() {
            LEAST.. if layout.align() <= FRONT => Place::Mapping,
            _ if blocks::is_block(layout) => Place::Block,
            _ => Place::System,
        }
    }
}

/// Bytes of the mapping for so many. Linux aligns those of whole large pages to them.
fn length(size: usize) -> usize {
    (FRONT + size).next_multiple_of(PAGE)
}

/// What a system call answered, as an allocator does: null where there is no memory.
fn behind_front(mapping: *mut libc::c_void) -> *mut u8 {
    match mapping == libc::MAP_FAILED {
        true => null_mut(),
        false => mapping.cast::<u8>().wrapping_add(FRONT),
    }
}

/// New memory for so many bytes, all of them zero.
fn map(size: usize) -> *mut u8 {
    let (length, access) = (length(size), libc::PROT_READ | libc::PROT_WRITE);
    let kind = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    // SAFETY: a new mapping at an address of the kernel's choice; nothing else refers to it.
    let mapping = unsafe { libc::mmap(null_mut(), length, access, kind, -1, 0) };
    if mapping != libc::MAP_FAILED {
        // Refused: its pages are the usual ones.
        // SAFETY: the mapping is of this length, and what is in it stays.
        unsafe { libc::madvise(mapping, length, libc::MADV_HUGEPAGE) };
    }
    behind_front(mapping)
}

// SAFETY: memory comes back with the layout that it was asked for with, which says whose it is: a mapping of its own, of the
// length that follows from the layout, a block, or the system's. A mapping's begins at a multiple of FRONT, a block at one of its
// size, and so of each smaller alignment.
unsafe impl GlobalAlloc for LargePages {
    // SAFETY: the caller's promise.
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        match Place::of(&layout) {
            Place::Mapping => map(layout.size()),
            Place::Block => blocks::take(),
            // SAFETY: what the caller promises is what the system asks for.
            Place::System => unsafe { System.alloc(layout) },
        }
    }

    // SAFETY: the caller's promise.
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        match Place::of(&layout) {
            Place::Mapping => map(layout.size()),
            Place::Block => {
                let block = blocks::take();
                if !block.is_null() {
                    // SAFETY: it is this long, and nobody else's.
                    unsafe { write_bytes(block, 0, layout.size()) };
                }
                block
            }
            // SAFETY: as above.
            Place::System => unsafe { System.alloc_zeroed(layout) },
        }
    }

    // SAFETY: the caller's promise.
    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        match Place::of(&layout) {
            // SAFETY: the mapping is of this length, and nobody uses it any more.
            Place::Mapping => unsafe {
                libc::munmap(memory.sub(FRONT).cast(), length(layout.size()));
            },
            // SAFETY: a block was what was asked for, and nobody uses it any more.
            Place::Block => unsafe { blocks::give_back(memory) },
            // SAFETY: as above.
            Place::System => unsafe { System.dealloc(memory, layout) },
        }
    }

    // SAFETY: the caller's promise.
    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller promises a size that is not zero and does not overflow.
        let wanted = unsafe { Layout::from_size_align_unchecked(size, layout.align()) };
        match (Place::of(&layout), Place::of(&wanted)) {
            // SAFETY: as above.
            (Place::System, Place::System) => unsafe { System.realloc(memory, layout, size) },
            // SAFETY: the mapping is of the former length; its user goes on with the address that is returned.
            (Place::Mapping, Place::Mapping) => behind_front(unsafe {
                let (former, now) = (length(layout.size()), length(size));
                libc::mremap(memory.sub(FRONT).cast(), former, now, libc::MREMAP_MAYMOVE)
            }),
            (Place::Block, Place::Block) => memory,
            // SAFETY: both are as long as the shorter one, and apart; the former one is given back as it came.
            _ => unsafe {
                let moved = self.alloc(wanted);
                if !moved.is_null() {
                    copy_nonoverlapping(memory, moved, layout.size().min(size));
                    self.dealloc(memory, layout);
                }
                moved
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{FRONT, LEAST, LargePages};

    #[global_allocator]
    static ALLOCATOR: LargePages = LargePages;

    const WORDS: usize = LEAST / size_of::<u64>();

    #[test]
    fn what_is_in_a_list_stays_whatever_it_grows_and_shrinks_to() {
        let mut words: Vec<u64> = Vec::new();
        for length in [
            9,
            WORDS - 1,
            WORDS,
            WORDS * 3,
            WORDS * 2,
            7,
            WORDS * 2,
            WORDS / 2,
        ] {
            words.truncate(length);
            words.shrink_to_fit();
            words.reserve_exact(length - words.len());
            words.extend(words.len() as u64..length as u64);
            assert!((0..length as u64).eq(words.iter().copied()), "{length}");
        }
    }

    #[test]
    fn what_is_large_is_zero_where_it_is_to_be() {
        for _ in 0..3 {
            let mut words = vec![0_u64; WORDS];
            assert!(words.iter().all(|word| *word == 0));
            words.fill(u64::MAX);
        }
    }

    #[test]
    fn what_is_as_long_as_a_block_is_zero_where_it_is_to_be_and_stays_whatever_it_grows_to() {
        for _ in 0..3 {
            let mut bytes = vec![0_u8; 500];
            assert!(bytes.iter().all(|byte| *byte == 0));
            bytes.fill(7);
            for length in [505, 512, 513, 2000, 512, 460, 100, 480] {
                bytes.truncate(length);
                bytes.shrink_to_fit();
                bytes.reserve_exact(length - bytes.len());
                bytes.resize(length, 7);
                assert!(bytes.iter().all(|byte| *byte == 7), "{length}");
            }
        }
    }

    /// Whether what lies there asks for large pages.
    pub fn asks(at: usize) -> bool {
        let maps = std::fs::read_to_string("/proc/self/smaps").unwrap();
        let bound = |text: &str| usize::from_str_radix(text, 16).ok();
        let mut is_its = false;
        let flags = maps.lines().find_map(|line| {
            let range = line
                .split(' ')
                .next()
                .and_then(|range| range.split_once('-'));
            if let Some((Some(from), Some(to))) = range.map(|(a, b)| (bound(a), bound(b))) {
                is_its = (from..to).contains(&at);
            }
            line.strip_prefix("VmFlags:").filter(|_| is_its)
        });
        flags.unwrap().split(' ').any(|flag| flag == "hg")
    }

    /// Whether the kernel has them.
    pub fn are_there() -> bool {
        std::path::Path::new("/sys/kernel/mm/transparent_hugepage").exists()
    }

    #[test]
    fn only_what_is_large_asks_for_large_pages() {
        let asks = |list: &[u8]| asks(list.as_ptr().addr());
        let is_known = are_there();
        let large = vec![1; LEAST];
        assert_eq!(asks(&large), is_known);
        assert_eq!(large.as_ptr().addr() % 4096, FRONT);
        assert!(!asks(&vec![1; LEAST - 1]));
        let mut grown = large;
        grown.reserve_exact(LEAST);
        assert_eq!(asks(&grown), is_known);
    }
}
