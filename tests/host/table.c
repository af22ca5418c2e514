// SPDX-License-Identifier: MIT OR Apache-2.0
/* table.h and claim.h on a table in this process's memory: room for as many flows as it is made for, and slots that change hands. */
#include "program.h"

/* What others do behind the next compare-and-swap that succeeds. */
static void (*meanwhile)(struct flow_slot *slot);

/* Bits that others change just before the next one. */
static __u64 first;

static __u64 compare_and_swap(__u64 *word, __u64 expected, __u64 next)
{
	__u64 before;

	*word ^= first;
	first = 0;
	before = __sync_val_compare_and_swap(word, expected, next);

	if (before == expected && meanwhile) {
		void (*others)(struct flow_slot * slot) = meanwhile;

		meanwhile = NULL;
		others((void *)word);
	}
	return before;
}

/* A word that another CPU has, and changes by these bits before it is looked at for so many times more. */
static struct {
	__u64 *word, change;
	int looks;
} of_another;

static void look(const volatile void *word)
{
	if (word == of_another.word && !--of_another.looks)
		*of_another.word ^= of_another.change;
}

#define __sync_val_compare_and_swap compare_and_swap
#define READ_ONCE(x) (look(&(x)), *(volatile __typeof__(x) *)&(x))

#include "claim.h"

static struct flow_slot *slots;
static struct flow_counters *of_owners;
static struct flow_shared *of_others;
static __u64 *claims;
static __u32 slot_count;

static void *look_up(const void *map, const void *key)
{
	__u32 index = *(const __u32 *)key;

	if (map == &claimed_sets)
		return index * 64 < slot_count / FLOWS_PER_SET ? &claims[index] : NULL;
	if (index >= slot_count)
		return NULL;
	if (map == &flow_counters)
		return &of_owners[index];
	if (map == &flow_shared)
		return &of_others[index];
	return map == &flow_table ? &slots[index] : NULL;
}

static void *make_room(void *former, size_t size)
{
	void *room = calloc(slot_count, size);

	free(former);
	if (!room)
		abort();
	return room;
}

static __u64 random_state;

/* splitmix64 */
static __u64 random_word(void)
{
	__u64 word = random_state += 0x9e3779b97f4a7c15ULL;

	word = (word ^ word >> 30) * 0xbf58476d1ce4e5b9ULL;
	word = (word ^ word >> 27) * 0x94d049bb133111ebULL;
	return word ^ word >> 31;
}

/* An empty table as user space makes it for so many flows (Options::slots in src/probe.rs), with a hash of its own. */
static void make_table(__u32 flows, __u64 seed)
{
	__u32 bits = 0;

	while (1U << bits < flows || 1U << bits < FLOWS_PER_SET)
		bits++;
	slot_count = 2U << bits;
	slots = make_room(slots, sizeof(*slots));
	of_owners = make_room(of_owners, sizeof(*of_owners));
	of_others = make_room(of_others, sizeof(*of_others));
	claims = make_room(claims, sizeof(*claims));
	home_shift = 64 - (bits + 1);
	random_state = seed;
	for (int i = 0; i < HASH_KEYS; i++)
		hash_keys[i] = random_word();
	settings = (struct settings){};
}

/* Flows as they are met: of everybody, of one client's ports, of a subnet's hosts, of IPv6. */
static struct flow_key key_of(__u32 kind, __u32 flow)
{
	struct flow_key key = { .ifindex = 7, .vlan = VLAN_NONE, .protocol = 17, .family = FAMILY_IPV4 };
	__u64 words[4] = { random_word(), random_word(), random_word(), random_word() };

	if (kind == 0) {
		memcpy(key.source, words, 4);
		memcpy(key.destination, words + 1, 4);
		key.source_port = words[2];
		key.destination_port = words[3];
	} else if (kind == 1) {
		key.source_port = flow;
		key.destination_port = 5000 + (flow >> 16);
	} else if (kind == 2) {
		__u32 address = 0x0a000000 + flow;

		for (int i = 0; i < 4; i++)
			key.source[i] = address >> (24 - 8 * i);
	} else {
		key.family = FAMILY_IPV6;
		memcpy(key.source + 8, words, 8);
		memcpy(key.destination, words + 2, 16);
	}
	return key;
}

