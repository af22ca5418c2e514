//! Any frame on any link: made of parts, sent as it is through AF_PACKET.

use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::time::Duration;

use etherparse::{PacketBuilder, VlanId};
use flowtop::netns::Namespace;

use super::clock::{self, Pacer, now_ns};
use super::pair::{
    RECEIVER_MAC, RECEIVER_V4, RECEIVER_V6, SENDER_LINK, SENDER_MAC, SENDER_V4, SENDER_V6,
};

/// A UDP packet from the sender of a pair to its receiver, with what tests vary.
#[derive(Debug, Clone)]
pub struct Udp {
    /// IPv6 instead of IPv4.
    pub v6: bool,
    /// A VLAN tag.
    pub vlan: Option<u16>,
    /// Source port.
    pub source_port: u16,
    /// Destination port.
    pub destination_port: u16,
    /// Payload.
    pub payload: Vec<u8>,
}

impl Udp {
    /// IPv4, untagged, from port 40000, with an empty payload.
    pub fn to_port(destination_port: u16) -> Udp {
        Udp {
            v6: false,
            vlan: None,
            source_port: 40000,
            destination_port,
            payload: Vec::new(),
        }
    }

    /// The same with this payload.
    pub fn with_payload(mut self, payload: Vec<u8>) -> Udp {
        self.payload = payload;
        self
    }

    /// The same with a payload of `length` bytes that carries a big-endian number at `offset`.
    pub fn with_number(mut self, number: u32, offset: usize, length: usize) -> Udp {
        self.payload = vec![0; length];
        self.payload[offset..offset + 4].copy_from_slice(&number.to_be_bytes());
        self
    }

    /// The frame, with right lengths and checksums.
    pub fn frame(&self) -> Vec<u8> {
        let ethernet = PacketBuilder::ethernet2(SENDER_MAC, RECEIVER_MAC);
        let step = match (self.vlan, self.v6) {
            (None, false) => ethernet.ipv4(SENDER_V4, RECEIVER_V4, 64),
            (None, true) => ethernet.ipv6(SENDER_V6, RECEIVER_V6, 64),
            (Some(id), v6) => {
                let tagged = ethernet.single_vlan(VlanId::try_new(id).expect("a VLAN id"));
                match v6 {
                    false => tagged.ipv4(SENDER_V4, RECEIVER_V4, 64),
                    true => tagged.ipv6(SENDER_V6, RECEIVER_V6, 64),
                }
            }
        };
        let step = step.udp(self.source_port, self.destination_port);
        let mut frame = Vec::with_capacity(step.size(self.payload.len()));
        step.write(&mut frame, &self.payload).expect("a frame");
        frame
    }
}

/// Frames of one UDP flow that carry these numbers, big-endian at the start of a payload of `length` bytes.
pub fn sequence_script(numbers: &[u32], destination_port: u16, length: usize) -> Vec<Vec<u8>> {
    let udp = Udp::to_port(destination_port);
    let frame = |number: &u32| udp.clone().with_number(*number, 0, length).frame();
    numbers.iter().map(frame).collect()
}

/// Sends frames on one link as they are, from the Ethernet header on. May be shared by threads.
#[derive(Debug)]
pub struct FrameSender {
    socket: OwnedFd,
}

impl FrameSender {
    /// On a link of a namespace, once the kernel has activated it: before, what is sent is dropped without a word.
    pub fn open(namespace: &Namespace, link: &str) -> FrameSender {
        flowtop::netns::wait_until_up(namespace, link).expect("a link that comes up");
        let ifindex = namespace.ifindex(link).expect("a link");
        let socket = namespace
            .within(|| Ok(packet_socket()?))
            .expect("an AF_PACKET socket");
        bind(&socket, ifindex, 0).expect("bind to the link");
        FrameSender { socket }
    }

    /// On the sending end of a pair.
    pub fn on(pair: &super::pair::Pair) -> FrameSender {
        FrameSender::open(&pair.sender, SENDER_LINK)
    }

