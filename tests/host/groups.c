// SPDX-License-Identifier: MIT OR Apache-2.0
/* groups.h: words that say whose they are, and that no two CPUs change at once; and the longest gap of histogram.h. */
#include <pthread.h>

#include "program.h"

/* What another CPU does just before the next compare-and-swap, and before how many more. */
static _Thread_local void (*meanwhile)(__u64 *word);
static _Thread_local int again;

static __u64 compare_and_swap(__u64 *word, __u64 expected, __u64 next)
{
	void (*others)(__u64 * word) = meanwhile;

	if (again)
		again--;
	else
		meanwhile = NULL;
	if (others)
		others(word);
	return __sync_val_compare_and_swap(word, expected, next);
}

#include "table.h"

#define __sync_val_compare_and_swap compare_and_swap
#include "groups.h"
#include "histogram.h"
#undef __sync_val_compare_and_swap

/* There is no slot. */
static void *look_up(const void *map, const void *key)
{
	(void)map;
	(void)key;
	return NULL;
}

static void expect_word(const char *of, __u64 word, __u32 generation, __u32 number)
{
	expect(of, "generation", word >> 32, generation);
	expect(of, "number", (__u32)word, number);
}

static void numbers_add_up_in_their_own_width(void)
{
	__u64 word = 0;

	change_word(&word, 1, ADD, 44);
	expect_word("44", word, 1, 44);
	change_word(&word, 1, ADD, 1);
	expect_word("44 and 1", word, 1, 45);
	change_word(&word, 1, ADD, -44U);
	expect_word("2^32 + 1", word, 1, 1);
}

static void the_latest_value_stays(void)
{
	__u64 word = 0;

	change_word(&word, 1, KEEP_LATEST, 0);
	expect_word("0", word, 1, 0);
	change_word(&word, 1, KEEP_LATEST, 46);
	change_word(&word, 1, KEEP_LATEST, 10);
	expect_word("0, 46 and 10", word, 1, 10);
}

static void a_value_is_told_to_change_but_not_where_it_begins(void)
{
	static const __u8 VALUES[] = { 64, 64, 63, 63, 255, 0, 0, 64 };
	static const int CHANGED[] = { 0, 0, 1, 0, 1, 1, 0, 1 };
	__u64 word = 8ULL << 32 | 64;

	for (int i = 0; i < COUNT(VALUES); i++) {
		expect("hops", "changed", change_word(&word, 9, KEEP_LATEST, VALUES[i]), CHANGED[i]);
		expect_word("hops", word, 9, VALUES[i]);
	}
	expect("a former flow", "changed", change_word(&word, 8, KEEP_LATEST, 5), 0);
}

static void a_new_flow_begins_where_the_former_one_left_off(void)
{
	static const __u32 GENERATIONS[][2] = { { 0, 1 }, { 7, 8 }, { 7, 900 }, { ~0U, 0 } };

	for (int i = 0; i < COUNT(GENERATIONS); i++) {
		for (enum change change = ADD; change <= KEEP_LATEST; change++) {
			__u64 word = (__u64)GENERATIONS[i][0] << 32 | 0x1234;

			change_word(&word, GENERATIONS[i][1], change, 5);
			expect_word("the first packet", word, GENERATIONS[i][1], 5);
		}
	}
}

static void a_packet_of_a_former_flow_changes_nothing(void)
{
	for (enum change change = ADD; change <= KEEP_LATEST; change++) {
		__u64 word = 8ULL << 32 | 3;

		change_word(&word, 7, change, 5);
		expect_word("the next flow", word, 8, 3);
		word = 0;
		change_word(&word, ~0U, change, 5);
		expect_word("the next flow, whose generation is 0", word, 0, 0);
	}
}

static void add_one(__u64 *word)
{
	*word += 1;
}

static void begin_this(__u64 *word)
{
	*word = 7ULL << 32 | 3;
}

static void begin_next(__u64 *word)
{
	*word = 8ULL << 32 | 3;
}

static void what_another_cpu_changes_meanwhile_stays(void)
{
	__u64 word = 7ULL << 32 | 3;

	meanwhile = add_one;
	change_word(&word, 7, ADD, 5);
	expect_word("both counted", word, 7, 9);
	meanwhile = add_one;
	expect("both changed it", "changed", change_word(&word, 7, KEEP_LATEST, 5), 1);
	expect_word("the later one", word, 7, 5);
	word = 6ULL << 32;
	meanwhile = begin_this;
	expect("this flow began meanwhile", "changed", change_word(&word, 7, KEEP_LATEST, 3), 0);
	meanwhile = begin_next;
	change_word(&word, 7, ADD, 5);
	expect_word("a new flow came meanwhile", word, 8, 3);
	meanwhile = begin_next;
	change_word(&word, 7, KEEP_LATEST, 5);
	expect_word("a new flow came meanwhile", word, 8, 3);
}

