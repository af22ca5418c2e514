/* SPDX-License-Identifier: MIT OR Apache-2.0 OR GPL-2.0-only */
/* Stateful: from a parsed packet to the counters. */
#ifndef FLOWTOP_ACCOUNT_H
#define FLOWTOP_ACCOUNT_H

#include "claim.h"
#include "counters.h"
#include "histogram.h"
#include "ip_metrics.h"
#include "sequence_dispatch.h"
#include "totals.h"

#define NOT_THERE ~0U

static __always_inline int is_echo(const struct flow_key *key)
{
	__u8 type = key->destination_port >> 8;

	if (key->family == FAMILY_IPV4)
		return key->protocol == IPPROTO_ICMP && (type == 0 || type == 8);
	return key->protocol == NEXT_ICMPV6 && (type == 128 || type == 129);
}

static __always_inline __u64 flags_of_profile(const struct flow_key *key, const struct sequence_profile *profile)
{
	if (key->protocol == IPPROTO_TCP || is_echo(key) || profile->flags & (PROFILE_PATTERN | PROFILE_OFFSET))
		return FLOW_SEQUENCED;
	return 0;
}

/* New flow: rules first, then a slot. Returns 0 and the slot's index, or where the packet is counted instead. */
__noinline int admit_flow(const struct packet_facts *facts, struct interface_totals *totals, struct observation *seen,
			  __u64 hash)
{
	struct newcomer newcomer = {};
	struct sequence_profile *profile;
	int rule, slot;

	if (!facts || !totals || !seen)
		return -1;
	newcomer.key = facts->key;
	newcomer.hash = hash;
	newcomer.now = seen->now;
	newcomer.bytes = seen->bytes;
	newcomer.packets = seen->packets;
	newcomer.payload_bytes = facts->payload_bytes;
	newcomer.cpu = seen->cpu;
	newcomer.version = ACTIVE_VERSION(seen->active);
	rule = match_rules(&newcomer.key, seen->active);
	if (rule < 0) {
		struct verdict *verdict = verdict_of(seen->cpu, hash);

		if (verdict) {
			verdict->key = newcomer.key;
			verdict->active = seen->active;
		}
		add_volume(&totals->filtered, seen->packets, seen->bytes);
		return -1;
	}
	newcomer.rule = rule;
	profile = profile_of(ACTIVE_BANK(seen->active), rule);
	if (profile) {
		newcomer.profile = profile->id;
		newcomer.flags = flags_of_profile(&newcomer.key, profile);
	}
	slot = claim_slot(&newcomer);
	if (slot < 0) {
		add_untracked(seen->cpu, seen->interface, seen->packets, seen->bytes);
		return -1;
	}
	seen->slot = slot;
	seen->is_new = newcomer.published;
	seen->has_evicted = newcomer.evicted;
	return 0;
}

/* With the lock held, and gives it back: state, version and FLOW_SEQUENCED of `control` become those of `next`. Nobody
 * else changes these meanwhile.
 */
static __always_inline void change_control(struct flow_slot *slot, __u64 next)
{
	const __u64 changed = FLOW_STATE | FLOW_LOCKED | FLOW_SEQUENCED | 0xffULL << FLOW_VERSION_SHIFT;
	__u64 before = __sync_fetch_and_xor(&slot->control, (READ_ONCE(slot->control) ^ next) & changed);

	KEEP(before); /* as in unlock_flow() */
}

/* A known flow under rules newer than those that admitted it. Returns whether it stays in its slot: not where no rule
 * matches any more, nor where its numbers are found elsewhere from now on. It is then a stranger, to be admitted or
 * filtered like any other; user space adds up what it had and what it will have.
 */
__noinline int reconsider_flow(const struct flow_key *key, struct flow_slot *slot, __u32 active)
{
	struct sequence_profile *profile;
	int rule;

	if (!key || !slot)
		return 1;
	rule = match_rules(key, active);
	profile = profile_of(ACTIVE_BANK(active), rule < 0 ? 0 : rule);
	if (!profile || !lock_flow(slot))
		return 1;
	/* A stream's numbers are where they are, whatever a profile says. */
	if (rule < 0 || (slot->profile != profile->id && key->protocol != IPPROTO_TCP)) {
		change_control(slot, FLOW_RETIRED);
		return 0;
	}
	slot->rule = rule;
	slot->profile = profile->id;
	change_control(slot, FLOW_LIVE | flags_of_profile(key, profile) |
				     (__u64)ACTIVE_VERSION(active) << FLOW_VERSION_SHIFT);
	return 1;
}

/* The flow's shared counters, which are known to hold something from here on. */
static __always_inline struct flow_shared *share_counters(struct flow_slot *slot, __u32 index)
{
	if (!(READ_ONCE(slot->control) & FLOW_SHARED)) {
		__u64 before = __sync_fetch_and_or(&slot->control, FLOW_SHARED);

		KEEP(before);
	}
	return bpf_map_lookup_elem(&flow_shared, &index);
}

