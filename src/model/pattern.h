/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Patterns of image names, for the routing table; docs/runtime-selection.md has the rules.
 *
 * A pattern covers the whole of a name, which is a reference without its tag and digest. "*" stands
 * for any characters but "/", also for none; "**" for any characters at all; every other character
 * for itself.
 */
#ifndef MODEL_PATTERN_H
#define MODEL_PATTERN_H

#include "base/mem.h"

enum { PATTERN_MAX = 255 };

/* ERR_INVALID: empty, too long, no name could match it, or it has a tag or digest. */
int pattern_check(const char *pattern, struct err *) _must_check_;

/* Of a pattern that was checked. Its time is bounded by the product of both lengths. */
bool pattern_matches(const char *pattern, const char *name);

#endif
