/* SPDX-License-Identifier: MIT OR Apache-2.0 OR GPL-2.0-only */
/* Stateful: from a parsed packet to the counters. */
#ifndef FLOWTOP_ACCOUNT_H
#define FLOWTOP_ACCOUNT_H

#include "claim.h"
#include "counters.h"
#include "judge.h"
#include "totals.h"

/* Key: what all fragments of a packet share. Written and read by this program. When it is full, the entry used
 * least recently goes, and later fragments of that packet are unmatched: counted in the flow with ports 0.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__type(key, struct fragment_key);
	__type(value, struct fragment_ports);
	__uint(max_entries, 16384);
} fragments SEC(".maps");

/* Key: slot of flow_table. Entries are made and removed by user space, which also sets FLOW_FOCUSED; this program
 * only counts.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, __u32);
	__type(value, struct gap_histogram);
	__uint(max_entries, FOCUSED_FLOWS);
} gap_histograms SEC(".maps");

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
		 facts->key.protocol != (facts->key.family == FAMILY_IPV4 ? IPPROTO_ICMP : NEXT_ICMPV6))
		return PARSED_OTHER;
	return PARSED_FLOW;
}

/* Counters of this CPU, whoever's they are. */
static __always_inline struct flow_counters *counters_at(__u32 cpu, const __u32 *slot)
{
	void *of_cpu = bpf_map_lookup_elem(&flow_counters, &cpu);

	return of_cpu ? bpf_map_lookup_elem(of_cpu, slot) : NULL;
}

/* The bucket of a gap: with e the index of its highest set bit, 2 * e + the bit below it; the last one is open. The
 * definition is bucket_of in src/model/histogram.rs.
 */
static __always_inline __u32 gap_bucket(__u64 gap)
{
	__u32 e = 0, bucket;

	if (gap < 2)
		return gap;
	for (int width = 32; width; width /= 2)
		if (gap >> (e + width))
			e += width;
	bucket = 2 * e + ((gap >> (e - 1)) & 1);
	return bucket < HISTOGRAM_BUCKETS ? bucket : HISTOGRAM_BUCKETS - 1;
}

/* The flow that somebody looks at keeps a histogram. Shared by all CPUs: atomic. */
__noinline int record_gap(__u32 slot, __s64 gap)
{
	struct gap_histogram *histogram = bpf_map_lookup_elem(&gap_histograms, &slot);
	__u32 bucket = gap_bucket(gap < 0 ? 0 : gap);

	if (histogram && bucket < HISTOGRAM_BUCKETS)
		__sync_fetch_and_add(&histogram->counts[bucket], 1);
	return 0;
}

static __always_inline void account_arrival(struct flow_slot *slot, struct flow_counters *counters, __u64 control,
					    const struct observation *seen)
{
	__s64 gap = seen->now - __sync_lock_test_and_set(&slot->last_arrival, seen->now);

	if (gap > (__s64)JITTER_STOP_NS) {
		next_epoch(slot, control);
		return;
	}
	add_gap(counters, gap);
	if (control & FLOW_FOCUSED)
		record_gap(seen->slot, gap);
}

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
__noinline int admit_flow(const struct flow_key *key, struct interface_totals *totals, struct observation *seen,
			  __u64 hash)
{
	struct newcomer newcomer = {};
	struct sequence_profile *profile;
	int rule, slot;

	if (!key || !totals || !seen)
		return -1;
	newcomer.key = *key;
	newcomer.hash = hash;
	newcomer.now = seen->now;
	newcomer.active = seen->active;
	rule = match_rules(&newcomer.key, seen->active);
	if (rule < 0) {
		struct verdict *verdict = verdict_of(hash);

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
		add_volume(&totals->untracked, seen->packets, seen->bytes);
		return -1;
	}
	totals->evicted += newcomer.evicted;
	seen->slot = slot;
	seen->is_new = newcomer.published;
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
	if (rule < 0 || slot->profile != profile->id) {
		change_control(slot, FLOW_RETIRED);
		return 0;
	}
	slot->rule = rule;
	change_control(slot, FLOW_LIVE | flags_of_profile(key, profile) |
				     (__u64)ACTIVE_VERSION(active) << FLOW_VERSION_SHIFT);
	return 1;
}

/* The slot went to another flow: nobody reads the counters that the packet is in. */
static __always_inline void count_too_late(struct interface_totals *totals, const struct observation *seen)
{
	add_volume(&totals->untracked, seen->packets, seen->bytes);
}

/* A packet whose flow could not be locked: its number is read, but has no place in the series. So that it is not missed
 * there for good, the slot says how many such numbers (TCP: bytes) there were. Returns the packets whose number was readable.
 */
