// SPDX-License-Identifier: MIT OR Apache-2.0 OR GPL-2.0-only
/* What flowtop's kernel program is measured against, and what drives all of them. Never part of the product.
 *
 * BPF_PROG_TEST_RUN repeats a program on one and the same packet. The drive_* programs give the packet the next
 * address and the next sequence number, then tail-call the program under test: the same work in front of each of them,
 * which the empty program behind it shows.
 */
#include <stddef.h>

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/pkt_cls.h>

/* What bpf_helpers.h would give: this file is compiled by a plain call of clang. */
#define SEC(name) __attribute__((section(name), used))
#define __uint(name, value) int(*name)[value]
#define __type(name, value) __typeof__(value) *name
#undef __always_inline
#define __always_inline inline __attribute__((always_inline))
#define __noinline __attribute__((noinline))
#define bpf_htons(x) __builtin_bswap16(x)
#define bpf_htonl(x) __builtin_bswap32(x)

static void *(*bpf_map_lookup_elem)(void *map, const void *key) = (void *)1;
static long (*bpf_map_update_elem)(void *map, const void *key, const void *value, __u64 flags) = (void *)2;
static __u64 (*bpf_ktime_get_ns)(void) = (void *)5;
static long (*bpf_skb_store_bytes)(struct __sk_buff *skb, __u32 at, const void *from, __u32 length,
				   __u64 flags) = (void *)9;
static long (*bpf_tail_call)(void *context, void *programs, __u32 index) = (void *)12;
static long (*bpf_skb_change_tail)(struct __sk_buff *skb, __u32 length, __u64 flags) = (void *)38;

#define SUBJECTS 16
#define MOST_FLOWS 131072
#define FRESH_FLOWS 262144
#define FILLING 256

struct flow_key {
	__u8 source[16];
	__u8 destination[16];
	__u16 source_port;
	__u16 destination_port;
	__u32 protocol;
};

struct volume {
	__u64 packets;
	__u64 bytes;
	__u64 last_seen;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__type(key, struct flow_key);
	__type(value, struct volume);
	__uint(max_entries, MOST_FLOWS);
} flows SEC(".maps");

/* The same, for flows that are new with every packet. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__type(key, struct flow_key);
	__type(value, struct volume);
	__uint(max_entries, FRESH_FLOWS);
} fresh_flows SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__type(key, __u32);
	__type(value, __u32);
	__uint(max_entries, SUBJECTS);
} subjects SEC(".maps");

/* How the packet changes from run to run. */
struct course {
	__u64 count; /* packets so far */
	__u32 flow; /* of the packet before */
	__u32 flow_mask; /* number of flows - 1 */
	__u32 flow_at; /* offset of a 32-bit word that tells the flows apart; 0: it stays */
	__u32 flow_bits; /* their binary logarithm */
	__u32 number_at; /* offset of a big-endian sequence number; 0: none */
	__u32 number_step; /* of one flow's packets */
	__u32 length; /* the packet is made longer, up to this; 0: it stays */
	__u32 pattern; /* as it stands in memory */
	__u32 pattern_at; /* offset of the first of its places; 0: none */
	__u32 pattern_mask; /* number of its places - 1 */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct course);
	__uint(max_entries, 1);
} courses SEC(".maps");

struct filling {
	__u8 bytes[FILLING];
};

/* Bytes for packets that are made longer. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, struct filling);
	__uint(max_entries, 1);
} fillings SEC(".maps");

static __always_inline void write_word(struct __sk_buff *skb, __u32 at, __u32 word)
{
	void *data = (void *)(long)skb->data, *data_end = (void *)(long)skb->data_end;

	if (at > 2048 || data + at + 4 > data_end)
		return;
	*(__u32 *)(data + at) = word;
}

static __noinline void lengthen(struct __sk_buff *skb, __u32 length)
{
	__u32 zero = 0, old = skb->len;
	struct filling *filling = bpf_map_lookup_elem(&fillings, &zero);

	if (!filling || bpf_skb_change_tail(skb, length, 0))
		return;
	for (int i = 0; i < 20 && old + FILLING <= length; i++) {
		bpf_skb_store_bytes(skb, old, filling->bytes, FILLING, 0);
		old += FILLING;
	}
}

/* The flows come in an order that jumps about, each of them once in a round. */
static __always_inline void change_packet(struct __sk_buff *skb)
{
	__u32 zero = 0;
	struct course *course = bpf_map_lookup_elem(&courses, &zero);
	__u64 round;

	if (!course)
		return;
	if (course->length > skb->len)
		lengthen(skb, course->length);
	round = course->count >> (course->flow_bits & 63);
	if (course->pattern_at) {
		__u32 mask = course->pattern_mask;

		write_word(skb, course->pattern_at + (course->count * 37 & mask), 0);
		write_word(skb, course->pattern_at + ((course->count + 1) * 37 & mask), course->pattern);
	}
	if (course->flow_at) {
		course->flow = (course->flow * 1664525 + 1013904223) & course->flow_mask;
		write_word(skb, course->flow_at, course->flow);
	}
	if (course->number_at)
		write_word(skb, course->number_at, bpf_htonl((__u32)round * course->number_step));
	course->count++;
}

