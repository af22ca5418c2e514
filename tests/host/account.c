// SPDX-License-Identifier: MIT OR Apache-2.0
/* account.h and what it rests on (rules.h, sequence_dispatch.h, totals.h) with maps in this process's memory: each step of a packet's way from
 * its parsed headers to the counters, and what others change meanwhile.
 */
#include "program.h"

static __u64 now;
static __u8 payload[4096];

#define BPF_ANY 0
#define bpf_ktime_get_ns() now

static long bpf_map_update_elem(const void *map, const void *key, const void *value, __u64 flags);
static long bpf_skb_load_bytes(const struct __sk_buff *skb, __u32 offset, void *to, __u32 length);

/* What another CPU does behind the next subtractions. */
static void (*meanwhile)(void);

#define __sync_fetch_and_sub(word, number)                                                                             \
	({                                                                                                             \
		__auto_type before_it = __atomic_fetch_sub(word, number, __ATOMIC_SEQ_CST);                            \
		if (meanwhile)                                                                                         \
			meanwhile();                                                                                   \
		before_it;                                                                                             \
	})

#include "segments.h"
#include "account.h"
#include "fragments.h"

#define CPU 1
#define CPUS 2
#define SLOTS 16
#define IFINDEX 7
#define ACTIVE(version, bank) ((version) << 1 | (bank))

static struct flow_slot slots[SLOTS];
static struct flow_counters flow_counters_of[SLOTS];
static struct flow_shared flow_shared_of[SLOTS];
static __u64 claims[1];
static struct interface interface_at[INTERFACE_SLOTS];
static struct interface_totals totals_of_cpus[CPUS * INTERFACE_SLOTS];
static __u64 untracked_bytes_of_cpus[CPUS * INTERFACE_SLOTS];
static __u64 ports[BANKS * 2 * PORTS];
static struct rule_bank banks[BANKS];
static struct sequence_profile profiles[BANKS * PROFILES];
static struct verdict verdicts_of_cpus[CPUS * VERDICTS];
static struct search_room search_room;
static struct gap_histogram histogram;
static __u32 focused;
static struct {
	struct rule_address key;
	__u64 rules;
} addresses[8];
static struct {
	struct fragment_key key;
	struct fragment_ports ports;
	int is_known;
} fragment;

static void *element(void *array, __u32 size, __u32 count, const void *key)
{
	__u32 at = *(const __u32 *)key;

	return at < count ? (__u8 *)array + (__u64)at * size : NULL;
}

#define ELEMENT(array, key) element(array, sizeof((array)[0]), COUNT(array), key)

/* The longest prefix that the address begins with. */
static void *rules_of(const struct rule_address *wanted)
{
	void *found = NULL;
	__u32 longest = 0;

	for (int i = 0; i < COUNT(addresses); i++) {
		const struct rule_address *key = &addresses[i].key;

		if (key->prefix_length > wanted->prefix_length || key->prefix_length < longest ||
		    memcmp(&key->bank, &wanted->bank, key->prefix_length / 8))
			continue;
		longest = key->prefix_length;
		found = longest ? &addresses[i].rules : NULL;
	}
	return found;
}

static void *look_up(const void *map, const void *key)
{
	if (map == &flow_table)
		return ELEMENT(slots, key);
	if (map == &flow_counters)
		return ELEMENT(flow_counters_of, key);
	if (map == &flow_shared)
		return ELEMENT(flow_shared_of, key);
	if (map == &claimed_sets)
		return ELEMENT(claims, key);
	if (map == &interfaces)
		return ELEMENT(interface_at, key);
	if (map == &interface_totals)
		return ELEMENT(totals_of_cpus, key);
	if (map == &untracked_bytes)
		return ELEMENT(untracked_bytes_of_cpus, key);
	if (map == &rule_ports)
		return ELEMENT(ports, key);
	if (map == &rule_banks)
		return ELEMENT(banks, key);
	if (map == &sequence_profiles)
		return ELEMENT(profiles, key);
	if (map == &verdicts)
		return ELEMENT(verdicts_of_cpus, key);
	if (map == &rule_addresses)
		return rules_of(key);
	if (map == &search_rooms)
		return &search_room;
	if (map == &gap_histograms)
		return *(const __u32 *)key == focused ? &histogram : NULL;
	if (map == &fragments)
		return fragment.is_known && !memcmp(&fragment.key, key, sizeof(fragment.key)) ? &fragment.ports : NULL;
	abort();
}

static long bpf_map_update_elem(const void *map, const void *key, const void *value, __u64 flags)
{
	if (map != &fragments || flags != BPF_ANY)
		abort();
	memcpy(&fragment.key, key, sizeof(fragment.key));
	memcpy(&fragment.ports, value, sizeof(fragment.ports));
	fragment.is_known = 1;
	return 0;
}

static long bpf_skb_load_bytes(const struct __sk_buff *skb, __u32 offset, void *to, __u32 length)
{
	if (offset > skb->len || length > skb->len - offset)
		return -1;
	memcpy(to, payload + offset, length);
	return 0;
}

/* Nothing is known, no rules are in force, and a profile reads 32 bits at the start of each payload. */
static void begin(void)
{
	memset(slots, 0, sizeof(slots));
	memset(flow_counters_of, 0, sizeof(flow_counters_of));
	memset(flow_shared_of, 0, sizeof(flow_shared_of));
	memset(interface_at, 0, sizeof(interface_at));
	memset(totals_of_cpus, 0, sizeof(totals_of_cpus));
	memset(untracked_bytes_of_cpus, 0, sizeof(untracked_bytes_of_cpus));
	memset(ports, 0, sizeof(ports));
	memset(banks, 0, sizeof(banks));
	memset(profiles, 0, sizeof(profiles));
	memset(verdicts_of_cpus, 0, sizeof(verdicts_of_cpus));
	memset(&histogram, 0, sizeof(histogram));
	memset(addresses, 0, sizeof(addresses));
	memset(&fragment, 0, sizeof(fragment));
	settings = (struct settings){ .active = ACTIVE(1, 0) };
	profiles[RULE_NONE] = (struct sequence_profile){ .threshold = 10, .flags = PROFILE_OFFSET, .id = 3 };
	home_shift = 60;
	for (int i = 0; i < HASH_KEYS; i++)
		hash_keys[i] = 0x9e3779b9 * (i + 1);
	focused = SLOTS;
	now = 1000000000;
}

