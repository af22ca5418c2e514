/* SPDX-License-Identifier: MIT OR Apache-2.0 OR GPL-2.0-only */
/* Pure: TCP, UDP, ICMP and ICMPv6 headers. No map, no helper, no state. */
#ifndef FLOWTOP_TRANSPORT_H
#define FLOWTOP_TRANSPORT_H

#include <linux/in.h>

#include "packet.h"

/* RFC 9293: ports, sequence number, data offset. */
static __always_inline int parse_tcp(const struct packet *packet, enum mode mode, struct packet_facts *facts,
				     __u32 offset)
{
	__u8 ROOM(20);
	const __u8 *header;
	__u32 length;

	if (offset + 20 > facts->ip_end)
		return malformed(facts, MALFORMED_TRANSPORT_TRUNCATED);
	header = packet_header(packet, mode, offset, 20, room);
	if (!header)
		return unreadable(facts, mode, MALFORMED_TRANSPORT_TRUNCATED);
	length = (header[12] >> 4) * 4;
	if (length < 20 || offset + length > facts->ip_end)
		return malformed(facts, MALFORMED_TCP_OFFSET);
	copy_ports(&facts->key, header);
	facts->number = read_u32(header + 4);
	facts->tcp_flags = header[13];
	facts->sequence = mode == FAST || facts->fragment == FRAGMENT_NONE ? SEQUENCE_TCP : SEQUENCE_UNPLACED;
	facts->payload_offset = offset + length;
	facts->payload_bytes = facts->ip_end - offset - length;
	return PARSED_FLOW;
}

/* RFC 768; a length of 0 is a jumbogram's (RFC 2675) or an offload's. */
static __always_inline int parse_udp(const struct packet *packet, enum mode mode, struct packet_facts *facts,
				     __u32 offset)
{
	__u8 ROOM(8);
	const __u8 *header;
	__u32 length, available;

	if (offset + 8 > facts->ip_end)
		return malformed(facts, MALFORMED_TRANSPORT_TRUNCATED);
	header = packet_header(packet, mode, offset, 8, room);
	if (!header)
		return unreadable(facts, mode, MALFORMED_TRANSPORT_TRUNCATED);
	length = read_u16(header + 4);
	if (length && length < 8)
		return malformed(facts, MALFORMED_UDP_LENGTH);
	available = facts->ip_end - offset;
	if (!length || length > available)
		length = available;
	copy_ports(&facts->key, header);
	facts->sequence = SEQUENCE_PAYLOAD;
	facts->payload_offset = offset + 8;
	facts->payload_bytes = length - 8;
	return PARSED_FLOW;
}

/* RFC 792 and RFC 4443: the query messages carry an identifier, the echo messages a sequence number. */
static __always_inline int parse_icmp(const struct packet *packet, enum mode mode, struct packet_facts *facts,
				      __u32 offset)
{
	__u8 ROOM(8);
	const __u8 *header;
	__u16 identifier = 0, kind;
	__u8 type;
	int is_echo, is_query;
	__u32 available = facts->ip_end - offset;

	if (offset + 4 > facts->ip_end)
		return malformed(facts, MALFORMED_TRANSPORT_TRUNCATED);
	header = packet_header(packet, mode, offset, 4, room);
	if (!header)
		return unreadable(facts, mode, MALFORMED_TRANSPORT_TRUNCATED);
	type = header[0];
	kind = read_u16(header);
	is_echo = facts->key.family == FAMILY_IPV4 ? type == 0 || type == 8 : type == 128 || type == 129;
	is_query = is_echo || (facts->key.family == FAMILY_IPV4 && type >= 13 && type <= 18);
	facts->sequence = SEQUENCE_PAYLOAD;
	if (is_query) {
		if (offset + 8 > facts->ip_end)
			return malformed(facts, MALFORMED_TRANSPORT_TRUNCATED);
		header = packet_header(packet, mode, offset, 8, room);
		if (!header)
			return unreadable(facts, mode, MALFORMED_TRANSPORT_TRUNCATED);
		identifier = read_u16(header + 4);
		if (is_echo) {
			facts->number = read_u16(header + 6);
			facts->sequence = SEQUENCE_ECHO;
		}
	}
	set_ports(&facts->key, identifier, kind);
	facts->payload_bytes = available > 8 ? available - 8 : 0;
	facts->payload_offset = facts->ip_end - facts->payload_bytes;
	return PARSED_FLOW;
}

/* A fragment that has no transport header: its flow is looked up by the caller. */
static __always_inline int parse_later_fragment(struct packet_facts *facts, __u32 offset)
{
	facts->payload_offset = offset;
	facts->payload_bytes = facts->ip_end - offset;
	return PARSED_FLOW;
}

static __always_inline int parse_transport(const struct packet *packet, enum mode mode, struct packet_facts *facts,
					   __u8 protocol, __u32 offset)
{
	set_protocol(&facts->key, protocol);
	if (mode == COMPLETE && facts->fragment == FRAGMENT_LATER)
		return parse_later_fragment(facts, offset);
	if (protocol == IPPROTO_TCP)
		return parse_tcp(packet, mode, facts, offset);
	if (protocol == IPPROTO_UDP)
		return parse_udp(packet, mode, facts, offset);
	if (protocol == (facts->key.family == FAMILY_IPV4 ? IPPROTO_ICMP : NEXT_ICMPV6))
		return parse_icmp(packet, mode, facts, offset);
	return PARSED_OTHER;
}

#endif
