/* SPDX-License-Identifier: Apache-2.0 */
/* Texts, times, and what a libc would bring. */
#include "monitor.h"

char *put_text(char *at, const char *end, const char *s)
{
	if (!at)
		return NULL;
	for (; *s; s++) {
		if (at + 1 >= end)
			return NULL;
		*at++ = *s;
	}
	*at = 0;
	return at;
}

char *put_number(char *at, const char *end, uint64_t n)
{
	char digits[21], *d = digits + sizeof(digits) - 1;

	*d = 0;
	do
		*--d = (char)('0' + n % 10);
	while (n /= 10);
	return put_text(at, end, d);
}

/* With as many digits as asked for, then a separator. */
static char *put_digits(char *at, unsigned n, uint64_t value, char separator)
{
	for (unsigned i = n; i; i--, value /= 10)
		at[i - 1] = (char)('0' + value % 10);
	at[n] = separator;
	return at + n + 1;
}

/* Days are counted from the first of March of year 0, so that a leap day is the last of its year
 * and of its 400 years. */
char *put_time(char *at, const char *end, uint64_t sec, uint32_t nsec)
{
	uint64_t day = sec / 86400 + 719468, n, year, month;
	uint32_t second = (uint32_t)(sec % 86400);

	if (!at || end - at < 32)
		return NULL;
	year = day / 146097 * 400;
	day %= 146097;
	n = day / 36524 < 3 ? day / 36524 : 3;
	year += n * 100;
	day -= n * 36524;
	year += day / 1461 * 4;
	day %= 1461;
	n = day / 365 < 3 ? day / 365 : 3;
	year += n;
	day -= n * 365;
	month = (5 * day + 2) / 153; /* from March: 31, 30, 31, 30, 31 days, and again */
	day -= (153 * month + 2) / 5;
	month = month < 10 ? month + 3 : month - 9;
	at = put_digits(at, 4, year + (month <= 2), '-');
	at = put_digits(at, 2, month, '-');
	at = put_digits(at, 2, day + 1, 'T');
	at = put_digits(at, 2, second / 3600, ':');
	at = put_digits(at, 2, second / 60 % 60, ':');
	at = put_digits(at, 2, second % 60, '.');
	at = put_digits(at, 9, nsec, 'Z');
	*at = 0;
	return at;
}

size_t text_len(const char *s)
{
	size_t n = 0;

	while (s[n])
		n++;
	return n;
}

void move_bytes(char *to, const char *from, size_t n)
{
	if (to != from)
		for (size_t i = 0; i < n; i++)
			to[i] = from[i];
}

void close_fd(int *fd)
{
	if (*fd >= 0)
		SYS1(close, *fd);
	*fd = -1;
}

uint64_t now_ms(void)
{
	struct __kernel_timespec t = { 0, 0 };

	SYS2(clock_gettime, 1 /* CLOCK_MONOTONIC */, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000 + 1;
}
