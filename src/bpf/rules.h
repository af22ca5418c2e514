/* SPDX-License-Identifier: MIT OR Apache-2.0 OR GPL-2.0-only */
/* Stateful: which packets are flows, and which rule and sequence profile a flow has.
 *
 * Each field of a five-tuple is looked up by itself and yields the mask of the rules that it satisfies; the rules
 * that match are the intersection, whatever their number. All of it exists twice: user space writes the idle bank,
 * then switches settings.active.
 */
#ifndef FLOWTOP_RULES_H
#define FLOWTOP_RULES_H

#include "table.h"

#define VERDICTS 512 /* a CPU */

/* Key: bank, side, family, prefix. Value: mask of the rules whose lists hold the prefix or a shorter one.
 * Written by user space; holds every prefix of at most 1024 rule terms in both banks.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct rule_address);
	__type(value, __u64);
	__uint(max_entries, 8192);
} rule_addresses SEC(".maps");

/* Key: (bank * 2 + side) * PORTS + port. Value: mask of the rules. Written by user space. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, __u64);
	__uint(max_entries, BANKS * 2 * PORTS);
} rule_ports SEC(".maps");

/* Key: bank. Written by user space. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct rule_bank);
	__uint(max_entries, BANKS);
} rule_banks SEC(".maps");

/* Key: bank * PROFILES + rule. Written by user space. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct sequence_profile);
	__uint(max_entries, (BANKS * PROFILES));
} sequence_profiles SEC(".maps");

/* Key: CPU * VERDICTS + part of the flow's hash. What no rule matched, so that the next packet of it need not ask them all
 * again. A verdict gives way to the next flow that comes to its place. Written and read by this program on its own CPU.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, struct verdict);
	__uint(max_entries, VERDICTS); /* for each possible CPU: set before the load */
} verdicts SEC(".maps");

static __always_inline struct verdict *verdict_of(__u32 cpu, __u64 hash)
{
	__u32 at = cpu * VERDICTS + (hash >> 32) % VERDICTS;

	return bpf_map_lookup_elem(&verdicts, &at);
}

/* Whether the rules in force were asked about this five-tuple, and none matched. */
static __always_inline int was_filtered(const struct flow_key *key, __u32 cpu, __u64 hash, __u32 active)
{
	struct verdict *verdict = verdict_of(cpu, hash);

	return verdict && verdict->active == active && same_flow(&verdict->key, key);
}

static __always_inline struct sequence_profile *profile_of(__u32 bank, __u32 rule)
{
	__u32 at = bank * PROFILES + rule;

	return bpf_map_lookup_elem(&sequence_profiles, &at);
}

static __noinline __u64 rules_of_address(const __u8 *address, __u32 bank, __u32 side, __u32 family)
{
	struct rule_address key = {
		.prefix_length = RULE_ADDRESS_FIXED_BITS + (family == FAMILY_IPV4 ? 32 : 128),
		.bank = bank,
		.side = side,
		.family = family,
	};
	__u64 *mask;

	__builtin_memcpy(key.address, address, sizeof(key.address));
	mask = bpf_map_lookup_elem(&rule_addresses, &key);
	return mask ? *mask : 0;
}

static __always_inline __u64 rules_of_port(__u32 bank, __u32 side, __u16 port)
{
	__u32 at = (bank * 2 + side) * PORTS + port;
	__u64 *mask = bpf_map_lookup_elem(&rule_ports, &at);

	return mask ? *mask : 0;
}

static __always_inline int first_rule(__u64 mask)
{
	int rule = 0;

	for (int width = 32; width; width /= 2) {
		if (!(mask & ((1ULL << width) - 1))) {
			mask >>= width;
			rule += width;
		}
	}
	return rule;
}

/* The first rule that the five-tuple matches; RULE_NONE without rules; negative where it matches none. */
static __noinline int match_rules(const struct flow_key *key, __u32 active)
{
	__u32 bank = ACTIVE_BANK(active);
	struct rule_bank *rules;
	__u64 mask;

	if (!settings.rules[bank])
		return RULE_NONE;
	rules = bpf_map_lookup_elem(&rule_banks, &bank);
	if (!rules)
		return RULE_NONE;
	if (key->protocol == IPPROTO_TCP || key->protocol == IPPROTO_UDP) {
		mask = rules->protocols[key->protocol == IPPROTO_UDP];
		mask &= rules_of_port(bank, 0, key->source_port) & rules_of_port(bank, 1, key->destination_port);
	} else {
		mask = rules->protocols[2 + (key->protocol == NEXT_ICMPV6)];
		mask &= rules->any_source_port & rules->any_destination_port;
	}
	if (mask)
		mask &= rules_of_address(key->source, bank, 0, key->family);
	if (mask)
		mask &= rules_of_address(key->destination, bank, 1, key->family);
	return mask ? first_rule(mask) : -1;
}

#endif