/* As often as a CPU tries, others come first. */
static void expect_others_first(const char *of, enum change change, __u32 generation, int changed, __u32 number)
{
	__u64 word = 7ULL << 32 | 3;

	meanwhile = add_one;
	again = LOCK_TRIES;
	expect(of, "changed", change_word(&word, generation, change, 500), changed);
	expect(of, "tries left", again, 0);
	expect_word(of, word, 7, number);
}

static void who_always_comes_second_is_counted(void)
{
	expect_others_first("a sum", ADD, 7, 1, 3 + 1 + LOCK_TRIES + 500);
	expect_others_first("the latest", KEEP_LATEST, 7, 1, 500);
	expect_others_first("a flow that the former one still holds up", ADD, 8, 0, 3 + 1 + LOCK_TRIES);
}

static void expect_long(const char *of, __u64 low, __u64 high, __u32 generation, __u64 number)
{
	expect_word(of, low, generation, (__u32)number);
	expect_word(of, high, number >> 31 ? generation : high >> 32, number >> 31);
}

static void a_long_number_adds_up_over_both_of_its_words(void)
{
	__u64 low = 0, high = 0, number = 0;

	for (int i = 0; i < 5000; i++) {
		__u32 more = (1U << 30) - 1 - i;

		add_long(&low, &high, 7, more);
		number += more;
		expect_long("the sum", low, high, 7, number);
	}
	add_long(&low, &high, 6, 1U << 29);
	expect_long("a former flow", low, high, 7, number);
	add_long(&low, &high, 8, 3);
	expect_word("the next flow", low, 8, 3);
	expect_word("the next flow, before its number is long", high, 7, number >> 31);
	low = 8ULL << 32 | 0x7fffffff;
	add_long(&low, &high, 8, 1);
	expect_long("the next flow, long", low, high, 8, 1ULL << 31);
}

static void begin_long(__u64 *word)
{
	*word = 7ULL << 32 | 0x7fffffff;
}

static void what_another_cpu_adds_meanwhile_is_carried(void)
{
	__u64 low = 7ULL << 32 | 0x7ffffffe, high = 0;

	meanwhile = add_one;
	add_long(&low, &high, 7, 1);
	expect_long("both counted", low, high, 7, 1ULL << 31);
	low = 6ULL << 32 | 5;
	high = 0;
	meanwhile = begin_long;
	add_long(&low, &high, 7, 1);
	expect_long("this flow began meanwhile", low, high, 7, 1ULL << 31);
	meanwhile = begin_next;
	add_long(&low, &high, 7, 1U << 29);
	expect_word("a new flow came meanwhile", low, 8, 3);
	expect_word("nothing is carried for it", high, 7, 1);
}

enum {
	ROUNDS = 200000
};

static void *count(void *word)
{
	for (int i = 0; i < ROUNDS; i++)
		change_word(word, 7, ADD, 1);
	return NULL;
}

static void cpus_that_count_at_once_lose_nothing(void)
{
	__u64 word = 0;
	pthread_t other;

	if (pthread_create(&other, NULL, count, &word))
		abort();
	count(&word);
	pthread_join(other, NULL);
	expect_word("two at once", word, 7, 2 * ROUNDS);
}

static void set_90(__u64 *word)
{
	*word = 90;
}

static void set_110(__u64 *word)
{
	*word = 110;
}

static void the_longest_gap_is_kept_whoever_comes_between(void)
{
	__u64 longest = 50;

	keep_longest(&longest, 40);
	expect("a shorter one", "the longest", longest, 50);
	meanwhile = set_90;
	keep_longest(&longest, 100);
	expect("a longer one, beside another", "the longest", longest, 100);
	meanwhile = set_110;
	keep_longest(&longest, 105);
	expect("a longer one comes between", "the longest", longest, 110);
}

static const struct test TESTS[] = {
	{ TEST(numbers_add_up_in_their_own_width) },
	{ TEST(the_latest_value_stays) },
	{ TEST(a_value_is_told_to_change_but_not_where_it_begins) },
	{ TEST(a_new_flow_begins_where_the_former_one_left_off) },
	{ TEST(a_packet_of_a_former_flow_changes_nothing) },
	{ TEST(what_another_cpu_changes_meanwhile_stays) },
	{ TEST(who_always_comes_second_is_counted) },
	{ TEST(a_long_number_adds_up_over_both_of_its_words) },
	{ TEST(what_another_cpu_adds_meanwhile_is_carried) },
	{ TEST(cpus_that_count_at_once_lose_nothing) },
	{ TEST(the_longest_gap_is_kept_whoever_comes_between) },
};

int main(int argc, char **argv)
{
	return run_tests(TESTS, COUNT(TESTS), argc, argv);
}
