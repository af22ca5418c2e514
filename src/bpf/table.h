/* SPDX-License-Identifier: MIT OR Apache-2.0 OR GPL-2.0-only */
/* Stateful: the flow table. Finding slots, and what is done to their control words while they are a flow's. */
#ifndef FLOWTOP_TABLE_H
#define FLOWTOP_TABLE_H

#include "packet.h"

#define HASH_KEYS 12
#define PATIENCE 32 /* times 32 looks at a slot that another CPU is filling or judging */
#define LOCK_TRIES 64 /* times that others may come first */
#define NO_SLOT -1
#define PLACES (2 * FLOWS_PER_SET) /* where a flow may be: in one of two sets */

/* In tests others may come before a look. */
#ifndef READ_ONCE
#define READ_ONCE(x) (*(volatile __typeof__(x) *)&(x))
#endif
#define WRITE_ONCE(x, value) (*(volatile __typeof__(x) *)&(x) = (value))

/* Set before the load: fresh random numbers, so that nobody can choose collisions, and 64 less the bits of a slot's index. */
LOADED_CONSTANT __u32 hash_keys[HASH_KEYS] = {};
LOADED_CONSTANT __u64 hash_multiplier = 0x9e3779b97f4a7c15ULL;
LOADED_CONSTANT __u32 home_shift = 0;

/* Key: slot. Written by this program, under the rules of flow_slot.control; user space reads all of it, retires
 * idle flows and frees retired ones. When both sets of a flow are full, see claim_slot() in claim.h.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct flow_slot);
	__uint(max_entries, FLOWS_PER_SET); /* set before the load */
} flow_table SEC(".maps");

/* Key: slot of flow_table. Written by the CPU that brought the flow in; user space only reads. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct flow_counters);
	__uint(max_entries, FLOWS_PER_SET); /* set before the load */
} flow_counters SEC(".maps");

/* Key: slot of flow_table. Written by all other CPUs; user space only reads. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct flow_shared);
	__uint(max_entries, FLOWS_PER_SET); /* set before the load */
} flow_shared SEC(".maps");

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
	__u64 hash =
		product(0, words[0], words[1]) + (product(2, words[2], words[6]) + product(4, words[10], words[11]));

	if (key->family != FAMILY_IPV4)
		hash += product(6, words[3], words[7]) +
			(product(8, words[4], words[8]) + product(10, words[5], words[9]));
	hash ^= hash >> 32;
	return hash * hash_multiplier;
}

/* Where the flow is looked for first. The other places of its first set are home ^ 1 to home ^ 7: flows of one set have
 * different homes, so that most are found at the first look.
 */
static __always_inline __u32 home_of(__u64 hash)
{
	return hash >> home_shift;
}

/* Any of the places where the flow may be, the home first. Its second set differs from the first one in the lowest bit of a
 * set's number, and in those above it by bits of the hash that have no part in the home.
 */
static __always_inline __u32 place_of(__u64 hash, __u32 i)
{
	__u32 home = home_of(hash);

	if (i >= FLOWS_PER_SET)
		home ^= home_of(hash << 32) | FLOWS_PER_SET;
	return home ^ (i & (FLOWS_PER_SET - 1));
}

static __always_inline int same_flow(const struct flow_key *a, const struct flow_key *b)
{
	const __u64 *x = (const __u64 *)a, *y = (const __u64 *)b;

	/* The slot's key is at a multiple of 8, and so is the packet's. */
	return x[0] == y[0] && x[1] == y[1] && x[3] == y[3] && x[2] == y[2] && x[4] == y[4] && x[5] == y[5];
}

/* The slot's key, to be loaded after `control`, which was loaded before: by the compiler, and by a CPU that may load one thing
 * before another unless the address of one depends on the other's value.
 */
static __always_inline const struct flow_key *key_behind(const struct flow_slot *slot, __u64 control)
{
	const struct flow_key *key = &slot->key;

#if defined(__bpf__) && !defined(__TARGET_ARCH_x86)
	asm volatile("%1 &= 0; %0 += %1" : "+r"(key), "+r"(control));
#else
	asm volatile("" : "+r"(key), "+r"(control));
#endif
	return key;
}

/* Whether the slot is this flow's; `control` is what it says now. */
static __always_inline int is_slot_of(const struct flow_slot *slot, const struct flow_key *key, __u64 *control)
{
	*control = READ_ONCE(slot->control);
	return (*control & FLOW_STATE) == FLOW_LIVE && same_flow(key_behind(slot, *control), key);
}