    /// Sends one frame; waits while there is no room. Where the receiving CPU's backlog is full, veth drops it and
    /// says nothing: what arrived is in [`Pair::received`](super::pair::Pair::received).
    pub fn send(&self, frame: &[u8]) {
        // SAFETY: pointer and length are those of a slice that outlives the call; the descriptor is open.
        let sent = unsafe {
            libc::send(
                self.socket.as_raw_fd(),
                frame.as_ptr().cast(),
                frame.len(),
                0,
            )
        };
        let error = std::io::Error::last_os_error();
        assert_eq!(sent, frame.len() as isize, "send a frame: {error}");
    }

    /// Sends all frames as fast as one thread can.
    pub fn send_all(&self, frames: &[Vec<u8>]) {
        for frame in frames {
            self.send(frame);
        }
    }

    /// Sends all frames with as few system calls as there can be: as fast as one thread can.
    pub fn send_at_once(&self, frames: &[Vec<u8>]) {
        let part = |frame: &Vec<u8>| libc::iovec {
            iov_base: frame.as_ptr().cast_mut().cast(),
            iov_len: frame.len(),
        };
        let mut parts: Vec<libc::iovec> = frames.iter().map(part).collect();
        let message = |part: &mut libc::iovec| {
            // SAFETY: mmsghdr is made of integers and pointers, for which zero is a value.
            let mut message: libc::mmsghdr = unsafe { std::mem::zeroed() };
            message.msg_hdr.msg_iov = part;
            message.msg_hdr.msg_iovlen = 1;
            message
        };
        let mut messages: Vec<libc::mmsghdr> = parts.iter_mut().map(message).collect();
        let mut rest = &mut messages[..];
        while !rest.is_empty() {
            // SAFETY: messages, their parts and the frames outlive the call, which writes only lengths.
            let sent = unsafe {
                libc::sendmmsg(
                    self.socket.as_raw_fd(),
                    rest.as_mut_ptr(),
                    rest.len() as libc::c_uint,
                    0,
                )
            };
            let error = std::io::Error::last_os_error();
            assert!(sent > 0, "send frames: {error}");
            rest = &mut rest[sent as usize..];
        }
    }

    /// Sends all frames, and waits now and then until the receiving CPUs have worked off what they were given, so that
    /// no backlog overflows: what was sent arrives.
    pub fn send_in_step<'a>(&self, frames: impl IntoIterator<Item = &'a [u8]>) {
        for (number, frame) in frames.into_iter().enumerate() {
            if number % STEP == 0 {
                clock::wait_for_backlog(STEP);
            }
            self.send(frame);
        }
    }

    /// Sends a frame each `gap`; returns when (CLOCK_MONOTONIC, ns) each call of send began.
    pub fn send_paced(&self, frames: &[Vec<u8>], gap: Duration) -> Vec<u64> {
        self.send_with_gaps(frames.iter().map(|frame| (frame.as_slice(), gap)))
    }

    /// Sends each frame, then waits its gap (measured from the planned moment of the frame); returns the moments.
    pub fn send_with_gaps<'a>(
        &self,
        script: impl IntoIterator<Item = (&'a [u8], Duration)>,
    ) -> Vec<u64> {
        let mut pacer = Pacer::start();
        let mut moments = Vec::new();
        for (frame, gap) in script {
            pacer.wait(gap);
            moments.push(now_ns());
            self.send(frame);
        }
        moments
    }

    /// Sends one aggregate (a GSO buffer): the kernel takes it as `gso_size`-byte segments of a TCP/IPv4 or TCP/IPv6
    /// packet whose headers are `header_bytes` long, 20 of them TCP. The receiving hook sees one buffer.
    pub fn send_aggregate(&self, frame: &[u8], v6: bool, header_bytes: u16, gso_size: u16) {
        let gso_type = if v6 { 4 } else { 1 }; // VIRTIO_NET_HDR_GSO_TCPV4 or 6
        let words = [header_bytes, gso_size, header_bytes - 20, 16];
        self.send_with_vnet_header(1, gso_type, words, frame);
    }

    /// The same for UDP, of either family: 8 of the header's bytes are UDP. Needs Linux 6.2.
    pub fn send_udp_aggregate(&self, frame: &[u8], header_bytes: u16, gso_size: u16) {
        // VIRTIO_NET_HDR_GSO_UDP_L4
        let words = [header_bytes, gso_size, header_bytes - 8, 6];
        self.send_with_vnet_header(1, 5, words, frame);
    }

    /// Sends one plain frame of which, if it fills a page, only so many bytes are in the linear part of the buffer.
    pub fn send_paged(&self, frame: &[u8], linear_bytes: u16) {
        self.send_with_vnet_header(0, 0, [linear_bytes, 0, 0, 0], frame);
    }

    /// `words`: hdr_len, gso_size, csum_start, csum_offset; `flags` 1: VIRTIO_NET_HDR_F_NEEDS_CSUM.
    fn send_with_vnet_header(&self, flags: u8, gso_type: u8, words: [u16; 4], frame: &[u8]) {
        let mut message = Vec::with_capacity(VNET_HEADER_BYTES + frame.len());
        message.extend([flags, gso_type]);
        for word in words {
            message.extend(word.to_ne_bytes());
        }
        message.extend(frame);
        self.expect_vnet_header(true);
        self.send(&message);
        self.expect_vnet_header(false);
    }

    fn expect_vnet_header(&self, on: bool) {
        set_option(&self.socket, libc::SOL_PACKET, PACKET_VNET_HDR, on.into());
    }
}