static struct flow_key key_of(__u8 protocol)
{
	return (struct flow_key){
		.ifindex = IFINDEX,
		.source_port = 1000,
		.destination_port = 2000,
		.source = { 10, 0, 0, 1 },
		.destination = { 10, 0, 0, 2 },
		.vlan = VLAN_NONE,
		.protocol = protocol,
		.family = protocol == NEXT_ICMPV6 ? FAMILY_IPV6 : FAMILY_IPV4,
	};
}

static void interfaces_are_found_in_their_place_or_one_of_seven_behind_it(void)
{
	for (__u32 behind = 0; behind < 10; behind++) {
		__u32 at = (INTERFACE_SLOTS - 3 + behind) % INTERFACE_SLOTS;
		__u32 ifindex = 3 * INTERFACE_SLOTS - 3;
		__u32 place = at && behind < INTERFACE_PROBES ? at : 0, slot;

		begin();
		totals_of_cpus[CPU * INTERFACE_SLOTS + at].ifindex = ifindex;
		expect("an interface", "its totals", totals_of(CPU, ifindex, &slot) - totals_of_cpus,
		       CPU * INTERFACE_SLOTS + place);
		expect("an interface", "its slot", slot, place);
		expect("another CPU's", "its slot", (totals_of(!CPU, ifindex, &slot), slot), 0);
	}
	begin();
	expect("a CPU that is none", "totals", totals_in(CPUS, 1) != NULL, 0);
}

static void volumes_add_up(void)
{
	struct volume volume = { 5, 700 };

	add_volume(&volume, 2, 1 << 20);
	expect("a volume", "packets", volume.packets, 7);
	expect("a volume", "bytes", volume.bytes, 700 + (1 << 20));
	add_shared_volume(&volume, 3, 1 << 20);
	expect("a shared volume", "packets", volume.packets, 10);
	expect("a shared volume", "bytes", volume.bytes, 700 + (2 << 20));
}

/* All rules match, but for one field, which has those of `rules`. */
static void match_all(__u32 bank, const struct flow_key *key)
{
	begin();
	settings.rules[bank] = MAX_RULES;
	banks[bank] = (struct rule_bank){ { ~0ULL, ~0ULL, ~0ULL, ~0ULL }, ~0ULL, ~0ULL };
	ports[(bank * 2 + 0) * PORTS + key->source_port] = ~0ULL;
	ports[(bank * 2 + 1) * PORTS + key->destination_port] = ~0ULL;
	for (int side = 0; side < 2; side++) {
		struct rule_address *address = &addresses[side].key;

		*address = (struct rule_address){
			.prefix_length = RULE_ADDRESS_FIXED_BITS + (key->family == FAMILY_IPV4 ? 32 : 128),
			.bank = bank,
			.side = side,
			.family = key->family,
		};
		memcpy(address->address, side ? key->destination : key->source, 16);
		addresses[side].rules = ~0ULL;
	}
}

static void each_field_of_a_flow_says_which_rules_it_satisfies(void)
{
	static const __u8 PROTOCOLS[] = { IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP, NEXT_ICMPV6 };

	for (__u32 bank = 0; bank < BANKS; bank++) {
		for (int i = 0; i < COUNT(PROTOCOLS); i++) {
			struct flow_key key = key_of(PROTOCOLS[i]);
			__u64 *source = i < 2 ? &ports[(bank * 2 + 0) * PORTS + 1000] : &banks[bank].any_source_port;
			__u64 *destination =
				i < 2 ? &ports[(bank * 2 + 1) * PORTS + 2000] : &banks[bank].any_destination_port;
			__u64 *fields[] = { &banks[bank].protocols[i], source, destination, &addresses[0].rules,
					    &addresses[1].rules };

			for (int field = 0; field < COUNT(fields); field++) {
				match_all(bank, &key);
				expect("all", "rule", match_rules(&key, ACTIVE(1, bank)), 0);
				*fields[field] = 1ULL << 40 | 1ULL << (20 + field);
				expect("one field", "rule", match_rules(&key, ACTIVE(1, bank)), 20 + field);
				*fields[field] = 0;
				expect("no field", "rule", match_rules(&key, ACTIVE(1, bank)), -1);
				expect("without rules", "rule", match_rules(&key, ACTIVE(1, !bank)), RULE_NONE);
			}
		}
	}
}

static void a_longer_prefix_counts_and_another_address_matches_no_rule(void)
{
	struct flow_key key = key_of(IPPROTO_UDP), other = key;

	match_all(0, &key);
	addresses[0].rules = 1ULL << 9;
	addresses[2].key = addresses[0].key;
	addresses[2].key.prefix_length -= 8;
	addresses[2].rules = 1ULL << 5;
	expect("the address itself", "rule", match_rules(&key, ACTIVE(1, 0)), 9);
	other.source[3] += 1;
	expect("another one of its prefix", "rule", match_rules(&other, ACTIVE(1, 0)), 5);
	other.source[2] += 1;
	expect("any other", "rule", match_rules(&other, ACTIVE(1, 0)), -1);
}

static void the_first_rule_is_the_lowest_bit(void)
{
	for (int bit = 0; bit < 64; bit++) {
		expect("one rule", "first", first_rule(1ULL << bit), bit);
		expect("all from it on", "first", first_rule(~0ULL << bit), bit);
	}
}

static void a_profile_is_its_banks_and_its_rules(void)
{
	begin();
	for (__u32 bank = 0; bank < BANKS; bank++)
		for (__u32 rule = 0; rule < PROFILES; rule++)
			expect("a profile", "its place", profile_of(bank, rule) - profiles, bank * PROFILES + rule);
}

static void what_was_filtered_is_known_by_all_of_its_key_and_the_rules(void)
{
	struct flow_key key = key_of(IPPROTO_UDP), other = key;
	__u64 hash = 0x1234567800000000ULL;

	begin();
	for (__u64 place = 0; place < VERDICTS; place++) {
		const struct verdict *of_cpu = &verdicts_of_cpus[CPU * VERDICTS];

		expect("a verdict", "its place", verdict_of(CPU, place << 32 | 0xffffffff) - of_cpu, place);
		expect("one of a longer hash", "its place", verdict_of(CPU, (place + 5 * VERDICTS) << 32) - of_cpu,
		       place);
	}
	expect("at first", "filtered", was_filtered(&key, CPU, hash, ACTIVE(1, 0)), 0);
	verdict_of(CPU, hash)->key = key;
	verdict_of(CPU, hash)->active = ACTIVE(1, 0);
	expect("the same", "filtered", was_filtered(&key, CPU, hash, ACTIVE(1, 0)), 1);
	expect("by other rules", "filtered", was_filtered(&key, CPU, hash, ACTIVE(2, 0)), 0);
	expect("on another CPU", "filtered", was_filtered(&key, !CPU, hash, ACTIVE(1, 0)), 0);
	other.family ^= 1;
	expect("another flow", "filtered", was_filtered(&other, CPU, hash, ACTIVE(1, 0)), 0);
}

