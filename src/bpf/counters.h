/* SPDX-License-Identifier: MIT OR Apache-2.0 OR GPL-2.0-only */
/* Stateful: what one CPU counted of one flow. Whose it is, and exact integer sums over the gaps between arrivals.
 *
 * The CPU's own, and read by user space meanwhile: what makes the rest valid is set last, by an atomic operation that returns
 * what was there before and so is a full barrier. It comes with new flows, new epochs and carries only.
 */
#ifndef FLOWTOP_COUNTERS_H
#define FLOWTOP_COUNTERS_H

#include "packet.h"

/* Adds one gap, ns. Two CPUs that meet within the clock's reach may see a small negative one: the sum stays exact. */
static __always_inline void add_gap(struct flow_counters *counters, __s64 gap)
{
	__u64 before = counters->gap_squares, squares = before + (__u64)(gap * gap);

	counters->gaps += 1;
	counters->gap_sum += (__u64)gap;
	counters->gap_squares = squares;
	/* Less than 2^62 was added. */
	if ((squares ^ before) >> 63) {
		before = __sync_fetch_and_add(&counters->life, 1ULL << COUNTERS_SQUARES_SHIFT);
		KEEP(before);
	}
}

/* What an earlier epoch had gathered is dropped. */
static __always_inline void begin_epoch(struct flow_counters *counters, __u64 life)
{
	counters->gap_squares = 0;
	counters->gap_sum = 0;
	counters->gaps = 0;
	__sync_lock_test_and_set(&counters->life, life);
}

/* What an earlier flow in this slot had gathered on this CPU is dropped. */
static __always_inline void begin_generation(struct flow_counters *counters, __u64 life)
{
	counters->packets = 0;
	counters->bytes = 0;
	counters->payload_bytes = 0;
	counters->sequenced = 0;
	begin_epoch(counters, life);
}

/* Makes this CPU's counters those of the flow with this control word. */
static __always_inline void own_counters(struct flow_counters *counters, __u64 control)
{
	__u64 life = control >> FLOW_GENERATION_SHIFT;

	/* Generation and epoch, then the generation alone. */
	if (!((counters->life ^ life) << (64 - COUNTERS_SQUARES_SHIFT)))
		return;
	if ((__u32)counters->life != (__u32)life)
		begin_generation(counters, life);
	else
		begin_epoch(counters, life);
}

#endif
