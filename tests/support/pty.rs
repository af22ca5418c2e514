//! A pseudo-terminal with a program on it: keys go in, a parser keeps the screen, every byte that came is kept.
//!
//! Nothing here sleeps for a fixed time: [`Pty::wait_for`] reads until the screen says what is expected, and fails
//! with the screen where it does not.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, IntoRawFd};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

use flowtop::keymap::{Key, KeyChord, parse_chord};
use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::pty::{grantpt, posix_openpt, ptsname_r, unlockpt};
use nix::sys::signal::{Signal, kill};
use nix::sys::termios::{LocalFlags, tcgetattr};
use nix::unistd::Pid;

/// How long anything may take on a machine that is busy with other things.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// What takes the terminal over and gives it back, as bytes.
pub mod sequence {
    /// Alternate screen on.
    pub const ENTER: &[u8] = b"\x1b[?1049h";
    /// Alternate screen off.
    pub const LEAVE: &[u8] = b"\x1b[?1049l";
    /// Cursor shown.
    pub const SHOW_CURSOR: &[u8] = b"\x1b[?25h";
    /// Mouse reports on.
    pub const MOUSE_ON: &[u8] = b"\x1b[?1000h";
    /// Mouse reports off.
    pub const MOUSE_OFF: &[u8] = b"\x1b[?1000l";
}

/// Whether the program's terminal sends SIGHUP when it goes away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Control {
    /// It is the program's controlling terminal, as in a terminal window.
    Controlling,
    /// It is open and nothing else: a hang-up shows in poll(2) only.
    JustOpen,
}

/// A program on a pseudo-terminal; killed when this is dropped.
pub struct Pty {
    master: Option<File>,
    child: Child,
    parser: vt100::Parser,
    raw: Vec<u8>,
}

impl Pty {
    /// Starts the program on a terminal of this many columns and lines. TERM and the locale, unless the command sets
    /// them, are those of a terminal with 256 colours and UTF-8.
    pub fn start(command: &mut Command, size: (u16, u16), control: Control) -> Pty {
        let (master, slave) = open_pair(size);
        let stdio = || slave.try_clone().expect("duplicate a descriptor");
        if command.get_envs().all(|(name, _)| name != "TERM") {
            command.env("TERM", "xterm-256color");
        }
        if command.get_envs().all(|(name, _)| name != "LC_ALL") {
            command.env("LC_ALL", "C.UTF-8");
        }
        command.stdin(stdio()).stdout(stdio()).stderr(stdio());
        // SAFETY: between fork and exec the closure makes two system calls and allocates nothing.
        unsafe {
            command.pre_exec(move || {
                nix::unistd::setsid()?;
                if control == Control::Controlling && libc::ioctl(0, libc::TIOCSCTTY, 0) < 0 {
                    return Err(std::io::Error::last_os_error());
                }
                Ok(())
            });
        }
        let child = command
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        // The command keeps descriptors of the terminal: without this it would never hang up.
        command.stdin(std::process::Stdio::null());
        command.stdout(std::process::Stdio::null());
        command.stderr(std::process::Stdio::null());
        Pty {
            master: Some(master),
            child,
            parser: vt100::Parser::new(lines(size.1), lines(size.0), 0),
            raw: Vec::new(),
        }
    }

