// SPDX-License-Identifier: MIT OR Apache-2.0
/* segments.h: where aggregates are cut, and what their packets weigh, header by header. */
#include "host.h"

#include "frames.h"
#include "segments.h"

/* Headers, and behind them as many bytes of payload as make three packets of ten bytes at most. */
struct aggregate {
	const char *name;
	const char *hex;
	int cut; /* where the payload begins; 0: not known */
	__u16 payload; /* 0: 25 */
	__u16 segments; /* what the kernel says; 0: three */
	__u8 is_bare;
};

#define SIZE 10
#define FOOTER 25 /* the payload, where nothing else is said */

/* clang-format off */

/* The lengths of IP are 0, longer than the field can say, where they are not what is tested. */
#define OUTER ETH("0800") IPV4("0000", "11") UDP("0000")
#define VXLAN "0800000000000100"
#define INNER_UDP IPV4("0000", "11") UDP("0000")
#define INNER_TCP IPV4("0000", "06") TCP("50", "10")
#define INNER_IPV6 IPV6("0000", "11") UDP("0000")
#define GRE(flags, inside) ETH("0800") IPV4("0000", "2f") flags inside
#define OPTIONS "00000000"
#define NEXT_OPTIONS_13 DESTINATION_OPTIONS_7 DESTINATION_OPTIONS DESTINATION_OPTIONS DESTINATION_OPTIONS \
	DESTINATION_OPTIONS DESTINATION_OPTIONS "1100010400000000"

static const struct aggregate PLAIN[] = {
	{ "UDP", OUTER, 42 },
	{ "UDP over IPv6", ETH("86dd") INNER_IPV6, 62 },
	{ "TCP", ETH("0800") INNER_TCP, 54 },
	{ "TCP with options", ETH("0800") IPV4("0000", "06") TCP("80", "10") TIMESTAMPS, 66 },
	{ "TCP with all options that there can be", ETH("0800") IPV4("0000", "06") TCP("f0", "10") NO_OPERATIONS_20 NO_OPERATIONS_20, 94 },
	{ "TCP with a header of 16 bytes", ETH("0800") IPV4("0000", "06") TCP("40", "10"), 0 },
	{ "IPv4 options", ETH("0800") IPV4_LONG("46", "0000", "1234", "4000", "11") "01010101" UDP("0000"), 46 },
	{ "an IPv4 header of 16 bytes", ETH("0800") IPV4_LONG("44", "0000", "1234", "4000", "11") UDP("0000"), 0 },
	{ "a tag", ETH("8100") "0005" "0800" INNER_UDP, 46 },
	{ "two tags", ETH("88a8") "0005" "8100" "0007" "86dd" INNER_IPV6, 70 },
	{ "no Ethernet header", INNER_UDP, 28, .is_bare = 1 },
	{ "no Ethernet header, IPv6", INNER_IPV6, 48, .is_bare = 1 },
	{ "hop-by-hop options", ETH("86dd") IPV6("0000", "00") "1100010400000000" UDP("0000"), 70 },
	{ "longer ones", ETH("86dd") IPV6("0000", "00") "1101" "010c000000000000000000000000" UDP("0000"), 78 },
	{ "routing", ETH("86dd") IPV6("0000", "2b") "1100000000000000" UDP("0000"), 70 },
	{ "destination options", ETH("86dd") IPV6("0000", "3c") "1100010400000000" UDP("0000"), 70 },
	{ "AH", ETH("0800") IPV4("0000", "33") "1101" "0000" "00000001" "00000001" UDP("0000"), 54 },
	{ "sixteen headers", ETH("86dd") IPV6("0000", "3c") NEXT_OPTIONS_13 UDP("0000"), 14 + 40 + 13 * 8 + 8 },
	{ "seventeen", ETH("86dd") IPV6("0000", "3c") DESTINATION_OPTIONS NEXT_OPTIONS_13 UDP("0000"), 0 },
	{ "ESP", ETH("0800") IPV4("0000", "32") "0000000100000001", 0 },
	{ "ARP", ETH("0806") "0001080006040001", 0 },
};

