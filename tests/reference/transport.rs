//! The transport header of an IP packet: ports or ICMP's substitutes for them, payload, sequence fields.

use etherparse::err::tcp::HeaderSliceError;
use etherparse::{TcpHeader, TcpHeaderSlice, UdpHeaderSlice};
use flowtop::model::flow::Protocol;
use flowtop::model::snapshot::Malformed;

use super::ip::{Datagram, Stop};
use super::packet::{Detail, Packet};

/// Reads the transport header of a packet that is not a later fragment.
pub fn read(frame: &[u8], datagram: &Datagram) -> Result<Packet, Stop> {
    let protocol = protocol(datagram).ok_or(Stop::Other)?;
    let data = &frame[datagram.at..datagram.end];
    let header = match protocol {
        Protocol::Tcp => read_tcp(data)?,
        Protocol::Udp => read_udp(data)?,
        Protocol::Icmp | Protocol::Icmpv6 => read_icmp(data, protocol)?,
    };
    Ok(Packet {
        vlan: datagram.vlan,
        protocol,
        source: datagram.source,
        destination: datagram.destination,
        source_port: header.source_port,
        destination_port: header.destination_port,
        traffic_class: datagram.traffic_class,
        hop_limit: datagram.hop_limit,
        ip_bytes: datagram.end - datagram.start,
        payload_offset: datagram.at + header.length,
        payload_bytes: header.payload,
        wire_payload_bytes: header.payload,
        is_cut_inside: false,
        piece: datagram.piece,
        detail: header.detail,
    })
}

/// The protocol of what follows, if its packets are flows. ICMP is a protocol over IPv4, ICMPv6 one over IPv6:
/// their numbers over the other family mean nothing.
pub fn protocol(datagram: &Datagram) -> Option<Protocol> {
    let v6 = datagram.source.is_ipv6();
    Protocol::from_number(datagram.next).filter(|protocol| match protocol {
        Protocol::Icmp => !v6,
        Protocol::Icmpv6 => v6,
        Protocol::Tcp | Protocol::Udp => true,
    })
}

struct Header {
    source_port: u16,
    destination_port: u16,
    length: usize,
    payload: usize,
    detail: Detail,
}

fn read_tcp(data: &[u8]) -> Result<Header, Malformed> {
    let header = TcpHeaderSlice::from_slice(data).map_err(|error| match error {
        HeaderSliceError::Len(_) if data.len() < TcpHeader::MIN_LEN => {
            Malformed::TransportTruncated
        }
        _ => Malformed::TcpOffset,
    })?;
    Ok(Header {
        source_port: header.source_port(),
        destination_port: header.destination_port(),
        length: header.slice().len(),
        payload: data.len() - header.slice().len(),
        detail: Detail::Tcp {
            seq: header.sequence_number(),
            syn: header.syn(),
            fin: header.fin(),
            rst: header.rst(),
        },
    })
}

fn read_udp(data: &[u8]) -> Result<Header, Malformed> {
    let header = UdpHeaderSlice::from_slice(data).map_err(|_| Malformed::TransportTruncated)?;
    let length = match usize::from(header.length()) {
        0 => data.len(),
        1..8 => return Err(Malformed::UdpLength),
        length => length.min(data.len()),
    };
    Ok(Header {
        source_port: header.source_port(),
        destination_port: header.destination_port(),
        length: header.slice().len(),
        payload: length - header.slice().len(),
        detail: Detail::None,
    })
}

/// Not by etherparse, which wants 8 bytes of every message and 20 of a timestamp.
fn read_icmp(data: &[u8], protocol: Protocol) -> Result<Header, Malformed> {
    let [kind, code, _, _, ..] = *data else {
        return Err(Malformed::TransportTruncated);
    };
    let (query, echo) = match protocol {
        Protocol::Icmp => (matches!(kind, 0 | 8 | 13..=18), matches!(kind, 0 | 8)),
        _ => (matches!(kind, 128 | 129), matches!(kind, 128 | 129)),
    };
    let word = |at: usize| u16::from_be_bytes([data[at], data[at + 1]]);
    if query && data.len() < 8 {
        return Err(Malformed::TransportTruncated);
    }
    Ok(Header {
        source_port: if query { word(4) } else { 0 },
        destination_port: u16::from_be_bytes([kind, code]),
        length: data.len().min(8),
        payload: data.len().saturating_sub(8),
        detail: if echo {
            Detail::Echo(word(6))
        } else {
            Detail::None
        },
    })
}
