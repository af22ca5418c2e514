// SPDX-License-Identifier: MIT OR Apache-2.0
/* sequence.h for TCP: bytes that are missing, filled, and the beginnings and ends of a series, by hand. */
#include "host.h"

#include "passing.h"

/* Segments in the order of their arrival; then what is counted. A segment is flags (S, F, R), the sequence number,
 * "+" the payload, "/" the segment size of an aggregate: "S100 101+1000 F1101 2000+4000/1000".
 */
struct stream {
	const char *name;
	const char *segments;
	const char *figures;
};

/* Feeds one segment and returns what stands behind it in the text. */
static char *feed(struct flow_slot *slot, char *at, __u32 threshold, int *took_part)
{
	__u32 number, payload = 0, size;
	struct flow_slot judged = settled(slot);
	int took, says;
	__u8 flags = 0;

	for (at += strspn(at, " "); *at && strchr("SFR", *at); at++)
		flags |= *at == 'S' ? TCP_SYN : *at == 'F' ? TCP_FIN : TCP_RST;
	number = strtoul(at, &at, 0);
	if (*at == '+')
		payload = strtoul(at + 1, &at, 0);
	size = payload;
	if (*at == '/')
		size = strtoul(at + 1, &at, 0);
	took = track_tcp(&judged, number, flags, payload, size, threshold);
	*took_part += took;
	pass_or_track(slot, number, flags, payload, size, threshold, &says);
	expect("a segment that passes", "same", is_same(slot, &judged), 1);
	expect("a segment that passes", "takes part", says, took);
	return at;
}

static void expect_stream(const struct stream *stream, __u32 threshold)
{
	struct flow_slot slot = { .key.protocol = IPPROTO_TCP };
	char *at = (char *)stream->segments;
	int took_part = 0;

	while (*at)
		at = feed(&slot, at, threshold, &took_part);
	struct figure figures[] = {
		{ "received", took_part },          { "lost", slot.lost },
		{ "small", slot.small_errors },     { "big", slot.big_errors },
		{ "reverse", slot.reverse_errors }, { "duplicates", slot.duplicates },
		{ "restarts", slot.restarts },      { "expected", slot.expected },
	};
	expect_figures(stream->name, figures, COUNT(figures), stream->figures);
}

static void expect_all(const struct stream *streams, int count)
{
	for (int i = 0; i < count; i++)
		expect_stream(&streams[i], 10);
}

static void the_next_segment_passes(void)
{
	struct flow_slot slot = { .key.protocol = IPPROTO_TCP };
	int took_part;

	expect("the first one", "passed", pass_or_track(&slot, 100, 0, 10, 10, 10, &took_part), 0);
	expect("the next one", "passed", pass_or_track(&slot, 110, 0, 10, 10, 10, &took_part), 1);
	expect("the next one", "expected", slot.expected, 120);
	expect("a larger one", "passed", pass_or_track(&slot, 120, 0, 11, 11, 10, &took_part), 0);
	expect("one as large", "passed", pass_or_track(&slot, 131, 0, 11, 11, 10, &took_part), 1);
	expect("an aggregate", "passed", pass_or_track(&slot, 142, 0, 38, 11, 10, &took_part), 1);
	expect("one of larger ones", "passed", pass_or_track(&slot, 180, 0, 20, 12, 10, &took_part), 0);
	expect("an earlier one", "passed", pass_or_track(&slot, 180, 0, 10, 10, 10, &took_part), 0);
	expect("an empty one", "passed", pass_or_track(&slot, 200, 0, 0, 0, 10, &took_part), 0);
	expect("a later one", "passed", pass_or_track(&slot, 210, 0, 10, 10, 10, &took_part), 0);
	expect("one behind a gap", "passed", pass_or_track(&slot, 220, 0, 10, 10, 10, &took_part), 0);
	expect("what fills it", "passed", pass_or_track(&slot, 200, 0, 10, 10, 10, &took_part), 0);
	expect("one behind a gap that was filled", "passed", pass_or_track(&slot, 230, 0, 10, 10, 10, &took_part), 1);
	expect("the last one", "passed", pass_or_track(&slot, 240, TCP_FIN, 10, 10, 10, &took_part), 0);
	expect("a reset", "passed", pass_or_track(&slot, 251, TCP_RST, 10, 10, 10, &took_part), 0);
	expect("one behind a reset", "passed", pass_or_track(&slot, 251, 0, 10, 10, 10, &took_part), 0);
	expect("a SYN", "passed", pass_or_track(&slot, 261, TCP_SYN, 10, 10, 10, &took_part), 0);
	expect("a run", "length", slot.run & RUN_LENGTH, 0);
}

