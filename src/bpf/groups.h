/* SPDX-License-Identifier: MIT OR Apache-2.0 OR GPL-2.0-only */
/* Stateful: the words of which the records of optional metrics consist.
 *
 * All CPUs share a record. Each of its words says by itself whose it is, and changes by compare-and-swap only, so nothing has to
 * be started from zero when a slot changes hands: the first packet of a new flow does that word by word, and one of the former
 * flow that comes too late is told by the generation. A reader takes a word as a whole, and one of another generation for nothing.
 */
#ifndef FLOWTOP_GROUPS_H
#define FLOWTOP_GROUPS_H

#include "table.h"

/* What becomes of a word's number. */
enum change {
	ADD, /* modulo 2^32 */
	KEEP_LATEST,
};

/* What a word becomes with a packet of that generation: a number that goes on or begins, or what it was, if it is of a later one. */
static __always_inline __u64 changed_word(__u64 word, __u32 generation, enum change change, __u32 number)
{
	__s32 ahead = (__u32)(word >> 32) - generation;

	if (ahead > 0)
		return word;
	if (!ahead && change == ADD)
		number += (__u32)word;
	return (__u64)generation << 32 | number;
}

/* Another CPU changed the word at the same moment. Global, so that the verifier looks at it once, and out of the way of all others.
 * A try begins with what the last one found, while the word still is in this CPU's cache: who reads it again gives it away, and may
 * come second any number of times. To those of its own flow that always come first, it adds or exchanges, which cannot fail.
 */
__noinline __u64 swap_contended(__u64 *word, __u32 generation, enum change change, __u32 number)
{
	__u32 before;
	__u64 now;

	if (!word)
		return 0;
	now = READ_ONCE(*word);
	for (int i = 0; i < LOCK_TRIES; i++) {
		__u64 expected = now, next = changed_word(expected, generation, change, number);

		if (next == expected)
			return expected;
		now = __sync_val_compare_and_swap(word, expected, next);
		if (now == expected)
			return expected;
	}
	if (now >> 32 != generation)
		return now;
	if (change == KEEP_LATEST)
		return __sync_lock_test_and_set(word, changed_word(now, generation, change, number));
	before = __sync_fetch_and_add((__u32 *)word, number);
	KEEP(before);
	return (__u64)generation << 32 | before;
}

/* Returns what the word was before. */
static __always_inline __u64 swap_word(__u64 *word, __u32 generation, enum change change, __u32 number)
{
	__u64 now = READ_ONCE(*word), next = changed_word(now, generation, change, number);

	if (next != now && __sync_val_compare_and_swap(word, now, next) != now)
		return swap_contended(word, generation, change, number);
	return now;
}

/* Returns whether it changed a number of the same generation. */
static __always_inline int change_word(__u64 *word, __u32 generation, enum change change, __u32 number)
{
	__u64 before = swap_word(word, generation, change, number);

	return before >> 32 == generation && changed_word(before, generation, change, number) != before;
}

/* Adds less than 2^30 to a number of 63 bits in two words. Bit 31 is in both: where it is not the same, the upper word is about to
 * follow, and a reader knows by the lower one's other bits which of them it saw first.
 */
static __always_inline void add_long(__u64 *low, __u64 *high, __u32 generation, __u32 number)
{
	__u64 before = swap_word(low, generation, ADD, number);

	if (before >> 32 == generation && ((__u32)before ^ ((__u32)before + number)) >> 31)
		change_word(high, generation, ADD, 1);
}

#endif
