/* SPDX-License-Identifier: (MIT OR Apache-2.0) AND GPL-2.0 */
/* Pure: from a packet's headers to a flow key and what the metrics need. No map, no helper, no state.
 *
 * The includer provides packet_header(), which yields `size` bytes at `offset`, or NULL where they cannot be had.
 * Each function comes in two modes, chosen at compile time: FAST reads in place and gives up (PARSED_UNREADABLE)
 * on fragments, extension headers and whatever is not in the linear part; COMPLETE copies and knows everything.
 */
#ifndef FLOWTOP_PARSE_H
#define FLOWTOP_PARSE_H

#include <linux/if_ether.h>
#include <linux/in.h>

#include "types.h"

#ifndef __always_inline
#define __always_inline inline __attribute__((always_inline))
#endif

#define MAX_VLAN_TAGS 8
#define MAX_EXTENSIONS 8

enum mode {
	FAST,
	COMPLETE,
};

enum parsed {
	PARSED_FLOW,
	PARSED_OTHER,
	PARSED_MALFORMED, /* why: packet_facts.malformed */
	PARSED_UNREADABLE, /* FAST mode only: ask again in COMPLETE mode */
};

enum sequence_kind {
	SEQUENCE_NONE,
	SEQUENCE_TCP,
	SEQUENCE_ECHO,
	SEQUENCE_PAYLOAD,
	SEQUENCE_TCP_FRAGMENT, /* its bytes cannot be placed: the series begins anew behind it */
};

enum fragment_kind {
	FRAGMENT_NONE,
	FRAGMENT_FIRST,
	FRAGMENT_LATER,
};

#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_RST 0x04

#define IPV4_MORE_FRAGMENTS 0x2000
#define IPV4_FRAGMENT_OFFSET 0x1fff
#define IPV6_MORE_FRAGMENTS 0x0001
#define IPV6_FRAGMENT_OFFSET 0xfff8

#define NEXT_HOP_BY_HOP 0
#define NEXT_ROUTING 43
#define NEXT_FRAGMENT 44
#define NEXT_ESP 50
#define NEXT_AH 51
#define NEXT_ICMPV6 58
#define NEXT_NONE 59
#define NEXT_DESTINATION 60
#define NEXT_MOBILITY 135

/* What packet_header() works on, and what came with the packet. */
struct packet {
	void *context;
	void *data;
	void *data_end;
	__u32 length; /* of the whole buffer */
	__u32 ifindex;
	__u32 gso_segments;
	__u32 gso_size;
	__u16 vlan; /* the tag that the kernel moved out of the data, or VLAN_NONE */
	__u16 unused;
};

struct packet_facts {
	struct flow_key key;
	__u32 malformed; /* enum malformed */
	__u32 payload_offset; /* from the buffer's start */
	__u32 payload_bytes;
	__u32 ip_end; /* where the IP packet ends in the buffer */
	__u32 number; /* TCP sequence number; ICMP echo sequence number */
	__u32 identification; /* of fragments */
	__u8 tcp_flags;
	__u8 sequence; /* enum sequence_kind */
	__u8 fragment; /* enum fragment_kind */
	__u8 fragment_protocol; /* as the fragment's own header names it */
	__u8 walk_next; /* of the walk over extension headers: what comes next, and where */
	__u8 unused[3];
	__u32 walk_offset;
};

/* The seam: see above. `room` has at least `size` bytes; the result is in the packet or in `room`. */
static __always_inline const __u8 *packet_header(const struct packet *packet, enum mode mode, __u32 offset, __u32 size,
						 void *room);

static __always_inline __u16 read_u16(const __u8 *bytes)
{
	return (__u16)(bytes[0] << 8 | bytes[1]);
}

static __always_inline __u32 read_u32(const __u8 *bytes)
{
	return (__u32)bytes[0] << 24 | (__u32)bytes[1] << 16 | (__u32)bytes[2] << 8 | bytes[3];
}

/* Where a header cannot be had: not in the linear part, or not there at all. */
static __always_inline int unreadable(struct packet_facts *facts, enum mode mode, enum malformed reason)
{
	facts->malformed = reason;
	return mode == FAST ? PARSED_UNREADABLE : PARSED_MALFORMED;
}

static __always_inline int malformed(struct packet_facts *facts, enum malformed reason)
{
	facts->malformed = reason;
	return PARSED_MALFORMED;
}

