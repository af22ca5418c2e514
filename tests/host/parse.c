// SPDX-License-Identifier: MIT OR Apache-2.0
/* parse.h and transport.h: frames written out by hand, what becomes of them, and that nothing beyond them is ever read. */
#include "host.h"

#include "frames.h"
#include "segments.h"

static struct packet_facts facts_of(const struct packet *packet)
{
	return (struct packet_facts){ .key = { .ifindex = packet->ifindex, .vlan = packet->vlan } };
}

static int parse_in(const struct packet *packet, enum mode mode, struct packet_facts *facts, int is_bare)
{
	*facts = facts_of(packet);
	return parse_packet(packet, mode, facts, is_bare);
}

/* As the kernel program does it: in place, and all over again by copying where that does not do. */
static int parse(const struct packet *packet, struct packet_facts *facts, int is_bare)
{
	int parsed = parse_in(packet, FAST, facts, is_bare);

	return parsed == PARSED_UNREADABLE ? parse_in(packet, COMPLETE, facts, is_bare) : parsed;
}

static void expect_facts(const struct frame *frame, int parsed, const struct packet_facts *facts)
{
	struct figure figures[] = {
		{ "other", parsed == PARSED_OTHER },
		{ "malformed", parsed == PARSED_MALFORMED ? 1 + (int)facts->malformed : 0 },
		{ "family", parsed == PARSED_FLOW ? facts->key.family : 0 },
		{ "protocol", parsed == PARSED_FLOW ? facts->key.protocol : 0 },
		{ "vlan", parsed == PARSED_FLOW && facts->key.vlan != VLAN_NONE ? facts->key.vlan : 0 },
		{ "from", parsed == PARSED_FLOW ? facts->key.source_port : 0 },
		{ "to", parsed == PARSED_FLOW ? facts->key.destination_port : 0 },
		{ "at", parsed == PARSED_FLOW ? facts->payload_offset : 0 },
		{ "payload", parsed == PARSED_FLOW ? facts->payload_bytes : 0 },
		{ "number", parsed == PARSED_FLOW ? facts->number : 0 },
		{ "flags", parsed == PARSED_FLOW ? facts->tcp_flags : 0 },
		{ "sequence", parsed == PARSED_FLOW ? facts->sequence : 0 },
		{ "fragment", parsed == PARSED_FLOW ? facts->fragment : 0 },
		{ "identification", parsed == PARSED_FLOW ? facts->identification : 0 },
		{ "named", parsed == PARSED_FLOW ? facts->fragment_protocol : 0 },
	};

	expect_figures(frame->name, figures, COUNT(figures), frame->figures);
}

static void expect_frames(const struct frame *frames, int count)
{
	for (int i = 0; i < count; i++) {
		struct bytes bytes = bytes_of(frames[i].hex);
		struct buffer buffer = buffer_of(bytes.at, bytes.count, bytes.count);
		struct packet packet = packet_in(&buffer, frames[i].tag ? frames[i].tag : VLAN_NONE);
		struct packet_facts facts;
		int parsed = parse(&packet, &facts, frames[i].is_bare);

		expect_facts(&frames[i], parsed, &facts);
		release(&buffer);
	}
}

static void headers_tell_the_flow_and_its_payload(void)
{
	expect_frames(FLOWS, COUNT(FLOWS));
}

static void fragments_are_told_apart(void)
{
	expect_frames(FRAGMENTS, COUNT(FRAGMENTS));
}

static void what_is_no_flow_is_other(void)
{
	expect_frames(OTHERS, COUNT(OTHERS));
}

static void what_ends_early_or_contradicts_itself_is_malformed(void)
{
	expect_frames(MALFORMED, COUNT(MALFORMED));
}

static void addresses_are_the_packets_own(void)
{
	static const __u8 IPV4[32] = { 10, 0, 0, 1, [16] = 10, 0, 0, 2 };
	struct bytes bytes = bytes_of(IPV6_UDP);
	struct buffer buffer = buffer_of(bytes.at, bytes.count, bytes.count);
	struct packet packet = packet_in(&buffer, VLAN_NONE);
	struct packet_facts facts;

	parse(&packet, &facts, 0);
	expect("IPv6", "source", memcmp(facts.key.source, bytes.at + 22, 16), 0);
	expect("IPv6", "destination", memcmp(facts.key.destination, bytes.at + 38, 16), 0);
	release(&buffer);

	bytes = bytes_of(IPV4_UDP);
	buffer = buffer_of(bytes.at, bytes.count, bytes.count);
	packet = packet_in(&buffer, VLAN_NONE);
	parse(&packet, &facts, 0);
	expect("IPv4", "addresses, and zeros behind them", memcmp(facts.key.source, IPV4, 32), 0);
	expect("IPv4", "ifindex", facts.key.ifindex, 7);
	release(&buffer);
}