static struct packet_facts facts_of(__u8 protocol, enum sequence_kind sequence)
{
	return (struct packet_facts){
		.key = key_of(protocol), .payload_offset = 42, .payload_bytes = 100, .sequence = sequence
	};
}

static void later_fragments_have_the_ports_of_their_first_one(void)
{
	static const struct {
		__u8 protocol, named; /* of the flow, and as the fragment's own header names it */
		int parsed, sequence;
	} CASES[] = {
		{ IPPROTO_TCP, IPPROTO_TCP, PARSED_FLOW, SEQUENCE_UNPLACED },
		{ IPPROTO_UDP, IPPROTO_UDP, PARSED_FLOW, SEQUENCE_NONE },
		{ IPPROTO_ICMP, IPPROTO_ICMP, PARSED_FLOW, SEQUENCE_NONE },
		{ NEXT_ICMPV6, NEXT_ICMPV6, PARSED_FLOW, SEQUENCE_NONE },
		{ IPPROTO_UDP, NEXT_AH, PARSED_FLOW, SEQUENCE_NONE },
	};

	for (int i = 0; i < COUNT(CASES); i++) {
		struct packet_facts first = facts_of(CASES[i].protocol, SEQUENCE_PAYLOAD), later;

		begin();
		first.fragment_protocol = CASES[i].named;
		first.identification = 77;
		first.fragment = FRAGMENT_FIRST;
		later = first;
		later.fragment = FRAGMENT_LATER;
		later.sequence = SEQUENCE_NONE;
		later.key.source_port = later.key.destination_port = 0;
		later.key.protocol = CASES[i].named;
		expect("a first fragment", "parsed", resolve_fragment(&first), PARSED_FLOW);
		expect("a later one", "parsed", resolve_fragment(&later), CASES[i].parsed);
		expect("a later one", "sequence", later.sequence, CASES[i].sequence);
		expect("a later one", "unmatched", later.is_unmatched, 0);
		expect("a later one", "another flow", memcmp(&later.key, &first.key, sizeof(first.key)), 0);
		later.identification += 1;
		later.key.protocol = CASES[i].named;
		expect("one of another packet", "parsed", resolve_fragment(&later),
		       CASES[i].named == NEXT_AH ? PARSED_OTHER : PARSED_FLOW);
		expect("one of another packet", "unmatched", later.is_unmatched, 1);
		later.key.protocol = IPPROTO_GRE;
		expect("one of no flow", "parsed", resolve_fragment(&later), PARSED_OTHER);
		expect("one of no flow", "unmatched", later.is_unmatched, 0);
	}
}

static void a_fragment_of_the_other_familys_protocol_is_no_flow(void)
{
	struct packet_facts facts = facts_of(IPPROTO_ICMP, SEQUENCE_NONE);

	begin();
	facts.fragment = FRAGMENT_LATER;
	facts.key.protocol = NEXT_ICMPV6;
	expect("ICMPv6 in IPv4", "parsed", resolve_fragment(&facts), PARSED_OTHER);
	facts.key.family = FAMILY_IPV6;
	facts.key.protocol = IPPROTO_ICMP;
	expect("ICMP in IPv6", "parsed", resolve_fragment(&facts), PARSED_OTHER);
	expect("nothing", "parsed", resolve_fragment(NULL), PARSED_OTHER);
}

/* src/model/histogram.rs has the definition. */
static void gaps_have_32_buckets_for_each_power_of_two(void)
{
	begin();
	for (__u64 gap = 0; gap < 64; gap++)
		expect("below 64 ns", "bucket", gap_bucket(gap), gap);
	for (int e = 6; e < 64; e++) {
		__u64 power = 1ULL << e, part = power >> 5;
		__u32 bucket = 32 * (e - 4);

		for (__u32 nth = 0; nth < 32; nth++) {
			__u32 wanted = e < 31 ? bucket + nth : HISTOGRAM_BUCKETS - 1;

			expect("the first of a part", "bucket", gap_bucket(power + nth * part), wanted);
			expect("the last of it", "bucket", gap_bucket(power + (nth + 1) * part - 1), wanted);
		}
	}
	expect("of JITTER_STOP_NS", "bucket", gap_bucket(JITTER_STOP_NS), 859);
	focused = 3;
	record_gap(3, -5);
	record_gap(3, 2);
	record_gap(4, 2);
	expect("a negative gap", "is counted as none", histogram.counts[0], 1);
	expect("a gap", "is counted once", histogram.counts[2], 1);
	expect("the longest", "so far", histogram.longest, 2);
	record_gap(3, 1LL << 40);
	expect("the longest", "is counted", histogram.counts[HISTOGRAM_BUCKETS - 1], 1);
	record_gap(3, 1000);
	expect("the longest", "stays", histogram.longest, 1LL << 40);
}

static void echo_messages_are_told_by_their_type(void)
{
	for (int type = 0; type < 256; type++) {
		struct flow_key key = key_of(IPPROTO_ICMP);

		key.destination_port = type << 8 | 0x80;
		expect("ICMP", "echo", is_echo(&key), type == 0 || type == 8);
		key.protocol = IPPROTO_UDP;
		expect("UDP", "echo", is_echo(&key), 0);
		key = key_of(NEXT_ICMPV6);
		key.destination_port = type << 8 | 8;
		expect("ICMPv6", "echo", is_echo(&key), type == 128 || type == 129);
		key.protocol = IPPROTO_UDP;
		expect("UDP over IPv6", "echo", is_echo(&key), 0);
	}
}

