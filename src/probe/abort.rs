//! Gives the terminal back where the process aborts: memory that cannot be had, a stack that ends, a panic in a panic.
//!
//! Nothing unwinds then, and no hook runs; the C library raises SIGABRT and ends the process when its handler returns.
#![allow(unsafe_code)]

use std::io::{self, stdin};

use nix::libc::{STDERR_FILENO, STDIN_FILENO, STDOUT_FILENO, TCSANOW, tcsetattr, termios, write};
use nix::sys::termios::tcgetattr;
use signal_hook::consts::SIGABRT;

/// What stands on the terminal in the end. Rust has said more, on a screen that is gone.
const LAST_WORDS: &[u8] =
    b"flowtop: aborted: memory could not be had, or something failed that must not fail\n";

/// From here on an abort gives the terminal of standard input and output back as it is now, by its modes and by what
/// `farewell` does to its screen.
pub fn keep_terminal(farewell: &'static [u8]) -> io::Result<()> {
    let modes = termios::from(tcgetattr(stdin())?);
    let give_back = move || {
        // SAFETY: `farewell` and LAST_WORDS are as long as they say and live as long as the process, as the modes do.
        unsafe {
            write(STDOUT_FILENO, farewell.as_ptr().cast(), farewell.len());
            tcsetattr(STDIN_FILENO, TCSANOW, &modes);
            write(STDERR_FILENO, LAST_WORDS.as_ptr().cast(), LAST_WORDS.len());
        }
    };
    // SAFETY: the handler makes system calls and touches nothing else: no memory is asked for, no lock is taken.
    unsafe { signal_hook::low_level::register(SIGABRT, give_back) }?;
    Ok(())
}
