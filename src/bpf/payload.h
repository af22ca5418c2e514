/* SPDX-License-Identifier: MIT OR Apache-2.0 OR GPL-2.0-only */
/* Stateful: finds the sequence number in a payload, behind a pattern if need be. */
#ifndef FLOWTOP_PAYLOAD_H
#define FLOWTOP_PAYLOAD_H

#include "table.h"

#define PATTERN_BYTES 4
#define SEARCH_BLOCK 64 /* positions a branch */
#define BLOCK_BYTES (SEARCH_BLOCK + PATTERN_BYTES - 1)
#define SEARCH_CHUNK 1536 /* positions a call, which costs some 10 ns */
#define CHUNK_BYTES (SEARCH_CHUNK + BLOCK_BYTES)
#define SEARCH_CHUNKS ((PATTERN_SEARCH_BYTES + SEARCH_CHUNK - 1) / SEARCH_CHUNK)
#define PACKET_REACH 0xe000 /* the verifier lets a program read a packet in place up to here */
#define NOT_FOUND -1
#define ELSEWHERE -2 /* not all of it is in place */

/* How many of the `length` bytes at `offset` are there to be searched: in the kernel, all. */
#ifndef kept_bytes
#define kept_bytes(skb, offset, length) (length)
#endif

struct search_room {
	__u8 bytes[CHUNK_BYTES];
};

/* Key: 0. A piece of a payload, copied out where it does not lie in the linear part. This program only. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__type(key, __u32);
	__type(value, struct search_room);
	__uint(max_entries, 1);
} search_rooms SEC(".maps");

/* What the pattern's first two bytes (in memory order) are looked for with, in all bytes of a word at once. */
struct filter {
	__u64 first; /* in every byte */
	__u64 second;
	__u64 ones; /* 1 in every byte but the lowest */
};

static __always_inline struct filter filter_of(__u32 pattern)
{
	const __u64 every_byte = 0x0101010101010101ULL;
	struct filter filter = {
		.first = (pattern & 0xff) * every_byte,
		.second = (pattern >> 8 & 0xff) * every_byte,
		.ones = every_byte - 1,
	};

	/* Rather from a register than made again for each word. */
	KEEP(filter.ones);
	return filter;
}

/* Whether they stand at one of the 64 positions of `block`, eight at a time: where they do, a word and the one that begins
 * a byte later differ from them in no bit. The highest bit of every byte of (ones - x) | x is set unless x has a byte that
 * is zero, by the complement of (x - 1) & ~x (Hacker's Delight, chapter 6): exact as a yes or no for the whole word.
 */
static __always_inline int may_begin_in(const __u8 *block, const struct filter *filter)
{
	const __u64 highest_bits = 0x8080808080808080ULL;
	__u64 differs = highest_bits;

#pragma unroll
	for (int i = 0; i < SEARCH_BLOCK; i += 8) {
		__u64 word = (*(const __u64 *)(block + i) ^ filter->first) |
			     (*(const __u64 *)(block + i + 1) ^ filter->second);

		differs &= (filter->ones - word) | word;
		KEEP(differs);
	}
	return differs != highest_bits;
}

/* The first of the 64 positions at which the pattern stands. */
static __always_inline int compare(const __u8 *block, __u32 pattern)
{
#pragma unroll
	for (int i = 0; i < SEARCH_BLOCK; i++)
		if (*(const __u32 *)(block + i) == pattern)
			return i;
	return NOT_FOUND;
}

/* The functions below are global, not static: the verifier then looks at each once, not once for each caller. */

/* The first position of the pattern within the last bytes of a payload, a block at most. */
__noinline int search_tail(struct __sk_buff *skb, __u32 offset, __u32 length, __u32 pattern)
{
	__u32 zero = 0;
	struct search_room *room = bpf_map_lookup_elem(&search_rooms, &zero);

	if (!room || length < PATTERN_BYTES)
		return NOT_FOUND;
	KEEP(length);
	if (length > BLOCK_BYTES || bpf_skb_load_bytes(skb, offset, room->bytes, length))
		return NOT_FOUND;
	for (__u32 i = 0; i < SEARCH_BLOCK && i + PATTERN_BYTES <= length; i++)
		if (*(const __u32 *)(room->bytes + i) == pattern)
			return i;
	return NOT_FOUND;
}

