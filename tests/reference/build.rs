//! Frames from descriptions: what a sender, or somebody with bad intentions, could put on the wire.
//!
//! Headers are written by etherparse.

use etherparse::{
    EtherType, Ethernet2Header, IpAuthHeader, IpDscp, IpEcn, IpFragOffset, IpNumber, Ipv4Header,
    Ipv4Options, Ipv6FragmentHeader, Ipv6Header, Ipv6RawExtHeader, SingleVlanHeader, TcpHeader,
    TcpOptions, UdpHeader, VlanId, ether_type, ip_number,
};
use flowtop::model::rule::{ByteOrder, SequenceProfile, SequenceWidth};

use super::packet::Link;
use super::payload;
use super::spec::{
    Cut, Damage, Extension, FrameSpec, Network, PayloadSpec, Place, Transport, UdpLength,
};

const MACS: ([u8; 6], [u8; 6]) = ([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]);

/// Builds the bytes of a frame, `number` being its sequence number.
pub fn frame(
    spec: &FrameSpec,
    place: Place,
    link: Link,
    profile: &SequenceProfile,
    number: u32,
) -> Vec<u8> {
    let data = fill(&spec.payload, spec.gso.size.into(), profile, number);
    let (protocol, segment) = transport(spec, number, &data);
    let (kind, packet) = match &spec.network {
        Network::V4(options, cut, chain) => {
            let (next, rest) = chain_up(chain, protocol, segment);
            let packet = ipv4(spec, place, (*options, *cut), next, &rest);
            (ether_type::IPV4, packet)
        }
        Network::V6(chain) => {
            let (next, rest) = chain_up(chain, protocol, segment);
            (ether_type::IPV6, ipv6(spec, place, next, &rest))
        }
        Network::Type(kind) => (EtherType(*kind), segment),
    };
    let mut bytes = match link {
        Link::Ethernet => ethernet(&spec.tags, kind),
        Link::Ip => Vec::new(),
    };
    let ip = bytes.len();
    bytes.extend_from_slice(&packet);
    for damage in &spec.damage {
        inflict(&mut bytes, ip, *damage);
    }
    bytes
}

fn ethernet(tags: &[(bool, u16)], kind: EtherType) -> Vec<u8> {
    let name = |provider: bool| match provider {
        true => ether_type::PROVIDER_BRIDGING,
        false => ether_type::VLAN_TAGGED_FRAME,
    };
    let kinds: Vec<EtherType> = tags.iter().map(|tag| name(tag.0)).chain([kind]).collect();
    let header = Ethernet2Header {
        source: MACS.0,
        destination: MACS.1,
        ether_type: kinds[0],
    };
    let mut bytes = header.to_bytes().to_vec();
    for ((_, id), inside) in tags.iter().zip(&kinds[1..]) {
        let tag = SingleVlanHeader {
            vlan_id: VlanId::try_new(*id & 0xfff).expect("12 bits"),
            ether_type: *inside,
            ..SingleVlanHeader::default()
        };
        bytes.extend_from_slice(&tag.to_bytes());
    }
    bytes
}

fn ipv4(
    spec: &FrameSpec,
    place: Place,
    (options, cut): (u8, Option<Cut>),
    next: u8,
    rest: &[u8],
) -> Vec<u8> {
    let options = vec![1; usize::from(options.min(10)) * 4];
    let cut = cut.unwrap_or(Cut {
        offset: 0,
        more: false,
        id: 0,
    });
    let header = Ipv4Header {
        dscp: IpDscp::try_new(spec.traffic_class >> 2).expect("6 bits"),
        ecn: IpEcn::try_new(spec.traffic_class & 3).expect("2 bits"),
        total_len: (20 + options.len() + rest.len()) as u16,
        identification: cut.id.into(),
        more_fragments: cut.more,
        fragment_offset: IpFragOffset::try_new(cut.offset & 0x1fff).expect("13 bits"),
        time_to_live: spec.hop_limit,
        protocol: IpNumber(next),
        source: place.v4(spec.conversation.source),
        destination: place.v4(spec.conversation.destination),
        options: Ipv4Options::try_from(&options[..]).expect("words"),
        ..Ipv4Header::default()
    };
    [&header.to_bytes()[..], rest].concat()
}

