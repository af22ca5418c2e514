/* SPDX-License-Identifier: MIT OR Apache-2.0 OR GPL-2.0-only */
/* ABI: the structs that the kernel program and src/probe/abi.rs share.
 *
 * Only fixed-width integers and arrays, natural alignment, padding by name: the Rust side is generated
 * from these, and both sides assert the sizes. No bool, no bit-fields, no unions.
 */
#ifndef FLOWTOP_TYPES_H
#define FLOWTOP_TYPES_H

#include <linux/types.h>

#define FLOWS_PER_SET 8
#define MAX_RULES 64
#define PROFILES (MAX_RULES + 1) /* one a rule, and the global one at index MAX_RULES */
#define RULE_NONE MAX_RULES
#define BANKS 2
#define VLAN_NONE 0xffff
#define PATTERN_SEARCH_BYTES 5000
#define JITTER_STOP_NS 2000000000ULL /* a longer gap means that the flow had stopped */
#define INTERFACE_SLOTS 1024 /* slot 0 takes what has no slot of its own */
#define INTERFACE_PROBES 8
#define PORTS 65536
#define HISTOGRAM_SHIFT 5 /* 2^5 buckets for each power of two */
#define HISTOGRAM_BUCKETS 864 /* up to JITTER_STOP_NS, and beyond */
#define FOCUSED_FLOWS                                                                                                  \
	512 /* slots that may keep a histogram at a time: half for flows that somebody looks at, half for those of rules */

/* Groups of metrics, each counted only where it is asked for: bits of `enabled_groups`. */
#define GROUP_IP 1

enum family {
	FAMILY_IPV4 = 4,
	FAMILY_IPV6 = 6,
};

/* Ports in host byte order; an IPv4 address is the first four bytes of its array, the rest zero. */
struct flow_key {
	__u32 ifindex;
	__u16 source_port;
	__u16 destination_port;
	__u8 source[16];
	__u8 destination[16];
	__u16 vlan; /* VLAN_NONE: untagged */
	__u8 protocol; /* IP protocol number */
	__u8 family;
	__u32 tunnel; /* the identifier of a tunnel that the flow is told apart by; 0: of none */
};
#define KEY_OUTGOING (1U << 31) /* in ifindex, which is never negative: seen on its way out */

/* flow_slot.control, from the lowest bit: state, flags, version (8 bits), generation (32), epoch (16: on top, where an
 * addition has nothing to spill into). Changed by atomic operations only; state and version by the holder of the lock,
 * or from a value without FLOW_LOCKED.
 */
#define FLOW_FREE 0ULL /* nobody's: may be claimed */
#define FLOW_CLAIMED 1ULL /* a CPU is writing the key */
#define FLOW_LIVE 2ULL /* the key is valid */
#define FLOW_RETIRED 3ULL /* no packet finds it any more; user space frees it after a rest */
#define FLOW_STATE 3ULL
#define FLOW_LOCKED (1ULL << 2) /* one CPU is judging a sequence number */
#define FLOW_SEQUENCED (1ULL << 3) /* its payloads carry sequence numbers */
#define FLOW_SHARED (1ULL << 4) /* there is something in its flow_shared; stays behind in a free slot */
#define FLOW_FOCUSED (1ULL << 5) /* keeps a histogram of its gaps */
#define FLOW_VERSION_SHIFT 8 /* rule version that admitted the flow */
#define FLOW_GENERATION_SHIFT 16
#define FLOW_EPOCH_SHIFT 48
#define FLOW_LIFE (FLOW_STATE | 0xffffffffULL << FLOW_GENERATION_SHIFT)

/* flow_slot.flags */
#define SEQUENCE_STARTED 1 /* `expected` is valid */
#define SEQUENCE_STOPPED 2 /* TCP: a RST came; the next segment begins a new series */
#define OTHER_STANDING 6 /* not TCP: what is known of the other series; 0: nothing */
#define OTHER_JUDGED 2 /* all its numbers have been judged */
#define OTHER_WAITS 4 /* its highest number waits for the next packet to be judged */
#define OTHER_FORMER 6 /* the sender has started again, if this one does not go on */
#define OTHER_OPEN 4 /* what both have in common */
#define OTHER_TRUST_SHIFT 3 /* how often it went on beside; from OTHER_TRUSTED on, the power of two it is believed at */

/* flow_slot.run */
#define RUN_LENGTH 0x7f /* numbers in order that `seen` and `base_age` do not know of yet, at most 64 */
#define RUN_PLAIN 0x80 /* nothing is open, and nobody judges: the next number in order may be passed without the lock */

/* What must be one per flow, whatever CPU a packet comes in on. The first cache line is what every packet
 * needs; the second is for sequence numbers and what is rare.
 */
struct flow_slot {
	__u64 control;
	__u64 last_arrival; /* CLOCK_MONOTONIC ns */
	struct flow_key key;