static const struct aggregate TUNNELS[] = {
	{ "VXLAN", OUTER VXLAN ETH("0800") INNER_TCP, 104 },
	{ "VXLAN, UDP inside", OUTER VXLAN ETH("0800") INNER_UDP, 92 },
	{ "VXLAN, a tag and IPv6 inside", OUTER VXLAN ETH("8100") "0005" "86dd" INNER_IPV6, 116 },
	{ "VXLAN over IPv6", ETH("86dd") INNER_IPV6 VXLAN ETH("0800") INNER_TCP, 124 },
	{ "VXLAN in VXLAN", OUTER VXLAN ETH("0800") INNER_UDP VXLAN ETH("0800") INNER_TCP, 154 },
	{ "VXLAN with a flag that nobody knows", OUTER "0900000000000100" ETH("0800") INNER_TCP, 104 },
	{ "VXLAN of a network whose number is the length of IPv6", OUTER "08000000002f0100" ETH("0800") INNER_TCP, 104 },
	{ "VXLAN with another flag than its own", OUTER "0100000000000100" ETH("0800") INNER_TCP, 42, 25, 9 },
	{ "VXLAN without its flag", OUTER "0000000000000100" ETH("0800") INNER_TCP, 42, 25, 9 },
	{ "VXLAN whose last byte is not zero", OUTER "0800000000000101" ETH("0800") INNER_TCP, 42, 25, 9 },
	{ "the extension, IPv4 inside", OUTER "0c00000100000100" INNER_TCP, 90 },
	{ "the extension, IPv6 inside", OUTER "0c00000200000100" INNER_IPV6, 98 },
	{ "the extension, Ethernet inside", OUTER "0c00000300000100" ETH("0800") INNER_TCP, 104 },
	{ "the extension, something else inside", OUTER "0c00000400000100" INNER_TCP, 42, 25, 8 },
	{ "the extension, nothing named", OUTER "0c00000000000100" INNER_TCP, 42, 25, 8 },
	{ "Geneve", OUTER "0000655800000100" ETH("0800") INNER_TCP, 104 },
	{ "Geneve with options", OUTER "0300655800000100" OPTIONS OPTIONS OPTIONS ETH("0800") INNER_TCP, 116 },
	{ "Geneve with the flags that it has", OUTER "00c0655800000100" ETH("0800") INNER_TCP, 104 },
	{ "Geneve, IPv4 inside", OUTER "0000080000000100" INNER_TCP, 90 },
	{ "Geneve, IPv6 inside", OUTER "000086dd00000100" INNER_IPV6, 98 },
	{ "Geneve, something else inside", OUTER "0000080600000100" INNER_TCP, 42, 25, 8 },
	{ "Geneve of another version", OUTER "8000080000000100" INNER_TCP, 42, 25, 8 },
	{ "and of another", OUTER "4000080000000100" INNER_TCP, 42, 25, 8 },
	{ "Geneve with a flag that it does not have", OUTER "0020080000000100" INNER_TCP, 42, 25, 8 },
	{ "and another", OUTER "0001080000000100" INNER_TCP, 42, 25, 8 },
	{ "Geneve whose last byte is not zero", OUTER "0000080000000101" INNER_TCP, 42, 25, 8 },
	{ "IPv4 in UDP", OUTER IPV4("0041", "06") TCP("50", "10"), 82 },
	{ "IPv4 in UDP that is shorter than the buffer", OUTER IPV4("0040", "06") TCP("50", "10"), 42, 25, 7 },
	{ "IPv4 in UDP without a length", OUTER IPV4("0000", "06") TCP("50", "10"), 42, 25, 7 },
	{ "IPv6 in UDP", OUTER IPV6("0021", "11") UDP("0000"), 90 },
	{ "IPv6 in UDP that is longer than the buffer", OUTER IPV6("0022", "11") UDP("0000"), 42, 25, 8 },
	{ "GRE", GRE("0000", "0800") INNER_TCP, 78 },
	{ "GRE with a checksum", GRE("8000", "0800") "00000000" INNER_TCP, 82 },
	{ "GRE with a key", GRE("2000", "0800") "00000001" INNER_TCP, 82 },
	{ "GRE with numbers", GRE("1000", "0800") "00000001" INNER_TCP, 82 },
	{ "GRE with all of them", GRE("b000", "0800") "000000000000000100000001" INNER_TCP, 90 },
	{ "GRE with routing", GRE("4000", "0800") INNER_TCP, 0 },
	{ "GRE with a bit that it does not have", GRE("0800", "0800") INNER_TCP, 0 },
	{ "GRE of another version", GRE("0001", "0800") INNER_TCP, 0 },
	{ "GRE, Ethernet inside", GRE("0000", "6558") ETH("0800") INNER_TCP, 92 },
	{ "GRE, IPv6 inside", GRE("0000", "86dd") INNER_IPV6, 86 },
	{ "IPv4 in IPv4", ETH("0800") IPV4("0000", "04") INNER_TCP, 74 },
	{ "IPv6 in IPv4", ETH("0800") IPV4("0000", "29") INNER_IPV6, 82 },
	{ "IPv4 in IPv6", ETH("86dd") IPV6("0000", "04") INNER_TCP, 94 },
	{ "IPv6 in IPv6, no Ethernet header", IPV6("0000", "29") INNER_IPV6, 88, .is_bare = 1 },
};

