/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"

#include <stdarg.h>
#include <string.h>

/* One chunk serves a usual config.json; bigger documents double the size each time. */
enum { CHUNK_FIRST = 64 * 1024, CHUNK_MAX = 1024 * 1024 };

#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
/* Every piece by itself, so that the sanitizer sees its end. */
static const bool share_chunks = false;
#else
static const bool share_chunks = true;
#endif

struct chunk {
	struct chunk *next;
	max_align_t mem[];
};

struct arena {
	struct chunk *chunks;
	char *free;
	size_t left, next_size;
	bool failed;
};

struct arena *arena_new(void)
{
	struct arena *a = calloc(1, sizeof(*a));

	if (a)
		a->next_size = CHUNK_FIRST;
	return a;
}

struct arena *arena_free(struct arena *a)
{
	if (!a)
		return NULL;
	for (struct chunk *c = a->chunks, *next; c; c = next) {
		next = c->next;
		free(c);
	}
	free(a);
	return NULL;
}

static char *chunk_new(struct arena *a, size_t n)
{
	struct chunk *c = n > PTRDIFF_MAX - sizeof(*c) ? NULL : malloc(sizeof(*c) + n);

	if (!c) {
		a->failed = true;
		return NULL;
	}
	c->next = a->chunks;
	a->chunks = c;
	return (char *)c->mem;
}

void arena_join(struct arena *a, struct arena *from)
{
	struct chunk **end = &a->chunks;

	while (*end)
		end = &(*end)->next;
	*end = from->chunks;
	a->failed |= from->failed;
	*from = (struct arena){ .next_size = CHUNK_FIRST };
}

/* Not zeroed. */
static void *piece(struct arena *a, size_t n)
{
	const size_t align = sizeof(max_align_t) - 1;

	if (n > PTRDIFF_MAX) {
		a->failed = true;
		return NULL;
	}
	n = (MAX(n, (size_t)1) + align) & ~align;
	if (n > a->left) {
		/* What would fill much of a chunk gets one of its own: the rest of the current one
		 * isn't lost. */
		if (!share_chunks || n > a->next_size / 4)
			return chunk_new(a, n);
		char *mem = chunk_new(a, a->next_size);
		if (!mem)
			return NULL;
		a->free = mem;
		a->left = a->next_size;
		a->next_size = MIN(a->next_size * 2, (size_t)CHUNK_MAX);
	}
	void *p = a->free;
	a->free += n;
	a->left -= n;
	return p;
}

void *arena_alloc(struct arena *a, size_t n)
{
	void *p = piece(a, n);

	if (p)
		memset(p, 0, n);
	return p;
}

void *arena_array(struct arena *a, size_t n, size_t size)
{
	return arena_alloc(a, mem_array(n, size));
}

char *arena_strndup(struct arena *a, const char *s, size_t n)
{
	char *p = n == SIZE_MAX ? NULL : piece(a, n + 1);

	if (!p)
		return NULL;
	memcpy(p, s, n);
	p[n] = 0;
	return p;
}

char *arena_strdup(struct arena *a, const char *s)
{
	return arena_strndup(a, s, strlen(s));
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap;
	int n;
	char *p;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	p = n < 0 ? NULL : piece(a, (size_t)n + 1);
	if (!p) {
		a->failed = true;
		return NULL;
	}
	va_start(ap, fmt);
	vsnprintf(p, (size_t)n + 1, fmt, ap);
	va_end(ap);
	return p;
}

bool arena_failed(const struct arena *a)
{
	return a->failed;
}

int err_nomem(struct err *err)
{
	return err_set(err, ERR_EXHAUSTED, NULL, "out of memory");
}
