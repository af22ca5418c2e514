//! A veth pair between two namespaces: made, set up, given addresses and neighbours.
//!
//! Each step returns when it has taken effect, which for the kernel is some time after it has said yes: a link drops
//! what is sent until it is activated, and an IPv6 address is not ours until its route is there.

use std::io;
use std::net::{IpAddr, Ipv6Addr};
use std::os::fd::{AsFd, AsRawFd};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use ipnet::IpNet;
use netlink_packet_core::{
    NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE, NlaBuffer, NlasIterator, Parseable,
};
use netlink_packet_route::address::{
    AddressAttribute, AddressFlags, AddressHeaderFlags, AddressMessage,
};
use netlink_packet_route::link::{
    AfSpecInet6, AfSpecUnspec, In6AddrGenMode, InfoData, InfoKind, InfoVeth, LinkAttribute,
    LinkFlags, LinkHeader, LinkInfo, LinkMessage,
};
use netlink_packet_route::neighbour::{
    NeighbourAddress, NeighbourAttribute, NeighbourMessage, NeighbourState,
};
use netlink_packet_route::route::{RouteAddress, RouteAttribute, RouteMessage, RouteType};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::Namespace;
use crate::netlink::Connection;

const RTNLGRP_LINK: u32 = 1;
const RTNLGRP_IPV6_ROUTE: u32 = 11;
const IFLA_OPERSTATE: u16 = 16;
const IF_OPER_UP: u8 = 6;
/// struct ifinfomsg.
const LINK_HEADER_BYTES: usize = 16;
/// The two ends of a pair get different indexes. The kernel would give both the same one, as each is the first link of
/// its namespace; it then takes a pair for a device of its own, and is up to a second late to notice that it came up.
static NEXT_IFINDEX: AtomicU32 = AtomicU32::new(100);
/// Enough for the slowest machine.
const EFFECTIVE_WITHIN: Duration = Duration::from_secs(10);

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

impl End<'_> {
    fn ifindex(&self) -> Result<u32> {
        self.namespace.ifindex(self.name)
    }

    fn change(&self, message: RouteNetlinkMessage, flags: u16) -> Result<()> {
        Ok(self.namespace.connection()?.change(message, flags)?)
    }

    /// What makes this end: its index, its name, its address, and where it goes.
    fn description(&self) -> LinkMessage {
        let mut message = LinkMessage::default();
        message.header.index = NEXT_IFINDEX.fetch_add(1, Ordering::Relaxed);
        message.attributes = vec![
            LinkAttribute::IfName(self.name.to_owned()),
            LinkAttribute::Address(self.hardware_address.to_vec()),
            LinkAttribute::NetNsFd(self.namespace.as_fd().as_raw_fd()),
        ];
        message
    }

    /// Keeps the link from making itself a link-local IPv6 address, whose detection of duplicates would be traffic.
    fn keep_quiet(&self) -> Result<()> {
        let mut message = LinkMessage::default();
        message.header.index = self.ifindex()?;
        let none = AfSpecInet6::AddrGenMode(In6AddrGenMode::None);
        message.attributes = vec![LinkAttribute::AfSpecUnspec(vec![AfSpecUnspec::Inet6(
            vec![none],
        )])];
        let request = RouteNetlinkMessage::SetLink(message);
        match self.namespace.connection()?.change(request, 0) {
            // A kernel without IPv6 is quiet by itself.
            Err(error) if is_without_ipv6(&error) => Ok(()),
            other => other.context("switch off IPv6 autoconfiguration"),
        }
    }
}

/// Waits until `holds` there, asking again whenever there is news of the group.
fn wait_until(
    namespace: &Namespace,
    group: u32,
    holds: impl Fn(&mut Connection) -> io::Result<bool>,
) -> Result<()> {
    let deadline = Instant::now() + EFFECTIVE_WITHIN;
    let mut news = namespace.subscription(group)?;
    let mut connection = namespace.connection()?;
    while !holds(&mut connection)? {
        let left = deadline.saturating_duration_since(Instant::now());
        ensure!(!left.is_zero(), "nothing happened for {EFFECTIVE_WITHIN:?}");
        let mut readable = [PollFd::new(news.as_fd(), PollFlags::POLLIN)];
        match poll(&mut readable, PollTimeout::try_from(left)?) {
            Ok(_) | Err(Errno::EINTR) => news.drain()?,
            Err(errno) => return Err(errno.into()),
        };
    }
    Ok(())
}

/// Makes a veth pair. Both ends are down, and make up no IPv6 address of their own.
pub fn join(near: &End, far: &End) -> Result<()> {
    let mut message = near.description();
    message.attributes.push(LinkAttribute::LinkInfo(vec![
        LinkInfo::Kind(InfoKind::Veth),
        LinkInfo::Data(InfoData::Veth(InfoVeth::Peer(far.description()))),
    ]));
    let request = RouteNetlinkMessage::NewLink(message);
    near.change(request, NLM_F_CREATE | NLM_F_EXCL)
        .with_context(|| format!("make the veth pair {}-{}", near.name, far.name))?;
    near.keep_quiet()?;
    far.keep_quiet()
}

/// Sets both ends of a pair up.
pub fn set_up(near: &End, far: &End) -> Result<()> {
    for end in [near, far] {
        set_link_up(&mut end.namespace.connection()?, end.ifindex()?)
            .with_context(|| format!("set {} up", end.name))?;
    }
    wait_until_up(near.namespace, near.name)?;
    wait_until_up(far.namespace, far.name)
}

