/* SPDX-License-Identifier: MIT OR Apache-2.0 OR GPL-2.0-only */
/* Pure: from a packet's headers to a flow key and what the metrics need. No map, no helper, no state. */
#ifndef FLOWTOP_PARSE_H
#define FLOWTOP_PARSE_H

#include <linux/if_ether.h>

#include "transport.h"

#define MAX_VLAN_TAGS 8
#define MAX_EXTENSIONS 8

#define IPV4_MORE_FRAGMENTS 0x2000
#define IPV4_FRAGMENT_OFFSET 0x1fff
#define IPV6_MORE_FRAGMENTS 0x0001
#define IPV6_FRAGMENT_OFFSET 0xfff8
#define JUMBO_OPTION 0xc2

/* Ethernet and VLAN tags: the ethertype behind them, or a negative number where the frame ends. */
static __always_inline int parse_ethernet(const struct packet *packet, enum mode mode, struct packet_facts *facts,
					  __u32 *offset)
{
	__u8 ROOM(ETH_HLEN);
	const __u8 *header = packet_header(packet, mode, 0, ETH_HLEN, room);
	__u16 ethertype;

	if (!header)
		return -1;
	ethertype = read_u16(header + 12);
	*offset = ETH_HLEN;
	for (int i = 0; i < MAX_VLAN_TAGS; i++) {
		if (ethertype != ETH_P_8021Q && ethertype != ETH_P_8021AD)
			return ethertype;
		if (mode == FAST && i == 2)
			return -1;
		/* One of the tags may be out of the data. */
		if (i == MAX_VLAN_TAGS - 1 && packet->vlan != VLAN_NONE)
			return -1;
		header = packet_header(packet, mode, *offset, 4, room);
		if (!header)
			return -1;
		if (facts->key.vlan == VLAN_NONE)
			facts->key.vlan = read_u16(header) & 0xfff;
		ethertype = read_u16(header + 2);
		*offset += 4;
	}
	return ethertype == ETH_P_8021Q || ethertype == ETH_P_8021AD ? -1 : ethertype;
}

static __always_inline int is_extension(const struct packet_facts *facts, __u8 protocol)
{
	if (protocol == NEXT_AH)
		return 1;
	if (facts->key.family == FAMILY_IPV4)
		return 0;
	return protocol == NEXT_HOP_BY_HOP || protocol == NEXT_ROUTING || protocol == NEXT_FRAGMENT ||
	       protocol == NEXT_DESTINATION || protocol == NEXT_MOBILITY;
}

/* RFC 8200 section 4.5; an atomic fragment (offset 0, no more to come) is a whole packet. */
static __always_inline void note_ipv6_fragment(struct packet_facts *facts, const __u8 *header)
{
	__u16 field = read_u16(header + 2);

	if (field & IPV6_FRAGMENT_OFFSET)
		facts->fragment = FRAGMENT_LATER;
	else if (field & IPV6_MORE_FRAGMENTS)
		facts->fragment = FRAGMENT_FIRST;
	else
		return;
	facts->identification = read_u32(header + 4);
	facts->fragment_protocol = header[0];
}

/* The kernel's own mark on an aggregate of more than 64 KiB (RFC 2675's header, between those of IPv6 and TCP), which it
 * takes out again when it cuts it into packets.
 */
static __always_inline void note_jumbo(struct packet_facts *facts, const __u8 *header)
{
	if (facts->walk_next == NEXT_HOP_BY_HOP && header[0] == IPPROTO_TCP && !header[1] &&
	    header[2] == JUMBO_OPTION && facts->ip_end - facts->walk_offset > 0xffff)
		facts->unsent += 8;
}