static int bring_in(const struct flow_key *key, __u64 now)
{
	struct newcomer newcomer = { .key = *key, .hash = hash_flow(key), .now = now };

	return claim_slot(&newcomer);
}

/* Brings so many flows in. Returns how many found no room. */
static __u32 fill(__u32 kind, __u32 flows)
{
	__u32 untracked = 0;

	for (__u32 flow = 0; flow < flows; flow++) {
		struct flow_key key = key_of(kind, flow);

		untracked += bring_in(&key, 1) == NO_SLOT;
	}
	return untracked;
}

static void expect_room(__u32 flows, __u32 runs)
{
	for (__u32 run = 0; run < runs; run++) {
		make_table(flows, (__u64)flows << 32 | run);
		expect("a table with as many flows as it is made for", "untracked", fill(run % 4, flows), 0);
	}
}

static void there_is_room_for_as_many_flows_as_the_table_is_made_for(void)
{
	expect_room(4096, 1000);
}

static void there_is_room_in_small_tables_and_in_large_ones(void)
{
	for (__u32 flows = 1; flows < 2000; flows = flows * 2 + flows % 3)
		expect_room(flows, 200);
	expect_room(16384, 20);
	expect_room(20000, 20);
	expect_room(65536, 10);
}

/* Where a flow is found; -1: nowhere. */
static int find(const struct flow_key *key)
{
	__u64 hash = hash_flow(key), control;
	__u32 at;

	if (find_slot(key, hash, &at, &control) || slot_in_set(key, hash, FLOWS_PER_SET, &at, &control))
		return at;
	return -1;
}

static __u32 count_displaced(void)
{
	__u32 displaced = 0;

	for (__u32 at = 0; at < slot_count; at++) {
		if ((slots[at].control & FLOW_STATE) == FLOW_LIVE)
			displaced += (home_of(hash_flow(&slots[at].key)) ^ at) >= FLOWS_PER_SET;
	}
	return displaced;
}

static void few_flows_are_in_their_second_set_and_all_are_found(void)
{
	const __u32 flows = 65536;

	for (__u32 kind = 0; kind < 4; kind++) {
		make_table(flows, kind);
		fill(kind, flows);
		expect("a full table", "more than 5 % are displaced", count_displaced() > flows / 20, 0);
		for (__u32 at = 0; at < slot_count; at++) {
			if ((slots[at].control & FLOW_STATE) != FLOW_LIVE)
				continue;
			expect("a flow", "its place", find(&slots[at].key), at);
		}
	}
}

/* A table of one pair of sets. */
static void make_small_table(void)
{
	make_table(8, 5);
}

static void a_displaced_flow_is_found_when_its_first_set_has_room_again(void)
{
	struct flow_key key;
	__u64 hash;

	make_small_table();
	key = key_of(0, 0);
	hash = hash_flow(&key);
	expect("an unknown flow", "place", find(&key), -1);
	for (__u32 i = 0; i < CROWDED; i++)
		slots[place_of(hash, i)].control = FLOW_RETIRED;
	bring_in(&key, 1);
	for (__u32 i = 0; i < CROWDED; i++)
		slots[place_of(hash, i)].control = FLOW_FREE;
	expect("a displaced flow", "place", find(&key), place_of(hash, FLOWS_PER_SET));
	expect("a displaced flow", "its set", (find(&key) ^ home_of(hash)) / FLOWS_PER_SET, 1);
}

static int is_told(__u32 set)
{
	return claims[set / 64] >> (set % 64) & 1;
}

