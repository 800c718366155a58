/* SPDX-License-Identifier: Apache-2.0 */
/* sha256 and sha512 of what passes by (nettle). */
#ifndef BASE_DIGEST_H
#define BASE_DIGEST_H

#include "base/mem.h"

enum { DIGEST_TEXT_MAX = 7 + 128 + 1 };

struct digest; /* one computation */

/* `like` decides the algorithm: "sha256" or a digest's text. NULL: unknown algorithm or no memory.
 */
struct digest *digest_new(const char *like) _must_check_;
void digest_add(struct digest *, const void *p, size_t n);
/* "sha256:..." of all that was added; ends the computation. */
const char *digest_text(struct digest *, char buf[DIGEST_TEXT_MAX]);
struct digest *digest_free(struct digest *);

/* At once. */
const char *digest_of(const void *p, size_t n, char buf[DIGEST_TEXT_MAX]);

#endif