static void what_has_numbers_is_sequenced(void)
{
	struct sequence_profile none = {}, pattern = { .flags = PROFILE_PATTERN }, offset = { .flags = PROFILE_OFFSET };
	struct flow_key tcp = key_of(IPPROTO_TCP), udp = key_of(IPPROTO_UDP), echo = key_of(IPPROTO_ICMP);

	none.flags = PROFILE_WIDTH_16 | PROFILE_LITTLE_ENDIAN | PROFILE_RTP | PROFILE_EXPLICIT;
	echo.destination_port = 8 << 8;
	expect("TCP", "flags", flags_of_profile(&tcp, &none), FLOW_SEQUENCED);
	expect("echo", "flags", flags_of_profile(&echo, &none), FLOW_SEQUENCED);
	expect("UDP", "flags", flags_of_profile(&udp, &none), 0);
	expect("UDP with a pattern", "flags", flags_of_profile(&udp, &pattern), FLOW_SEQUENCED);
	expect("UDP with an offset", "flags", flags_of_profile(&udp, &offset), FLOW_SEQUENCED);
}

static void put_number(__u32 at, __u32 number)
{
	for (int i = 0; i < 4; i++)
		payload[at + i] = number >> (24 - 8 * i);
}

/* One packet of so many bytes at a time, the way that the program takes it on a CPU. */
static struct interface_totals *arrive_on(__u32 cpu, const struct packet_facts *facts, __u64 at, __u32 packets,
					  __u32 gso_size)
{
	struct __sk_buff skb = { .len = 4000, .gso_size = gso_size };
	struct interface_totals *totals = totals_in(cpu, IFINDEX);
	struct observation seen = {
		.packets = packets, .active = settings.active, .bytes = 1000, .cpu = cpu, .interface = IFINDEX
	};

	now = at;
	account_flow(&skb, facts, totals, &seen);
	return totals;
}

static struct interface_totals *arrive(const struct packet_facts *facts, __u64 at, __u32 packets, __u32 gso_size)
{
	return arrive_on(CPU, facts, at, packets, gso_size);
}

static struct flow_slot *slot_of(const struct packet_facts *facts)
{
	__u64 control;
	__u32 at;

	return find_slot(&facts->key, hash_flow(&facts->key), &at, &control);
}

static struct flow_counters *counters_of(const struct packet_facts *facts)
{
	return &flow_counters_of[slot_of(facts) - slots];
}

static struct flow_shared *shared_of(const struct packet_facts *facts)
{
	return &flow_shared_of[slot_of(facts) - slots];
}

static void a_flow_has_its_packets_gaps_and_numbers(void)
{
	struct packet_facts facts = facts_of(IPPROTO_UDP, SEQUENCE_PAYLOAD);
	struct flow_counters *counters;

	begin();
	for (int i = 0; i < 4; i++) {
		put_number(42, i < 2 ? i : i + 3);
		arrive(&facts, 1000 + 100 * i, 1, 0);
	}
	counters = counters_of(&facts);
	expect("a flow", "packets", counters->packets, 4);
	expect("a flow", "bytes", counters->bytes, 4000);
	expect("a flow", "payload", counters->payload_bytes, 400);
	expect("a flow", "gaps", counters->gaps, 3);
	expect("a flow", "sum of gaps", counters->gap_sum, 300);
	expect("a flow", "sequenced", counters->sequenced, 4);
	expect("a flow", "lost", slot_of(&facts)->lost, 3);
	expect("a flow", "first arrival", slot_of(&facts)->first_arrival, 1000);
	expect("a flow", "last arrival", slot_of(&facts)->last_arrival, 1300);
	expect("a flow", "unlocked", slot_of(&facts)->control & (FLOW_LOCKED | FLOW_STATE), FLOW_LIVE);
}

static void a_flow_without_numbers_is_counted_like_any_other(void)
{
	struct packet_facts udp = facts_of(IPPROTO_UDP, SEQUENCE_PAYLOAD), tcp = facts_of(IPPROTO_TCP, SEQUENCE_TCP);
	struct interface_totals *totals;

	begin();
	profiles[RULE_NONE].flags = 0;
	tcp.payload_bytes = 0;
	for (int i = 0; i < 3; i++) {
		arrive(&udp, 1000 + 100 * i, 2, 0);
		totals = arrive(&tcp, 1000 + 100 * i, 2, 0);
	}
	expect("without a place", "packets", counters_of(&udp)->packets, 6);
	expect("without a place", "sequenced", counters_of(&udp)->sequenced, 0);
	expect("acknowledgements", "packets", counters_of(&tcp)->packets, 6);
	expect("acknowledgements", "sequenced", counters_of(&tcp)->sequenced, 0);
	expect("both", "untracked", totals->untracked, 0);
}

static void the_first_rule_and_the_first_slot_are_as_good_as_any(void)
{
	struct packet_facts facts = facts_of(IPPROTO_UDP, SEQUENCE_PAYLOAD);
	struct interface_totals *totals;

	match_all(0, &facts.key);
	for (int i = 1; i < SLOTS; i++)
		slots[i].control = FLOW_RETIRED;
	totals = arrive(&facts, 1000, 2, 0);
	expect("a flow", "slot", slot_of(&facts) - slots, 0);
	expect("a flow", "rule", slots[0].rule, 0);
	expect("a flow", "packets", counters_of(&facts)->packets, 2);
	expect("a flow", "filtered", totals->filtered.packets, 0);
	expect("a flow", "untracked", totals->untracked, 0);
}

static void a_flow_that_had_stopped_begins_a_new_epoch(void)
{
	struct packet_facts facts = facts_of(IPPROTO_UDP, SEQUENCE_PAYLOAD);

	begin();
	arrive(&facts, 1000, 1, 0);
	arrive(&facts, 1000 + JITTER_STOP_NS, 1, 0);
	expect("the longest gap", "gaps", counters_of(&facts)->gaps, 1);
	expect("the longest gap", "epoch", epoch_of(slot_of(&facts)->control), 0);
	arrive(&facts, 1001 + 2 * JITTER_STOP_NS, 1, 0);
	expect("a longer one", "gaps", counters_of(&facts)->gaps, 1);
	expect("a longer one", "epoch", epoch_of(slot_of(&facts)->control), 1);
	arrive(&facts, 1011 + 2 * JITTER_STOP_NS, 1, 0);
	expect("the next one", "sum of gaps", counters_of(&facts)->gap_sum, 10);
}