/* The index of a known flow in the set that begins with the place `first`, that place last; NO_SLOT for an unknown one. Global, so
 * that the verifier looks at it once, and out of the way of the flows that are at home.
 */
__noinline int find_in_set(const struct flow_key *key, __u64 hash, __u32 first)
{
	if (!key)
		return NO_SLOT;
#pragma unroll
	for (__u32 i = 1; i <= FLOWS_PER_SET; i++) {
		__u32 at = place_of(hash, first + i % FLOWS_PER_SET);
		struct flow_slot *slot = bpf_map_lookup_elem(&flow_table, &at);
		__u64 control;

		if (slot && is_slot_of(slot, key, &control))
			return at;
	}
	return NO_SLOT;
}

/* The slot of a flow that is known in that set; NULL for another one, with the index left as it is. `control` is what the slot said. */
static __always_inline struct flow_slot *slot_in_set(const struct flow_key *key, __u64 hash, __u32 first, __u32 *index,
						     __u64 *control)
{
	int found = find_in_set(key, hash, first);
	struct flow_slot *slot;

	if (found == NO_SLOT)
		return NULL;
	*index = found;
	slot = bpf_map_lookup_elem(&flow_table, index);
	return slot && is_slot_of(slot, key, control) ? slot : NULL;
}

/* The slot of a flow that is known in its first set; NULL for another one, with the index of its home. */
static __always_inline struct flow_slot *find_slot(const struct flow_key *key, __u64 hash, __u32 *index, __u64 *control)
{
	struct flow_slot *slot;

	*index = home_of(hash);
	slot = bpf_map_lookup_elem(&flow_table, index);
	if (slot && is_slot_of(slot, key, control))
		return slot;
	return slot_in_set(key, hash, 0, index, control);
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

/* Whether the slot still is the flow's that was found there. One that is about to be replaced stays by this: so says a packet
 * that came for it, or whoever wanted its place and saw the packet.
 */
__noinline int keep_flow(struct flow_slot *slot, __u64 control)
{
	if (!slot)
		return 0;
	for (int i = 0; i < LOCK_TRIES; i++) {
		__u64 now = READ_ONCE(slot->control), state = now & FLOW_STATE;

		if (generation_of(now) != generation_of(control) || state == FLOW_FREE)
			return 0;
		if (state != FLOW_CLAIMED ||
		    __sync_val_compare_and_swap(&slot->control, now, now ^ FLOW_CLAIMED ^ FLOW_LIVE) == now)
			return 1;
	}
	return 0;
}

/* As keep_flow(), called after the packet's arrival was exchanged for the last one: whoever replaces the flow looks at
 * that between two changes of `control`, so that either the packet is seen there, or the first of them here. Where the
 * flow still is there, the packet may be counted: nobody takes the slot before the packet has been seen by user space and
 * is two refresh periods old.
 */
static __always_inline int is_still(struct flow_slot *slot, __u64 control)
{
	return !((READ_ONCE(slot->control) ^ control) & FLOW_LIFE) || keep_flow(slot, control);
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

/* The shared gaps of an epoch. */
static __always_inline struct shared_gaps *shared_gaps_of(struct flow_shared *shared, __u64 control)
{
	return &shared->gaps[epoch_of(control) & 1];
}

/* The flow had stopped: a new jitter epoch, if the slot still is the flow's. Safe beside the holder of the lock. The CPU that saw
 * the pause, and nobody else, empties what is shared of the epoch before it begins: what may be in there is of the one before the
 * last, which ended more than JITTER_STOP_NS ago.
 */
__noinline int next_epoch(struct flow_slot *slot, struct flow_shared *shared, __u64 control)
{
	__u64 now;

	if (!slot || !shared)
		return 0;
	now = READ_ONCE(slot->control);
	for (int i = 0; i < LOCK_TRIES; i++) {
		__u64 expected = now, next = expected + (1ULL << FLOW_EPOCH_SHIFT);

		if (generation_of(now) != generation_of(control))
			return 0;
		if (now & FLOW_SHARED)
			*shared_gaps_of(shared, next) = (struct shared_gaps){};
		now = __sync_val_compare_and_swap(&slot->control, expected, next);
		if (now == expected) {
			slot->epochs_high += epoch_of(now) == 0xffff;
			return 1;
		}
	}
	return 0;
}

/* Locks a live flow that still says what it said before. From here to unlock_flow() the holder alone changes the slot's second
 * half, but for a series that is plain (sequence_dispatch.h), and of `control` the state and the version.
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
