/* SPDX-License-Identifier: MIT OR Apache-2.0 OR GPL-2.0-only */
/* Pure: loss, reordering and duplicates out of numbers that count packets. No map, no helper.
 *
 * A flow is in one series of numbers, and may know another one: numbers that wait to be believed, the series before a
 * restart, or that of a slower path. Every function expects that its caller alone changes the slot's second half
 * meanwhile.
 */
#ifndef FLOWTOP_SEQUENCE_H
#define FLOWTOP_SEQUENCE_H

#include "packet.h"

#define SEEN_WINDOW 64 /* numbers of `seen` */
#define BASE_PASSED (SEEN_WINDOW + 1) /* base_age: the base has left the window */
#define OTHER_WINDOW 16 /* numbers of `other_seen` */
#define SERIES_NEAR 96 /* a number so far ahead may be the next one of its series */
#define OTHER_SINGLE 1 /* trust: one number came, and may have been wild */
#define OTHER_TRUSTED 4 /* from here on, what is behind the flow's own series is the slower path */
#define SERIES_AHEAD (1 << 24) /* further ahead there is no gap, and further behind nothing is late */
#define SERIES_BEHIND 1024
#define SERIES_AHEAD_16 3000
#define SERIES_BEHIND_16 100

/* The signed distance from `expected`, in the number's own width. */
static __always_inline __s32 sequence_distance(__u32 number, __u32 expected, int is_16_bit)
{
	return is_16_bit ? (__s16)(number - expected) : (__s32)(number - expected);
}

static __always_inline __u32 floor_log2(__u32 value)
{
	__u32 log = 0;

	for (int width = 16; width; width /= 2)
		if (value >> (log + width))
			log += width;
	return log;
}

static __always_inline __u32 other_standing(const struct flow_slot *slot)
{
	return slot->flags & OTHER_STANDING;
}

static __always_inline __u32 other_trust(const struct flow_slot *slot)
{
	return slot->flags >> OTHER_TRUST_SHIFT;
}

static __always_inline void set_other(struct flow_slot *slot, __u32 standing, __u32 trust)
{
	slot->flags = SEQUENCE_STARTED | standing | trust << OTHER_TRUST_SHIFT;
}

/* Numbers up to `number` count as seen or as missed from here on, older ones as neither. */
static __always_inline void begin_series(struct flow_slot *slot, __u32 number)
{
	slot->expected = number + 1;
	slot->seen = 1;
	slot->base_age = 1;
	set_other(slot, 0, 0);
}

/* `expected` moves on past `distance` missing numbers and the one that came. */
static __always_inline void advance_series(struct flow_slot *slot, __u32 number, __u32 distance)
{
	__u32 age = slot->base_age + distance + 1;

	slot->seen = distance + 1 < SEEN_WINDOW ? slot->seen << (distance + 1) | 1 : 1;
	slot->base_age = age < BASE_PASSED ? age : BASE_PASSED;
	slot->expected = number + 1;
}

/* What most numbers are: the next one of a series in which nothing is open. Returns whether it was. All others are for
 * place_number(), which would say the same of this one.
 */
static __always_inline int continue_series(struct flow_slot *slot, __u32 number, int is_16_bit)
{
	if ((slot->flags & (SEQUENCE_STARTED | OTHER_OPEN)) != SEQUENCE_STARTED ||
	    sequence_distance(number, slot->expected, is_16_bit))
		return 0;
	advance_series(slot, number, 0);
	return 1;
}

static __always_inline void count_gap(struct flow_slot *slot, __u32 distance, __u32 threshold)
{
	if (distance < threshold)
		slot->small_errors += 1;
	else
		slot->big_errors += 1;
}

/* They were taken for lost. An older one may have been a duplicate: never more than there is. */
static __always_inline void recover(struct flow_slot *slot, __u32 numbers)
{
	slot->lost -= slot->lost < numbers ? slot->lost : numbers;
}

/* A number so far behind the highest one, and not known to have come before. */
static __always_inline void count_late(struct flow_slot *slot, __u32 age)
{
	slot->reverse_errors += 1;
	if (age < slot->base_age || slot->base_age == BASE_PASSED)
		recover(slot, 1);
}

/* `expected` moves on past a gap of `distance`, and the number behind it. Single numbers of it may have come ahead already.
 * Returns how many are missing.
 */
static __always_inline __u32 pass_gap(struct flow_slot *slot, __u32 number, __u32 distance, int is_16_bit)
{
	__s32 reach = sequence_distance(slot->other, slot->expected, is_16_bit);
	__s32 age = distance - reach + 1; /* of the highest of them, seen from `number` */
	__u32 ahead = slot->other_seen;

	advance_series(slot, number, distance);
	if (other_standing(slot) != OTHER_JUDGED || reach <= 0 || age <= -OTHER_WINDOW)
		return distance;
	if (reach < OTHER_WINDOW)
		ahead &= (1U << reach) - 1;
	if (age <= 0) {
		ahead &= ~0U << (1 - age);
		slot->seen |= ahead >> -age;
	} else if (age < SEEN_WINDOW) {
		slot->seen |= (__u64)ahead << age;
	}
	return distance - __builtin_popcountll(ahead);
}

