/* SPDX-License-Identifier: MIT OR Apache-2.0 OR GPL-2.0-only */
/* Stateful: what the program has of the kernel, for a process: maps in its memory, packets, and a clock that somebody sets.
 *
 * Arrays are looked up in place. The three other maps, one of each type, are user space's (src/probe/stores.rs): few packets
 * ask for them.
 */
#ifndef FLOWTOP_HOST_BPF_HELPERS_H
#define FLOWTOP_HOST_BPF_HELPERS_H

#include <stddef.h>

#include <linux/bpf.h>

#include "../../types.h"

#undef __always_inline
#define __always_inline inline __attribute__((always_inline))
#define __noinline
#define SEC(name)
#define LOADED_CONSTANT

/* Where an array is. */
struct host_array {
	__u8 *memory;
	__u32 entries;
};

#define HOST_HEAD_type struct host_array host;
#define HOST_HEAD_map_flags
#define HOST_HEAD_max_entries
#define __uint(name, number) HOST_HEAD_##name int(*name)[number]
#define __type(name, type) __typeof__(type) *name

void *flowtop_native_look_up(__u32 type, const void *key);
void flowtop_native_update(__u32 type, const void *key, const void *value);

static __u64 host_now;

static __always_inline void *host_look_up(const struct host_array *array, __u32 type, const void *key, size_t size)
{
	__u32 index;

	if (type != BPF_MAP_TYPE_ARRAY && type != BPF_MAP_TYPE_PERCPU_ARRAY)
		return flowtop_native_look_up(type, key);
	index = *(const __u32 *)key;
	if (index >= array->entries)
		return NULL;
	return array->memory + index * size;
}

#define HOST_TYPE(map) (sizeof(*(map)->type) / sizeof(int))
#define bpf_map_lookup_elem(map, key) host_look_up(&(map)->host, HOST_TYPE(map), key, sizeof(*(map)->value))
#define bpf_map_update_elem(map, key, value, flags) flowtop_native_update(HOST_TYPE(map), key, value)

/* One engine a process, on one thread: there is one CPU. */
static __always_inline __u32 bpf_get_smp_processor_id(void)
{
	return 0;
}

static __always_inline __u64 bpf_ktime_get_ns(void)
{
	return host_now;
}

static __always_inline size_t kept_of(const struct __sk_buff *skb)
{
	return skb->data_end - skb->data;
}

static __always_inline long bpf_skb_load_bytes(struct __sk_buff *skb, __u32 offset, void *to, __u32 length)
{
	size_t end = (size_t)offset + length;

	if (end > kept_of(skb)) {
		skb->is_cut |= end <= skb->len;
		return -1;
	}
	__builtin_memcpy(to, (const void *)(skb->data + offset), length);
	return 0;
}

/* Only for packets with something pushed in front of them, which no capture has. */
static __always_inline long bpf_skb_load_bytes_relative(struct __sk_buff *skb, __u32 offset, void *to, __u32 length,
							__u32 from)
{
	(void)from;
	return bpf_skb_load_bytes(skb, offset, to, length);
}

static __always_inline long bpf_skb_store_bytes(struct __sk_buff *skb, __u32 offset, const void *from, __u32 length,
						__u64 flags)
{
	(void)flags;
	if ((size_t)offset + length > kept_of(skb))
		return -1;
	__builtin_memcpy((void *)(skb->data + offset), from, length);
	return 0;
}

/* What the program asks of a packet that may not be all there. */
#define is_cut_off(skb) ((skb)->is_cut)

static __always_inline __u32 kept_bytes(const struct __sk_buff *skb, __u32 offset, __u32 length)
{
	size_t kept = kept_of(skb), left = offset < kept ? kept - offset : 0;

	return left < length ? left : length;
}
#define kept_bytes kept_bytes

#endif