    /// The program's process.
    pub fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id() as i32)
    }

    /// What is on the screen, line by line.
    pub fn text(&self) -> String {
        self.parser.screen().contents()
    }

    /// The lines of the screen.
    pub fn lines(&self) -> Vec<String> {
        self.text().lines().map(str::to_owned).collect()
    }

    /// The screen with its modes and cells.
    pub fn screen(&self) -> &vt100::Screen {
        self.parser.screen()
    }

    /// Every byte that the program wrote.
    pub fn raw(&self) -> &[u8] {
        &self.raw
    }

    /// Forgets the bytes so far; the screen stays.
    pub fn forget_raw(&mut self) {
        self.raw.clear();
    }

    /// How often these bytes were written.
    pub fn count(&self, bytes: &[u8]) -> usize {
        self.raw
            .windows(bytes.len())
            .filter(|w| *w == bytes)
            .count()
    }

    /// Reads until the screen is as expected; fails with the screen where it never is.
    pub fn wait_for(&mut self, what: &str, is_so: impl Fn(&Pty) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !is_so(self) {
            let alive = self.read_some(Duration::from_millis(50));
            assert!(
                Instant::now() < deadline && (alive || is_so(self)),
                "no {what} on the screen ({}):\n{}\n",
                if alive { "still running" } else { "hung up" },
                self.text()
            );
        }
    }

    /// Reads until this text is on the screen.
    pub fn wait_for_text(&mut self, text: &str) {
        self.wait_for(text, |pty| pty.text().contains(text));
    }

    /// Reads until this text has left the screen.
    pub fn wait_until_gone(&mut self, text: &str) {
        self.wait_for(&format!("end of {text}"), |pty| !pty.text().contains(text));
    }

    /// Presses a key, by its name in the table of bindings.
    pub fn press(&mut self, key: &str) {
        let chord = parse_chord(key).unwrap_or_else(|error| panic!("{error}"));
        self.send(&bytes_of(chord));
    }

    /// Types bytes. The program is read meanwhile, so that neither waits for the other.
    pub fn send(&mut self, mut bytes: &[u8]) {
        let deadline = Instant::now() + PATIENCE;
        while !bytes.is_empty() {
            assert!(Instant::now() < deadline, "the program takes no keys");
            let mut master = self.master.as_ref().expect("an open terminal");
            match master.write(bytes) {
                Ok(n) => bytes = &bytes[n..],
                Err(_) => _ = self.read_some(Duration::from_millis(20)),
            }
        }
    }

    /// Gives the terminal another size that the screen of the test does not follow.
    pub fn claim_size(&self, size: (u16, u16)) {
        let master = self.master.as_ref().expect("an open terminal");
        set_size(master.as_raw_fd(), size);
    }

    /// Gives the terminal another size; the program gets SIGWINCH from the kernel if it is its controlling one.
    pub fn resize(&mut self, size: (u16, u16)) {
        self.claim_size(size);
        self.parser
            .screen_mut()
            .set_size(lines(size.1), lines(size.0));
    }

    /// The modes that a shell would find.
    pub fn modes(&self) -> LocalFlags {
        let master = self.master.as_ref().expect("an open terminal");
        tcgetattr(master).expect("modes").local_flags
    }

    /// Sends the program a signal.
    pub fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).expect("kill");
    }

    /// Closes the terminal's other end, as a window that is closed or a connection that drops.
    pub fn hang_up(&mut self) {
        self.master = None;
    }

    /// Reads to the end of the program, which must come within this time.
    pub fn wait_for_exit(&mut self, within: Duration) -> ExitStatus {
        let deadline = Instant::now() + within;
        loop {
            let status = self.child.try_wait().expect("wait");
            self.read_some(Duration::from_millis(10));
            if let Some(status) = status {
                while self.read_some(Duration::ZERO) {}
                return status;
            }
            assert!(
                Instant::now() < deadline,
                "still running after {within:?}:\n{}",
                self.text()
            );
        }
    }

    /// How the program ended, if it has.
    pub fn try_exit(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("wait")
    }

    /// Takes in what comes within this time, until nothing is left; returns whether the terminal is still open.
    /// After the end of the program that is false as soon as everything is read.
    pub fn read_some(&mut self, patience: Duration) -> bool {
        let Some(master) = &mut self.master else {
            std::thread::sleep(patience);
            return false;
        };
        let timeout = PollTimeout::try_from(patience).expect("a short time");
        let mut fds = [PollFd::new(master.as_fd(), PollFlags::POLLIN)];
        let _ = poll(&mut fds, timeout);
        let mut bytes = [0; 1 << 16];
        loop {
            match master.read(&mut bytes) {
                Ok(0) => return false,
                Ok(n) => {
                    self.raw.extend(&bytes[..n]);
                    self.parser.process(&bytes[..n]);
                }
                Err(error) => {
                    return error.kind() == std::io::ErrorKind::WouldBlock
                        && patience > Duration::ZERO;
                }
            }
        }
    }

    /// CPU time that the program has used so far.
    pub fn cpu_time(&self) -> Option<Duration> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).ok()?;
        let (_, after) = stat.rsplit_once(')')?;
        let ticks: u64 = after
            .split_ascii_whitespace()
            .skip(11)
            .take(2)
            .filter_map(|ticks| ticks.parse::<u64>().ok())
            .sum();
        Some(Duration::from_millis(ticks * 10))
    }

    /// Fails unless the program gave the terminal back, and took care that nothing came after that.
    pub fn assert_restored(&self) {
        let screen = self.parser.screen();
        assert!(!screen.alternate_screen(), "the alternate screen is on");
        assert!(!screen.hide_cursor(), "the cursor is hidden");
        let mouse = screen.mouse_protocol_mode();
        assert_eq!(
            mouse,
            vt100::MouseProtocolMode::None,
            "the mouse is captured"
        );
        for bytes in [sequence::LEAVE, sequence::SHOW_CURSOR, sequence::MOUSE_OFF] {
            assert!(self.count(bytes) > 0, "{}", String::from_utf8_lossy(bytes));
        }
        let last = |bytes: &[u8]| self.raw.windows(bytes.len()).rposition(|w| w == bytes);
        assert!(last(sequence::LEAVE) > last(sequence::ENTER));
        assert!(last(sequence::MOUSE_OFF) > last(sequence::MOUSE_ON));
    }

    /// What stands on the screen after the terminal was given back: what a person sees in the end.
    pub fn after_leaving(&self) -> String {
        let end = self
            .raw
            .windows(sequence::LEAVE.len())
            .rposition(|window| window == sequence::LEAVE)
            .map_or(0, |at| at + sequence::LEAVE.len());
        String::from_utf8_lossy(&self.raw[end..]).into_owned()
    }
}