/* The table of the metrics, for a number of the flow's own series. */
static __always_inline void judge_number(struct flow_slot *slot, __u32 number, int is_16_bit, __u32 threshold)
{
	__s32 distance = sequence_distance(number, slot->expected, is_16_bit);
	__u32 missing;

	if (distance < 0) {
		__u32 age = ~distance;
		__u64 bit = age < SEEN_WINDOW ? 1ULL << age : 0;

		if (slot->seen & bit) {
			slot->duplicates += 1;
			return;
		}
		slot->seen |= bit;
		count_late(slot, age);
		return;
	}
	missing = pass_gap(slot, number, distance, is_16_bit);
	if (missing) {
		count_gap(slot, distance, threshold);
		slot->lost += missing;
	}
	/* So long a series stays: the former one will not go on any more. */
	if (slot->base_age == BASE_PASSED && other_standing(slot) == OTHER_FORMER)
		set_other(slot, 0, 0);
}

static __always_inline void meet_other(struct flow_slot *slot, __u32 number, __u32 standing)
{
	slot->other = number + 1;
	slot->other_seen = 1;
	set_other(slot, standing, 0);
}

static __always_inline int was_seen_in_other(const struct flow_slot *slot, __u32 number, int is_16_bit)
{
	__s32 distance = sequence_distance(number, slot->other, is_16_bit);

	return distance < 0 && distance >= -OTHER_WINDOW && slot->other_seen & 1U << ~distance;
}

static __always_inline void see_in_other(struct flow_slot *slot, __u32 number, int is_16_bit)
{
	__s32 distance = sequence_distance(number, slot->other, is_16_bit);

	if (distance < 0) {
		if (distance >= -OTHER_WINDOW)
			slot->other_seen |= 1U << ~distance;
		return;
	}
	slot->other_seen = distance + 1 < OTHER_WINDOW ? slot->other_seen << (distance + 1) | 1 : 1;
	slot->other = number + 1;
}

/* The power of two that tells how far away the other series is believed. */
static __always_inline __u32 trust_at(__s64 distance)
{
	__u32 log = floor_log2(distance < 0 ? -distance : distance);

	return log < OTHER_TRUSTED ? OTHER_TRUSTED : log;
}

/* The other series went on beside the flow's own one, at this distance from it. */
static __always_inline void went_on_beside(struct flow_slot *slot, __u32 trust, __s64 distance)
{
	set_other(slot, OTHER_JUDGED, trust < OTHER_TRUSTED ? trust : trust_at(distance));
}

/* Both change places. Less stays known of the one that the flow is not in any more. */
static __always_inline void change_series(struct flow_slot *slot, __u8 base_age)
{
	__u32 expected = slot->expected;
	__u16 seen = slot->seen;

	slot->expected = slot->other;
	slot->seen = slot->other_seen;
	slot->base_age = base_age;
	slot->other = expected;
	slot->other_seen = seen;
}

/* The number that waits has no successor: an error ahead that is no gap, or late. So far behind, a single one may be wild,
 * and is not missed less until another one comes near it.
 */
static __always_inline void count_single(struct flow_slot *slot, __s32 distance, __u32 threshold)
{
	__u32 trust = other_trust(slot);

	if (distance >= 0) {
		count_gap(slot, distance, threshold);
		return;
	}
	slot->reverse_errors += 1;
	if (trust)
		recover(slot, trust == OTHER_SINGLE ? 2 : 1);
}

/* How far the other series' highest number is from the flow's own one. What comes behind that number may be further ahead
 * than two numbers can tell.
 */
static __always_inline __s32 distance_of_other(const struct flow_slot *slot, int is_16_bit)
{
	return sequence_distance(slot->other - 1, slot->expected, is_16_bit);
}

/* The flow's own series goes on: the number that waits was a single one. */
static __always_inline void go_on(struct flow_slot *slot, int is_16_bit, __u32 threshold)
{
	__s32 distance = distance_of_other(slot, is_16_bit);

	if (other_standing(slot) != OTHER_WAITS)
		return;
	count_single(slot, distance, threshold);
	went_on_beside(slot, other_trust(slot) + 1, (__s64)distance + 1);
}

/* The flow is in the other series now, and what lies between is a gap: what that series has further back fills none. Should
 * both go on, the one before is the slower path.
 */
static __always_inline void jump(struct flow_slot *slot, __s32 gap, __u32 threshold)
{
	__u32 came = slot->other_seen;

	if (other_standing(slot) == OTHER_WAITS)
		count_gap(slot, gap - 1, threshold);
	if (gap < OTHER_WINDOW)
		came &= (1U << gap) - 1;
	slot->lost += gap - __builtin_popcountll(came);
	change_series(slot, BASE_PASSED);
	set_other(slot, OTHER_JUDGED, trust_at(gap));
}