fn ipv6(spec: &FrameSpec, place: Place, next: u8, rest: &[u8]) -> Vec<u8> {
    let header = Ipv6Header {
        traffic_class: spec.traffic_class,
        payload_length: rest.len() as u16,
        next_header: IpNumber(next),
        hop_limit: spec.hop_limit,
        source: place.v6(spec.conversation.source),
        destination: place.v6(spec.conversation.destination),
        ..Ipv6Header::default()
    };
    [&header.to_bytes()[..], rest].concat()
}

/// Puts extension headers in front; gives the number of the first one.
fn chain_up(chain: &[Extension], protocol: u8, segment: Vec<u8>) -> (u8, Vec<u8>) {
    let mut next = protocol;
    let mut rest = segment;
    for extension in chain.iter().rev() {
        let (number, header) = extension_header(*extension, IpNumber(next));
        rest.splice(0..0, header);
        next = number;
    }
    (next, rest)
}

fn extension_header(extension: Extension, next: IpNumber) -> (u8, Vec<u8>) {
    match extension {
        Extension::Plain(number, units) => {
            let body = vec![0; 6 + 8 * usize::from(units)];
            let header = Ipv6RawExtHeader::new_raw(next, &body).expect("multiple of 8");
            (number, header.to_bytes().to_vec())
        }
        Extension::Authentication(units) => {
            let body = vec![0xaa; 4 * usize::from(units.min(200))];
            let header = IpAuthHeader::new(next, 1, 2, &body).expect("multiple of 4");
            (ip_number::AUTH.0, header.to_bytes().to_vec())
        }
        Extension::Fragment(cut) => {
            let offset = IpFragOffset::try_new(cut.offset & 0x1fff).expect("13 bits");
            let header = Ipv6FragmentHeader::new(next, offset, cut.more, cut.id.into());
            (ip_number::IPV6_FRAG.0, header.to_bytes().to_vec())
        }
    }
}

fn transport(spec: &FrameSpec, number: u32, data: &[u8]) -> (u8, Vec<u8>) {
    let source_port = 40000 + u16::from(spec.conversation.source_port);
    let destination_port = 5000 + u16::from(spec.conversation.destination_port);
    let icmp = |kind, code| {
        let [high, low] = source_port.to_be_bytes();
        let [.., a, b] = number.to_be_bytes();
        [&[kind, code, 0, 0, high, low, a, b], data].concat()
    };
    match spec.transport {
        Transport::Tcp(flags, options) => {
            let options = vec![1; usize::from(options.min(10)) * 4];
            let mut header = TcpHeader::new(source_port, destination_port, number, 1000);
            header.syn = flags & 1 != 0;
            header.fin = flags & 2 != 0;
            header.rst = flags & 4 != 0;
            header.ack = !header.syn;
            header.options = TcpOptions::try_from(&options[..]).expect("words");
            (6, [&header.to_bytes()[..], data].concat())
        }
        Transport::Udp(length) => {
            let header = UdpHeader {
                source_port,
                destination_port,
                length: match length {
                    UdpLength::Right => 8 + data.len() as u16,
                    UdpLength::Says(length) => length,
                },
                checksum: 0,
            };
            (17, [&header.to_bytes()[..], data].concat())
        }
        Transport::Icmp(kind, code) => (1, icmp(kind, code)),
        Transport::Icmpv6(kind, code) => (58, icmp(kind, code)),
        Transport::Raw(protocol) => (protocol, data.to_vec()),
    }
}

