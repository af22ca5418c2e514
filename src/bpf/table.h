/* SPDX-License-Identifier: MIT OR Apache-2.0 OR GPL-2.0-only */
/* Stateful: the flow table. Finding, claiming, locking and giving up slots. */
#ifndef FLOWTOP_TABLE_H
#define FLOWTOP_TABLE_H

#include "packet.h"

#define HASH_KEYS 12
#define PATIENCE 32 /* times 32 looks at a slot that another CPU is filling or judging */
#define LOCK_TRIES 64 /* times that others may come first */
#define NO_SLOT -1
#define FOUND FLOWS_PER_SET

#define READ_ONCE(x) (*(volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, value) (*(volatile __typeof__(x) *)&(x) = (value))

/* Set before the load: fresh random numbers, so that nobody can choose collisions, and 64 less the bits of a slot's index. */
const volatile __u32 hash_keys[HASH_KEYS] = {};
const volatile __u64 hash_multiplier = 0x9e3779b97f4a7c15ULL;
const volatile __u32 home_shift = 0;

/* Key: slot. Written by this program, under the rules of flow_slot.control; user space reads all of it, retires
 * idle flows and frees retired ones. When a set is full, see claim_slot().
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct flow_slot);
	__uint(max_entries, FLOWS_PER_SET); /* set before the load */
} flow_table SEC(".maps");

struct flow_counters_of_cpu {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(struct flow_counters));
	__uint(max_entries, FLOWS_PER_SET);
};

/* Key: CPU, then the slot of flow_table. Written by this program on its own CPU; user space only reads. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
	__uint(max_entries, 1); /* possible CPUs: set before the load */
	__array(values, struct flow_counters_of_cpu);
} flow_counters SEC(".maps");

const struct flow_counters flow_counters_type __attribute__((used)) = {};

/* Written by user space. A variable, as that needs no look-up. */
struct settings settings SEC(".data.settings") = {};

static __always_inline __u32 generation_of(__u64 control)
{
	return control >> FLOW_GENERATION_SHIFT;
}

static __always_inline __u16 epoch_of(__u64 control)
{
	return control >> FLOW_EPOCH_SHIFT;
}

static __always_inline __u8 version_of(__u64 control)
{
	return control >> FLOW_VERSION_SHIFT;
}

static __always_inline __u64 product(int at, __u32 first, __u32 second)
{
	return (__u64)(first + hash_keys[at]) * (__u64)(second + hash_keys[at + 1]);
}

/* NH, the universal hash of UMAC (RFC 4418 section 5.2.2), made into a number whose upper bits depend on all of it. What is
 * zero in each key of a family is left out, and sums are taken in pairs: what follows waits for them.
 */
static __always_inline __u64 hash_flow(const struct flow_key *key)
{
	const __u32 *words = (const __u32 *)key;
	__u64 hash = product(0, words[0], words[1]) + (product(2, words[2], words[6]) + product(4, words[10], 0));

	if (key->family != FAMILY_IPV4)
		hash += product(6, words[3], words[7]) +
			(product(8, words[4], words[8]) + product(10, words[5], words[9]));
	hash ^= hash >> 32;
	return hash * hash_multiplier;
}

/* Where the flow is looked for first. The other places of its set are home ^ 1 to home ^ 7: flows of one set have
 * different homes, so that most are found at the first look.
 */
static __always_inline __u32 home_of(__u64 hash)
{
	return hash >> home_shift;
}

static __always_inline int same_flow(const struct flow_key *a, const struct flow_key *b)
{
	const __u64 *x = (const __u64 *)a, *y = (const __u64 *)b;

	/* The slot's key is at a multiple of 8, and so is the packet's. */
	return x[0] == y[0] && x[1] == y[1] && x[3] == y[3] && x[2] == y[2] && x[4] == y[4] &&
	       *(const __u32 *)(x + 5) == *(const __u32 *)(y + 5);
}

/* Whether the slot is this flow's; `control` is what it says now. */
static __always_inline int is_slot_of(struct flow_slot *slot, const struct flow_key *key, __u64 *control)
{
	*control = READ_ONCE(slot->control);
	return (*control & FLOW_STATE) == FLOW_LIVE && same_flow(&slot->key, key);
}

/* The index of a known flow that is not at home; NO_SLOT for an unknown one. Global, so that the verifier looks at it
 * once, and out of the way of the flows that are.
 */
__noinline int find_displaced(const struct flow_key *key, __u32 home)
{
	if (!key)
		return NO_SLOT;
#pragma unroll
	for (__u32 i = 1; i < FLOWS_PER_SET; i++) {
		__u32 at = home ^ i;
		struct flow_slot *slot = bpf_map_lookup_elem(&flow_table, &at);
		__u64 control;

		if (slot && is_slot_of(slot, key, &control))
			return at;
	}
	return NO_SLOT;
}

