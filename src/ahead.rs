//! Asks the processor for memory before it is needed: a hint, which changes nothing but the time that is waited for it.
//!
//! A processor that goes through a list asks for what comes next by itself, but not beyond the 4 KB that it is at: of a million
//! flows, each tenth would be waited for again. Knows nothing of what is in a list.
#![allow(unsafe_code)]

/// Bytes that memory comes in.
pub const CACHE_LINE: usize = 64;

/// Asks for a value: for a cache line at its beginning and behind each 64 bytes of it. Where it does not begin with a line, its last
/// bytes may be in one more, which is the first one of what comes next.
#[inline]
pub fn ask_for<T>(value: &T) {
    for offset in (0..size_of::<T>()).step_by(CACHE_LINE) {
        ask_for_line(std::ptr::from_ref(value).cast::<u8>().wrapping_add(offset));
    }
}

/// Asks for one of a list's values; beyond its end for nothing.
#[inline]
pub fn ask_for_item<T>(list: &[T], index: usize) {
    if let Some(value) = list.get(index) {
        ask_for(value);
    }
}

/// Asks for the cache line that this address is in, whatever there is.
#[inline]
pub fn ask_for_line(at: *const u8) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a hint reads nothing that a program could notice, wherever it points to.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(at.cast());
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: as above.
    unsafe {
        std::arch::asm!("prfm pldl1keep, [{}]", in(reg) at, options(nostack, readonly, preserves_flags));
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    let _ = at;
}