/* Ethernet and VLAN tags: the ethertype behind them, or a negative number where the frame ends. */
static __always_inline int parse_ethernet(const struct packet *packet, enum mode mode, struct packet_facts *facts,
					  __u32 *offset)
{
	__u8 room[ETH_HLEN];
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

/* RFC 9293: ports, sequence number, data offset. */
static __always_inline int parse_tcp(const struct packet *packet, enum mode mode, struct packet_facts *facts,
				     __u32 offset)
{
	__u8 room[20];
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
	facts->key.source_port = read_u16(header);
	facts->key.destination_port = read_u16(header + 2);
	facts->number = read_u32(header + 4);
	facts->tcp_flags = header[13];
	facts->sequence = facts->fragment == FRAGMENT_NONE ? SEQUENCE_TCP : SEQUENCE_TCP_FRAGMENT;
	facts->payload_offset = offset + length;
	facts->payload_bytes = facts->ip_end - offset - length;
	return PARSED_FLOW;
}

/* RFC 768; a length of 0 is a jumbogram's (RFC 2675) or an offload's. */
static __always_inline int parse_udp(const struct packet *packet, enum mode mode, struct packet_facts *facts,
				     __u32 offset)
{
	__u8 room[8];
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
	facts->key.source_port = read_u16(header);
	facts->key.destination_port = read_u16(header + 2);
	facts->sequence = SEQUENCE_PAYLOAD;
	facts->payload_offset = offset + 8;
	facts->payload_bytes = length - 8;
	return PARSED_FLOW;
}

/* RFC 792 and RFC 4443: the query messages carry an identifier, the echo messages a sequence number. */
static __always_inline int parse_icmp(const struct packet *packet, enum mode mode, struct packet_facts *facts,
				      __u32 offset)
{
	__u8 room[8];
	const __u8 *header;
	__u8 type;
	int is_echo, is_query;
	__u32 available = facts->ip_end - offset;

	if (offset + 4 > facts->ip_end)
		return malformed(facts, MALFORMED_TRANSPORT_TRUNCATED);
	header = packet_header(packet, mode, offset, 4, room);
	if (!header)
		return unreadable(facts, mode, MALFORMED_TRANSPORT_TRUNCATED);
	type = header[0];
	facts->key.destination_port = read_u16(header);
	is_echo = facts->key.family == FAMILY_IPV4 ? type == 0 || type == 8 : type == 128 || type == 129;
	is_query = is_echo || (facts->key.family == FAMILY_IPV4 && type >= 13 && type <= 18);
	facts->sequence = SEQUENCE_PAYLOAD;
	if (is_query) {
		if (offset + 8 > facts->ip_end)
			return malformed(facts, MALFORMED_TRANSPORT_TRUNCATED);
		header = packet_header(packet, mode, offset, 8, room);
		if (!header)
			return unreadable(facts, mode, MALFORMED_TRANSPORT_TRUNCATED);
		facts->key.source_port = read_u16(header + 4);
		if (is_echo) {
			facts->number = read_u16(header + 6);
			facts->sequence = SEQUENCE_ECHO;
		}
	}
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
	facts->key.protocol = protocol;
	if (facts->fragment == FRAGMENT_LATER)
		return parse_later_fragment(facts, offset);
	if (protocol == IPPROTO_TCP)
		return parse_tcp(packet, mode, facts, offset);
	if (protocol == IPPROTO_UDP)
		return parse_udp(packet, mode, facts, offset);
	if (protocol == (facts->key.family == FAMILY_IPV4 ? IPPROTO_ICMP : NEXT_ICMPV6))
		return parse_icmp(packet, mode, facts, offset);
	return PARSED_OTHER;
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

/* Steps over one extension header (RFC 8200 section 4, RFC 4302 section 2.2). Returns 0, or why not. */
static __always_inline int step_extension(const struct packet *packet, struct packet_facts *facts)
{
	__u8 room[8];
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
	if (is_extension(facts, protocol))
		return PARSED_UNREADABLE;
	return parse_transport(packet, mode, facts, protocol, offset);
}

/* RFC 791; a total length of 0 is an offload's, and the buffer's length counts. */
static __always_inline int parse_ipv4(const struct packet *packet, enum mode mode, struct packet_facts *facts,
				      __u32 offset)
{
	__u8 room[20];
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
	facts->key.family = FAMILY_IPV4;
	__builtin_memcpy(facts->key.source, header + 12, 4);
	__builtin_memcpy(facts->key.destination, header + 16, 4);
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
	__u8 room[40];
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
	facts->key.family = FAMILY_IPV6;
	__builtin_memcpy(facts->key.source, header + 8, 16);
	__builtin_memcpy(facts->key.destination, header + 24, 16);
	return parse_next(packet, mode, facts, header[6], offset + 40);
}

/* A frame of a device with an Ethernet header. */
static __always_inline int parse_frame(const struct packet *packet, enum mode mode, struct packet_facts *facts)
{
	__u32 offset;
	int ethertype = parse_ethernet(packet, mode, facts, &offset);

	if (ethertype < 0)
		return unreadable(facts, mode, MALFORMED_FRAME);
	if (ethertype == ETH_P_IP)
		return parse_ipv4(packet, mode, facts, offset);
	if (ethertype == ETH_P_IPV6)
		return parse_ipv6(packet, mode, facts, offset);
	return PARSED_OTHER;
}

/* A packet of a device without one: the version says which IP it is. */
static __always_inline int parse_bare(const struct packet *packet, enum mode mode, struct packet_facts *facts)
{
	__u8 room[1];
	const __u8 *header = packet_header(packet, mode, 0, 1, room);

	if (!header)
		return unreadable(facts, mode, MALFORMED_IP_TRUNCATED);
	if (header[0] >> 4 == 4)
		return parse_ipv4(packet, mode, facts, 0);
	if (header[0] >> 4 == 6)
		return parse_ipv6(packet, mode, facts, 0);
	return PARSED_OTHER;
}

/* Packets on the wire that the buffer stands for, `payload` bytes in all. */
static __always_inline __u32 wire_packets(const struct packet *packet, __u32 payload)
{
	if (packet->gso_segments)
		return packet->gso_segments;
	if (packet->gso_size && payload > packet->gso_size)
		return (payload + packet->gso_size - 1) / packet->gso_size;
	return 1;
}

/* Bytes on the wire of `packets` packets, each with its own copy of `headers` bytes of headers. */
static __always_inline __u64 wire_bytes(const struct packet *packet, __u32 packets, __u32 headers)
{
	__u32 tag = packet->vlan == VLAN_NONE ? 0 : 4;

	return packet->length + tag + (__u64)(packets - 1) * (headers + tag);
}

#endif
