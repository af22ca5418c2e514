// SPDX-License-Identifier: MIT OR Apache-2.0
/* sequence.h for numbers of UDP, ICMP and echo: the table of what a number may be, by hand. */
#include "host.h"

#include "passing.h"

/* Numbers in the order of their arrival, "1..5" for five in order; then what is counted. */
struct series {
	const char *name;
	const char *arrivals;
	const char *figures;
};

/* Both shortcuts are taken only where they say the same. */
static void track_number(struct flow_slot *slot, __u32 number, int is_16_bit, __u32 threshold)
{
	struct flow_slot judged = settled(slot), next = judged;
	int is_next = continue_series(&next, number, is_16_bit);

	place_number(&judged, number, is_16_bit, threshold);
	if (is_next)
		expect("the shortcut", "difference", !!memcmp(&next, &judged, sizeof(next)), 0);
	pass_or_place(slot, number, is_16_bit, threshold);
	expect("a number that passes", "same", is_same(slot, &judged), 1);
}

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
		{ "both", "1 3 90", "lost 87 small 1 big 1 expected 91" },
		{ "through zero", "0xffffffff 2", "lost 2 small 1 expected 3" },
		{ "as wide as the window", "1 66", "lost 64 big 1 expected 67" },
		{ "the widest that is one at once", "1 98", "lost 96 big 1 expected 99" },
		{ "a step further waits for its successor", "1 99", "expected 2" },
		{ "which is any that may follow it", "1 99 196", "lost 193 big 2 expected 197" },
		{ "or one far before it", "1 1099 1035", "lost 1096 reverse 1 big 1 expected 1100" },
		{ "or one before it", "1 1099 1084", "lost 1096 reverse 1 big 1 expected 1100" },
		{ "as far as a series may jump", "1 0x1000002 0x1000003", "lost 0x1000000 big 1 expected 0x1000004" },
		{ "each packet", "1 1000 2000 3000 3001", "lost 2996 big 3 expected 3002" },
	};
	static const struct series STRICT = { "threshold 1", "1 3", "lost 1 big 1 expected 4" };
	static const struct series LENIENT = { "threshold 100", "1 101 102 203 204",
					       "lost 199 small 1 big 1 expected 205" };

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
		{ "within a run of any length", "1..129 100", "duplicates 1 expected 130" },
		{ "across the widest gap that the window spans", "1 64 1", "lost 62 big 1 duplicates 1 expected 65" },
		{ "behind a wider one", "1 65 65", "lost 63 big 1 duplicates 1 expected 66" },
		{ "across it, not known any more", "1 65 1", "lost 62 big 1 reverse 1 expected 66" },
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

static void a_number_older_than_the_window_was_not_lost_either(void)
{
	static const struct series OLD[] = {
		{ "one further back than is known", "1 3..66 2", "small 1 reverse 1 expected 67" },
		{ "far back", "1 3..500 2", "small 1 reverse 1 expected 501" },
		{ "and again", "1 3..500 2 2", "small 1 reverse 1 duplicates 1 expected 501" },
		{ "seen, but too long ago to know", "1..500 2", "reverse 1 expected 501" },
		{ "its neighbours", "1 5..500 2 4 3 2", "small 1 reverse 3 duplicates 1 expected 501" },
	};

	expect_all(OLD, COUNT(OLD), 0);
}

