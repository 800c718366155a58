/* SPDX-License-Identifier: Apache-2.0 */
/* Image references: [registry/]path[:tag][@digest]. */
#ifndef MODEL_REF_H
#define MODEL_REF_H

#include "base/arena.h"

struct image_ref {
	const char *registry; /* "docker.io", "localhost:5000"; NULL: not written */
	const char *path;     /* "library/busybox", "busybox" */
	const char *tag;      /* NULL: not written */
	const char *digest;   /* "sha256:...", NULL: not written */
};

/* Takes a reference apart as it is written. The first component is a registry when it holds "." or
 * ":" or is "localhost". ERR_INVALID: empty, upper case in the path, bad digest, over 4096 bytes,
 * ...
 */
int image_ref_parse(
	const char *text, struct arena *, struct image_ref *ret, struct err *) _must_check_;

/* As the store keeps it: registry "docker.io" and "library/" filled in, tag "latest" where there is
 * neither tag nor digest. NULL when memory is out. */
char *image_ref_normal(const struct image_ref *, struct arena *) _must_check_;

/* What names an image by itself, not by a name: "sha256:" and 64 digits, or the 64 digits alone: 1,
 * else 0. No reference can look so. */
int image_id_is_valid(const char *text);

/* "sha256:" and 64, or "sha512:" and 128, lower-case hex digits: 1, else 0. */
int digest_is_valid(const char *text);

#endif
