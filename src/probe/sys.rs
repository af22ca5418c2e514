//! The few things that only raw system interfaces give: mapped BPF arrays and the monotonic clock.
//!
//! A mapped array is changed by the kernel program while it is read: it is only ever accessed by volatile copies of
//! values or of some of their words, and by atomics on single words, never by references.
#![allow(unsafe_code)]

use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::num::NonZeroUsize;
use std::ops::Range;
use std::os::fd::AsFd;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, AtomicU64};

use anyhow::{Context, Result};
use nix::sys::mman::{MapFlags, ProtFlags, mmap, mmap_anonymous, munmap};
use nix::time::{ClockId, clock_gettime};
use plain::Plain;

use crate::ahead;

/// Of asm-generic/mman-common.h.
const MADV_COLLAPSE: i32 = 25;

/// CLOCK_MONOTONIC of this process, ns; that of arrivals is [`super::clock`]'s.
pub fn monotonic_ns() -> u64 {
    ns_of(ClockId::CLOCK_MONOTONIC)
}

/// CLOCK_BOOTTIME of this process, ns: it goes on while the machine sleeps.
pub fn boot_ns() -> u64 {
    ns_of(ClockId::CLOCK_BOOTTIME)
}

fn ns_of(clock: ClockId) -> u64 {
    clock_gettime(clock).map_or(0, |now| {
        now.tv_sec() as u64 * 1_000_000_000 + now.tv_nsec() as u64
    })
}

/// The values of a BPF array with BPF_F_MMAPABLE, or of one in this process, as memory. Any bit pattern that the program leaves
/// there is a `T`.
#[derive(Debug)]
pub struct MappedArray<T: Plain + Copy> {
    memory: NonNull<std::ffi::c_void>,
    /// Of a mapping of its own; 0: it has none.
    bytes: usize,
    len: usize,
    values: PhantomData<T>,
}

// SAFETY: the memory belongs to this value alone until it is dropped, and is accessed only as described above.
unsafe impl<T: Plain + Copy + Send> Send for MappedArray<T> {}

impl<T: Plain + Copy> MappedArray<T> {
    /// Maps the `len` values of the array behind `map`; they lie there one behind the other only if each fills its words.
    pub fn new(map: impl AsFd, len: usize) -> Result<MappedArray<T>> {
        let length = Self::length(len)?;
        // SAFETY: a new mapping at an address of the kernel's choice; nothing else refers to it.
        let memory = unsafe {
            mmap(
                None,
                length,
                ProtFlags::PROT_READ | ProtFlags::PROT_WRITE,
                MapFlags::MAP_SHARED,
                map,
                0,
            )
        }
        .context("map the flow table's memory")?;
        Ok(MappedArray {
            memory,
            bytes: length.get(),
            len,
            values: PhantomData,
        })
    }

    /// The same in memory of this process alone, all zero; what is never touched takes none.
    pub fn of_process(len: usize) -> Result<MappedArray<T>> {
        let length = Self::length(len)?;
        // SAFETY: as in `new`.
        let memory = unsafe {
            let access = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
            let flags = MapFlags::MAP_PRIVATE | MapFlags::MAP_NORESERVE;
            mmap_anonymous(None, length, access, flags)
        }
        .context("make room for the flow table")?;
        Ok(MappedArray {
            memory,
            bytes: length.get(),
            len,
            values: PhantomData,
        })
    }

    /// Puts what is in use into large pages, where the kernel has them (Linux 6.1): entries that lie far apart are found sooner.
    pub fn use_large_pages(&self) {
        // SAFETY: the mapping is this value's own, and its contents stay.
        unsafe { nix::libc::madvise(self.memory.as_ptr(), self.bytes, MADV_COLLAPSE) };
    }

    /// A single value that stays where it is as long as the process runs.
    ///
    /// # Safety
    ///
    /// Nobody accesses it in another way than described above.
    // SAFETY: the caller's promise.
    pub unsafe fn of_value(value: NonNull<T>) -> MappedArray<T> {
        MappedArray {
            memory: value.cast(),
            bytes: 0,
            len: 1,
            values: PhantomData,
        }
    }

    /// Bytes of a mapping of so many values, in whole pages.
    fn length(len: usize) -> Result<NonZeroUsize> {
        const { assert!(size_of::<T>().is_multiple_of(8)) };
        let bytes = len
            .checked_mul(size_of::<T>())
            .and_then(|bytes| bytes.checked_next_multiple_of(page_size()))
            .context("no address space has room for the array")?;
        NonZeroUsize::new(bytes).context("an array without values cannot be mapped")
    }

    /// Where the values begin.
    pub fn start(&self) -> NonNull<std::ffi::c_void> {
        self.memory
    }

