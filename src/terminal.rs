//! The terminal: taking it over, restoring it whatever happens, and its input.
//!
//! [`Console`] owns the alternate screen and raw mode, and restores both when it is dropped, when
//! any thread panics and while it is suspended. [`Input`] turns bytes and signals into messages
//! and detects hang-ups: a terminal that is gone must not end in a busy loop.

mod input;

use std::cell::Cell;
use std::io::{self, BufWriter, ErrorKind, IsTerminal, Stdout, Write, stdin, stdout};
use std::mem::ManuallyDrop;
use std::os::fd::AsFd;
use std::panic;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crossterm::cursor::Show;
use crossterm::event::{DisableMouseCapture, EnableMouseCapture};
use crossterm::terminal::{
    BeginSynchronizedUpdate, EndSynchronizedUpdate, EnterAlternateScreen, LeaveAlternateScreen,
    disable_raw_mode, enable_raw_mode,
};
use crossterm::{execute, queue};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::termios::{SetArg, SpecialCharacterIndices, tcgetattr, tcsetattr};
use ratatui::backend::CrosstermBackend;
use ratatui::layout::Rect;
use ratatui::{Frame, Terminal, TerminalOptions, Viewport};

pub use input::{Input, Wake};

/// Whether the screen is ours: the panic hook and the guard restore it once.
static ENTERED: AtomicBool = AtomicBool::new(false);
/// Held while the terminal is written to. A thread that panics keeps it for good: no frame follows its last words.
static TURN: Mutex<()> = Mutex::new(());
/// Writes to the terminal that have begun, and those that have ended: odd while one is under way.
static WRITES: AtomicU64 = AtomicU64::new(0);

/// How often a write under way is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// The largest frame, columns and lines: frames take memory, and a terminal may claim any size.
const LARGEST: (u16, u16) = (1000, 500);

/// What a terminal is taken for that does not know its size: columns and lines.
const USUAL: (u16, u16) = (80, 24);

/// What restores the screen where [`Console`] cannot; the same as `leave` writes.
pub const FAREWELL: &[u8] =
    b"\x1b[?2026l\x1b[?1006l\x1b[?1015l\x1b[?1003l\x1b[?1002l\x1b[?1000l\x1b[?1049l\x1b[?25h";

/// The screen, as long as it is ours.
pub struct Console {
    /// Never dropped: ratatui's drop prints to standard error if the terminal is gone, and that
    /// panics. [`leave`] does what is needed.
    terminal: ManuallyDrop<Terminal<CrosstermBackend<BufWriter<Patient<Stdout>>>>>,
    mouse: bool,
    /// The screen does not show what was drawn last.
    stale: bool,
}

/// Checks whether a dashboard can be shown; the error is one line that says what to do instead.
pub fn check() -> Result<(), String> {
    const WHAT: &str = "open the dashboard";
    const INSTEAD: &str = "use --text or --json";
    if !stdout().is_terminal() {
        return Err(format!(
            "{WHAT}: standard output is not a terminal ({INSTEAD})"
        ));
    }
    if !stdin().is_terminal() {
        return Err(format!(
            "{WHAT}: standard input is not a terminal ({INSTEAD})"
        ));
    }
    match std::env::var("TERM") {
        Ok(term) if term == "dumb" => Err(format!(
            "{WHAT}: TERM=dumb cannot move the cursor ({INSTEAD})"
        )),
        _ => Ok(()),
    }
}

/// SIGTSTP from outside no longer stops the process behind our back: [`Input`] reads it as [`Wake::Stop`].
///
/// Call it before the first thread is started: threads inherit it, and one that did not would stop them all.
pub fn hold_stops() -> io::Result<()> {
    Ok(stops().thread_block()?)
}

fn stops() -> SigSet {
    SigSet::from(Signal::SIGTSTP)
}

/// Colours even if NO_COLOR is set, which crossterm honours by itself.
pub fn force_colours() {
    crossterm::style::force_color_output(true);
}

