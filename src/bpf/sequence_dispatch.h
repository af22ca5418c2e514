/* SPDX-License-Identifier: MIT OR Apache-2.0 OR GPL-2.0-only */
/* Stateful: what a packet's sequence number means for its flow. The next one in order passes without the flow's lock, all others
 * are judged with it held.
 */
#ifndef FLOWTOP_SEQUENCE_DISPATCH_H
#define FLOWTOP_SEQUENCE_DISPATCH_H

#include "payload.h"
#include "rules.h"
#include "series.h"

#define NOT_JUDGED ~0U
#define MAX_SEGMENTS 128 /* of a UDP aggregate whose numbers are read one by one */

/* One packet of one flow, on its way to the counters. */
struct observation {
	__u64 now;
	__u32 packets;
	__u32 active;
	__u64 bytes;
	__u32 slot;
	__u32 cpu;
	__u16 interface; /* its slot */
	__u8 is_filtered; /* no rule matches it, as was known before */
	__u8 is_new; /* this CPU has brought its flow in, and counted it */
	__u8 has_evicted; /* its flow took the place of another one */
	__u64 control; /* what its flow's slot said when it was found: for what is out of the way of most packets */
};

/* With the lock held: no number passes beside it from here on. The bit is set, so that a subtraction takes no other one along. */
static __always_inline void close_series(struct flow_slot *slot)
{
	if (READ_ONCE(*series_of(slot)) & SERIES_PLAIN) {
		__u64 before = __sync_fetch_and_sub(series_of(slot), SERIES_PLAIN);

		KEEP(before);
	}
	end_run(slot);
}

/* The next number may pass again, if nothing is open. All of the word at once: who finds the bit finds the number that belongs to it. */
static __always_inline void open_series(struct flow_slot *slot)
{
	WRITE_ONCE(*series_of(slot), series_as_judged(slot));
}

/* From the series as it was found to the one behind the packet's number. Returns whether it was still as it was found. */
static __always_inline int pass(struct flow_slot *slot, __u64 found, __u64 next)
{
	return next && __sync_val_compare_and_swap(series_of(slot), found, next) == found;
}

static __always_inline int pass_number(struct flow_slot *slot, __u32 number, int is_16_bit)
{
	__u64 series = READ_ONCE(*series_of(slot));

	return pass(slot, series, series_behind_number(series, number, is_16_bit));
}

/* A number that is not the next one. Global, so that the verifier looks at it once, and out of the way of those that are. */
__noinline int judge_other_number(struct flow_slot *slot, __u32 number, __u32 is_16_bit, __u32 threshold)
{
	if (slot)
		place_number(slot, number, is_16_bit, threshold);
	return 0;
}

static __always_inline void track_number(struct flow_slot *slot, __u32 number, int is_16_bit, __u32 threshold)
{
	if (!continue_series(slot, number, is_16_bit))
		judge_other_number(slot, number, is_16_bit, threshold);
}

/* One payload: its number is read and judged, or it is absent; without a slot it is only read. Returns the numbers read:
 * 0 or 1. Global, so that the verifier looks at it once.
 */
__noinline __u32 judge_payload(struct __sk_buff *skb, struct flow_slot *slot, const struct sequence_profile *profile,
			       __u32 payload_offset, __u32 payload_bytes)
{
	__u32 number;

	if (!profile)
		return 0;
	if (read_number(skb, profile, payload_offset, payload_bytes, &number)) {
		if (slot)
			slot->absent += 1;
		return 0;
	}
	if (slot)
		track_number(slot, number, !!(profile->flags & PROFILE_WIDTH_16), profile->threshold);
	return 1;
}

/* Each of an aggregate's datagrams carries its own number. */
__noinline __u32 judge_segments(struct __sk_buff *skb, struct flow_slot *slot, const struct sequence_profile *profile,
				__u32 payload_offset, __u32 payload_bytes)
{
	__u32 received = 0, end = payload_offset + payload_bytes;

	if (!profile)
		return 0;
	for (__u32 i = 0; i < MAX_SEGMENTS && payload_offset < end; i++) {
		__u32 length = end - payload_offset;

		if (length > skb->gso_size)
			length = skb->gso_size;
		received += judge_payload(skb, slot, profile, payload_offset, length);
		payload_offset += skb->gso_size;
	}
	return received;
}

/* Whether the configured place in the payload is to be read, rather than the protocol's own number. */
static __always_inline int reads_payload(const struct packet_facts *facts, const struct sequence_profile *profile)
{
	if (!(profile->flags & (PROFILE_PATTERN | PROFILE_OFFSET)) || facts->fragment == FRAGMENT_LATER)
		return 0;
	return facts->sequence == SEQUENCE_PAYLOAD ||
	       (facts->sequence == SEQUENCE_ECHO && profile->flags & PROFILE_EXPLICIT);
}

