/* SPDX-License-Identifier: MIT OR Apache-2.0 OR GPL-2.0-only */
/* ABI: a packet as the program finds it, for a process: its addresses have more than 32 bits. All else is the kernel's. */
#ifndef FLOWTOP_HOST_LINUX_BPF_H
#define FLOWTOP_HOST_LINUX_BPF_H

#define __sk_buff kernel_sk_buff
#include_next <linux/bpf.h>
#undef __sk_buff

/* What the program reads of it. Between `data` and `data_end` is what was kept of the packet, which had `len` bytes. */
struct __sk_buff {
	unsigned long data;
	unsigned long data_end;
	__u32 len;
	__u32 wire_len;
	__u32 ifindex;
	__u32 gso_segs;
	__u32 gso_size;
	__u32 vlan_present;
	__u32 vlan_tci;
	__u32 is_cut; /* bytes were asked for that the packet had, and that were not kept */
};

#endif
