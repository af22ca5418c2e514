//! A thread that panics ends the run, and leaves nothing of ours on the hooks.
//!
//! The main thread and the sampler unwind. If another thread panics, the sampler is asked to stop first: it alone may
//! remove filters.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use std::{panic, process, thread};

use crate::probe::survey::chain::SAMPLER;

/// The exit code of a panic, as Rust has it for the main thread.
const PANICKED: i32 = 101;
/// The sampler notices within a second, unless it is waiting for the kernel.
const PATIENCE: Duration = Duration::from_secs(5);
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Whether our program is on hooks.
static COUNTS: AtomicBool = AtomicBool::new(false);
/// Whether the process is about to end by a thread that does not unwind.
static IS_OVER: AtomicBool = AtomicBool::new(false);
/// Whether any thread has panicked.
static HAS_PANICKED: AtomicBool = AtomicBool::new(false);

/// Makes a panic of any thread end the process: the others would wait for it forever.
pub fn end_with_any_thread() {
    let print = panic::take_hook();
    let main = thread::current().id();
    panic::set_hook(Box::new(move |info| {
        print(info);
        HAS_PANICKED.store(true, Ordering::SeqCst);
        let this = thread::current();
        if this.id() != main && this.name() != Some(SAMPLER) {
            end_for_all(PANICKED);
        }
    }));
}

/// Ends the process from a thread that is neither of the two that unwind, once the sampler has removed our program from
/// the hooks.
pub fn end_for_all(code: i32) -> ! {
    IS_OVER.store(true, Ordering::SeqCst);
    let end = Instant::now() + PATIENCE;
    while COUNTS.load(Ordering::SeqCst) && Instant::now() < end {
        thread::sleep(LOOK_EVERY);
    }
    process::exit(code)
}

/// Makes a panic of the sampler end the process once it has unwound and removed our program from the hooks.
pub fn end_when_unwound<T>(work: impl FnOnce() -> T) -> T {
    panic::catch_unwind(panic::AssertUnwindSafe(work)).unwrap_or_else(|_| process::exit(PANICKED))
}

/// The sampler has attached our program to hooks, or removed it.
pub fn counts(now: bool) {
    COUNTS.store(now, Ordering::SeqCst);
}

/// Whether the sampler is to stop because another thread is about to end the process.
pub fn is_over() -> bool {
    IS_OVER.load(Ordering::SeqCst)
}

/// In debug builds FLOWTOP_PANIC names a thread that is to panic: tests see what becomes of the terminal and the hooks.
pub fn panic_if_asked(thread: &str) {
    if is_asked_for(thread) {
        panic!("asked for by FLOWTOP_PANIC");
    }
}

/// If another thread is to panic at this point, waits until it has.
pub fn await_if_asked(thread: &str) {
    while is_asked_for(thread) && !HAS_PANICKED.load(Ordering::SeqCst) {
        std::thread::sleep(LOOK_EVERY);
    }
}

fn is_asked_for(thread: &str) -> bool {
    cfg!(debug_assertions) && std::env::var_os("FLOWTOP_PANIC").is_some_and(|it| it == thread)
}
