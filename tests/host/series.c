// SPDX-License-Identifier: MIT OR Apache-2.0
/* sequence.h for any numbers: they come in on standard input, what is counted after each one goes out, to be compared with
 * the reference by tests/host_c/series.rs. Words in the machine's byte order: the width in bits, the threshold, how many
 * numbers follow, and these; again and again, each time of a flow of its own.
 */
#include "host.h"

#include "passing.h"

struct counts {
	__u64 lost;
	__u32 small_errors;
	__u32 big_errors;
	__u32 reverse_errors;
	__u32 duplicates;
	__u32 restarts;
	__u32 expected;
};

_Static_assert(sizeof(struct counts) == 32, "counts: without padding");

static __u32 read_word(void)
{
	__u32 word;

	if (fread(&word, sizeof(word), 1, stdin) != 1)
		exit(2);
	return word;
}

static void track_series(int is_16_bit, __u32 threshold, __u32 numbers)
{
	struct flow_slot slot = {};

	while (numbers--) {
		pass_or_place(&slot, read_word(), is_16_bit, threshold);
		struct counts counts = {
			.lost = slot.lost,
			.small_errors = slot.small_errors,
			.big_errors = slot.big_errors,
			.reverse_errors = slot.reverse_errors,
			.duplicates = slot.duplicates,
			.restarts = slot.restarts,
			.expected = slot.expected & (is_16_bit ? 0xffff : 0xffffffff),
		};
		fwrite(&counts, sizeof(counts), 1, stdout);
	}
}

int main(void)
{
	__u32 width;

	while (fread(&width, sizeof(width), 1, stdin) == 1) {
		__u32 threshold = read_word();

		track_series(width == 16, threshold, read_word());
	}
	return 0;
}