static void what_came_before_the_first_number_was_never_missed(void)
{
	static const struct series EARLY[] = {
		{ "before the first", "10 11 9", "reverse 1 expected 12" },
		{ "it is seen from then on", "10 11 9 9", "reverse 1 duplicates 1 expected 12" },
		{ "as long as the first is known", "1 3..64 0", "lost 1 small 1 reverse 1 expected 65" },
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
		{ "a step ahead of what is a gap", "1 0x1000003 0x1000004", "restarts 1 expected 0x1000005" },
		{ "a step behind what is late", "5000 3976 3977", "restarts 1 expected 3978" },
		{ "through zero", "5000 0xffffffff 0", "restarts 1 expected 1" },
		{ "losses stay", "1 5 50000000 50000001", "lost 3 small 1 restarts 1 expected 50000002" },
		{ "what was before it was never missed", "1 5 50000000 50000001 49999999",
		  "lost 3 small 1 reverse 1 restarts 1 expected 50000002" },
		{ "and back at once", "1 50000000 50000001 1 2", "duplicates 1 big 2 expected 3" },
		{ "twice, for good", "1 50000000..50000064 1 2", "restarts 2 expected 3" },
	};
	static const struct series UNTIDY[] = {
		{ "its first number doubled", "1..1000 1500000000 1500000000 1500000001",
		  "duplicates 1 restarts 1 expected 1500000002" },
		{ "the next ones swapped", "1..1000 1500000000 1500000002 1500000001 1500000003",
		  "small 1 reverse 1 restarts 1 expected 1500000004" },
		{ "the first ones swapped", "1..1000 1500000001 1500000000 1500000002",
		  "reverse 1 restarts 1 expected 1500000003" },
		{ "the second one lost", "1..1000 1500000000 1500000002",
		  "lost 1 small 1 restarts 1 expected 1500000003" },
		{ "as many lost as may be", "1..1000 1500000000 1500000097",
		  "lost 96 big 1 restarts 1 expected 1500000098" },
		{ "one more", "1..1000 1500000000 1500000098", "big 1 expected 1001" },
		{ "the first ones far apart, the later one first", "1..1000 1500000095 1500000000 1500000001",
		  "reverse 2 restarts 1 expected 1500000096" },
		{ "the last of the former one late", "1..4999 1 5000 2 3", "reverse 1 restarts 1 expected 4" },
		{ "one further back in it than is known", "1..4983 4985..5000 100000000 100000001 4984 100000002",
		  "lost 1 small 1 reverse 1 restarts 1 expected 100000003" },
		{ "the last of the former one doubled", "1..5000 1 2 5000 3", "duplicates 1 restarts 1 expected 4" },
	};

	expect_all(RESTARTS, COUNT(RESTARTS), 0);
	expect_all(UNTIDY, COUNT(UNTIDY), 0);
}

static void a_restart_is_taken_back_where_the_former_series_goes_on(void)
{
	static const struct series FORMER[] = {
		{ "two neighbours, far behind", "1..99 102..4998 100 101 4999 5000",
		  "small 1 reverse 2 expected 5001" },
		{ "with a hole", "1..99 110..4998 100 104 4999", "lost 8 small 1 big 1 reverse 2 expected 5000" },
		{ "two neighbours, far ahead", "1..1000 50000000 50000001 1001", "big 2 expected 1002" },
		{ "as long as the window is", "1..5000 100000001..100000064 5001", "big 64 expected 5002" },
		{ "no more behind it", "1..5000 100000001..100000065 5001 100000066",
		  "reverse 1 restarts 1 expected 100000067" },
	};

	expect_all(FORMER, COUNT(FORMER), 0);
}

static void a_single_number_far_away_loses_nothing(void)
{
	static const struct series SINGLE[] = {
		{ "not judged yet", "1 2 50000000", "expected 3" },
		{ "ahead: an error", "1 2 50000000 3 4", "big 1 expected 5" },
		{ "ahead within a threshold's reach", "1 2 1000 3 4", "big 1 expected 5" },
		{ "as far ahead as numbers go", "0 0x80000000 1", "big 1 expected 2" },
		{ "a step further is behind", "0 0x80000001 1", "reverse 1 expected 2" },
		{ "as far behind as is late", "5000 3977", "reverse 1 expected 5001" },
		{ "a step further waits", "5000 3976", "expected 5001" },
		{ "behind: late", "5000 3000 5001", "reverse 1 expected 5002" },
		{ "and what is missing may be another one", "1 3..5000 2 5001",
		  "lost 1 small 1 reverse 1 expected 5002" },
		{ "until a second one comes near it", "1 4..5000 2 5001 3 5002", "small 1 reverse 2 expected 5003" },
		{ "which may be less far", "1 4..1027 2 1028 3 1029", "small 1 reverse 2 expected 1030" },
		{ "the same one again is no successor", "5000 3000 3000", "duplicates 1 expected 5001" },
		{ "one after the other", "1 2 50000000 90000000 3", "big 2 expected 4" },
		{ "one behind the other", "5000 50000000 100 5001", "big 1 reverse 1 expected 5002" },
	};

	expect_all(SINGLE, COUNT(SINGLE), 0);
}

