/* SPDX-License-Identifier: MIT OR Apache-2.0 OR GPL-2.0-only */
/* Stateful: how a new flow gets its slot, a free one or that of a flow which gives way. */
#ifndef FLOWTOP_CLAIM_H
#define FLOWTOP_CLAIM_H

#include "table.h"

#define FOUND PLACES
#define CROWDED 6 /* slots of its first set that are taken before a new flow looks at its second one */

/* What a new flow starts with. */
struct newcomer {
	struct flow_key key;
	__u64 hash;
	__u64 now;
	__u64 bytes; /* of its first packet, or aggregate, with the next two */
	__u32 packets;
	__u32 payload_bytes;
	__u64 oldest; /* last arrival of the flow at `idle`; without one: what a last arrival has to be before */
	__u32 cpu;
	__u8 version; /* of the rules that admit it */
	__u8 rule;
	__u8 profile; /* id */
	__u8 flags; /* of control */
	__u8 evicted; /* out: whether it replaced a flow */
	__u8 published; /* out: whether this CPU brought it in, not another one at the same time */
	__s8 free, room; /* of the set looked through last: its first free place, and how many there are */
	__s8 idle; /* the place idle longest that may be taken */
};

/* The first packet is counted before anybody can find the flow. */
static __always_inline void begin_counters(struct flow_counters *counters, const struct newcomer *newcomer)
{
	*counters = (struct flow_counters){
		.owner = newcomer->cpu,
		.packets = newcomer->packets,
		.bytes = newcomer->bytes,
		.payload_bytes = newcomer->payload_bytes,
	};
}

static __always_inline void publish(struct flow_slot *slot, const struct newcomer *newcomer, __u64 generation)
{
	slot->key = newcomer->key;
	slot->last_arrival = newcomer->now;
	slot->first_arrival = newcomer->now;
	slot->expected = 0;
	slot->other_seen = 0;
	slot->flags = 0;
	slot->run = 0;
	slot->seen = 0;
	slot->lost = 0;
	slot->absent = 0;
	slot->reverse_errors = 0;
	slot->small_errors = 0;
	slot->big_errors = 0;
	slot->duplicates = 0;
	slot->restarts = 0;
	slot->other = 0;
	slot->epochs_high = 0;
	slot->rule = newcomer->rule;
	slot->base_age = 0;
	slot->profile = newcomer->profile;
	__sync_lock_test_and_set(&slot->control, generation | newcomer->flags | FLOW_LIVE |
							 (__u64)newcomer->version << FLOW_VERSION_SHIFT);
}

/* Looks once through the set that begins with the place `first`: for the flow itself, should another CPU have brought it in
 * (then FOUND + its place), for free places, and for a flow idle for longer than all before. What is found is kept in the
 * newcomer, where the verifier does not follow it: it would tell apart every way through the set.
 */
__noinline int look_through(struct newcomer *newcomer, __u32 first)
{
	if (!newcomer)
		return NO_SLOT;
	newcomer->free = NO_SLOT;
	newcomer->room = 0;
	for (__u32 i = 0; i < FLOWS_PER_SET; i++) {
		__u32 at = place_of(newcomer->hash, first + i);
		struct flow_slot *slot = bpf_map_lookup_elem(&flow_table, &at);
		__u64 control;

		if (!slot)
			continue;
		control = READ_ONCE(slot->control);
		if ((control & FLOW_STATE) == FLOW_CLAIMED)
			control = await_slot(slot, FLOW_STATE, FLOW_CLAIMED);
		if ((control & FLOW_STATE) == FLOW_FREE) {
			if (!newcomer->room++)
				newcomer->free = first + i;
			continue;
		}
		if ((control & FLOW_STATE) != FLOW_LIVE)
			continue;
		if (same_flow(key_behind(slot, control), &newcomer->key))
			return FOUND + first + i;
		if (!(control & FLOW_LOCKED) && slot->last_arrival < newcomer->oldest) {
			newcomer->oldest = slot->last_arrival;
			newcomer->idle = first + i;
		}
	}
	return NO_SLOT;
}

/* The place for a new flow, or FOUND + its own. In its first set as long as there is plenty of room; then in the one of its two
 * sets that has more, so that no set fills up before nearly all do; then that of the flow idle longest, if it may be replaced:
 * idle beyond the limit, and read since its last packet. NO_SLOT where there is none.
 */
