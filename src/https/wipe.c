/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every block of memory that this program gives back is wiped first, for any may have held a
 * secret: the linker puts these in the place of free() and realloc() in our own objects (--wrap),
 * and libcurl gets them by curl_global_init_mem(). OpenSSL's buffers are its own: see
 * trust_apply().
 */
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

void __real_free(void *p);
void __wrap_free(void *p);
void *__wrap_realloc(void *p, size_t n);

void __wrap_free(void *p)
{
	if (p)
		explicit_bzero(p, malloc_usable_size(p));
	__real_free(p);
}

void *__wrap_realloc(void *p, size_t n)
{
	void *fresh = malloc(n ? n : 1);

	if (!fresh || !p)
		return fresh;
	size_t old = malloc_usable_size(p);
	memcpy(fresh, p, old < n ? old : n);
	__wrap_free(p);
	return fresh;
}