impl Drop for Pty {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Both ends. Neither may reach a program that another test starts meanwhile: it would never hang up.
fn open_pair(size: (u16, u16)) -> (File, File) {
    let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK;
    let master = posix_openpt(flags).expect("posix_openpt");
    grantpt(&master).expect("grantpt");
    unlockpt(&master).expect("unlockpt");
    let name = ptsname_r(&master).expect("ptsname");
    let slave = OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(libc::O_NOCTTY)
        .open(name)
        .expect("the terminal");
    set_size(slave.as_raw_fd(), size);
    // SAFETY: the descriptor is open, and nobody else has it.
    let master = unsafe { File::from_raw_fd(master.into_raw_fd()) };
    (master, slave)
}

fn set_size(fd: i32, (columns, lines): (u16, u16)) {
    let size = libc::winsize {
        ws_row: lines,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    // SAFETY: the structure outlives the call; the descriptor is open.
    let outcome = unsafe { libc::ioctl(fd, libc::TIOCSWINSZ, &size) };
    assert_eq!(outcome, 0, "TIOCSWINSZ");
}

/// What a terminal of the xterm family sends for a key.
fn bytes_of(chord: KeyChord) -> Vec<u8> {
    let text = match chord.key {
        Key::Char(c) if chord.ctrl => return vec![c as u8 & 0x1f],
        Key::Char(c) => return c.to_string().into_bytes(),
        Key::Tab if chord.shift => "\x1b[Z",
        Key::Tab => "\t",
        Key::Enter => "\r",
        Key::Esc => "\x1b",
        Key::Backspace => "\x7f",
        Key::Up => "\x1b[A",
        Key::Down => "\x1b[B",
        Key::Right => "\x1b[C",
        Key::Left => "\x1b[D",
        Key::Home => "\x1b[H",
        Key::End => "\x1b[F",
        Key::PageUp => "\x1b[5~",
        Key::PageDown => "\x1b[6~",
        Key::F(1) => "\x1bOP",
        Key::F(5) => "\x1b[15~",
        key => panic!("no bytes for {key:?}"),
    };
    text.as_bytes().to_vec()
}

/// A terminal of no size is one of 1 for the parser.
fn lines(count: u16) -> std::num::NonZeroU16 {
    std::num::NonZeroU16::new(count).unwrap_or(std::num::NonZeroU16::MIN)
}
