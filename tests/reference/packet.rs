//! What one frame is: a packet of a flow, something else, or malformed.
//!
//! The headers are read in [`super::ip`] and [`super::transport`]; here they become a judgement, and
//! fragments find their first one.

use std::collections::HashMap;
use std::net::IpAddr;

use flowtop::model::flow::Protocol;
use flowtop::model::snapshot::{Malformed, Volume};

use super::aggregate;
use super::ip::{
    Datagram, Stop, is_extension, read_ethernet, read_ipv4, read_ipv6, walk_extensions,
};
use super::transport;

/// What a frame of a device starts with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    /// An Ethernet header.
    Ethernet,
    /// An IP header: tun, WireGuard, ppp.
    Ip,
}

/// What the socket buffer says about being an aggregate; all zero for a plain packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Gso {
    /// Packets that the buffer stands for, if known.
    pub segs: u32,
    /// Payload bytes of each of them but the last.
    pub size: u32,
}

/// Whether a packet is all of an IP datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece {
    /// The whole datagram.
    Whole,
    /// The first fragment: transport header, but not all of the payload.
    First,
    /// A later fragment: no transport header.
    Later,
}

/// What sequence tracking needs from the transport header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// A TCP segment.
    Tcp {
        /// Sequence number of the first byte, or of SYN or FIN.
        seq: u32,
        /// SYN flag.
        syn: bool,
        /// FIN flag.
        fin: bool,
        /// RST flag.
        rst: bool,
    },
    /// An echo request or reply and its own sequence number.
    Echo(u16),
    /// Any other ICMP or ICMPv6 message, UDP, and every later fragment.
    None,
}

/// A packet that belongs to a flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packet {
    /// Id of the outer VLAN tag.
    pub vlan: Option<u16>,
    /// Layer-4 protocol.
    pub protocol: Protocol,
    /// Source address.
    pub source: IpAddr,
    /// Destination address.
    pub destination: IpAddr,
    /// Source port or ICMP identifier.
    pub source_port: u16,
    /// Destination port or ICMP type * 256 + code.
    pub destination_port: u16,
    /// DSCP and ECN of its own IP header, not of one inside.
    pub traffic_class: u8,
    /// Hops left, or time to live, in the same.
    pub hop_limit: u8,
    /// Bytes of its IP packets on the wire, each with all headers from IP's own on.
    pub ip_bytes: usize,
    /// Where the payload begins in the frame.
    pub payload_offset: usize,
    /// Effective data in the buffer.
    pub payload_bytes: usize,
    /// The same of all packets on the wire: with a copy for each of them of a tunnel's header and those inside.
    pub wire_payload_bytes: usize,
    /// Whether an aggregate is cut at its innermost header only: then nothing can be read of its packets' own payload.
    pub is_cut_inside: bool,
    /// Fragment or not.
    pub piece: Piece,
    /// For sequence tracking.
    pub detail: Detail,
}

/// The judgement of one frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// A packet of a flow.
    Flow(Packet),
    /// Something that is no flow.
    Other,
    /// A frame that ends before its headers do, or contradicts itself.
    Malformed(Malformed),
}

/// A judged frame and what it weighs on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Classified {
    /// What it is.
    pub verdict: Verdict,
    /// Packets and bytes on the wire.
    pub volume: Volume,
    /// Whether the bytes are an estimate: nothing tells how long the headers of an aggregate's packets are.
    pub is_estimated: bool,
    /// Whether it is a later fragment whose first one is not known.
    pub is_unmatched: bool,
}

/// What names a fragmented datagram: the next header is the one of the fragmentable part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FragmentKey {
    vlan: Option<u16>,
    source: IpAddr,
    destination: IpAddr,
    next: u8,
    identification: u32,
}

/// The final protocol and ports of a datagram whose first fragment was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FirstFragment {
    protocol: Protocol,
    source_port: u16,
    destination_port: u16,
}

/// First fragments by datagram, on one interface.
pub type FragmentTable = HashMap<FragmentKey, FirstFragment>;

