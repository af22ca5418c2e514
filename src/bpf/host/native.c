// SPDX-License-Identifier: MIT OR Apache-2.0 OR GPL-2.0-only
/* The kernel program for this process: the same source, compiled for the host, and the way to its maps and its packets. The other
 * side is src/probe/native.rs. One thread uses it.
 */
#include "../flowtop.bpf.c"

/* What a packet starts with: `Link` in src/probe/native.rs. */
enum native_link {
	NATIVE_ETHERNET,
	NATIVE_IP,
	NATIVE_UNKNOWN, /* nothing that the program reads */
};

/* `NativePacket` in src/probe/native.rs. */
struct native_packet {
	const __u8 *bytes;
	__u64 arrival; /* ns */
	__u32 kept; /* bytes that are there */
	__u32 length; /* bytes that the packet had: no fewer */
	__u32 ifindex;
	__u32 link; /* enum native_link */
	__u32 gso_segments;
	__u32 gso_size;
};

_Static_assert(sizeof(struct native_packet) == 40, "native_packet");

/* In the order of `Array` in src/probe/native.rs. */
static struct host_array *const arrays[] = {
	&flow_table.host, &flow_counters.host, &flow_shared.host,     &interfaces.host,        &interface_totals.host,
	&verdicts.host,   &rule_ports.host,    &rule_banks.host,      &sequence_profiles.host, &search_rooms.host,
	&ip_metrics.host, &claimed_sets.host,  &untracked_bytes.host,
};

void flowtop_native_place(__u32 array, void *memory, __u32 entries)
{
	if (array >= sizeof(arrays) / sizeof(*arrays))
		return;
	arrays[array]->memory = memory;
	arrays[array]->entries = entries;
}

/* What is set before the load. */
void flowtop_native_begin(const __u32 *keys, __u32 shift, __u32 groups)
{
	for (int i = 0; i < HASH_KEYS; i++)
		hash_keys[i] = keys[i];
	home_shift = shift;
	enabled_groups = groups;
	settings = (struct settings){};
}

struct settings *flowtop_native_settings(void)
{
	return &settings;
}

static __always_inline struct __sk_buff buffer_of(const struct native_packet *packet)
{
	return (struct __sk_buff){
		.data = (unsigned long)packet->bytes,
		.data_end = (unsigned long)packet->bytes + packet->kept,
		.len = packet->length,
		.wire_len = packet->length,
		.ifindex = packet->ifindex,
		.gso_segs = packet->gso_segments,
		.gso_size = packet->gso_size,
	};
}

/* Asks for the memory of a packet that is to be shown: it is on its way while those before it are. */
void flowtop_native_expect(const struct native_packet *packet)
{
	struct __sk_buff skb = buffer_of(packet);
	struct packet parsed = packet_of(&skb);
	struct packet_facts facts;
	const struct flow_slot *slot;
	const struct flow_counters *counters;
	__u32 home;

	begin_facts(&facts, &parsed);
	if (packet->link == NATIVE_UNKNOWN ||
	    parse_packet(&parsed, FAST, &facts, packet->link == NATIVE_IP) != PARSED_FLOW)
		return;
	home = home_of(hash_flow(&facts.key));
	slot = bpf_map_lookup_elem(&flow_table, &home);
	counters = bpf_map_lookup_elem(&flow_counters, &home);
	__builtin_prefetch(&slot->control, 1);
	__builtin_prefetch(&slot->first_arrival, 1);
	__builtin_prefetch(counters, 1);
}

void flowtop_native_show(const struct native_packet *packet)
{
	struct __sk_buff skb = buffer_of(packet);
	__u32 slot;
	struct interface_totals *totals = totals_of(0, packet->ifindex, &slot);

	host_now = packet->arrival;
	if (packet->link == NATIVE_UNKNOWN) {
		add_volume(&totals->seen, 1, packet->length);
		add_volume(&totals->other, 1, packet->length);
		return;
	}
	totals->is_bare = packet->link == NATIVE_IP;
	flowtop_ingress(&skb);
}
