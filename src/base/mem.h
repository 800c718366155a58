/* SPDX-License-Identifier: Apache-2.0 */
/* Cleanup words, ownership, and the few helpers on plain memory. */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include "ctrctl/err.h"

#include <dirent.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define _cleanup_(fn) __attribute__((cleanup(fn)))
#define _unused_      __attribute__((unused))
#define _noreturn_    __attribute__((noreturn))

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b)     ((a) < (b) ? (a) : (b))
#define MAX(a, b)     ((a) > (b) ? (a) : (b))

/* Cleanup functions keep errno and accept the empty value. */
static inline void mem_free_p(void *p)
{
	free(*(void **)p);
}

void mem_fclose_p(FILE **f);
void mem_closedir_p(DIR **d);

#define _free_     _cleanup_(mem_free_p)
#define _fclose_   _cleanup_(mem_fclose_p)
#define _closedir_ _cleanup_(mem_closedir_p)

/* Gives away what a cleanup word would free: `return take(p);` */
#define take(p)                          \
	({                               \
		__auto_type take_ = (p); \
		(p) = NULL;              \
		take_;                   \
	})

/* n * size, or SIZE_MAX on overflow (which no allocation satisfies). */
size_t mem_array(size_t n, size_t size);

/* Equality and prefix of strings; NULL equals nothing. */
bool str_eq(const char *a, const char *b);
bool str_starts(const char *s, const char *prefix);
bool str_ends(const char *s, const char *suffix);

/* Whole-string parsers: no sign (but a leading '-' for i64), no space, no trailing bytes. 0 or -1;
 * they set no error: the caller knows what the number was for. Ranges are inclusive. */
int parse_u64(const char *s, uint64_t max, uint64_t *ret_value) _must_check_;
int parse_i64(const char *s, int64_t min, int64_t max, int64_t *ret_value) _must_check_;

#endif