/* The slot of a known flow; NULL for an unknown one. `control` is what it said then. */
static __always_inline struct flow_slot *find_slot(const struct flow_key *key, __u32 home, __u32 *index, __u64 *control)
{
	struct flow_slot *slot;
	int displaced;

	*index = home;
	slot = bpf_map_lookup_elem(&flow_table, index);
	if (slot && is_slot_of(slot, key, control))
		return slot;
	displaced = find_displaced(key, home);
	if (displaced == NO_SLOT)
		return NULL;
	*index = displaced;
	slot = bpf_map_lookup_elem(&flow_table, index);
	return slot && is_slot_of(slot, key, control) ? slot : NULL;
}

/* What a new flow starts with. */
struct newcomer {
	struct flow_key key;
	__u32 home; /* its first place in its set */
	__u64 now;
	__u32 active; /* settings.active */
	__u8 rule;
	__u8 profile; /* id */
	__u8 evicted; /* out: whether it replaced a flow */
	__u8 published; /* out: whether this CPU brought it in, not another one at the same time */
	int free, idle; /* places of its set that choose_slot() may take */
	__u64 flags; /* of control */
};

static __always_inline void publish(struct flow_slot *slot, const struct newcomer *newcomer, __u64 generation)
{
	slot->key = newcomer->key;
	slot->last_arrival = newcomer->now;
	slot->first_arrival = newcomer->now;
	slot->expected = 0;
	slot->seen = 0;
	slot->lost = 0;
	slot->absent = 0;
	slot->reverse_errors = 0;
	slot->small_errors = 0;
	slot->big_errors = 0;
	slot->duplicates = 0;
	slot->restarts = 0;
	slot->candidate = 0;
	slot->largest_payload = 0;
	slot->epochs_high = 0;
	slot->rule = newcomer->rule;
	slot->flags = 0;
	slot->base_age = 0;
	slot->profile = newcomer->profile;
	__sync_lock_test_and_set(&slot->control, generation | newcomer->flags | FLOW_LIVE |
							 (__u64)ACTIVE_VERSION(newcomer->active) << FLOW_VERSION_SHIFT);
}

/* The functions below are global, not static: the verifier then looks at each once, not once for each caller. */

__noinline __u64 watch_slot(struct flow_slot *slot, __u64 mask, __u64 busy)
{
	__u64 control = busy;

	if (!slot)
		return busy;
	for (int i = 0; i < PATIENCE && (control & mask) == busy; i++)
		control = READ_ONCE(slot->control);
	return control;
}

/* What a slot says once the bits of `mask` are not `busy` any more: another CPU is filling or judging it. Should that
 * take too long, what it says then. Two loops, as the verifier goes through each round of one.
 */
__noinline __u64 await_slot(struct flow_slot *slot, __u64 mask, __u64 busy)
{
	__u64 control = busy;

	if (!slot)
		return busy;
	for (int i = 0; i < PATIENCE && (control & mask) == busy; i++)
		control = watch_slot(slot, mask, busy);
	return control;
}

/* Looks once through the set: the flow itself, should another CPU have brought it in (then FOUND + its place,
 * counted from home); else the first free place; else that of the flow idle longest, if it may be replaced: idle beyond the limit,
 * and read since its last packet. NO_SLOT where there is none. Both are kept in the newcomer, where the verifier does not
 * follow them: it would tell apart every way through the set.
 */
__noinline int choose_slot(struct newcomer *newcomer)
{
	__u64 oldest;

	if (!newcomer)
		return NO_SLOT;
	newcomer->free = NO_SLOT;
	newcomer->idle = NO_SLOT;
	oldest = newcomer->now - settings.evict_idle_ns;
	if (oldest > settings.scanned_at)
		oldest = settings.scanned_at;
	for (__u32 i = 0; i < FLOWS_PER_SET; i++) {
		__u32 at = newcomer->home ^ i;
		struct flow_slot *slot = bpf_map_lookup_elem(&flow_table, &at);
		__u64 control;

		if (!slot)
			return NO_SLOT;
		control = READ_ONCE(slot->control);
		if ((control & FLOW_STATE) == FLOW_CLAIMED)
			control = await_slot(slot, FLOW_STATE, FLOW_CLAIMED);
		if ((control & FLOW_STATE) == FLOW_FREE && newcomer->free == NO_SLOT)
			newcomer->free = i;
		if ((control & FLOW_STATE) != FLOW_LIVE)
			continue;
		if (same_flow(&slot->key, &newcomer->key))
			return FOUND + i;
		if (!(control & FLOW_LOCKED) && slot->last_arrival < oldest) {
			oldest = slot->last_arrival;
			newcomer->idle = i;
		}
	}
	return newcomer->free != NO_SLOT ? newcomer->free : newcomer->idle;
}