/* Those of sets in which nobody was brought in are not. */
static void user_space_is_told_of_the_sets_of_new_flows(void)
{
	make_table(4096, 9);
	fill(0, 300);
	for (__u32 round = 0; round < 2; round++) {
		for (__u32 set = 0; set < slot_count / FLOWS_PER_SET; set++) {
			int is_there = 0;

			for (__u32 i = 0; i < FLOWS_PER_SET; i++)
				is_there |= (slots[set * FLOWS_PER_SET + i].control & FLOW_STATE) == FLOW_LIVE;
			expect("a set", "is told", is_told(set), is_there);
		}
		/* Once more, where the bit of each set is there. */
		fill(0, 300);
	}
	memset(claims, 0, slot_count / FLOWS_PER_SET / 8);
	for (__u32 at = 0; at < slot_count; at++) {
		if ((slots[at].control & FLOW_STATE) == FLOW_LIVE)
			bring_in(&slots[at].key, 2);
	}
	for (__u32 set = 0; set < slot_count / FLOWS_PER_SET; set++)
		expect("a set of known flows", "is told", is_told(set), 0);
}

static void of_two_full_sets_the_flow_idle_longest_gives_way(void)
{
	struct flow_key key;

	make_small_table();
	for (__u32 at = 0; at < slot_count; at++) {
		slots[at].control = (__u64)at << FLOW_GENERATION_SHIFT | FLOW_LIVE;
		slots[at].last_arrival = 1000 + (at * 7 + 3) % slot_count;
	}
	key = key_of(0, 0);
	settings.scanned_at = 1000;
	expect("before any was read", "place", bring_in(&key, 1000000), NO_SLOT);
	settings.scanned_at = 1001;
	/* (at * 7 + 3) % 16 == 0 */
	expect("after one was read", "place", bring_in(&key, 1000000), 11);
	expect("after one was read", "its set is told", claims[0], 1 << 11 / FLOWS_PER_SET);
	expect("after one was read", "its life", generation_of(slots[11].control), 12);
}

static void a_flow_that_is_there_already_is_found_and_not_brought_in_again(void)
{
	make_table(64, 3);
	fill(0, 64);
	for (__u32 at = 0; at < slot_count; at++) {
		struct newcomer newcomer = { .key = slots[at].key, .hash = hash_flow(&slots[at].key), .now = 2 };
		__u64 control = slots[at].control;

		if ((control & FLOW_STATE) != FLOW_LIVE)
			continue;
		expect("a flow that is there", "its place", claim_slot(&newcomer), at);
		expect("a flow that is there", "brought in", newcomer.published, 0);
		expect("a flow that is there", "control", slots[at].control, control);
	}
}

/* A table in which one flow may go, which had its last packet at 500. */
static void make_table_with_one_idle_flow(void)
{
	make_small_table();
	for (__u32 at = 0; at < slot_count; at++)
		slots[at].control = FLOW_RETIRED;
	slots[4].control = 6ULL << FLOW_EPOCH_SHIFT | 9 << FLOW_GENERATION_SHIFT | FLOW_LIVE;
	slots[4].last_arrival = 500;
	settings.scanned_at = 1000;
}

static void a_flow_gives_way_after_the_limit_and_not_before(void)
{
	make_table_with_one_idle_flow();
	settings.evict_idle_ns = 400;
	for (__u64 now = 900; now < 902; now++) {
		struct newcomer newcomer = { .key = key_of(0, 0), .now = now };

		newcomer.hash = hash_flow(&newcomer.key);
		expect("a newcomer", "its place", claim_slot(&newcomer), now == 900 ? NO_SLOT : 4);
		expect("a newcomer", "evicted", newcomer.evicted, now == 901);
		expect("a newcomer", "brought in", newcomer.published, now == 901);
	}
}

static void arrive(struct flow_slot *slot)
{
	slot->last_arrival = 2000;
}

/* All that may be done to a live flow without its lock, but for what retires it. */
static void change_all(struct flow_slot *slot)
{
	arrive(slot);
	next_epoch(slot, &of_others[0], slot->control);
	slot->control |= FLOW_FOCUSED;
}

static void focus(struct flow_slot *slot)
{
	slot->control |= FLOW_FOCUSED;
}

static void keep(struct flow_slot *slot)
{
	arrive(slot);
	expect("a packet's flow that is about to be replaced", "stays", is_still(slot, 6ULL << 48 | 9 << 16 | 2), 1);
}

