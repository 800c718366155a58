/* SPDX-License-Identifier: Apache-2.0 */
/* Memory that is given back all at once: parsed documents live here. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/mem.h"

struct arena;

/* A new arena, NULL when memory is out. arena_free accepts NULL and returns NULL. */
struct arena *arena_new(void) _must_check_;
struct arena *arena_free(struct arena *);
static inline void arena_free_p(struct arena **a)
{
	arena_free(*a);
}
#define _arena_ _cleanup_(arena_free_p)

/* What is in `from` lives as long as the arena from here on; `from` is empty then. */
void arena_join(struct arena *, struct arena *from);

/* Zeroed memory, aligned for anything; NULL when memory is out (n may be 0: a unique pointer).
 * Failure sticks: arena_failed() then says so, so a caller may check once at the end of a group of
 * allocations that it doesn't dereference before. */
void *arena_alloc(struct arena *, size_t n) _must_check_;
void *arena_array(struct arena *, size_t n, size_t size) _must_check_;
char *arena_strndup(struct arena *, const char *s, size_t n) _must_check_;
char *arena_strdup(struct arena *, const char *s) _must_check_;
char *arena_printf(struct arena *, const char *fmt, ...) _must_check_ _printf_(2, 3);
bool arena_failed(const struct arena *);

/* Raises "out of memory" (ERR_EXHAUSTED). Always returns -1. */
int err_nomem(struct err *err);

#endif
