/* SPDX-License-Identifier: MIT OR Apache-2.0 OR GPL-2.0-only */
/* Pure: loss, reordering and duplicates out of sequence numbers. No map, no helper.
 *
 * Every function expects that its caller alone changes the slot's second half and `expected` meanwhile.
 */
#ifndef FLOWTOP_SEQUENCE_H
#define FLOWTOP_SEQUENCE_H

#include "packet.h"

#define SEEN_WINDOW 64
#define SERIES_AHEAD (1 << 24) /* further ahead or behind, and a restart of the sender is considered */
#define SERIES_BEHIND 1024
#define SERIES_AHEAD_16 3000
#define SERIES_BEHIND_16 100
#define TCP_REACH (1U << 31) /* a segment begins this far behind `expected` at most */

/* The signed distance from `expected`, in the number's own width. */
static __always_inline __s32 sequence_distance(__u32 number, __u32 expected, int is_16_bit)
{
	return is_16_bit ? (__s16)(number - expected) : (__s32)(number - expected);
}

/* Numbers up to `number` count as seen or as missed from here on, older ones as neither. */
static __always_inline void begin_series(struct flow_slot *slot, __u32 number)
{
	slot->expected = number + 1;
	slot->seen = 1;
	slot->base_age = 1;
	slot->flags = (slot->flags | SEQUENCE_STARTED) & ~SEQUENCE_CANDIDATE;
}

/* `expected` moves on past `distance` missing numbers and the one that came. */
static __always_inline void advance_series(struct flow_slot *slot, __u32 number, __u32 distance)
{
	__u32 age = slot->base_age + distance + 1;

	slot->seen = distance + 1 < SEEN_WINDOW ? slot->seen << (distance + 1) | 1 : 1;
	slot->base_age = age < SEEN_WINDOW ? age : SEEN_WINDOW;
	slot->expected = number + 1;
}

/* A number behind `expected`: seen already, or late. */
static __always_inline void judge_behind(struct flow_slot *slot, __u32 age)
{
	if (age < SEEN_WINDOW) {
		__u64 bit = 1ULL << age;

		if (slot->seen & bit) {
			slot->duplicates += 1;
			return;
		}
		slot->seen |= bit;
		if (age < slot->base_age && slot->lost)
			slot->lost -= 1;
	}
	slot->reverse_errors += 1;
}

/* The table of the metrics, for one number. */
static __always_inline void judge_number(struct flow_slot *slot, __u32 number, int is_16_bit, __u32 threshold)
{
	__s32 distance = sequence_distance(number, slot->expected, is_16_bit);

	if (distance < 0) {
		judge_behind(slot, (__u32)(-(__s64)distance - 1));
		return;
	}
	if (distance > 0) {
		if ((__u32)distance < threshold)
			slot->small_errors += 1;
		else
			slot->big_errors += 1;
		slot->lost += distance;
	}
	advance_series(slot, number, distance);
}

static __always_inline int is_out_of_series(__s32 distance, int is_16_bit)
{
	if (is_16_bit)
		return distance > SERIES_AHEAD_16 || distance < -SERIES_BEHIND_16;
	return distance > SERIES_AHEAD || distance < -SERIES_BEHIND;
}

/* One packet with a readable number, RFC 3550 appendix A.1 with two sequential packets for a new series. */
static __always_inline void track_number(struct flow_slot *slot, __u32 number, int is_16_bit, __u32 threshold)
{
	__u32 mask = is_16_bit ? 0xffff : 0xffffffff;

	if (!(slot->flags & SEQUENCE_STARTED)) {
		begin_series(slot, number);
		return;
	}
	if (slot->flags & SEQUENCE_CANDIDATE) {
		if (((slot->candidate + 1) & mask) == number) {
			begin_series(slot, slot->candidate);
			advance_series(slot, number, 0);
			slot->restarts += 1;
			return;
		}
		slot->flags &= ~SEQUENCE_CANDIDATE;
		judge_number(slot, slot->candidate, is_16_bit, threshold);
	}
	if (is_out_of_series(sequence_distance(number, slot->expected, is_16_bit), is_16_bit)) {
		slot->candidate = number;
		slot->flags |= SEQUENCE_CANDIDATE;
		return;
	}
	judge_number(slot, number, is_16_bit, threshold);
}

/* The span of missing TCP bytes: from its lowest to behind its highest. Empty where both are the same. */
static __always_inline void set_missing(struct flow_slot *slot, __u32 first, __u32 end)
{
	slot->seen = (__u64)end << 32 | first;
}

/* Bytes of a segment `distance` from `expected` that lie within the missing span were not lost after all. Everything is
 * counted from the span's first byte, which may be further away than a signed difference of two numbers can tell.
 */