/* What looks like a tunnel and is none: the payload is UDP's. */
static const struct aggregate LOOKALIKES[] = {
	{ "inside, IPv4 of the length that is there", OUTER VXLAN ETH("0800") IPV4("0041", "06") TCP("50", "10"), 104 },
	{ "a byte shorter", OUTER VXLAN ETH("0800") IPV4("0040", "06") TCP("50", "10"), 42, 25, 9 },
	{ "a byte longer", OUTER VXLAN ETH("0800") IPV4("0042", "06") TCP("50", "10"), 42, 25, 9 },
	{ "inside, IPv6 of the length that is there", OUTER VXLAN ETH("86dd") IPV6("0021", "11") UDP("0000"), 112 },
	{ "a byte shorter", OUTER VXLAN ETH("86dd") IPV6("0020", "11") UDP("0000"), 42, 25, 10 },
	{ "a byte longer", OUTER VXLAN ETH("86dd") IPV6("0022", "11") UDP("0000"), 42, 25, 10 },
	{ "IPv6 where IPv4 should be", OUTER VXLAN ETH("0800") IPV6("0000", "06") TCP("50", "10"), 42, 25, 11 },
	{ "IPv4 where IPv6 should be", OUTER VXLAN ETH("86dd") INNER_TCP, 42, 25, 9 },
	{ "a first fragment inside", OUTER VXLAN ETH("0800") IPV4_LONG("45", "0000", "1234", "2000", "06") TCP("50", "10"), 42, 25, 9 },
	{ "a later fragment inside", OUTER VXLAN ETH("0800") IPV4_LONG("45", "0000", "1234", "0001", "06") TCP("50", "10"), 42, 25, 9 },
};

/* Tunnels as they should be, of more packets or fewer than the kernel says. */
static const struct aggregate MISFITS[] = {
	{ "more packets than three inside", OUTER VXLAN ETH("0800") INNER_TCP, 42, 25, 9 },
	{ "no payload inside", OUTER VXLAN ETH("0800") INNER_TCP, 42, 1, 7 },
	{ "neither inside nor there", OUTER VXLAN ETH("0800") INNER_TCP, 0, 25, 4 },
	{ "of two, the inner one is it", OUTER VXLAN ETH("0800") INNER_UDP VXLAN ETH("0806"), 92, 25, 5 },
};

/* clang-format on */

/* As flowtop.bpf.c does it; of bytes cut at `length`, which are let go. */
static __u32 measure_cut(const struct aggregate *aggregate, __u32 length, struct packet *packet,
			 struct packet_facts *facts, __u32 *cut)
{
	struct bytes bytes = bytes_of(aggregate->hex);
	struct buffer buffer = buffer_of(bytes.at, length, length);
	__u32 packets;

	*packet = packet_in(&buffer, VLAN_NONE);
	packet->gso_size = SIZE;
	packet->gso_segments = aggregate->segments ? aggregate->segments : 3;
	*facts = (struct packet_facts){ .key = { .vlan = VLAN_NONE } };
	if (parse_packet(packet, FAST, facts, aggregate->is_bare) == PARSED_UNREADABLE) {
		*facts = (struct packet_facts){ .key = { .vlan = VLAN_NONE } };
		parse_packet(packet, COMPLETE, facts, aggregate->is_bare);
	}
	packets = measure_aggregate(packet, facts, aggregate->is_bare, cut);
	release(&buffer);
	return packets;
}

static __u32 measure(const struct aggregate *aggregate, struct packet *packet, struct packet_facts *facts, __u32 *cut)
{
	__u32 payload = aggregate->payload ? aggregate->payload : FOOTER;

	return measure_cut(aggregate, strlen(aggregate->hex) / 2 + payload, packet, facts, cut);
}

