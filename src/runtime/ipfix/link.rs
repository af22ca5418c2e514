//! The way to a collector: datagrams, or a connection that is made again after a while.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::PollFlags;
use nix::sys::socket::{
    AddressFamily, SockFlag, SockProtocol, SockType, SockaddrStorage, connect, setsockopt, socket,
    sockopt::TcpUserTimeout,
};

/// So many datagrams go out at once, then there is a pause: a collector's buffer holds some 90 of them where nobody made it
/// larger.
const BURST: u32 = 32;
const PAUSE: Duration = Duration::from_millis(5);
/// A collector is tried again after this, and each time after twice as long.
const FIRST_RETRY: Duration = Duration::from_secs(1);
const LONGEST_RETRY: Duration = Duration::from_secs(60);
/// A connection that is not there, or does not take what was sent, within this time is given up.
const PATIENCE: Duration = Duration::from_secs(20);

/// What became of a message.
pub enum Sent {
    /// It is on its way.
    Whole,
    /// There is no room for it now, or no connection.
    Later,
    /// A connection has taken a part of it, and takes the rest in [`Link::advance`] before any other message.
    Begun,
    /// It could not be sent.
    Failed(io::Error),
}

/// What happened to the way.
pub enum Change {
    /// There is a connection, and a new session.
    Connected,
    /// There is none: it could not be made, or broke.
    Disconnected(io::Error),
    /// The rest of the message is on its way.
    Finished,
}

/// Datagrams.
pub struct Datagrams {
    socket: UdpSocket,
    sent: u32,
    /// The next burst may begin; 0 sent: at once.
    paused_until: Instant,
    is_full: bool,
}

impl Datagrams {
    /// To one of these, from a socket that knows no other.
    pub fn open(addresses: &[SocketAddr]) -> io::Result<Datagrams> {
        let mut failed = io::Error::from(ErrorKind::AddrNotAvailable);
        for address in addresses {
            match connected(address) {
                Ok(socket) => {
                    return Ok(Datagrams {
                        socket,
                        sent: 0,
                        paused_until: Instant::now(),
                        is_full: false,
                    });
                }
                Err(error) => failed = error,
            }
        }
        Err(failed)
    }

    fn send(&mut self, message: &[u8]) -> Sent {
        if self.sent >= BURST {
            if Instant::now() < self.paused_until {
                return Sent::Later;
            }
            self.sent = 0;
        }
        let sent = self.socket.send(message);
        self.is_full = matches!(&sent, Err(error) if error.kind() == ErrorKind::WouldBlock);
        match sent {
            Ok(_) => {
                self.sent += 1;
                self.paused_until = Instant::now() + PAUSE;
                Sent::Whole
            }
            Err(_) if self.is_full => Sent::Later,
            Err(error) => Sent::Failed(error),
        }
    }
}

