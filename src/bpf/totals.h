/* SPDX-License-Identifier: MIT OR Apache-2.0 OR GPL-2.0-only */
/* Stateful: what each interface's hook saw, and what of it is in no flow. */
#ifndef FLOWTOP_TOTALS_H
#define FLOWTOP_TOTALS_H

#include "types.h"

/* The inner map of each outer one below is a template: user space replaces it by one of the size it wants. */
struct interface_totals_of_cpu {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(struct interface_totals));
	__uint(max_entries, INTERFACE_SLOTS);
};

/* Key: CPU, then a slot found by ifindex. Written by this program on its own CPU; `ifindex` and the start from
 * zero by user space. An interface without a slot is counted in slot 0.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
	__uint(max_entries, 1); /* possible CPUs: set before the load */
	__array(values, struct interface_totals_of_cpu);
} interface_totals SEC(".maps");

const struct interface_totals interface_totals_type __attribute__((used)) = {};

static __noinline __u32 probe_interface(void *of_cpu, __u32 ifindex)
{
	for (__u32 i = 1; i < INTERFACE_PROBES; i++) {
		__u32 slot = (ifindex + i) % INTERFACE_SLOTS;
		struct interface_totals *totals = bpf_map_lookup_elem(of_cpu, &slot);

		if (totals && totals->ifindex == ifindex)
			return slot;
	}
	return 0;
}

/* This CPU's totals of the interface; NULL never comes on a possible CPU. */
static __always_inline struct interface_totals *totals_of(__u32 cpu, __u32 ifindex)
{
	void *of_cpu = bpf_map_lookup_elem(&interface_totals, &cpu);
	struct interface_totals *totals;
	__u32 slot = ifindex % INTERFACE_SLOTS;

	if (!of_cpu)
		return NULL;
	totals = bpf_map_lookup_elem(of_cpu, &slot);
	if (totals && totals->ifindex == ifindex)
		return totals;
	slot = probe_interface(of_cpu, ifindex);
	return bpf_map_lookup_elem(of_cpu, &slot);
}

static __always_inline void add_volume(struct volume *volume, __u32 packets, __u64 bytes)
{
	volume->packets += packets;
	volume->bytes += bytes;
}

#endif
