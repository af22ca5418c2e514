//! The thread's loop: waits for numbers, for scrapers and for the time, all at once.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use rustls::ServerConfig;

use super::answer::Site;
use super::connection::Connection;
use super::listen_at;
use crate::export::openmetrics::{Page, Refusal};
use crate::runtime::updates::{Outlet, Update};
use crate::runtime::wake;

/// Connections at the same time.
const MOST_CONNECTIONS: usize = 16;

/// Where no connection can be taken, for want of descriptors say, it is tried again after this.
const TRY_AGAIN: Duration = Duration::from_millis(200);

/// Where an address cannot be listened at, it is tried again after this.
const LISTEN_AGAIN: Duration = Duration::from_secs(5);

/// What the main thread says.
#[derive(Debug)]
pub enum Message {
    /// The latest numbers.
    Page(Arc<Page>),
    /// Serve at this address from here on, or nowhere.
    Listen(Option<SocketAddr>),
    /// Serve these users from here on, by name and hash of the password; none: anybody.
    Admit(Vec<(String, String)>),
    /// Secure connections by this from here on, or not.
    Secure(Option<Arc<ServerConfig>>),
}

/// The state of the thread.
pub struct Server {
    inbox: Receiver<Message>,
    woken: UnixStream,
    outlet: Outlet,
    /// Where scrapers come to, by its address.
    listener: Option<(SocketAddr, TcpListener)>,
    /// Where they are to come to, and when that is tried again.
    wanted: Option<(SocketAddr, Instant)>,
    /// Nobody is let in before.
    rests_until: Option<Instant>,
    connections: Vec<Connection>,
    /// What connections are secured by, if they are.
    tls: Option<Arc<ServerConfig>>,
    site: Site,
}

impl Server {
    /// Serves whoever comes to the listener, by its address, until the main thread says otherwise.
    pub fn new(
        inbox: Receiver<Message>,
        woken: UnixStream,
        outlet: Outlet,
        listener: Option<(SocketAddr, TcpListener)>,
    ) -> Server {
        Server {
            inbox,
            woken,
            outlet,
            listener,
            wanted: None,
            rests_until: None,
            connections: Vec::new(),
            tls: None,
            site: Site::default(),
        }
    }

    /// Serves these users from here on, by name and hash of the password; none: anybody.
    pub fn admit(&mut self, users: Vec<(String, String)>) {
        self.site.admit(users);
    }

    /// Secures connections by this from here on. Those that there are end, each behind the answer that is under way.
    pub fn secure(&mut self, tls: Option<Arc<ServerConfig>>) {
        self.tls = tls;
        self.connections.retain_mut(Connection::take_leave);
    }

    /// Serves until the main thread has ended.
    pub fn run(mut self) {
        while self.listen_to_main() {
            let ready = self.wait();
            self.serve(&ready);
            self.end_late_ones();
            self.let_in();
            self.try_again();
        }
    }

    /// Does what the main thread says; false: it has ended.
    fn listen_to_main(&mut self) -> bool {
        wake::drain(&self.woken);
        loop {
            match self.inbox.try_recv() {
                Ok(Message::Page(page)) => self.site.renew(page),
                Ok(Message::Admit(users)) => self.admit(users),
                Ok(Message::Secure(tls)) => self.secure(tls),
                Ok(Message::Listen(None)) => {
                    (self.listener, self.wanted) = (None, None);
                    self.connections.clear();
                    self.site.clear();
                }
                Ok(Message::Listen(Some(address))) => self.move_to(address),
                Err(TryRecvError::Empty) => return true,
                Err(TryRecvError::Disconnected) => return false,
            }
        }
    }

    /// Listens at another address. Where that fails, the former one stays, and it is tried again.
    fn move_to(&mut self, address: SocketAddr) {
        self.wanted = None;
        let former = self.listener.as_ref().map(|(former, _)| *former);
        if former == Some(address) {
            return;
        }
        // All addresses and one of them, on one port, are in each other's way.
        let in_the_way = former.is_some_and(|former| {
            let is_any = former.ip().is_unspecified() || address.ip().is_unspecified();
            is_any && former.port() == address.port()
        });
        if in_the_way {
            self.listener = None;
        }
        match listen_at(address) {
            Ok(listener) => self.listener = Some((address, listener)),
            Err(text) => {
                let stays = former.map_or_else(String::new, |f| format!("; it goes on at {f}"));
                self.outlet.send(Update::Notice(format!("{text}{stays}")));
                if self.listener.is_none() {
                    let again = |former| Some((former, listen_at(former).ok()?));
                    self.listener = former.and_then(again);
                }
                let again = Instant::now() + LISTEN_AGAIN;
                self.wanted = (!in_the_way).then_some((address, again));
            }
        }
    }

