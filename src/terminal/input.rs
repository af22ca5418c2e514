//! Input: keys, the mouse, resizes, and the end of the terminal.
//!
//! crossterm waits forever on a terminal that hangs up, so we wait with poll(2) and only then ask crossterm briefly for
//! what it has. Of its two ways to read, only that of its feature `use-dev-tty` returns from a terminal that hangs up at
//! that very moment; the other one reads forever. SIGWINCH and SIGCONT come through pipes of our own, as we cannot know
//! which thread a signal interrupts. SIGTSTP is blocked and read from a descriptor.

use std::io::{self, Read, stdin};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use crossterm::event::{self, Event, KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEventKind};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use signal_hook::consts::{SIGCONT, SIGWINCH};

use crate::app::{Mouse, MouseKind, Msg};
use crate::keymap::{Key, KeyChord};

/// Two clicks on one cell within this time are a double click.
const DOUBLE_CLICK: Duration = Duration::from_millis(400);

/// How long crossterm looks for events; given no time, it reads nothing.
const MOMENT: Duration = Duration::from_millis(1);

/// Why [`Input::next_event`] returned.
#[derive(Debug, Clone, PartialEq)]
pub enum Wake {
    /// Something for the application.
    Msg(Msg),
    /// The descriptor that was handed in has something to read.
    Extra,
    /// The terminal may have another size.
    Resized,
    /// The process is asked to stop (SIGTSTP): restore the terminal and do so.
    Stop,
    /// The process was stopped and continues: the terminal must be taken over again.
    Continued,
    /// The timeout has expired.
    Timeout,
    /// The terminal is gone: leave.
    HungUp,
}

/// Where messages come from.
pub struct Input {
    resized: UnixStream,
    continued: UnixStream,
    stops: SignalFd,
    last_click: Option<(Instant, u16, u16)>,
}

/// What poll(2) returned.
struct Ready {
    input: bool,
    hung_up: bool,
    resized: bool,
    continued: bool,
    stops: bool,
    extra: bool,
}

impl Input {
    /// Starts to listen to the signals of a terminal.
    pub fn new() -> io::Result<Input> {
        Ok(Input {
            resized: signal_pipe(SIGWINCH)?,
            continued: signal_pipe(SIGCONT)?,
            stops: SignalFd::with_flags(
                &super::stops(),
                SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC,
            )?,
            last_click: None,
        })
    }

    /// Waits for the next message, until `extra` is readable, or until `timeout` expires.
    pub fn next_event(&mut self, timeout: Duration, extra: Option<BorrowedFd>) -> io::Result<Wake> {
        let deadline = Instant::now() + timeout;
        let mut wait = Duration::ZERO;
        loop {
            let ready = self.wait(wait, extra)?;
            if ready.hung_up {
                return Ok(Wake::HungUp);
            }
            if ready.continued {
                drain(&mut self.continued);
                return Ok(Wake::Continued);
            }
            if ready.stops && self.stops.read_signal()?.is_some() {
                return Ok(Wake::Stop);
            }
            if ready.resized {
                drain(&mut self.resized);
                return Ok(Wake::Resized);
            }
            // Ask even if nothing is readable: crossterm may hold events that it has read.
            while self.is_event_there()? {
                if let Some(wake) = self.translate(event::read()?) {
                    return Ok(wake);
                }
            }
            if ready.extra {
                return Ok(Wake::Extra);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(Wake::Timeout);
            }
            // Half an escape sequence is readable but no event yet: do not spin meanwhile.
            wait = left;
            if ready.input {
                wait = left.min(Duration::from_millis(10));
            }
        }
    }

    /// An error of a terminal that has hung up meanwhile is ignored: the next wait reports the hang-up.
    fn is_event_there(&self) -> io::Result<bool> {
        match event::poll(MOMENT) {
            Err(_) if self.wait(Duration::ZERO, None)?.hung_up => Ok(false),
            found => found,
        }
    }

    fn wait(&self, timeout: Duration, extra: Option<BorrowedFd>) -> io::Result<Ready> {
        let stdin = stdin();
        let readable = |fd| PollFd::new(fd, PollFlags::POLLIN);
        let mut fds = vec![
            readable(stdin.as_fd()),
            readable(self.resized.as_fd()),
            readable(self.continued.as_fd()),
            readable(self.stops.as_fd()),
        ];
        fds.extend(extra.map(readable));
        let timeout = timeout.saturating_add(Duration::from_micros(999));
        let timeout = PollTimeout::try_from(timeout.as_millis()).unwrap_or(PollTimeout::MAX);
        match poll(&mut fds, timeout) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
        let events = |index: usize| fds.get(index).and_then(PollFd::revents);
        let any = |index| events(index).is_some_and(|flags| !flags.is_empty());
        let gone = PollFlags::POLLHUP | PollFlags::POLLERR | PollFlags::POLLNVAL;
        Ok(Ready {
            input: any(0),
            hung_up: events(0).is_some_and(|flags| flags.intersects(gone)),
            resized: any(1),
            continued: any(2),
            stops: any(3),
            extra: any(4),
        })
    }

