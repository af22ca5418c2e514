/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What the program has of bpf_helpers.h, for headers that are about maps. Each of these tests says what its maps hold. */
#ifndef FLOWTOP_PROGRAM_H
#define FLOWTOP_PROGRAM_H

#include <stddef.h>

#include <linux/bpf.h>

#include "host.h"

/* The machine reads words at any place, as the program does. */
#define ANYWHERE no_sanitize("alignment")

#pragma GCC diagnostic ignored "-Wunknown-pragmas"
#undef __always_inline
#define __always_inline inline __attribute__((always_inline, ANYWHERE))
#define __noinline __attribute__((noinline, unused, ANYWHERE))
#define SEC(name)
#define __uint(name, value) int(*name)[value]
#define __type(name, value) __typeof__(value) *name
#define __array(name, value) __typeof__(value) *name[]

#define bpf_map_lookup_elem look_up

static void *look_up(const void *map, const void *key);

#endif
