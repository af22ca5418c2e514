//! A small synchronous rtnetlink client: a request that changes something, and a dump that lists something.
//!
//! Owns the framing (sequence numbers, acknowledgements, interrupted dumps), not the meaning of messages.
//! Messages go out through netlink-packet-route's types and come back as bytes, so that an attribute which
//! a newer kernel has, or a name that is not UTF-8, can't make a whole dump unreadable.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use netlink_packet_core::{
    NLM_F_ACK, NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_REQUEST, NLMSG_DONE, NLMSG_ERROR, NetlinkBuffer,
    NetlinkHeader, NetlinkMessage, NetlinkPayload,
};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_sys::Socket;
use netlink_sys::protocols::NETLINK_ROUTE;

/// Larger than any message of the kernel's dumps (32 KiB at most).
const RECEIVE_BYTES: usize = 64 * 1024;
/// A dump that the kernel calls inconsistent is asked for this often; then it is an error.
const DUMP_ATTEMPTS: usize = 8;

/// The kernel wanted more room than [`RECEIVE_BYTES`], or sent what is no netlink message.
fn unreadable() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        "unreadable answer from rtnetlink",
    )
}

/// One message as it came: its type and the bytes behind the netlink header.
#[derive(Debug, Clone, Copy)]
pub struct Incoming<'a> {
    /// `RTM_*` or `NLMSG_*`.
    pub kind: u16,
    /// `NLM_F_*`.
    pub flags: u16,
    /// Number of the request that it answers; 0 in notifications.
    pub sequence: u32,
    /// What follows the netlink header.
    pub payload: &'a [u8],
}

/// Takes a datagram apart. Ends at the first message that can't be read.
pub fn messages(mut datagram: &[u8]) -> impl Iterator<Item = Incoming<'_>> {
    std::iter::from_fn(move || {
        let message = NetlinkBuffer::new_checked(datagram).ok()?;
        let length = message.length() as usize;
        let incoming = Incoming {
            kind: message.message_type(),
            flags: message.flags(),
            sequence: message.sequence_number(),
            payload: message.payload(),
        };
        datagram = datagram.get(length.next_multiple_of(4)..).unwrap_or(&[]);
        Some(incoming)
    })
}

/// A socket for requests. It belongs to the network namespace of the thread that opened it.
#[derive(Debug)]
pub struct Connection {
    socket: Socket,
    sequence: u32,
    buffer: Vec<u8>,
}

