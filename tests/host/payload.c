// SPDX-License-Identifier: MIT OR Apache-2.0
/* payload.h on packets in this process's memory: what is found is what looking at each position in turn finds. */
#define _GNU_SOURCE
#include <sys/mman.h>

#include "program.h"

static long bpf_skb_load_bytes(const struct __sk_buff *skb, __u32 offset, void *to, __u32 length);

#include "payload.h"

#define MOST 70000 /* bytes of a packet */

/* The only map: its value is not cleared between packets. */
static void *look_up(const void *map, const void *key)
{
	static struct search_room room;

	return map == &search_rooms && !*(const __u32 *)key ? &room : NULL;
}

static __u8 bytes[MOST];

static long bpf_skb_load_bytes(const struct __sk_buff *skb, __u32 offset, void *to, __u32 length)
{
	if (offset > skb->len || length > skb->len - offset)
		return -1;
	memcpy(to, bytes + offset, length);
	return 0;
}

/* The packet in `bytes`: its linear part ends where memory does, and where 32 bits can name it. */
static struct __sk_buff packet_of(__u32 length, __u32 linear)
{
	const __u32 page = 1 << 16, size = 2 * page;
	static __u8 *start;

	if (!start) {
		start = mmap(NULL, size + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
		if (start == MAP_FAILED || mprotect(start + size, page, PROT_NONE))
			abort();
	}
	memcpy(start + size - linear, bytes, linear);
	return (struct __sk_buff){
		.len = length,
		.data = (__u32)(long)(start + size - linear),
		.data_end = (__u32)(long)(start + size),
	};
}

static __u64 random_state = 1;

/* splitmix64 */
static __u32 random_below(__u32 bound)
{
	__u64 word = random_state += 0x9e3779b97f4a7c15ULL;

	word = (word ^ word >> 30) * 0xbf58476d1ce4e5b9ULL;
	word = (word ^ word >> 27) * 0x94d049bb133111ebULL;
	return (word ^ word >> 31) % bound;
}

/* As docs/configuration.md says it: the first position among so many, all of the pattern within the payload. */
static int look_at_each(__u32 offset, __u32 length, __u32 pattern)
{
	for (__u32 at = 0; at < PATTERN_SEARCH_BYTES && at + 4 <= length; at++)
		if (read_u32(bytes + offset + at) == pattern)
			return at;
	return NOT_FOUND;
}

static void expect_found(const char *of, __u32 offset, __u32 length, __u32 linear, __u32 pattern)
{
	struct __sk_buff skb = packet_of(offset + length, linear);
	char name[128];

	snprintf(name, sizeof(name), "%s: %#x in %u bytes at %u, %u of the packet in place", of, pattern, length,
		 offset, linear);
	expect(name, "position", find_pattern(&skb, offset, length, pattern), look_at_each(offset, length, pattern));
}

/* In place, in part, copied. */
static void expect_found_anyhow(const char *of, __u32 offset, __u32 length, __u32 pattern)
{
	expect_found(of, offset, length, offset + length, pattern);
	expect_found(of, offset, length, 0, pattern);
	expect_found(of, offset, length, random_below(offset + length + 1), pattern);
}

static void put(__u32 at, __u32 pattern)
{
	for (int i = 0; i < 4; i++)
		bytes[at + i] = pattern >> (24 - 8 * i);
}

/* Bytes of a few kinds, so that parts of a pattern are everywhere. */
static void fill(__u32 length, __u32 kinds)
{
	for (__u32 i = 0; i < length; i++)
		bytes[i] = 0x80 + random_below(kinds);
}

static __u32 pattern_of(__u32 kinds)
{
	__u32 pattern = 0;

	for (int i = 0; i < 4; i++)
		pattern = pattern << 8 | (0x80 + random_below(kinds));
	return pattern;
}

static void what_is_found_is_what_looking_at_each_position_finds(void)
{
	static const __u32 AROUND[] = { 0, 67, 131, 1539, 1603, 3075, 4611, 5003, 6000 };

	for (int i = 0; i < 4000; i++) {
		__u32 kinds = 2 + random_below(8);
		__u32 length = AROUND[random_below(COUNT(AROUND))] + random_below(9);

		length -= length < 4 ? 0 : 4;
		fill(50 + length, kinds);
		expect_found_anyhow("by chance", 42 + random_below(8), length, pattern_of(kinds));
	}
}

/* The second one is such that a whole block differs from its first two bytes in the highest bits alone. */
static void a_pattern_is_found_at_every_position(void)
{
	static const struct {
		__u32 pattern;
		__u8 fillers[2];
	} CASES[] = { { 0x47118081, { 0x47, 0x46 } }, { 0x4747c7c7, { 0xc7, 0xc7 } } };

	for (int i = 0; i < COUNT(CASES); i++) {
		for (__u32 at = 0; at < 5010; at++) {
			memset(bytes, CASES[i].fillers[random_below(2)], 42 + 5100);
			put(42 + at, CASES[i].pattern);
			expect_found_anyhow("every position", 42, at + 4 + random_below(80), CASES[i].pattern);
		}
	}
}

static void only_the_payload_is_searched(void)
{
	for (__u32 length = 0; length < 140; length++) {
		memset(bytes, 0, 300);
		put(42 - 1, 0x01020304);
		put(42 + length - 3, 0x01020304);
		put(42 + length, 0x01020304);
		struct __sk_buff skb = packet_of(300, 300);

		expect("in front and behind", "position", find_pattern(&skb, 42, length, 0x01020304),
		       look_at_each(42, length, 0x01020304));
	}
}

static void a_payload_far_within_the_packet_is_searched_by_a_copy(void)
{
	for (__u32 offset = PACKET_REACH - 6000; offset < PACKET_REACH + 3000; offset += 509) {
		memset(bytes, 0, MOST);
		put(offset + 4990, 0x01020304);
		expect_found("far within", offset, 5003, offset + 5003, 0x01020304);
	}
}

struct reading {
	const char *name;
	struct sequence_profile profile;
	const char *payload;
	long long number; /* -1: none */
};

#define FIXED PROFILE_OFFSET
#define FOUND (PROFILE_PATTERN | PROFILE_OFFSET)

static const struct reading READINGS[] = {
	{ "at the start", { .flags = FIXED }, "81828384", 0x81828384 },
	{ "too short by a byte", { .flags = FIXED }, "818283", -1 },
	{ "behind four bytes", { .flags = FIXED, .offset = 4 }, "0000000081828384", 0x81828384 },
	{ "behind four bytes, too short by one", { .flags = FIXED, .offset = 4 }, "00000000818283", -1 },
	{ "the least significant byte first", { .flags = FIXED | PROFILE_LITTLE_ENDIAN }, "81828384", 0x84838281 },
	{ "16 bits", { .flags = FIXED | PROFILE_WIDTH_16 }, "8182", 0x8182 },
	{ "16 bits, too short by a byte", { .flags = FIXED | PROFILE_WIDTH_16, .offset = 1 }, "0081", -1 },
	{ "16 bits, the least significant byte first",
	  { .flags = FIXED | PROFILE_WIDTH_16 | PROFILE_LITTLE_ENDIAN },
	  "8182",
	  0x8281 },
	{ "RTP", { .flags = FIXED | PROFILE_WIDTH_16 | PROFILE_RTP, .offset = 2 }, "80008182", 0x8182 },
	{ "RTP with all that its first byte may say",
	  { .flags = FIXED | PROFILE_WIDTH_16 | PROFILE_RTP, .offset = 2 },
	  "bf008182",
	  0x8182 },
	{ "RTP of version 1", { .flags = FIXED | PROFILE_WIDTH_16 | PROFILE_RTP, .offset = 2 }, "7f008182", -1 },
	{ "RTP of version 3", { .flags = FIXED | PROFILE_WIDTH_16 | PROFILE_RTP, .offset = 2 }, "c0008182", -1 },
	{ "behind a pattern",
	  { .flags = FOUND, .pattern = 0x41424344, .offset = 4 },
	  "004142434481828384",
	  0x81828384 },
	{ "behind a pattern, too short by a byte",
	  { .flags = FOUND, .pattern = 0x41424344, .offset = 4 },
	  "0041424344818283",
	  -1 },
	{ "the pattern itself", { .flags = FOUND, .pattern = 0x41424344 }, "0041424344", 0x41424344 },
	{ "no pattern", { .flags = FOUND, .pattern = 0x41424344 }, "0041424345", -1 },
	{ "a pattern at the start",
	  { .flags = FOUND, .pattern = 0x41424344, .offset = 4 },
	  "4142434481828384",
	  0x81828384 },
};

static void a_number_is_read_as_its_profile_says(void)
{
	for (int i = 0; i < COUNT(READINGS); i++) {
		const struct reading *reading = &READINGS[i];
		__u32 number = 0, length = strlen(reading->payload) / 2;
		int found;

		memset(bytes, 0xee, 100);
		for (__u32 at = 0; at < length; at++)
			sscanf(reading->payload + 2 * at, "%2hhx", &bytes[42 + at]);
		struct __sk_buff skb = packet_of(100, 100);

		found = read_number(&skb, &reading->profile, 42, length, &number);
		expect(reading->name, "what is returned", found, reading->number < 0 ? NOT_FOUND : 0);
		if (reading->number >= 0)
			expect(reading->name, "number", number, reading->number);
	}
}

static void a_payload_that_says_more_than_the_packet_has_yields_no_number(void)
{
	static const __u8 FLAGS[] = { FIXED, FIXED | PROFILE_WIDTH_16, FIXED | PROFILE_RTP };
	__u32 number;

	for (int i = 0; i < COUNT(FLAGS); i++) {
		const struct sequence_profile profile = { .flags = FLAGS[i] };
		struct __sk_buff skb = packet_of(43, 43);

		bytes[42] = 0x80;
		expect("beyond the end", "returned", read_number(&skb, &profile, 42, 50, &number), NOT_FOUND);
	}
}

static const struct test TESTS[] = {
	{ TEST(a_number_is_read_as_its_profile_says) },
	{ TEST(a_payload_that_says_more_than_the_packet_has_yields_no_number) },
	{ TEST(only_the_payload_is_searched) },
	{ TEST(what_is_found_is_what_looking_at_each_position_finds) },
	{ TEST(a_pattern_is_found_at_every_position) },
	{ TEST(a_payload_far_within_the_packet_is_searched_by_a_copy) },
};

int main(int argc, char **argv)
{
	return run_tests(TESTS, COUNT(TESTS), argc, argv);
}