/// Judges one frame. First fragments are remembered in `fragments`, later ones looked up there.
pub fn classify(frame: &[u8], link: Link, gso: Gso, fragments: &mut FragmentTable) -> Classified {
    let mut is_unmatched = false;
    let read = read(frame, link, fragments, &mut is_unmatched);
    let (known, payload, is_tcp) = match &read {
        Ok(packet) => (
            packet.payload_offset,
            packet.payload_bytes,
            packet.protocol == Protocol::Tcp && packet.piece == Piece::Whole,
        ),
        Err(_) => (0, 0, false),
    };
    // The flow tells where TCP's payload begins. Of the rest, all headers are looked at.
    let cut = match gso.size {
        0 => Some(known),
        _ if is_tcp => Some(known),
        _ => aggregate::cut(frame, link, gso),
    };
    let packets = match gso {
        Gso { segs: 0, size: 0 } => 1,
        Gso { segs: 0, size } => {
            let shared = match cut {
                Some(_) if is_tcp => payload,
                Some(cut) => frame.len() - cut,
                None => 0,
            };
            shared.div_ceil(size as usize).max(1)
        }
        Gso { segs, .. } => segs as usize,
    };
    let headers = cut.unwrap_or_else(|| aggregate::least(frame, gso, known));
    let volume = Volume {
        packets: packets as u64,
        bytes: (frame.len() + (packets - 1) * headers) as u64,
    };
    let verdict = match read {
        Ok(mut packet) => {
            packet.wire_payload_bytes = payload + (packets - 1) * (headers - known);
            packet.ip_bytes += (packets - 1) * (headers - link_bytes(frame, link));
            packet.is_cut_inside = packet.protocol == Protocol::Udp && cut != Some(known);
            Verdict::Flow(packet)
        }
        Err(Stop::Other) => Verdict::Other,
        Err(Stop::Malformed(reason)) => Verdict::Malformed(reason),
    };
    Classified {
        verdict,
        volume,
        is_estimated: cut.is_none(),
        is_unmatched,
    }
}

/// Where a flow's IP header begins in its frame.
fn link_bytes(frame: &[u8], link: Link) -> usize {
    match link {
        Link::Ethernet => read_ethernet(frame).map_or(0, |(_, at, _)| at),
        Link::Ip => 0,
    }
}

fn read(
    frame: &[u8],
    link: Link,
    fragments: &mut FragmentTable,
    is_unmatched: &mut bool,
) -> Result<Packet, Stop> {
    let (vlan, at, version) = match link {
        Link::Ethernet => read_ethernet(frame)?,
        Link::Ip => (None, 0, frame.first().map_or(4, |byte| byte >> 4)),
    };
    let mut datagram = match version {
        4 => read_ipv4(frame, at, vlan)?,
        6 => read_ipv6(frame, at, vlan)?,
        // Without an Ethernet header nothing announces IP: the packet is of some other protocol.
        _ => return Err(Stop::Other),
    };
    walk_extensions(frame, &mut datagram)?;
    let key = FragmentKey {
        vlan,
        source: datagram.source,
        destination: datagram.destination,
        next: datagram.fragmentable,
        identification: datagram.identification,
    };
    if datagram.piece == Piece::Later {
        // Of a protocol that no flow has there is no first one to be known.
        let may_be_a_flow = transport::protocol(&datagram).is_some()
            || is_extension(datagram.next, datagram.source.is_ipv6());
        *is_unmatched = may_be_a_flow && !fragments.contains_key(&key);
        return later_fragment(&datagram, fragments.get(&key));
    }
    let packet = transport::read(frame, &datagram)?;
    if datagram.piece == Piece::First {
        let first = FirstFragment {
            protocol: packet.protocol,
            source_port: packet.source_port,
            destination_port: packet.destination_port,
        };
        fragments.insert(key, first);
    }
    Ok(packet)
}

/// A later fragment is in the flow of its first one; if that is not known, in the one with ports 0.
fn later_fragment(datagram: &Datagram, first: Option<&FirstFragment>) -> Result<Packet, Stop> {
    let unknown = transport::protocol(datagram).map(|protocol| FirstFragment {
        protocol,
        source_port: 0,
        destination_port: 0,
    });
    let first = first.copied().or(unknown).ok_or(Stop::Other)?;
    Ok(Packet {
        vlan: datagram.vlan,
        protocol: first.protocol,
        source: datagram.source,
        destination: datagram.destination,
        source_port: first.source_port,
        destination_port: first.destination_port,
        traffic_class: datagram.traffic_class,
        hop_limit: datagram.hop_limit,
        ip_bytes: datagram.end - datagram.start,
        payload_offset: datagram.at,
        payload_bytes: datagram.end - datagram.at,
        wire_payload_bytes: datagram.end - datagram.at,
        is_cut_inside: false,
        piece: Piece::Later,
        detail: Detail::None,
    })
}
