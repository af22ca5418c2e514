//! Blocks of one size, side by side in large pages: for what each of many flows has of its own outside of the lists.
//!
//! A chunk of them begins at a multiple of its length with what is known of it, so that each block tells its chunk. Chunks
//! without a block in use are given back, but for one. The first one lies in small pages: few flows take no more than they fill.
#![allow(unsafe_code)]

use std::alloc::Layout;
use std::ptr::null_mut;
use std::sync::{Mutex, MutexGuard, PoisonError};

use nix::libc;

use super::PAGE;

/// Bytes of a block.
const BLOCK: usize = 512;
/// What leaves a cache line of a block unused is not put into one.
const LEAST: usize = BLOCK - 64;

/// Whether a block is the place for it.
pub const fn is_block(layout: &Layout) -> bool {
    layout.size() > LEAST && layout.size() <= BLOCK && layout.align() <= BLOCK
}

/// The beginning of a chunk, in the place of its first block.
struct Chunk {
    /// Its neighbours among the chunks with room.
    before: *mut Chunk,
    next: *mut Chunk,
    /// The block that was given back last, which begins with the address of the one before.
    free: *mut u8,
    /// How many blocks were ever in use, this beginning included, and how many are.
    touched: usize,
    used: usize,
}

const BLOCKS: usize = PAGE / BLOCK;

impl Chunk {
    fn is_full(&self) -> bool {
        self.free.is_null() && self.touched == BLOCKS
    }
}

/// All chunks.
struct Pool {
    /// The first of those with room.
    with_room: *mut Chunk,
    chunks: usize,
    /// How many of them have no block in use.
    empty: usize,
}

// SAFETY: the chunks belong to the pool alone, whichever thread has it.
unsafe impl Send for Pool {}

static POOL: Mutex<Pool> = Mutex::new(Pool::EMPTY);

/// Nothing in the pool panics.
fn pool() -> MutexGuard<'static, Pool> {
    POOL.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A block, null where there is no memory.
pub fn take() -> *mut u8 {
    pool().take()
}

/// Takes a block back.
///
/// # Safety
///
/// It came from [`take`], and nobody uses it any more.
// SAFETY: the caller's promise.
pub unsafe fn give_back(block: *mut u8) {
    // SAFETY: as above.
    unsafe { pool().give_back(block) };
}

impl Pool {
    const EMPTY: Pool = Pool {
        with_room: null_mut(),
        chunks: 0,
        empty: 0,
    };

    fn take(&mut self) -> *mut u8 {
        if self.with_room.is_null() {
            self.add_chunk();
        }
        let chunk = self.with_room;
        // SAFETY: a chunk of the pool, or null; nobody else refers to it.
        let Some(known) = (unsafe { chunk.as_mut() }) else {
            return null_mut();
        };
        self.empty -= usize::from(known.used == 0);
        known.used += 1;
        let mut block = known.free;
        if block.is_null() {
            block = chunk.cast::<u8>().wrapping_add(known.touched * BLOCK);
            known.touched += 1;
        } else {
            // SAFETY: a block that is not in use begins with the address of the next one.
            known.free = unsafe { block.cast::<*mut u8>().read() };
        }
        if known.is_full() {
            self.unlink(chunk);
        }
        block
    }

    /// # Safety
    ///
    /// The block came from [`take`](Self::take), and nobody uses it any more.
    // SAFETY: the caller's promise.
    unsafe fn give_back(&mut self, block: *mut u8) {
        let chunk = block.map_addr(|at| at & !(PAGE - 1)).cast::<Chunk>();
        // SAFETY: the block is of this chunk, to which nobody else refers.
        let known = unsafe { &mut *chunk };
        let was_full = known.is_full();
        // SAFETY: it is at a multiple of its size, and nobody uses it.
        unsafe { block.cast::<*mut u8>().write(known.free) };
        known.free = block;
        known.used -= 1;
        if was_full {
            // All others of its blocks are in use.
            self.link(chunk);
        } else if known.used == 0 {
            self.keep_or_give_back(chunk);
        }
    }

    /// Of the chunks without a block in use one stays, for who takes a block and gives it back all the time.
    fn keep_or_give_back(&mut self, chunk: *mut Chunk) {
        if self.empty == 0 {
            self.empty = 1;
            return;
        }
        self.unlink(chunk);
        self.chunks -= 1;
        // SAFETY: the mapping is of this length, and none of its blocks is in use.
        unsafe { libc::munmap(chunk.cast(), PAGE) };
    }

    fn link(&mut self, chunk: *mut Chunk) {
        // SAFETY: both are chunks of the pool, or null.
        unsafe {
            ((*chunk).before, (*chunk).next) = (null_mut(), self.with_room);
            if let Some(next) = self.with_room.as_mut() {
                next.before = chunk;
            }
        }
        self.with_room = chunk;
    }

    fn unlink(&mut self, chunk: *mut Chunk) {
        // SAFETY: as above, and so are its neighbours.
        unsafe {
            let Chunk { before, next, .. } = *chunk;
            match before.as_mut() {
                Some(before) => before.next = next,
                None => self.with_room = next,
            }
            if let Some(next) = next.as_mut() {
                next.before = before;
            }
        }
    }