	__u64 first_arrival; /* CLOCK_MONOTONIC ns */
	__u64 seen; /* bit n: number expected - 1 - n was seen; TCP: first (low) and end (high word) of what is missing */
	__u64 lost;
	/* One word, the series: with RUN_PLAIN set it changes by compare-and-swap only. */
	__u32 expected; /* what the next in-order packet carries */
	__u16 other_seen; /* bit n: number other - 1 - n was seen; TCP: the largest payload of a segment so far */
	__u8 flags;
	__u8 run;
	__u32 absent;
	__u32 reverse_errors;
	__u32 small_errors;
	__u32 big_errors;
	__u32 duplicates;
	__u32 restarts;
	__u32 other; /* what the other series expects; TCP: the number of the SYN, or the one before the first byte */
	__u8 epochs_high; /* carry of the 16-bit epoch in control: 24 bits in all, of pauses */
	__u8 rule; /* index of its first matching rule, or RULE_NONE */
	__u8 base_age; /* numbers from the base of the series to expected - 1, at most 65; older ones were never missed, unless that many */
	__u8 profile; /* id of the sequence profile that its state was made with; of a stream: of the latest one */
};

/* What the CPU that brought the flow in counted of it: plain stores, no atomics, but for `owner`, which is set when all that it makes
 * valid has been. Sums of gaps are of the current epoch; the squares are 79 bits wide, and wrap. Their bit 63 is in both halves: where
 * it is not the same, the upper one is about to follow.
 */
struct flow_counters {
	__u64 owner; /* that CPU (32 bits); epoch (16) of the gaps; then bits 63 to 78 of the squares */
	__u64 gap_squares; /* ns^2, bits 0 to 63 */
	__u64 gap_sum; /* ns */
	__u64 gaps;
	__u64 packets;
	__u64 bytes;
	__u64 payload_bytes;
	__u64 sequenced; /* packets with a readable sequence number */
};
#define OWNER_EPOCH_SHIFT 32
#define OWNER_SQUARES_SHIFT 48

/* Gaps of one epoch, as far as other CPUs than the owner saw them; the squares' halves as above. */
struct shared_gaps {
	__u64 squares; /* bits 0 to 63 */
	__u64 squares_high; /* from bit 63 on */
	__u64 sum;
	__u64 count;
};

/* What all other CPUs counted of the flow, by atomic additions. All of it is zero as long as FLOW_SHARED is not set. */
struct flow_shared {
	__u64 packets;
	__u64 bytes;
	__u64 payload_bytes;
	__u64 sequenced;
	__u64 unjudged; /* numbers (TCP: bytes) that came and were not judged, whatever the CPU: what is lost is so much less */
	__u64 unused[3];
	struct shared_gaps gaps[2]; /* by the lowest bit of their epoch */
};

struct volume {
	__u64 packets;
	__u64 bytes;
};

enum malformed {
	MALFORMED_FRAME,
	MALFORMED_IP_TRUNCATED,
	MALFORMED_IP_VERSION,
	MALFORMED_IP_HEADER_LENGTH,
	MALFORMED_IP_LENGTH,
	MALFORMED_EXTENSIONS,
	MALFORMED_TRANSPORT_TRUNCATED,
	MALFORMED_TCP_OFFSET,
	MALFORMED_UDP_LENGTH,
	MALFORMED_REASONS,
};

/* What is rare on an interface: counted by all CPUs, by atomic additions. */
struct interface {
	struct volume malformed[MALFORMED_REASONS];
	__u64 evicted; /* flows replaced by one of this interface */
	__u64 contended; /* sequence numbers not judged: another CPU held the flow too long */
	__u64 fragments_unmatched; /* later fragments whose first one is not known: in the flow with ports 0 */
	__u64 estimated; /* packets of aggregates whose headers could not be read to the end: their bytes are estimated */
	struct volume cut_off; /* of a capture that kept less of them than their headers: never in the kernel */
};

/* An interface that is watched, and what one CPU counted on it, in all and outside the flows. Each CPU has its own, so that a packet
 * needs one cache line of its interface, and no other CPU's.
 */
struct interface_totals {
	__u32 ifindex; /* written by user space; 0: free */
	__u32 is_bare; /* written by user space; 1: the device has no Ethernet header */
	struct volume seen; /* everything, before anything was decided */
	struct volume other;
	struct volume filtered;
	__u64 untracked; /* packets; their bytes: untracked_bytes */
};

/* settings.active, from the lowest bit: bank (1 bit), version (8 bits, 1 to 255, as flow slots carry it; 0 is never in
 * force), serial number (23 bits).
 */
#define ACTIVE_BANK(active) ((active)&1)
#define ACTIVE_VERSION(active) ((__u8)((active) >> 1))