/// Frames of a socket come and go behind a struct virtio_net_hdr: what offloads are still to be done.
pub(super) const PACKET_VNET_HDR: libc::c_int = 15;

/// Sets an option whose value is a C int.
pub(super) fn set_option(
    socket: &OwnedFd,
    level: libc::c_int,
    option: libc::c_int,
    value: libc::c_int,
) {
    // SAFETY: the option's value is a C int that outlives the call; the descriptor is open.
    let outcome = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            option,
            (&raw const value).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
    let error = std::io::Error::last_os_error();
    assert_eq!(outcome, 0, "option {option}: {error}");
}

/// A CPU's backlog has room for 1000 frames by default, and others may send as well.
const STEP: usize = 100;

/// struct virtio_net_hdr.
pub(super) const VNET_HEADER_BYTES: usize = 10;

/// A socket that sends and never receives: protocol 0.
fn packet_socket() -> std::io::Result<OwnedFd> {
    raw_socket(0)
}

/// A socket for the frames of this protocol.
pub(super) fn raw_socket(protocol: u16) -> std::io::Result<OwnedFd> {
    let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC;
    // SAFETY: no pointers are passed.
    let fd = unsafe { libc::socket(libc::AF_PACKET, kind, i32::from(protocol.to_be())) };
    match fd {
        -1 => Err(std::io::Error::last_os_error()),
        // SAFETY: the descriptor was just made, and nobody else has it.
        fd => Ok(unsafe { OwnedFd::from_raw_fd(fd) }),
    }
}

/// Ties the socket to a link, for the frames that it was made for.
pub(super) fn bind(socket: &OwnedFd, ifindex: u32, protocol: u16) -> std::io::Result<()> {
    // SAFETY: sockaddr_ll is made of integers, for which zero is a value.
    let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
    address.sll_family = libc::AF_PACKET as u16;
    address.sll_ifindex = ifindex as i32;
    address.sll_protocol = protocol.to_be();
    // SAFETY: the address outlives the call, and its length is right; the descriptor is open.
    let outcome = unsafe {
        libc::bind(
            socket.as_raw_fd(),
            (&raw const address).cast(),
            size_of::<libc::sockaddr_ll>() as libc::socklen_t,
        )
    };
    match outcome {
        0 => Ok(()),
        _ => Err(std::io::Error::last_os_error()),
    }
}
