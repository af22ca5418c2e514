/* SPDX-License-Identifier: (MIT OR Apache-2.0) AND GPL-2.0 */
/* Stateful: finds the sequence number in a payload, behind a pattern if need be. */
#ifndef FLOWTOP_PAYLOAD_H
#define FLOWTOP_PAYLOAD_H

#include "table.h"

#define PATTERN_BYTES 4
#define SEARCH_BLOCK 64 /* positions a branch */
#define BLOCK_BYTES (SEARCH_BLOCK + PATTERN_BYTES - 1)
#define SEARCH_BLOCKS ((PATTERN_SEARCH_BYTES + SEARCH_BLOCK - 1) / SEARCH_BLOCK)
#define SCAN_BYTES 1024 /* at a time: what the verifier looks through */
#define SEARCH_STEPS (SEARCH_BLOCKS + 1)
#define SEARCH_ROOM (SEARCH_BLOCKS * SEARCH_BLOCK + SCAN_BYTES + BLOCK_BYTES)
#define PACKET_REACH 0xe000 /* the verifier lets a program read a packet in place up to here */
#define NOT_FOUND -1

struct search_room {
	__u8 bytes[SEARCH_ROOM];
};

/* Key: 0. The payload's beginning, copied out where it does not lie in one piece. This program only. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__type(key, __u32);
	__type(value, struct search_room);
	__uint(max_entries, 1);
} search_rooms SEC(".maps");

/* Nonzero where a byte of `word` is zero (exact as a yes or no; Hacker's Delight, chapter 6). */
static __always_inline __u64 zero_bytes(__u64 word)
{
	return (word - 0x0101010101010101ULL) & ~word & 0x8080808080808080ULL;
}

/* Whether the pattern (in memory order) may begin at one of the 64 positions from `block` on: whether its first two
 * bytes seem to stand next to each other. A no is certain.
 */
static __always_inline int may_begin_in(const __u8 *block, __u32 pattern)
{
	const __u64 every_byte = 0x0101010101010101ULL;
	__u64 first = (pattern & 0xff) * every_byte, second = (pattern >> 8 & 0xff) * every_byte, hit = 0;

#pragma unroll
	for (int i = 0; i < SEARCH_BLOCK; i += 8)
		hit |= zero_bytes(*(const __u64 *)(block + i) ^ first);
	if (!hit)
		return 0;
	/* Rather computed again than kept: there are not that many registers. */
	asm volatile("" : "+r"(first));
	hit = 0;
#pragma unroll
	for (int i = 0; i < SEARCH_BLOCK; i += 8)
		hit |= zero_bytes(*(const __u64 *)(block + i) ^ first) &
		       zero_bytes(*(const __u64 *)(block + i + 1) ^ second);
	return !!hit;
}

/* The functions below are global, not static: the verifier then looks at each once, not once for each caller. They come
 * in pairs, for what lies in place and for what was copied out; `length` is that of what is searched.
 */

/* How many positions, in whole blocks, certainly do not hold the pattern. */
__noinline __u32 rule_out(struct __sk_buff *skb, __u32 offset, __u32 length, __u32 pattern)
{
	const __u8 *at = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	__u32 ruled_out = 0;

	if (offset > PACKET_REACH)
		return 0;
	at += offset;
	for (; ruled_out < SCAN_BYTES; ruled_out += SEARCH_BLOCK) {
		if (ruled_out + BLOCK_BYTES > length || at + BLOCK_BYTES > end || may_begin_in(at, pattern))
			break;
		at += SEARCH_BLOCK;
	}
	return ruled_out;
}

__noinline __u32 rule_out_copied(const struct search_room *room, __u32 start, __u32 length, __u32 pattern)
{
	__u32 ruled_out = 0;

	if (!room || start > SEARCH_ROOM - SCAN_BYTES - BLOCK_BYTES)
		return 0;
	for (; ruled_out < SCAN_BYTES; ruled_out += SEARCH_BLOCK)
		if (start + ruled_out >= length || may_begin_in(room->bytes + start + ruled_out, pattern))
			break;
	return ruled_out;
}

/* The first of the 64 positions from `offset` on at which the pattern stands. Where fewer are left, most often a look at
 * the block that ends with the data says that it does not.
 */
__noinline int search_block(struct __sk_buff *skb, __u32 offset, __u32 length, __u32 pattern)
{
	const __u8 *at = (void *)(long)skb->data, *end = (void *)(long)skb->data_end, *tail = at;
	__u32 from = length < BLOCK_BYTES ? offset + length - BLOCK_BYTES : offset;

	if (offset > PACKET_REACH)
		return NOT_FOUND;
	at += offset;
	if (from <= PACKET_REACH) {
		tail += from;
		if (tail + BLOCK_BYTES <= end && !may_begin_in(tail, pattern))
			return NOT_FOUND;
	}
	for (__u32 i = 0; i < SEARCH_BLOCK; i++) {
		if (i + PATTERN_BYTES > length || at + i + PATTERN_BYTES > end)
			return NOT_FOUND;
		if (*(const __u32 *)(at + i) == pattern)
			return i;
	}
	return NOT_FOUND;
}

