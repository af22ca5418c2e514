/* SPDX-License-Identifier: MIT OR Apache-2.0 OR GPL-2.0-only */
/* Stateful: what the IP headers of a flow said (GROUP_IP). */
#ifndef FLOWTOP_IP_METRICS_H
#define FLOWTOP_IP_METRICS_H

#include "groups.h"
#include "sequence_dispatch.h"

/* Of IPv4's type of service and IPv6's traffic class: RFC 3168 section 5, RFC 2474 section 3. */
#define ECN_MASK 3
#define ECN_CE 3
#define DSCP_SHIFT 2

/* Key: slot of flow_table. Written by this program; user space only reads. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct ip_metrics);
	__uint(max_entries, 1); /* as flow_table, set before the load, where the group is on */
} ip_metrics SEC(".maps");

/* Of a packet whose buffer has this length. Global: what it needs room for is not on the stack of the way to a number. */
__noinline int count_ip(const struct packet_facts *facts, const struct observation *seen, __u32 generation,
			__u32 length)
{
	struct ip_metrics *of_flow;
	__u32 slot, packets;

	if (!facts || !seen)
		return 0;
	slot = seen->slot;
	packets = seen->packets;
	of_flow = bpf_map_lookup_elem(&ip_metrics, &slot);
	if (!of_flow)
		return 0;
	if ((facts->traffic_class & ECN_MASK) == ECN_CE)
		change_word(&of_flow->ce, generation, ADD, packets);
	if (change_word(&of_flow->ttl, generation, KEEP_LATEST, facts->hop_limit))
		change_word(&of_flow->ttl_changes, generation, ADD, 1);
	change_word(&of_flow->dscp, generation, KEEP_LATEST, facts->traffic_class >> DSCP_SHIFT);
	add_long(&of_flow->ip_bytes, &of_flow->ip_bytes_high, generation,
		 bytes_of_ip(facts, length, packets, seen->bytes));
	return 0;
}

#endif