static void a_focused_flow_keeps_a_histogram(void)
{
	struct packet_facts facts = facts_of(IPPROTO_UDP, SEQUENCE_PAYLOAD);

	begin();
	arrive(&facts, 1000, 1, 0);
	focused = slot_of(&facts) - slots;
	arrive(&facts, 1004, 1, 0);
	expect("a flow without focus", "gaps of 4 ns", histogram.counts[4], 0);
	slot_of(&facts)->control |= FLOW_FOCUSED;
	arrive(&facts, 1008, 1, 0);
	expect("a focused one", "gaps of 4 ns", histogram.counts[4], 1);
}

static void acknowledgements_and_what_has_no_number_take_no_lock(void)
{
	struct packet_facts facts = facts_of(IPPROTO_TCP, SEQUENCE_TCP);

	begin();
	facts.payload_bytes = 0;
	expect("an acknowledgement", "takes part", takes_part(&facts), 0);
	for (int flag = 1; flag < 256; flag *= 2) {
		facts.tcp_flags = flag;
		expect("a flag", "takes part", takes_part(&facts), flag <= TCP_RST);
	}
	facts.tcp_flags = 0;
	facts.payload_bytes = 1;
	expect("payload", "takes part", takes_part(&facts), 1);
	facts = facts_of(IPPROTO_UDP, SEQUENCE_PAYLOAD);
	facts.payload_bytes = 0;
	expect("an empty datagram", "takes part", takes_part(&facts), 1);
}

static void what_no_rule_matches_is_filtered_and_remembered(void)
{
	struct packet_facts facts = facts_of(IPPROTO_UDP, SEQUENCE_PAYLOAD);
	struct interface_totals *totals;

	match_all(0, &facts.key);
	banks[0].protocols[1] = 0;
	arrive(&facts, 1000, 2, 0);
	expect("an excluded flow", "slot", slot_of(&facts) != NULL, 0);
	expect("an excluded flow", "remembered", was_filtered(&facts.key, CPU, hash_flow(&facts.key), ACTIVE(1, 0)), 1);
	totals = arrive(&facts, 2000, 3, 0);
	expect("an excluded flow", "filtered", totals->filtered.packets, 5);
	expect("an excluded flow", "filtered bytes", totals->filtered.bytes, 2000);
	expect("an excluded flow", "untracked", totals->untracked, 0);
}

static void what_finds_no_place_is_untracked_and_who_gives_way_is_counted(void)
{
	struct packet_facts facts = facts_of(IPPROTO_UDP, SEQUENCE_PAYLOAD);
	struct interface_totals *totals;

	begin();
	for (int i = 0; i < SLOTS; i++)
		slots[i] = (struct flow_slot){ .control = FLOW_LIVE | 1 << FLOW_VERSION_SHIFT, .last_arrival = 5000 };
	totals = arrive(&facts, 6000, 2, 0);
	expect("no place", "untracked", totals->untracked, 2);
	expect("no place", "untracked bytes", untracked_bytes_of_cpus[totals - totals_of_cpus], 1000);
	expect("no place", "evicted", interface_at[IFINDEX].evicted, 0);
	settings.scanned_at = 5500;
	arrive(&facts, 7000, 1, 0);
	expect("a place", "untracked", totals->untracked, 2);
	expect("a place", "evicted", interface_at[IFINDEX].evicted, 1);
	expect("a place", "first arrival", slot_of(&facts)->first_arrival, 7000);
}

/* The other bank is in force, without rules, and with the same profile under this id. */
static void change_rules(__u8 id)
{
	for (__u32 rule = 0; rule < PROFILES; rule++) {
		profiles[PROFILES + rule] = profiles[RULE_NONE];
		profiles[PROFILES + rule].id = id;
	}
	settings.rules[1] = 0;
	settings.active = ACTIVE(2, 1);
}

static void rules_that_change_keep_a_flow_whose_profile_stays(void)
{
	struct packet_facts facts = facts_of(IPPROTO_UDP, SEQUENCE_PAYLOAD);
	struct flow_slot *slot;

	begin();
	arrive(&facts, 1000, 1, 0);
	slot = slot_of(&facts);
	slot->control |= FLOW_FOCUSED | 7ULL << FLOW_EPOCH_SHIFT;
	change_rules(profiles[RULE_NONE].id);
	arrive(&facts, 1100, 1, 0);
	expect("the same profile", "slot", slot_of(&facts) == slot, 1);
	expect("the same profile", "control", slot->control,
	       (long long)(7ULL << FLOW_EPOCH_SHIFT | 1 << FLOW_GENERATION_SHIFT | 2 << FLOW_VERSION_SHIFT |
			   FLOW_FOCUSED | FLOW_SEQUENCED | FLOW_LIVE));
	expect("the same profile", "rule", slot->rule, RULE_NONE);
	expect("the same profile", "packets", counters_of(&facts)->packets, 2);
	profiles[PROFILES + RULE_NONE].flags = 0;
	settings.active = ACTIVE(3, 1);
	arrive(&facts, 1200, 1, 0);
	expect("the same id without a number", "sequenced", slot->control & FLOW_SEQUENCED, 0);
	profiles[PROFILES + RULE_NONE].id += 1;
	settings.active = ACTIVE(4, 1);
	arrive(&facts, 1300, 1, 0);
	expect("another profile", "the former slot", slot->control & FLOW_STATE, FLOW_RETIRED);
	expect("another profile", "packets of the new slot", counters_of(&facts)->packets, 1);
}

static void a_stream_keeps_its_numbers_under_another_profile(void)
{
	struct packet_facts facts = facts_of(IPPROTO_TCP, SEQUENCE_TCP);
	struct flow_slot *slot;

	begin();
	arrive(&facts, 1000, 1, 0);
	slot = slot_of(&facts);
	change_rules(profiles[RULE_NONE].id + 1);
	arrive(&facts, 1100, 1, 0);
	expect("another profile", "slot", slot_of(&facts) == slot, 1);
	expect("another profile", "state", slot->control & FLOW_STATE, FLOW_LIVE);
	expect("another profile", "version", version_of(slot->control), 2);
	expect("another profile", "id", slot->profile, profiles[PROFILES + RULE_NONE].id);
	expect("another profile", "packets", counters_of(&facts)->packets, 2);
}

