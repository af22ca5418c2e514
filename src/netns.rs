//! Private network namespaces, joined by a veth pair.
//!
//! A namespace here has no name: it lives as long as a descriptor, a thread or a socket of ours is in it, and the
//! kernel takes it away with the last of them, however the process ended. So there is nothing to clean up: no
//! mount, no file, and no leftovers of a crashed run. Moving a pair's end into a namespace that dies removes the pair.
//! Knows nothing of flows or of BPF.

use std::fs::File;
use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::panic::resume_unwind;
use std::path::Path;
use std::thread;

use anyhow::{Context, Result};
use ipnet::IpNet;
use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE};
use netlink_packet_route::address::{
    AddressAttribute, AddressFlags, AddressHeaderFlags, AddressMessage,
};
use netlink_packet_route::link::{
    AfSpecInet6, AfSpecUnspec, In6AddrGenMode, InfoData, InfoKind, InfoVeth, LinkAttribute,
    LinkFlags, LinkInfo, LinkMessage,
};
use netlink_packet_route::neighbour::{
    NeighbourAddress, NeighbourAttribute, NeighbourMessage, NeighbourState,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use nix::errno::Errno;
use nix::net::if_::if_nametoindex;
use nix::sched::{CloneFlags, setns, unshare};

use crate::netlink::Connection;

/// The calling thread's network namespace. `/proc/self` would be the main thread's.
const CURRENT: &str = "/proc/thread-self/ns/net";

/// A network namespace, held by a descriptor.
#[derive(Debug)]
pub struct Namespace {
    file: File,
}

impl Namespace {
    /// Makes a new namespace; its loopback device is up. Needs CAP_SYS_ADMIN and CAP_NET_ADMIN.
    pub fn create() -> Result<Namespace> {
        let namespace = in_thread(|| {
            unshare(CloneFlags::CLONE_NEWNET)
                .context("make a network namespace (needs root or CAP_SYS_ADMIN)")?;
            Namespace::current()
        })?;
        namespace.connection()?.set_up(1).context("set lo up")?;
        Ok(namespace)
    }

    /// The calling thread's namespace.
    pub fn current() -> Result<Namespace> {
        Namespace::open(CURRENT)
    }

    /// The namespace behind a file: `/proc/<pid>/ns/net`, or `/run/netns/<name>` as `ip netns` makes it.
    pub fn open(path: impl AsRef<Path>) -> Result<Namespace> {
        let path = path.as_ref();
        let file = File::open(path).with_context(|| format!("open {}", path.display()))?;
        Ok(Namespace { file })
    }

    /// Another descriptor of the same namespace.
    pub fn try_clone(&self) -> io::Result<Namespace> {
        let file = self.file.try_clone()?;
        Ok(Namespace { file })
    }

    /// Moves the calling thread into the namespace, for good. Needs CAP_SYS_ADMIN.
    pub fn enter(&self) -> Result<()> {
        setns(&self.file, CloneFlags::CLONE_NEWNET).context("enter a network namespace")
    }

    /// Does `work` in the namespace, in a thread of its own. What it opens (sockets) stays there.
    pub fn within<T: Send>(&self, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        in_thread(|| {
            self.enter()?;
            work()
        })
    }

    /// A connection to this namespace's rtnetlink.
    fn connection(&self) -> Result<Rtnetlink> {
        let connection = self.within(|| Connection::open().context("open rtnetlink"))?;
        Ok(Rtnetlink(connection))
    }

    /// The index of a link of this namespace.
    pub fn ifindex(&self, link: &str) -> Result<u32> {
        self.within(|| if_nametoindex(link).with_context(|| format!("look for {link}")))
    }
}

impl AsFd for Namespace {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// Runs `work` in a thread that ends with it, so that it may change the thread's namespace.
fn in_thread<T: Send>(work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    thread::scope(|scope| match scope.spawn(work).join() {
        Ok(outcome) => outcome,
        Err(panic) => resume_unwind(panic),
    })
}

/// One end of a veth pair.
#[derive(Debug, Clone, Copy)]
pub struct End<'a> {
    /// Where it is.
    pub namespace: &'a Namespace,
    /// Its name there; up to 15 bytes.
    pub name: &'a str,
    /// Its hardware address.
    pub hardware_address: [u8; 6],
}

/// Makes a veth pair. Both ends are down, and make up no IPv6 address of their own.
pub fn join(near: &End, far: &End) -> Result<()> {
    let mut message = LinkMessage::default();
    message.attributes = describe(near);
    let mut peer = LinkMessage::default();
    peer.attributes = describe(far);
    message.attributes.push(LinkAttribute::LinkInfo(vec![
        LinkInfo::Kind(InfoKind::Veth),
        LinkInfo::Data(InfoData::Veth(InfoVeth::Peer(peer))),
    ]));
    near.namespace
        .connection()?
        .0
        .change(
            RouteNetlinkMessage::NewLink(message),
            NLM_F_CREATE | NLM_F_EXCL,
        )
        .with_context(|| format!("make the veth pair {}-{}", near.name, far.name))?;
    for end in [near, far] {
        let ifindex = end.namespace.ifindex(end.name)?;
        end.namespace.connection()?.keep_quiet(ifindex)?;
    }
    Ok(())
}

fn describe(end: &End) -> Vec<LinkAttribute> {
    vec![
        LinkAttribute::IfName(end.name.to_owned()),
        LinkAttribute::Address(end.hardware_address.to_vec()),
        LinkAttribute::NetNsFd(end.namespace.file.as_raw_fd()),
    ]
}

/// Sets a link up.
pub fn set_up(end: &End) -> Result<()> {
    let ifindex = end.namespace.ifindex(end.name)?;
    end.namespace
        .connection()?
        .set_up(ifindex)
        .with_context(|| format!("set {} up", end.name))
}

/// Gives a link an address, usable at once (no duplicate address detection).
pub fn add_address(end: &End, address: IpNet) -> Result<()> {
    let ifindex = end.namespace.ifindex(end.name)?;
    let mut message = AddressMessage::default();
    message.header.family = family(address.addr());
    message.header.prefix_len = address.prefix_len();
    message.header.flags = AddressHeaderFlags::Nodad;
    message.header.index = ifindex;
    message.attributes = vec![
        AddressAttribute::Local(address.addr()),
        AddressAttribute::Address(address.addr()),
        AddressAttribute::Flags(AddressFlags::Nodad),
    ];
    end.namespace
        .connection()?
        .0
        .change(
            RouteNetlinkMessage::NewAddress(message),
            NLM_F_CREATE | NLM_F_EXCL,
        )
        .with_context(|| format!("give {} the address {address}", end.name))
}

/// Whether a link can have IPv6 addresses: the kernel may lack IPv6, or have it switched off.
pub fn has_ipv6(end: &End) -> Result<bool> {
    let file = format!("/proc/sys/net/ipv6/conf/{}/disable_ipv6", end.name);
    end.namespace
        .within(|| Ok(std::fs::read(&file).is_ok_and(|value| value.starts_with(b"0"))))
}

/// Tells one end the other's hardware address for good, so that nobody has to ask (no ARP, no neighbour discovery).
pub fn add_neighbour(end: &End, address: IpAddr, hardware_address: [u8; 6]) -> Result<()> {
    let mut message = NeighbourMessage::default();
    message.header.family = family(address);
    message.header.ifindex = end.namespace.ifindex(end.name)?;
    message.header.state = NeighbourState::Permanent;
    message.attributes = vec![
        NeighbourAttribute::Destination(match address {
            IpAddr::V4(v4) => NeighbourAddress::Inet(v4),
            IpAddr::V6(v6) => NeighbourAddress::Inet6(v6),
        }),
        NeighbourAttribute::LinkLayerAddress(hardware_address.to_vec()),
    ];
    end.namespace
        .connection()?
        .0
        .change(
            RouteNetlinkMessage::NewNeighbour(message),
            NLM_F_CREATE | NLM_F_REPLACE,
        )
        .with_context(|| format!("tell {} where {address} is", end.name))
}

fn family(address: IpAddr) -> AddressFamily {
    match address {
        IpAddr::V4(_) => AddressFamily::Inet,
        IpAddr::V6(_) => AddressFamily::Inet6,
    }
}

/// The changes that are made through a connection to one namespace.
struct Rtnetlink(Connection);

impl Rtnetlink {
    fn set_up(&mut self, ifindex: u32) -> io::Result<()> {
        let mut message = LinkMessage::default();
        message.header.index = ifindex;
        message.header.flags = LinkFlags::Up;
        message.header.change_mask = LinkFlags::Up;
        self.0.change(RouteNetlinkMessage::SetLink(message), 0)
    }

    /// Keeps a link from making itself a link-local IPv6 address, whose detection of duplicates would be traffic.
    fn keep_quiet(&mut self, ifindex: u32) -> Result<()> {
        let mut message = LinkMessage::default();
        message.header.index = ifindex;
        message.attributes = vec![LinkAttribute::AfSpecUnspec(vec![AfSpecUnspec::Inet6(
            vec![AfSpecInet6::AddrGenMode(In6AddrGenMode::None)],
        )])];
        match self.0.change(RouteNetlinkMessage::SetLink(message), 0) {
            // A kernel without IPv6 is quiet by itself.
            Err(error) if is_without_ipv6(&error) => Ok(()),
            other => other.context("switch off IPv6 autoconfiguration"),
        }
    }
}

/// Whether the kernel refused something because it has no IPv6.
fn is_without_ipv6(error: &io::Error) -> bool {
    error
        .raw_os_error()
        .map(Errno::from_raw)
        .is_some_and(|errno| matches!(errno, Errno::EAFNOSUPPORT | Errno::EOPNOTSUPP))
}