static void what_comes_by_a_slower_path_is_not_lost(void)
{
	static const struct series PATHS[] = {
		{ "after a jump, one by one", "1..100 2101 2102 101 2103 102 2104",
		  "lost 1998 big 1 reverse 2 expected 2105" },
		{ "all of it", "1..100 2101..2200 101..2100 2201", "big 1 reverse 2000 expected 2202" },
		{ "one by one from the first, as long as it may be wild", "1..100 2101 101 2102 102 2103 103 2104 104",
		  "big 4 expected 105" },
		{ "and when it is believed", "1..100 2101 101 2102 102 2103 103 2104 104 2105 105",
		  "lost 1995 big 4 reverse 1 expected 2106" },
		{ "what single ones brought ahead, reached", "1..100 301 101..300 302", "big 1 expected 303" },
		{ "and come again", "1..100 301 101..300 302 301", "big 1 duplicates 1 expected 303" },
		{ "with what is missing beside", "1..100 301 101 303 102 305 103..300 307",
		  "lost 3 small 1 big 3 expected 308" },
		{ "in order, it is the number itself", "1..100 301 101..301", "big 1 expected 302" },
		{ "as far back as the window does not reach", "1..100 301 101..299 386", "lost 85 big 2 expected 387" },
		{ "nor what it had passed already", "1..100 301 101 295 102..295 305",
		  "lost 8 small 1 big 2 expected 306" },
		{ "reached between them", "1..100 301 101 299 102..290 300", "lost 8 small 1 big 2 expected 301" },
		{ "and come again", "1..100 301 101 299 102..290 300 299",
		  "lost 8 small 1 big 2 duplicates 1 expected 301" },
		{ "a step beyond the window", "1..100 301 101..299 365", "lost 64 big 2 expected 366" },
		{ "the oldest that is known of it", "1..100 2101 2102 85",
		  "lost 2000 big 1 duplicates 1 expected 2103" },
		{ "one older", "1..100 2101 2102 84", "lost 1999 big 1 reverse 1 expected 2103" },
		{ "the oldest, late, again", "1..84 86..100 2101 2102 85 85",
		  "lost 2000 small 1 big 1 reverse 1 duplicates 1 expected 2103" },
		{ "seen on the slower path", "1..100 2101 2102 101 101",
		  "lost 1999 big 1 reverse 1 duplicates 1 expected 2103" },
		{ "from the start", "2001..2004 2009..2012 4001..4004", "lost 1992 small 1 big 1 expected 4005" },
		{ "believed four times as far behind",
		  "1..9999 7951 10000 7952 10001 7953 10002 7954 10003..16146 7955", "reverse 5 expected 16147" },
		{ "and no further", "1..9999 7951 10000 7952 10001 7953 10002 7954 10003..16147 7955",
		  "reverse 4 expected 16148" },
		{ "as far as it was ahead", "0..99 2147 100 2148 101 2149 102 2150 103..7150 2151",
		  "big 4 reverse 1 expected 7151" },
		{ "ahead, from where the flow is itself", "1..100 301 101 302 102 303 103 304 104..303 401",
		  "lost 96 big 5 expected 402" },
		{ "ahead, from one before", "1..100 301 101 302 102 303 103 304 104..302 400",
		  "lost 95 big 5 expected 401" },
		{ "and what it was in is believed no further than the window reaches",
		  "1..100 301 101 302 102 303 103 304 104..303 401 305 305", "lost 94 big 5 reverse 2 expected 402" },
	};

	expect_all(PATHS, COUNT(PATHS), 0);
}

static void numbers_of_16_bits_wrap_and_restart_in_their_own_width(void)
{
	static const struct series SHORT[] = {
		{ "through zero", "65534..65537", "expected 2" },
		{ "a gap through zero", "65535 3", "lost 3 small 1 expected 4" },
		{ "late through zero", "65534 1 65535", "lost 1 small 1 reverse 1 expected 2" },
		{ "seen, through zero", "65534..65537 65535", "duplicates 1 expected 2" },
		{ "as far as a series may jump", "1 3002 3003", "lost 3000 big 1 expected 3004" },
		{ "a step further is a restart", "1 3003 3004", "restarts 1 expected 3005" },
		{ "as far behind as is late", "1000 901", "reverse 1 expected 1001" },
		{ "a step further back waits", "1000 900", "expected 1001" },
		{ "restart", "1000 30000 30001", "restarts 1 expected 30002" },
		{ "restart through zero", "10000 10001 65535 0", "restarts 1 expected 1" },
		{ "all numbers, twice round", "0..131071", "expected 0" },
		{ "a path that was believed, met a round later",
		  "1..100 301 101 302 102 303 103 304 104..303 401..64000 305",
		  "lost 1920 small 1 big 5 expected 306" },
	};

	expect_all(SHORT, COUNT(SHORT), 1);
}

