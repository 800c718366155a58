/* SPDX-License-Identifier: Apache-2.0 */
#include "nomem.h"

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
char *__real_strdup(const char *s);
char *__real_strndup(const char *s, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
char *__wrap_strdup(const char *s);
char *__wrap_strndup(const char *s, size_t n);

static bool armed;
static size_t countdown, calls;

void nomem_begin(size_t n)
{
	countdown = n;
	calls = 0;
	armed = true;
}

size_t nomem_end(void)
{
	armed = false;
	return calls;
}

bool nomem_fails(void)
{
	if (!armed)
		return false;
	calls++;
	return countdown && --countdown == 0;
}

void *__wrap_malloc(size_t n)
{
	return nomem_fails() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return nomem_fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t n)
{
	return nomem_fails() ? NULL : __real_realloc(p, n);
}

char *__wrap_strdup(const char *s)
{
	return nomem_fails() ? NULL : __real_strdup(s);
}

char *__wrap_strndup(const char *s, size_t n)
{
	return nomem_fails() ? NULL : __real_strndup(s, n);
}