static void expect_cuts(const struct aggregate *aggregates, int count)
{
	for (int i = 0; i < count; i++) {
		const struct aggregate *aggregate = &aggregates[i];
		struct packet packet;
		struct packet_facts facts;
		__u32 cut, packets = measure(aggregate, &packet, &facts, &cut);

		expect(aggregate->name, "packets", packets, packet.gso_segments);
		expect(aggregate->name, "estimated", facts.is_estimated, !aggregate->cut);
		if (aggregate->cut)
			expect(aggregate->name, "cut", cut, aggregate->cut);
	}
}

static void headers_are_walked_to_the_payload(void)
{
	expect_cuts(PLAIN, COUNT(PLAIN));
}

static void those_inside_a_tunnel_are_too(void)
{
	expect_cuts(TUNNELS, COUNT(TUNNELS));
}

static void what_looks_like_a_tunnel_has_to_fit_what_the_kernel_says(void)
{
	expect_cuts(LOOKALIKES, COUNT(LOOKALIKES));
	expect_cuts(MISFITS, COUNT(MISFITS));
}

/* Where the kernel's number is that of a payload inside. */
static void expect_nothing_inside(const struct aggregate *aggregates, int count)
{
	for (int i = 0; i < count; i++) {
		struct aggregate aggregate = aggregates[i];
		struct packet packet;
		struct packet_facts facts;
		__u32 cut;

		if (!aggregate.segments)
			continue;
		aggregate.segments = 3;
		measure(&aggregate, &packet, &facts, &cut);
		expect(aggregate.name, "estimated", facts.is_estimated, 1);
	}
}

static void what_is_no_tunnel_is_not_walked_whatever_the_kernel_says(void)
{
	expect_nothing_inside(TUNNELS, COUNT(TUNNELS));
	expect_nothing_inside(LOOKALIKES, COUNT(LOOKALIKES));
}

static void expect_cut_within(const struct aggregate *aggregates, int count)
{
	for (int i = 0; i < count; i++) {
		for (__u32 length = 0; length <= strlen(aggregates[i].hex) / 2; length++) {
			struct packet packet;
			struct packet_facts facts;
			__u32 cut;

			measure_cut(&aggregates[i], length, &packet, &facts, &cut);
			if (!facts.is_estimated && cut >= length)
				expect(aggregates[i].name, "cut", cut, length - 1);
		}
	}
}

static void an_aggregate_that_ends_at_any_byte_is_never_read_beyond_its_end(void)
{
	expect_cut_within(PLAIN, COUNT(PLAIN));
	expect_cut_within(TUNNELS, COUNT(TUNNELS));
	expect_cut_within(LOOKALIKES, COUNT(LOOKALIKES));
}

static void what_is_pushed_in_front_is_passed_over(void)
{
	struct bytes bytes = bytes_of(ETH("0800") IPV4("0000", "04") INNER_TCP);
	struct buffer buffer = buffer_of(bytes.at, bytes.count + FOOTER, 0);
	struct packet packet = packet_in(&buffer, VLAN_NONE);
	struct packet_facts facts = { .key.family = FAMILY_IPV4 };

	packet.pushed = ETH_HLEN;
	packet.gso_size = SIZE;
	packet.gso_segments = 3;
	expect("an Ethernet header in front", "cut", find_cut(&packet, &facts, 1), 74);
	packet.pushed = ETH_HLEN + 20;
	expect("an outer IPv4 header, too", "cut", find_cut(&packet, &facts, 1), 74);
	packet.pushed = ETH_HLEN + 19;
	expect("less than that", "cut", find_cut(&packet, &facts, 1), 0);
	release(&buffer);
}

static void a_cut_fits_what_the_kernel_says(void)
{
	struct packet packet = { .length = 100, .gso_size = 10, .gso_segments = 3 };

	expect("30 bytes in three packets", "fits", is_cut_at(&packet, 70), 1);
	expect("21 bytes", "fits", is_cut_at(&packet, 79), 1);
	expect("31 bytes", "fits", is_cut_at(&packet, 69), 0);
	expect("20 bytes", "fits", is_cut_at(&packet, 80), 0);
	packet.gso_segments = 0;
	expect("a number that is not known", "fits", is_cut_at(&packet, 69), 1);
	expect("a byte", "fits", is_cut_at(&packet, 99), 1);
	expect("nothing", "fits", is_cut_at(&packet, 100), 0);
	expect("less", "fits", is_cut_at(&packet, 101), 0);
	packet.gso_size = 0;
	expect("a size that is not known", "fits", is_cut_at(&packet, 70), 0);
}

