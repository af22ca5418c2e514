/* SPDX-License-Identifier: MIT OR Apache-2.0 OR GPL-2.0-only */
/* Stateful: histograms of gaps, of the flows that keep one. */
#ifndef FLOWTOP_HISTOGRAM_H
#define FLOWTOP_HISTOGRAM_H

#include "packet.h"

#define LONGEST_TRIES 16

/* Key: slot of flow_table. Entries are made and removed by user space, which also sets FLOW_FOCUSED; this program
 * only counts. There is memory for those that there are, and no more.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, __u32);
	__type(value, struct gap_histogram);
	__uint(max_entries, FOCUSED_FLOWS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
} gap_histograms SEC(".maps");

/* The bucket of a gap: its six highest bits, and how many lie below them; the last one is open. The definition is
 * bucket_of in src/model/histogram.rs.
 */
static __always_inline __u32 gap_bucket(__u64 gap)
{
	__u32 below = 0, bucket;

	for (int width = 32; width; width /= 2)
		if (gap >> HISTOGRAM_SHIFT >> (below + width))
			below += width;
	bucket = (below << HISTOGRAM_SHIFT) + (gap >> below);
	return bucket < HISTOGRAM_BUCKETS ? bucket : HISTOGRAM_BUCKETS - 1;
}

/* Other CPUs may do the same: each that comes between has set a longer one. */
static __always_inline void keep_longest(__u64 *longest, __u64 gap)
{
	__u64 before = READ_ONCE(*longest), found;

	for (int tries = 0; tries < LONGEST_TRIES && before < gap; tries++) {
		found = __sync_val_compare_and_swap(longest, before, gap);
		if (found == before)
			break;
		before = found;
	}
}

/* The flow that somebody looks at keeps a histogram. Shared by all CPUs: atomic. The longest gap first: no reader finds one
 * counted that is longer.
 */
__noinline int record_gap(__u32 slot, __s64 gap)
{
	struct gap_histogram *histogram = bpf_map_lookup_elem(&gap_histograms, &slot);
	__u64 length = gap < 0 ? 0 : gap;
	__u32 bucket = gap_bucket(length);

	if (histogram && bucket < HISTOGRAM_BUCKETS) {
		keep_longest(&histogram->longest, length);
		__sync_fetch_and_add(&histogram->counts[bucket], 1);
	}
	return 0;
}

#endif
