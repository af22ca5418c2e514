/* SPDX-License-Identifier: MIT OR Apache-2.0 OR GPL-2.0-only */
/* Pure: exact integer sums over the gaps between arrivals. No map, no helper. */
#ifndef FLOWTOP_INTERARRIVAL_H
#define FLOWTOP_INTERARRIVAL_H

#include "packet.h"

/* Adds one gap, ns. Two CPUs that meet within the clock's reach may see a small negative one: the sum stays exact. */
static __always_inline void add_gap(struct flow_counters *counters, __s64 gap)
{
	__u64 square = (__u64)(gap * gap);
	__u64 low = counters->gap_squares_low + square;

	counters->gaps += 1;
	counters->gap_sum += (__u64)gap;
	counters->gap_squares_high += low < square;
	counters->gap_squares_low = low;
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

/* What an earlier epoch had gathered is dropped. */
static __always_inline void begin_epoch(struct flow_counters *counters, __u16 epoch)
{
	counters->epoch = epoch;
	counters->gap_squares_high = 0;
	counters->gap_squares_low = 0;
	counters->gap_sum = 0;
	counters->gaps = 0;
}

/* What an earlier flow in this slot had gathered on this CPU is dropped. */
static __always_inline void begin_generation(struct flow_counters *counters, __u32 generation, __u16 epoch)
{
	begin_epoch(counters, epoch);
	counters->generation = generation;
	counters->packets = 0;
	counters->bytes = 0;
	counters->payload_bytes = 0;
	counters->sequenced = 0;
}

#endif