static void the_next_number_takes_the_shortcut(void)
{
	struct flow_slot slot = {};

	expect("the first", "taken", continue_series(&slot, 1, 0), 0);
	place_number(&slot, 1, 0, 10);
	expect("the next", "taken", continue_series(&slot, 2, 0), 1);
	expect("the next", "expected", slot.expected, 3);
	expect("the same", "taken", continue_series(&slot, 2, 0), 0);
	expect("one behind a gap", "taken", continue_series(&slot, 4, 0), 0);
	place_number(&slot, 50000000, 0, 10);
	expect("the next while another one waits", "taken", continue_series(&slot, 3, 0), 0);
	place_number(&slot, 3, 0, 10);
	expect("the next when that is judged", "taken", continue_series(&slot, 4, 0), 1);
}

/* Numbers in order, as many as `seen` can tell, one less and one more: then all that it tells of is asked for. */
static void a_run_of_any_length_is_known_when_it_ends(void)
{
	for (__u32 length = 0; length <= 3 * SEEN_WINDOW; length++) {
		struct flow_slot slot = {}, judged = {};
		int passed = 0;

		pass_or_place(&slot, 1, 0, 10);
		pass_or_place(&slot, 3, 0, 10);
		for (__u32 number = 4; number < 4 + length; number++)
			passed += pass_or_place(&slot, number, 0, 10);
		expect("a run", "passed", passed, length);
		for (__u32 number = 1; number < 4 + length; number++)
			if (number != 2)
				place_number(&judged, number, 0, 10);
		expect("a run", "same", is_same(&slot, &judged), 1);
		for (__u32 number = 3 + length; number; number--) {
			place_number(&judged, number, 0, 10);
			pass_or_place(&slot, number, 0, 10);
			expect("what comes again", "same", is_same(&slot, &judged), 1);
		}
	}
}

static void what_is_open_lets_nothing_pass(void)
{
	struct flow_slot slot = {};

	expect("the first", "passed", pass_or_place(&slot, 1, 0, 10), 0);
	expect("the next", "passed", pass_or_place(&slot, 2, 0, 10), 1);
	expect("the same", "passed", pass_or_place(&slot, 2, 0, 10), 0);
	expect("one behind a gap", "passed", pass_or_place(&slot, 4, 0, 10), 0);
	expect("the next behind a gap", "passed", pass_or_place(&slot, 5, 0, 10), 1);
	expect("one far away", "passed", pass_or_place(&slot, 50000000, 0, 10), 0);
	expect("the next while another one waits", "passed", pass_or_place(&slot, 6, 0, 10), 0);
	expect("the next when that is judged", "passed", pass_or_place(&slot, 7, 0, 10), 1);
	expect("in 16 bits", "passed", pass_or_place(&slot, 8 + 0x10000, 1, 10), 1);
	expect("in 32 bits", "passed", pass_or_place(&slot, 9, 0, 10), 0);
	slot.run &= ~RUN_PLAIN;
	expect("the next while another one is judged", "passed", !!series_behind_number(*series_of(&slot), 9, 0), 0);
}

static void powers_of_two_are_told_by_their_highest_bit(void)
{
	for (int bit = 0; bit < 32; bit++) {
		expect("a power", "log", floor_log2(1U << bit), bit);
		expect("just below the next one", "log", floor_log2(~0U >> (31 - bit)), bit);
	}
	expect("zero", "log", floor_log2(0), 0);
}

static const struct test TESTS[] = {
	{ TEST(numbers_in_order_count_nothing) },
	{ TEST(a_gap_counts_what_is_missing_and_is_small_or_big) },
	{ TEST(a_number_seen_already_is_a_duplicate_and_nothing_else) },
	{ TEST(a_late_number_was_not_lost) },
	{ TEST(a_number_older_than_the_window_was_not_lost_either) },
	{ TEST(what_came_before_the_first_number_was_never_missed) },
	{ TEST(a_sender_that_starts_again_loses_nothing) },
	{ TEST(a_restart_is_taken_back_where_the_former_series_goes_on) },
	{ TEST(a_single_number_far_away_loses_nothing) },
	{ TEST(what_comes_by_a_slower_path_is_not_lost) },
	{ TEST(the_next_number_takes_the_shortcut) },
	{ TEST(a_run_of_any_length_is_known_when_it_ends) },
	{ TEST(what_is_open_lets_nothing_pass) },
	{ TEST(powers_of_two_are_told_by_their_highest_bit) },
	{ TEST(numbers_of_16_bits_wrap_and_restart_in_their_own_width) },
};

int main(int argc, char **argv)
{
	return run_tests(TESTS, COUNT(TESTS), argc, argv);
}