fn connected(address: &SocketAddr) -> io::Result<UdpSocket> {
    let any: SocketAddr = match address {
        SocketAddr::V4(_) => ([0; 4], 0).into(),
        SocketAddr::V6(_) => ([0; 16], 0).into(),
    };
    let socket = UdpSocket::bind(any)?;
    socket.connect(address)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

enum State {
    /// There is no connection, and the next attempt is then.
    Away(Instant),
    /// It is being made, until then.
    Connecting(TcpStream, Instant),
    Open(TcpStream),
}

/// A connection.
pub struct Stream {
    addresses: Vec<SocketAddr>,
    next: usize,
    retry: Duration,
    state: State,
    /// What is left of a message.
    rest: Vec<u8>,
}

impl Stream {
    /// To one of these, one after the other.
    pub fn to(addresses: Vec<SocketAddr>) -> Stream {
        Stream {
            addresses,
            next: 0,
            retry: FIRST_RETRY,
            state: State::Away(Instant::now()),
            rest: Vec::new(),
        }
    }

    fn advance(&mut self) -> Option<Change> {
        let now = Instant::now();
        let outcome = match &mut self.state {
            State::Away(until) if now < *until => return None,
            State::Away(_) => self.begin(now).map(|()| None),
            State::Connecting(stream, until) => match is_connected(stream) {
                Ok(true) => Ok(Some(Change::Connected)),
                Ok(false) if now >= *until => Err(ErrorKind::TimedOut.into()),
                Ok(false) => Ok(None),
                Err(error) => Err(error),
            },
            State::Open(stream) => {
                let went_on = write_some(stream, &mut self.rest);
                went_on.and_then(|done| is_alive(stream).map(|()| done.then_some(Change::Finished)))
            }
        };
        match outcome {
            Ok(Some(Change::Connected)) => {
                self.retry = FIRST_RETRY;
                let state = std::mem::replace(&mut self.state, State::Away(now));
                if let State::Connecting(stream, _) = state {
                    self.state = State::Open(stream);
                }
                Some(Change::Connected)
            }
            Ok(change) => change,
            Err(error) => {
                self.fall_back(now);
                Some(Change::Disconnected(error))
            }
        }
    }

    fn begin(&mut self, now: Instant) -> io::Result<()> {
        let address = self.addresses[self.next % self.addresses.len()];
        self.next += 1;
        let family = match address {
            SocketAddr::V4(_) => AddressFamily::Inet,
            SocketAddr::V6(_) => AddressFamily::Inet6,
        };
        let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
        let socket = socket(family, SockType::Stream, flags, SockProtocol::Tcp)?;
        let timeout = PATIENCE.as_millis() as u32;
        setsockopt(&socket, TcpUserTimeout, &timeout)?;
        let started = connect(
            std::os::fd::AsRawFd::as_raw_fd(&socket),
            &SockaddrStorage::from(address),
        );
        match started {
            Ok(()) | Err(Errno::EINPROGRESS) => {
                self.state = State::Connecting(TcpStream::from(socket), now + PATIENCE);
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    fn fall_back(&mut self, now: Instant) {
        self.rest.clear();
        self.state = State::Away(now + self.retry);
        self.retry = (2 * self.retry).min(LONGEST_RETRY);
    }

    fn send(&mut self, message: &[u8]) -> Sent {
        let State::Open(stream) = &mut self.state else {
            return Sent::Later;
        };
        if !self.rest.is_empty() {
            return Sent::Later;
        }
        match stream.write(message) {
            Ok(written) if written == message.len() => Sent::Whole,
            Ok(written) => {
                self.rest.extend_from_slice(&message[written..]);
                Sent::Begun
            }
            Err(error) if is_later(&error) => {
                self.rest.extend_from_slice(message);
                Sent::Begun
            }
            Err(error) => {
                self.fall_back(Instant::now());
                Sent::Failed(error)
            }
        }
    }
}

fn is_later(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

/// Whether the attempt has come to an end; the error says why it failed.
fn is_connected(stream: &TcpStream) -> io::Result<bool> {
    if let Some(error) = stream.take_error()? {
        return Err(error);
    }
    match stream.peer_addr() {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotConnected => Ok(false),
        Err(error) => Err(error),
    }
}

/// A collector says nothing: what can be read is the end, or is passed over.
fn is_alive(stream: &mut TcpStream) -> io::Result<()> {
    match stream.read(&mut [0; 256]) {
        Ok(0) => Err(ErrorKind::ConnectionAborted.into()),
        Ok(_) => Ok(()),
        Err(error) if is_later(&error) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Writes what there is room for. Returns whether that was the rest of a message.
fn write_some(stream: &mut TcpStream, rest: &mut Vec<u8>) -> io::Result<bool> {
    if rest.is_empty() {
        return Ok(false);
    }
    match stream.write(rest) {
        Ok(written) => drop(rest.drain(..written)),
        Err(error) if is_later(&error) => {}
        Err(error) => return Err(error),
    }
    Ok(rest.is_empty())
}

/// One of both.
pub enum Link {
    /// UDP.
    Datagrams(Datagrams),
    /// TCP.
    Stream(Stream),
}

impl Link {
    /// What to wait for until something can be done; `has_more`: there are messages to be sent.
    pub fn waits_for(&self, has_more: bool) -> (Option<(BorrowedFd<'_>, PollFlags)>, Duration) {
        let now = Instant::now();
        let until = |then: &Instant| then.saturating_duration_since(now);
        match self {
            Link::Datagrams(link) if has_more && link.is_full => {
                let writable = (link.socket.as_fd(), PollFlags::POLLOUT);
                (Some(writable), Duration::MAX)
            }
            Link::Datagrams(link) if has_more => (None, until(&link.paused_until)),
            Link::Datagrams(_) => (None, Duration::MAX),
            Link::Stream(link) => match &link.state {
                State::Away(then) => (None, until(then)),
                State::Connecting(stream, then) => {
                    (Some((stream.as_fd(), PollFlags::POLLOUT)), until(then))
                }
                State::Open(stream) => {
                    let mut flags = PollFlags::POLLIN;
                    flags.set(PollFlags::POLLOUT, !link.rest.is_empty());
                    (Some((stream.as_fd(), flags)), Duration::MAX)
                }
            },
        }
    }

    /// Does what can be done without a message. Returns what has changed.
    pub fn advance(&mut self) -> Option<Change> {
        match self {
            Link::Datagrams(_) => None,
            Link::Stream(link) => link.advance(),
        }
    }

    /// Sends a message, or begins to.
    pub fn send(&mut self, message: &[u8]) -> Sent {
        match self {
            Link::Datagrams(link) => link.send(message),
            Link::Stream(link) => link.send(message),
        }
    }

    /// Whether messages can get anywhere now.
    pub fn is_open(&self) -> bool {
        match self {
            Link::Datagrams(_) => true,
            Link::Stream(link) => matches!(link.state, State::Open(_)),
        }
    }

    /// Does not wait for the next attempt.
    pub fn hurry(&mut self) {
        if let Link::Stream(link) = self
            && let State::Away(then) = &mut link.state
        {
            *then = Instant::now();
        }
    }
}
