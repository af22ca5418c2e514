/* SPDX-License-Identifier: MIT OR Apache-2.0 OR GPL-2.0-only */
/* Stateful: which flow the later fragments of a packet belong to, as only the first one has a transport header. */
#ifndef FLOWTOP_FRAGMENTS_H
#define FLOWTOP_FRAGMENTS_H

#include "parse.h"

/* Key: what all fragments of a packet share. Written and read by this program. When it is full, the entry used
 * least recently goes, and later fragments of that packet are unmatched: counted in the flow with ports 0.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__type(key, struct fragment_key);
	__type(value, struct fragment_ports);
	__uint(max_entries, 16384);
} fragments SEC(".maps");

/* Gives a first fragment's ports to the later ones, or takes them from it. */
__noinline int resolve_fragment(struct packet_facts *facts)
{
	struct fragment_key key = {};
	struct fragment_ports *known;

	if (!facts)
		return PARSED_OTHER;
	key.ifindex = facts->key.ifindex;
	key.identification = facts->identification;
	key.vlan = facts->key.vlan;
	key.protocol = facts->fragment_protocol;
	key.family = facts->key.family;

	__builtin_memcpy(key.source, facts->key.source, 16);
	__builtin_memcpy(key.destination, facts->key.destination, 16);
	if (facts->fragment == FRAGMENT_FIRST) {
		struct fragment_ports ports = {
			.source_port = facts->key.source_port,
			.destination_port = facts->key.destination_port,
			.protocol = facts->key.protocol,
		};

		bpf_map_update_elem(&fragments, &key, &ports, BPF_ANY);
		return PARSED_FLOW;
	}
	known = bpf_map_lookup_elem(&fragments, &key);
	if (known) {
		facts->key.source_port = known->source_port;
		facts->key.destination_port = known->destination_port;
		facts->key.protocol = known->protocol;
	}
	facts->is_unmatched = !known;
	if (facts->key.protocol == IPPROTO_TCP)
		facts->sequence = SEQUENCE_UNPLACED;
	else if (facts->key.protocol != IPPROTO_UDP &&
		 facts->key.protocol != (facts->key.family == FAMILY_IPV4 ? IPPROTO_ICMP : NEXT_ICMPV6)) {
		/* There is no first one to be known of a protocol that no flow has; behind an extension header may be one. */
		facts->is_unmatched &= is_extension(facts, facts->key.protocol);
		return PARSED_OTHER;
	}
	return PARSED_FLOW;
}

#endif