#define DRIVE(n)                                                                                                       \
	SEC("tc")                                                                                                      \
	int drive_##n(struct __sk_buff *skb)                                                                           \
	{                                                                                                              \
		change_packet(skb);                                                                                    \
		bpf_tail_call(skb, &subjects, n);                                                                      \
		return TC_ACT_SHOT;                                                                                    \
	}

/* clang-format off */
DRIVE(0) DRIVE(1) DRIVE(2) DRIVE(3) DRIVE(4) DRIVE(5) DRIVE(6) DRIVE(7)
	/* clang-format on */

	SEC("tc") int empty(struct __sk_buff *skb)
{
	return TC_ACT_UNSPEC;
}

SEC("tc")
int clock_only(struct __sk_buff *skb)
{
	return bpf_ktime_get_ns() ? TC_ACT_UNSPEC : TC_ACT_SHOT;
}

/* The five-tuple of a packet without VLAN tags, IP options, extension headers: the least that one can do. */
static __always_inline int five_tuple(struct __sk_buff *skb, struct flow_key *key)
{
	void *data = (void *)(long)skb->data, *data_end = (void *)(long)skb->data_end;
	struct ethhdr *ethernet = data;
	__u16 *ports;

	if (data + sizeof(*ethernet) + sizeof(struct iphdr) > data_end)
		return -1;
	if (ethernet->h_proto == bpf_htons(ETH_P_IP)) {
		struct iphdr *ip = data + sizeof(*ethernet);

		__builtin_memcpy(key->source, &ip->saddr, 4);
		__builtin_memcpy(key->destination, &ip->daddr, 4);
		key->protocol = ip->protocol;
		ports = (void *)(ip + 1);
	} else if (ethernet->h_proto == bpf_htons(ETH_P_IPV6)) {
		struct ipv6hdr *ip = data + sizeof(*ethernet);

		if ((void *)(ip + 1) > data_end)
			return -1;
		__builtin_memcpy(key->source, &ip->saddr, 16);
		__builtin_memcpy(key->destination, &ip->daddr, 16);
		key->protocol = ip->nexthdr;
		ports = (void *)(ip + 1);
	} else {
		return -1;
	}
	if ((key->protocol != IPPROTO_TCP && key->protocol != IPPROTO_UDP) || (void *)(ports + 2) > data_end)
		return -1;
	key->source_port = ports[0];
	key->destination_port = ports[1];
	return 0;
}

static __always_inline int count_in(void *map, struct __sk_buff *skb)
{
	struct flow_key key = {};
	struct volume *known;
	__u64 now;

	if (five_tuple(skb, &key))
		return TC_ACT_UNSPEC;
	now = bpf_ktime_get_ns();
	known = bpf_map_lookup_elem(map, &key);
	if (known) {
		known->packets += 1;
		known->bytes += skb->len;
		known->last_seen = now;
	} else {
		struct volume first = { .packets = 1, .bytes = skb->len, .last_seen = now };

		bpf_map_update_elem(map, &key, &first, BPF_NOEXIST);
	}
	return TC_ACT_UNSPEC;
}

SEC("tc")
int hash_only(struct __sk_buff *skb)
{
	return count_in(&flows, skb);
}

SEC("tc")
int hash_fresh(struct __sk_buff *skb)
{
	return count_in(&fresh_flows, skb);
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