    fn translate(&mut self, event: Event) -> Option<Wake> {
        let msg = match event {
            Event::Key(key) if !key.is_release() => Msg::Key(chord(key)?),
            Event::Resize(..) => return Some(Wake::Resized),
            Event::Mouse(mouse) => {
                let kind = match mouse.kind {
                    MouseEventKind::Down(MouseButton::Left) => {
                        self.click(mouse.column, mouse.row, Instant::now())
                    }
                    MouseEventKind::ScrollUp => MouseKind::WheelUp,
                    MouseEventKind::ScrollDown => MouseKind::WheelDown,
                    _ => return None,
                };
                let (x, y) = (mouse.column, mouse.row);
                Msg::Mouse(Mouse { kind, x, y })
            }
            _ => return None,
        };
        Some(Wake::Msg(msg))
    }

    fn click(&mut self, x: u16, y: u16, now: Instant) -> MouseKind {
        let is_double = self
            .last_click
            .is_some_and(|(then, lx, ly)| (lx, ly) == (x, y) && now - then <= DOUBLE_CLICK);
        self.last_click = (!is_double).then_some((now, x, y));
        if is_double {
            MouseKind::DoubleClick
        } else {
            MouseKind::Click
        }
    }
}

fn signal_pipe(signal: i32) -> io::Result<UnixStream> {
    let (reader, writer) = UnixStream::pair()?;
    reader.set_nonblocking(true)?;
    signal_hook::low_level::pipe::register(signal, writer)?;
    Ok(reader)
}

fn drain(pipe: &mut UnixStream) {
    let mut bytes = [0; 64];
    while matches!(pipe.read(&mut bytes), Ok(n) if n > 0) {}
}

fn chord(event: KeyEvent) -> Option<KeyChord> {
    let held = |modifier| event.modifiers.contains(modifier);
    let mut chord = KeyChord {
        key: Key::Esc,
        ctrl: held(KeyModifiers::CONTROL),
        alt: held(KeyModifiers::ALT),
        shift: held(KeyModifiers::SHIFT),
    };
    chord.key = match event.code {
        KeyCode::Char(c) => {
            chord.shift = false;
            let c = if chord.ctrl {
                c.to_ascii_lowercase()
            } else {
                c
            };
            Key::Char(c)
        }
        KeyCode::BackTab => {
            chord.shift = true;
            Key::Tab
        }
        KeyCode::F(n) => Key::F(n),
        KeyCode::Up => Key::Up,
        KeyCode::Down => Key::Down,
        KeyCode::Left => Key::Left,
        KeyCode::Right => Key::Right,
        KeyCode::PageUp => Key::PageUp,
        KeyCode::PageDown => Key::PageDown,
        KeyCode::Home => Key::Home,
        KeyCode::End => Key::End,
        KeyCode::Enter => Key::Enter,
        KeyCode::Esc => Key::Esc,
        KeyCode::Tab => Key::Tab,
        KeyCode::Backspace => Key::Backspace,
        KeyCode::Delete => Key::Delete,
        KeyCode::Insert => Key::Insert,
        _ => return None,
    };
    Some(chord)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keymap::parse_chord;

    #[test]
    fn keys_arrive_as_the_chords_of_the_table() {
        let cases = [
            (KeyCode::Char('G'), KeyModifiers::SHIFT, "G"),
            (KeyCode::Char('c'), KeyModifiers::CONTROL, "Ctrl-C"),
            (KeyCode::BackTab, KeyModifiers::SHIFT, "Shift-Tab"),
            (KeyCode::F(1), KeyModifiers::NONE, "F1"),
            (KeyCode::Char(' '), KeyModifiers::NONE, "Space"),
        ];
        for (code, modifiers, text) in cases {
            let event = KeyEvent::new(code, modifiers);
            assert_eq!(chord(event), parse_chord(text).ok(), "{text}");
        }
    }

    #[test]
    fn two_quick_clicks_in_one_place_are_one_double_click() {
        let mut input = Input::new().expect("pipes");
        let start = Instant::now();
        let mut kinds = Vec::new();
        for (ms, x) in [(0, 5), (100, 5), (200, 5), (1000, 5), (1100, 6)] {
            kinds.push(input.click(x, 3, start + Duration::from_millis(ms)));
        }
        use MouseKind::{Click, DoubleClick};
        assert_eq!(kinds, [Click, DoubleClick, Click, Click, Click]);
    }
}
