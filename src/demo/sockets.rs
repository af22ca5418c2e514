//! Opens the sockets of the demo's flows, each in its namespace, and makes senders of them.

use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;

use anyhow::{Context, Result};
use nix::sys::socket::{
    AddressFamily, SockFlag, SockProtocol, SockType, SockaddrStorage, bind, connect, socket,
};

use super::ledger::{LedgerEntry, Tally};
use super::payload::{ECHO_V4, ECHO_V6, Payload};
use super::plan::{FlowKind, Place};
use super::script::Rhythm;
use super::traffic::{Datagrams, Sender, Stream};
use crate::netns::{Namespace, needs};

/// UDP numbers start a little below the wrap-around, which is no event for a receiver.
const FIRST_NUMBER: u32 = u32::MAX - 500;

/// Makes the sender of one flow.
pub(super) struct Builder<'a> {
    pub sender: &'a Namespace,
    pub receiver: &'a Namespace,
    pub entry: &'a LedgerEntry,
    pub tally: Arc<Tally>,
    /// Sockets on which something arrives that has to be read.
    pub arriving: &'a mut Vec<OwnedFd>,
}

impl Builder<'_> {
    /// Opens the sockets; nothing is sent yet.
    pub fn build(&mut self, kind: FlowKind) -> Result<Box<dyn Sender>> {
        Ok(match kind {
            FlowKind::Datagrams {
                payload,
                place,
                rhythm,
                ..
            } => Box::new(self.datagrams(payload, place, rhythm)?),
            FlowKind::Echo { identifier, rhythm } => Box::new(self.echo(identifier, rhythm)?),
            FlowKind::Stream { chunk, every, .. } => {
                let mut stream = self.stream()?;
                stream.chunk = vec![b'.'; chunk];
                stream.every = every;
                Box::new(stream)
            }
        })
    }

    fn datagrams(&mut self, bytes: usize, place: Place, rhythm: Rhythm) -> Result<Datagrams> {
        let (from, to) = self.addresses();
        let socket = self
            .sender
            .within(|| open(from, SockType::Datagram, None))?;
        bind_to(&socket, from)?;
        connect(socket.as_raw_fd(), &SockaddrStorage::from(to))?;
        let sink = self
            .receiver
            .within(|| open(to, SockType::Datagram, None))?;
        bind_to(&sink, to)?;
        self.arriving.push(sink);
        let payload = Payload::udp(place, bytes);
        Ok(self.sender_on(socket, rhythm, payload, FIRST_NUMBER))
    }

    fn echo(&mut self, identifier: u16, rhythm: Rhythm) -> Result<Datagrams> {
        let (mut from, mut to) = self.addresses();
        from.set_port(0);
        to.set_port(0);
        let (protocol, kind) = match to {
            SocketAddr::V4(_) => (SockProtocol::Icmp, ECHO_V4),
            SocketAddr::V6(_) => (SockProtocol::IcmpV6, ECHO_V6),
        };
        let socket = self
            .sender
            .within(|| open(from, SockType::Raw, Some(protocol)))?;
        bind_to(&socket, from)?;
        connect(socket.as_raw_fd(), &SockaddrStorage::from(to))?;
        // The replies come back on the same socket.
        self.arriving.push(socket.try_clone()?);
        Ok(self.sender_on(socket, rhythm, Payload::echo(kind, identifier), 1))
    }

    fn sender_on(
        &self,
        socket: OwnedFd,
        rhythm: Rhythm,
        payload: Payload,
        next_number: u32,
    ) -> Datagrams {
        Datagrams {
            socket,
            rhythm,
            payload,
            next_number,
            index: 0,
            tally: Arc::clone(&self.tally),
        }
    }

    fn stream(&mut self) -> Result<Stream> {
        let (server, local) = self.addresses();
        let listener = self
            .sender
            .within(|| TcpListener::bind(server).context("listen"))?;
        listener.set_nonblocking(true)?;
        let client = self
            .receiver
            .within(|| open(local, SockType::Stream, None))?;
        bind_to(&client, local)?;
        self.arriving.push(client.try_clone()?);
        Ok(Stream {
            client,
            server,
            listener,
            connection: None,
            chunk: Vec::new(),
            every: std::time::Duration::ZERO,
            tally: Arc::clone(&self.tally),
        })
    }

    /// Where the flow comes from, and where it goes.
    fn addresses(&self) -> (SocketAddr, SocketAddr) {
        let entry = self.entry;
        (
            (entry.source, entry.source_port).into(),
            (entry.destination, entry.destination_port).into(),
        )
    }
}

/// A socket of the address's family, in the calling thread's namespace. It does not block.
fn open(address: SocketAddr, kind: SockType, protocol: Option<SockProtocol>) -> Result<OwnedFd> {
    let family = match address {
        SocketAddr::V4(_) => AddressFamily::Inet,
        SocketAddr::V6(_) => AddressFamily::Inet6,
    };
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    socket(family, kind, flags, protocol)
        .map_err(|errno| needs("CAP_NET_RAW", errno))
        .context("open a socket")
}

fn bind_to(socket: &OwnedFd, address: SocketAddr) -> Result<()> {
    bind(socket.as_raw_fd(), &SockaddrStorage::from(address))
        .with_context(|| format!("bind to {address}"))
}