static void a_stream_in_order_counts_nothing(void)
{
	static const struct stream IN_ORDER[] = {
		{ "a whole connection", "S100 101+1000 1101+500 F1601", "received 4 expected 1602" },
		{ "seen from its middle", "5000+100 5100+100", "received 2 expected 5200" },
		{ "data with SYN", "S100+10 111+10", "received 2 expected 121" },
		{ "data with FIN", "100+10 F110+10", "received 2 expected 121" },
		{ "an aggregate", "100+14480/1448 14580+1448", "received 2 expected 16028" },
		{ "through zero", "0xffffff00+0x100 0+0x100", "received 2 expected 0x100" },
	};

	expect_all(IN_ORDER, COUNT(IN_ORDER));
}

static void acknowledgements_and_keep_alives_take_no_part(void)
{
	static const struct stream QUIET[] = {
		{ "before any data", "100 100 100", "" },
		{ "an acknowledgement", "100+10 110 110", "received 1 expected 110" },
		{ "one that is ahead", "100+10 500", "received 1 expected 110" },
		{ "a keep-alive without data", "100+10 109", "received 1 expected 110" },
		{ "a keep-alive with a byte", "100+10 109+1", "received 1 expected 110" },
		{ "two bytes are a retransmission", "100+10 108+2", "received 2 reverse 1 expected 110" },
		{ "one that brings a new byte is none", "100+10 109+2", "received 2 reverse 1 expected 111" },
	};

	expect_all(QUIET, COUNT(QUIET));
}

static void a_gap_is_the_bytes_that_are_missing(void)
{
	static const struct stream GAPS[] = {
		{ "one segment", "1+1000 2001+1000", "received 2 lost 1000 small 1 expected 3001" },
		{ "a byte", "1+1000 1002+1000", "received 2 lost 1 small 1 expected 2002" },
		{ "nine segments' worth are small", "1+1000 10001+1000",
		  "received 2 lost 9000 small 1 expected 11001" },
		{ "a byte more is big", "1+1000 10002+1000", "received 2 lost 9001 big 1 expected 11002" },
		{ "by the largest segment so far", "1+1000 1001+9 9010+1000",
		  "received 3 lost 8000 small 1 expected 10010" },
		{ "by an aggregate's segments", "1+10000/1000 20001+1000",
		  "received 2 lost 10000 big 1 expected 21001" },
		{ "two gaps", "1+100 201+100 401+100", "received 3 lost 200 small 2 expected 501" },
		{ "before FIN", "1+100 F201", "received 2 lost 100 small 1 expected 202" },
		{ "where no payload came, each byte is a segment", "S100 F110",
		  "received 2 lost 9 small 1 expected 111" },
		{ "and ten of them are big", "S100 F111", "received 2 lost 10 big 1 expected 112" },
		{ "through zero", "0xfffffff0+8 8+8", "received 2 lost 16 small 1 expected 16" },
	};
	static const struct stream STRICT = { "threshold 1", "1+1000 1002+1", "received 2 lost 1 big 1 expected 1003" };

	expect_all(GAPS, COUNT(GAPS));
	expect_stream(&STRICT, 1);
}

