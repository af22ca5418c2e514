//! The frames of the script that are counted beside the flows.

use super::script::{ICMP, ICMPV6, Place, Step, TCP, UDP, beside, over_v4, over_v6};
use super::support::craft::{
    CUSTOMER_TAG, IPV4, IPV6, ethernet, extension, tag, tcp, udp, udp_saying, v4, v6,
};

/// What is well formed and no flow's.
pub fn others() -> Vec<Step> {
    let mut frames = vec![
        ethernet(0x0806, &[0; 28]),         // ARP
        ethernet(0x88cc, &[0; 46]),         // LLDP
        ethernet(46, &[0x42; 46]),          // 802.3 with a length
        ethernet(0x8847, &[0; 60]),         // MPLS
        over_v4(2, &[0; 8]),                // IGMP
        over_v4(132, &[0; 32]),             // SCTP
        over_v4(50, &[0; 32]),              // ESP
        over_v4(ICMPV6, &[0; 32]),          // ICMPv6 in IPv4
        over_v4(60, &[0; 32]),              // no extension header in IPv4
        over_v6(59, &[]),                   // nothing
        over_v6(0, &extension(59, 0, &[])), // nothing behind options
        over_v6(50, &[0; 32]),              // ESP
        over_v6(ICMP, &[0; 32]),            // ICMP in IPv6
        over_v6(89, &[0; 44]),              // OSPF
    ];
    frames.push(ethernet(CUSTOMER_TAG, &tag(10, 0x0806, &[0; 28])));
    let beside = |frame| beside(frame, Place::Other);
    frames.into_iter().map(beside).collect()
}

/// What follows the first ethertype of so many tags around an IPv4 packet.
pub fn tags(count: u16, packet: &[u8]) -> Vec<u8> {
    let innermost = tag(count, IPV4, packet);
    (1..count).fold(innermost, |inside, id| tag(id, CUSTOMER_TAG, &inside))
}

/// What ends too early or contradicts itself.
pub fn malformed() -> Vec<Step> {
    let whole = v4(UDP, &udp((9, 150), &[7; 20]));
    let changed = |at: usize, value: u8| {
        let mut packet = whole.clone();
        packet[at] = value;
        ethernet(IPV4, &packet)
    };
    let mut segment = tcp((9, 150), 1, 0x10, &[], &[7; 8]);
    segment[12] = 4 << 4;
    let short_offset = over_v4(TCP, &segment);
    segment[12] = 15 << 4;
    let long_offset = over_v4(TCP, &segment);
    let nine = (0..9).fold(udp((9, 150), &[]), |inner, n| {
        extension(if n == 0 { UDP } else { 60 }, 0, &inner)
    });
    let v6_whole = v6(UDP, &udp((9, 150), &[7; 20]));
    let cut_extension = over_v6(60, &extension(UDP, 3, &[])[..16]);
    let frames = [
        (
            "frame",
            ethernet(CUSTOMER_TAG, &tag(10, CUSTOMER_TAG, &[0; 3])),
        ),
        ("frame", ethernet(CUSTOMER_TAG, &tags(9, &whole))),
        ("ip_truncated", ethernet(IPV4, &whole[..19])),
        ("ip_truncated", ethernet(IPV6, &v6_whole[..39])),
        ("ip_truncated", ethernet(IPV4, &[0x4f; 40])),
        ("ip_truncated", cut_extension),
        ("ip_version", changed(0, 0x65)),
        ("ip_version", ethernet(IPV6, &whole)),
        ("ip_header_length", changed(0, 0x44)),
        ("ip_length", changed(3, 19)),
        ("ip_length", changed(2, 1)),
        ("ip_length", ethernet(IPV6, &v6_whole[..v6_whole.len() - 1])),
        ("extensions", over_v6(60, &nine)),
        ("transport_truncated", over_v4(UDP, &[0; 7])),
        ("transport_truncated", over_v4(TCP, &[0; 19])),
        ("transport_truncated", over_v4(ICMP, &[8, 0, 0, 0, 0, 1])),
        ("transport_truncated", over_v6(ICMPV6, &[1, 0, 0])),
        ("tcp_offset", short_offset),
        ("tcp_offset", long_offset),
        (
            "udp_length",
            over_v4(UDP, &udp_saying(7, (9, 150), &[7; 20])),
        ),
    ];
    let step = |(reason, frame)| beside(frame, Place::Malformed(reason));
    frames.into_iter().map(step).collect()
}
