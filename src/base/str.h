/* SPDX-License-Identifier: Apache-2.0 */
/* A growing text. Failure to grow sticks and is asked once, at the end. */
#ifndef BASE_STR_H
#define BASE_STR_H

#include "base/mem.h"

struct str {
	char *p;  /* NUL-terminated once anything was added; NULL before */
	size_t n; /* bytes, without the NUL */
	size_t cap;
	bool failed;
};

/* All-zero is the empty text. */
void str_add(struct str *, const char *s);
void str_addn(struct str *, const void *p, size_t n);
void str_printf(struct str *, const char *fmt, ...) _printf_(2, 3);
void str_done(struct str *);
#define _str_ _cleanup_(str_done)

/* 0, or -1 with ERR_EXHAUSTED when any addition failed. */
int str_ok(const struct str *, struct err *) _must_check_;

/* printf into fresh memory (free() it), NULL when memory is out. */
char *strf(const char *fmt, ...) _must_check_ _printf_(1, 2);

/* Length (1 to 4) of the well-formed UTF-8 character at p, 0 when the bytes there are none:
 * overlong forms, surrogates and numbers above U+10FFFF aren't well-formed. */
size_t utf8_len(const void *p, size_t n);

#endif