/* Every table's frames, one after the other; NULL behind the last. */
static const struct frame *every_frame(int index)
{
	static const struct {
		const struct frame *frames;
		int count;
	} TABLES[] = {
		{ FLOWS, COUNT(FLOWS) },
		{ FRAGMENTS, COUNT(FRAGMENTS) },
		{ OTHERS, COUNT(OTHERS) },
		{ MALFORMED, COUNT(MALFORMED) },
	};

	for (int i = 0; i < COUNT(TABLES); i++) {
		if (index < TABLES[i].count)
			return &TABLES[i].frames[index];
		index -= TABLES[i].count;
	}
	return NULL;
}

/* A payload that reaches beyond the packet would be read there by whoever comes next. */
static void expect_within(const struct frame *frame, int parsed, const struct packet_facts *facts, __u32 length)
{
	if (parsed == PARSED_FLOW && facts->payload_offset + facts->payload_bytes > length)
		expect(frame->name, "end of the payload", facts->payload_offset + facts->payload_bytes, length);
}

static void a_frame_cut_at_any_byte_is_never_read_beyond_its_end(void)
{
	const struct frame *frame;

	for (int i = 0; (frame = every_frame(i)); i++) {
		struct bytes bytes = bytes_of(frame->hex);

		for (__u32 length = 0; length <= bytes.count; length++) {
			struct buffer buffer = buffer_of(bytes.at, length, length);
			struct packet packet = packet_in(&buffer, VLAN_NONE);
			struct packet_facts facts;
			int parsed = parse(&packet, &facts, frame->is_bare);

			expect_within(frame, parsed, &facts, length);
			release(&buffer);
		}
	}
}

static void a_flow_whose_ip_packet_is_cut_is_malformed(void)
{
	for (int i = 0; i < COUNT(FLOWS); i++) {
		struct bytes bytes = bytes_of(FLOWS[i].hex);
		__u32 length = FLOWS[i].ip_end ? FLOWS[i].ip_end : bytes.count;

		/* Without a length of its own, a packet is as long as its buffer. */
		while (!FLOWS[i].is_endless && length--) {
			struct buffer buffer = buffer_of(bytes.at, length, length);
			struct packet packet = packet_in(&buffer, VLAN_NONE);
			struct packet_facts facts;

			expect(FLOWS[i].name, "cut", parse(&packet, &facts, FLOWS[i].is_bare), PARSED_MALFORMED);
			release(&buffer);
		}
	}
}

static void a_changed_byte_is_no_reason_to_read_beyond_the_end(void)
{
	const struct frame *frame;

	for (int i = 0; (frame = every_frame(i)); i++) {
		struct bytes bytes = bytes_of(frame->hex);
		struct buffer buffer = buffer_of(bytes.at, bytes.count, bytes.count);
		struct packet packet = packet_in(&buffer, VLAN_NONE);

		for (__u32 at = 0; at < bytes.count; at++) {
			for (int change = 1; change < 256; change++) {
				struct packet_facts facts;
				int parsed;

				buffer.bytes[at] = buffer.in_place[at] = bytes.at[at] ^ change;
				parsed = parse(&packet, &facts, frame->is_bare);
				expect_within(frame, parsed, &facts, bytes.count);
			}
			buffer.bytes[at] = buffer.in_place[at] = bytes.at[at];
		}
		release(&buffer);
	}
}

static void it_does_not_matter_how_much_lies_in_the_linear_part(void)
{
	const struct frame *frame;

	for (int i = 0; (frame = every_frame(i)); i++) {
		struct bytes bytes = bytes_of(frame->hex);

		for (__u32 linear = 0; linear <= bytes.count; linear++) {
			struct buffer buffer = buffer_of(bytes.at, bytes.count, linear);
			struct packet packet = packet_in(&buffer, frame->tag ? frame->tag : VLAN_NONE);
			struct packet_facts facts;
			int parsed = parse(&packet, &facts, frame->is_bare);

			expect_facts(frame, parsed, &facts);
			release(&buffer);
		}
	}
}

