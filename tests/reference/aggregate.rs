//! Where an aggregate is cut: each packet repeats all headers in front of the innermost payload.
//!
//! Headers are named by an ethertype or, where they are IP's, by a protocol number, which are never the same.

use etherparse::{Ethernet2HeaderSlice, Ipv4HeaderSlice, Ipv6HeaderSlice, TcpHeaderSlice};

use super::packet::{Gso, Link};

const TCP: u16 = 6;
const UDP: u16 = 17;
const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;
/// Transparent Ethernet bridging: an Ethernet header.
const ETHERNET: u16 = 0x6558;
/// Headers that are looked at, at most.
const MAX_HEADERS: usize = 16;

/// Where the payload begins that the packets share out among them; `None`: that cannot be told.
pub fn cut(frame: &[u8], link: Link, gso: Gso) -> Option<usize> {
    let mut udp = None;
    let innermost = innermost_payload(frame, link, &mut udp);
    // What looks like a tunnel in UDP may be any data: then UDP's own payload is what was cut.
    let mut found = [innermost, udp].into_iter().flatten();
    found.find(|at| fits(frame.len(), *at, gso))
}

/// Whether a payload that begins there makes as many packets of that size as the kernel says.
fn fits(length: usize, at: usize, gso: Gso) -> bool {
    let packets = length.saturating_sub(at).div_ceil(gso.size as usize);
    packets > 0 && (gso.segs == 0 || packets == gso.segs as usize)
}

/// The least that the headers can be, where they cannot be read: no packet has more payload than the kernel says.
pub fn least(frame: &[u8], gso: Gso, known: usize) -> usize {
    match gso.segs as usize * gso.size as usize {
        0 => known,
        payload => frame.len().saturating_sub(payload).max(known),
    }
}

fn innermost_payload(frame: &[u8], link: Link, udp: &mut Option<usize>) -> Option<usize> {
    let mut at = 0;
    let mut next = match (link, frame.first()? >> 4) {
        (Link::Ethernet, _) => ETHERNET,
        (Link::Ip, 4) => IPV4,
        (Link::Ip, _) => IPV6,
    };
    for _ in 0..MAX_HEADERS {
        let rest = frame.get(at..)?;
        if next == TCP {
            let length = TcpHeaderSlice::from_slice(rest).ok()?.slice().len();
            return Some(at + length);
        }
        if next == UDP {
            rest.get(..8)?;
            at += 8;
            let Some(tunnel) = rest[8..].first_chunk() else {
                return Some(at);
            };
            *udp = Some(at);
            let Some((length, inside)) = tunnel_header(tunnel, rest.len() - 8) else {
                return Some(at);
            };
            (at, next) = (at + length, inside);
            continue;
        }
        let (length, inside) = header(next, rest)?;
        (at, next) = (at + length, inside);
    }
    None
}

/// Length of a header that is none of transport's, and what is behind it.
fn header(kind: u16, rest: &[u8]) -> Option<(usize, u16)> {
    let word = |at: usize| Some(u16::from_be_bytes(*rest.get(at..)?.first_chunk()?));
    match kind {
        ETHERNET => {
            let header = Ethernet2HeaderSlice::from_slice(rest).ok()?;
            Some((14, header.ether_type().0))
        }
        0x8100 | 0x88a8 => Some((4, word(2)?)),
        IPV4 | 4 => {
            let header = Ipv4HeaderSlice::from_slice(rest).ok()?;
            let whole = !header.more_fragments() && header.fragments_offset().value() == 0;
            let total = usize::from(header.total_len());
            let inside = header.protocol().0.into();
            (whole && (total == 0 || total == rest.len())).then_some((header.slice().len(), inside))
        }
        IPV6 | 41 => {
            let header = Ipv6HeaderSlice::from_slice(rest).ok()?;
            let payload = usize::from(header.payload_length());
            (payload == 0 || 40 + payload == rest.len())
                .then_some((40, header.next_header().0.into()))
        }
        // GRE: version 0, and no more than a checksum, a key and a number.
        47 => {
            let flags = word(0)?;
            let options = [0x8000, 0x2000, 0x1000].map(|bit| usize::from(flags & bit != 0));
            let is_known = flags & !0xb000 == 0;
            is_known.then_some((4 + 4 * options.iter().sum::<usize>(), word(2)?))
        }
        51 => Some((4 * (usize::from(*rest.get(1)?) + 2), rest[0].into())),
        0 | 43 | 60 => Some((8 * (usize::from(*rest.get(1)?) + 1), rest[0].into())),
        _ => None,
    }
}

/// Length of the tunnel's header behind UDP's, and what is in the tunnel: by looks alone, as ports are anybody's choice.
/// `rest`: bytes from there on.
fn tunnel_header(header: &[u8; 8], rest: usize) -> Option<(usize, u16)> {
    let word = |at: usize| u16::from_be_bytes([header[at], header[at + 1]]);
    match header[0] >> 4 {
        4 if usize::from(word(2)) == rest => return Some((0, IPV4)),
        6 if usize::from(word(4)) + 40 == rest => return Some((0, IPV6)),
        _ => {}
    }
    let geneve = header[0] >> 6 == 0 && header[1] & 0x3f == 0 && header[7] == 0;
    if geneve && [ETHERNET, IPV4, IPV6].contains(&word(2)) {
        return Some((8 + 4 * usize::from(header[0] & 0x3f), word(2)));
    }
    let has = |bit: u8| header[0] & bit != 0;
    match (has(0x08) && header[7] == 0, has(0x04), header[3]) {
        (true, false, _) | (true, true, 3) => Some((8, ETHERNET)),
        (true, true, 1) => Some((8, IPV4)),
        (true, true, 2) => Some((8, IPV6)),
        _ => None,
    }
}
