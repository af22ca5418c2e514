//! Which interfaces there are, which of them are wanted, and when that changes.
//!
//! Owns the list of links as rtnetlink tells it, the selection by `-i`, and the subscription to changes.
//! A name is bytes: the kernel allows all but `/`, `:` and white space. [`display_name`] makes it harmless.
//! Everything here sees the network namespace of the thread that opened it. Knows nothing of BPF.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io;
use std::iter;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use netlink_packet_core::NlasIterator;
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{LinkFlags, LinkHeader as RawLinkHeader, LinkMessage, Stats64};

use crate::model::glob::Glob;
use crate::model::harmless::is_harmless;
use crate::model::snapshot::LinkState;
use crate::netlink::{Connection, Subscription};

const RTM_NEWLINK: u16 = 16;
const RTNLGRP_LINK: u32 = 1;
const IFLA_IFNAME: u16 = 3;
const IFLA_STATS64: u16 = 23;
const IFLA_PROP_LIST: u16 = 52;
const IFLA_ALT_IFNAME: u16 = 53;
/// struct ifinfomsg.
const LINK_HEADER_BYTES: usize = 16;

/// What the packets of a device start with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkHeader {
    /// An Ethernet header.
    Ethernet,
    /// An IP header.
    Ip,
    /// Something that flowtop can't read; the number is the device's `ARPHRD_*` type.
    Unsupported(u16),
}

impl LinkHeader {
    /// The header by `ARPHRD_*` type (linux/if_arp.h).
    pub const fn from_device_type(arphrd: u16) -> LinkHeader {
        match arphrd {
            // ETHER, LOOPBACK
            1 | 772 => LinkHeader::Ethernet,
            // PPP, RAWIP, TUNNEL, TUNNEL6, SIT, IPGRE, IP6GRE, NONE (tun, WireGuard)
            512 | 519 | 768 | 769 | 776 | 778 | 823 | 0xfffe => LinkHeader::Ip,
            other => LinkHeader::Unsupported(other),
        }
    }
}

/// One interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Index of the device: it stays over a rename, and is not used again while the device lives.
    pub ifindex: u32,
    /// The name, byte for byte.
    pub name: OsString,
    /// Alternative names, by which it can be asked for, too.
    pub other_names: Vec<OsString>,
    /// The name as it may be shown; different names stay different.
    pub display_name: String,
    /// Up (and able to pass packets) or down; never gone.
    pub state: LinkState,
    /// Whether this is a loopback device.
    pub is_loopback: bool,
    /// What its packets start with.
    pub header: LinkHeader,
    /// Packets received but dropped by the device or its driver: rx_dropped + rx_missed_errors, the sum that
    /// /proc/net/dev shows as `drop`. (The kernel also adds packets to it that nothing wanted after the hook.)
    pub device_drops: Option<u64>,
    /// The device's own counters, if it has any.
    pub counters: Option<DeviceCounters>,
}

/// A device's own counters. What a packet and a byte is differs between drivers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DeviceCounters {
    /// Packets received.
    pub received_packets: u64,
    /// Bytes received.
    pub received_bytes: u64,
    /// Packets sent.
    pub sent_packets: u64,
    /// Bytes sent.
    pub sent_bytes: u64,
    /// Packets that could not be sent.
    pub sent_dropped: u64,
}