__noinline __u32 count_unjudged(struct __sk_buff *skb, struct flow_slot *slot, const struct packet_facts *facts,
				const struct observation *seen)
{
	__u32 received, bytes;

	if (!slot || !facts || !seen)
		return 0;
	if (facts->sequence == SEQUENCE_TCP) {
		bytes = stream_length(facts->tcp_flags, facts->payload_bytes);
		__sync_fetch_and_add((__u64 *)&slot->unjudged, bytes);
		return bytes ? seen->packets : 0;
	}
	received = judge_any(skb, NULL, profile_of(ACTIVE_BANK(seen->active), slot->rule), facts, seen);
	__sync_fetch_and_add(&slot->unjudged, received);
	return received;
}

/* Locks a flow that another CPU, or user space, has changed since it was found. Returns 0 where its number is not to be
 * judged, -1 where the slot is another flow's. Out of the way of most packets; global, so that the verifier looks at it
 * once.
 */
__noinline int lock_again(struct flow_slot *slot, struct interface_totals *totals, const struct observation *seen,
			  __u64 control)
{
	int is_locked;

	if (!slot || !totals || !seen)
		return 0;
	if (!is_still(slot, control)) {
		count_too_late(totals, seen);
		return -1;
	}
	is_locked = lock_flow(slot);
	/* Another CPU judged by other rules meanwhile: only those know where the number is. */
	if (is_locked && version_of(READ_ONCE(slot->control)) == ACTIVE_VERSION(seen->active))
		return 1;
	totals->contended += 1;
	if (is_locked)
		unlock_flow(slot);
	return 0;
}

static __always_inline int takes_part(const struct packet_facts *facts)
{
	return facts->sequence != SEQUENCE_TCP || facts->payload_bytes ||
	       facts->tcp_flags & (TCP_SYN | TCP_FIN | TCP_RST);
}

static __always_inline void account_flow(struct __sk_buff *skb, const struct packet_facts *facts, __u32 cpu,
					 struct interface_totals *totals, struct observation *seen)
{
	__u64 hash = hash_flow(&facts->key);
	struct flow_counters *counters;
	struct flow_slot *slot;
	__u64 control;

	/* The clock waits for all loads before it: read behind the search, it would add to what a cache miss costs. */
	seen->now = bpf_ktime_get_ns();
	slot = find_slot(&facts->key, hash, &seen->slot, &control);
	if (!slot) {
		/* Before the second set is looked through: what rules exclude is in neither. */
		if (was_filtered(&facts->key, hash, seen->active)) {
			add_volume(&totals->filtered, seen->packets, seen->bytes);
			return;
		}
		slot = slot_in_set(&facts->key, hash, FLOWS_PER_SET, &seen->slot, &control);
	}
	if (slot && version_of(control) != ACTIVE_VERSION(seen->active)) {
		if (!reconsider_flow(&facts->key, slot, seen->active))
			slot = NULL;
		else
			control = READ_ONCE(slot->control);
	}
	if (!slot) {
		/* Asked for while the set is searched for a place. */
		counters = counters_at(cpu, &seen->slot);
		if (counters)
			(void)READ_ONCE(counters->life);
		if (admit_flow(&facts->key, totals, seen, hash))
			return;
		slot = bpf_map_lookup_elem(&flow_table, &seen->slot);
		if (!slot || !is_slot_of(slot, &facts->key, &control)) {
			count_too_late(totals, seen);
			return;
		}
	}
	counters = counters_at(cpu, &seen->slot);
	if (!counters)
		return;
	/* The slot's second half: on its way while the atomic operations hold up what comes after them. */
	if (control & FLOW_SEQUENCED)
		(void)READ_ONCE(slot->seen);
	own_counters(counters, control);
	counters->packets += seen->packets;
	counters->bytes += seen->bytes;
	counters->payload_bytes += facts->payload_bytes;
	if (!seen->is_new)
		account_arrival(slot, counters, control, seen);
	if (control & FLOW_SEQUENCED && takes_part(facts)) {
		/* Locked as it was found, it still is the flow's: see is_still(). */
		int locked = (version_of(control) == ACTIVE_VERSION(seen->active) && lock_as_found(slot, control)) ?
				     1 :
				     lock_again(slot, totals, seen, control);

		if (locked > 0) {
			counters->sequenced += judge(skb, facts, slot, seen);
			unlock_flow(slot);
		} else if (!locked) {
			counters->sequenced += count_unjudged(skb, slot, facts, seen);
		}
	} else if (!is_still(slot, control)) {
		count_too_late(totals, seen);
	}
}

#endif
