// SPDX-License-Identifier: MIT OR Apache-2.0
/* counters.h: sums that are exact, and start again where they should. */
#include "host.h"

#include "counters.h"

typedef unsigned __int128 u128;

#define BITS_79 (((u128)1 << 79) - 1)

static u128 squares_of(const struct flow_counters *counters)
{
	return (u128)(counters->owner >> OWNER_SQUARES_SHIFT) << 63 | (counters->gap_squares & ~0ULL >> 1);
}

static void expect_sums(const char *of, const struct flow_counters *counters, long long gaps, long long sum,
			u128 squares)
{
	expect(of, "gaps", counters->gaps, gaps);
	expect(of, "gap_sum", counters->gap_sum, sum);
	expect(of, "lower half of the squares", counters->gap_squares, (__u64)squares);
	expect(of, "upper half of the squares", counters->owner >> OWNER_SQUARES_SHIFT, (__u16)(squares >> 63));
	expect(of, "owner and epoch", counters->owner & ~0ULL >> 16, 0);
}

static void gaps_add_up(void)
{
	struct flow_counters counters = {};

	add_gap(&counters, 3);
	add_gap(&counters, 4);
	add_gap(&counters, 0);
	expect_sums("3, 4 and 0 ns", &counters, 3, 7, 25);
}

static void a_negative_gap_leaves_the_sum_exact(void)
{
	struct flow_counters counters = {};

	add_gap(&counters, -5);
	expect_sums("-5 ns", &counters, 1, -5, 25);
	add_gap(&counters, 1000);
	expect_sums("-5 and 1000 ns", &counters, 2, 995, 1000025);
}

static void a_pause_is_no_gap_and_neither_is_a_clock_that_went_back(void)
{
	const __s64 stop = JITTER_STOP_NS;

	expect("the longest gap", "pause", is_pause(stop), 0);
	expect("a longer one", "pause", is_pause(stop + 1), 1);
	expect("as far back", "pause", is_pause(-stop), 0);
	expect("farther back", "pause", is_pause(-stop - 1), 1);
	expect("as far as can be", "pause", is_pause(1ULL << 63) && is_pause(~(1ULL << 63)), 1);
}

static void squares_carry_into_the_upper_half(void)
{
	struct flow_counters counters = {};
	u128 squares = 0;

	for (int i = 1; i <= 5; i++) {
		add_gap(&counters, 2000000000);
		squares += (u128)2000000000 * 2000000000;
		expect_sums("gaps of two seconds", &counters, i, i * 2000000000LL, squares);
	}
	/* 5 * 4e18 = 2e19 = 2 * 2^63 + 1553255926290448384 */
	expect("five gaps of two seconds", "upper half", counters.owner >> OWNER_SQUARES_SHIFT, 2);
	expect("five gaps of two seconds", "lower half", counters.gap_squares, 1553255926290448384LL);
}

static void a_sum_of_exactly_two_to_the_64_carries(void)
{
	struct flow_counters counters = {};

	/* (2^30)^2 = 2^60, sixteen times */
	for (int i = 0; i < 16; i++)
		add_gap(&counters, 1 << 30);
	expect_sums("2^64", &counters, 16, 16LL << 30, (u128)1 << 64);
}

static void squares_wrap_at_79_bits(void)
{
	struct flow_counters counters = {};
	u128 squares = 0;

	/* 2^79 / (2e9)^2 is about 151,000 */
	for (int i = 0; i < 700000; i++) {
		add_gap(&counters, 1999999999 - i % 3);
		squares += (u128)(1999999999 - i % 3) * (1999999999 - i % 3);
	}
	squares &= BITS_79;
	expect("700,000 gaps", "squares are as wide sums say", squares_of(&counters) == squares, 1);
}

/* Counters of the CPU 3 in the epoch 4. */
static const struct flow_counters SOME = {
	.owner = 5ULL << OWNER_SQUARES_SHIFT | 4ULL << OWNER_EPOCH_SHIFT | 3,
	.gap_squares = 6,
	.gap_sum = 7,
	.gaps = 8,
	.packets = 9,
	.bytes = 10,
	.payload_bytes = 11,
	.sequenced = 12,
};

static const struct increment MORE = {
	.packets = 2,
	.bytes = 300,
	.payload_bytes = 200,
	.sequenced = 1,
	.gap = 5,
};

/* What the owner has to say of itself; flags, version and generation of the flow mean nothing here. */
static __u64 owner_in(__u64 epoch)
{
	return owner_of(3, epoch << FLOW_EPOCH_SHIFT | 77ULL << FLOW_GENERATION_SHIFT | 0xff3e);
}

static void expect_counts(const char *of, const struct flow_counters *counters)
{
	expect(of, "packets", counters->packets, 11);
	expect(of, "bytes", counters->bytes, 310);
	expect(of, "payload_bytes", counters->payload_bytes, 211);
	expect(of, "sequenced", counters->sequenced, 13);
}

static void the_owner_counts_on_in_the_same_epoch(void)
{
	struct flow_counters counters = SOME;

	expect("the same epoch", "counted", count_as_owner(&counters, owner_in(4), MORE), 1);
	expect_counts("the same epoch", &counters);
	expect("the same epoch", "owner", counters.owner, SOME.owner);
	expect("the same epoch", "gaps", counters.gaps, 9);
	expect("the same epoch", "gap_sum", counters.gap_sum, 12);
	expect("the same epoch", "gap_squares", counters.gap_squares, 31);
}