impl Link {
    /// Reads what follows the netlink header of an RTM_NEWLINK message.
    fn decode(payload: &[u8]) -> Option<Link> {
        let header = RawLinkHeader::parse(payload).ok()?;
        let device_type = u16::from_ne_bytes(*payload.get(2..)?.first_chunk()?);
        let mut name = None;
        let mut other_names = Vec::new();
        let mut stats = None;
        for attribute in NlasIterator::new(&payload[LINK_HEADER_BYTES..]).flatten() {
            match attribute.kind() {
                IFLA_IFNAME => name = Some(text(attribute.value())),
                IFLA_PROP_LIST => other_names.extend(alternative_names(attribute.value())),
                IFLA_STATS64 => stats = Stats64::parse(attribute.value()).ok(),
                _ => {}
            }
        }
        let name = name?;
        // Running alone is not enough: the state of a new link is unknown at first, which counts as running.
        let passes_packets = LinkFlags::Up | LinkFlags::Running | LinkFlags::LowerUp;
        Some(Link {
            ifindex: header.index,
            display_name: display_name(&name),
            name,
            other_names,
            state: match header.flags.contains(passes_packets) {
                true => LinkState::Up,
                false => LinkState::Down,
            },
            is_loopback: header.flags.contains(LinkFlags::Loopback),
            header: LinkHeader::from_device_type(device_type),
            device_drops: stats.map(|s| s.rx_dropped.wrapping_add(s.rx_missed_errors)),
            counters: stats.map(|s| DeviceCounters {
                received_packets: s.rx_packets,
                received_bytes: s.rx_bytes,
                sent_packets: s.tx_packets,
                sent_bytes: s.tx_bytes,
                sent_dropped: s.tx_dropped,
            }),
        })
    }

    /// Whether one of its names matches.
    fn matches(&self, is_it: impl Fn(&[u8]) -> bool) -> bool {
        let mut names = iter::once(&self.name).chain(&self.other_names);
        names.any(|name| is_it(name.as_bytes()))
    }
}

/// Up to a NUL.
fn text(bytes: &[u8]) -> OsString {
    let text = bytes.split(|b| *b == 0).next().unwrap_or(bytes);
    OsString::from_vec(text.to_vec())
}

/// The names in a list of properties.
fn alternative_names(properties: &[u8]) -> impl Iterator<Item = OsString> {
    let properties = NlasIterator::new(properties).flatten();
    let names = properties.filter(|property| property.kind() == IFLA_ALT_IFNAME);
    names.map(|name| text(name.value()))
}

/// A name that can go to a terminal, a log and JSON: what may not be shown and what is no UTF-8 come out as escapes, and
/// so does the backslash, so that different names stay different.
pub fn display_name(name: &OsStr) -> String {
    let mut shown = String::new();
    for chunk in name.as_bytes().utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\\' => shown.push_str("\\\\"),
                c if is_harmless(c) => shown.push(c),
                c => shown.extend(c.escape_unicode()),
            }
        }
        for byte in chunk.invalid() {
            shown.push_str(&format!("\\x{byte:02x}"));
        }
    }
    shown
}

/// Lists the links of the calling thread's network namespace, by ifindex.
pub fn list() -> io::Result<Vec<Link>> {
    list_through(&mut Connection::open()?)
}

fn list_through(connection: &mut Connection) -> io::Result<Vec<Link>> {
    let request = RouteNetlinkMessage::GetLink(LinkMessage::default());
    let mut links = connection.dump(&request, |incoming| {
        (incoming.kind == RTM_NEWLINK)
            .then(|| Link::decode(incoming.payload))
            .flatten()
    })?;
    links.sort_by_key(|link| link.ifindex);
    links.dedup_by_key(|link| link.ifindex);
    Ok(links)
}

/// Notices that links came, went or changed.
#[derive(Debug)]
pub struct LinkMonitor {
    events: Subscription,
    requests: Connection,
}

impl LinkMonitor {
    /// Subscribes, in the calling thread's network namespace. Needs no privilege, and none later either.
    ///
    /// Open it before the first [`list`](LinkMonitor::list), so that nothing is missed in between.
    pub fn open() -> io::Result<LinkMonitor> {
        Ok(LinkMonitor {
            events: Subscription::open(RTNLGRP_LINK)?,
            requests: Connection::open()?,
        })
    }

