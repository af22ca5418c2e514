//! Serves metrics: a thread of its own answers scrapers from the latest numbers that it was handed.
//!
//! It is started whether anybody wants metrics or not, as a configuration may ask for them later and no thread can be
//! started then; until then it sleeps and has no socket. Nobody waits for it: numbers go to it over a channel, and the
//! next ones are there when it has time.

mod answer;
mod certificates;
mod connection;
mod gate;
pub mod replayed;
mod request;
mod server;
mod tls;
mod transport;

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};

use super::confined::start_confined;
use super::updates::{Outlet, Update};
use crate::config::listen::TlsFiles;
use crate::config::source::{Surroundings, reason};
use crate::export::openmetrics::Page;
use crate::model::privileges::Privileges;
use crate::probe::privileges::confine::Keeps;
use anyhow::{Context, Result};
pub use certificates::Certificates;
use server::{Message, Server};

/// The ports below need a right that is given up.
const FIRST_FREE_PORT: u16 = 1024;

/// Readings that are closer together share a page, ns: nobody scrapes more often.
const APART_NS: u64 = 900_000_000;

/// Who is served, and how.
#[derive(Debug)]
pub struct Serving {
    /// Where scrapers come to, if they are wanted from the start on.
    pub listener: Option<TcpListener>,
    /// What connections are secured by, if they are.
    pub certificates: Certificates,
    /// Users by name and hash of the password; none: anybody is served.
    pub users: Vec<(String, String)>,
}

/// The handle of the thread.
#[derive(Debug)]
pub struct Metrics {
    messages: Sender<Message>,
    wake: UnixStream,
    outlet: Outlet,
    certificates: Certificates,
    /// Where it is to listen, and where it does.
    wanted: Option<SocketAddr>,
    address: Option<SocketAddr>,
    users: Vec<(String, String)>,
    /// The reading that was handed over last, CLOCK_MONOTONIC ns.
    published_ns: u64,
}

impl Metrics {
    /// Starts the thread, which keeps these rights.
    pub fn start(serving: Serving, outlet: Outlet, keeps: Keeps) -> Result<(Metrics, Privileges)> {
        let (messages, inbox) = channel();
        let (wake, woken) = super::wake::pair().context("make a socket pair")?;
        let Serving {
            listener,
            certificates,
            users,
        } = serving;
        let address = listener.as_ref().map(TcpListener::local_addr).transpose()?;
        let mut server = Server::new(inbox, woken, outlet.try_clone()?, address.zip(listener));
        server.secure(certificates.config().cloned());
        server.admit(users.clone());
        let make = move |_: &Privileges| Ok(server);
        let (_, privileges) = start_confined("metrics", keeps, make, Server::run)?;
        let metrics = Metrics {
            messages,
            wake,
            outlet,
            certificates,
            wanted: address,
            address,
            users,
            published_ns: 0,
        };
        Ok((metrics, privileges))
    }

    /// Serves these users from here on, by name and hash of the password; none: anybody.
    pub fn admit(&mut self, users: &[(String, String)]) {
        if users != self.users {
            self.users = users.to_vec();
            self.send(Message::Admit(self.users.clone()));
        }
    }

    /// Secures connections by these files from here on, or not.
    pub fn secure(&mut self, files: Option<&TlsFiles>, surroundings: &Surroundings) {
        if files != self.certificates.files() {
            self.certificates.choose(files.cloned());
            self.read_files(surroundings);
        }
    }

    /// Reads the files of TLS again where they have changed, now and then.
    pub fn look_at_files(&mut self, surroundings: &Surroundings) {
        if self.certificates.have_settled() {
            self.read_files(surroundings);
        }
    }

    /// Reads the files of TLS again where they have changed.
    pub fn look_at_files_now(&mut self, surroundings: &Surroundings) {
        if self.certificates.have_changed() {
            self.read_files(surroundings);
        } else {
            self.listen(self.wanted);
        }
    }

    /// Reads the files of TLS. Where that fails, a notice says so, and the former ones stay in force, if there are any.
    fn read_files(&mut self, surroundings: &Surroundings) {
        let text = match self.certificates.read_again(surroundings) {
            Ok(()) => {
                let tls = self.certificates.config().cloned();
                let is_secured = tls.is_some();
                self.send(Message::Secure(tls));
                self.listen(self.wanted);
                is_secured.then(|| "LISTEN_TLS: the files were read again".to_owned())
            }
            Err(text) => Some(match self.certificates.config() {
                Some(_) => format!("{text}; what was read before stays in force"),
                None => format!("{text}; nothing is served (a new start has more rights)"),
            }),
        };
        if let Some(text) = text {
            self.outlet.send(Update::Notice(text));
        }
    }

    /// Serves at this address from here on, or nowhere. Where that fails, a notice says so, and the former one stays. Nobody
    /// is served without TLS where it is wanted.
    pub fn listen(&mut self, wanted: Option<SocketAddr>) {
        self.wanted = wanted;
        let address = wanted.filter(|_| self.certificates.may_serve());
        if address != self.address {
            (self.address, self.published_ns) = (address, 0);
        }
        // Also where it is the same: it may not have been possible before.
        self.send(Message::Listen(address));
    }

    /// Whether a reading of this moment is to be handed over: not each one is, where there are many in a second.
    pub fn is_due(&mut self, taken_ns: u64) -> bool {
        // Another run of a recording has another clock.
        let is_due = taken_ns.abs_diff(self.published_ns) >= APART_NS;
        if is_due {
            self.published_ns = taken_ns;
        }
        is_due
    }

    /// Hands over the latest numbers.
    pub fn publish(&self, page: Page) {
        self.send(Message::Page(Arc::new(page)));
    }

    fn send(&self, message: Message) {
        let _ = self.messages.send(message);
        super::wake::wake(&self.wake);
    }
}

/// A socket that waits for scrapers at this address; the error says what was tried and what to do.
pub fn listen_at(address: SocketAddr) -> Result<TcpListener, String> {
    let bound = TcpListener::bind(address).and_then(|listener| {
        listener.set_nonblocking(true)?;
        Ok(listener)
    });
    bound.map_err(|error| format!("listen at {address}: {}", explain(&error, address)))
}

fn explain(error: &io::Error, address: SocketAddr) -> String {
    let advice = match error.kind() {
        ErrorKind::AddrInUse => "another program listens there: choose another port",
        ErrorKind::AddrNotAvailable => "no interface has this address",
        ErrorKind::PermissionDenied if address.port() < FIRST_FREE_PORT => {
            "a port below 1024 is for root, and at the start only"
        }
        _ => return error.to_string(),
    };
    format!("{} ({advice})", reason(error))
}
