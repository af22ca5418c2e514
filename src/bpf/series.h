/* SPDX-License-Identifier: MIT OR Apache-2.0 OR GPL-2.0-only */
/* Pure: the series as one word, for the next number in order. No map, no helper.
 *
 * As long as nothing is open in a series, all that the next number has to be asked about is in that word, and so is all that it
 * changes: `seen` and `base_age` are brought up to date when another number comes. What these functions say of a number is what
 * place_number() and track_tcp() would say of it.
 */
#ifndef FLOWTOP_SERIES_H
#define FLOWTOP_SERIES_H

#include <linux/in.h>

#include "sequence.h"
#include "stream.h"

#define SERIES_RUN_SHIFT 56
#define SERIES_PLAIN ((__u64)RUN_PLAIN << SERIES_RUN_SHIFT)
#define SERIES_RUN_FULL ((__u64)SEEN_WINDOW << SERIES_RUN_SHIFT) /* a bit of its own: no run is longer */
#define SERIES_NUMBER 0xffffffffULL

/* The fields from `expected` to `run`, as the word that they are. */
typedef __u64 __attribute__((may_alias)) series_word;

static __always_inline series_word *series_of(struct flow_slot *slot)
{
	return (series_word *)&slot->expected;
}

/* The series behind its next number; 0, which no plain series is, where the number is another one or something is open. */
static __always_inline __u64 series_behind_number(__u64 series, __u32 number, int is_16_bit)
{
	if (!(series & SERIES_PLAIN) || sequence_distance(number, series, is_16_bit))
		return 0;
	if (!(series & SERIES_RUN_FULL))
		series += 1ULL << SERIES_RUN_SHIFT;
	return (series & ~SERIES_NUMBER) | (__u32)(number + 1);
}

/* The same behind a segment, or an aggregate of them; 0, too, where one is larger than those before. */
static __always_inline __u64 series_behind_segment(__u64 series, __u32 number, __u8 tcp_flags, __u32 payload,
						   __u32 segment)
{
	if (!(series & SERIES_PLAIN) || number != (__u32)series || tcp_flags & (TCP_SYN | TCP_FIN | TCP_RST) ||
	    !payload || segment > (__u16)(series >> 32))
		return 0;
	return (series & ~SERIES_NUMBER) | (__u32)(number + payload);
}

/* Brings `seen` and `base_age` up to date; nobody passes meanwhile. A stream has no run. */
static __always_inline void end_run(struct flow_slot *slot)
{
	__u32 run = slot->run & RUN_LENGTH, age = slot->base_age + run;

	if (run)
		slot->seen = run < SEEN_WINDOW ? slot->seen << run | ((1ULL << run) - 1) : ~0ULL;
	slot->base_age = age < BASE_PASSED ? age : BASE_PASSED;
	slot->run = 0;
}

/* Whether the next number in order would change nothing but `expected` and what end_run() makes good. */
static __always_inline int has_nothing_open(const struct flow_slot *slot)
{
	if (slot->key.protocol == IPPROTO_TCP)
		return slot->flags == SEQUENCE_STARTED && (__u32)slot->seen == slot->seen >> 32;
	return (slot->flags & (SEQUENCE_STARTED | OTHER_OPEN)) == SEQUENCE_STARTED;
}

/* What the series is from here on, out of its fields one by one: they have just been written so. */
static __always_inline __u64 series_as_judged(const struct flow_slot *slot)
{
	return (has_nothing_open(slot) ? SERIES_PLAIN : 0) | (__u64)slot->flags << 48 | (__u64)slot->other_seen << 32 |
	       slot->expected;
}

#endif