    /// Listens where it could not before, if that is due and possible now.
    fn try_again(&mut self) {
        let now = Instant::now();
        let Some((address, _)) = self.wanted.take_if(|(_, due)| *due <= now) else {
            return;
        };
        match listen_at(address) {
            Ok(listener) => {
                self.listener = Some((address, listener));
                let text = format!("listen at {address}: it is possible now");
                self.outlet.send(Update::Notice(text));
            }
            Err(_) => self.wanted = Some((address, now + LISTEN_AGAIN)),
        }
    }

    /// Waits until there is something to do; says which connections can go on.
    fn wait(&self) -> Vec<bool> {
        let listener = self
            .listener
            .as_ref()
            .filter(|_| self.rests_until.is_none());
        let mut fds = vec![PollFd::new(self.woken.as_fd(), PollFlags::POLLIN)];
        for connection in &self.connections {
            fds.push(PollFd::new(connection.as_fd(), connection.awaits()));
        }
        fds.extend(listener.map(|(_, l)| PollFd::new(l.as_fd(), PollFlags::POLLIN)));
        let ends = self.connections.iter().map(Connection::next);
        let tries = self.wanted.map(|(_, due)| due);
        let next = ends.chain(self.rests_until).chain(tries).min();
        let timeout = next.map_or(PollTimeout::NONE, |next| {
            wake::timeout(next.saturating_duration_since(Instant::now()))
        });
        // If interrupted, all is tried anyway: nothing here waits.
        let _ = poll(&mut fds, timeout);
        let is_ready = |fd: &PollFd<'_>| fd.any().unwrap_or(true);
        fds[1..=self.connections.len()]
            .iter()
            .map(is_ready)
            .collect()
    }

    /// Goes on with the connections that can.
    fn serve(&mut self, ready: &[bool]) {
        let now = Instant::now();
        let mut ready = ready.iter();
        let site = &mut self.site;
        self.connections.retain_mut(|connection| {
            let is_ready = ready.next().is_some_and(|ready| *ready);
            let outcome = if is_ready || connection.next() <= now {
                connection.go_on(site)
            } else {
                Ok(())
            };
            if let Err(error) = &outcome
                && error.kind() == ErrorKind::InvalidData
            {
                site.refuse(Refusal::Tls);
            }
            outcome.is_ok()
        });
    }

    fn end_late_ones(&mut self) {
        let now = Instant::now();
        let site = &mut self.site;
        self.connections.retain(|connection| {
            let stays = now < connection.deadline();
            if let Some(refusal) = connection.lateness().filter(|_| !stays) {
                site.refuse(refusal);
            }
            stays
        });
    }

    /// Lets in who waits at the door.
    fn let_in(&mut self) {
        if self.rests_until.is_some_and(|until| Instant::now() < until) {
            return;
        }
        self.rests_until = None;
        let Some((_, listener)) = &self.listener else {
            return;
        };
        // Not for ever: those who are in have their turn, too.
        for _ in 0..MOST_CONNECTIONS {
            let stream = match listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::ConnectionAborted => continue,
                Err(_) => {
                    self.rests_until = Some(Instant::now() + TRY_AGAIN);
                    return;
                }
            };
            if self.connections.len() >= MOST_CONNECTIONS {
                self.site.refuse(Refusal::Full);
                // Who has waited longest without an answer under way gives way.
                let waiting = self.connections.iter().enumerate();
                let waiting = waiting.filter(|(_, connection)| connection.is_waiting());
                let oldest = waiting.min_by_key(|(_, connection)| connection.deadline());
                let Some((oldest, _)) = oldest else {
                    continue;
                };
                self.connections.swap_remove(oldest);
            }
            self.connections
                .extend(Connection::new(stream, self.tls.as_ref()));
        }
    }
}
