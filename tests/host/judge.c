// SPDX-License-Identifier: MIT OR Apache-2.0
/* The pure headers on any bytes at all.
 *
 * As a target of libFuzzer: nothing is to trip a sanitizer, and both ways to read a packet are to agree. As a program
 * (-DSERVE): frames come in on standard input, what the headers make of them goes out, to be compared with the kernel
 * program and with the reference by tests/fuzz.rs. An input is four bytes and a frame: see struct head.
 */
#include <stdint.h>

#include "host.h"

#include "counters.h"
#include "segments.h"
#include "passing.h"

struct head {
	__u8 flags; /* 1: without an Ethernet header; 2: the kernel moved a VLAN tag out of the data */
	__u8 linear; /* share of the frame that lies in the linear part, of 255 */
	__u8 gso_size; /* in units of 8 bytes; 0: no aggregate */
	__u8 gso_segments;
};

/* What is told of a frame, byte for byte as tests/fuzz/host.rs reads it. */
struct judgement {
	__u8 parsed;
	__u8 malformed;
	__u8 fragment;
	__u8 sequence;
	__u8 protocol;
	__u8 family;
	__u16 vlan;
	__u16 source_port;
	__u16 destination_port;
	__u32 payload_offset;
	__u32 payload_bytes;
	__u32 number;
	__u8 tcp_flags;
	__u8 is_estimated;
	__u8 traffic_class;
	__u8 hop_limit;
	__u32 packets;
	__u64 bytes;
	__u8 source[16];
	__u8 destination[16];
	__u32 wire_payload_bytes;
	__u32 ip_bytes;
};

_Static_assert(sizeof(struct judgement) == 80, "judgement: without padding");

static int parse_in(const struct packet *packet, enum mode mode, struct packet_facts *facts, int is_bare)
{
	*facts = (struct packet_facts){ .key = { .ifindex = packet->ifindex, .vlan = packet->vlan } };
	return parse_packet(packet, mode, facts, is_bare);
}

/* As flowtop.bpf.c does it. */
static int parse(const struct packet *packet, struct packet_facts *facts, int is_bare)
{
	int parsed = parse_in(packet, FAST, facts, is_bare);

	if (parsed != PARSED_UNREADABLE)
		return parsed;
	parsed = parse_in(packet, COMPLETE, facts, is_bare);
	if (parsed != PARSED_FLOW)
		facts->payload_offset = facts->payload_bytes = 0;
	return parsed;
}

static struct judgement judge(const struct packet *packet, int is_bare)
{
	struct packet_facts facts;
	int parsed = parse(packet, &facts, is_bare);
	__u32 payload_bytes = facts.payload_bytes;
	__u32 cut = facts.payload_offset;
	__u32 packets = is_plain(packet, &facts, parsed) ? wire_packets(packet, facts.payload_bytes) :
							   measure_aggregate(packet, &facts, is_bare, &cut);
	struct judgement judgement = {
		.parsed = parsed,
		.is_estimated = facts.is_estimated,
		.packets = packets,
		.bytes = wire_bytes(packet, packets, cut, facts.unsent),
	};

	if (parsed == PARSED_MALFORMED)
		judgement.malformed = facts.malformed;
	if (parsed != PARSED_FLOW)
		return judgement;
	if (facts.payload_offset + payload_bytes > packet->length)
		abort();
	judgement.fragment = facts.fragment;
	judgement.sequence = facts.sequence;
	judgement.protocol = facts.key.protocol;
	judgement.family = facts.key.family;
	judgement.vlan = facts.key.vlan;
	judgement.source_port = facts.key.source_port;
	judgement.destination_port = facts.key.destination_port;
	judgement.payload_offset = facts.payload_offset;
	judgement.payload_bytes = payload_bytes;
	judgement.wire_payload_bytes = facts.payload_bytes;
	judgement.number = facts.number;
	judgement.tcp_flags = facts.tcp_flags;
	judgement.traffic_class = facts.traffic_class;
	judgement.hop_limit = facts.hop_limit;
	judgement.ip_bytes = bytes_of_ip(&facts, packet->length, packets, judgement.bytes);
	memcpy(judgement.source, facts.key.source, 16);
	memcpy(judgement.destination, facts.key.destination, 16);
	return judgement;
}

static struct judgement judge_input(const __u8 *input, __u32 size, __u32 linear_share)
{
	const struct head *head = (const void *)input;
	__u32 length = size - sizeof(*head);
	struct buffer buffer = buffer_of(input + sizeof(*head), length, length * linear_share / 255);
	struct packet packet = packet_in(&buffer, head->flags & 2 ? 9 : VLAN_NONE);
	struct judgement judgement;

	enabled_groups = ~0U;
	packet.gso_size = head->gso_size * 8;
	packet.gso_segments = head->gso_segments;
	judgement = judge(&packet, head->flags & 1);
	release(&buffer);
	return judgement;
}

#ifdef SERVE

static __u8 input[1 << 16];

/* A length and an input, again and again; a length of zero asks for all that is owed. */
int main(void)
{
	__u32 size;

	while (fread(&size, sizeof(size), 1, stdin) == 1) {
		struct judgement judgement;

		if (!size) {
			fflush(stdout);
			continue;
		}
		if (size < sizeof(struct head) || size > sizeof(input) || fread(input, size, 1, stdin) != 1)
			return 2;
		judgement = judge_input(input, size, input[1]);
		fwrite(&judgement, sizeof(judgement), 1, stdout);
	}
	return 0;
}

#else

/* A number passes only where that says the same, and so does the other shortcut. */
static void track_number(struct flow_slot *slot, __u32 number, int is_16_bit, __u32 threshold)
{
	struct flow_slot judged = settled(slot), next = judged;
	int is_next = continue_series(&next, number, is_16_bit);

	place_number(&judged, number, is_16_bit, threshold);
	pass_or_place(slot, number, is_16_bit, threshold);
	if (!is_same(slot, &judged) || (is_next && memcmp(&next, &judged, sizeof(next))))
		abort();
}

static void track_segment(struct flow_slot *slot, __u32 number, __u8 tcp_flags, __u32 length, __u32 threshold)
{
	struct flow_slot judged = settled(slot);
	int took_part, says;

	took_part = track_tcp(&judged, number, tcp_flags, length, length, threshold);
	pass_or_track(slot, number, tcp_flags, length, length, threshold, &says);
	if (!is_same(slot, &judged) || took_part != says)
		abort();
}

/* Any numbers, any flags, any times: state that must stay defined. */
static void track(const __u8 *bytes, __u32 size)
{
	struct flow_slot numbers = {}, words = {}, stream = { .key.protocol = IPPROTO_TCP };
	struct flow_counters counters = {};

	for (__u32 i = 0; i + 8 <= size; i += 8) {
		__u32 number = read_u32(bytes + i), length = read_u16(bytes + i + 4);
		__u32 threshold = bytes[i + 6];
		__s64 gap;

		memcpy(&gap, bytes + i, sizeof(gap));
		track_number(&numbers, number, 0, threshold);
		track_number(&words, number & 0xffff, 1, threshold);
		track_segment(&stream, number, bytes[i + 7], length, threshold);
		/* Longer ones are no gaps: the flow had stopped. */
		add_gap(&counters, gap % (__s64)JITTER_STOP_NS);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	struct judgement one, other;

	if (size < sizeof(struct head) || size > 4096)
		return 0;
	one = judge_input(input, size, input[1]);
	other = judge_input(input, size, 0);
	if (memcmp(&one, &other, sizeof(one)))
		abort();
	track(input + sizeof(struct head), size - sizeof(struct head));
	return 0;
}

#endif