/// A payload with a number, the next one in each further segment, where the profile looks for it.
fn fill(spec: &PayloadSpec, segment: u64, profile: &SequenceProfile, number: u32) -> Vec<u8> {
    let pattern = profile.pattern.unwrap_or(0).to_be_bytes();
    let filling = |at: usize| match spec.filler {
        0 => 0,
        1..100 => pattern[at % 3],
        seed => (at as u8).wrapping_mul(167).wrapping_add(seed),
    };
    let mut bytes: Vec<u8> = (0..usize::from(spec.length)).map(filling).collect();
    let offset = usize::from(profile.offset.unwrap_or(0));
    let size = match segment {
        0 => bytes.len().max(1),
        size => size as usize,
    };
    for (index, one) in bytes.chunks_mut(size).enumerate() {
        let number = number.wrapping_add(index as u32);
        match (profile.pattern, spec.pattern_at) {
            (Some(pattern), Some(at)) => {
                if let Some(again) = spec.again_at {
                    put(one, again.into(), &pattern.to_be_bytes());
                }
                put(one, at.into(), &pattern.to_be_bytes());
                if offset >= 4 {
                    put(one, usize::from(at) + offset, &encode(number, profile));
                }
            }
            (None, _) if profile.offset.is_some() => put(one, offset, &encode(number, profile)),
            _ => {}
        }
        if profile.require.is_some() && spec.filler % 8 != 7 {
            put(one, 0, &[0x80]);
        }
    }
    bytes
}

fn encode(number: u32, profile: &SequenceProfile) -> Vec<u8> {
    let [a, b, c, d] = number.to_be_bytes();
    match (profile.width, profile.byte_order) {
        (SequenceWidth::Bits32, ByteOrder::Big) => vec![a, b, c, d],
        (SequenceWidth::Bits32, ByteOrder::Little) => vec![d, c, b, a],
        (SequenceWidth::Bits16, ByteOrder::Big) => vec![c, d],
        (SequenceWidth::Bits16, ByteOrder::Little) => vec![d, c],
    }
}

fn put(bytes: &mut [u8], at: usize, word: &[u8]) {
    if let Some(room) = bytes.get_mut(at..at + word.len()) {
        room.copy_from_slice(word);
    }
}

/// How many numbers the payload of an aggregate carries.
pub fn numbers_in(spec: &FrameSpec) -> u32 {
    let size = match spec.transport {
        Transport::Udp(_) => spec.gso.size as usize,
        _ => 0,
    };
    payload::segments(&vec![0; spec.payload.length.into()], size).len() as u32
}

fn inflict(bytes: &mut Vec<u8>, ip: usize, damage: Damage) {
    match damage {
        Damage::Pad(length) => bytes.resize(bytes.len().max(length.into()), 0),
        Damage::Truncate(share, mend) => {
            let length = bytes.len() * usize::from(share) / 65536;
            bytes.truncate(length);
            if mend {
                set_ip_length(bytes, ip, |_| length.saturating_sub(ip) as u16);
            }
        }
        Damage::Flip(at, bits) => {
            let at = usize::from(at) * bytes.len().min(120) / 65536;
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= bits;
            }
        }
        Damage::FirstByte(value) => {
            if let Some(byte) = bytes.get_mut(ip) {
                *byte = value;
            }
        }
        Damage::IpLength(length) => set_ip_length(bytes, ip, |_| length),
        Damage::IpLengthBy(by) => {
            set_ip_length(bytes, ip, |old| old.wrapping_add_signed(by.into()))
        }
    }
}

/// Changes the length field, seen as the length of the whole packet.
fn set_ip_length(bytes: &mut [u8], ip: usize, change: impl Fn(u16) -> u16) {
    let v6 = bytes.get(ip).is_some_and(|byte| byte >> 4 == 6);
    let (at, header) = if v6 { (ip + 4, 40) } else { (ip + 2, 0) };
    let change = |field: u16| match change(field.saturating_add(header)) {
        0 => 0,
        length => length.saturating_sub(header),
    };
    if let Some([high, low]) = bytes.get_mut(at..at + 2) {
        [*high, *low] = change(u16::from_be_bytes([*high, *low])).to_be_bytes();
    }
}