static __always_inline struct increment increment_of(const struct packet_facts *facts, const struct observation *seen,
						     __s64 gap, __u32 sequenced)
{
	return (struct increment){
		.bytes = seen->bytes,
		.packets = seen->packets,
		.payload_bytes = facts->payload_bytes,
		.sequenced = sequenced,
		.gap = gap,
	};
}

/* Counts a packet on another CPU than the one that brought its flow in. */
__noinline int count_elsewhere(struct flow_slot *slot, const struct packet_facts *facts, const struct observation *seen,
			       __s64 gap, __u32 sequenced)
{
	struct flow_shared *shared;

	if (!slot || !facts || !seen)
		return 0;
	shared = share_counters(slot, seen->slot);
	if (shared)
		count_as_other(shared, shared_gaps_of(shared, READ_ONCE(slot->control)),
			       increment_of(facts, seen, gap, sequenced));
	return 0;
}

/* A packet whose flow could not be locked: its number is read, but has no place in the series. So that it is not missed
 * there for good, the flow knows how many such numbers (TCP: bytes) there were. Returns the packets whose number was readable.
 */
static __always_inline __u32 count_unjudged(struct __sk_buff *skb, struct flow_slot *slot,
					    const struct packet_facts *facts, const struct observation *seen)
{
	__u32 received, numbers;
	struct flow_shared *shared;

	if (facts->sequence == SEQUENCE_TCP) {
		numbers = stream_length(facts->tcp_flags, facts->payload_bytes);
		received = numbers ? seen->packets : 0;
	} else {
		numbers = received =
			judge_any(skb, NULL, profile_of(ACTIVE_BANK(seen->active), slot->rule), facts, seen);
	}
	shared = numbers ? share_counters(slot, seen->slot) : NULL;
	if (shared)
		add_shared(&shared->unjudged, numbers);
	return received;
}

static __always_inline int takes_part(const struct packet_facts *facts)
{
	return facts->sequence != SEQUENCE_TCP || facts->payload_bytes ||
	       facts->tcp_flags & (TCP_SYN | TCP_FIN | TCP_RST);
}

/* A number that is not the next one in order, the first one of its flow for one, or whose flow another CPU, or user space, has
 * changed since it was found. Returns the packets whose number was readable, NOT_THERE where the slot is another flow's. Out of
 * the way of most packets; global, so that the verifier looks at it once.
 */
__noinline __u32 judge_again(struct __sk_buff *skb, struct flow_slot *slot, const struct packet_facts *facts,
			     const struct observation *seen)
{
	struct interface *interface;
	__u32 sequenced;
	int is_locked;

	if (!slot || !facts || !seen)
		return 0;
	if (!is_still(slot, seen->control))
		return NOT_THERE;
	is_locked = lock_flow(slot);
	/* Another CPU judged by other rules meanwhile: only those know where the number is. */
	if (is_locked && version_of(READ_ONCE(slot->control)) == ACTIVE_VERSION(seen->active)) {
		close_series(slot);
		sequenced = judge_any(skb, slot, profile_of(ACTIVE_BANK(seen->active), slot->rule), facts, seen);
		open_series(slot);
		unlock_flow(slot);
		return sequenced;
	}
	if (is_locked)
		unlock_flow(slot);
	interface = interface_in(seen->interface);
	if (interface)
		add_shared(&interface->contended, 1);
	return count_unjudged(skb, slot, facts, seen);
}

/* Where a known flow was found. `control` is what its slot said; NULL for an unknown one. */
static __always_inline struct flow_slot *find_flow(const struct packet_facts *facts, struct observation *seen,
						   __u64 hash, __u64 *control)
{
	struct flow_slot *slot = find_slot(&facts->key, hash, &seen->slot, control);

	if (!slot) {
		/* Before the second set is looked through: what rules exclude is in neither. */
		seen->is_filtered = was_filtered(&facts->key, seen->cpu, hash, seen->active);
		if (seen->is_filtered)
			return NULL;
		slot = slot_in_set(&facts->key, hash, FLOWS_PER_SET, &seen->slot, control);
	}
	if (slot && version_of(*control) != ACTIVE_VERSION(seen->active)) {
		if (!reconsider_flow(&facts->key, slot, seen->active))
			return NULL;
		*control = READ_ONCE(slot->control);
	}
	return slot;
}

/* The groups of metrics that are on: see groups.h. */
static __always_inline void count_groups(const struct __sk_buff *skb, const struct packet_facts *facts,
					 const struct observation *seen, __u64 control)
{
	if (enabled_groups & GROUP_IP)
		count_ip(facts, seen, generation_of(control), skb->len);
}

