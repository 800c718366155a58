/* SPDX-License-Identifier: Apache-2.0 */
#include "base/str.h"

#include <stdarg.h>
#include <string.h>

/* Room for n more bytes and the NUL. */
static bool reserve(struct str *s, size_t n)
{
	size_t want, cap;
	char *p;

	if (s->failed)
		return false;
	if (n < s->cap - s->n && s->p)
		return true;
	want = n > PTRDIFF_MAX - s->n - 1 ? 0 : s->n + n + 1;
	cap = MAX(want, s->cap > PTRDIFF_MAX / 2 ? want : s->cap * 2);
	p = want ? realloc(s->p, MAX(cap, (size_t)64)) : NULL;
	if (!p) {
		s->failed = true;
		return false;
	}
	s->p = p;
	s->cap = MAX(cap, (size_t)64);
	return true;
}

void str_addn(struct str *s, const void *p, size_t n)
{
	if (!reserve(s, n))
		return;
	if (n)
		memcpy(s->p + s->n, p, n);
	s->n += n;
	s->p[s->n] = 0;
}

void str_add(struct str *s, const char *text)
{
	str_addn(s, text, strlen(text));
}

void str_printf(struct str *s, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0)
		s->failed = true;
	if (n < 0 || !reserve(s, (size_t)n))
		return;
	va_start(ap, fmt);
	vsnprintf(s->p + s->n, (size_t)n + 1, fmt, ap);
	va_end(ap);
	s->n += (size_t)n;
}

void str_done(struct str *s)
{
	free(s->p);
	*s = (struct str){ 0 };
}

int str_ok(const struct str *s, struct err *err)
{
	return s->failed ? err_set(err, ERR_EXHAUSTED, NULL, "out of memory") : 0;
}

char *strf(const char *fmt, ...)
{
	va_list ap;
	char *p;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&p, fmt, ap);
	va_end(ap);
	return n < 0 ? NULL : p;
}

size_t utf8_len(const void *text, size_t n)
{
	const unsigned char *p = text;
	size_t len;
	unsigned char low = 0x80, high = 0xbf; /* of the second byte */

	if (n == 0)
		return 0;
	if (p[0] < 0x80)
		return 1;
	if (p[0] < 0xc2 || p[0] > 0xf4)
		return 0;
	len = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	if (n < len)
		return 0;
	if (p[0] == 0xe0)
		low = 0xa0; /* overlong */
	else if (p[0] == 0xed)
		high = 0x9f; /* surrogates */
	else if (p[0] == 0xf0)
		low = 0x90; /* overlong */
	else if (p[0] == 0xf4)
		high = 0x8f; /* above U+10FFFF */
	if (p[1] < low || p[1] > high)
		return 0;
	for (size_t i = 2; i < len; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	return len;
}
