/* SPDX-License-Identifier: Apache-2.0 */
/* What is written of an image (record.json) and of a layer (layer.json). */
#ifndef IMAGE_RECORD_H
#define IMAGE_RECORD_H

#include "base/arena.h"
#include "base/str.h"
#include "ctrctl/image.h"

enum { IMAGE_RECORD_VERSION = 1, IMAGE_RECORD_BYTES_MAX = 16 << 20 };

/* Names and digests aren't in it: see names.h. */
void image_record_write(const struct ctr_image_record *, struct str *out);
int image_record_read(const char *text, size_t n, struct arena *, struct ctr_image_record *ret,
	struct err *) _must_check_;

struct layer_record {
	const char *diff_id;
	uint64_t size; /* bytes unpacked */
};
void layer_record_write(const struct layer_record *, struct str *out);
int layer_record_read(const char *text, size_t n, struct arena *, struct layer_record *ret,
	struct err *) _must_check_;

/* "sha256:abc..." -> "abc...": the name of a folder; checked before. */
const char *digest_hex(const char *digest);

#endif
