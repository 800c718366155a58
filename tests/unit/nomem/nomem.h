/* SPDX-License-Identifier: Apache-2.0 */
/* Lets one allocation of a run fail, each in turn.
 *
 *	nomem_begin(0);
 *	r = run(&err);
 *	all = nomem_end();
 *	for (size_t i = 1; i <= all; i++) {
 *		nomem_begin(i);
 *		r = run(&err);
 *		nomem_end();
 *		cr_assert_eq(r, -1, "allocation %zu of %zu", i, all);
 *	}
 *
 * The test's executable gets one of the dependencies in meson.build. With `nomem_heap` what fails
 * is malloc() and its like; with `nomem` each piece of an arena as well, and its failure sticks as
 * a true one does. Calls from one file to another are caught, calls within a file and within the
 * libc or another shared library (Criterion's) aren't. */
#ifndef TESTS_NOMEM_H
#define TESTS_NOMEM_H

#include <stdbool.h>
#include <stddef.h>

/* From now on the n-th allocation fails; 0: none. */
void nomem_begin(size_t n);
/* Nothing fails any more. How many allocations there were since the beginning. */
size_t nomem_end(void);

/* For what stands in front of an allocation: whether this one is to fail. */
bool nomem_fails(void);

#endif