/* Whether the slot may become a newcomer's, going by what `control` says and when it was read last. */
static __always_inline int is_available(const struct flow_slot *slot, __u64 control)
{
	if ((control & FLOW_STATE) == FLOW_FREE)
		return 1;
	return (control & (FLOW_STATE | FLOW_LOCKED)) == FLOW_LIVE &&
	       READ_ONCE(slot->last_arrival) < READ_ONCE(settings.scanned_at);
}

/* Brings a new flow in. Returns its slot, or NO_SLOT where its set is full of flows that may not go. */
static __noinline int claim_slot(struct newcomer *newcomer)
{
	for (int attempt = 0; attempt < FLOWS_PER_SET; attempt++) {
		int chosen = choose_slot(newcomer);
		__u32 at = newcomer->home ^ (chosen & (FLOWS_PER_SET - 1));
		struct flow_slot *slot = bpf_map_lookup_elem(&flow_table, &at);
		__u64 control, generation;

		if (!slot || chosen == NO_SLOT)
			return NO_SLOT;
		if (chosen >= FOUND)
			return at;
		control = READ_ONCE(slot->control);
		if (!is_available(slot, control))
			continue;
		generation = (__u64)(generation_of(control) + 1) << FLOW_GENERATION_SHIFT;
		if (__sync_val_compare_and_swap(&slot->control, control, generation | FLOW_CLAIMED) != control)
			continue;
		/* A packet of the former flow may have come since it was chosen: then it stays. See is_still(). */
		if ((control & FLOW_STATE) == FLOW_LIVE &&
		    READ_ONCE(slot->last_arrival) >= READ_ONCE(settings.scanned_at)) {
			__sync_lock_test_and_set(&slot->control, control);
			continue;
		}
		newcomer->evicted = (control & FLOW_STATE) == FLOW_LIVE;
		newcomer->published = 1;
		publish(slot, newcomer, generation);
		return at;
	}
	return NO_SLOT;
}

/* Whether the slot still is the flow's that was found there, told after its last arrival has been set: whoever claims the
 * slot looks at that once more, so that either the packet is seen there, or the claim here.
 */
static __always_inline int is_still(struct flow_slot *slot, __u64 control)
{
	__u64 now = READ_ONCE(slot->control);

	if ((now & FLOW_STATE) == FLOW_CLAIMED)
		now = await_slot(slot, FLOW_STATE, FLOW_CLAIMED);
	return generation_of(now) == generation_of(control);
}

/* Takes the lock that another CPU held a moment ago. */
__noinline int lock_contended(struct flow_slot *slot)
{
	if (!slot)
		return 0;
	for (int i = 0; i < LOCK_TRIES; i++) {
		__u64 control = await_slot(slot, FLOW_LOCKED, FLOW_LOCKED);

		if (control & FLOW_LOCKED || (control & FLOW_STATE) != FLOW_LIVE)
			return 0;
		if (__sync_val_compare_and_swap(&slot->control, control, control | FLOW_LOCKED) == control)
			return 1;
	}
	return 0;
}

/* The flow had stopped: a new jitter epoch. Safe beside the holder of the lock. */
static __always_inline void next_epoch(struct flow_slot *slot)
{
	__u64 before = __sync_fetch_and_add(&slot->control, 1ULL << FLOW_EPOCH_SHIFT);

	slot->epochs_high += epoch_of(before) == 0xffff;
}

/* Locks a live flow that still says what it said before. From here to unlock_flow() the holder alone changes the slot's second
 * half, `expected`, and of `control` the state and the version.
 */
static __always_inline int lock_as_found(struct flow_slot *slot, __u64 control)
{
	return (control & (FLOW_STATE | FLOW_LOCKED)) == FLOW_LIVE &&
	       __sync_val_compare_and_swap(&slot->control, control, control | FLOW_LOCKED) == control;
}

/* The same, whatever it says now, as long as it is live. */
static __always_inline int lock_flow(struct flow_slot *slot)
{
	return lock_as_found(slot, READ_ONCE(slot->control)) || lock_contended(slot);
}

/* Others may have changed flags or the epoch meanwhile: those stay. The lock's bit is set, so that a subtraction takes no other
 * one along; asked for what was there before, it is a full barrier.
 */
static __always_inline void unlock_flow(struct flow_slot *slot)
{
	__u64 before = __sync_fetch_and_sub(&slot->control, FLOW_LOCKED);

	KEEP(before);
}

#endif
