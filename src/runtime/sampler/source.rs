//! The file or stream that a capture is read from: its thread waits here, and does what it is asked for meanwhile.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::os::fd::AsFd;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;
use std::rc::Rc;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd::dup2_stdin;

use super::player::Player;
use crate::probe::interfaces::display_name;

/// A capture that is open.
#[derive(Debug)]
pub struct CaptureFile {
    /// As messages call it.
    pub name: String,
    file: File,
    /// Bytes of a regular file.
    pub size: Option<u64>,
}

impl CaptureFile {
    /// Opens the file of this name, and waits until there are bytes in it; `-` is standard input. Where there is a screen, keys
    /// then come from the terminal.
    pub fn open(path: &Path, has_screen: bool) -> io::Result<CaptureFile> {
        let is_input = path.as_os_str() == "-";
        let file = match is_input {
            true => take_input(has_screen)?,
            false => File::open(path)?,
        };
        let of_file = file.metadata()?;
        let kind = of_file.file_type();
        if kind.is_dir() || kind.is_block_device() {
            return Err(io::Error::other("it is no file"));
        }
        let mut fds = [PollFd::new(file.as_fd(), PollFlags::POLLIN)];
        poll(&mut fds, PollTimeout::NONE)?;
        let name = match is_input {
            true => "standard input".to_owned(),
            false => display_name(path.as_os_str()),
        };
        let size = of_file.is_file().then_some(of_file.len());
        Ok(CaptureFile { name, file, size })
    }
}

/// Standard input, in whose place a screen gets the terminal itself.
fn take_input(has_screen: bool) -> io::Result<File> {
    let input = io::stdin();
    if input.is_terminal() {
        let text = "it is a terminal (send a capture into it: tcpdump -U -w - | flowtop -r -)";
        return Err(io::Error::other(text));
    }
    let file = File::from(input.as_fd().try_clone_to_owned()?);
    if has_screen {
        dup2_stdin(File::options().read(true).write(true).open("/dev/tty")?)?;
    }
    Ok(file)
}

/// The bytes of a capture, for who decodes them.
pub struct Source {
    file: File,
    player: Rc<RefCell<Player>>,
}

impl Source {
    /// Of that file, for the player of this thread.
    pub fn new(file: CaptureFile, player: Rc<RefCell<Player>>) -> Source {
        Source {
            file: file.file,
            player,
        }
    }
}

impl Read for Source {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if !self.player.borrow_mut().await_bytes(self.file.as_fd()) {
            return Err(io::Error::other("the run has ended"));
        }
        let bytes = self.file.read(into)?;
        self.player.borrow_mut().has_read(bytes);
        Ok(bytes)
    }
}