impl Connection {
    /// Opens a socket in the calling thread's network namespace.
    pub fn open() -> io::Result<Connection> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        // Not connected: to whom nothing else is said the kernel is meant, and only it and CAP_NET_ADMIN may answer. A thread
        // that has given up its rights has no connect(2).
        socket.bind_auto()?;
        Ok(Connection {
            socket,
            sequence: 0,
            buffer: vec![0; RECEIVE_BYTES],
        })
    }

    /// Sends a request that changes something (`flags`: NLM_F_CREATE and the like) and waits for its outcome.
    pub fn change(&mut self, message: RouteNetlinkMessage, flags: u16) -> io::Result<()> {
        let sequence = self.send(message, NLM_F_REQUEST | NLM_F_ACK | flags)?;
        loop {
            let length = self.receive()?;
            for incoming in messages(&self.buffer[..length]) {
                if incoming.sequence == sequence && incoming.kind == NLMSG_ERROR {
                    return outcome(incoming.payload);
                }
            }
        }
    }

    /// Asks for a list and hands over each entry of it, with the type of its message.
    ///
    /// When the list changed while the kernel wrote it, it is asked for again. An error where it always did: what is missing in
    /// such a list may be there.
    pub fn dump<T>(
        &mut self,
        message: &RouteNetlinkMessage,
        entry: impl Fn(&Incoming<'_>) -> Option<T>,
    ) -> io::Result<Vec<T>> {
        consistent(|| self.dump_once(message.clone(), &entry))
    }

    fn dump_once<T>(
        &mut self,
        message: RouteNetlinkMessage,
        entry: &impl Fn(&Incoming<'_>) -> Option<T>,
    ) -> io::Result<(Vec<T>, bool)> {
        let sequence = self.send(message, NLM_F_REQUEST | NLM_F_DUMP)?;
        let mut entries = Vec::new();
        let mut consistent = true;
        loop {
            let length = self.receive()?;
            for incoming in messages(&self.buffer[..length]) {
                if incoming.sequence != sequence {
                    continue;
                }
                consistent &= incoming.flags & NLM_F_DUMP_INTR == 0;
                match incoming.kind {
                    NLMSG_DONE => return outcome(incoming.payload).map(|()| (entries, consistent)),
                    NLMSG_ERROR => outcome(incoming.payload)?,
                    _ => entries.extend(entry(&incoming)),
                }
            }
        }
    }

    /// Sends a request and returns its number.
    fn send(&mut self, message: RouteNetlinkMessage, flags: u16) -> io::Result<u32> {
        self.sequence = self.sequence.wrapping_add(1).max(1);
        let mut header = NetlinkHeader::default();
        header.flags = flags;
        header.sequence_number = self.sequence;
        let mut request = NetlinkMessage::new(header, NetlinkPayload::from(message));
        request.finalize();
        let mut bytes = vec![0; request.buffer_len()];
        request.serialize(&mut bytes);
        self.socket.send(&bytes, 0)?;
        Ok(self.sequence)
    }

    /// Waits for a datagram and returns its length.
    fn receive(&mut self) -> io::Result<usize> {
        receive_into(&self.socket, &mut self.buffer)
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// A non-blocking socket on which the kernel announces changes.
#[derive(Debug)]
pub struct Subscription {
    socket: Socket,
    buffer: Vec<u8>,
}

impl Subscription {
    /// Subscribes to an `RTNLGRP_*` group in the calling thread's network namespace.
    pub fn open(group: u32) -> io::Result<Subscription> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.bind_auto()?;
        socket.add_membership(group)?;
        socket.set_non_blocking(true)?;
        Ok(Subscription {
            socket,
            buffer: vec![0; RECEIVE_BYTES],
        })
    }

    /// Reads all that is waiting, and says whether there was anything or anything was lost.
    pub fn drain(&mut self) -> io::Result<bool> {
        let mut any = false;
        loop {
            match receive_into(&self.socket, &mut self.buffer) {
                Ok(_) => any = true,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(any),
                // The kernel had no room for a message: what it was is unknown, that it was is enough.
                Err(error) if is_overrun(&error) => any = true,
                Err(error) => return Err(error),
            }
        }
    }
}

impl AsFd for Subscription {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Asks until the answer is consistent, which is said beside it.
fn consistent<T>(mut ask: impl FnMut() -> io::Result<(T, bool)>) -> io::Result<T> {
    for _ in 0..DUMP_ATTEMPTS {
        let (answer, is_consistent) = ask()?;
        if is_consistent {
            return Ok(answer);
        }
    }
    Err(io::Error::other("it changed whenever it was listed"))
}

/// Whether the error says that the socket's buffer overflowed and messages were lost.
fn is_overrun(error: &io::Error) -> bool {
    error.raw_os_error() == Some(nix::errno::Errno::ENOBUFS as i32)
}

fn receive_into(socket: &Socket, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match socket.recv(&mut &mut *buffer, 0) {
            Ok(0) => return Err(unreadable()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

/// Reads the error number that NLMSG_ERROR and NLMSG_DONE start with: 0 or a negative errno.
fn outcome(payload: &[u8]) -> io::Result<()> {
    let code = match payload.first_chunk::<4>() {
        Some(bytes) => i32::from_ne_bytes(*bytes),
        // Old kernels end a dump with an empty message.
        None if payload.is_empty() => 0,
        None => return Err(unreadable()),
    };
    match code {
        0 => Ok(()),
        code => Err(io::Error::from_raw_os_error(code.saturating_neg())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outcome_is_zero_or_a_negative_errno() {
        assert!(outcome(&0i32.to_ne_bytes()).is_ok());
        assert!(outcome(&[]).is_ok());
        assert_eq!(
            outcome(&(-17i32).to_ne_bytes())
                .expect_err("EEXIST")
                .raw_os_error(),
            Some(17)
        );
        assert!(outcome(&[1, 2]).is_err());
    }

    #[test]
    fn what_is_inconsistent_is_asked_for_again_and_never_taken() {
        let mut asked = 0;
        let mut third = || {
            asked += 1;
            Ok((asked, asked == 3))
        };
        assert_eq!(consistent(&mut third).expect("the third"), 3);
        consistent(&mut third).expect_err("no further one");
        assert_eq!(asked, 3 + DUMP_ATTEMPTS);
    }

    #[test]
    fn a_datagram_of_two_messages_gives_both_and_a_torn_one_gives_none() {
        let mut datagram = Vec::new();
        for kind in [3u16, 16] {
            datagram.extend(18u32.to_ne_bytes());
            datagram.extend(kind.to_ne_bytes());
            datagram.extend([0; 10]);
            datagram.extend([kind as u8, 0, 0, 0]); // two bytes of payload, two of padding
        }
        let kinds: Vec<_> = messages(&datagram)
            .map(|m| (m.kind, m.payload[0]))
            .collect();
        assert_eq!(kinds, [(3, 3), (16, 16)]);
        assert_eq!(messages(&datagram[..15]).count(), 0);
    }
}