/* Steps over one extension header (RFC 8200 section 4, RFC 4302 section 2.2). Returns 0, or why not. */
static __always_inline int step_extension(const struct packet *packet, struct packet_facts *facts)
{
	__u8 ROOM(8);
	const __u8 *header;
	__u32 length;

	if (facts->walk_offset + 8 > facts->ip_end)
		return malformed(facts, MALFORMED_IP_TRUNCATED);
	header = packet_header(packet, COMPLETE, facts->walk_offset, 8, room);
	if (!header)
		return malformed(facts, MALFORMED_IP_TRUNCATED);
	if (facts->walk_next == NEXT_FRAGMENT) {
		note_ipv6_fragment(facts, header);
		length = 8;
	} else if (facts->walk_next == NEXT_AH) {
		length = (header[1] + 2) * 4;
	} else {
		note_jumbo(facts, header);
		length = (header[1] + 1) * 8;
	}
	facts->walk_next = header[0];
	facts->walk_offset += length;
	if (facts->walk_offset > facts->ip_end)
		return malformed(facts, MALFORMED_IP_TRUNCATED);
	return 0;
}

/* Walks all of them, eight at most. The place is kept in `facts`, where the verifier does not follow its value: it
 * would tell apart every way through eight headers.
 */
static __always_inline int walk_extensions(const struct packet *packet, struct packet_facts *facts)
{
	for (int i = 0; i < MAX_EXTENSIONS; i++) {
		int stopped;

		if (facts->fragment == FRAGMENT_LATER || !is_extension(facts, facts->walk_next))
			return 0;
		stopped = step_extension(packet, facts);
		if (stopped)
			return stopped;
	}
	if (facts->fragment != FRAGMENT_LATER && is_extension(facts, facts->walk_next))
		return malformed(facts, MALFORMED_EXTENSIONS);
	return 0;
}

static __always_inline int parse_extensions(const struct packet *packet, struct packet_facts *facts, __u8 protocol,
					    __u32 offset)
{
	int stopped;

	facts->walk_next = protocol;
	facts->walk_offset = offset;
	stopped = walk_extensions(packet, facts);
	return stopped ? stopped : parse_transport(packet, COMPLETE, facts, facts->walk_next, facts->walk_offset);
}

static __always_inline int parse_next(const struct packet *packet, enum mode mode, struct packet_facts *facts,
				      __u8 protocol, __u32 offset)
{
	if (mode == COMPLETE)
		return parse_extensions(packet, facts, protocol, offset);
	/* Neither is one, and nearly all packets are of these: fewer questions. */
	if (protocol != IPPROTO_TCP && protocol != IPPROTO_UDP && is_extension(facts, protocol))
		return PARSED_UNREADABLE;
	return parse_transport(packet, mode, facts, protocol, offset);
}

/* Where the packet begins in the buffer. FAST mode is not asked where bytes are pushed in front of it. */
static __always_inline __u32 start_of(const struct packet *packet, enum mode mode)
{
	return mode == FAST ? 0 : packet->pushed;
}

/* What the group `ip` counts of the IP header at `offset`, and where its packet lies in what was sent. */
static __always_inline void note_ip(const struct packet *packet, enum mode mode, struct packet_facts *facts,
				    __u32 offset, __u8 traffic_class, __u8 hop_limit)
{
	facts->traffic_class = traffic_class;
	facts->hop_limit = hop_limit;
	facts->link_bytes = offset - start_of(packet, mode) + (packet->vlan == VLAN_NONE ? 0 : 4);
}