    /// Number of values.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    fn at(&self, index: usize) -> *mut T {
        if index >= self.len {
            out_of_bounds(index, self.len);
        }
        // SAFETY: within the mapping, by the line above.
        unsafe { self.memory.cast::<T>().as_ptr().add(index) }
    }

    /// A copy of one value: each word of it is whole, the words may be of different moments.
    #[inline]
    pub fn read(&self, index: usize) -> T {
        self.read_part(index, 0..size_of::<T>())
    }

    /// The same, of which these bytes are read, whole words; all others are zero.
    #[inline]
    pub fn read_part(&self, index: usize, part: Range<usize>) -> T {
        assert!(part.start.is_multiple_of(8) && part.end.is_multiple_of(8));
        assert!(part.end <= size_of::<T>());
        let mut value = MaybeUninit::<T>::zeroed();
        let (from, to) = (
            self.at(index).cast::<u64>(),
            value.as_mut_ptr().cast::<u64>(),
        );
        for word in part.start / 8..part.end / 8 {
            // SAFETY: in bounds and aligned (page-aligned start, sizes of a multiple of 8), and so is the copy but for
            // its alignment.
            unsafe { to.add(word).write_unaligned(from.add(word).read_volatile()) };
        }
        // SAFETY: all words are zero or written, and any bit pattern is a plain T.
        unsafe { value.assume_init() }
    }

    /// Asks for one of a value's cache lines before it is needed; beyond the end for nothing that is used.
    #[inline]
    pub fn ask_for(&self, index: usize, line: usize) {
        let start = self.memory.cast::<T>().as_ptr().wrapping_add(index);
        ahead::ask_for_line(start.cast::<u8>().wrapping_add(line * ahead::CACHE_LINE));
    }

    /// Replaces one value that no program writes.
    pub fn write(&self, index: usize, value: T) {
        // SAFETY: as in `read`.
        unsafe { self.at(index).write_volatile(value) }
    }

    /// Replaces the values of a range, not empty, that no program writes by this one.
    pub fn fill(&self, range: Range<usize>, value: T) {
        let (mut at, last) = (self.at(range.start), self.at(range.end - 1));
        while at <= last {
            // SAFETY: as in `write`: from the first to the last, which are both in bounds.
            unsafe {
                at.write_volatile(value);
                at = at.add(1);
            }
        }
    }

    /// The 64-bit word at `offset` bytes of a value, for atomic access.
    pub fn word(&self, index: usize, offset: usize) -> &AtomicU64 {
        assert!(offset.is_multiple_of(8) && offset + 8 <= size_of::<T>());
        // SAFETY: in bounds and aligned by the assertion; others change it by whole words only.
        unsafe { AtomicU64::from_ptr(self.at(index).cast::<u8>().add(offset).cast()) }
    }

    /// The 32-bit word at `offset` bytes of a value, for atomic access.
    pub fn half_word(&self, index: usize, offset: usize) -> &AtomicU32 {
        assert!(offset.is_multiple_of(4) && offset + 4 <= size_of::<T>());
        // SAFETY: in bounds and aligned by the assertion; others change it by whole words only.
        unsafe { AtomicU32::from_ptr(self.at(index).cast::<u8>().add(offset).cast()) }
    }
}

impl<T: Plain + Copy> Drop for MappedArray<T> {
    fn drop(&mut self) {
        if self.bytes > 0 {
            // SAFETY: the mapping made in `new` or `of_process`, and no borrow of it is left.
            let _ = unsafe { munmap(self.memory, self.bytes) };
        }
    }
}

/// Apart from where values are read: its arguments would be kept ready there.
#[cold]
#[inline(never)]
fn out_of_bounds(index: usize, len: usize) -> ! {
    panic!("index {index} of {len} mapped values")
}

fn page_size() -> usize {
    nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE)
        .ok()
        .flatten()
        .map_or(4096, |size| size as usize)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt;
    use std::sync::atomic::Ordering;

    use super::*;

    /// As much as a flow's counters, and more than fits into a page evenly.
    const LEN: usize = 100;

    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    #[repr(C)]
    struct CacheLine([u64; 8]);
    // SAFETY: integers.
    unsafe impl Plain for CacheLine {}

    fn mapped() -> (std::fs::File, MappedArray<CacheLine>) {
        let file = tempfile::tempfile().expect("a file");
        file.set_len(LEN as u64 * 64).expect("room");
        let array = MappedArray::new(&file, LEN).expect("a mapping");
        (file, array)
    }

    #[test]
    fn values_are_where_the_kernel_has_them() {
        let (file, array) = mapped();
        assert_eq!((array.len(), array.is_empty()), (LEN, false));
        for index in 0..LEN {
            array.write(index, CacheLine([index as u64; 8]));
        }
        array.word(LEN - 1, 56).store(7, Ordering::Relaxed);
        array.half_word(1, 4).store(9, Ordering::Relaxed);
        let mut bytes = [0; 8];
        file.read_exact_at(&mut bytes, LEN as u64 * 64 - 8)
            .expect("bytes");
        assert_eq!(u64::from_ne_bytes(bytes), 7);
        file.write_all_at(&5u64.to_ne_bytes(), 64 * 3)
            .expect("bytes");
        assert_eq!(array.read(3), CacheLine([5, 3, 3, 3, 3, 3, 3, 3]));
        assert_eq!(array.read(1).0[0].to_ne_bytes()[4..], 9u32.to_ne_bytes());
    }

    #[test]
    fn nothing_outside_of_the_values_can_be_reached() {
        let (_file, array) = mapped();
        let panics = |touch: &dyn Fn()| {
            let touch = std::panic::AssertUnwindSafe(touch);
            std::panic::catch_unwind(touch).is_err()
        };
        assert!(panics(&|| _ = array.read(LEN)));
        assert!(panics(&|| array.write(LEN, CacheLine([0; 8]))));
        assert!(panics(&|| _ = array.word(LEN, 0)));
        assert!(panics(&|| _ = array.word(0, 64)));
        assert!(panics(&|| _ = array.word(0, 4)));
        assert!(panics(&|| _ = array.half_word(0, 62)));
        assert!(panics(&|| _ = array.half_word(usize::MAX, 0)));
    }

    #[test]
    fn an_array_beyond_all_memory_is_refused() {
        let file = tempfile::tempfile().expect("a file");
        for len in [usize::MAX, usize::MAX / 64, usize::MAX / 64 + 1, 0] {
            assert!(MappedArray::<CacheLine>::new(&file, len).is_err(), "{len}");
        }
    }

    #[test]
    fn the_monotonic_clock_never_goes_back() {
        let (first, second) = (monotonic_ns(), monotonic_ns());
        assert!(0 < first && first <= second);
    }
}