    /// Makes room, if there is memory for it.
    fn add_chunk(&mut self) {
        let chunk = map_aligned().cast::<Chunk>();
        if chunk.is_null() {
            return;
        }
        let advice = match self.chunks {
            0 => libc::MADV_NOHUGEPAGE,
            _ => libc::MADV_HUGEPAGE,
        };
        // Refused: its pages are what they are by default.
        // SAFETY: the mapping is of this length, and what is in it stays.
        unsafe { libc::madvise(chunk.cast(), PAGE, advice) };
        self.chunks += 1;
        self.empty += 1;
        let known = Chunk {
            before: null_mut(),
            next: null_mut(),
            free: null_mut(),
            touched: 1,
            used: 0,
        };
        // SAFETY: the mapping is new, longer and aligned.
        unsafe { chunk.write(known) };
        self.link(chunk);
    }
}

/// A new mapping of one large page, at a multiple of its length; null where there is no memory.
fn map_aligned() -> *mut u8 {
    let access = libc::PROT_READ | libc::PROT_WRITE;
    let kind = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    // SAFETY: a new mapping at an address of the kernel's choice; nothing else refers to it.
    let mapping = unsafe { libc::mmap(null_mut(), 2 * PAGE, access, kind, -1, 0) };
    if mapping == libc::MAP_FAILED {
        return null_mut();
    }
    let front = mapping.addr().next_multiple_of(PAGE) - mapping.addr();
    let aligned = mapping.cast::<u8>().wrapping_add(front);
    for (unused, length) in [
        (mapping.cast::<u8>(), front),
        (aligned.wrapping_add(PAGE), PAGE - front),
    ] {
        if length > 0 {
            // SAFETY: a part of the mapping that nothing refers to.
            unsafe { libc::munmap(unused.cast(), length) };
        }
    }
    aligned
}

#[cfg(test)]
mod tests {
    use super::{BLOCK, BLOCKS, Pool};

    /// Fills so many blocks with their numbers.
    fn take(pool: &mut Pool, numbers: std::ops::Range<usize>) -> Vec<*mut u8> {
        let fill = |number: usize| {
            let block = pool.take();
            assert!(block.addr().is_multiple_of(BLOCK), "{block:?}");
            // SAFETY: a block is this long, and nobody else's.
            unsafe { block.cast::<[usize; BLOCK / 8]>().write([number; _]) };
            block
        };
        numbers.map(fill).collect()
    }

    fn give_back(pool: &mut Pool, numbers: impl Iterator<Item = usize>, blocks: Vec<*mut u8>) {
        for (number, block) in numbers.zip(blocks) {
            // SAFETY: a block of this pool, which is not used from here on.
            unsafe {
                assert_eq!(block.cast::<[usize; BLOCK / 8]>().read(), [number; _]);
                pool.give_back(block);
            }
        }
    }

    #[test]
    fn blocks_are_apart_whichever_were_given_back() {
        let mut pool = Pool::EMPTY;
        let many = 3 * BLOCKS;
        let blocks = take(&mut pool, 0..many);
        let third = |all: &[*mut u8], part| all.iter().copied().skip(part).step_by(3).collect();
        give_back(&mut pool, (0..many).step_by(3), third(&blocks, 0));
        let others = take(&mut pool, many..2 * many);
        give_back(&mut pool, (1..many).step_by(3), third(&blocks, 1));
        let more = take(&mut pool, 2 * many..3 * many);
        give_back(&mut pool, many.., others);
        give_back(&mut pool, (2..many).step_by(3), third(&blocks, 2));
        give_back(&mut pool, 2 * many.., more);
    }

    #[test]
    fn chunks_without_a_block_in_use_are_given_back_but_for_one() {
        let mut pool = Pool::EMPTY;
        for _ in 0..3 {
            let blocks = take(&mut pool, 0..5 * (BLOCKS - 1));
            assert_eq!((pool.chunks, pool.empty), (5, 0));
            give_back(&mut pool, 0.., blocks);
            assert_eq!((pool.chunks, pool.empty), (1, 1));
        }
    }

    #[test]
    fn a_chunk_stays_where_blocks_come_and_go_at_its_beginning() {
        let mut pool = Pool::EMPTY;
        let all_but_one = take(&mut pool, 0..BLOCKS - 2);
        let mut second = None;
        for _ in 0..3 {
            let two = take(&mut pool, 0..2);
            assert_eq!(*second.get_or_insert(two[1]), two[1], "another chunk");
            give_back(&mut pool, 0.., two);
            assert_eq!((pool.chunks, pool.empty), (2, 1));
        }
        give_back(&mut pool, 0.., all_but_one);
        assert_eq!((pool.chunks, pool.empty), (1, 1));
    }

    #[test]
    fn the_first_chunk_is_in_small_pages_and_all_others_in_large_ones() {
        let mut pool = Pool::EMPTY;
        let blocks = take(&mut pool, 0..3 * (BLOCKS - 1));
        let is_known = crate::probe::large_pages::tests::are_there();
        for (chunk, is_large) in [(0, false), (1, is_known), (2, is_known)] {
            let block = blocks[chunk * (BLOCKS - 1)];
            let asks = crate::probe::large_pages::tests::asks(block.addr());
            assert_eq!(asks, is_large, "{chunk}");
        }
        give_back(&mut pool, 0.., blocks);
    }
}