static void a_flow_that_no_rule_admits_any_more_is_retired(void)
{
	struct packet_facts facts = facts_of(IPPROTO_UDP, SEQUENCE_PAYLOAD);
	struct interface_totals *totals;
	struct flow_slot *slot;

	begin();
	arrive(&facts, 1000, 1, 0);
	slot = slot_of(&facts);
	settings.rules[1] = 1;
	settings.active = ACTIVE(2, 1);
	totals = arrive(&facts, 1100, 1, 0);
	expect("an excluded flow", "its slot", slot->control & (FLOW_STATE | FLOW_LOCKED), FLOW_RETIRED);
	expect("an excluded flow", "filtered", totals->filtered.packets, 1);
}

static void a_number_that_finds_the_flow_locked_is_contended(void)
{
	struct packet_facts facts = facts_of(IPPROTO_UDP, SEQUENCE_PAYLOAD);
	struct packet_facts tcp = facts_of(IPPROTO_TCP, SEQUENCE_TCP);
	const struct interface *interface = &interface_at[IFINDEX];
	struct flow_slot *slot;

	begin();
	arrive(&facts, 1000, 1, 0);
	slot = slot_of(&facts);
	slot->control |= FLOW_LOCKED;
	arrive(&facts, 1100, 1, 0);
	expect("a locked flow", "contended", interface->contended, 1);
	expect("a locked flow", "unjudged", shared_of(&facts)->unjudged, 1);
	expect("a locked flow", "shared", slot->control & FLOW_SHARED, FLOW_SHARED);
	expect("a locked flow", "sequenced", counters_of(&facts)->sequenced, 2);
	expect("a locked flow", "lock", slot->control & FLOW_LOCKED, FLOW_LOCKED);
	arrive(&tcp, 1000, 1, 0);
	slot = slot_of(&tcp);
	slot->control |= FLOW_LOCKED;
	tcp.tcp_flags = TCP_FIN;
	arrive(&tcp, 1100, 5, 0);
	expect("a locked stream", "unjudged bytes", shared_of(&tcp)->unjudged, 101);
	expect("a locked stream", "sequenced", counters_of(&tcp)->sequenced, 6);
	tcp.tcp_flags = TCP_RST;
	arrive(&tcp, 1200, 1, 0);
	expect("a reset", "unjudged bytes", shared_of(&tcp)->unjudged, 101);
	expect("a reset", "sequenced", counters_of(&tcp)->sequenced, 6);
	expect("both", "contended", interface->contended, 3);
}

/* Whether packets of the flow need its lock: it is held, and the number that found no lock tells. */
static void expect_passed(const char *of, const struct packet_facts *facts, __u32 packets, __u32 gso_size, int passed)
{
	struct flow_slot *slot = slot_of(facts);
	__u64 contended = interface_at[IFINDEX].contended, sequenced = counters_of(facts)->sequenced;
	__u32 expected = slot->expected;

	slot->control |= FLOW_LOCKED;
	arrive(facts, now + 1, packets, gso_size);
	expect(of, "contended", interface_at[IFINDEX].contended - contended, !passed);
	expect(of, "sequenced", counters_of(facts)->sequenced - sequenced, packets);
	expect(of, "moved on", slot->expected != expected, passed);
	slot->control &= ~FLOW_LOCKED;
}

static void the_next_number_needs_no_lock(void)
{
	struct packet_facts udp = facts_of(IPPROTO_UDP, SEQUENCE_PAYLOAD), echo = facts_of(IPPROTO_ICMP, SEQUENCE_ECHO);
	struct packet_facts tcp = facts_of(IPPROTO_TCP, SEQUENCE_TCP);

	begin();
	put_number(42, 5);
	arrive(&udp, 1000, 1, 0);
	put_number(42, 6);
	expect_passed("the next", &udp, 1, 0, 1);
	expect_passed("the same again", &udp, 1, 0, 0);
	put_number(42, 7);
	slot_of(&udp)->profile += 1;
	expect_passed("the next, found by another profile", &udp, 1, 0, 0);
	slot_of(&udp)->profile -= 1;
	slot_of(&udp)->run &= ~RUN_PLAIN;
	expect_passed("the next while one is judged", &udp, 1, 0, 0);
	arrive(&udp, 1100, 1, 0);
	put_number(42, 8);
	expect_passed("the one behind it", &udp, 1, 0, 1);
	expect("all of them", "expected", slot_of(&udp)->expected, 9);
	echo.key.destination_port = 8 << 8;
	arrive(&echo, 1000, 1, 0);
	echo.number = 1;
	expect_passed("the next echo", &echo, 1, 0, 1);
	arrive(&tcp, 1000, 1, 0);
	tcp.number += 100;
	expect_passed("the next segment", &tcp, 1, 0, 1);
	tcp.number += 100;
	tcp.payload_bytes = 300;
	expect_passed("an aggregate", &tcp, 3, 100, 1);
	tcp.number += 300;
	expect_passed("one of larger segments", &tcp, 3, 101, 0);
	expect_passed("one packet as large", &tcp, 1, 100, 0);
	expect("the stream", "expected", slot_of(&tcp)->expected, tcp.number);
}

/* A number that is judged as the slot says now, which was found with another word. */
static __u32 judge_late(struct flow_slot *slot, __u64 found)
{
	struct packet_facts facts = facts_of(IPPROTO_UDP, SEQUENCE_PAYLOAD);
	struct __sk_buff skb = { .len = 4000 };
	struct observation seen = {
		.packets = 2,
		.bytes = 300,
		.active = ACTIVE(1, 0),
		.control = found,
		.slot = slot - slots,
		.interface = IFINDEX,
	};

	return judge_again(&skb, slot, &facts, &seen);
}

static struct flow_slot closed;

static void expect_closed(void)
{
	expect("a series that is about to be closed", "passed", pass_number(&closed, 9, 0), 0);
}

static void no_number_passes_beside_a_series_that_is_closed(void)
{
	closed = (struct flow_slot){ .flags = SEQUENCE_STARTED, .expected = 8 };
	open_series(&closed);
	expect("an open series", "passed", pass_number(&closed, 8, 0), 1);
	meanwhile = expect_closed;
	for (int times = 1; times < 3; times++) {
		close_series(&closed);
		expect("a series that is closed, and again", "passed", pass_number(&closed, 9, 0), 0);
		expect("a series that is closed, and again", "seen", closed.seen, 1);
		expect("a series that is closed, and again", "age", closed.base_age, 1);
	}
	meanwhile = NULL;
	open_series(&closed);
	expect("a series that was opened again", "passed", pass_number(&closed, 9, 0), 1);
}

