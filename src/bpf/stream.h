/* SPDX-License-Identifier: MIT OR Apache-2.0 OR GPL-2.0-only */
/* Pure: loss and reordering in a TCP stream, whose numbers count bytes. No map, no helper.
 *
 * Every function expects that its caller alone changes the slot's second half meanwhile.
 */
#ifndef FLOWTOP_STREAM_H
#define FLOWTOP_STREAM_H

#include "packet.h"

#define TCP_REACH (1U << 31) /* a segment begins this far behind `expected` at most */

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
	__u32 segment = slot->other_seen ? slot->other_seen : 1;
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

/* `other` tells its SYN from that of a new connection. */
static __always_inline void begin_bytes(struct flow_slot *slot, __u32 number, __u32 length, int is_syn, int is_restart)
{
	__u32 end = number + length;

	slot->other = is_syn ? number : number - 1;
	slot->expected = end;
	slot->restarts += is_restart;
	set_missing(slot, end, end);
	slot->flags = (slot->flags | SEQUENCE_STARTED) & ~SEQUENCE_STOPPED;
}

/* The numbers that a segment takes up; a reset has no place among them. */
static __always_inline __u32 stream_length(__u8 tcp_flags, __u32 payload)
{
	return tcp_flags & TCP_RST ? 0 : payload + !!(tcp_flags & TCP_SYN) + !!(tcp_flags & TCP_FIN);
}

/* One TCP buffer. Returns whether it takes part: it carries payload, SYN or FIN and is no keep-alive. */
static __always_inline int track_tcp(struct flow_slot *slot, __u32 number, __u8 tcp_flags, __u32 payload, __u32 segment,
				     __u32 threshold)
{
	int is_syn = !!(tcp_flags & TCP_SYN);
	__u32 length = stream_length(tcp_flags, payload);
	__s32 distance = (__s32)(number - slot->expected);

	if (tcp_flags & TCP_RST) {
		if (slot->flags & SEQUENCE_STARTED)
			slot->flags = (slot->flags & ~SEQUENCE_STARTED) | SEQUENCE_STOPPED;
		return 0;
	}
	if (!length)
		return 0;
	if (segment > slot->other_seen)
		slot->other_seen = segment < 0xffff ? segment : 0xffff;
	if (!(slot->flags & SEQUENCE_STARTED)) {
		begin_bytes(slot, number, length, is_syn, !!(slot->flags & SEQUENCE_STOPPED));
		return 1;
	}
	if (is_syn && number != slot->other) {
		begin_bytes(slot, number, length, is_syn, 1);
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
