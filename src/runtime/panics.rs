//! What becomes of a run when a thread panics: it ends, with nothing of ours left on the hooks.
//!
//! The main thread and the sampler unwind. Where another thread panics, the sampler is asked to stop first: it alone may
//! take filters off.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use std::{panic, process, thread};

use crate::probe::survey::chain::SAMPLER;

/// The exit code of a panic, as Rust has it for the main thread.
const PANICKED: i32 = 101;
/// The sampler looks around at least once a second, and may be waiting for the kernel.
const PATIENCE: Duration = Duration::from_secs(5);
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Whether there is something of ours on the hooks.
static COUNTS: AtomicBool = AtomicBool::new(false);
/// Whether a thread that is not to unwind has panicked.
static IS_OVER: AtomicBool = AtomicBool::new(false);
/// Whether any thread has.
static HAS_PANICKED: AtomicBool = AtomicBool::new(false);

/// A panic of any thread ends the process: the others would wait for it for ever.
pub fn end_with_any_thread() {
    let print = panic::take_hook();
    let main = thread::current().id();
    panic::set_hook(Box::new(move |info| {
        print(info);
        HAS_PANICKED.store(true, Ordering::SeqCst);
        let this = thread::current();
        if this.id() != main && this.name() != Some(SAMPLER) {
            IS_OVER.store(true, Ordering::SeqCst);
            let end = Instant::now() + PATIENCE;
            while COUNTS.load(Ordering::SeqCst) && Instant::now() < end {
                thread::sleep(LOOK_EVERY);
            }
            process::exit(PANICKED);
        }
    }));
}

/// The sampler's own panic ends the process when it has unwound, and taken off the hooks what is ours.
pub fn end_when_unwound<T>(work: impl FnOnce() -> T) -> T {
    panic::catch_unwind(panic::AssertUnwindSafe(work)).unwrap_or_else(|_| process::exit(PANICKED))
}

/// The sampler has put something on the hooks, or taken it off.
pub fn counts(now: bool) {
    COUNTS.store(now, Ordering::SeqCst);
}

/// Whether the sampler is to stop because of another thread's panic.
pub fn is_over() -> bool {
    IS_OVER.load(Ordering::SeqCst)
}

/// In debug builds FLOWTOP_PANIC names a thread that panics: tests see what becomes of the terminal and of the hooks.
pub fn panic_if_asked(thread: &str) {
    if is_asked_for(thread) {
        panic!("asked for by FLOWTOP_PANIC");
    }
}

/// Waits for the panic of another thread that is asked for at this point: what the caller does next comes after it.
pub fn await_if_asked(thread: &str) {
    while is_asked_for(thread) && !HAS_PANICKED.load(Ordering::SeqCst) {
        std::thread::sleep(LOOK_EVERY);
    }
}

fn is_asked_for(thread: &str) -> bool {
    cfg!(debug_assertions) && std::env::var_os("FLOWTOP_PANIC").is_some_and(|it| it == thread)
}
