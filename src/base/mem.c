/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"

#include <errno.h>
#include <string.h>

void mem_fclose_p(FILE **f)
{
	int saved = errno;

	if (*f)
		fclose(*f);
	*f = NULL;
	errno = saved;
}

void mem_closedir_p(DIR **d)
{
	int saved = errno;

	if (*d)
		closedir(*d);
	*d = NULL;
	errno = saved;
}

size_t mem_array(size_t n, size_t size)
{
	size_t all;

	return __builtin_mul_overflow(n, size, &all) ? SIZE_MAX : all;
}

bool str_eq(const char *a, const char *b)
{
	return a && b && strcmp(a, b) == 0;
}

bool str_starts(const char *s, const char *prefix)
{
	if (!s || !prefix)
		return false;
	while (*prefix)
		if (*s++ != *prefix++)
			return false;
	return true;
}

bool str_ends(const char *s, const char *suffix)
{
	if (!s || !suffix)
		return false;
	size_t n = strlen(s), m = strlen(suffix);
	return n >= m && memcmp(s + n - m, suffix, m) == 0;
}

int parse_u64(const char *s, uint64_t max, uint64_t *ret_value)
{
	uint64_t v = 0;

	if (!s || !*s)
		return -1;
	for (; *s; s++) {
		if (*s < '0' || *s > '9')
			return -1;
		if (__builtin_mul_overflow(v, (uint64_t)10, &v) ||
			__builtin_add_overflow(v, (uint64_t)(*s - '0'), &v))
			return -1;
	}
	if (v > max)
		return -1;
	*ret_value = v;
	return 0;
}

int parse_i64(const char *s, int64_t min, int64_t max, int64_t *ret_value)
{
	uint64_t u;
	int64_t v;
	bool minus = s && *s == '-';

	if (parse_u64(s ? s + minus : NULL, (uint64_t)INT64_MAX + minus, &u) < 0)
		return -1;
	v = minus ? (int64_t)(0 - u) : (int64_t)u;
	if (v < min || v > max)
		return -1;
	*ret_value = v;
	return 0;
}
