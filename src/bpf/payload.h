/* SPDX-License-Identifier: (MIT OR Apache-2.0) AND GPL-2.0 */
/* Stateful: finds the sequence number in a payload, behind a pattern if need be. */
#ifndef FLOWTOP_PAYLOAD_H
#define FLOWTOP_PAYLOAD_H

#include "table.h"

#define PATTERN_BYTES 4
#define SEARCH_BLOCK 64 /* positions a branch */
#define SEARCH_BLOCKS ((PATTERN_SEARCH_BYTES + SEARCH_BLOCK - 1) / SEARCH_BLOCK)
#define SEARCH_ROOM (SEARCH_BLOCKS * SEARCH_BLOCK + SEARCH_BLOCK)
#define NOT_FOUND -1

struct search_room {
	__u8 bytes[SEARCH_ROOM];
};

/* Key: 0. The payload's beginning, copied out so that it lies in one piece. This program only. */
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

/* The functions below are global, not static: the verifier then looks at each once, not once for each caller. */

/* The first position in [start, start + 64) at which the pattern stands, its last byte below `length`. */
__noinline int search_block(const struct search_room *room, __u32 start, __u32 pattern, __u32 length)
{
	__u64 filter = (pattern & 0xff) * 0x0101010101010101ULL;
	const __u8 *block;

	if (!room || start > SEARCH_ROOM - SEARCH_BLOCK - 8)
		return NOT_FOUND;
	block = room->bytes + start;
#pragma unroll
	for (int word = 0; word < SEARCH_BLOCK; word += 8) {
		if (!zero_bytes(*(const __u64 *)(block + word) ^ filter))
			continue;
#pragma unroll
		for (int i = word; i < word + 8; i++)
			if (*(const __u32 *)(block + i) == pattern)
				return start + i + PATTERN_BYTES <= length ? (int)start + i : NOT_FOUND;
	}
	return NOT_FOUND;
}

/* Whether the pattern's first two bytes may stand next to each other in this block; a no is certain. */
static __always_inline int may_begin_in(const __u64 *words, __u64 first, __u64 second)
{
	__u64 hit = 0;

#pragma unroll
	for (int i = 0; i < SEARCH_BLOCK / 8; i++)
		hit |= zero_bytes(words[i] ^ first);
	if (!hit)
		return 0;
	hit = 0;
#pragma unroll
	for (int i = 0; i < SEARCH_BLOCK / 8; i++) {
		__u64 behind = *(const __u64 *)((const __u8 *)(words + i) + 1);

		hit |= zero_bytes(words[i] ^ first) & zero_bytes(behind ^ second);
	}
	return !!hit;
}

/* The first position of the pattern (in memory order) within the `length` copied bytes. The pattern's first byte
 * filters: 64 positions at a time are ruled out by one branch; the second one, where that does not.
 */
__noinline int search_pattern(const struct search_room *room, __u32 pattern, __u32 length)
{
	__u64 first = (pattern & 0xff) * 0x0101010101010101ULL;
	__u64 second = (pattern >> 8 & 0xff) * 0x0101010101010101ULL;

	if (!room)
		return NOT_FOUND;
	for (__u32 block = 0; block < SEARCH_BLOCKS; block++) {
		const __u64 *words = (const __u64 *)(room->bytes + block * SEARCH_BLOCK);
		int found;

		if (block * SEARCH_BLOCK >= length)
			return NOT_FOUND;
		if (!may_begin_in(words, first, second))
			continue;
		found = search_block(room, block * SEARCH_BLOCK, pattern, length);
		if (found != NOT_FOUND)
			return found;
	}
	return NOT_FOUND;
}

/* The first position of `pattern` (host byte order of its big-endian word) in the payload, within the first
 * PATTERN_SEARCH_BYTES. What lies up to where the pattern was last time is searched first: a pattern that keeps
 * its place costs no more than its place, and the first one is still the first one.
 */
__noinline int find_pattern(struct __sk_buff *skb, __u32 payload_offset, __u32 payload_bytes, __u32 pattern, __u32 hint)
{
	__u32 zero = 0, in_memory = __builtin_bswap32(pattern);
	struct search_room *room = bpf_map_lookup_elem(&search_rooms, &zero);
	__u32 whole = payload_bytes < PATTERN_SEARCH_BYTES + PATTERN_BYTES - 1 ?
			      payload_bytes :
			      PATTERN_SEARCH_BYTES + PATTERN_BYTES - 1;
	__u32 length = (hint & 0xffff) + PATTERN_BYTES;
	int found;

	if (!room || whole < PATTERN_BYTES || whole > SEARCH_ROOM)
		return NOT_FOUND;
	if (hint && length < whole / 2 && length < SEARCH_ROOM) {
		if (bpf_skb_load_bytes(skb, payload_offset, room->bytes, length))
			return NOT_FOUND;
		found = search_pattern(room, in_memory, length);
		if (found != NOT_FOUND)
			return found;
	}
	if (bpf_skb_load_bytes(skb, payload_offset, room->bytes, whole))
		return NOT_FOUND;
	return search_pattern(room, in_memory, whole);
}

/* Where the number stands in the payload, from the payload's start; NOT_FOUND where the packet has none. */
static __always_inline int find_number(struct __sk_buff *skb, struct flow_slot *slot,
				       const struct sequence_profile *profile, __u32 payload_offset,
				       __u32 payload_bytes)
{
	__u32 width = profile->flags & PROFILE_WIDTH_16 ? 2 : 4;
	__u32 at = profile->offset;

	if (profile->flags & PROFILE_PATTERN) {
		int found = find_pattern(skb, payload_offset, payload_bytes, profile->pattern, slot->hint);

		if (found < 0)
			return NOT_FOUND;
		slot->hint = found;
		at += found;
	}
	return at + width <= payload_bytes ? (int)at : NOT_FOUND;
}

/* Reads the number of one payload. Returns 0, or NOT_FOUND. */
static __always_inline int read_number(struct __sk_buff *skb, struct flow_slot *slot,
				       const struct sequence_profile *profile, __u32 payload_offset,
				       __u32 payload_bytes, __u32 *number)
{
	int at = find_number(skb, slot, profile, payload_offset, payload_bytes);
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
