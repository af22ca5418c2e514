/* SPDX-License-Identifier: MIT OR Apache-2.0 OR GPL-2.0-only */
/* Stateful: what each interface's hook saw, and what of it is in no flow. */
#ifndef FLOWTOP_TOTALS_H
#define FLOWTOP_TOTALS_H

#include "counters.h"

/* Key: slot of an interface. Written by this program on all CPUs; the start from zero by user space. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct interface);
	__uint(max_entries, INTERFACE_SLOTS);
} interfaces SEC(".maps");

/* Key: CPU * INTERFACE_SLOTS + slot, which is found by ifindex. Which interfaces there are, and the start from zero, is written by
 * user space, for all CPUs; what is counted by this program on its own CPU. An interface without a slot is counted in slot 0.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct interface_totals);
	__uint(max_entries, INTERFACE_SLOTS); /* for each possible CPU: set before the load */
} interface_totals SEC(".maps");

/* Key: as above. Bytes of what found no room in the flow table, for which the line above has none. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, __u64);
	__uint(max_entries, INTERFACE_SLOTS); /* for each possible CPU: set before the load */
} untracked_bytes SEC(".maps");

/* What is rare on an interface; NULL never comes. */
static __always_inline struct interface *interface_in(__u32 slot)
{
	return bpf_map_lookup_elem(&interfaces, &slot);
}

static __always_inline __u32 place_in_totals(__u32 cpu, __u32 slot)
{
	return cpu * INTERFACE_SLOTS + slot;
}

/* This CPU's totals in a slot; NULL never comes on a possible CPU. */
static __always_inline struct interface_totals *totals_in(__u32 cpu, __u32 slot)
{
	__u32 at = place_in_totals(cpu, slot);

	return bpf_map_lookup_elem(&interface_totals, &at);
}

static __noinline __u32 probe_interface(__u32 cpu, __u32 ifindex)
{
	for (__u32 i = 1; i < INTERFACE_PROBES; i++) {
		__u32 slot = (ifindex + i) % INTERFACE_SLOTS;
		struct interface_totals *totals = totals_in(cpu, slot);

		if (totals && totals->ifindex == ifindex)
			return slot;
	}
	return 0;
}

/* This CPU's totals of the interface, and its slot. */
static __always_inline struct interface_totals *totals_of(__u32 cpu, __u32 ifindex, __u32 *slot)
{
	struct interface_totals *totals;

	*slot = ifindex % INTERFACE_SLOTS;
	totals = totals_in(cpu, *slot);
	if (totals && totals->ifindex == ifindex)
		return totals;
	*slot = probe_interface(cpu, ifindex);
	return totals_in(cpu, *slot);
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

/* What found no room in the flow table, on this CPU and the interface in this slot. */
static __always_inline void add_untracked(__u32 cpu, __u32 slot, __u32 packets, __u64 bytes)
{
	__u32 at = place_in_totals(cpu, slot);
	struct interface_totals *totals = bpf_map_lookup_elem(&interface_totals, &at);
	__u64 *sum = bpf_map_lookup_elem(&untracked_bytes, &at);

	if (!totals || !sum)
		return;
	totals->untracked += packets;
	*sum += bytes;
}

#endif