static void what_is_not_known_is_estimated_from_what_the_kernel_says(void)
{
	struct packet packet = { .length = 100, .gso_size = 10, .gso_segments = 3 };

	expect("three packets of ten bytes", "headers", estimate_cut(&packet, 42), 70);
	expect("more is known to be headers", "headers", estimate_cut(&packet, 71), 71);
	packet.gso_segments = 9;
	expect("nearly all is payload", "headers", estimate_cut(&packet, 0), 10);
	packet.gso_segments = 10;
	expect("all is payload", "headers", estimate_cut(&packet, 1), 1);
	packet.gso_segments = 1 << 16;
	packet.gso_size = 1 << 16;
	expect("more than 32 bits can say", "headers", estimate_cut(&packet, 42), 42);
	packet.gso_segments = 0;
	expect("a number that is not known", "headers", estimate_cut(&packet, 42), 42);
}

static void of_a_tunnels_flow_the_headers_inside_are_payload_and_no_number_is_placed(void)
{
	static const struct aggregate VXLAN_TCP = { "VXLAN", OUTER VXLAN ETH("0800") INNER_TCP };
	static const struct aggregate PLAIN_UDP = { "UDP", OUTER };
	static const struct aggregate LOST = { "seventeen headers",
					       ETH("86dd") IPV6("0000", "29") IPV6("0000", "3c")
						       DESTINATION_OPTIONS NEXT_OPTIONS_13 UDP("0000") };
	struct packet packet;
	struct packet_facts facts;
	__u32 cut;

	measure(&VXLAN_TCP, &packet, &facts, &cut);
	expect("VXLAN", "payload", facts.payload_bytes, 3 * (104 - 42) + FOOTER);
	expect("VXLAN", "sequence", facts.sequence, SEQUENCE_UNPLACED);
	expect("VXLAN", "bytes", wire_bytes(&packet, 3, cut, 0), 3 * 104 + FOOTER);
	measure(&PLAIN_UDP, &packet, &facts, &cut);
	expect("UDP", "payload", facts.payload_bytes, FOOTER);
	expect("UDP", "sequence", facts.sequence, SEQUENCE_PAYLOAD);
	measure(&LOST, &packet, &facts, &cut);
	expect("not known", "cut", cut, packet.length - 3 * SIZE);
}

static void the_flow_tells_where_a_packets_payload_begins_or_that_of_tcp(void)
{
	struct packet plain = {}, aggregate = { .gso_size = 10 };
	struct packet_facts tcp = { .sequence = SEQUENCE_TCP }, udp = { .sequence = SEQUENCE_PAYLOAD };

	expect("a packet", "plain", is_plain(&plain, &udp, PARSED_FLOW), 1);
	expect("a packet of no flow", "plain", is_plain(&plain, &udp, PARSED_OTHER), 1);
	expect("TCP", "plain", is_plain(&aggregate, &tcp, PARSED_FLOW), 1);
	expect("UDP", "plain", is_plain(&aggregate, &udp, PARSED_FLOW), 0);
	expect("of no flow", "plain", is_plain(&aggregate, &tcp, PARSED_MALFORMED), 0);
}

static const struct test TESTS[] = {
	{ TEST(headers_are_walked_to_the_payload) },
	{ TEST(those_inside_a_tunnel_are_too) },
	{ TEST(what_looks_like_a_tunnel_has_to_fit_what_the_kernel_says) },
	{ TEST(what_is_no_tunnel_is_not_walked_whatever_the_kernel_says) },
	{ TEST(an_aggregate_that_ends_at_any_byte_is_never_read_beyond_its_end) },
	{ TEST(what_is_pushed_in_front_is_passed_over) },
	{ TEST(a_cut_fits_what_the_kernel_says) },
	{ TEST(what_is_not_known_is_estimated_from_what_the_kernel_says) },
	{ TEST(of_a_tunnels_flow_the_headers_inside_are_payload_and_no_number_is_placed) },
	{ TEST(the_flow_tells_where_a_packets_payload_begins_or_that_of_tcp) },
};

int main(int argc, char **argv)
{
	return run_tests(TESTS, COUNT(TESTS), argc, argv);
}