static void a_new_epoch_drops_the_gaps_and_keeps_the_counts(void)
{
	struct flow_counters counters = SOME;

	count_as_owner(&counters, owner_in(5), MORE);
	expect_counts("a new epoch", &counters);
	expect("a new epoch", "owner", counters.owner, 5LL << OWNER_EPOCH_SHIFT | 3);
	expect("a new epoch", "gaps", counters.gaps, 1);
	expect("a new epoch", "gap_sum", counters.gap_sum, 5);
	expect("a new epoch", "gap_squares", counters.gap_squares, 25);
}

static void without_a_gap_no_epoch_begins(void)
{
	struct flow_counters counters = SOME;
	struct increment more = MORE;

	more.gap = JITTER_STOP_NS + 1;
	expect("no gap", "counted", count_as_owner(&counters, owner_in(5), more), 1);
	expect_counts("no gap", &counters);
	expect("no gap", "owner", counters.owner, SOME.owner);
	expect("no gap", "gaps", counters.gaps, 8);
}

static void epochs_differ_in_each_of_their_bits(void)
{
	for (int bit = 0; bit < 16; bit++) {
		struct flow_counters counters = SOME;

		count_as_owner(&counters, owner_in(4 ^ 1 << bit), MORE);
		expect("another epoch", "owner", counters.owner, (4ULL ^ 1 << bit) << OWNER_EPOCH_SHIFT | 3);
		expect("another epoch", "gaps", counters.gaps, 1);
	}
}

static void another_cpu_leaves_all_as_it_is(void)
{
	for (int bit = 0; bit < 32; bit++) {
		struct flow_counters counters = SOME;

		expect("another CPU", "counted", count_as_owner(&counters, owner_in(4) ^ 1ULL << bit, MORE), 0);
		expect("another CPU in another epoch", "counted",
		       count_as_owner(&counters, owner_in(5) ^ 1ULL << bit, MORE), 0);
		expect("another CPU", "nothing changes", memcmp(&counters, &SOME, sizeof(SOME)), 0);
	}
}

static void what_others_count_adds_up(void)
{
	struct flow_shared shared = { .packets = 9, .bytes = 10, .payload_bytes = 11, .sequenced = 12, .unjudged = 13 };
	struct shared_gaps *gaps = &shared.gaps[1];

	*gaps = (struct shared_gaps){ .squares = 6, .squares_high = 5, .sum = 7, .count = 8 };
	count_as_other(&shared, gaps, MORE);
	expect("others", "packets", shared.packets, 11);
	expect("others", "bytes", shared.bytes, 310);
	expect("others", "payload_bytes", shared.payload_bytes, 211);
	expect("others", "sequenced", shared.sequenced, 13);
	expect("others", "unjudged", shared.unjudged, 13);
	expect("others", "gaps", gaps->count, 9);
	expect("others", "sum of gaps", gaps->sum, 12);
	expect("others", "squares", gaps->squares, 31);
	expect("others", "upper half of the squares", gaps->squares_high, 5);
	expect("others", "gaps of another epoch", shared.gaps[0].count, 0);
	count_as_other(&shared, gaps, (struct increment){ .packets = 1, .bytes = 60, .gap = JITTER_STOP_NS + 1 });
	expect("others without a gap", "packets", shared.packets, 12);
	expect("others without a gap", "bytes", shared.bytes, 370);
	expect("others without a gap", "payload_bytes", shared.payload_bytes, 211);
	expect("others without a gap", "gaps", gaps->count, 9);
}

/* Gaps of up to two seconds, the longest that there are: upper half and lower half have bit 63 in common. */
static void squares_of_others_carry_as_the_owners_do(void)
{
	struct flow_counters counters = {};
	struct shared_gaps gaps = {};

	for (int i = 0; i < 700000; i++) {
		add_gap(&counters, 1999999999 - i % 3);
		add_shared_gap(&gaps, 1999999999 - i % 3);
		if ((__u16)gaps.squares_high == counters.owner >> OWNER_SQUARES_SHIFT &&
		    gaps.squares == counters.gap_squares)
			continue;
		expect("squares of others", "those of the owner after so many gaps", i, -1);
		return;
	}
	expect("squares of others", "gaps", gaps.count, counters.gaps);
	expect("squares of others", "sum", gaps.sum, counters.gap_sum);
}

static const struct test TESTS[] = {
	{ TEST(gaps_add_up) },
	{ TEST(a_negative_gap_leaves_the_sum_exact) },
	{ TEST(a_pause_is_no_gap_and_neither_is_a_clock_that_went_back) },
	{ TEST(squares_carry_into_the_upper_half) },
	{ TEST(a_sum_of_exactly_two_to_the_64_carries) },
	{ TEST(squares_wrap_at_79_bits) },
	{ TEST(the_owner_counts_on_in_the_same_epoch) },
	{ TEST(a_new_epoch_drops_the_gaps_and_keeps_the_counts) },
	{ TEST(without_a_gap_no_epoch_begins) },
	{ TEST(epochs_differ_in_each_of_their_bits) },
	{ TEST(another_cpu_leaves_all_as_it_is) },
	{ TEST(what_others_count_adds_up) },
	{ TEST(squares_of_others_carry_as_the_owners_do) },
};

int main(int argc, char **argv)
{
	return run_tests(TESTS, COUNT(TESTS), argc, argv);
}