static void who_comes_too_late_is_told_by_the_slot(void)
{
	const __u64 found = 9ULL << FLOW_GENERATION_SHIFT | 1 << FLOW_VERSION_SHIFT | FLOW_SEQUENCED | FLOW_LIVE;
	const struct interface *interface = &interface_at[IFINDEX];
	struct flow_slot *slot = &slots[3];

	begin();
	put_number(42, 7);
	*slot = (struct flow_slot){ .control = found | FLOW_FOCUSED, .rule = RULE_NONE };
	expect("focused meanwhile", "sequenced", judge_late(slot, found), 1);
	expect("focused meanwhile", "control", slot->control, found | FLOW_FOCUSED);
	expect("focused meanwhile", "expected", slot->expected, 8);
	expect("focused meanwhile", "contended", interface->contended, 0);
	slot->control = found ^ 3 << FLOW_VERSION_SHIFT;
	expect("of other rules meanwhile", "sequenced", judge_late(slot, found), 1);
	expect("of other rules meanwhile", "control", slot->control, (found ^ 3 << FLOW_VERSION_SHIFT) | FLOW_SHARED);
	expect("of other rules meanwhile", "duplicates", slot->duplicates, 0);
	expect("of other rules meanwhile", "unjudged", flow_shared_of[3].unjudged, 1);
	expect("of other rules meanwhile", "contended", interface->contended, 1);
	slot->control = found + (1ULL << FLOW_GENERATION_SHIFT);
	expect("another flow's", "sequenced", judge_late(slot, found), NOT_THERE);
	expect("another flow's", "unjudged", flow_shared_of[3].unjudged, 1);
	expect("another flow's", "contended", interface->contended, 1);
}

static void other_cpus_than_the_owner_share_their_counters(void)
{
	struct packet_facts facts = facts_of(IPPROTO_UDP, SEQUENCE_PAYLOAD);
	struct shared_gaps *gaps;
	struct flow_shared *shared;

	begin();
	for (int i = 0; i < 6; i++) {
		put_number(42, i);
		arrive_on(i < 2 ? CPU : !CPU, &facts, 1000 + 100 * i, 2, 0);
		expect("a flow", "shared", !!(slot_of(&facts)->control & FLOW_SHARED), i >= 2);
	}
	shared = shared_of(&facts);
	expect("the owner's", "packets", counters_of(&facts)->packets, 4);
	expect("the owner's", "gaps", counters_of(&facts)->gaps, 1);
	expect("the owner's", "sequenced", counters_of(&facts)->sequenced, 2);
	expect("those of others", "packets", shared->packets, 8);
	expect("those of others", "bytes", shared->bytes, 4000);
	expect("those of others", "payload", shared->payload_bytes, 400);
	expect("those of others", "sequenced", shared->sequenced, 4);
	expect("those of others", "gaps", shared->gaps[0].count, 4);
	expect("those of others", "sum of gaps", shared->gaps[0].sum, 400);
	expect("those of others", "squares", shared->gaps[0].squares, 40000);
	expect("both", "lost", slot_of(&facts)->lost, 0);
	for (int epoch = 1; epoch < 4; epoch++) {
		arrive_on(epoch % 2, &facts, now + JITTER_STOP_NS + 1, 1, 0);
		arrive_on(!CPU, &facts, now + epoch, 1, 0);
		gaps = shared_gaps_of(shared, slot_of(&facts)->control);
		expect("a new epoch", "number", epoch_of(slot_of(&facts)->control), epoch);
		expect("a new epoch", "gaps", gaps->count, 1);
		expect("a new epoch", "sum of gaps", gaps->sum, epoch);
	}
}

static void each_datagram_of_an_aggregate_has_its_number(void)
{
	struct packet_facts facts = facts_of(IPPROTO_UDP, SEQUENCE_PAYLOAD);

	begin();
	facts.payload_bytes = 103;
	for (int i = 0; i < 10; i++)
		put_number(42 + 10 * i, 100 + i);
	arrive(&facts, 1000, 11, 10);
	expect("of the last one a part is missing", "sequenced", counters_of(&facts)->sequenced, 10);
	expect("of the last one a part is missing", "absent", slot_of(&facts)->absent, 1);
	expect("the others", "expected", slot_of(&facts)->expected, 110);
	facts.payload_bytes = 100;
	arrive(&facts, 1100, 10, 10);
	expect("all again", "duplicates", slot_of(&facts)->duplicates, 10);
	arrive(&facts, 1200, 1, 10);
	expect("one packet of that size", "sequenced", counters_of(&facts)->sequenced, 21);
	arrive(&facts, 1300, 2, 100);
	expect("no smaller than the payload", "sequenced", counters_of(&facts)->sequenced, 22);
}

static void no_more_segments_are_read_than_there_may_be(void)
{
	struct packet_facts facts = facts_of(IPPROTO_UDP, SEQUENCE_PAYLOAD);

	begin();
	memset(payload, 0, sizeof(payload));
	facts.payload_bytes = 4 * (MAX_SEGMENTS + 1);
	arrive(&facts, 1000, MAX_SEGMENTS + 1, 4);
	expect("too many", "sequenced", counters_of(&facts)->sequenced, 128);
}

static void numbers_are_those_of_the_protocol_or_the_payload(void)
{
	struct packet_facts udp = facts_of(IPPROTO_UDP, SEQUENCE_PAYLOAD), echo = facts_of(IPPROTO_ICMP, SEQUENCE_ECHO);
	struct sequence_profile profile = { .flags = PROFILE_OFFSET }, none = { .flags = PROFILE_EXPLICIT };

	expect("a payload", "read", !!reads_payload(&udp, &profile), 1);
	expect("without a place", "read", !!reads_payload(&udp, &none), 0);
	expect("echo", "read", !!reads_payload(&echo, &profile), 0);
	profile.flags = PROFILE_PATTERN;
	expect("behind a pattern", "read", !!reads_payload(&udp, &profile), 1);
	udp.fragment = FRAGMENT_FIRST;
	expect("a first fragment", "read", !!reads_payload(&udp, &profile), 1);
	udp.fragment = FRAGMENT_LATER;
	expect("a later one", "read", !!reads_payload(&udp, &profile), 0);
	profile.flags |= PROFILE_EXPLICIT;
	expect("echo of a rule with a place", "read", !!reads_payload(&echo, &profile), 1);
	echo.fragment = FRAGMENT_LATER;
	expect("its later fragment", "read", !!reads_payload(&echo, &profile), 0);
	udp = facts_of(IPPROTO_UDP, SEQUENCE_UNPLACED);
	expect("what cannot be placed", "read", !!reads_payload(&udp, &profile), 0);
}