static __always_inline void fill_missing(struct flow_slot *slot, __s32 distance, __u32 length)
{
	__u32 first = (__u32)slot->seen, last = (__u32)(slot->seen >> 32);
	__s64 begin = (__s64)(__u32)(slot->expected - first) + distance, end = begin + length;
	__s64 from = begin > 0 ? begin : 0, to = end < (__u32)(last - first) ? end : (__u32)(last - first);

	if (to <= from)
		return;
	slot->lost = slot->lost > (__u64)(to - from) ? slot->lost - (to - from) : 0;
	if (!slot->lost)
		first = last;
	else if (!from)
		first += to;
	set_missing(slot, first, last);
}

/* `expected` moves on. What is missing further back than any segment can reach from there stays lost: its numbers will
 * be those of other bytes.
 */
static __always_inline void expect_bytes(struct flow_slot *slot, __u32 expected)
{
	__u32 first = (__u32)slot->seen, last = (__u32)(slot->seen >> 32);

	if (first != last) {
		__u64 advance = (__u32)(expected - slot->expected);

		/* One byte more: whoever fills bytes from there on is in the span's middle. */
		if ((__u32)(slot->expected - first) + advance > TCP_REACH)
			first = expected - TCP_REACH - 1;
		if ((__u32)(slot->expected - last) + advance >= TCP_REACH)
			last = first;
		set_missing(slot, first, last);
	}
	slot->expected = expected;
}

static __always_inline void lose_bytes(struct flow_slot *slot, __u32 number, __u32 distance, __u32 threshold)
{
	__u32 segment = slot->largest_payload ? slot->largest_payload : 1;
	__u32 first = slot->expected;

	expect_bytes(slot, number);
	if ((__u32)slot->seen != (__u32)(slot->seen >> 32))
		first = (__u32)slot->seen;
	if ((distance + segment - 1) / segment < threshold)
		slot->small_errors += 1;
	else
		slot->big_errors += 1;
	slot->lost += distance;
	set_missing(slot, first, number);
}

static __always_inline void begin_bytes(struct flow_slot *slot, __u32 end, int is_restart)
{
	slot->expected = end;
	slot->restarts += is_restart;
	set_missing(slot, end, end);
	slot->flags = (slot->flags | SEQUENCE_STARTED) & ~SEQUENCE_STOPPED;
}

/* What most segments are: the next one of a series without a gap, none larger than those before. Returns whether it was. All
 * others are for track_tcp(), which would say the same of this one.
 */
static __always_inline int continue_bytes(struct flow_slot *slot, __u32 number, __u8 tcp_flags, __u32 payload)
{
	if (number != slot->expected || slot->flags != SEQUENCE_STARTED || tcp_flags & (TCP_SYN | TCP_FIN | TCP_RST) ||
	    !payload || payload > slot->largest_payload || (__u32)slot->seen != slot->seen >> 32)
		return 0;
	slot->expected += payload;
	return 1;
}

/* One TCP buffer. Returns whether it takes part: it carries payload, SYN or FIN and is no keep-alive. */
static __always_inline int track_tcp(struct flow_slot *slot, __u32 number, __u8 tcp_flags, __u32 payload, __u32 segment,
				     __u32 threshold)
{
	int is_syn = !!(tcp_flags & TCP_SYN);
	__u32 length = payload + is_syn + !!(tcp_flags & TCP_FIN);
	__s32 distance = (__s32)(number - slot->expected);

	if (tcp_flags & TCP_RST) {
		if (slot->flags & SEQUENCE_STARTED)
			slot->flags = (slot->flags & ~SEQUENCE_STARTED) | SEQUENCE_STOPPED;
		return 0;
	}
	if (!length)
		return 0;
	if (segment > slot->largest_payload)
		slot->largest_payload = segment < 0xffff ? segment : 0xffff;
	if (!(slot->flags & SEQUENCE_STARTED)) {
		begin_bytes(slot, number + length, !!(slot->flags & SEQUENCE_STOPPED));
		return 1;
	}
	if (is_syn && (distance > 0 || distance < -SERIES_AHEAD)) {
		begin_bytes(slot, number + length, 1);
		return 1;
	}
	if (distance == -1 && payload <= 1 && length == payload)
		return 0;
	if (distance > 0)
		lose_bytes(slot, number, distance, threshold);
	if (distance < 0) {
		slot->reverse_errors += 1;
		fill_missing(slot, distance, length);
	}
	if (distance >= 0 || (__s32)(number + length - slot->expected) > 0)
		expect_bytes(slot, number + length);
	return 1;
}

#endif