/// Waits for a link to be activated: one that was set up, and whose other end was.
pub fn wait_until_up(namespace: &Namespace, name: &str) -> Result<()> {
    let ifindex = namespace.ifindex(name)?;
    wait_until(namespace, RTNLGRP_LINK, |c| is_operational(c, ifindex))
        .with_context(|| format!("wait for {name} to come up"))
}

/// Asks for a link to be up, and does not wait for it.
pub(super) fn set_link_up(connection: &mut Connection, ifindex: u32) -> io::Result<()> {
    let mut message = LinkMessage::default();
    message.header.index = ifindex;
    message.header.flags = LinkFlags::Up;
    message.header.change_mask = LinkFlags::Up;
    connection.change(RouteNetlinkMessage::SetLink(message), 0)
}

/// Whether the kernel has activated a link. IFF_RUNNING is not enough: it is set as well while the state of a new link
/// is unknown.
fn is_operational(connection: &mut Connection, ifindex: u32) -> io::Result<bool> {
    let request = RouteNetlinkMessage::GetLink(LinkMessage::default());
    let states = connection.dump(&request, |incoming| {
        let link = LinkHeader::parse(incoming.payload).ok()?;
        let attributes = NlasIterator::new(incoming.payload.get(LINK_HEADER_BYTES..)?);
        let is_up = |a: NlaBuffer<&[u8]>| a.kind() == IFLA_OPERSTATE && a.value() == [IF_OPER_UP];
        (link.index == ifindex).then(|| attributes.flatten().any(is_up))
    })?;
    Ok(states.contains(&true))
}

/// Gives a link an address, without detection of duplicates. Set the link up first.
pub fn add_address(end: &End, address: IpNet) -> Result<()> {
    let mut message = AddressMessage::default();
    message.header.family = family(address.addr());
    message.header.prefix_len = address.prefix_len();
    message.header.flags = AddressHeaderFlags::Nodad;
    message.header.index = end.ifindex()?;
    message.attributes = vec![
        AddressAttribute::Local(address.addr()),
        AddressAttribute::Address(address.addr()),
        AddressAttribute::Flags(AddressFlags::Nodad),
    ];
    let request = RouteNetlinkMessage::NewAddress(message);
    end.change(request, NLM_F_CREATE | NLM_F_EXCL)
        .and_then(|()| match address.addr() {
            IpAddr::V4(_) => Ok(()),
            IpAddr::V6(v6) => wait_until(end.namespace, RTNLGRP_IPV6_ROUTE, |c| is_local(c, v6)),
        })
        .with_context(|| format!("give {} the address {address}", end.name))
}

/// Whether packets to this address are delivered here.
fn is_local(connection: &mut Connection, address: Ipv6Addr) -> io::Result<bool> {
    let mut message = RouteMessage::default();
    message.header.address_family = AddressFamily::Inet6;
    let request = RouteNetlinkMessage::GetRoute(message);
    let destination = RouteAttribute::Destination(RouteAddress::Inet6(address));
    let routes = connection.dump(&request, |incoming| {
        let route = RouteMessage::parse(incoming.payload).ok()?;
        let leads_here = route.header.kind == RouteType::Local;
        (leads_here && route.attributes.contains(&destination)).then_some(())
    })?;
    Ok(!routes.is_empty())
}

/// Whether a link can have IPv6 addresses: the kernel may lack IPv6, or have it switched off.
pub fn has_ipv6(end: &End) -> Result<bool> {
    let file = format!("/proc/sys/net/ipv6/conf/{}/disable_ipv6", end.name);
    let is_on = || std::fs::read(&file).is_ok_and(|value| value.starts_with(b"0"));
    end.namespace.within(|| Ok(is_on()))
}

/// Tells one end where an address is, for good, so that it does not have to ask (no ARP, no neighbour discovery).
pub fn add_neighbour(end: &End, address: IpAddr, hardware_address: [u8; 6]) -> Result<()> {
    let mut message = NeighbourMessage::default();
    message.header.family = family(address);
    message.header.ifindex = end.ifindex()?;
    message.header.state = NeighbourState::Permanent;
    message.attributes = vec![
        NeighbourAttribute::Destination(match address {
            IpAddr::V4(v4) => NeighbourAddress::Inet(v4),
            IpAddr::V6(v6) => NeighbourAddress::Inet6(v6),
        }),
        NeighbourAttribute::LinkLayerAddress(hardware_address.to_vec()),
    ];
    let request = RouteNetlinkMessage::NewNeighbour(message);
    end.change(request, NLM_F_CREATE | NLM_F_REPLACE)
        .with_context(|| format!("tell {} where {address} is", end.name))
}

fn family(address: IpAddr) -> AddressFamily {
    match address {
        IpAddr::V4(_) => AddressFamily::Inet,
        IpAddr::V6(_) => AddressFamily::Inet6,
    }
}

/// Whether the kernel refused something because it has no IPv6.
fn is_without_ipv6(error: &io::Error) -> bool {
    let errno = error.raw_os_error().map(Errno::from_raw);
    matches!(errno, Some(Errno::EAFNOSUPPORT | Errno::EOPNOTSUPP))
}