/* Payload bytes of each packet, the last one of an aggregate left out. */
static __always_inline __u32 segment_of(const struct __sk_buff *skb, const struct packet_facts *facts,
					const struct observation *seen)
{
	if (seen->packets > 1 && skb->gso_size && skb->gso_size < facts->payload_bytes)
		return skb->gso_size;
	return facts->payload_bytes;
}

/* Any packet; without a slot, and not of TCP, its numbers are only read. Returns the packets whose number was readable.
 * Global, so that the verifier looks at it once, and out of the way of the packets that judge_next() knows.
 */
__noinline __u32 judge_any(struct __sk_buff *skb, struct flow_slot *slot, const struct sequence_profile *profile,
			   const struct packet_facts *facts, const struct observation *seen)
{
	__u32 segment;

	if (!profile || !facts || !seen)
		return 0;
	segment = segment_of(skb, facts, seen);
	if (slot && facts->sequence == SEQUENCE_UNPLACED) {
		slot->flags &= ~SEQUENCE_STARTED;
		if (facts->key.protocol != IPPROTO_TCP)
			slot->absent += seen->packets;
		return 0;
	}
	if (slot && facts->sequence == SEQUENCE_TCP)
		return track_tcp(slot, facts->number, facts->tcp_flags, facts->payload_bytes, segment,
				 profile->threshold) ?
			       seen->packets :
			       0;
	if (reads_payload(facts, profile)) {
		if (segment < facts->payload_bytes)
			return judge_segments(skb, slot, profile, facts->payload_offset, facts->payload_bytes);
		return judge_payload(skb, slot, profile, facts->payload_offset, facts->payload_bytes);
	}
	if (facts->sequence == SEQUENCE_ECHO) {
		if (slot)
			track_number(slot, facts->number, 1, profile->threshold);
		return seen->packets;
	}
	return 0;
}

/* The number of a payload that is no aggregate, read before the flow is locked, as most numbers pass without: `control` is what the
 * slot said when the flow was found. Returns the numbers read; NOT_JUDGED where it cannot be locked any more as it was found.
 * Global, so that the verifier looks at it once.
 */
__noinline __u32 judge_single(struct __sk_buff *skb, struct flow_slot *slot, const struct sequence_profile *profile,
			      const struct packet_facts *facts, __u64 control)
{
	int is_16_bit, is_absent;
	__u32 number;

	if (!slot || !profile || !facts)
		return NOT_JUDGED;
	is_16_bit = !!(profile->flags & PROFILE_WIDTH_16);
	is_absent = read_number(skb, profile, facts->payload_offset, facts->payload_bytes, &number);
	if (!is_absent && pass_number(slot, number, is_16_bit))
		return 1;
	if (!lock_as_found(slot, control))
		return NOT_JUDGED;
	if (is_absent) {
		slot->absent += 1;
	} else {
		close_series(slot);
		judge_other_number(slot, number, is_16_bit, profile->threshold);
		open_series(slot);
	}
	unlock_flow(slot);
	return !is_absent;
}

/* What most segments of a stream are: the next ones in order. The flow's slot still is its own. Returns whether they were. No rule
 * has a part in it.
 */
static __always_inline int pass_segment(const struct __sk_buff *skb, struct flow_slot *slot,
					const struct packet_facts *facts, const struct observation *seen)
{
	__u64 series = READ_ONCE(*series_of(slot));

	return pass(slot, series,
		    series_behind_segment(series, facts->number, facts->tcp_flags, facts->payload_bytes,
					  segment_of(skb, facts, seen)));
}

/* What most other packets with numbers are: the next number in order. The flow was found under the rules in force, and its slot
 * still is its own. Returns the packets whose number was readable; NOT_JUDGED where it has to be judged with the lock held, whoever
 * they are of.
 *
 * Another CPU may change the flow's rule meanwhile, but not its profile: one of the same id is the same.
 */
static __always_inline __u32 judge_next(struct __sk_buff *skb, struct flow_slot *slot, const struct packet_facts *facts,
					const struct observation *seen, __u64 control)
{
	struct sequence_profile *profile;

	profile = profile_of(ACTIVE_BANK(seen->active), READ_ONCE(slot->rule));
	if (skb->gso_size || !profile || profile->id != slot->profile)
		return NOT_JUDGED;
	if (reads_payload(facts, profile))
		return judge_single(skb, slot, profile, facts, control);
	if (facts->sequence == SEQUENCE_ECHO && pass_number(slot, facts->number, 1))
		return seen->packets;
	return NOT_JUDGED;
}

#endif