static void bytes_that_fill_a_gap_were_not_lost(void)
{
	static const struct stream FILLS[] = {
		{ "all of it", "1+1000 2001+1000 1001+1000", "received 3 small 1 reverse 1 expected 3001" },
		{ "its beginning", "1+1000 2001+1000 1001+400", "received 3 lost 600 small 1 reverse 1 expected 3001" },
		{ "its end", "1+1000 2001+1000 1601+400", "received 3 lost 600 small 1 reverse 1 expected 3001" },
		{ "in two parts", "1+1000 2001+1000 1001+400 1401+600", "received 4 small 1 reverse 2 expected 3001" },
		{ "overlapping what was there", "1+1000 2001+1000 901+300",
		  "received 3 lost 800 small 1 reverse 1 expected 3001" },
		{ "all around it", "1+1000 2001+1000 1+3000", "received 3 small 1 reverse 1 expected 3001" },
		{ "and going on behind", "1+1000 2001+1000 1001+3000", "received 3 small 1 reverse 1 expected 4001" },
		{ "its beginning twice", "1+1000 2001+1000 1001+400 1001+400",
		  "received 4 lost 600 small 1 reverse 2 expected 3001" },
		{ "filled twice", "1+1000 2001+1000 1001+1000 1001+1000",
		  "received 4 small 1 reverse 2 expected 3001" },
		{ "two gaps, one by one", "1+100 201+100 401+100 101+100 301+100",
		  "received 5 small 2 reverse 2 expected 501" },
		{ "two gaps, the later one", "1+100 201+100 401+100 301+100",
		  "received 4 lost 100 small 2 reverse 1 expected 501" },
		{ "through zero", "0xfffffff0+8 8+8 0xfffffff8+16", "received 3 small 1 reverse 1 expected 16" },
	};

	expect_all(FILLS, COUNT(FILLS));
}

static void a_gap_of_up_to_half_of_all_numbers_is_filled_by_what_is_in_it(void)
{
	static const struct stream WIDE[] = {
		{ "nothing of it", "0+10 0x80000007+10 0x80000007+10",
		  "received 3 lost 0x7ffffffd big 1 reverse 1 expected 0x80000011" },
		{ "and what follows", "0+10 0x80000007+10 0x80000011+10 0x80000011+10",
		  "received 4 lost 0x7ffffffd big 1 reverse 1 expected 0x8000001b" },
		{ "its end", "0+10 0x80000007+10 0x80000002+10",
		  "received 3 lost 0x7ffffff8 big 1 reverse 1 expected 0x80000011" },
		{ "what is as far back as can be", "0+10 0x80000007+10 17+10",
		  "received 3 lost 0x7ffffff3 big 1 reverse 1 expected 0x80000011" },
		{ "the same through zero", "0xfffffff0+10 0x7ffffff7+10 7+10",
		  "received 3 lost 0x7ffffff3 big 1 reverse 1 expected 0x80000001" },
		{ "two gaps, of more than all signed distances", "0+10 0x60000000+10 0xc0000000+10 0x50000000+10",
		  "received 4 lost 0xbfffffe2 big 2 reverse 1 expected 0xc000000a" },
		{ "three, of more than all numbers", "0+10 0x60000000+10 0xc0000000+10 0x20000000+10 0xf0000000+10",
		  "received 5 lost 0x11fffffd8 big 3 reverse 1 expected 0x2000000a" },
		{ "not by what came before it", "0x40000000+10 0x40000014+10 0x4000001e+100 0x40000000+10",
		  "received 4 lost 10 small 1 reverse 1 expected 0x40000082" },
		{ "at the end of the reach, twice", "0+10 20+10 30+0x7fffffec 10+5 10+5",
		  "received 5 lost 5 small 1 reverse 2 expected 0x8000000a" },
		{ "two bytes before that: in the gap's middle, where nothing is remembered",
		  "0+10 30+10 40+0x7fffffe4 12+5 12+5", "received 5 lost 10 small 1 reverse 2 expected 0x8000000c" },
		{ "not by the same numbers of bytes that come later",
		  "0+10 20+10 30+0x7ffffff0 0x8000000e+0x7ffffff0 0xfffffffe+0x100 10+10",
		  "received 6 lost 10 small 1 reverse 1 expected 0xfe" },
	};

	expect_all(WIDE, COUNT(WIDE));
}

static void what_comes_again_and_fills_nothing_is_a_reverse_error(void)
{
	static const struct stream AGAIN[] = {
		{ "a segment", "1+1000 1001+1000 1+1000", "received 3 reverse 1 expected 2001" },
		{ "and more", "1+1000 501+1000", "received 2 reverse 1 expected 1501" },
		{ "a SYN", "S100 S100 101+10", "received 3 reverse 1 expected 111" },
		{ "a FIN", "100+10 F110 F110", "received 3 reverse 1 expected 111" },
		{ "before a gap", "1+1000 2001+1000 1+1000", "received 3 lost 1000 small 1 reverse 1 expected 3001" },
		{ "behind a gap", "1+1000 2001+1000 3001+1000 2001+1000",
		  "received 4 lost 1000 small 1 reverse 1 expected 4001" },
	};

	expect_all(AGAIN, COUNT(AGAIN));
}

