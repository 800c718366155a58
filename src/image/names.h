/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which image a name means: <data>/images/names.json, one file for all names, so that a name moves
 * from one image to another at once. Keys are normalised references ("docker.io/library/busybox:1")
 * and references by digest ("docker.io/library/busybox@sha256:..."), values are ids.
 */
#ifndef IMAGE_NAMES_H
#define IMAGE_NAMES_H

#include "base/arena.h"
#include "ctrctl/map.h"

/* images_fd FD_NONE: empty. In the arena. */
int names_load(int images_fd, struct arena *, struct ctr_map_str *ret, struct err *) _must_check_;

/* Under a lock of its own: lets the n names mean `id`, and forgets those of `gone` (an id, or
 * NULL). */
int names_change(int images_fd, const char *id, const char *const *names, size_t n,
	const char *gone, struct err *) _must_check_;

/* The names of an image, or (digests) its references by digest; sorted, in the arena. */
enum names_kind { NAMES_TAGS, NAMES_DIGESTS };
int names_of(const struct ctr_map_str *, const char *id, enum names_kind, struct arena *,
	const char ***ret, size_t *ret_n, struct err *) _must_check_;

#endif
