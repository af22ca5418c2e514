//! One connection: reads a request, writes the answer, and waits for the next one. Nothing here waits.

use std::io::{self, ErrorKind, IoSlice};
use std::net::TcpStream;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::poll::PollFlags;
use rustls::ServerConfig;

use super::answer::{Answer, Site};
use super::gate::Later;
use super::request::{LONGEST_HEAD, parse};
use super::transport::Transport;
use crate::export::openmetrics::Refusal;

/// So long a request may take to come, and an answer to be read.
const PATIENCE: Duration = Duration::from_secs(10);

/// So much goes out at once, so that others have their turn, bytes.
const AT_ONCE: usize = 1 << 20;

/// What a connection is about.
enum Phase {
    /// The next request is to come.
    Reading,
    /// The request has come, and is not looked at before that.
    Held(Instant),
    /// The answer goes out; so much of it has gone.
    Writing(Answer, usize),
    /// All has been said: what is still on its way is read, as closing would take the answer back.
    Leaving,
}

/// One connection.
pub struct Connection {
    transport: Transport,
    input: Vec<u8>,
    phase: Phase,
    /// When the phase must have ended.
    deadline: Instant,
}

impl Connection {
    /// Takes over a connection that was just accepted; `tls`: it is to be secured by this.
    pub fn new(stream: TcpStream, tls: Option<&Arc<ServerConfig>>) -> io::Result<Connection> {
        Ok(Connection {
            transport: Transport::new(stream, tls)?,
            input: Vec::new(),
            phase: Phase::Reading,
            deadline: Instant::now() + PATIENCE,
        })
    }

    /// What it waits for.
    pub fn awaits(&self) -> PollFlags {
        match self.phase {
            Phase::Writing(..) => PollFlags::POLLOUT,
            Phase::Held(_) => PollFlags::empty(),
            _ if self.transport.wants_to_send() => PollFlags::POLLIN | PollFlags::POLLOUT,
            Phase::Reading | Phase::Leaving => PollFlags::POLLIN,
        }
    }

    /// When it has waited for too long.
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// When it goes on, whatever comes before.
    pub fn next(&self) -> Instant {
        match self.phase {
            Phase::Held(until) => until.min(self.deadline),
            _ => self.deadline,
        }
    }

    /// Ends the connection behind the answer that is under way; whether there is one.
    pub fn take_leave(&mut self) -> bool {
        if let Phase::Writing(answer, _) = &mut self.phase {
            answer.closes = true;
        }
        !self.is_waiting()
    }

    /// Whether no answer is under way.
    pub fn is_waiting(&self) -> bool {
        !matches!(self.phase, Phase::Writing(..))
    }

    /// As what its end is counted if it ends now, out of time.
    pub fn lateness(&self) -> Option<Refusal> {
        match self.phase {
            Phase::Reading => (!self.input.is_empty()).then_some(Refusal::Late),
            Phase::Held(_) => Some(Refusal::Late),
            Phase::Writing(..) => Some(Refusal::Unread),
            Phase::Leaving => None,
        }
    }

    /// Goes on as far as it can without waiting; an error: the connection has ended.
    pub fn go_on(&mut self, site: &mut Site) -> io::Result<()> {
        match &mut self.phase {
            Phase::Reading => {
                self.flush()?;
                self.read()?;
                self.answer(site);
                Ok(())
            }
            Phase::Writing(..) => {
                // The next request may be there already, or a part of it.
                if self.write()? && !self.answer(site) {
                    self.read()?;
                    self.answer(site);
                }
                Ok(())
            }
            // It has hung up.
            Phase::Held(until) if Instant::now() < *until => {
                Err(ErrorKind::ConnectionAborted.into())
            }
            Phase::Held(_) => {
                self.answer(site);
                Ok(())
            }
            Phase::Leaving => self.discard(),
        }
    }

    /// Reads what has come, up to the longest request.
    fn read(&mut self) -> io::Result<()> {
        let mut bytes = [0; LONGEST_HEAD];
        let room = LONGEST_HEAD.saturating_sub(self.input.len());
        match self.transport.read(&mut bytes[..room]) {
            Ok(0) => Err(ErrorKind::UnexpectedEof.into()),
            Ok(count) => {
                self.input.extend(&bytes[..count]);
                Ok(())
            }
            Err(error) => waits(error),
        }
    }

    /// Has the answer to the request that has come go out next, now or later, if it is whole; whether it is.
    fn answer(&mut self, site: &mut Site) -> bool {
        let answer = match parse(&self.input) {
            Ok(None) => return false,
            Ok(Some((request, length))) => match site.answer(&request) {
                Ok(answer) => {
                    self.input.drain(..length);
                    answer
                }
                Err(Later(until)) => {
                    self.phase = Phase::Held(until);
                    return true;
                }
            },
            Err(wrong) => site.answer_wrong(wrong),
        };
        self.phase = Phase::Writing(answer, 0);
        self.deadline = Instant::now() + PATIENCE;
        true
    }

    /// Writes what goes out; whether all has gone, and the next request may come.
    fn write(&mut self) -> io::Result<bool> {
        let Phase::Writing(answer, gone) = &mut self.phase else {
            return Ok(false);
        };
        let (head, body) = (answer.head.as_slice(), answer.body.as_slice());
        let whole = head.len() + body.len();
        let mut budget = AT_ONCE;
        while *gone < whole && budget > 0 {
            let rest_of_head = &head[head.len().min(*gone)..];
            let rest_of_body = &body[gone.saturating_sub(head.len())..];
            let parts = [
                IoSlice::new(rest_of_head),
                IoSlice::new(&rest_of_body[..rest_of_body.len().min(budget)]),
            ];
            match self.transport.write(&parts) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(count) => {
                    *gone += count;
                    budget = budget.saturating_sub(count);
                }
                Err(error) => return waits(error).map(|()| false),
            }
        }
        if *gone < whole {
            return Ok(false);
        }
        if let Err(error) = self.transport.flush() {
            return waits(error).map(|()| false);
        }
        let closes = answer.closes;
        self.deadline = Instant::now() + PATIENCE;
        self.phase = Phase::Reading;
        if closes {
            self.transport.finish()?;
            self.phase = Phase::Leaving;
        }
        Ok(!closes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.transport.flush().or_else(waits)
    }

    fn discard(&mut self) -> io::Result<()> {
        match self.transport.read(&mut [0; LONGEST_HEAD]) {
            Ok(0) => Err(ErrorKind::UnexpectedEof.into()),
            Ok(_) => Ok(()),
            Err(error) => waits(error),
        }
    }
}

/// Whether it only has to wait.
fn waits(error: io::Error) -> io::Result<()> {
    match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::Interrupted => Ok(()),
        _ => Err(error),
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.transport.as_fd()
    }
}

#[cfg(test)]
#[path = "connection_tests.rs"]
mod tests;