/* RFC 791; a total length of 0 is an offload's, and the buffer's length counts. */
static __always_inline int parse_ipv4(const struct packet *packet, enum mode mode, struct packet_facts *facts,
				      __u32 offset)
{
	__u8 ROOM(20);
	const __u8 *header = packet_header(packet, mode, offset, 20, room);
	__u32 header_length, total;
	__u16 fragment;

	if (!header)
		return unreadable(facts, mode, MALFORMED_IP_TRUNCATED);
	if (header[0] >> 4 != 4)
		return malformed(facts, MALFORMED_IP_VERSION);
	header_length = (header[0] & 0xf) * 4;
	if (header_length < 20)
		return malformed(facts, MALFORMED_IP_HEADER_LENGTH);
	if (offset + header_length > packet->length)
		return malformed(facts, MALFORMED_IP_TRUNCATED);
	total = read_u16(header + 2);
	if (!total)
		total = packet->length - offset;
	if (total < header_length || offset + total > packet->length)
		return malformed(facts, MALFORMED_IP_LENGTH);
	facts->ip_end = offset + total;
	if (enabled_groups & GROUP_IP)
		note_ip(packet, mode, facts, offset, header[1], header[8]);
	facts->key.family = FAMILY_IPV4;
	copy_address(facts->key.source, header + 12, 4);
	copy_address(facts->key.destination, header + 16, 4);
	fragment = read_u16(header + 6);
	if (fragment & (IPV4_MORE_FRAGMENTS | IPV4_FRAGMENT_OFFSET)) {
		if (mode == FAST)
			return PARSED_UNREADABLE;
		facts->fragment = fragment & IPV4_FRAGMENT_OFFSET ? FRAGMENT_LATER : FRAGMENT_FIRST;
		facts->identification = read_u16(header + 4);
		facts->fragment_protocol = header[9];
	}
	return parse_next(packet, mode, facts, header[9], offset + header_length);
}

/* RFC 8200; a payload length of 0 is a jumbogram's, and the buffer's length counts. */
static __always_inline int parse_ipv6(const struct packet *packet, enum mode mode, struct packet_facts *facts,
				      __u32 offset)
{
	__u8 ROOM(40);
	const __u8 *header = packet_header(packet, mode, offset, 40, room);
	__u32 total;

	if (!header)
		return unreadable(facts, mode, MALFORMED_IP_TRUNCATED);
	if (header[0] >> 4 != 6)
		return malformed(facts, MALFORMED_IP_VERSION);
	total = read_u16(header + 4);
	total = total ? total + 40 : packet->length - offset;
	if (offset + total > packet->length)
		return malformed(facts, MALFORMED_IP_LENGTH);
	facts->ip_end = offset + total;
	if (enabled_groups & GROUP_IP)
		note_ip(packet, mode, facts, offset, read_u16(header) >> 4, header[7]);
	facts->key.family = FAMILY_IPV6;
	copy_address(facts->key.source, header + 8, 16);
	copy_address(facts->key.destination, header + 24, 16);
	return parse_next(packet, mode, facts, header[6], offset + 40);
}

/* Of a device without Ethernet header: the ethertype that its first byte, IP's version, stands for. */
static __always_inline int parse_version(const struct packet *packet, enum mode mode)
{
	__u8 ROOM(1);
	const __u8 *header = packet_header(packet, mode, start_of(packet, mode), 1, room);

	if (!header)
		return -1;
	return header[0] >> 4 == 4 ? ETH_P_IP : header[0] >> 4 == 6 ? ETH_P_IPV6 : 0;
}

/* A whole packet: with an Ethernet header, or starting with IP's, behind what is pushed, where the device has none. */
static __always_inline int parse_packet(const struct packet *packet, enum mode mode, struct packet_facts *facts,
					int is_bare)
{
	__u32 offset = start_of(packet, mode);
	int ethertype = is_bare ? parse_version(packet, mode) : parse_ethernet(packet, mode, facts, &offset);

	if (ethertype < 0)
		return unreadable(facts, mode, is_bare ? MALFORMED_IP_TRUNCATED : MALFORMED_FRAME);
	if (mode == COMPLETE) {
		/* Kept where the verifier does not follow its value, as in walk_extensions(): one way for all tags. */
		facts->walk_offset = offset;
		offset = *(volatile __u32 *)&facts->walk_offset;
	}
	if (ethertype == ETH_P_IP)
		return parse_ipv4(packet, mode, facts, offset);
	if (ethertype == ETH_P_IPV6)
		return parse_ipv6(packet, mode, facts, offset);
	return PARSED_OTHER;
}

#endif