static void echo_numbers_have_16_bits(void)
{
	struct packet_facts echo = facts_of(IPPROTO_ICMP, SEQUENCE_ECHO);

	begin();
	echo.key.destination_port = 8 << 8;
	profiles[RULE_NONE].flags = PROFILE_OFFSET;
	for (__u32 i = 0; i < 4; i++) {
		echo.number = (0xfffe + i) & 0xffff;
		arrive(&echo, 1000 + i, 1, 0);
	}
	expect("echo", "sequenced", counters_of(&echo)->sequenced, 4);
	expect("echo", "lost", slot_of(&echo)->lost, 0);
	expect("echo", "expected", slot_of(&echo)->expected & 0xffff, 2);
	expect("echo", "restarts", slot_of(&echo)->restarts, 0);
	profiles[RULE_NONE].flags = 0;
	arrive(&echo, 2000, 1, 0);
	expect("echo without a profile", "duplicates", slot_of(&echo)->duplicates, 1);
}

static void a_number_that_cannot_be_placed_ends_its_series(void)
{
	struct packet_facts udp = facts_of(IPPROTO_UDP, SEQUENCE_PAYLOAD), tcp = facts_of(IPPROTO_TCP, SEQUENCE_TCP);

	begin();
	put_number(42, 5);
	arrive(&udp, 1000, 1, 0);
	udp.sequence = SEQUENCE_UNPLACED;
	arrive(&udp, 1100, 3, 0);
	expect("unplaced", "absent", slot_of(&udp)->absent, 3);
	udp.sequence = SEQUENCE_PAYLOAD;
	put_number(42, 500);
	arrive(&udp, 1200, 1, 0);
	expect("a new series", "lost", slot_of(&udp)->lost + slot_of(&udp)->restarts, 0);
	expect("a new series", "expected", slot_of(&udp)->expected, 501);
	tcp.number = 1000;
	arrive(&tcp, 1000, 1, 0);
	expect("a stream", "expected", slot_of(&tcp)->expected, 1100);
	tcp.sequence = SEQUENCE_UNPLACED;
	arrive(&tcp, 1100, 1, 0);
	expect("a fragment of a stream", "absent", slot_of(&tcp)->absent, 0);
	expect("a fragment of a stream", "started", slot_of(&tcp)->flags & SEQUENCE_STARTED, 0);
	expect("a fragment of a stream", "sequenced", counters_of(&tcp)->sequenced, 1);
}

static void the_segments_of_a_stream_tell_small_gaps_from_big_ones(void)
{
	struct packet_facts tcp = facts_of(IPPROTO_TCP, SEQUENCE_TCP);

	begin();
	profiles[RULE_NONE].threshold = 3;
	tcp.number = 1000;
	tcp.payload_bytes = 1000;
	arrive(&tcp, 1000, 10, 100);
	expect("an aggregate", "sequenced", counters_of(&tcp)->sequenced, 10);
	expect("an aggregate", "largest segment", slot_of(&tcp)->other_seen, 100);
	tcp.number = 2200;
	arrive(&tcp, 1100, 10, 100);
	expect("two segments", "small gaps", slot_of(&tcp)->small_errors, 1);
	tcp.number = 3500;
	arrive(&tcp, 1200, 10, 100);
	expect("three", "big gaps", slot_of(&tcp)->big_errors, 1);
	expect("both", "lost", slot_of(&tcp)->lost, 500);
}

static const struct test TESTS[] = {
	{ TEST(interfaces_are_found_in_their_place_or_one_of_seven_behind_it) },
	{ TEST(volumes_add_up) },
	{ TEST(each_field_of_a_flow_says_which_rules_it_satisfies) },
	{ TEST(a_longer_prefix_counts_and_another_address_matches_no_rule) },
	{ TEST(the_first_rule_is_the_lowest_bit) },
	{ TEST(a_profile_is_its_banks_and_its_rules) },
	{ TEST(what_was_filtered_is_known_by_all_of_its_key_and_the_rules) },
	{ TEST(later_fragments_have_the_ports_of_their_first_one) },
	{ TEST(a_fragment_of_the_other_familys_protocol_is_no_flow) },
	{ TEST(gaps_have_32_buckets_for_each_power_of_two) },
	{ TEST(echo_messages_are_told_by_their_type) },
	{ TEST(what_has_numbers_is_sequenced) },
	{ TEST(a_flow_has_its_packets_gaps_and_numbers) },
	{ TEST(a_flow_without_numbers_is_counted_like_any_other) },
	{ TEST(the_first_rule_and_the_first_slot_are_as_good_as_any) },
	{ TEST(a_flow_that_had_stopped_begins_a_new_epoch) },
	{ TEST(a_focused_flow_keeps_a_histogram) },
	{ TEST(acknowledgements_and_what_has_no_number_take_no_lock) },
	{ TEST(what_no_rule_matches_is_filtered_and_remembered) },
	{ TEST(what_finds_no_place_is_untracked_and_who_gives_way_is_counted) },
	{ TEST(rules_that_change_keep_a_flow_whose_profile_stays) },
	{ TEST(a_stream_keeps_its_numbers_under_another_profile) },
	{ TEST(a_flow_that_no_rule_admits_any_more_is_retired) },
	{ TEST(a_number_that_finds_the_flow_locked_is_contended) },
	{ TEST(the_next_number_needs_no_lock) },
	{ TEST(no_number_passes_beside_a_series_that_is_closed) },
	{ TEST(who_comes_too_late_is_told_by_the_slot) },
	{ TEST(other_cpus_than_the_owner_share_their_counters) },
	{ TEST(each_datagram_of_an_aggregate_has_its_number) },
	{ TEST(no_more_segments_are_read_than_there_may_be) },
	{ TEST(numbers_are_those_of_the_protocol_or_the_payload) },
	{ TEST(echo_numbers_have_16_bits) },
	{ TEST(a_number_that_cannot_be_placed_ends_its_series) },
	{ TEST(the_segments_of_a_stream_tell_small_gaps_from_big_ones) },
};

int main(int argc, char **argv)
{
	return run_tests(TESTS, COUNT(TESTS), argc, argv);
}