static void reading_in_place_and_copying_agree_where_both_can(void)
{
	const struct frame *frame;

	for (int i = 0; (frame = every_frame(i)); i++) {
		struct bytes bytes = bytes_of(frame->hex);
		struct buffer buffer = buffer_of(bytes.at, bytes.count, bytes.count);
		struct packet packet = packet_in(&buffer, frame->tag ? frame->tag : VLAN_NONE);
		struct packet_facts fast, complete;
		int parsed = parse_in(&packet, FAST, &fast, frame->is_bare);

		if (parsed != PARSED_UNREADABLE) {
			expect(frame->name, "copied", parse_in(&packet, COMPLETE, &complete, frame->is_bare), parsed);
			expect(frame->name, "copied facts differ",
			       parsed == PARSED_FLOW && memcmp(&fast.key, &complete.key, sizeof(fast.key)), 0);
		}
		release(&buffer);
	}
}

static void an_aggregate_stands_for_its_packets(void)
{
	struct packet packet = { .length = 66 + 14480, .vlan = VLAN_NONE };

	expect("one packet", "packets", wire_packets(&packet, 14480), 1);
	expect("one packet", "bytes", wire_bytes(&packet, 1, 66, 0), 14546);
	packet.gso_size = 1448;
	expect("counted by its payload", "packets", wire_packets(&packet, 14480), 10);
	expect("a byte more", "packets", wire_packets(&packet, 14481), 11);
	expect("no more than a segment", "packets", wire_packets(&packet, 1448), 1);
	packet.gso_segments = 12;
	expect("counted by the kernel", "packets", wire_packets(&packet, 14480), 12);
	expect("each with its headers", "bytes", wire_bytes(&packet, 10, 66, 0), 14546 + 9 * 66);
	packet.vlan = 5;
	expect("each with its tag, too", "bytes", wire_bytes(&packet, 10, 66, 0), 14546 + 4 + 9 * 70);
	expect("one with its tag", "bytes", wire_bytes(&packet, 1, 66, 0), 14550);
}

/* Devices without Ethernet header may leave others' headers in front of the packet: nothing of these counts. */
static void what_is_pushed_in_front_of_a_packet_is_passed_over(void)
{
	enabled_groups = GROUP_IP;
	for (int i = 0; i < COUNT(FLOWS); i++) {
		struct bytes bytes = bytes_of(ETH("ffff"));
		struct bytes inside = bytes_of(FLOWS[i].hex);
		struct packet_facts facts, plain;
		struct buffer buffer;
		struct packet packet;

		if (!FLOWS[i].is_bare)
			continue;
		memcpy(bytes.at + bytes.count, inside.at, inside.count);
		buffer = buffer_of(bytes.at, bytes.count + inside.count, 0);
		packet = packet_in(&buffer, VLAN_NONE);
		packet.pushed = bytes.count;
		expect(FLOWS[i].name, "pushed", parse_in(&packet, COMPLETE, &facts, 1), PARSED_FLOW);
		release(&buffer);
		buffer = buffer_of(inside.at, inside.count, 0);
		packet = packet_in(&buffer, VLAN_NONE);
		expect(FLOWS[i].name, "plain", parse_in(&packet, COMPLETE, &plain, 1), PARSED_FLOW);
		expect(FLOWS[i].name, "key differs", memcmp(&facts.key, &plain.key, sizeof(facts.key)), 0);
		expect(FLOWS[i].name, "payload", facts.payload_bytes, plain.payload_bytes);
		expect(FLOWS[i].name, "offset", facts.payload_offset, bytes.count + plain.payload_offset);
		expect(FLOWS[i].name, "bytes in front of IP", facts.link_bytes, plain.link_bytes);
		release(&buffer);
	}
}

static void what_is_pushed_is_in_no_packet(void)
{
	struct packet packet = { .length = 14 + 52 + 2800, .vlan = VLAN_NONE };

	expect("a packet", "bytes", wire_bytes(&packet, 1, 14 + 52, 14), 52 + 2800);
	expect("two", "bytes", wire_bytes(&packet, 2, 14 + 52, 14), 2 * 52 + 2800);
}

