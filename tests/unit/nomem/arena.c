/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"

#include "nomem.h"

#include <stdarg.h>

void *__real_arena_alloc(struct arena *a, size_t n);
void *__real_arena_array(struct arena *a, size_t n, size_t size);
char *__real_arena_strndup(struct arena *a, const char *s, size_t n);
char *__real_arena_strdup(struct arena *a, const char *s);
void *__wrap_arena_alloc(struct arena *a, size_t n);
void *__wrap_arena_array(struct arena *a, size_t n, size_t size);
char *__wrap_arena_strndup(struct arena *a, const char *s, size_t n);
char *__wrap_arena_strdup(struct arena *a, const char *s);
char *__wrap_arena_printf(struct arena *a, const char *fmt, ...) _printf_(2, 3);

/* The arena itself fails, and knows of it afterwards. */
static void *fail(struct arena *a)
{
	return __real_arena_alloc(a, SIZE_MAX);
}

void *__wrap_arena_alloc(struct arena *a, size_t n)
{
	return nomem_fails() ? fail(a) : __real_arena_alloc(a, n);
}

void *__wrap_arena_array(struct arena *a, size_t n, size_t size)
{
	return nomem_fails() ? fail(a) : __real_arena_array(a, n, size);
}

char *__wrap_arena_strndup(struct arena *a, const char *s, size_t n)
{
	return nomem_fails() ? fail(a) : __real_arena_strndup(a, s, n);
}

char *__wrap_arena_strdup(struct arena *a, const char *s)
{
	return nomem_fails() ? fail(a) : __real_arena_strdup(a, s);
}

char *__wrap_arena_printf(struct arena *a, const char *fmt, ...)
{
	_free_ char *text = NULL;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (n < 0)
		text = NULL;
	return !text || nomem_fails() ? fail(a) : __real_arena_strdup(a, text);
}
