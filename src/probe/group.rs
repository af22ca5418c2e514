//! Stops the whole process group, with the rights of before.
//!
//! A terminal's Ctrl-Z stops the whole job, and so must we: a shell waits for make, and make for us. But who has given up
//! being root may not signal root's make. The kernel signals on behalf of whoever asked to be told of a pipe.
#![allow(unsafe_code)]

use std::io::{self, PipeReader, PipeWriter, Read as _, Write as _};
use std::os::fd::AsRawFd;
use std::sync::OnceLock;

use nix::fcntl::{FcntlArg, OFlag};
use nix::libc::{F_SETOWN, SIGTSTP, c_int, fcntl};
use nix::unistd::getpgrp;

/// asm-generic/fcntl.h
const F_SETSIG: c_int = 10;

/// While it is armed, whatever is written into it stops the group.
static PIPE: OnceLock<(PipeReader, PipeWriter)> = OnceLock::new();

/// To be called before any right is given up.
pub fn prepare_to_stop() -> io::Result<()> {
    let (reader, writer) = io::pipe()?;
    let group = -getpgrp().as_raw();
    for (command, number) in [(F_SETOWN, group), (F_SETSIG, SIGTSTP)] {
        // SAFETY: a descriptor of ours, and commands that take a number.
        if unsafe { fcntl(reader.as_raw_fd(), command, number) } < 0 {
            return Err(io::Error::last_os_error());
        }
    }
    let _ = PIPE.set((reader, writer));
    Ok(())
}

/// SIGTSTP for the group; returns when this process goes on.
pub fn stop() -> io::Result<()> {
    let Some((mut reader, mut writer)) = PIPE.get().map(|(reader, writer)| (reader, writer)) else {
        return Ok(());
    };
    // Not for longer: a pipe that is closed, when the process ends, signals too.
    nix::fcntl::fcntl(reader, FcntlArg::F_SETFL(OFlag::O_ASYNC))?;
    let stopped = writer.write_all(&[0]);
    nix::fcntl::fcntl(reader, FcntlArg::F_SETFL(OFlag::empty()))?;
    stopped?;
    reader.read_exact(&mut [0])
}
