// SPDX-License-Identifier: MIT OR Apache-2.0
/* sequence.h for numbers of UDP, ICMP and echo: the table of what a number may be, by hand. */
#include "host.h"

#include "sequence.h"

/* Numbers in the order of their arrival, "1..5" for five in order; then what is counted. */
struct series {
	const char *name;
	const char *arrivals;
	const char *figures;
};

static void expect_series(const struct series *series, int is_16_bit, __u32 threshold)
{
	struct flow_slot slot = {};
	__u32 mask = is_16_bit ? 0xffff : 0xffffffff;
	char *at = (char *)series->arrivals;

	while (*at) {
		__u32 number = strtoul(at, &at, 0), last = number;

		if (!strncmp(at, "..", 2))
			last = strtoul(at + 2, &at, 0);
		for (;; number++) {
			track_number(&slot, number & mask, is_16_bit, threshold);
			if (number == last)
				break;
		}
	}
	struct figure figures[] = {
		{ "lost", slot.lost },
		{ "small", slot.small_errors },
		{ "big", slot.big_errors },
		{ "reverse", slot.reverse_errors },
		{ "duplicates", slot.duplicates },
		{ "restarts", slot.restarts },
		{ "absent", slot.absent },
		{ "expected", slot.expected & mask },
	};
	expect_figures(series->name, figures, COUNT(figures), series->figures);
}

static void expect_all(const struct series *series, int count, int is_16_bit)
{
	for (int i = 0; i < count; i++)
		expect_series(&series[i], is_16_bit, 10);
}

static void numbers_in_order_count_nothing(void)
{
	static const struct series IN_ORDER[] = {
		{ "a first number", "1234", "expected 1235" },
		{ "from one", "1..5", "expected 6" },
		{ "through zero", "0xfffffffe..1", "expected 2" },
		{ "through the sign", "0x7ffffffe..0x80000001", "expected 0x80000002" },
	};

	expect_all(IN_ORDER, COUNT(IN_ORDER), 0);
}

static void a_gap_counts_what_is_missing_and_is_small_or_big(void)
{
	static const struct series GAPS[] = {
		{ "one missing", "1 3", "lost 1 small 1 expected 4" },
		{ "the largest small one", "1 11", "lost 9 small 1 expected 12" },
		{ "the smallest big one", "1 12", "lost 10 big 1 expected 13" },
		{ "both", "1 3 100", "lost 97 small 1 big 1 expected 101" },
		{ "through zero", "0xffffffff 2", "lost 2 small 1 expected 3" },
		{ "as wide as the window", "1 66", "lost 64 big 1 expected 67" },
		{ "as far as a series may jump", "1 0x1000002", "lost 0x1000000 big 1 expected 0x1000003" },
	};
	static const struct series STRICT = { "threshold 1", "1 3", "lost 1 big 1 expected 4" };
	static const struct series LENIENT = { "threshold 100", "1 101 202", "lost 199 small 1 big 1 expected 203" };

	expect_all(GAPS, COUNT(GAPS), 0);
	expect_series(&STRICT, 0, 1);
	expect_series(&LENIENT, 0, 100);
}

static void a_number_seen_already_is_a_duplicate_and_nothing_else(void)
{
	static const struct series DUPLICATES[] = {
		{ "at once", "1 2 2", "duplicates 1 expected 3" },
		{ "later", "1 2 3 1", "duplicates 1 expected 4" },
		{ "the first of all", "7 7", "duplicates 1 expected 8" },
		{ "twice", "1 2 1 1", "duplicates 2 expected 3" },
		{ "as far back as is known", "1..64 1", "duplicates 1 expected 65" },
		{ "a late one again", "1 3 2 2", "small 1 reverse 1 duplicates 1 expected 4" },
		{ "through zero", "0xfffffffe..1 0xffffffff", "duplicates 1 expected 2" },
	};

	expect_all(DUPLICATES, COUNT(DUPLICATES), 0);
}

static void a_late_number_was_not_lost(void)
{
	static const struct series LATE[] = {
		{ "two swapped", "1 3 2 4", "small 1 reverse 1 expected 5" },
		{ "one of three", "1 5 3", "lost 2 small 1 reverse 1 expected 6" },
		{ "all of three, backwards", "1 5 4 3 2", "small 1 reverse 3 expected 6" },
		{ "through zero", "0xfffffffe 1 0xffffffff 0", "small 1 reverse 2 expected 2" },
		{ "as far back as is known", "1 3..65 2", "small 1 reverse 1 expected 66" },
	};

	expect_all(LATE, COUNT(LATE), 0);
}