/* The former series goes on, so the sender has not started again: what came meanwhile was late, or belongs nowhere. */
static __always_inline void take_back_restart(struct flow_slot *slot, int is_16_bit)
{
	__u32 span = slot->base_age < SEEN_WINDOW ? slot->base_age : SEEN_WINDOW;
	__u32 came = __builtin_popcountll(slot->seen & ~0ULL >> (SEEN_WINDOW - span));
	__u32 trust = other_trust(slot);
	__s32 distance;

	slot->restarts -= 1;
	recover(slot, span - came);
	change_series(slot, BASE_PASSED);
	distance = sequence_distance(slot->other, slot->expected, is_16_bit);
	if (distance < 0) {
		slot->reverse_errors += came;
		recover(slot, came + (trust == OTHER_SINGLE));
	} else {
		slot->big_errors += came;
	}
	went_on_beside(slot, (trust ? trust : OTHER_SINGLE) + 1, distance);
}

static __always_inline int is_gap(__s64 distance, int is_16_bit)
{
	return distance >= 0 && distance <= (is_16_bit ? SERIES_AHEAD_16 : SERIES_AHEAD);
}

static __always_inline int is_late(__s32 distance, int is_16_bit)
{
	return distance < 0 && distance >= -(is_16_bit ? SERIES_BEHIND_16 : SERIES_BEHIND);
}

/* Whether the other series may go on with the number, or what is late in it be that: of the former one it is no sign. A
 * slower path is believed up to four times as far behind as it was.
 */
static __always_inline int is_near_other(const struct flow_slot *slot, __u32 number, __s32 distance, int is_16_bit)
{
	__s32 behind = other_standing(slot) == OTHER_FORMER ? OTHER_WINDOW : SERIES_NEAR;
	__s32 from_other = sequence_distance(number, slot->other, is_16_bit);

	if (!other_standing(slot) || from_other < -behind || from_other > SERIES_NEAR)
		return 0;
	return other_standing(slot) != OTHER_JUDGED || other_trust(slot) < OTHER_TRUSTED ||
	       -(__s64)distance <= 4LL << other_trust(slot);
}

/* A number near the other series, `distance` from the flow's own one. Returns whether the flow is in that series now. */
static __always_inline int judge_other(struct flow_slot *slot, __u32 number, __s32 distance, int is_16_bit,
				       __u32 threshold)
{
	__s32 gap = distance_of_other(slot, is_16_bit);
	int is_trusted = other_trust(slot) >= OTHER_TRUSTED;

	if (was_seen_in_other(slot, number, is_16_bit)) {
		slot->duplicates += 1;
		return 0;
	}
	if (other_standing(slot) == OTHER_JUDGED && !(is_trusted && is_gap(distance, is_16_bit))) {
		see_in_other(slot, number, is_16_bit);
		if (!is_late(distance, is_16_bit) && !(is_trusted && distance < 0)) {
			set_other(slot, OTHER_WAITS, other_trust(slot));
			return 0;
		}
		count_late(slot, ~distance);
		if (other_trust(slot) == OTHER_SINGLE) {
			recover(slot, 1);
			set_other(slot, OTHER_JUDGED, OTHER_SINGLE + 1);
		}
		return 0;
	}
	if (other_standing(slot) == OTHER_FORMER) {
		take_back_restart(slot, is_16_bit);
	} else if (is_gap(gap, is_16_bit)) {
		jump(slot, gap + 1, threshold);
	} else {
		slot->restarts += 1;
		change_series(slot, 1);
		set_other(slot, OTHER_FORMER, other_trust(slot));
	}
	return 1;
}

/* A number of neither series waits for the next ones. One that has waited in vain is judged; where the new one is
 * ahead of it, it was not wild: there are gaps before both.
 */
static __always_inline void wait_for_next(struct flow_slot *slot, __u32 number, int is_16_bit, __u32 threshold)
{
	__s32 distance = distance_of_other(slot, is_16_bit);

	if (other_standing(slot) == OTHER_WAITS) {
		if (is_gap(distance, is_16_bit) && is_gap(sequence_distance(number, slot->other, is_16_bit), is_16_bit))
			jump(slot, distance + 1, threshold);
		else
			count_single(slot, distance, threshold);
	}
	meet_other(slot, number, OTHER_WAITS);
}

/* One packet with a readable number. */
static __always_inline void place_number(struct flow_slot *slot, __u32 number, int is_16_bit, __u32 threshold)
{
	__s32 distance = sequence_distance(number, slot->expected, is_16_bit);

	if (!(slot->flags & SEQUENCE_STARTED)) {
		begin_series(slot, number);
		return;
	}
	if (distance >= -SEEN_WINDOW && distance <= SERIES_NEAR) {
		go_on(slot, is_16_bit, threshold);
	} else if (is_near_other(slot, number, distance, is_16_bit)) {
		if (!judge_other(slot, number, distance, is_16_bit, threshold))
			return;
	} else if (is_late(distance, is_16_bit)) {
		go_on(slot, is_16_bit, threshold);
		count_late(slot, ~distance);
		if (other_standing(slot) != OTHER_FORMER && other_trust(slot) < OTHER_TRUSTED)
			meet_other(slot, number, OTHER_JUDGED);
		return;
	} else {
		wait_for_next(slot, number, is_16_bit, threshold);
		return;
	}
	judge_number(slot, number, is_16_bit, threshold);
}

#endif
