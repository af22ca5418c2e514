//! Link, VLAN, IP and extension headers: where the transport header is, and between whom.
//!
//! Each header is read by etherparse from a slice that ends where the layer above says it must.

use std::net::IpAddr;

use etherparse::err::{ipv4, ipv6};
use etherparse::{
    EtherType, Ethernet2HeaderSlice, IpNumber, Ipv4HeaderSlice, Ipv6FragmentHeaderSlice,
    Ipv6HeaderSlice, Ipv6RawExtHeaderSlice, SingleVlanHeaderSlice, ether_type, ip_number,
};
use flowtop::model::snapshot::Malformed;

use super::packet::Piece;

/// Extension headers that are walked at most; one more is malformed.
pub const MAX_EXTENSIONS: usize = 8;

/// VLAN tags that are read at most.
pub const MAX_TAGS: usize = 8;

/// Why reading ended before a flow was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// No flow.
    Other,
    /// Malformed.
    Malformed(Malformed),
}

impl From<Malformed> for Stop {
    fn from(reason: Malformed) -> Stop {
        Stop::Malformed(reason)
    }
}

/// An IP packet on the way through its headers.
#[derive(Debug, Clone, Copy)]
pub struct Datagram {
    /// Id of the outer VLAN tag.
    pub vlan: Option<u16>,
    /// Source address.
    pub source: IpAddr,
    /// Destination address.
    pub destination: IpAddr,
    /// DSCP and ECN.
    pub traffic_class: u8,
    /// Hops left; time to live.
    pub hop_limit: u8,
    /// Protocol number of what begins at `at`.
    pub next: u8,
    /// Offset in the frame of the IP header.
    pub start: usize,
    /// Offset in the frame of the first byte not read yet.
    pub at: usize,
    /// Offset in the frame behind the last byte of the IP packet.
    pub end: usize,
    /// Fragment or not.
    pub piece: Piece,
    /// Next-header value of the fragmentable part, where it is a fragment.
    pub fragmentable: u8,
    /// Identification of the fragmented datagram.
    pub identification: u32,
}

/// The VLAN of the first tag, the offset of the IP header, and the version that the frame announces.
pub fn read_ethernet(frame: &[u8]) -> Result<(Option<u16>, usize, u8), Stop> {
    let header = Ethernet2HeaderSlice::from_slice(frame).map_err(|_| Malformed::Frame)?;
    let (mut vlan, mut at, mut inside) = (None, header.slice().len(), header.ether_type());
    let mut tags = 0;
    while is_tag(inside) {
        // The definitions say nothing of how many there may be. A frame of nine is none that a network carries.
        tags += 1;
        if tags > MAX_TAGS {
            return Err(Malformed::Frame.into());
        }
        let tag = SingleVlanHeaderSlice::from_slice(&frame[at..]).map_err(|_| Malformed::Frame)?;
        vlan = vlan.or(Some(tag.vlan_identifier().value()));
        at += tag.slice().len();
        inside = tag.ether_type();
    }
    match inside {
        ether_type::IPV4 => Ok((vlan, at, 4)),
        ether_type::IPV6 => Ok((vlan, at, 6)),
        _ => Err(Stop::Other),
    }
}

fn is_tag(inside: EtherType) -> bool {
    inside == ether_type::VLAN_TAGGED_FRAME || inside == ether_type::PROVIDER_BRIDGING
}

/// Reads an IPv4 header.
pub fn read_ipv4(frame: &[u8], at: usize, vlan: Option<u16>) -> Result<Datagram, Stop> {
    let packet = &frame[at..];
    let header = Ipv4HeaderSlice::from_slice(packet).map_err(|error| match error {
        ipv4::HeaderSliceError::Len(_) => Malformed::IpTruncated,
        ipv4::HeaderSliceError::Content(ipv4::HeaderError::UnexpectedVersion { .. }) => {
            Malformed::IpVersion
        }
        ipv4::HeaderSliceError::Content(ipv4::HeaderError::HeaderLengthSmallerThanHeader {
            ..
        }) => Malformed::IpHeaderLength,
    })?;
    let length = match usize::from(header.total_len()) {
        0 => packet.len(),
        length => length,
    };
    if length < header.slice().len() || length > packet.len() {
        return Err(Malformed::IpLength.into());
    }
    Ok(Datagram {
        vlan,
        source: header.source_addr().into(),
        destination: header.destination_addr().into(),
        traffic_class: header.dcp().value() << 2 | header.ecn().value(),
        hop_limit: header.ttl(),
        next: header.protocol().0,
        start: at,
        at: at + header.slice().len(),
        end: at + length,
        piece: piece(header.fragments_offset().value(), header.more_fragments()),
        fragmentable: header.protocol().0,
        identification: header.identification().into(),
    })
}

