//! A sender and a receiver with a third namespace between them, whose relay may drop, swap and delay frames.

use std::collections::VecDeque;
use std::io::ErrorKind;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use flowtop::netns::{self, End, Namespace};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::frames::{PACKET_VNET_HDR, VNET_HEADER_BYTES, bind, raw_socket, set_option};
use super::pair::{RECEIVER_LINK, RECEIVER_MAC, SENDER_LINK, SENDER_MAC, give_addresses};

const EVERY_PROTOCOL: u16 = 3;
/// An aggregate and its headers.
const LARGEST_FRAME: usize = 1 << 17;
/// Frames that are to come later wait until nothing else came for so long.
const LULL: Duration = Duration::from_millis(300);

/// What becomes of a frame from the sender to the receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It goes on.
    Pass,
    /// It is lost.
    Drop,
    /// It goes behind the next frame.
    Swap,
    /// It goes when none of the other frames came for a while.
    Later,
}

/// The three namespaces.
#[derive(Debug)]
pub struct Chain {
    /// The namespace that sends.
    pub sender: Namespace,
    /// The namespace that receives, on [`RECEIVER_LINK`].
    pub receiver: Namespace,
    /// The namespace of the relay, whose link to the receiver is `right`.
    pub middle: Namespace,
}

/// A running relay. It ends when this is dropped.
#[derive(Debug)]
pub struct Relay {
    stop: Option<UnixStream>,
    thread: Option<JoinHandle<()>>,
}

fn end<'a>(namespace: &'a Namespace, name: &'a str, hardware_address: [u8; 6]) -> End<'a> {
    End {
        namespace,
        name,
        hardware_address,
    }
}

impl Chain {
    /// Sender and receiver have addresses of both families and know each other, as in a pair.
    pub fn new() -> Chain {
        let namespace = || Namespace::create().expect("make a namespace");
        let chain = Chain {
            sender: namespace(),
            receiver: namespace(),
            middle: namespace(),
        };
        let sender = end(&chain.sender, SENDER_LINK, SENDER_MAC);
        let receiver = end(&chain.receiver, RECEIVER_LINK, RECEIVER_MAC);
        let left = end(&chain.middle, "left", [2, 0, 0, 0, 9, 1]);
        let right = end(&chain.middle, "right", [2, 0, 0, 0, 9, 2]);
        for (outer, inner) in [(&sender, &left), (&receiver, &right)] {
            netns::join(outer, inner).expect("make a veth pair");
            let file = format!("/proc/sys/net/ipv6/conf/{}/disable_ipv6", inner.name);
            let silence = || Ok(std::fs::write(&file, "1")?);
            chain.middle.within(silence).expect("switch IPv6 off");
            netns::set_up(outer, inner).expect("set the links up");
        }
        give_addresses(&sender, &receiver);
        chain
    }

    /// Starts to pass frames on; `judge` sees those that go from the sender to the receiver.
    pub fn relay(&self, judge: impl FnMut(&[u8]) -> Verdict + Send + 'static) -> Relay {
        let port = |link: &str| {
            let ifindex = self.middle.ifindex(link).expect("a link");
            self.middle
                .within(|| Ok(open(ifindex)?))
                .expect("an AF_PACKET socket")
        };
        let (left, right) = (port("left"), port("right"));
        let (stop, stopped) = UnixStream::pair().expect("a socket pair");
        let mut passing = Passing {
            left,
            right,
            swapped: None,
            delayed: VecDeque::new(),
            latest: Instant::now(),
            judge,
        };
        Relay {
            stop: Some(stop),
            thread: Some(std::thread::spawn(move || passing.run(&stopped))),
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        drop(self.stop.take());
        let outcome = self.thread.take().map(JoinHandle::join);
        if !std::thread::panicking() {
            outcome.expect("a thread").expect("no panic");
        }
    }
}

fn open(ifindex: u32) -> std::io::Result<OwnedFd> {
    // Made for no protocol, so that no frame of another link gets in before the socket is tied to its own.
    let socket = raw_socket(0)?;
    set_option(&socket, libc::SOL_PACKET, PACKET_VNET_HDR, 1);
    set_option(&socket, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, 16 << 20);
    bind(&socket, ifindex, EVERY_PROTOCOL)?;
    Ok(socket)
}

struct Passing<J> {
    left: OwnedFd,
    right: OwnedFd,
    swapped: Option<Vec<u8>>,
    delayed: VecDeque<Vec<u8>>,
    /// When a frame that was not to be delayed came.
    latest: Instant,
    judge: J,
}

impl<J: FnMut(&[u8]) -> Verdict> Passing<J> {
    fn run(&mut self, stopped: &UnixStream) {
        loop {
            let patience = match self.delayed.is_empty() {
                true => PollTimeout::NONE,
                false => PollTimeout::from(20u8),
            };
            let mut fds = [self.left.as_fd(), self.right.as_fd(), stopped.as_fd()]
                .map(|fd| PollFd::new(fd, PollFlags::POLLIN));
            let _ = poll(&mut fds, patience);
            if fds[2].any().unwrap_or(false) {
                return;
            }
            while let Some(frame) = receive(&self.right) {
                send(&self.left, &frame);
            }
            while let Some(frame) = receive(&self.left) {
                self.pass(frame);
            }
            if self.latest.elapsed() > LULL {
                self.delayed.drain(..).for_each(|f| send(&self.right, &f));
            }
        }
    }

    fn pass(&mut self, frame: Vec<u8>) {
        let verdict = (self.judge)(&frame[VNET_HEADER_BYTES..]);
        if verdict == Verdict::Later {
            self.delayed.push_back(frame);
            return;
        }
        self.latest = Instant::now();
        if verdict == Verdict::Swap && self.swapped.is_none() {
            self.swapped = Some(frame);
            return;
        }
        if verdict != Verdict::Drop {
            send(&self.right, &frame);
        }
        if let Some(earlier) = self.swapped.take() {
            send(&self.right, &earlier);
        }
    }
}

/// The next frame behind its virtio_net_hdr, if there is one.
fn receive(socket: &OwnedFd) -> Option<Vec<u8>> {
    use std::os::fd::AsRawFd;
    let mut frame = vec![0; LARGEST_FRAME];
    let flags = nix::sys::socket::MsgFlags::MSG_DONTWAIT;
    let length = nix::sys::socket::recv(socket.as_raw_fd(), &mut frame, flags).ok()?;
    frame.truncate(length);
    Some(frame)
}

/// What finds no room is lost, as on any link.
fn send(socket: &OwnedFd, frame: &[u8]) {
    use std::os::fd::AsRawFd;
    let flags = nix::sys::socket::MsgFlags::empty();
    if let Err(errno) = nix::sys::socket::send(socket.as_raw_fd(), frame, flags) {
        let error = std::io::Error::from(errno);
        let full = error.raw_os_error() == Some(libc::ENOBUFS);
        assert!(
            full || error.kind() == ErrorKind::WouldBlock,
            "relay: {error}"
        );
    }
}