impl Console {
    /// Takes the terminal over. Call [`check`] first: its errors are better.
    ///
    /// If a thread has panicked, this blocks until that thread ends the process.
    pub fn open(mouse: bool) -> io::Result<Console> {
        {
            let _turn = lock_turn();
            enter(mouse).inspect_err(|_| leave())?;
        }
        let backend = CrosstermBackend::new(BufWriter::with_capacity(1 << 16, output()));
        let made = largest_size().and_then(|(width, height)| {
            let viewport = Viewport::Fixed(Rect::new(0, 0, width, height));
            Terminal::with_options(backend, TerminalOptions { viewport })
        });
        match made {
            Ok(terminal) => Ok(Console {
                terminal: ManuallyDrop::new(terminal),
                mouse,
                stale: false,
            }),
            Err(error) => {
                leave();
                Err(error)
            }
        }
    }

    /// The present size, columns and lines, at most the largest frame's.
    pub fn size(&self) -> io::Result<(u16, u16)> {
        largest_size()
    }

    /// Draws a frame; an error means that the terminal is gone.
    pub fn draw(&mut self, render: impl FnOnce(&mut Frame)) -> io::Result<()> {
        let _turn = lock_turn();
        queue!(self.terminal.backend_mut(), BeginSynchronizedUpdate)?;
        if std::mem::take(&mut self.stale) {
            // Terminal::clear would ask the terminal for its cursor and wait for the answer.
            let (width, height) = largest_size()?;
            self.terminal.resize(Rect::new(0, 0, width, height))?;
        }
        self.terminal.draw(render)?;
        execute!(self.terminal.backend_mut(), EndSynchronizedUpdate)
    }

    /// Draws the next frame as a whole: the terminal had another size, if only for a moment, and its
    /// cells are unknown.
    pub fn redraw_all(&mut self) {
        self.stale = true;
    }

    /// Captures the mouse, or leaves it to the terminal.
    pub fn capture_mouse(&mut self, on: bool) -> io::Result<()> {
        let _turn = lock_turn();
        self.mouse = on;
        match on {
            true => execute!(output(), EnableMouseCapture),
            false => execute!(output(), DisableMouseCapture),
        }
    }

    /// Restores the terminal, stops the job, and takes the terminal over again when it continues.
    ///
    /// `stop` stops the whole process group, as Ctrl-Z does at a shell: whatever started flowtop stops too.
    pub fn suspend(&mut self, stop: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        leave();
        stops().thread_unblock()?;
        let stopped = stop();
        stops().thread_block()?;
        stopped?;
        self.resume()
    }

    /// Takes the terminal over again after somebody else had it (SIGCONT).
    pub fn resume(&mut self) -> io::Result<()> {
        let _turn = lock_turn();
        // A shell may have restored its own modes meanwhile, which the saved state would hide.
        let _ = disable_raw_mode();
        enter(self.mouse)?;
        self.stale = true;
        Ok(())
    }
}

impl Drop for Console {
    fn drop(&mut self) {
        leave();
    }
}

/// The size of the terminal, or of the part that is drawn. One that does not know it, as a serial line, says 0.
fn largest_size() -> io::Result<(u16, u16)> {
    let (width, height) = crossterm::terminal::size()?;
    let known = |told: u16, usual, largest| match told {
        0 => usual,
        told => told.min(largest),
    };
    Ok((
        known(width, USUAL.0, LARGEST.0),
        known(height, USUAL.1, LARGEST.1),
    ))
}

fn enter(mouse: bool) -> io::Result<()> {
    enable_raw_mode()?;
    ENTERED.store(true, Ordering::SeqCst);
    read_without_waiting()?;
    execute!(output(), EnterAlternateScreen)?;
    if mouse {
        execute!(output(), EnableMouseCapture)?;
    }
    Ok(())
}

/// A reading of what is not there returns at once. Where bytes make no event yet, crossterm reads on until there is nothing more:
/// half an escape sequence would hold up everything until the next key. Raw mode's end takes this back, too.
fn read_without_waiting() -> io::Result<()> {
    let mut modes = tcgetattr(stdin())?;
    modes.control_chars[SpecialCharacterIndices::VMIN as usize] = 0;
    modes.control_chars[SpecialCharacterIndices::VTIME as usize] = 0;
    Ok(tcsetattr(stdin(), SetArg::TCSANOW, &modes)?)
}

/// Restores the terminal if it is ours. On a dead terminal all of this fails, and that is fine.
fn leave() {
    if !ENTERED.swap(false, Ordering::SeqCst) {
        return;
    }
    let mut out = output();
    let _ = execute!(out, EndSynchronizedUpdate, DisableMouseCapture);
    let _ = disable_raw_mode();
    let _ = execute!(out, LeaveAlternateScreen, Show);
    let _ = out.flush();
}