/// Reads an IPv6 header.
pub fn read_ipv6(frame: &[u8], at: usize, vlan: Option<u16>) -> Result<Datagram, Stop> {
    let packet = &frame[at..];
    let header = Ipv6HeaderSlice::from_slice(packet).map_err(|error| match error {
        ipv6::HeaderSliceError::Len(_) => Malformed::IpTruncated,
        ipv6::HeaderSliceError::Content(_) => Malformed::IpVersion,
    })?;
    let behind = packet.len() - header.slice().len();
    let length = match usize::from(header.payload_length()) {
        0 => behind,
        length => length,
    };
    if length > behind {
        return Err(Malformed::IpLength.into());
    }
    Ok(Datagram {
        vlan,
        source: header.source_addr().into(),
        destination: header.destination_addr().into(),
        traffic_class: header.traffic_class(),
        hop_limit: header.hop_limit(),
        next: header.next_header().0,
        start: at,
        at: at + header.slice().len(),
        end: at + header.slice().len() + length,
        piece: Piece::Whole,
        fragmentable: 0,
        identification: 0,
    })
}

fn piece(offset: u16, more: bool) -> Piece {
    match (offset, more) {
        (0, false) => Piece::Whole,
        (0, true) => Piece::First,
        _ => Piece::Later,
    }
}

/// Steps over the extension headers. A later fragment ends the walk: what follows is data.
pub fn walk_extensions(frame: &[u8], datagram: &mut Datagram) -> Result<(), Stop> {
    let v6 = datagram.source.is_ipv6();
    let mut walked = 0;
    while datagram.piece != Piece::Later && is_extension(datagram.next, v6) {
        if walked == MAX_EXTENSIONS {
            return Err(Malformed::Extensions.into());
        }
        walked += 1;
        step_over(&frame[datagram.at..datagram.end], datagram)?;
    }
    Ok(())
}

/// Of the extension headers only AH exists in IPv4.
pub fn is_extension(next: u8, v6: bool) -> bool {
    match IpNumber(next) {
        ip_number::AUTH => true,
        ip_number::IPV6_HOP_BY_HOP
        | ip_number::IPV6_ROUTE
        | ip_number::IPV6_FRAG
        | ip_number::IPV6_DEST_OPTIONS
        | ip_number::MOBILITY => v6,
        _ => false,
    }
}

fn step_over(rest: &[u8], datagram: &mut Datagram) -> Result<(), Stop> {
    let (next, length) = match IpNumber(datagram.next) {
        ip_number::AUTH => read_authentication(rest)?,
        ip_number::IPV6_FRAG => {
            let header =
                Ipv6FragmentHeaderSlice::from_slice(rest).map_err(|_| Malformed::IpTruncated)?;
            let found = piece(header.fragment_offset().value(), header.more_fragments());
            if found != Piece::Whole {
                // Of several fragmenting headers the last one counts.
                datagram.piece = found;
                datagram.fragmentable = header.next_header().0;
                datagram.identification = header.identification();
            }
            (header.next_header().0, header.slice().len())
        }
        _ => {
            let header =
                Ipv6RawExtHeaderSlice::from_slice(rest).map_err(|_| Malformed::IpTruncated)?;
            (header.next_header().0, header.slice().len())
        }
    };
    datagram.next = next;
    datagram.at += length;
    Ok(())
}

/// Next header and length of an AH. Not by etherparse, which refuses the length 0 (8 bytes).
fn read_authentication(rest: &[u8]) -> Result<(u8, usize), Malformed> {
    let [next, units, ..] = *rest else {
        return Err(Malformed::IpTruncated);
    };
    let length = (usize::from(units) + 2) * 4;
    if length > rest.len() {
        return Err(Malformed::IpTruncated);
    }
    Ok((next, length))
}