/* A newcomer wants the place of the only idle flow, and others do something as soon as it is marked. */
static struct flow_slot *want_place(void (*others)(struct flow_slot *slot))
{
	struct flow_key key;

	make_table_with_one_idle_flow();
	key = key_of(0, 0);
	meanwhile = others;
	expect("a newcomer", "its place", bring_in(&key, 1000000), others == focus ? 4 : NO_SLOT);
	return &slots[4];
}

/* Of a flow that another CPU holds for so many looks. */
static int lock_held_flow(int looks)
{
	make_table_with_one_idle_flow();
	slots[4].control |= FLOW_LOCKED;
	of_another.word = &slots[4].control;
	of_another.change = FLOW_LOCKED;
	of_another.looks = looks;
	return lock_flow(&slots[4]);
}

static void a_flow_that_another_cpu_holds_is_waited_for(void)
{
	/* The first look is the one that finds it held. */
	for (int looks = 2; looks <= 1 + PATIENCE * PATIENCE; looks++) {
		expect("a flow that is let go", "is locked", lock_held_flow(looks), 1);
		expect("a flow that is let go", "looks left", of_another.looks, 0);
	}
	expect("a flow that is held too long", "is locked", lock_held_flow(2 + PATIENCE * PATIENCE), 0);
	expect("a flow that is held too long", "looks left", of_another.looks, 1);
}

static void a_flow_that_stays_keeps_what_changed_while_its_place_was_wanted(void)
{
	struct flow_slot *slot = want_place(change_all);

	expect("a flow that stays", "control", slot->control,
	       7LL << FLOW_EPOCH_SHIFT | 9 << FLOW_GENERATION_SHIFT | FLOW_LIVE | FLOW_FOCUSED);
	slot = want_place(keep);
	expect("a flow that its packet kept", "control", slot->control,
	       6LL << FLOW_EPOCH_SHIFT | 9 << FLOW_GENERATION_SHIFT | FLOW_LIVE);
}

static void a_flow_that_was_changed_is_looked_at_anew_and_may_still_go(void)
{
	struct flow_slot *slot = want_place(focus);

	expect("the newcomer", "control", slot->control, 10 << FLOW_GENERATION_SHIFT | FLOW_LIVE);
	expect("the newcomer", "last arrival", slot->last_arrival, 1000000);
}

static void a_flow_that_is_held_or_was_not_read_or_has_a_packet_is_not_replaced(void)
{
	const __u64 idle = 9 << FLOW_GENERATION_SHIFT | FLOW_LIVE, claimed = 10 << FLOW_GENERATION_SHIFT | FLOW_CLAIMED;
	const struct {
		const char *what;
		__u64 control, last_arrival;
		void (*others)(struct flow_slot *slot);
		int is_replaced;
	} cases[] = {
		{ "idle", idle, 999, NULL, 1 },
		{ "held", idle | FLOW_LOCKED, 999, NULL, 0 },
		{ "not read since its last packet", idle, 1000, NULL, 0 },
		{ "a packet comes", idle, 999, arrive, 0 },
	};

	make_small_table();
	settings.scanned_at = 1000;
	for (int i = 0; i < COUNT(cases); i++) {
		struct flow_slot slot = { .control = cases[i].control, .last_arrival = cases[i].last_arrival };

		meanwhile = cases[i].others;
		expect(cases[i].what, "replaced", replace_flow(&slot, slot.control, claimed), cases[i].is_replaced);
		expect(cases[i].what, "control", slot.control, cases[i].is_replaced ? claimed : cases[i].control);
	}
}