/* The first position of the pattern in a block that lies in place at this offset; NOT_FOUND, too, where not all does. */
__noinline int compare_in_place(struct __sk_buff *skb, __u32 offset, __u32 pattern)
{
	const __u8 *block = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;

	if (offset > PACKET_REACH + SEARCH_CHUNK)
		return NOT_FOUND;
	block += offset;
	return block + BLOCK_BYTES > end ? NOT_FOUND : compare(block, pattern);
}

/* The same in a block of the room. */
__noinline int compare_in_room(__u32 at, __u32 pattern)
{
	__u32 zero = 0;
	struct search_room *room = bpf_map_lookup_elem(&search_rooms, &zero);

	return !room || at > CHUNK_BYTES - BLOCK_BYTES ? NOT_FOUND : compare(room->bytes + at, pattern);
}

/* The first position of the pattern in the `length` bytes at `bytes`, a chunk at most, which are those of the packet from
 * `offset` on: in place, up to `end`, or in a room. The loop is taken apart: of one, the verifier forgets what it has seen
 * before it is through with all rounds.
 */
static __always_inline int search_bytes(struct __sk_buff *skb, __u32 offset, __u32 length, __u32 pattern,
					const __u8 *bytes, int in_place, const __u8 *end)
{
	struct filter filter = filter_of(pattern);
	__u32 done = 0;
	int found;

#pragma unroll
	for (; done < SEARCH_CHUNK; done += SEARCH_BLOCK) {
		const __u8 *block = bytes + done;

		KEEP(block);
		if (done + BLOCK_BYTES > length || (in_place && block + BLOCK_BYTES > end))
			break;
		if (!may_begin_in(block, &filter))
			continue;
		found = in_place ? compare_in_place(skb, offset + done, pattern) : compare_in_room(done, pattern);
		if (found != NOT_FOUND)
			return done + found;
	}
	if (done == SEARCH_CHUNK)
		return NOT_FOUND;
	if (length >= BLOCK_BYTES && length - done < BLOCK_BYTES) {
		__u32 from = length - BLOCK_BYTES;
		const __u8 *last;

		KEEP(from);
		if (from > SEARCH_CHUNK)
			return NOT_FOUND;
		last = bytes + from;
		if ((!in_place || last + BLOCK_BYTES <= end) && !may_begin_in(last, &filter))
			return NOT_FOUND;
	}
	found = search_tail(skb, offset + done, length - done, pattern);
	return found == NOT_FOUND ? NOT_FOUND : (int)done + found;
}

/* The first position of the pattern among the first SEARCH_CHUNK from `offset` on, in place. */
__noinline int search_chunk(struct __sk_buff *skb, __u32 offset, __u32 length, __u32 pattern)
{
	const __u8 *bytes = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;

	if (offset > PACKET_REACH || length > CHUNK_BYTES)
		return ELSEWHERE;
	bytes += offset;
	if (bytes + length > end)
		return ELSEWHERE;
	return search_bytes(skb, offset, length, pattern, bytes, 1, end);
}

/* The same by a copy. */
__noinline int search_copy(struct __sk_buff *skb, __u32 offset, __u32 length, __u32 pattern)
{
	__u32 zero = 0;
	struct search_room *room = bpf_map_lookup_elem(&search_rooms, &zero);

	if (!room || length < PATTERN_BYTES)
		return NOT_FOUND;
	KEEP(length);
	if (length > CHUNK_BYTES || bpf_skb_load_bytes(skb, offset, room->bytes, length))
		return NOT_FOUND;
	return search_bytes(skb, offset, length, pattern, room->bytes, 0, NULL);
}

/* The first position of `pattern` (host byte order of its big-endian word) in the payload, within the first
 * PATTERN_SEARCH_BYTES.
 */
static __always_inline int find_pattern(struct __sk_buff *skb, __u32 offset, __u32 length, __u32 pattern)
{
	__u32 start = 0;

	if (length > PATTERN_SEARCH_BYTES + PATTERN_BYTES - 1)
		length = PATTERN_SEARCH_BYTES + PATTERN_BYTES - 1;
	length = kept_bytes(skb, offset, length);
	pattern = __builtin_bswap32(pattern);
	for (int i = 0; i < SEARCH_CHUNKS && start + PATTERN_BYTES <= length; i++) {
		__u32 piece = length - start < CHUNK_BYTES ? length - start : CHUNK_BYTES;
		int found = search_chunk(skb, offset + start, piece, pattern);

		if (found == ELSEWHERE)
			found = search_copy(skb, offset + start, piece, pattern);
		if (found != NOT_FOUND)
			return start + found;
		start += SEARCH_CHUNK;
	}
	return NOT_FOUND;
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
