//! The program's allocator, and how much was asked of it.

use std::alloc::{GlobalAlloc, Layout};
use std::sync::atomic::{AtomicUsize, Ordering};

use flowtop::probe::large_pages::LargePages;

/// Memory as the program has it, counted.
pub struct Counted;

static BYTES: AtomicUsize = AtomicUsize::new(0);

/// Bytes that are in use.
pub fn allocated() -> usize {
    BYTES.load(Ordering::Relaxed)
}

// SAFETY: all is handed on as it came.
unsafe impl GlobalAlloc for Counted {
    // SAFETY: the caller's promise.
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        BYTES.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: as it came.
        unsafe { LargePages.alloc(layout) }
    }

    // SAFETY: the caller's promise.
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        BYTES.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { LargePages.alloc_zeroed(layout) }
    }

    // SAFETY: the caller's promise.
    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        BYTES.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { LargePages.dealloc(memory, layout) };
    }

    // SAFETY: the caller's promise.
    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        BYTES.fetch_add(size, Ordering::Relaxed);
        BYTES.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { LargePages.realloc(memory, layout, size) }
    }
}
