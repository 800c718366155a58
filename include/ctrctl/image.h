/* SPDX-License-Identifier: Apache-2.0 */
/* Images in the local store: loading, finding, listing, removing. */
#ifndef CTRCTL_IMAGE_H
#define CTRCTL_IMAGE_H

#include "ctrctl/err.h"
#include "ctrctl/map.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What an image's config says about running it (OCI image-spec 1.1, config.md). Hostile: every use
 * checks it. */
struct ctr_image_config {
	const char *user, *working_dir, *stop_signal; /* NULL: not said */
	const char **entrypoint, **cmd, **env, **volumes;
	size_t n_entrypoint, n_cmd, n_env, n_volumes;
	struct ctr_map_str labels;
};

struct ctr_image_record {
	const char *id;     /* "sha256:" and 64 hex digits: the digest of its config */
	const char **names; /* normalised, with tag, sorted: "docker.io/library/busybox:1.36" */
	size_t n_names;
	const char **digests; /* sorted: "docker.io/library/busybox@sha256:..." */
	size_t n_digests;
	const char *manifest; /* digest of the manifest, NULL for a docker-archive */
	const char *architecture, *os, *variant;
	const char **layers; /* diff ids, lowest first: "sha256:..." */
	size_t n_layers;
	uint64_t size;       /* bytes of its unpacked layers */
	const char *created; /* as the config says, NULL: doesn't say */
	const char *loaded;  /* RFC 3339 */
	struct ctr_image_config config;
};

struct ctr_engine;
struct ctr_image; /* a handle: the record as it was read */

/* Called while an image is loaded: bytes read of the layer `digest`, and its size (0: unknown). */
struct ctr_progress {
	void (*fn)(void *arg, const char *digest, uint64_t done, uint64_t total);
	void *arg;
};

struct ctr_image_load {
	const char *path; /* OCI layout or docker-archive: a folder, or a tar (gzip, zstd); "-":
			     standard input */
	const char *name; /* NULL: the names that the archive gives. With several images in it:
			     ERR_INVALID */
	const char *ref;  /* of several images, only the one that the archive calls so */
	const struct ctr_progress *progress; /* NULL: none */
};

/* Loads all images of an archive; all or nothing per image. An image that is there already only
 * gains names. Calls each() per image, in the archive's order. */
int ctr_image_load(struct ctr_engine *, const struct ctr_image_load *,
	int (*each)(void *arg, const struct ctr_image_record *, struct err *), void *arg,
	struct err *) _must_check_;

/* By name ("busybox", "docker.io/library/busybox:latest"), name@digest, id, or unique prefix of an
 * id. ERR_NOT_FOUND: "image X isn't in the store". */
struct ctr_image *ctr_image_open(struct ctr_engine *, const char *ref, struct err *) _must_check_;
const struct ctr_image_record *ctr_image_record(const struct ctr_image *);
/* Manifest and config, byte by byte; NULL where there is none. They live as long as the handle. */
const char *ctr_image_manifest_text(const struct ctr_image *);
const char *ctr_image_config_text(const struct ctr_image *);
struct ctr_image *ctr_image_close(struct ctr_image *);

int ctr_image_list(struct ctr_engine *,
	int (*each)(void *arg, const struct ctr_image_record *, struct err *), void *arg,
	struct err *) _must_check_;

/* Removes the image with all its names, and the layers that no other image needs. Absent:
 * ERR_NOT_FOUND. Used by a container: ERR_STATE that names it. */
int ctr_image_remove(struct ctr_engine *, const char *ref, struct err *) _must_check_;

#endif