/* Brings a flow in, and counts its first packet. Returns its slot where another CPU has done so meanwhile; NULL where nothing
 * is left to be done.
 */
static __always_inline struct flow_slot *bring_in(struct __sk_buff *skb, const struct packet_facts *facts,
						  struct interface_totals *totals, struct observation *seen, __u64 hash)
{
	/* Asked for while the set is searched for a place. */
	struct flow_counters *counters = bpf_map_lookup_elem(&flow_counters, &seen->slot);
	struct interface *interface;
	struct flow_slot *slot;
	__u32 sequenced;

	if (counters)
		(void)READ_ONCE(counters->owner);
	if (admit_flow(facts, totals, seen, hash))
		return NULL;
	interface = seen->has_evicted ? interface_in(seen->interface) : NULL;
	if (interface)
		add_shared(&interface->evicted, 1);
	slot = bpf_map_lookup_elem(&flow_table, &seen->slot);
	if (!seen->is_new) {
		if (slot && is_slot_of(slot, &facts->key, &seen->control))
			return slot;
		add_untracked(seen->cpu, seen->interface, seen->packets, seen->bytes);
		return NULL;
	}
	counters = bpf_map_lookup_elem(&flow_counters, &seen->slot);
	if (!slot || !counters || !is_slot_of(slot, &facts->key, &seen->control))
		return NULL;
	count_groups(skb, facts, seen, seen->control);
	if (!(seen->control & FLOW_SEQUENCED) || !takes_part(facts))
		return NULL;
	sequenced = judge_again(skb, slot, facts, seen);
	if (sequenced != NOT_THERE)
		counters->sequenced += sequenced;
	return NULL;
}

/* The flow goes on after a pause: a new epoch. */
static __always_inline void end_pause(struct flow_slot *slot, __u32 index, __u64 control)
{
	next_epoch(slot, bpf_map_lookup_elem(&flow_shared, &index), control);
}

/* The packet's number is judged by the flow's series, if it takes part in one: see judge_again(). */
static __always_inline __u32 judge_in_turn(struct __sk_buff *skb, const struct packet_facts *facts,
					   struct flow_slot *slot, struct observation *seen, __u64 control)
{
	__u32 sequenced;

	if (!is_still(slot, control))
		return NOT_THERE;
	if (!(control & FLOW_SEQUENCED))
		return 0;
	if (facts->sequence == SEQUENCE_TCP) {
		if (pass_segment(skb, slot, facts, seen))
			return seen->packets;
		if (!takes_part(facts))
			return 0;
	} else if (version_of(control) == ACTIVE_VERSION(seen->active)) {
		sequenced = judge_next(skb, slot, facts, seen, control);
		if (sequenced != NOT_JUDGED)
			return sequenced;
	}
	seen->control = control;
	return judge_again(skb, slot, facts, seen);
}

/* A packet of a known flow. */
static __always_inline void account_known(struct __sk_buff *skb, const struct packet_facts *facts,
					  struct flow_slot *slot, struct observation *seen, __u64 control)
{
	struct flow_counters *counters = bpf_map_lookup_elem(&flow_counters, &seen->slot);
	__u32 sequenced;
	__s64 gap;

	if (!counters)
		return;
	/* On their way while the atomic operations hold up what comes after them. */
	(void)READ_ONCE(counters->owner);
	if (control & FLOW_SEQUENCED)
		(void)READ_ONCE(slot->expected);
	gap = seen->now - __sync_lock_test_and_set(&slot->last_arrival, seen->now);
	sequenced = judge_in_turn(skb, facts, slot, seen, control);
	if (sequenced == NOT_THERE) {
		add_untracked(seen->cpu, seen->interface, seen->packets, seen->bytes);
		return;
	}
	if (!count_as_owner(counters, owner_of(seen->cpu, control), increment_of(facts, seen, gap, sequenced)))
		count_elsewhere(slot, facts, seen, gap, sequenced);
	count_groups(skb, facts, seen, control);
	if (is_pause(gap))
		end_pause(slot, seen->slot, control);
	else if (control & FLOW_FOCUSED)
		record_gap(seen->slot, gap);
}

static __always_inline void account_flow(struct __sk_buff *skb, const struct packet_facts *facts,
					 struct interface_totals *totals, struct observation *seen)
{
	__u64 hash = hash_flow(&facts->key), control;
	struct flow_slot *slot;

	/* The clock waits for all loads before it: read behind the search, it would add to what a cache miss costs. */
	seen->now = bpf_ktime_get_ns();
	slot = find_flow(facts, seen, hash, &control);
	if (!slot) {
		if (seen->is_filtered) {
			add_volume(&totals->filtered, seen->packets, seen->bytes);
			return;
		}
		slot = bring_in(skb, facts, totals, seen, hash);
		if (!slot)
			return;
		control = seen->control;
	}
	account_known(skb, facts, slot, seen, control);
}

#endif