static void a_reset_and_a_new_connection_begin_a_new_series(void)
{
	static const struct stream BEGINNINGS[] = {
		{ "a reset alone", "R100", "" },
		{ "a reset before all", "R100 200+10", "received 1 expected 210" },
		{ "a reset, then a connection", "1+10 R11 S5000 5001+10", "received 3 restarts 1 expected 5011" },
		{ "a reset, then data", "1+10 R11 5000+10", "received 2 restarts 1 expected 5010" },
		{ "two resets are one end", "1+10 R11 R11 S5000", "received 2 restarts 1 expected 5001" },
		{ "the ports again, numbers ahead", "1+10 S5000 5001+10", "received 3 restarts 1 expected 5011" },
		{ "the ports again, numbers behind", "0x2000000+10 S1 2+10", "received 3 restarts 1 expected 12" },
		{ "one byte behind", "S100 101+10 S99 100+10", "received 4 restarts 1 expected 110" },
		{ "at the very next number", "S100 101+10 S111 112+10", "received 4 restarts 1 expected 122" },
		{ "15 MB behind, with a hole", "S1 2+15000000 S1000 1001+10 1021+10",
		  "received 5 lost 10 small 1 restarts 1 expected 1031" },
		{ "the SYN again", "S100 101+10 S100", "received 3 reverse 1 expected 111" },
		{ "the SYN after its data", "101+10 S100 111+10", "received 3 reverse 1 expected 121" },
		{ "another one after data without a SYN", "101+10 S90 91+10", "received 3 restarts 1 expected 101" },
		{ "a loss before it stays", "1+10 21+10 R31 S5000 5001+10",
		  "received 4 lost 10 small 1 restarts 1 expected 5011" },
		{ "nor by what a later gap has around it", "1+10 21+10 R31 S5000 5001+10 5021+10 5001+10",
		  "received 6 lost 20 small 2 reverse 1 restarts 1 expected 5031" },
		{ "a later gap is filled by itself", "1+10 21+10 R31 S5000 5001+10 5021+10 5011+10",
		  "received 6 lost 10 small 2 reverse 1 restarts 1 expected 5031" },
		{ "and is not filled any more", "1+10 21+10 R31 S5000 5001+10 5001+10",
		  "received 5 lost 10 small 1 reverse 1 restarts 1 expected 5011" },
	};

	expect_all(BEGINNINGS, COUNT(BEGINNINGS));
}

static void payload_syn_and_fin_take_up_numbers(void)
{
	expect("payload", "numbers", stream_length(0, 10), 10);
	expect("payload with a SYN and a FIN", "numbers", stream_length(TCP_SYN | TCP_FIN, 10), 12);
	expect("a reset, whatever it carries", "numbers", stream_length(TCP_RST, 10), 0);
}

static void the_largest_segment_is_remembered_in_16_bits(void)
{
	struct flow_slot slot = { .key.protocol = IPPROTO_TCP };

	track_tcp(&slot, 1, 0, 200000, 0xfffe, 10);
	expect("segments of 65,534 bytes", "largest payload", slot.other_seen, 0xfffe);
	track_tcp(&slot, 1, 0, 200000, 200000, 10);
	expect("a payload of 200,000 bytes", "largest payload", slot.other_seen, 0xffff);
	track_tcp(&slot, 200001, 0, 10, 10, 10);
	expect("then one of 10", "largest payload", slot.other_seen, 0xffff);
}

static const struct test TESTS[] = {
	{ TEST(a_stream_in_order_counts_nothing) },
	{ TEST(the_next_segment_passes) },
	{ TEST(acknowledgements_and_keep_alives_take_no_part) },
	{ TEST(a_gap_is_the_bytes_that_are_missing) },
	{ TEST(bytes_that_fill_a_gap_were_not_lost) },
	{ TEST(a_gap_of_up_to_half_of_all_numbers_is_filled_by_what_is_in_it) },
	{ TEST(what_comes_again_and_fills_nothing_is_a_reverse_error) },
	{ TEST(a_reset_and_a_new_connection_begin_a_new_series) },
	{ TEST(payload_syn_and_fin_take_up_numbers) },
	{ TEST(the_largest_segment_is_remembered_in_16_bits) },
};

int main(int argc, char **argv)
{
	return run_tests(TESTS, COUNT(TESTS), argc, argv);
}
