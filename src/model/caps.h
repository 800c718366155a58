/* SPDX-License-Identifier: Apache-2.0 */
/* Capabilities by name. */
#ifndef MODEL_CAPS_H
#define MODEL_CAPS_H

#include "base/str.h"

/* Those that this build knows: 0 .. CAPS_N-1. A newer kernel may have more, an older one fewer. */
enum { CAPS_N = 41 };

/* "CAP_CHOWN" <-> 0. -1 and NULL for the unknown. */
int caps_number(const char *name);
const char *caps_name(int number);

/* Bit n for the capability n. Unknown names are appended to `unknown` (may be NULL), separated by
 * ", ". */
uint64_t caps_mask(const char **names, size_t n, struct str *unknown);

/* What this process can give away: permitted, and within its bounding set. */
int caps_own(uint64_t *ret, struct err *err) _must_check_;

#endif