/* Written by user space, read with every packet. */
struct settings {
	__u64 scanned_at; /* when the latest complete pass over the table began, CLOCK_MONOTONIC ns */
	__u64 evict_idle_ns; /* a flow idle longer than this may be replaced */
	__u32 active; /* the configuration in force: see ACTIVE_BANK; one word, so that a packet sees one of them */
	__u32 rules[BANKS]; /* number of rules in the bank; 0: every packet is part of a flow */
	__u32 unused;
};

/* Where a payload carries its sequence number. */
#define PROFILE_PATTERN 1 /* look for `pattern` first */
#define PROFILE_OFFSET 2 /* the number is at `offset` */
#define PROFILE_WIDTH_16 4 /* 16 bits, not 32 */
#define PROFILE_LITTLE_ENDIAN 8
#define PROFILE_RTP 16 /* only where the RTP version is 2 */
#define PROFILE_EXPLICIT 32 /* the rule's own: applies to ICMP echo too */

struct sequence_profile {
	__u32 pattern;
	__u32 threshold;
	__u16 offset;
	__u8 flags;
	__u8 id; /* tells profiles apart; the same content keeps its id */
	__u32 unused;
};

/* Key of rule_addresses: longest prefix match over bank, side, family and address. */
struct rule_address {
	__u32 prefix_length; /* 24 + bits of the address */
	__u8 bank;
	__u8 side; /* 0: source, 1: destination */
	__u8 family;
	__u8 address[16];
	__u8 unused;
};
#define RULE_ADDRESS_FIXED_BITS 24

/* Masks of the rules that a protocol, or any port, satisfies. */
struct rule_bank {
	__u64 protocols[4]; /* in the order TCP, UDP, ICMP, ICMPv6 */
	__u64 any_source_port;
	__u64 any_destination_port;
};

/* A five-tuple that no rule matched. */
struct verdict {
	struct flow_key key;
	__u32 active; /* the configuration by which it was judged */
	__u32 unused[3];
};

/* How often gaps of each length came: 32 buckets for each power of two of ns, the last one open. */
struct gap_histogram {
	__u64 longest; /* ns */
	__u64 counts[HISTOGRAM_BUCKETS];
};

/* Records of groups of metrics, one a slot. A word has a number in its lower half and, in its upper one, the generation of the
 * flow that it is of; see groups.h.
 */

/* GROUP_IP: what the IP headers of a flow said. */
struct ip_metrics {
	__u64 ce; /* packets marked as having met congestion */
	__u64 ttl; /* the latest hop limit */
	__u64 ttl_changes; /* how often it changed */
	__u64 dscp; /* the latest */
	__u64 ip_bytes; /* bytes of the IP packets; their low 32 bits: see add_long() */
	__u64 ip_bytes_high; /* and those from bit 31 on */
	__u64 unused[2];
};

/* First fragment to the later ones. */
struct fragment_key {
	__u32 ifindex;
	__u8 source[16];
	__u8 destination[16];
	__u32 identification;
	__u16 vlan;
	__u8 protocol; /* as the fragment's own header names it */
	__u8 family;
};

struct fragment_ports {
	__u16 source_port;
	__u16 destination_port;
	__u8 protocol; /* of the flow, past further headers */
	__u8 unused[3];
};

_Static_assert(sizeof(struct flow_key) == 48, "flow_key: six words to compare");
_Static_assert(sizeof(struct flow_slot) == 128, "flow_slot: two cache lines");
_Static_assert(__builtin_offsetof(struct flow_slot, first_arrival) == 64, "flow_slot: first line");
_Static_assert(__builtin_offsetof(struct flow_slot, expected) % 8 == 0, "flow_slot: the series is one word");
_Static_assert(__builtin_offsetof(struct flow_slot, run) == __builtin_offsetof(struct flow_slot, expected) + 7,
	       "flow_slot: the series ends with its run");
_Static_assert(sizeof(struct flow_counters) == 64, "flow_counters: one cache line");
_Static_assert(sizeof(struct flow_shared) == 128, "flow_shared: two cache lines");
_Static_assert(sizeof(struct interface) == 192, "interface: three cache lines");
_Static_assert(sizeof(struct interface_totals) == 64, "interface_totals: one cache line");
_Static_assert(sizeof(struct settings) == 32, "settings");
_Static_assert(sizeof(struct sequence_profile) == 16, "sequence_profile");
_Static_assert(sizeof(struct rule_address) == 24, "rule_address");
_Static_assert(sizeof(struct rule_bank) == 48, "rule_bank");
_Static_assert(sizeof(struct verdict) == 64, "verdict: one cache line");
_Static_assert(sizeof(struct gap_histogram) == 8 * (1 + HISTOGRAM_BUCKETS), "gap_histogram");
_Static_assert(sizeof(struct ip_metrics) == 64, "ip_metrics: one cache line");
_Static_assert(sizeof(struct fragment_key) == 44, "fragment_key");
_Static_assert(sizeof(struct fragment_ports) == 8, "fragment_ports");

#endif
