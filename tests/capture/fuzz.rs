//! Any bytes at all as a capture, from libFuzzer: `make fuzz-captures` builds and runs this.
//!
//! Whatever they are, reading them comes to an end in bounded memory, says only what can be, and says the same however the bytes
//! come in.
#![no_main]

#[path = "samples.rs"]
#[allow(dead_code)]
mod samples;
#[path = "write.rs"]
#[allow(dead_code)]
mod write;

use std::alloc::{GlobalAlloc, Layout, System};
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Cursor;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use flowtop::capture::timeline::Timeline;
use flowtop::capture::{Capture, Fault, Item};

use write::{Drops, gzip, zstd};

/// The longest window of a compressed file and a block behind it, the pieces that it is read in, and some.
const MOST_BYTES: usize = 112 << 20;
/// A file of a few bytes may stand for gigabytes.
const MOST_ITEMS: usize = 200_000;
/// Interfaces that are told apart, and all others.
const MOST_INTERFACES: usize = 1001;

/// Bytes that are allocated.
static ALLOCATED: AtomicUsize = AtomicUsize::new(0);

struct Bounded;

// SAFETY: the system's allocator does all of it.
unsafe impl GlobalAlloc for Bounded {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        grow(layout.size());
        // SAFETY: the caller's promise is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        grow(layout.size());
        // SAFETY: the caller's promise is the same.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        ALLOCATED.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promise is the same.
        unsafe { System.dealloc(memory, layout) }
    }
}

fn grow(bytes: usize) {
    let before = ALLOCATED.fetch_add(bytes, Ordering::Relaxed);
    if before + bytes > MOST_BYTES {
        // A message would need memory.
        std::process::abort();
    }
}

#[global_allocator]
static ALLOCATOR: Bounded = Bounded;

/// Writes the files that tests read as a beginning, where `FLOWTOP_FUZZ_SEEDS` says so.
#[unsafe(no_mangle)]
extern "C" fn LLVMFuzzerInitialize(_: *mut i32, _: *mut *mut *mut u8) -> i32 {
    let Some(folder) = std::env::var_os("FLOWTOP_FUZZ_SEEDS").map(PathBuf::from) else {
        return 0;
    };
    for (name, file) in samples::files() {
        for (kind, bytes) in [
            ("", &file),
            (" gzip", &gzip(&file)),
            (" zstd", &zstd(&file)),
        ] {
            fs::write(folder.join(format!("{name}{kind}")), bytes).expect("write");
        }
    }
    0
}

#[unsafe(no_mangle)]
extern "C" fn LLVMFuzzerTestOneInput(data: *const u8, size: usize) -> i32 {
    let bytes = match size {
        0 => &[],
        // SAFETY: libFuzzer's promise.
        _ => unsafe { std::slice::from_raw_parts(data, size) },
    };
    let [at_once, in_pieces] = [size.max(1), 1 + size % 97].map(|piece| read(bytes, piece));
    let items = at_once.items.len().min(in_pieces.items.len());
    assert_eq!(at_once.items[..items], in_pieces.items[..items]);
    // Where what is compressed is damaged, it depends on the pieces how much before that is still found.
    let is_skippable = matches!(bytes, [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..]);
    let is_compressed =
        is_skippable || bytes.starts_with(&[0x1f, 0x8b]) || bytes.starts_with(&[0x28, 0xb5]);
    if !is_compressed || at_once.fault.is_none() || in_pieces.fault.is_none() {
        assert_eq!(at_once, in_pieces);
    }
    0
}

/// What is read.
#[derive(Debug, PartialEq, Eq)]
struct Whole {
    /// A digest of each item.
    items: Vec<u64>,
    /// How it ends, where that is not as it should.
    fault: Option<String>,
}

/// Reads bytes that come in pieces of this size.
fn read(bytes: &[u8], piece: usize) -> Whole {
    let reader = Drops(Cursor::new(bytes.to_vec()), piece);
    let mut items = Vec::new();
    let fault = match Capture::open(reader) {
        Ok(capture) => read_all(capture, &mut items),
        Err(fault) => Some(fault),
    };
    let fault = fault.map(|fault| fault.to_string());
    Whole { items, fault }
}

fn digest(item: impl Hash) -> u64 {
    let mut digest = DefaultHasher::new();
    item.hash(&mut digest);
    digest.finish()
}

fn read_all(mut capture: Capture, items: &mut Vec<u64>) -> Option<Fault> {
    let mut timeline = Timeline::default();
    let mut known = 0;
    for _ in 0..MOST_ITEMS {
        items.push(match capture.next_item() {
            Ok(Some(Item::Packet(packet))) => {
                assert!(packet.interface < known);
                let bytes = capture.bytes(&packet);
                assert!(bytes.len() <= packet.length as usize);
                let settled = timeline.settled_ns();
                let ns = timeline.place(packet.interface, packet.time_ns);
                assert!(ns >= settled);
                timeline.pass(packet.interface, ns);
                digest((packet.interface, packet.time_ns, packet.length, bytes))
            }
            Ok(Some(Item::Dropped { interface, packets })) => {
                assert!(interface < known);
                digest((interface, packets))
            }
            Ok(Some(Item::Unplaced)) => digest("unplaced"),
            Ok(Some(Item::Described(index))) => {
                assert_eq!(index, known);
                known += 1;
                let interface = &capture.interfaces()[index];
                digest((&interface.name, interface.link_type))
            }
            Ok(None) => break,
            Err(fault) => return Some(fault),
        });
        assert!(capture.interfaces().len() == known && known <= MOST_INTERFACES);
    }
    None
}
