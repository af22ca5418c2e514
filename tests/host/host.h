/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What the host's tests of the pure headers share: named tests, checks, and packets in memory of exactly their size,
 * so that the sanitizers see every byte read beyond them.
 */
#ifndef FLOWTOP_HOST_H
#define FLOWTOP_HOST_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What is set before the load is set by a test. */
#define LOADED_CONSTANT volatile

#include "packet.h"

struct test {
	const char *name;
	void (*run)(void);
};

static int failures;

/* Compares two numbers; `what` says of which case and which of its figures. */
static inline void expect(const char *of, const char *what, long long actual, long long expected)
{
	if (actual == expected)
		return;
	printf("%s: %s is %lld (%#llx), not %lld (%#llx)\n", of, what, actual, actual, expected, expected);
	failures += 1;
}

struct figure {
	const char *name;
	long long value;
};

/* Compares figures with a text of names and values, "lost 3 small 1"; what the text does not name is zero. */
static inline void expect_figures(const char *of, const struct figure *figures, int count, const char *text)
{
	char name[32];
	long long values[32] = {};
	int length;

	while (sscanf(text, "%31s%n", name, &length) == 1) {
		char *rest = (char *)text + length;
		int at = 0;

		while (at < count && strcmp(figures[at].name, name))
			at++;
		if (at == count) {
			printf("%s: no figure is called %s\n", of, name);
			failures += 1;
			return;
		}
		values[at] = strtoll(rest, &rest, 0);
		text = rest;
	}
	for (int i = 0; i < count; i++)
		expect(of, figures[i].name, figures[i].value, values[i]);
}

/* `program` lists the names of its tests; `program name` runs one of them. */
static inline int run_tests(const struct test *tests, int count, int argc, char **argv)
{
	for (int i = 0; i < count; i++) {
		if (argc < 2) {
			puts(tests[i].name);
		} else if (!strcmp(argv[1], tests[i].name)) {
			tests[i].run();
			return failures ? 1 : 0;
		}
	}
	return argc < 2 ? 0 : 2;
}

#define TEST(function) #function, function
#define COUNT(array) ((int)(sizeof(array) / sizeof(*(array))))

/* A packet's bytes, `linear` of them readable in place. */
struct buffer {
	__u8 *bytes;
	__u8 *in_place; /* a copy of the linear part, of exactly its size */
	__u32 length;
	__u32 linear;
};

static inline struct buffer buffer_of(const __u8 *bytes, __u32 length, __u32 linear)
{
	struct buffer buffer = { malloc(length + !length), malloc(linear + !linear), length, linear };

	if (!buffer.bytes || !buffer.in_place)
		abort();
	memcpy(buffer.bytes, bytes, length);
	memcpy(buffer.in_place, bytes, linear);
	return buffer;
}

static inline void release(struct buffer *buffer)
{
	free(buffer->bytes);
	free(buffer->in_place);
}

static inline struct packet packet_in(struct buffer *buffer, __u16 vlan)
{
	return (struct packet){
		.context = buffer,
		.data = buffer->in_place,
		.data_end = buffer->in_place + buffer->linear,
		.length = buffer->length,
		.ifindex = 7,
		.vlan = vlan,
	};
}

/* The seam of packet.h, as the kernel has it: in place within the linear part, copied from anywhere, or not at all. */
static __always_inline const __u8 *packet_header(const struct packet *packet, enum mode mode, __u32 offset, __u32 size,
						 void *room)
{
	const struct buffer *buffer = packet->context;
	__u32 within = mode == FAST ? buffer->linear : buffer->length;

	if (offset > within || size > within - offset)
		return NULL;
	if (mode == FAST)
		return (const __u8 *)packet->data + offset;
	memcpy(room, buffer->bytes + offset, size);
	return room;
}

#endif