__noinline int choose_slot(struct newcomer *newcomer)
{
	int found, free, room;

	if (!newcomer)
		return NO_SLOT;
	newcomer->idle = NO_SLOT;
	newcomer->oldest = newcomer->now - settings.evict_idle_ns;
	if (newcomer->oldest > settings.scanned_at)
		newcomer->oldest = settings.scanned_at;
	found = look_through(newcomer, 0);
	if (found != NO_SLOT || newcomer->room > FLOWS_PER_SET - CROWDED)
		return found != NO_SLOT ? found : newcomer->free;
	free = newcomer->free;
	room = newcomer->room;
	found = look_through(newcomer, FLOWS_PER_SET);
	if (found != NO_SLOT)
		return found;
	if (newcomer->room > room)
		return newcomer->free;
	return room ? free : newcomer->idle;
}

/* Takes the slot of an idle flow, in two steps: the flow is marked, with all else that `control` says left as it is; and only if
 * no packet came meanwhile and nothing was changed, its life is over. Returns whether it is.
 */
static __always_inline int replace_flow(struct flow_slot *slot, __u64 control, __u64 claimed)
{
	__u64 marked = control ^ FLOW_LIVE ^ FLOW_CLAIMED, arrival = READ_ONCE(slot->last_arrival);

	if ((control & (FLOW_STATE | FLOW_LOCKED)) != FLOW_LIVE || arrival >= READ_ONCE(settings.scanned_at) ||
	    __sync_val_compare_and_swap(&slot->control, control, marked) != control)
		return 0;
	if (READ_ONCE(slot->last_arrival) == arrival &&
	    __sync_val_compare_and_swap(&slot->control, marked, claimed) == marked)
		return 1;
	keep_flow(slot, control);
	return 0;
}

/* A bit for each set of flow_table, 64 a word: a flow was brought in there. Set by this program, taken back by user space, which
 * visits no slot that was free before and has no such bit.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, __u64);
	__uint(max_entries, 1); /* set before the load */
} claimed_sets SEC(".maps");

/* Tells user space of a slot that has been claimed, behind the barrier of the claim: who sees the bit sees that, too. Where the bit
 * is there already, whoever takes it back later looks at the slot behind that.
 */
static __always_inline void tell_claim(__u32 slot)
{
	__u32 set = slot / FLOWS_PER_SET, word = set / 64;
	__u64 bit = 1ULL << (set % 64), *sets = bpf_map_lookup_elem(&claimed_sets, &word);

	if (sets && !(READ_ONCE(*sets) & bit))
		__sync_fetch_and_or(sets, bit);
}

/* Brings a new flow in. Returns its slot, or NO_SLOT where its sets are full of flows that may not go. */
static __noinline int claim_slot(struct newcomer *newcomer)
{
	for (int attempt = 0; attempt < FLOWS_PER_SET; attempt++) {
		int chosen = choose_slot(newcomer);
		__u32 at = place_of(newcomer->hash, chosen & (PLACES - 1));
		struct flow_slot *slot = bpf_map_lookup_elem(&flow_table, &at);
		struct flow_counters *counters = bpf_map_lookup_elem(&flow_counters, &at);
		struct flow_shared *shared = bpf_map_lookup_elem(&flow_shared, &at);
		__u64 control, claimed;

		if (!slot || !counters || !shared || chosen == NO_SLOT)
			return NO_SLOT;
		if (chosen >= FOUND)
			return at;
		control = READ_ONCE(slot->control);
		claimed = (__u64)(generation_of(control) + 1) << FLOW_GENERATION_SHIFT | FLOW_CLAIMED;
		if ((control & FLOW_STATE) == FLOW_FREE) {
			if (__sync_val_compare_and_swap(&slot->control, control, claimed) != control)
				continue;
		} else {
			if (!replace_flow(slot, control, claimed))
				continue;
			newcomer->evicted = 1;
		}
		tell_claim(at);
		newcomer->published = 1;
		begin_counters(counters, newcomer);
		if (control & FLOW_SHARED)
			*shared = (struct flow_shared){};
		publish(slot, newcomer, claimed ^ FLOW_CLAIMED);
		return at;
	}
	return NO_SLOT;
}

#endif
