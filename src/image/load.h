/* SPDX-License-Identifier: Apache-2.0 */
/* What the two kinds of archives say, read and verified, before anything is made of it. */
#ifndef IMAGE_LOAD_H
#define IMAGE_LOAD_H

#include "image/source.h"
#include "model/image.h"

struct load_layer {
	const char *file;    /* in the archive */
	const char *digest;  /* NULL: not known (docker-archive) */
	const char *diff_id; /* of the same index in the config */
	uint64_t size;       /* of the file, as its descriptor says; docker-archive: as it is */
};

/* One image of the archive, for this host. */
struct load_image {
	const char *id;     /* sha256 of the config */
	const char **names; /* normalised, with tag */
	size_t n_names;
	const char *manifests[2]; /* digests: the manifest's, and that of the index which led to it;
				     NULL: none */
	const char *manifest_text, *config_text;
	size_t manifest_n, config_n;
	struct img_config config;
	struct load_layer *layers;
	size_t n_layers;
};

struct load_list {
	struct load_image *items;
	size_t n;
};

/* Everything in the source's arena. job: its name, ref and path. */
int layout_read(const struct source *, const struct ctr_image_load *job, struct load_list *ret,
	struct err *) _must_check_;
int docker_read(const struct source *, const struct ctr_image_load *job, struct load_list *ret,
	struct err *) _must_check_;

/* ---- load-util.c: what both need ---- */

/* A document of the archive: size and digest must be those. */
int load_blob(const struct source *, const struct img_descriptor *, size_t max, const char **ret,
	size_t *ret_n, struct err *) _must_check_;
/* The config of img: read, for this host, with as many diff ids as there are layers. */
int load_config(const struct source *, const char *text, size_t n, size_t n_layers,
	struct load_image *img, struct err *) _must_check_;
/* "Name" (of the archive) normalised: with "latest" where it has no tag. A digest in it is refused.
 */
int load_name(const char *text, struct arena *, const char **ret, struct err *) _must_check_;
/* A name that is only a tag: that of the archive's file is put before it. */
int load_name_of_tag(const char *path, const char *tag, struct arena *, const char **ret,
	struct err *) _must_check_;
/* 1 when job->ref means this name of the archive (as it stands there, or normalised), else 0. */
int load_is_ref(const char *ref, const char *raw, const char *name, struct arena *);
/* Takes job->name in place of what the archive says, and refuses an empty list. */
int load_finish(const struct source *, const struct ctr_image_load *job, struct load_list *,
	struct err *) _must_check_;

#endif
