/* SPDX-License-Identifier: MIT OR Apache-2.0 OR GPL-2.0-only */
/* Stateful: what a packet's sequence number means for its flow. All of it with the flow's lock held. */
#ifndef FLOWTOP_JUDGE_H
#define FLOWTOP_JUDGE_H

#include "payload.h"
#include "rules.h"
#include "sequence.h"
#include "stream.h"

#define MAX_SEGMENTS 128 /* of a UDP aggregate whose numbers are read one by one */

/* One packet of one flow, on its way to the counters. */
struct observation {
	__u64 now;
	__u32 packets;
	__u32 active;
	__u64 bytes;
	__u32 slot;
	__u32 cpu;
	__u32 is_filtered; /* no rule matches it, as was known before */
	__u32 is_new; /* this CPU has brought its flow in, and counted it */
	__u32 has_evicted; /* its flow took the place of another one */
	__u64 control; /* what its flow's slot said when it was found: for what is out of the way of most packets */
};

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
	__u32 received = 0, segment = skb->gso_size;

	if (!profile)
		return 0;
	for (__u32 i = 0; i < MAX_SEGMENTS; i++) {
		__u32 start = i * segment, length;

		if (start >= payload_bytes)
			break;
		length = payload_bytes - start;
		if (length > segment)
			length = segment;
		received += judge_payload(skb, slot, profile, payload_offset + start, length);
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

/* Any packet; without a slot, and not of TCP, its numbers are only read. Returns the packets whose number was readable.
 * Global, so that the verifier looks at it once, and out of the way of the packets that judge() knows.
 */
__noinline __u32 judge_any(struct __sk_buff *skb, struct flow_slot *slot, const struct sequence_profile *profile,
			   const struct packet_facts *facts, const struct observation *seen)
{
	__u32 segment;

	if (!profile || !facts || !seen)
		return 0;
	segment = facts->payload_bytes;
	if (seen->packets > 1 && skb->gso_size && skb->gso_size < segment)
		segment = skb->gso_size;
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

/* The same; what most packets are without a detour. Whether it is an aggregate is asked of the packet itself: of a number
 * that it already knows, the verifier would follow each value it can have.
 */
static __always_inline __u32 judge(struct __sk_buff *skb, const struct packet_facts *facts, struct flow_slot *slot,
				   const struct observation *seen)
{
	struct sequence_profile *profile;
	__u32 is_aggregate = skb->gso_size;

	if (facts->sequence == SEQUENCE_TCP && !is_aggregate &&
	    continue_bytes(slot, facts->number, facts->tcp_flags, facts->payload_bytes))
		return seen->packets;
	profile = profile_of(ACTIVE_BANK(seen->active), slot->rule);
	if (!profile)
		return 0;
	if (!is_aggregate && reads_payload(facts, profile))
		return judge_payload(skb, slot, profile, facts->payload_offset, facts->payload_bytes);
	return judge_any(skb, slot, profile, facts, seen);
}

#endif
