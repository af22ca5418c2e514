// SPDX-License-Identifier: MIT OR Apache-2.0
/* counters.h: sums that are exact, and start again where they should. */
#include "host.h"

#include "counters.h"

typedef unsigned __int128 u128;

#define BITS_79 (((u128)1 << 79) - 1)

static u128 squares_of(const struct flow_counters *counters)
{
	return (u128)(counters->life >> COUNTERS_SQUARES_SHIFT) << 63 | (counters->gap_squares & ~0ULL >> 1);
}

static void expect_sums(const char *of, const struct flow_counters *counters, long long gaps, long long sum,
			u128 squares)
{
	expect(of, "gaps", counters->gaps, gaps);
	expect(of, "gap_sum", counters->gap_sum, sum);
	expect(of, "lower half of the squares", counters->gap_squares, (__u64)squares);
	expect(of, "upper half of the squares", counters->life >> COUNTERS_SQUARES_SHIFT, (__u16)(squares >> 63));
	expect(of, "generation and epoch", counters->life & ~0ULL >> 16, 0);
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
	expect("five gaps of two seconds", "upper half", counters.life >> COUNTERS_SQUARES_SHIFT, 2);
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

static const struct flow_counters SOME = {
	.life = 5ULL << COUNTERS_SQUARES_SHIFT | 4ULL << 32 | 3,
	.gap_squares = 6,
	.gap_sum = 7,
	.gaps = 8,
	.packets = 9,
	.bytes = 10,
	.payload_bytes = 11,
	.sequenced = 12,
};

/* A flow's control word, with flags and version that mean nothing here. */
static __u64 control_of(__u64 generation, __u64 epoch)
{
	return epoch << FLOW_EPOCH_SHIFT | generation << FLOW_GENERATION_SHIFT | 0xff3e;
}

static void counters_of_the_same_epoch_go_on(void)
{
	struct flow_counters counters = SOME;

	own_counters(&counters, control_of(3, 4));
	expect("the same epoch", "nothing changes", memcmp(&counters, &SOME, sizeof(counters)), 0);
}

static void a_new_epoch_drops_the_gaps_and_keeps_the_counts(void)
{
	struct flow_counters counters = SOME;

	own_counters(&counters, control_of(3, 5));
	expect("a new epoch", "life", counters.life, 5LL << 32 | 3);
	expect("a new epoch", "gap_squares", counters.gap_squares, 0);
	expect("a new epoch", "gap_sum", counters.gap_sum, 0);
	expect("a new epoch", "gaps", counters.gaps, 0);
	expect("a new epoch", "packets", counters.packets, 9);
	expect("a new epoch", "bytes", counters.bytes, 10);
	expect("a new epoch", "payload_bytes", counters.payload_bytes, 11);
	expect("a new epoch", "sequenced", counters.sequenced, 12);
}

static void epochs_differ_in_each_of_their_bits(void)
{
	for (int bit = 0; bit < 16; bit++) {
		struct flow_counters counters = SOME;

		own_counters(&counters, control_of(3, 4 ^ 1 << bit));
		expect("another epoch", "life", counters.life, (4ULL ^ 1 << bit) << 32 | 3);
		expect("another epoch", "gaps", counters.gaps, 0);
	}
}

static void a_new_generation_drops_everything(void)
{
	struct flow_counters counters = SOME, empty = { .life = 4ULL << 32 | 4 };

	own_counters(&counters, control_of(4, 4));
	expect("a new generation", "all but its names is zero", memcmp(&counters, &empty, sizeof(empty)), 0);
}

static const struct test TESTS[] = {
	{ TEST(gaps_add_up) },
	{ TEST(a_negative_gap_leaves_the_sum_exact) },
	{ TEST(squares_carry_into_the_upper_half) },
	{ TEST(a_sum_of_exactly_two_to_the_64_carries) },
	{ TEST(squares_wrap_at_79_bits) },
	{ TEST(counters_of_the_same_epoch_go_on) },
	{ TEST(a_new_epoch_drops_the_gaps_and_keeps_the_counts) },
	{ TEST(epochs_differ_in_each_of_their_bits) },
	{ TEST(a_new_generation_drops_everything) },
};

int main(int argc, char **argv)
{
	return run_tests(TESTS, COUNT(TESTS), argc, argv);
}
