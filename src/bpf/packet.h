/* SPDX-License-Identifier: MIT OR Apache-2.0 OR GPL-2.0-only */
/* Pure: a packet's bytes, what is known of it, and how its headers are read.
 *
 * The includer provides packet_header(), which yields `size` bytes at `offset`, or NULL where they cannot be had.
 * Each function comes in two modes, chosen at compile time: FAST reads in place and gives up (PARSED_UNREADABLE)
 * on fragments, extension headers and whatever is not in the linear part; COMPLETE copies and knows everything.
 */
#ifndef FLOWTOP_PACKET_H
#define FLOWTOP_PACKET_H

#include "types.h"

#ifndef __always_inline
#define __always_inline inline __attribute__((always_inline))
#endif

#ifndef LOADED_CONSTANT
#define LOADED_CONSTANT const volatile
#endif

/* Set before the load, after which the verifier drops the code of all groups that are not in it. */
LOADED_CONSTANT __u32 enabled_groups = 0;

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
	SEQUENCE_UNPLACED, /* it has numbers that cannot be read: the series begins anew behind it */
};

enum fragment_kind {
	FRAGMENT_NONE,
	FRAGMENT_FIRST,
	FRAGMENT_LATER,
};

#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_RST 0x04

#define NEXT_HOP_BY_HOP 0
#define NEXT_ROUTING 43
#define NEXT_FRAGMENT 44
#define NEXT_AH 51
#define NEXT_ICMPV6 58
#define NEXT_DESTINATION 60
#define NEXT_MOBILITY 135

/* What packet_header() works on, and what came with the packet. */
struct packet {
	void *context;
	void *data;
	void *data_end;
	__u32 length; /* of the whole buffer */
	__u32 pushed; /* bytes in front of the packet of a device without Ethernet header: never on this link */
	__u32 ifindex;
	__u32 gso_segments;
	__u32 gso_size;
	__u16 vlan; /* the tag that the kernel moved out of the data, or VLAN_NONE */
};

struct packet_facts {
	struct flow_key key __attribute__((aligned(8)));
	__u32 payload_offset; /* from the buffer's start */
	__u32 payload_bytes;
	__u32 ip_end; /* where the IP packet ends in the buffer */
	__u32 number; /* TCP sequence number; ICMP echo sequence number */
	__u32 identification; /* of fragments */
	__u8 tcp_flags;
	__u8 sequence; /* enum sequence_kind */
	__u8 fragment; /* enum fragment_kind */
	__u8 fragment_protocol; /* as the fragment's own header names it */
	__u8 is_unmatched; /* a later fragment whose first one is not known */
	__u8 is_estimated; /* an aggregate: where its payload begins is not known */
	__u16 walk_next; /* of a walk over headers: what comes next, and where */
	__u32 walk_offset;
	__u32 walk_udp; /* of a walk: where the latest UDP payload begins that was taken for a tunnel's */
	__u32 unsent; /* bytes in front of the payload that are in the buffer, and in no packet on the wire */
	__u8 traffic_class; /* GROUP_IP: of IPv4 the type of service */
	__u8 hop_limit; /* GROUP_IP: of IPv4 the time to live */
	__u8 malformed; /* enum malformed */
	__u8 link_bytes; /* GROUP_IP: in front of each IP packet on the wire */
};

/* GROUP_IP: how many of the bytes on the wire, of so many packets in a buffer of this length, are those of the IP packets
 * themselves. What is behind them in the buffer is the padding of a short frame.
 */
static __always_inline __u64 bytes_of_ip(const struct packet_facts *facts, __u32 length, __u32 packets, __u64 bytes)
{
	return bytes - (length - facts->ip_end) - (__u64)packets * facts->link_bytes;
}

/* From here on the compiler knows nothing of the value. It would merge checks, or move them to another expression, in
 * ways that verifiers do not follow.
 */
#define KEEP(value) asm volatile("" : "+r"(value))

#define ROOM(size) room[size] __attribute__((aligned(8)))

/* The seam: see above. `room` has at least `size` bytes; the result is in the packet or in `room`. */
static __always_inline const __u8 *packet_header(const struct packet *packet, enum mode mode, __u32 offset, __u32 size,
						 void *room);

/* Big-endian numbers. clang for BPF would take them byte by byte where it does not know their alignment; the kernel lets
 * a program read them whole. Headers are at even offsets, and copies of them (`room`) at multiples of 8.
 */
static __always_inline __u16 read_u16(const __u8 *bytes)
{
#ifdef __bpf__
	return __builtin_bswap16(*(const __u16 *)bytes);
#else
	return (__u16)(bytes[0] << 8 | bytes[1]);
#endif
}

static __always_inline __u32 read_u32(const __u8 *bytes)
{
#ifdef __bpf__
	return __builtin_bswap32(*(const __u32 *)bytes);
#else
	return (__u32)bytes[0] << 24 | (__u32)bytes[1] << 16 | (__u32)bytes[2] << 8 | bytes[3];
#endif
}

/* Two numbers that stand in memory one after the other, as one; `bits` is the width of each. */
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define JOIN(first, second, bits) ((__u64)(second) << (bits) | (first))
#else
#define JOIN(first, second, bits) ((__u64)(first) << (bits) | (second))
#endif

/* The key is written by the words by which it is hashed and compared: a load that spans several stores has to wait until all
 * of them have reached the cache.
 */
static __always_inline void set_word(void *to, __u64 word)
{
	__builtin_memcpy(to, &word, sizeof(word));
}

static __always_inline void set_ports(struct flow_key *key, __u16 source, __u16 destination)
{
	set_word(&key->ifindex, JOIN(key->ifindex, JOIN(source, destination, 16), 32));
}

/* Those that a header begins with. */
static __always_inline void copy_ports(struct flow_key *key, const __u8 *header)
{
	__u32 ports = read_u32(header);

	set_ports(key, ports >> 16, ports);
}

static __always_inline void set_protocol(struct flow_key *key, __u8 protocol)
{
	set_word(&key->vlan, JOIN(JOIN(key->vlan, JOIN(protocol, key->family, 8), 16), key->tunnel, 32));
}

static __always_inline __u32 load_word(const __u8 *bytes)
{
#ifdef __bpf__
	return *(const __u32 *)bytes;
#else
	__u32 word;

	__builtin_memcpy(&word, bytes, sizeof(word));
	return word;
#endif
}

/* Facts of a packet of which nothing else is known yet. Written by words for the same reason. */
static __always_inline void begin_facts(struct packet_facts *facts, const struct packet *packet)
{
	__u8 *bytes = (__u8 *)facts;

	set_word(&facts->key.ifindex, JOIN(packet->ifindex, 0, 32));
	for (__u32 at = 8; at < __builtin_offsetof(struct flow_key, vlan); at += 8)
		set_word(bytes + at, 0);
	set_word(&facts->key.vlan, JOIN(JOIN(packet->vlan, 0, 16), 0, 32));
	for (__u32 at = sizeof(facts->key); at < sizeof(*facts); at += 8)
		set_word(bytes + at, 0);
}

/* An address of 4 or 16 bytes, and zeros behind the former. */
static __always_inline void copy_address(__u8 *to, const __u8 *from, __u32 size)
{
	set_word(to, JOIN(load_word(from), size == 16 ? load_word(from + 4) : 0, 32));
	set_word(to + 8, size == 16 ? JOIN(load_word(from + 8), load_word(from + 12), 32) : 0);
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

#endif