__noinline int search_copied_block(const struct search_room *room, __u32 start, __u32 length, __u32 pattern)
{
	if (!room || start > SEARCH_ROOM - BLOCK_BYTES)
		return NOT_FOUND;
#pragma unroll
	for (int i = 0; i < SEARCH_BLOCK; i++)
		if (*(const __u32 *)(room->bytes + start + i) == pattern)
			return start + i + PATTERN_BYTES <= length ? i : NOT_FOUND;
	return NOT_FOUND;
}

__noinline int search_copy(struct __sk_buff *skb, __u32 offset, __u32 length, __u32 pattern)
{
	__u32 zero = 0, start = 0;
	struct search_room *room = bpf_map_lookup_elem(&search_rooms, &zero);

	if (!room || length < PATTERN_BYTES || length > SEARCH_ROOM ||
	    bpf_skb_load_bytes(skb, offset, room->bytes, length))
		return NOT_FOUND;
	for (int i = 0; i < SEARCH_STEPS && start < length; i++) {
		__u32 ruled_out = rule_out_copied(room, start, length, pattern);
		int found;

		start += ruled_out;
		if (ruled_out >= SCAN_BYTES)
			continue;
		found = search_copied_block(room, start, length, pattern);
		if (found != NOT_FOUND)
			return start + found;
		start += SEARCH_BLOCK;
	}
	return NOT_FOUND;
}

__noinline int search_in_place(struct __sk_buff *skb, __u32 offset, __u32 length, __u32 pattern)
{
	__u32 start = 0;

	for (int i = 0; i < SEARCH_STEPS && start < length; i++) {
		__u32 ruled_out = rule_out(skb, offset + start, length - start, pattern);
		int found;

		start += ruled_out;
		if (ruled_out >= SCAN_BYTES)
			continue;
		found = search_block(skb, offset + start, length - start, pattern);
		if (found != NOT_FOUND)
			return start + found;
		start += SEARCH_BLOCK;
	}
	return NOT_FOUND;
}

/* The first position of `pattern` (host byte order of its big-endian word) in the payload, within the first
 * PATTERN_SEARCH_BYTES: in place, or in a copy where the payload does not lie in one piece.
 */
static __always_inline int find_pattern(struct __sk_buff *skb, __u32 offset, __u32 length, __u32 pattern)
{
	const __u8 *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;

	pattern = __builtin_bswap32(pattern);
	if (length > PATTERN_SEARCH_BYTES + PATTERN_BYTES - 1)
		length = PATTERN_SEARCH_BYTES + PATTERN_BYTES - 1;
	if (offset > PACKET_REACH || data + offset + length > end)
		return search_copy(skb, offset, length, pattern);
	return search_in_place(skb, offset, length, pattern);
}

/* Where the number stands in the payload, from the payload's start; NOT_FOUND where the packet has none. */
static __always_inline int find_number(struct __sk_buff *skb, const struct sequence_profile *profile,
				       __u32 payload_offset, __u32 payload_bytes)
{
	__u32 width = profile->flags & PROFILE_WIDTH_16 ? 2 : 4;
	__u32 at = profile->offset;

	if (profile->flags & PROFILE_PATTERN) {
		int found = find_pattern(skb, payload_offset, payload_bytes, profile->pattern);

		if (found < 0)
			return NOT_FOUND;
		at += found;
	}
	return at + width <= payload_bytes ? (int)at : NOT_FOUND;
}

/* Reads the number of one payload. Returns 0, or NOT_FOUND. */
static __always_inline int read_number(struct __sk_buff *skb, const struct sequence_profile *profile,
				       __u32 payload_offset, __u32 payload_bytes, __u32 *number)
{
	int at = find_number(skb, profile, payload_offset, payload_bytes);
	__u8 bytes[4];

	if (at < 0)
		return NOT_FOUND;
	if (profile->flags & PROFILE_RTP) {
		if (bpf_skb_load_bytes(skb, payload_offset, bytes, 1) || bytes[0] >> 6 != 2)
			return NOT_FOUND;
	}
	if (profile->flags & PROFILE_WIDTH_16) {
		if (bpf_skb_load_bytes(skb, payload_offset + at, bytes, 2))
			return NOT_FOUND;
		*number = profile->flags & PROFILE_LITTLE_ENDIAN ? bytes[1] << 8 | bytes[0] : read_u16(bytes);
		return 0;
	}
	if (bpf_skb_load_bytes(skb, payload_offset + at, bytes, 4))
		return NOT_FOUND;
	*number = read_u32(bytes);
	if (profile->flags & PROFILE_LITTLE_ENDIAN)
		*number = __builtin_bswap32(*number);
	return 0;
}

#endif