    /// Whether anything may have changed since the last call; never blocks. Then [`list`](LinkMonitor::list) says
    /// how things are now: events are not replayed, so one that the kernel had no room for costs nothing.
    pub fn changed(&mut self) -> io::Result<bool> {
        self.events.drain()
    }

    /// Lists the links of the namespace in which the monitor was opened, by ifindex.
    pub fn list(&mut self) -> io::Result<Vec<Link>> {
        list_through(&mut self.requests)
    }
}

impl AsFd for LinkMonitor {
    /// Readable when [`changed`](LinkMonitor::changed) has something to say.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.events.as_fd()
    }
}

/// An interface was asked for by name and is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoSuchInterface {
    /// The name as it was given.
    pub name: OsString,
}

impl fmt::Display for NoSuchInterface {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = display_name(&self.name);
        // As tcpdump(8) has it.
        let advice = match &*name {
            "any" | "all" => "all are watched without -i",
            "tcp" | "udp" | "icmp" | "ip" | "port" | "host" | "src" | "dst" | "net" => {
                "a filter goes behind --filter"
            }
            _ => "see: ip link",
        };
        write!(f, "attach to {name}: no such interface ({advice})")
    }
}

impl std::error::Error for NoSuchInterface {}

/// Which interfaces are wanted: names and globs, or, without any, every link that is up except loopback.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Selection {
    globs: Vec<Glob>,
}

impl Selection {
    /// A selection by names and globs, byte by byte.
    pub fn new<G: Into<Glob>>(globs: impl IntoIterator<Item = G>) -> Selection {
        Selection {
            globs: globs.into_iter().map(Into::into).collect(),
        }
    }

    /// Whether this link is wanted. A link whose packets can't be read is wanted only by its full name.
    pub fn wants(&self, link: &Link) -> bool {
        if self.names(link) {
            return true;
        }
        let readable = is_readable(link);
        if self.globs.is_empty() {
            return readable && !link.is_loopback && link.state == LinkState::Up;
        }
        let mut globs = self.globs.iter().filter(|glob| !glob.is_plain());
        readable && globs.any(|glob| link.matches(|name| glob.matches(name)))
    }

    /// Whether an interface of a capture is wanted, which has no more than a name: without names and globs, each.
    pub fn takes(&self, name: &str) -> bool {
        let name = name.as_bytes();
        self.globs.is_empty() || self.globs.iter().any(|glob| glob.matches(name))
    }

    /// The names and globs.
    pub fn globs(&self) -> &[Glob] {
        &self.globs
    }

    /// Whether this link is asked for by its full name.
    pub fn names(&self, link: &Link) -> bool {
        let is_it = |glob: &Glob| link.matches(|name| glob.as_str().as_bytes() == name);
        self.globs.iter().any(is_it)
    }

    /// The links that are wanted, as they come.
    pub fn choose<'a>(&'a self, links: &'a [Link]) -> impl Iterator<Item = &'a Link> {
        links.iter().filter(|link| self.wants(link))
    }

    /// Fails on the first plain name that no link has. A glob may match nothing yet.
    pub fn require_names(&self, links: &[Link]) -> Result<(), NoSuchInterface> {
        match self.missing(links).find(|glob| glob.is_plain()) {
            Some(name) => Err(NoSuchInterface {
                name: name.as_str().into(),
            }),
            None => Ok(()),
        }
    }

    /// The names and globs of which no link is watched now: those the run waits for.
    pub fn missing<'a>(&'a self, links: &'a [Link]) -> impl Iterator<Item = &'a Glob> {
        let is_found = |glob: &Glob| {
            let mut found = links
                .iter()
                .filter(|link| link.matches(|name| glob.matches(name)));
            found.any(|link| glob.is_plain() || is_readable(link))
        };
        self.globs.iter().filter(move |glob| !is_found(glob))
    }
}

fn is_readable(link: &Link) -> bool {
    !matches!(link.header, LinkHeader::Unsupported(_))
}

#[cfg(test)]
mod tests;