/// Gives the terminal its modes back and writes nothing to it, as it takes nothing.
pub fn restore_modes() {
    let _ = disable_raw_mode();
}

/// Whether the terminal takes nothing for this long of what is written to it; looks on as long as it takes something: a
/// signal cuts a write short, and the next one stands still as well.
pub fn takes_nothing(patience: Duration) -> bool {
    let (mut writes, mut since) = (WRITES.load(Ordering::SeqCst), Instant::now());
    loop {
        thread::sleep(LOOK_EVERY);
        let now = WRITES.load(Ordering::SeqCst);
        if now != writes {
            (writes, since) = (now, Instant::now());
        } else if now.is_multiple_of(2) {
            return false;
        } else if since.elapsed() >= patience {
            return true;
        }
    }
}

/// Standard output, for all that is written to the terminal.
pub fn output() -> Patient<Stdout> {
    Patient(stdout())
}

/// Waits until there may be room to write.
pub fn await_room(output: &impl AsFd) {
    let mut fds = [PollFd::new(output.as_fd(), PollFlags::POLLOUT)];
    // If interrupted, it is tried again anyway.
    let _ = poll(&mut fds, PollTimeout::NONE);
}

/// Waits for room also where another process that has the same terminal has made it O_NONBLOCK.
pub struct Patient<W>(W);

impl<W: Write + AsFd> Patient<W> {
    fn insist<T>(&mut self, write: impl Fn(&mut W) -> io::Result<T>) -> io::Result<T> {
        WRITES.fetch_add(1, Ordering::SeqCst);
        let written = loop {
            match write(&mut self.0) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    await_room(&self.0);
                }
                written => break written,
            }
        };
        WRITES.fetch_add(1, Ordering::SeqCst);
        written
    }
}

impl<W: Write + AsFd> Write for Patient<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.insist(|to| to.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.insist(W::flush)
    }
}

fn lock_turn() -> MutexGuard<'static, ()> {
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes the turn for good; a thread that panics again while unwinding has it already.
fn keep_turn() {
    thread_local! { static IS_KEPT: Cell<bool> = const { Cell::new(false) } }
    if !IS_KEPT.replace(true) {
        std::mem::forget(lock_turn());
    }
}

/// A thread that panics restores the terminal before it says why, and nobody takes it over again.
///
/// Call it on the thread that draws, before any other is started: one that panics before the screen is opened keeps it
/// from being opened.
pub fn restore_before_panic() {
    let print = panic::take_hook();
    let drawing = thread::current().id();
    panic::set_hook(Box::new(move |info| {
        // The thread that draws may be having its turn right now. It gets no other.
        if thread::current().id() != drawing {
            keep_turn();
        }
        leave();
        print(info);
    }));
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::unix::net::UnixStream;
    use std::sync::mpsc::channel;

    use crossterm::Command;

    use super::*;

    #[test]
    fn the_farewell_is_what_is_written_otherwise() {
        let mut text = String::new();
        let written = [
            EndSynchronizedUpdate.write_ansi(&mut text),
            DisableMouseCapture.write_ansi(&mut text),
            LeaveAlternateScreen.write_ansi(&mut text),
            Show.write_ansi(&mut text),
        ];
        assert!(written.iter().all(Result::is_ok));
        assert_eq!(text.as_bytes(), FAREWELL);
    }

    #[test]
    fn what_would_block_is_written_once_there_is_room() {
        let (near, mut far) = UnixStream::pair().expect("a pair");
        near.set_nonblocking(true).expect("a mode");
        // More than fits into the pair.
        let bytes = vec![7; 4 << 20];
        let length = bytes.len();
        let writer = std::thread::spawn(move || Patient(near).write_all(&bytes));
        let mut read = Vec::new();
        far.read_to_end(&mut read).expect("all of it");
        writer.join().expect("no panic").expect("written");
        assert_eq!(read.len(), length);
    }

    #[test]
    fn a_thread_that_panics_twice_does_not_wait_for_itself() {
        let (done, is_done) = channel();
        std::thread::spawn(move || {
            super::keep_turn();
            super::keep_turn();
            done.send(())
        });
        let patience = Duration::from_secs(60);
        is_done.recv_timeout(patience).expect("both turns");
        assert!(super::TURN.try_lock().is_err(), "nobody else has one");
    }
}
