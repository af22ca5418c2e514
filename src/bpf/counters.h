/* SPDX-License-Identifier: MIT OR Apache-2.0 OR GPL-2.0-only */
/* Stateful: what was counted of one flow, by the CPU that owns its counters and by all others; exact integer sums over the gaps
 * between arrivals.
 *
 * User space reads meanwhile. In the owner's line what makes the rest valid is set last, by an atomic operation that returns what
 * was there before and so is a full barrier; it comes with new epochs and carries only.
 */
#ifndef FLOWTOP_COUNTERS_H
#define FLOWTOP_COUNTERS_H

#include "packet.h"

/* What one packet, or aggregate, adds to its flow. */
struct increment {
	__u64 bytes;
	__u32 packets;
	__u32 payload_bytes;
	__u32 sequenced;
	__s64 gap; /* ns; longer than JITTER_STOP_NS, or as far back: none. Two CPUs that meet within the clock's reach may see a small negative one: sums stay exact */
};

/* A clock that went back by as much says as little of the gap, and no square of it has room. */
static __always_inline int is_pause(__s64 gap)
{
	return (__u64)gap + JITTER_STOP_NS > 2 * JITTER_STOP_NS;
}

/* Adds where other CPUs do, too. Atomic and unordered: nothing is made valid by it. */
static __always_inline void add_shared(__u64 *counter, __u64 more)
{
	__sync_fetch_and_add(counter, more);
}

/* Whether a sum of squares went past a multiple of 2^63, as less than 2^62 was added. */
static __always_inline int has_carried(__u64 before, __u64 squares)
{
	return (squares ^ before) >> 63;
}

/* What of flow_counters.owner says whose the counters are, and of which epoch, where a flow's control word is this. */
static __always_inline __u64 owner_of(__u32 cpu, __u64 control)
{
	return control >> FLOW_EPOCH_SHIFT << OWNER_EPOCH_SHIFT | cpu;
}

static __always_inline void add_gap(struct flow_counters *counters, __s64 gap)
{
	__u64 before = counters->gap_squares, squares = before + (__u64)(gap * gap);

	counters->gaps += 1;
	counters->gap_sum += (__u64)gap;
	counters->gap_squares = squares;
	if (has_carried(before, squares)) {
		before = __sync_fetch_and_add(&counters->owner, 1ULL << OWNER_SQUARES_SHIFT);
		KEEP(before);
	}
}

/* What the owner had gathered in an earlier epoch is dropped. */
static __always_inline void begin_epoch(struct flow_counters *counters, __u64 owner)
{
	counters->gap_squares = 0;
	counters->gap_sum = 0;
	counters->gaps = 0;
	__sync_lock_test_and_set(&counters->owner, owner);
}

/* Counts in the owner's line. Returns whether this CPU is the owner, nothing else being done if not: `owner` is what owner_of()
 * says of it and of the flow now.
 */
static __always_inline int count_as_owner(struct flow_counters *counters, __u64 owner, struct increment more)
{
	__u64 differs = (counters->owner ^ owner) << (64 - OWNER_SQUARES_SHIFT);

	if (differs) {
		if ((__u32)counters->owner != (__u32)owner)
			return 0;
		if (!is_pause(more.gap))
			begin_epoch(counters, owner);
	}
	counters->packets += more.packets;
	counters->bytes += more.bytes;
	counters->payload_bytes += more.payload_bytes;
	counters->sequenced += more.sequenced;
	if (!is_pause(more.gap))
		add_gap(counters, more.gap);
	return 1;
}

static __always_inline void add_shared_gap(struct shared_gaps *gaps, __s64 gap)
{
	__u64 square = (__u64)(gap * gap), before;

	add_shared(&gaps->count, 1);
	add_shared(&gaps->sum, (__u64)gap);
	before = __sync_fetch_and_add(&gaps->squares, square);
	KEEP(before);
	if (has_carried(before, before + square))
		add_shared(&gaps->squares_high, 1);
}

/* Counts as any other CPU; `gaps` are those of the epoch in `shared`. */
static __always_inline void count_as_other(struct flow_shared *shared, struct shared_gaps *gaps, struct increment more)
{
	add_shared(&shared->packets, more.packets);
	add_shared(&shared->bytes, more.bytes);
	if (more.payload_bytes)
		add_shared(&shared->payload_bytes, more.payload_bytes);
	if (more.sequenced)
		add_shared(&shared->sequenced, more.sequenced);
	if (!is_pause(more.gap))
		add_shared_gap(gaps, more.gap);
}

#endif