/* An IPv6 packet of TCP without a length, with a hop-by-hop header in front of TCP's, `length` bytes behind IPv6's. */
static __u32 unsent_in(const char *hop_by_hop, __u32 length)
{
	static __u8 bytes[1 << 18];
	struct bytes head = bytes_of(ETH("86dd") IPV6("0000", "00")), rest = bytes_of(TCP("50", "10"));
	struct bytes option = bytes_of(hop_by_hop);
	struct packet_facts facts;
	struct buffer buffer;
	struct packet packet;

	memcpy(bytes, head.at, head.count);
	memcpy(bytes + head.count, option.at, option.count);
	memcpy(bytes + head.count + option.count, rest.at, rest.count);
	buffer = buffer_of(bytes, head.count + length, head.count);
	packet = packet_in(&buffer, VLAN_NONE);
	parse(&packet, &facts, 0);
	expect(hop_by_hop, "offset", facts.payload_offset, head.count + option.count + rest.count);
	release(&buffer);
	return facts.unsent;
}

static void the_kernels_mark_on_a_large_aggregate_is_never_sent(void)
{
	struct packet packet = { .length = 54 + 8 + 20 + 100000, .vlan = VLAN_NONE };

	expect("jumbo", "unsent", unsent_in("0600c204000186a0", 100028), 8);
	expect("the shortest one", "unsent", unsent_in("0600c20400010000", 65536), 8);
	expect("a length that fits", "unsent", unsent_in("0600c2040000ffff", 65535), 0);
	expect("another option", "unsent", unsent_in("0600010400000000", 100028), 0);
	expect("a longer header", "unsent", unsent_in("0601c204000186a00106000000000000", 100028), 0);
	expect("jumbo", "bytes", wire_bytes(&packet, 100, 54 + 8 + 20, 8), 100 * 74 + 100000);
}

static void expect_header(const char *hex, enum mode mode, long long traffic_class, long long hop_limit)
{
	struct bytes bytes = bytes_of(hex);
	struct buffer buffer = buffer_of(bytes.at, bytes.count, bytes.count);
	struct packet packet = packet_in(&buffer, VLAN_NONE);
	struct packet_facts facts;

	expect(hex, "parsed", parse_in(&packet, mode, &facts, 0), PARSED_FLOW);
	expect(hex, "traffic class", facts.traffic_class, traffic_class);
	expect(hex, "hop limit", facts.hop_limit, hop_limit);
	release(&buffer);
}

static void classes_and_hops_are_read_where_their_group_is_on(void)
{
	static const char IPV4_EF[] = ETH("0800") "45bb00201234400021110000"
						  "0a0000010a000002" UDP("000c") "61626364";
	static const char IPV6_EF[] = ETH("86dd") "6bb54321000c1121" ADDRESSES UDP("000c") "61626364";

	for (enum mode mode = FAST; mode <= COMPLETE; mode++) {
		enabled_groups = GROUP_IP;
		expect_header(IPV4_EF, mode, 0xbb, 0x21);
		expect_header(IPV6_EF, mode, 0xbb, 0x21);
		enabled_groups = ~(__u32)GROUP_IP;
		expect_header(IPV4_EF, mode, 0, 0);
		expect_header(IPV6_EF, mode, 0, 0);
	}
}

static const struct test TESTS[] = {
	{ TEST(headers_tell_the_flow_and_its_payload) },
	{ TEST(fragments_are_told_apart) },
	{ TEST(what_is_no_flow_is_other) },
	{ TEST(what_ends_early_or_contradicts_itself_is_malformed) },
	{ TEST(addresses_are_the_packets_own) },
	{ TEST(a_frame_cut_at_any_byte_is_never_read_beyond_its_end) },
	{ TEST(a_flow_whose_ip_packet_is_cut_is_malformed) },
	{ TEST(a_changed_byte_is_no_reason_to_read_beyond_the_end) },
	{ TEST(it_does_not_matter_how_much_lies_in_the_linear_part) },
	{ TEST(reading_in_place_and_copying_agree_where_both_can) },
	{ TEST(an_aggregate_stands_for_its_packets) },
	{ TEST(what_is_pushed_in_front_of_a_packet_is_passed_over) },
	{ TEST(what_is_pushed_is_in_no_packet) },
	{ TEST(the_kernels_mark_on_a_large_aggregate_is_never_sent) },
	{ TEST(classes_and_hops_are_read_where_their_group_is_on) },
};

int main(int argc, char **argv)
{
	return run_tests(TESTS, COUNT(TESTS), argc, argv);
}
