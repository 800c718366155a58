/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The image store: <data>/images/<config digest's hex>/{record,manifest,config}.json, and
 * <data>/layers/<diff id's hex>/{fs/,layer.json}. Layers don't depend on each other: their
 * whiteouts are overlayfs's. All is made under a temporary name, synced, and renamed; an image's
 * record is written when its layers are there.
 */
#ifndef IMAGE_STORE_H
#define IMAGE_STORE_H

#include "base/arena.h"
#include "base/fd.h"
#include "ctrctl/image.h"

struct image_store {
	int fd; /* <data>, 0700; FD_NONE: not there (nothing is found) */
};
#define IMAGE_STORE_INIT      \
	{                     \
		.fd = FD_NONE \
	}

/* The lock: shared from looking an image up until the container's record names it; exclusive to
 * remove. */
enum image_lock { IMAGE_LOCK_SHARED, IMAGE_LOCK_EXCLUSIVE };
int image_store_lock(
	const struct image_store *, enum image_lock, int *ret_fd, struct err *) _must_check_;

/* See ctr_image_open(). All of it lives in the arena. */
int image_find(const struct image_store *, const char *ref, struct arena *,
	struct ctr_image_record *ret, struct err *) _must_check_;
/* Manifest and config byte by byte, in the arena; *ret is NULL where there is none. */
int image_manifest_text(const struct image_store *, const struct ctr_image_record *, struct arena *,
	const char **ret, struct err *) _must_check_;
int image_config_text(const struct image_store *, const struct ctr_image_record *, struct arena *,
	const char **ret, struct err *) _must_check_;
int image_list(const struct image_store *, struct arena *, struct ctr_image_record **ret,
	size_t *ret_n, struct err *) _must_check_;
int image_load(struct image_store *, const struct ctr_image_load *, struct arena *,
	struct ctr_image_record **ret, size_t *ret_n, struct err *) _must_check_;
/* The caller holds the exclusive lock and has seen that nobody uses it. */
int image_remove(
	const struct image_store *, const struct ctr_image_record *, struct err *) _must_check_;

#endif
