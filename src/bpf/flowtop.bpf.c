// SPDX-License-Identifier: MIT OR Apache-2.0 OR GPL-2.0-only
/* flowtop's kernel side: one program, on the ingress hook of each device. It never decides about a packet. Beside it the
 * kernel's clock, for user space.
 */
#include <stddef.h>

#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>

#include "types.h"
#include "segments.h"
#include "account.h"
#include "fragments.h"

/* In the kernel a packet is all there. */
#ifndef is_cut_off
#define is_cut_off(skb) 0
#endif

static __always_inline const __u8 *packet_header(const struct packet *packet, enum mode mode, __u32 offset, __u32 size,
						 void *room)
{
	const __u8 *header = packet->data + offset;

	if (mode == FAST) {
		if ((const void *)(header + size) > packet->data_end)
			return NULL;
		if (!header)
			__builtin_unreachable(); /* so that callers ask once */
		return header;
	}
	header = bpf_skb_load_bytes(packet->context, offset, room, size) ? NULL : room;
	KEEP(header);
	return header;
}

static __always_inline struct packet packet_of(struct __sk_buff *skb)
{
	return (struct packet){
		.context = skb,
		.data = (void *)(long)skb->data,
		.data_end = (void *)(long)skb->data_end,
		.length = skb->len,
		.ifindex = skb->ifindex,
		.vlan = skb->vlan_present ? skb->vlan_tci & 0xfff : VLAN_NONE,
	};
}

/* The length that an IP packet says of itself; 0 where its field cannot. Global, so that the verifier looks at it once. */
__noinline int length_by_header(struct __sk_buff *skb)
{
	__u8 ROOM(8);

	if (bpf_skb_load_bytes_relative(skb, 0, room, 8, BPF_HDR_START_NET))
		return 0;
	if (room[0] >> 4 == 6)
		return read_u16(room + 4) ? read_u16(room + 4) + 40 : 0;
	return read_u16(room + 2);
}

/* Of a device without Ethernet header: xfrm, vti and gre leave the link's or the outer headers in front of the packet, and
 * the hook pushes them. `wire_len` is the length without them; newer kernels (6.19) add headers to an aggregate's.
 */
static __always_inline __u32 pushed_bytes(struct __sk_buff *skb)
{
	__u32 length = skb->wire_len;

	if (length != skb->len && skb->gso_size) {
		__u32 said = length_by_header(skb);

		if (said)
			length = said;
	}
	return length < skb->len ? skb->len - length : 0;
}

/* What FAST mode could not read. Global, so that the verifier looks at it once. */
__noinline int parse_completely(struct __sk_buff *skb, struct packet_facts *facts, int is_bare, __u32 pushed)
{
	struct packet packet = packet_of(skb);
	int parsed;

	if (!facts)
		return PARSED_OTHER;
	packet.pushed = pushed;
	begin_facts(facts, &packet);
	facts->unsent = pushed;
	parsed = parse_packet(&packet, COMPLETE, facts, is_bare);
	if (parsed == PARSED_FLOW && facts->fragment != FRAGMENT_NONE)
		parsed = resolve_fragment(facts);
	if (parsed != PARSED_FLOW) {
		facts->payload_offset = pushed;
		facts->payload_bytes = 0;
		facts->unsent = pushed;
	}
	return parsed;
}

/* See measure_aggregate(). Global, so that the verifier looks at it once. */
__noinline int count_aggregate(struct __sk_buff *skb, struct packet_facts *facts, int is_bare, struct observation *seen)
{
	struct packet packet = packet_of(skb);
	struct interface *interface;
	__u32 cut;

	if (!facts || !seen)
		return 0;
	packet.pushed = facts->unsent;
	packet.gso_segments = skb->gso_segs;
	packet.gso_size = skb->gso_size;
	seen->packets = measure_aggregate(&packet, facts, is_bare, &cut);
	seen->bytes = wire_bytes(&packet, seen->packets, cut, facts->unsent);
	interface = facts->is_estimated ? interface_in(seen->interface) : NULL;
	if (interface)
		add_shared(&interface->estimated, seen->packets);
	return 0;
}

/* Everything that the hook sees comes through here, and is counted in exactly one place. */
SEC("tc")
int flowtop_ingress(struct __sk_buff *skb)
{
	struct packet packet = packet_of(skb);
	struct observation seen = { .cpu = bpf_get_smp_processor_id() };
	__u32 slot;
	struct interface_totals *totals = totals_of(seen.cpu, packet.ifindex, &slot);
	struct interface *interface;
	struct packet_facts facts;
	int parsed;

	if (!totals)
		return TC_ACT_UNSPEC;
	seen.interface = slot;
	begin_facts(&facts, &packet);
	if (totals->is_bare)
		packet.pushed = pushed_bytes(skb);
	parsed = packet.pushed ? PARSED_UNREADABLE : parse_packet(&packet, FAST, &facts, totals->is_bare);
	if (parsed == PARSED_UNREADABLE) {
		parsed = parse_completely(skb, &facts, totals->is_bare, packet.pushed);
		interface = facts.is_unmatched ? interface_in(slot) : NULL;
		if (interface)
			add_shared(&interface->fragments_unmatched, 1);
	}
	packet.gso_segments = skb->gso_segs;
	packet.gso_size = skb->gso_size;
	if (is_single(&packet)) {
		seen.packets = 1;
		seen.bytes = wire_bytes(&packet, 1, 0, facts.unsent);
	} else if (is_plain(&packet, &facts, parsed)) {
		seen.packets = wire_packets(&packet, facts.payload_bytes);
		seen.bytes = wire_bytes(&packet, seen.packets, facts.payload_offset, facts.unsent);
	} else {
		count_aggregate(skb, &facts, totals->is_bare, &seen);
	}
	add_volume(&totals->seen, seen.packets, seen.bytes);
	if (parsed == PARSED_FLOW) {
		seen.active = READ_ONCE(settings.active);
		account_flow(skb, &facts, totals, &seen);
		return TC_ACT_UNSPEC;
	}
	interface = parsed == PARSED_MALFORMED ? interface_in(slot) : NULL;
	if (interface && is_cut_off(skb))
		add_shared_volume(&interface->cut_off, seen.packets, seen.bytes);
	else if (interface && facts.malformed < MALFORMED_REASONS)
		add_shared_volume(&interface->malformed[facts.malformed], seen.packets, seen.bytes);
	else
		add_volume(&totals->other, seen.packets, seen.bytes);
	return TC_ACT_UNSPEC;
}

/* The clock that arrivals are stamped with, into the frame of a test run: in a time namespace user space has another. */
SEC("tc")
int flowtop_clock(struct __sk_buff *skb)
{
	__u64 now = bpf_ktime_get_ns();

	bpf_skb_store_bytes(skb, 0, &now, sizeof(now), 0);
	return TC_ACT_UNSPEC;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
