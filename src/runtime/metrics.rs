//! Serves metrics: a thread of its own answers scrapers from the latest numbers that it was handed.
//!
//! It is started whether anybody wants metrics or not, as a configuration may ask for them later and no thread can be
//! started then; until then it sleeps and has no socket. Nobody waits for it: numbers go to it over a channel, and the
//! next ones are there when it has time.

mod answer;
mod connection;
mod gate;
mod request;
mod server;
mod tls;
mod transport;

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};

use anyhow::{Context, Result};
use rustls::ServerConfig;

use super::confined::start_confined;
use super::updates::{Outlet, Update};
use crate::config::source::reason;
use crate::export::openmetrics::Page;
use crate::model::privileges::Privileges;
use crate::probe::privileges::confine::Keeps;
use server::{Message, Server};
pub use tls::server_config;

/// The ports below need a right that is given up.
const FIRST_FREE_PORT: u16 = 1024;

/// Readings that are closer together share a page, ns: nobody scrapes more often.
const APART_NS: u64 = 900_000_000;

/// Who is served, and how.
#[derive(Debug, Default)]
pub struct Serving {
    /// Where scrapers come to, if they are wanted from the start on.
    pub listener: Option<TcpListener>,
    /// What connections are secured by, if they are, here and wherever it is listened later.
    pub tls: Option<Arc<ServerConfig>>,
    /// Users by name and hash of the password; none: anybody is served.
    pub users: Vec<(String, String)>,
}

/// The handle of the thread.
#[derive(Debug)]
pub struct Metrics {
    messages: Sender<Message>,
    wake: UnixStream,
    outlet: Outlet,
    is_secured: bool,
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
        let address = serving.listener.as_ref().map(TcpListener::local_addr);
        let is_secured = serving.tls.is_some();
        let main = outlet.try_clone()?;
        let (address, users) = (address.transpose()?, serving.users.clone());
        let make = move |_: &Privileges| Ok(Server::new(inbox, woken, outlet, serving, address));
        let (_, privileges) = start_confined("metrics", keeps, make, Server::run)?;
        let metrics = Metrics {
            messages,
            wake,
            outlet: main,
            is_secured,
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

    /// Serves at this address from here on, or nowhere. Where that fails, a notice says so, and the former one stays. Nobody
    /// is served without TLS where it is wanted and was not from the start on.
    pub fn listen(&mut self, wanted: Option<SocketAddr>, wants_tls: bool) {
        let may = self.is_secured || !wants_tls;
        let address = wanted.filter(|_| may);
        if wanted.is_some() && !may {
            let text =
                "LISTEN: nothing is served before the next start, from which on there is TLS";
            self.outlet.send(Update::Notice(text.to_owned()));
        }
        if address != self.address {
            (self.address, self.published_ns) = (address, 0);
            self.send(Message::Listen(address));
        }
    }

    /// Whether a reading of this moment is to be handed over: not each one is, where there are many in a second.
    pub fn is_due(&mut self, taken_ns: u64) -> bool {
        let is_due = taken_ns >= self.published_ns + APART_NS;
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
