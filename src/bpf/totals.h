/* SPDX-License-Identifier: MIT OR Apache-2.0 OR GPL-2.0-only */
/* Stateful: what each interface's hook saw, and what of it is in no flow. */
#ifndef FLOWTOP_TOTALS_H
#define FLOWTOP_TOTALS_H

#include "counters.h"

/* Key: a slot found by ifindex. Which interfaces there are is written by user space, counters by this program on all
 * CPUs. An interface without a slot is counted in slot 0.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct interface);
	__uint(max_entries, INTERFACE_SLOTS);
} interfaces SEC(".maps");

/* Key: CPU * INTERFACE_SLOTS + slot of `interfaces`. Written by this program on its own CPU; the start from zero by
 * user space.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct interface_totals);
	__uint(max_entries, INTERFACE_SLOTS); /* for each possible CPU: set before the load */
} interface_totals SEC(".maps");

static __noinline __u32 probe_interface(__u32 ifindex)
{
	for (__u32 i = 1; i < INTERFACE_PROBES; i++) {
		__u32 slot = (ifindex + i) % INTERFACE_SLOTS;
		struct interface *interface = bpf_map_lookup_elem(&interfaces, &slot);

		if (interface && interface->ifindex == ifindex)
			return slot;
	}
	return 0;
}

/* The interface, and its slot. NULL never comes. */
static __always_inline struct interface *interface_of(__u32 ifindex, __u32 *slot)
{
	struct interface *interface;

	*slot = ifindex % INTERFACE_SLOTS;
	interface = bpf_map_lookup_elem(&interfaces, slot);
	if (interface && interface->ifindex == ifindex)
		return interface;
	*slot = probe_interface(ifindex);
	return bpf_map_lookup_elem(&interfaces, slot);
}

/* This CPU's totals of the interface; NULL never comes on a possible CPU. */
static __always_inline struct interface_totals *totals_of(__u32 cpu, __u32 slot)
{
	__u32 at = cpu * INTERFACE_SLOTS + slot;

	return bpf_map_lookup_elem(&interface_totals, &at);
}

static __always_inline void add_volume(struct volume *volume, __u32 packets, __u64 bytes)
{
	volume->packets += packets;
	volume->bytes += bytes;
}

/* The same where other CPUs add, too. */
static __always_inline void add_shared_volume(struct volume *volume, __u32 packets, __u64 bytes)
{
	add_shared(&volume->packets, packets);
	add_shared(&volume->bytes, bytes);
}

#endif