static void a_packet_knows_whether_its_flow_still_is_in_the_slot(void)
{
	const __u64 found = 9 << FLOW_GENERATION_SHIFT | FLOW_LIVE;
	const __u64 next = 10 << FLOW_GENERATION_SHIFT;
	const struct {
		const char *what;
		__u64 control;
		int is_still;
	} cases[] = {
		{ "as it was", found, 1 },
		{ "another epoch, locked", found | 1ULL << FLOW_EPOCH_SHIFT | FLOW_LOCKED, 1 },
		{ "retired", found | FLOW_RETIRED, 1 },
		{ "freed", found & ~FLOW_STATE, 0 },
		{ "claimed by the next one", next | FLOW_CLAIMED, 0 },
		{ "the next one's", next | FLOW_LIVE, 0 },
	};

	for (int i = 0; i < COUNT(cases); i++) {
		struct flow_slot slot = { .control = cases[i].control };
		struct flow_shared shared = {};

		expect(cases[i].what, "still there", is_still(&slot, found), cases[i].is_still);
		expect(cases[i].what, "control", slot.control, cases[i].control);
		next_epoch(&slot, &shared, found);
		expect(cases[i].what, "epochs added", epoch_of(slot.control) - epoch_of(cases[i].control),
		       generation_of(cases[i].control) == 9);
	}
}

static void epochs_that_wrap_are_carried(void)
{
	const __u32 cases[][2] = { { 0, 0 }, { 0xfffd, 0 }, { 0xfffe, 0 }, { 0xffff, 1 } };
	const __u64 found = 9 << FLOW_GENERATION_SHIFT | FLOW_LIVE;

	for (int i = 0; i < COUNT(cases); i++) {
		struct flow_slot slot = { .control = (__u64)cases[i][0] << FLOW_EPOCH_SHIFT | found, .epochs_high = 4 };
		struct flow_shared shared = {};

		next_epoch(&slot, &shared, found);
		expect("an epoch", "its lower half", epoch_of(slot.control), (cases[i][0] + 1) & 0xffff);
		expect("an epoch", "its upper half", slot.epochs_high, 4 + cases[i][1]);
		expect("an epoch", "the rest", slot.control & ~(0xffffULL << FLOW_EPOCH_SHIFT), found);
	}
}

static void a_packet_knows_what_became_of_its_flow_while_it_kept_it(void)
{
	const __u64 found = 9 << FLOW_GENERATION_SHIFT | FLOW_LIVE;
	const __u64 marked = found ^ FLOW_LIVE ^ FLOW_CLAIMED, next = 10 << FLOW_GENERATION_SHIFT | FLOW_LIVE;
	struct flow_slot slot = { .control = marked };

	first = FLOW_FOCUSED;
	expect("focused meanwhile", "still there", is_still(&slot, found), 1);
	expect("focused meanwhile", "control", slot.control, found | FLOW_FOCUSED);
	slot.control = marked;
	first = marked ^ next;
	expect("replaced meanwhile", "still there", is_still(&slot, found), 0);
	expect("replaced meanwhile", "control", slot.control, next);
}

/* A table of one pair of sets in which something was counted in each slot, and shared where the slot says so. */
static void make_used_table(__u64 left_behind)
{
	make_small_table();
	for (__u32 at = 0; at < slot_count; at++) {
		slots[at].control = 4 << FLOW_GENERATION_SHIFT | left_behind;
		slots[at].epochs_high = 3;
		memset(&of_owners[at], 0xee, sizeof(of_owners[at]));
		if (left_behind & FLOW_SHARED)
			memset(&of_others[at], 0xee, sizeof(of_others[at]));
	}
}

static void a_new_flow_begins_with_its_first_packet_and_nothing_else(void)
{
	const struct flow_counters first = { .owner = 5, .packets = 2, .bytes = 120, .payload_bytes = 40 };
	const struct flow_shared nothing = {};

	for (int i = 0; i < 2; i++) {
		struct newcomer newcomer = { .now = 1, .cpu = 5, .packets = 2, .bytes = 120, .payload_bytes = 40 };
		int at;

		make_used_table(i ? FLOW_SHARED : 0);
		newcomer.key = key_of(0, 0);
		newcomer.hash = hash_flow(&newcomer.key);
		at = claim_slot(&newcomer);
		expect("a new flow", "control", slots[at].control, 5 << FLOW_GENERATION_SHIFT | FLOW_LIVE);
		expect("a new flow", "upper half of its epochs", slots[at].epochs_high, 0);
		expect("a new flow", "its owner's", memcmp(&of_owners[at], &first, sizeof(first)), 0);
		expect("a new flow", "those of others", memcmp(&of_others[at], &nothing, sizeof(nothing)), 0);
	}
}

