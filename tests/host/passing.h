/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Numbers and segments as sequence_dispatch.h has them: those that are next pass, all others are judged with the series closed. */
#ifndef FLOWTOP_PASSING_H
#define FLOWTOP_PASSING_H

#include "series.h"

/* The flow as it is known once its run has ended. */
static inline struct flow_slot settled(const struct flow_slot *slot)
{
	struct flow_slot closed = *slot;

	closed.run &= ~RUN_PLAIN;
	end_run(&closed);
	return closed;
}

static inline int is_passed(struct flow_slot *slot, __u64 next)
{
	if (next)
		*series_of(slot) = next;
	return !!next;
}

/* Returns whether it passed. */
static inline int pass_or_place(struct flow_slot *slot, __u32 number, int is_16_bit, __u32 threshold)
{
	if (is_passed(slot, series_behind_number(*series_of(slot), number, is_16_bit)))
		return 1;
	*slot = settled(slot);
	place_number(slot, number, is_16_bit, threshold);
	*series_of(slot) = series_as_judged(slot);
	return 0;
}

/* The same; `took_part`: what track_tcp() said, or would have. */
static inline int pass_or_track(struct flow_slot *slot, __u32 number, __u8 tcp_flags, __u32 payload, __u32 segment,
				__u32 threshold, int *took_part)
{
	*took_part = 1;
	if (is_passed(slot, series_behind_segment(*series_of(slot), number, tcp_flags, payload, segment)))
		return 1;
	*slot = settled(slot);
	*took_part = track_tcp(slot, number, tcp_flags, payload, segment, threshold);
	*series_of(slot) = series_as_judged(slot);
	return 0;
}

/* Whether the next number alone, or the next segment, leaves what all of place_number() or track_tcp() leaves. */
static inline int is_same(const struct flow_slot *passed, const struct flow_slot *judged)
{
	struct flow_slot now = settled(passed);

	return !memcmp(&now, judged, sizeof(now));
}

#endif