static void a_number_older_than_the_window_is_late_and_stays_lost(void)
{
	static const struct series OLD[] = {
		{ "one further back than is known", "1 3..66 2", "lost 1 small 1 reverse 1 expected 67" },
		{ "far back", "1 3..500 2", "lost 1 small 1 reverse 1 expected 501" },
		{ "seen, but too long ago to know", "1..500 2", "reverse 1 expected 501" },
	};

	expect_all(OLD, COUNT(OLD), 0);
}

static void what_came_before_the_first_number_was_never_missed(void)
{
	static const struct series EARLY[] = {
		{ "before the first", "10 11 9", "reverse 1 expected 12" },
		{ "it is seen from then on", "10 11 9 9", "reverse 1 duplicates 1 expected 12" },
		{ "another loss stays", "10 12 9", "lost 1 small 1 reverse 1 expected 13" },
		{ "a loss behind it is found", "10 12 9 11", "small 1 reverse 2 expected 13" },
	};

	expect_all(EARLY, COUNT(EARLY), 0);
}

static void a_sender_that_starts_again_loses_nothing(void)
{
	static const struct series RESTARTS[] = {
		{ "far ahead", "1000 1001 50000000..50000002", "restarts 1 expected 50000003" },
		{ "far behind", "5000 1 2 3", "restarts 1 expected 4" },
		{ "a step ahead of what is judged", "1 0x1000003 0x1000004", "restarts 1 expected 0x1000005" },
		{ "a step behind what is judged", "5000 3976 3977", "restarts 1 expected 3978" },
		{ "through zero", "5000 0xffffffff 0", "restarts 1 expected 1" },
		{ "losses stay", "1 5 50000000 50000001", "lost 3 small 1 restarts 1 expected 50000002" },
		{ "the old series is forgotten", "1 5 50000000 50000001 49999999",
		  "lost 3 small 1 reverse 1 restarts 1 expected 50000002" },
		{ "twice", "1 50000000 50000001 1 2", "restarts 2 expected 3" },
	};

	expect_all(RESTARTS, COUNT(RESTARTS), 0);
}

static void a_number_out_of_series_waits_for_its_successor(void)
{
	static const struct series CANDIDATES[] = {
		{ "not judged yet", "1 2 50000000", "expected 3" },
		{ "as far behind as is judged", "5000 3977", "reverse 1 expected 5001" },
		{ "a step further waits", "5000 3976", "expected 5001" },
		{ "behind, and alone: late", "5000 3000 5001", "reverse 1 expected 5002" },
		{ "ahead, and alone: a gap", "1 2 50000000 50000005", "lost 50000001 small 1 big 1 expected 50000006" },
		{ "ahead, but the old series goes on", "1 2 50000000 3 4",
		  "lost 49999997 big 1 restarts 1 expected 5" },
		{ "the same one again is no successor", "5000 3000 3000", "reverse 1 expected 5001" },
	};

	expect_all(CANDIDATES, COUNT(CANDIDATES), 0);
}

static void numbers_of_16_bits_wrap_and_restart_in_their_own_width(void)
{
	static const struct series SHORT[] = {
		{ "through zero", "65534..65537", "expected 2" },
		{ "a gap through zero", "65535 3", "lost 3 small 1 expected 4" },
		{ "late through zero", "65534 1 65535", "lost 1 small 1 reverse 1 expected 2" },
		{ "seen, through zero", "65534..65537 65535", "duplicates 1 expected 2" },
		{ "as far ahead as is judged", "1 3002", "lost 3000 big 1 expected 3003" },
		{ "a step further waits", "1 3003", "expected 2" },
		{ "as far behind as is judged", "1000 901", "reverse 1 expected 1001" },
		{ "a step further back waits", "1000 900", "expected 1001" },
		{ "restart", "1000 30000 30001", "restarts 1 expected 30002" },
		{ "restart through zero", "10000 10001 65535 0", "restarts 1 expected 1" },
		{ "all numbers, twice round", "0..131071", "expected 0" },
	};

	expect_all(SHORT, COUNT(SHORT), 1);
}

static const struct test TESTS[] = {
	{ TEST(numbers_in_order_count_nothing) },
	{ TEST(a_gap_counts_what_is_missing_and_is_small_or_big) },
	{ TEST(a_number_seen_already_is_a_duplicate_and_nothing_else) },
	{ TEST(a_late_number_was_not_lost) },
	{ TEST(a_number_older_than_the_window_is_late_and_stays_lost) },
	{ TEST(what_came_before_the_first_number_was_never_missed) },
	{ TEST(a_sender_that_starts_again_loses_nothing) },
	{ TEST(a_number_out_of_series_waits_for_its_successor) },
	{ TEST(numbers_of_16_bits_wrap_and_restart_in_their_own_width) },
};

int main(int argc, char **argv)
{
	return run_tests(TESTS, COUNT(TESTS), argc, argv);
}
