/* SPDX-License-Identifier: MIT OR Apache-2.0 OR GPL-2.0-only */
/* Pure: the packets on the wire that a buffer stands for, and their bytes. No map, no helper, no state.
 *
 * An aggregate is cut where its innermost payload is: each packet has all headers up to there, a tunnel's and those
 * inside included. For plain TCP and UDP that is known from the flow; for everything else the headers are walked.
 */
#ifndef FLOWTOP_SEGMENTS_H
#define FLOWTOP_SEGMENTS_H

#include "parse.h"

#define MAX_HEADERS 16 /* that are walked */

/* What comes next in a walk: an ethertype, or below that an IP protocol. ETH_P_TEB: an Ethernet header. */
#define WALK_LOST -1
#define WALK_GOES_ON 0
#define WALK_ENDED 1 /* at the innermost payload */

#define GRE_CHECKSUM 0x8000
#define GRE_KEY 0x2000
#define GRE_NUMBER 0x1000
#define GRE_UNREADABLE 0x4fff /* routing, reserved bits, another version */

/* Whether the buffer is one packet, as nearly all are. */
static __always_inline int is_single(const struct packet *packet)
{
	return !packet->gso_size && packet->gso_segments <= 1;
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

/* Bytes on the wire of `packets` packets, whose payload begins at `headers` in the buffer. */
static __always_inline __u64 wire_bytes(const struct packet *packet, __u32 packets, __u32 headers, __u32 unsent)
{
	__u32 tag = packet->vlan == VLAN_NONE ? 0 : 4;

	return packet->length - unsent + tag + (__u64)(packets - 1) * (headers - unsent + tag);
}

/* Whether an IP packet at `offset`, by its header's length field, ends where the buffer does, as an aggregate has to: what
 * looks like a tunnel and is none does not. 0: longer than the field can say.
 */
static __always_inline int fills_buffer(const struct packet *packet, __u32 offset, __u32 length_field, __u32 rest)
{
	return !length_field || offset + length_field + rest == packet->length;
}

/* How far a header reaches, and what comes next. */
static __always_inline int step_to(struct packet_facts *facts, __u32 length, __u16 next)
{
	facts->walk_offset += length;
	facts->walk_next = next;
	return WALK_GOES_ON;
}

static __always_inline int step_ipv4(const struct packet *packet, struct packet_facts *facts)
{
	__u8 ROOM(20);
	const __u8 *header = packet_header(packet, COMPLETE, facts->walk_offset, 20, room);

	if (!header || header[0] >> 4 != 4 || (header[0] & 0xf) < 5 ||
	    read_u16(header + 6) & (IPV4_MORE_FRAGMENTS | IPV4_FRAGMENT_OFFSET) ||
	    !fills_buffer(packet, facts->walk_offset, read_u16(header + 2), 0))
		return WALK_LOST;
	return step_to(facts, (header[0] & 0xf) * 4, header[9]);
}

static __always_inline int step_ipv6(const struct packet *packet, struct packet_facts *facts)
{
	__u8 ROOM(8);
	const __u8 *header = packet_header(packet, COMPLETE, facts->walk_offset, 8, room);

	if (!header || header[0] >> 4 != 6 || !fills_buffer(packet, facts->walk_offset, read_u16(header + 4), 40))
		return WALK_LOST;
	return step_to(facts, 40, header[6]);
}

/* An Ethernet header, or the rest of a VLAN tag. */
static __always_inline int step_link(const struct packet *packet, struct packet_facts *facts, __u32 length)
{
	__u8 ROOM(2);
	const __u8 *type = packet_header(packet, COMPLETE, facts->walk_offset + length - 2, 2, room);

	return type ? step_to(facts, length, read_u16(type)) : WALK_LOST;
}

/* RFC 2784 and RFC 2890. */
static __always_inline int step_gre(const struct packet *packet, struct packet_facts *facts)
{
	__u8 ROOM(4);
	const __u8 *header = packet_header(packet, COMPLETE, facts->walk_offset, 4, room);
	__u32 length = 4;
	__u16 flags;

	if (!header)
		return WALK_LOST;
	flags = read_u16(header);
	if (flags & GRE_UNREADABLE)
		return WALK_LOST;
	length += flags & GRE_CHECKSUM ? 4 : 0;
	length += flags & GRE_KEY ? 4 : 0;
	length += flags & GRE_NUMBER ? 4 : 0;
	return step_to(facts, length, read_u16(header + 2));
}

/* RFC 8926; `header` has the 8 bytes behind the UDP header. */
static __always_inline int is_geneve(const __u8 *header)
{
	__u16 inside = read_u16(header + 2);

	return !(header[0] & 0xc0) && !(header[1] & 0x3f) && !header[7] &&
	       (inside == ETH_P_TEB || inside == ETH_P_IP || inside == ETH_P_IPV6);
}

/* What a VXLAN header (RFC 7348, and its generic extension, which names what is inside) has behind it; 0: it is none. */
static __always_inline __u16 inside_vxlan(const __u8 *header)
{
	if (!(header[0] & 0x08) || header[7])
		return 0;
	if (!(header[0] & 0x04))
		return ETH_P_TEB;
	return header[3] == 1 ? ETH_P_IP : header[3] == 2 ? ETH_P_IPV6 : header[3] == 3 ? ETH_P_TEB : 0;
}

/* A UDP header: whether a tunnel begins behind it tells what stands there, as ports are anybody's choice. */
static __always_inline int step_udp(const struct packet *packet, struct packet_facts *facts)
{
	__u8 ROOM(8);
	const __u8 *header;
	__u16 inside;

	facts->walk_offset += 8;
	if (facts->walk_offset > packet->length)
		return WALK_LOST;
	header = packet_header(packet, COMPLETE, facts->walk_offset, 8, room);
	if (!header)
		return WALK_ENDED;
	facts->walk_udp = facts->walk_offset;
	if (header[0] >> 4 == 4 && read_u16(header + 2) + facts->walk_offset == packet->length)
		return step_to(facts, 0, ETH_P_IP);
	if (header[0] >> 4 == 6 && read_u16(header + 4) + 40 + facts->walk_offset == packet->length)
		return step_to(facts, 0, ETH_P_IPV6);
	if (is_geneve(header))
		return step_to(facts, 8 + (header[0] & 0x3f) * 4, read_u16(header + 2));
	inside = inside_vxlan(header);
	return inside ? step_to(facts, 8, inside) : WALK_ENDED;
}

static __always_inline int end_at_tcp(const struct packet *packet, struct packet_facts *facts)
{
	__u8 ROOM(14);
	const __u8 *header = packet_header(packet, COMPLETE, facts->walk_offset, 14, room);

	if (!header || header[12] >> 4 < 5)
		return WALK_LOST;
	facts->walk_offset += (header[12] >> 4) * 4;
	return WALK_ENDED;
}

static __always_inline int end_or_step_extension(const struct packet *packet, struct packet_facts *facts)
{
	__u8 ROOM(2);
	const __u8 *header = packet_header(packet, COMPLETE, facts->walk_offset, 2, room);

	if (!header)
		return WALK_LOST;
	return step_to(facts, facts->walk_next == NEXT_AH ? (header[1] + 2) * 4 : (header[1] + 1) * 8, header[0]);
}

/* A function of its own, so that the loop around it is one that older verifiers (6.1) follow. */
static __attribute__((noinline)) int step_header(const struct packet *packet, struct packet_facts *facts)
{
	__u16 next = facts->walk_next;

	if (next == IPPROTO_TCP)
		return end_at_tcp(packet, facts);
	if (next == IPPROTO_UDP)
		return step_udp(packet, facts);
	if (next == ETH_P_IP || next == IPPROTO_IPIP)
		return step_ipv4(packet, facts);
	if (next == ETH_P_IPV6 || next == IPPROTO_IPV6)
		return step_ipv6(packet, facts);
	if (next == ETH_P_TEB)
		return step_link(packet, facts, ETH_HLEN);
	if (next == ETH_P_8021Q || next == ETH_P_8021AD)
		return step_link(packet, facts, 4);
	if (next == IPPROTO_GRE)
		return step_gre(packet, facts);
	if (next == NEXT_AH || next == NEXT_HOP_BY_HOP || next == NEXT_ROUTING || next == NEXT_DESTINATION)
		return end_or_step_extension(packet, facts);
	return WALK_LOST;
}

/* Whether the payload that begins there is what the kernel says of the aggregate's packets. */
static __always_inline int is_cut_at(const struct packet *packet, __u32 offset)
{
	__u32 payload = packet->length - offset;

	if (offset >= packet->length || !packet->gso_size)
		return 0;
	return !packet->gso_segments || (payload + packet->gso_size - 1) / packet->gso_size == packet->gso_segments;
}

/* Where the payload of an aggregate begins, from whose packets all before that is repeated; 0: not known. `facts` says
 * how far its pushed bytes reach.
 */
static __always_inline __u32 find_cut(const struct packet *packet, struct packet_facts *facts, int is_bare)
{
	int walked = WALK_GOES_ON;

	facts->walk_offset = packet->pushed;
	facts->walk_udp = 0;
	facts->walk_next = !is_bare ? ETH_P_TEB : facts->key.family == FAMILY_IPV4 ? ETH_P_IP : ETH_P_IPV6;
	for (int i = 0; i < MAX_HEADERS && walked == WALK_GOES_ON; i++)
		walked = step_header(packet, facts);
	if (walked == WALK_ENDED && is_cut_at(packet, facts->walk_offset))
		return facts->walk_offset;
	return is_cut_at(packet, facts->walk_udp) ? facts->walk_udp : 0;
}

/* The least that the headers of an aggregate's packets can be: none of them has more payload than the kernel says. */
static __always_inline __u32 estimate_cut(const struct packet *packet, __u32 known)
{
	__u64 payload = (__u64)packet->gso_segments * packet->gso_size;
	__u32 headers = payload && payload < packet->length ? packet->length - (__u32)payload : 0;

	return headers > known ? headers : known;
}

/* Whether its flow tells where the payload begins: a plain packet's, or a TCP aggregate's. */
static __always_inline int is_plain(const struct packet *packet, const struct packet_facts *facts, int parsed)
{
	return !packet->gso_size || (parsed == PARSED_FLOW && facts->sequence == SEQUENCE_TCP);
}

/* An aggregate of anything else: returns the packets that it stands for, and where in the buffer their payload begins. Of
 * the flow of a tunnel, all behind the flow's own header is payload, also that of the headers inside, and no number.
 */
static __always_inline __u32 measure_aggregate(const struct packet *packet, struct packet_facts *facts, int is_bare,
					       __u32 *cut)
{
	__u32 packets;

	*cut = find_cut(packet, facts, is_bare);
	packets = wire_packets(packet, *cut ? packet->length - *cut : 0);
	facts->is_estimated = !*cut;
	if (!*cut)
		*cut = estimate_cut(packet, facts->payload_offset);
	if (!facts->is_estimated && *cut == facts->payload_offset)
		return packets;
	facts->payload_bytes += (packets - 1) * (*cut - facts->payload_offset);
	if (facts->sequence == SEQUENCE_PAYLOAD)
		facts->sequence = SEQUENCE_UNPLACED;
	return packets;
}

#endif