static void of_an_epoch_that_begins_nothing_is_shared_yet(void)
{
	for (__u64 epoch = 0; epoch < 2; epoch++) {
		struct flow_slot slot = { .control = epoch << FLOW_EPOCH_SHIFT | FLOW_SHARED | FLOW_LIVE };
		struct flow_shared shared = { .packets = 1, .gaps = { { 1, 2, 3, 4 }, { 5, 6, 7, 8 } } },
				   before = shared;
		const struct shared_gaps nothing = {};

		next_epoch(&slot, &shared, slot.control);
		expect("an epoch", "number", epoch_of(slot.control), epoch + 1);
		expect("an epoch", "its gaps", memcmp(shared_gaps_of(&shared, slot.control), &nothing, sizeof(nothing)),
		       0);
		expect("an epoch", "those of the one before",
		       memcmp(&shared.gaps[epoch], &before.gaps[epoch], sizeof(nothing)), 0);
		expect("an epoch", "packets", shared.packets, 1);
	}
}

static void keys_differ_in_each_of_their_bits(void)
{
	make_small_table();
	for (__u32 bit = 0; bit < 8 * sizeof(struct flow_key); bit++) {
		struct flow_key key = key_of(3, 0), other = key;

		((__u8 *)&other)[bit / 8] ^= 1 << bit % 8;
		expect("a key and itself", "same", same_flow(&key, &key), 1);
		expect("a key and one with another bit", "same", same_flow(&key, &other), 0);
		expect("a key and one with another bit", "same hash", hash_flow(&key) == hash_flow(&other), 0);
	}
}

/* Whoever could have them all in one set would send both ways. */
static void the_way_back_has_another_hash(void)
{
	make_small_table();
	for (__u32 kind = 0; kind < 4; kind += 3) {
		struct flow_key key = key_of(kind, 0), back = key;

		memcpy(back.source, key.destination, sizeof(key.source));
		memcpy(back.destination, key.source, sizeof(key.source));
		expect("addresses that change places", "same hash", hash_flow(&key) == hash_flow(&back), 0);
	}
}

static const struct test TESTS[] = {
	{ TEST(a_displaced_flow_is_found_when_its_first_set_has_room_again) },
	{ TEST(user_space_is_told_of_the_sets_of_new_flows) },
	{ TEST(of_two_full_sets_the_flow_idle_longest_gives_way) },
	{ TEST(a_flow_that_is_there_already_is_found_and_not_brought_in_again) },
	{ TEST(a_flow_gives_way_after_the_limit_and_not_before) },
	{ TEST(a_flow_that_is_held_or_was_not_read_or_has_a_packet_is_not_replaced) },
	{ TEST(a_flow_that_another_cpu_holds_is_waited_for) },
	{ TEST(a_flow_that_stays_keeps_what_changed_while_its_place_was_wanted) },
	{ TEST(a_flow_that_was_changed_is_looked_at_anew_and_may_still_go) },
	{ TEST(epochs_that_wrap_are_carried) },
	{ TEST(a_packet_knows_what_became_of_its_flow_while_it_kept_it) },
	{ TEST(a_packet_knows_whether_its_flow_still_is_in_the_slot) },
	{ TEST(a_new_flow_begins_with_its_first_packet_and_nothing_else) },
	{ TEST(of_an_epoch_that_begins_nothing_is_shared_yet) },
	{ TEST(keys_differ_in_each_of_their_bits) },
	{ TEST(the_way_back_has_another_hash) },
	{ TEST(few_flows_are_in_their_second_set_and_all_are_found) },
	{ TEST(there_is_room_in_small_tables_and_in_large_ones) },
	{ TEST(there_is_room_for_as_many_flows_as_the_table_is_made_for) },
};

int main(int argc, char **argv)
{
	return run_tests(TESTS, COUNT(TESTS), argc, argv);
}
